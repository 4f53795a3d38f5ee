//! What wants attention, each as a sentence with the one thing to do about it.

use chrono::{DateTime, Utc};
use domain::{alert::Alert, release::Deployment};
use leptos::prelude::*;

use super::calls::{Need, Overview};
use crate::{
    releases::{deployment_address, prompt_address},
    ui::{Glyph, Icon, time::in_a_sentence},
};

/// The section; calm when there is nothing.
pub fn section(project: &str, overview: &Overview) -> impl IntoView + use<> {
    let body = if overview.needs.is_empty() {
        view! {
            <p class="needs nothing"><Icon glyph=Glyph::Check/>"Nothing needs you right now."</p>
        }
        .into_any()
    } else {
        let items = overview
            .needs
            .iter()
            .map(|need| item(project, need, overview))
            .collect_view();
        view! { <ul class="needs">{items}</ul> }.into_any()
    };
    view! {
        <section class="section" aria-labelledby="needs">
            <div class="section-head"><h2 id="needs">"Needs you"</h2></div>
            {body}
        </section>
    }
}

/// How one of them is said.
struct Words {
    tone: &'static str,
    glyph: Glyph,
    what: String,
    note: String,
    href: String,
    verb: &'static str,
}

fn item(project: &str, need: &Need, overview: &Overview) -> impl IntoView + use<> {
    let Words {
        tone,
        glyph,
        what,
        note,
        href,
        verb,
    } = words(project, need, overview);
    view! {
        <li class="need" data-tone=tone>
            <Icon glyph/>
            <p><a href=href.clone()>{what}</a><span class="note">{note}</span></p>
            <a class="btn" data-size="small" href=href>{verb}</a>
        </li>
    }
}

fn words(project: &str, need: &Need, overview: &Overview) -> Words {
    match need {
        Need::Fires(alert) => fires(project, alert),
        Need::TakenBack(deployment) => taken_back(project, deployment, overview.now),
        Need::Approval(promotion) => Words {
            tone: "info",
            glyph: Glyph::Shield,
            what: format!(
                "{} v{} waits for your approval to go to {}",
                promotion.prompt, promotion.version, promotion.environment
            ),
            note: format!(
                "“{}”, {} {}",
                promotion.reason,
                promotion.requested_by.name(),
                in_a_sentence(promotion.requested_at, overview.now)
            ),
            href: format!("/p/{project}/approvals/{}", promotion.id),
            verb: "Review",
        },
        Need::GateFailed {
            prompt,
            version,
            run,
            sentence,
            at,
        } => Words {
            tone: "warn",
            glyph: Glyph::Warn,
            what: format!("{prompt} v{version} did not pass its gate"),
            note: format!("{sentence} {}", in_a_sentence(*at, overview.now)),
            href: format!("/p/{project}/runs/{run}"),
            verb: "Look",
        },
        Need::ClientsBehind {
            environment,
            consumer,
            n_clients,
        } => Words {
            tone: "warn",
            glyph: Glyph::Warn,
            what: match n_clients {
                1 => format!("{consumer} has not confirmed what serves {environment}"),
                n => format!("{n} clients have not confirmed what serves {environment}"),
            },
            note: "what they do not confirm they may still use in the version before".to_owned(),
            href: format!("/p/{project}#clients"),
            verb: "Look",
        },
        Need::GlassBroken(deployment) => Words {
            tone: "bad",
            glyph: Glyph::Bolt,
            what: format!(
                "{} v{} went to {} past the policy",
                deployment.prompt, deployment.version, deployment.environment
            ),
            note: format!(
                "“{}”, {} {}",
                deployment.reason,
                deployment.by.name(),
                in_a_sentence(deployment.deployed_at, overview.now)
            ),
            href: deployment_address(project, &deployment.deployment_id.to_string()),
            verb: "Review",
        },
        Need::Ahead {
            prompt,
            environment,
            version,
            production,
            since,
        } => Words {
            tone: "info",
            glyph: Glyph::Info,
            what: format!(
                "{prompt} v{version} serves {environment}, production is on v{production}"
            ),
            note: format!("since {}", in_a_sentence(*since, overview.now)),
            href: format!(
                "{}?tab=compare&from={production}&to={version}",
                prompt_address(project, prompt)
            ),
            verb: "Compare",
        },
    }
}

fn fires(project: &str, alert: &Alert) -> Words {
    Words {
        tone: "bad",
        glyph: Glyph::Bell,
        what: format!("{}: {}", alert.rule, alert.title),
        note: alert.sentence.clone(),
        href: crate::alerts::address(project, &alert.id.to_string()),
        verb: "Look",
    }
}

fn taken_back(project: &str, deployment: &Deployment, now: DateTime<Utc>) -> Words {
    Words {
        tone: "bad",
        glyph: Glyph::RollBack,
        what: format!(
            "{} was rolled back by itself in {}: v{} serves again",
            deployment.prompt, deployment.environment, deployment.version
        ),
        note: format!(
            "{} {}",
            deployment.reason,
            in_a_sentence(deployment.deployed_at, now)
        ),
        href: deployment_address(project, &deployment.deployment_id.to_string()),
        verb: "Review",
    }
}
