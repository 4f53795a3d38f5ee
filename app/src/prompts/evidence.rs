//! What is known about a version: where it serves, what it came from, its model, what a reviewer
//! would look at, who includes it.

use domain::{
    content::{Content, Model},
    lint::{Finding, Severity, lint},
    prompt::FullVersion,
};
use leptos::prelude::*;

use super::{
    edit::place_of,
    links,
    parts::Uses,
    shapes::{Place, VersionsView},
    words,
};
use crate::{
    runs::{
        links::{RunQuery, run},
        parts::{rate, verdict},
    },
    ui::{Glyph, Hash, Icon, RelativeTime, Who},
};

/// The column at the right.
#[component]
pub fn Evidence(place: Place, chosen: FullVersion, shown: VersionsView) -> impl IntoView {
    let Place { project, name, .. } = place;
    let number = chosen.version.number;
    let snippets = chosen
        .source
        .as_ref()
        .map(|source| view! { <Snippets project=project.clone() source=source.clone()/> });
    let uses = (!shown.uses.is_empty()).then(|| {
        view! {
            <section><h3>"Where used"</h3><ul><Uses project=project.clone() uses=shown.uses.clone()/></ul></section>
        }
    });
    let parent = chosen.version.parent.map(|parent| {
        let href = links::version(&project, &name, parent);
        view! { <dt>"Parent"</dt><dd><a href=href>{format!("v{parent}")}</a></dd> }
    });
    let findings = lint(&chosen.content);
    let version = chosen.version;
    view! {
        <aside class="evidence" aria-label=format!("About version {number}")>
            <Serves number shown=shown.clone()/>
            <LastEval project=project.clone() name=name.clone() number shown=shown.clone()/>
            <section>
                <h3>"Content"</h3>
                <dl class="facts">
                    <dt>"Hash"</dt>
                    <dd><Hash whole=version.content_hash.as_str() label=format!("hash of v{number}")/></dd>
                    {parent}
                    <dt>"Saved"</dt>
                    <dd><RelativeTime at=version.created_at now=shown.now has_ago=true/></dd>
                    <dt>"By"</dt>
                    <dd><Who name=version.author.name() kind=version.author.kind()/></dd>
                </dl>
            </section>
            {chosen.content.model.map(|model| view! { <ModelFacts model/> })}
            {snippets}
            <Findings findings/>
            {uses}
        </aside>
    }
}

#[component]
fn Serves(number: i32, shown: VersionsView) -> impl IntoView {
    let places = shown
        .serving
        .iter()
        .filter(|serving| serving.version == number)
        .map(|serving| {
            let is_protected = shown.environments.iter().any(|environment| {
                environment.name == serving.environment && environment.protected
            });
            view! {
                <li>
                    <span class="env">
                        {is_protected.then(|| view! { <Icon glyph=Glyph::Lock/> })}
                        <span class="env-name">{serving.environment.clone()}</span>
                    </span>
                    " "
                    <span class="note">
                        {serving.kind.label()}" "
                        <RelativeTime at=serving.deployed_at now=shown.now has_ago=true/>
                        " by "{serving.by.name().to_owned()}
                    </span>
                </li>
            }
        })
        .collect::<Vec<_>>();
    let places = if places.is_empty() {
        view! { <p class="note">"nowhere"</p> }.into_any()
    } else {
        view! { <ul class="stack" data-gap="small">{places}</ul> }.into_any()
    };
    view! { <section><h3>"Serves"</h3>{places}</section> }
}

/// The version's last completed run.
#[component]
fn LastEval(project: String, name: String, number: i32, shown: VersionsView) -> impl IntoView {
    let last = shown.last_runs.iter().find(|last| last.version == number);
    let body = match last {
        None => view! { <p class="note">"no run completed yet"</p> }.into_any(),
        Some(last) => {
            let href = run(&project, &last.run.to_string(), &RunQuery::default());
            let results =
                words::counted(u64::try_from(last.n_results).unwrap_or_default(), "result");
            let when = last.finished_at.map(|at| {
                view! { ", "<RelativeTime at now=shown.now has_ago=true/> }
            });
            view! {
                <p><a href=href>{rate(last.pass_rate, last.interval)}</a></p>
                <p class="note">{last.verdict.map(verdict)}" "{results}{when}</p>
            }
            .into_any()
        }
    };
    let all = links::tab(&project, &name, "evals");
    view! { <section><h3>"Last eval"</h3>{body}<p><a class="note" href=all>"All evals"</a></p></section> }
}

#[component]
fn ModelFacts(model: Model) -> impl IntoView {
    let facts = [
        ("Name", Some(model.name)),
        ("Provider", Some(model.provider)),
        (
            "Temperature",
            model.temperature.map(|degree| degree.to_string()),
        ),
        (
            "Max tokens",
            model
                .max_tokens
                .map(|tokens| super::words::grouped(u64::from(tokens))),
        ),
        ("Seed", model.seed.map(|seed| seed.to_string())),
        (
            "Stop",
            model
                .stop
                .map(|stop| serde_json::Value::from(stop).to_string()),
        ),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(view! { <dt>{name}</dt><dd>{value?}</dd> }))
    .collect_view();
    view! { <section><h3>"Model"</h3><dl class="facts">{facts}</dl></section> }
}

#[component]
fn Snippets(project: String, source: Content) -> impl IntoView {
    let links = source
        .includes()
        .into_iter()
        .map(|include| {
            let number = i32::try_from(include.version).unwrap_or(i32::MAX);
            let href = links::version(&project, &include.name, number);
            let newest = links::prompt(&project, &include.name);
            view! {
                <li>
                    <a href=href>{include.to_string()}</a>
                    " "
                    <a class="note" href=newest>"all its versions"</a>
                </li>
            }
        })
        .collect_view();
    view! { <section><h3>"Snippets"</h3><ul>{links}</ul></section> }
}

#[component]
fn Findings(findings: Vec<Finding>) -> impl IntoView {
    if findings.is_empty() {
        return view! { <section><h3>"Lint"</h3><p class="note">"nothing to look at"</p></section> }.into_any();
    }
    let items = findings.into_iter().map(finding).collect_view();
    view! { <section><h3>"Lint"</h3><ul class="findings">{items}</ul></section> }.into_any()
}

/// A finding as a line of a list.
pub fn finding(finding: Finding) -> impl IntoView {
    let (tone, glyph) = look(finding.severity);
    view! {
        <li class="finding" data-tone=tone>
            <Icon glyph/>
            <p>{finding.message}<span class="note">{place_of(&finding.path)}</span></p>
        </li>
    }
}

/// The tone and icon of a finding.
const fn look(severity: Severity) -> (Option<&'static str>, Glyph) {
    match severity {
        Severity::Note => (None, Glyph::Info),
        Severity::Warning => (Some("warn"), Glyph::Warn),
        Severity::Danger => (Some("bad"), Glyph::Error),
    }
}
