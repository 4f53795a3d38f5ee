//! An experiment as evidence: what it came to when the promotion was asked for.

use domain::release::Evidence;
use leptos::prelude::*;

use crate::{
    experiments::{experiment_address, verdict_badge},
    ui::RelativeTime,
};

/// What the experiment came to, as it was frozen with the request.
#[component]
pub fn Experiment(
    project: String,
    evidence: Evidence,
    now: chrono::DateTime<chrono::Utc>,
) -> impl IntoView {
    let Some(found) = evidence.experiment else {
        return ().into_any();
    };
    let arms = found
        .arms
        .into_iter()
        .map(|arm| {
            let rate = arm
                .rate
                .map_or_else(String::new, |rate| format!(" ({:.1} %)", rate * 100.0));
            view! {
                <dt>{format!("{} v{}", arm.name, arm.version)}</dt>
                <dd>{format!("{} of {}{rate}", arm.successes, arm.units)}</dd>
            }
        })
        .collect_view();
    let difference = found
        .comparison
        .and_then(|one| one.difference.zip(one.interval))
        .map(|(difference, interval)| {
            let words = format!(
                "{:+.1} pp ({:+.1} to {:+.1})",
                difference * 100.0,
                interval.lower * 100.0,
                interval.upper * 100.0
            )
            .replace('-', "−");
            view! { <dt>{format!("{} against the control", found.arm)}</dt><dd>{words}</dd> }
        });
    let badge = verdict_badge(&found.verdict);
    let href = experiment_address(&project, &found.id.to_string());
    view! {
        <section>
            <h3>"Experiment"</h3>
            <p>{badge}</p>
            <p>{found.verdict.sentence}</p>
            <dl class="facts">
                <dt>"Experiment"</dt><dd><a href=href>{found.name}</a></dd>
                <dt>"Metric"</dt><dd>{found.metric}</dd>
                {arms}
                {difference}
                <dt>"Frozen"</dt><dd><RelativeTime at=found.frozen_at now has_ago=true/></dd>
            </dl>
        </section>
    }
    .into_any()
}
