//! Watching a deployment arrive: committed → n of N clients confirmed → the slowest, live.

use domain::release::{Confirmation, Deployment, DeploymentKind, Propagation};
use leptos::{form::ActionForm, prelude::*};
use leptos_router::hooks::use_params_map;

use super::{
    calls::{self, Arrival},
    prompt_address,
};
use crate::{
    costs::MeasuredBox,
    frame::use_project,
    live::use_feed,
    ui::{
        Glyph, Icon, LoadedPage, Moment, PageHeader, Refusal,
        time::{clock, exact},
    },
};

/// `/p/:project/deployments/:id`
#[component]
pub fn PropagationPage() -> impl IntoView {
    let project = use_project();
    let params = use_params_map();
    let id = Memo::new(move |_| params.read().get("id").unwrap_or_default());
    let heard = use_feed().heard(&["clients", "deployment"]);
    let undo = ServerAction::<calls::RollBackTo>::new();
    let arrival = Resource::new(
        move || (project.get(), id.get(), heard.get()),
        |(project, id, _)| calls::read_arrival(project, id),
    );
    view! {
        <LoadedPage from=arrival let:arrival>
            {panel(&project.get_untracked(), &arrival, undo)}
        </LoadedPage>
    }
}

fn panel(
    project: &str,
    arrival: &Arrival,
    undo: ServerAction<calls::RollBackTo>,
) -> impl IntoView + use<> {
    let deployment = &arrival.propagation.deployment;
    let refusal = Signal::derive(move || undo.value().get().and_then(Result::err));
    let (title, lede, at) = (title(deployment), lede(deployment), deployment.deployed_at);
    let undo_form = undo_form(project, arrival, undo);
    let done = prompt_address(project, deployment.prompt.as_str());
    let refill = arrival
        .refill
        .clone()
        .map(|measured| view! { <MeasuredBox measured/> });
    let actions = move || {
        view! {
            {undo_form}
            <a class="btn" data-kind="primary" href=done>"Done"</a>
        }
    };
    view! {
        <PageHeader title lede=move || view! { {lede}<Moment at/> } actions/>
        <Refusal error=refusal/>
        <div class="propagation">
            <p role="status" class="lede">{status(&arrival.propagation, arrival.is_current)}</p>
            {stats(&arrival.propagation)}
            {clients(&arrival.propagation)}
            {refill}
        </div>
    }
}

fn undo_form(
    project: &str,
    arrival: &Arrival,
    undo: ServerAction<calls::RollBackTo>,
) -> Option<AnyView> {
    let deployment = &arrival.propagation.deployment;
    let from = deployment
        .from_version
        .filter(|_| arrival.is_current && arrival.may_roll_back)?;
    let words = if deployment.kind == DeploymentKind::Rollback {
        format!("Undo: serve v{from} again")
    } else {
        format!("Roll back to v{from}")
    };
    let fields = [
        ("project", project.to_owned()),
        ("name", deployment.prompt.to_string()),
        ("environment", deployment.environment.clone()),
        ("to_version", from.to_string()),
        ("expected", deployment.deployment_id.to_string()),
        ("reason", String::new()),
    ]
    .map(|(name, value)| view! { <input type="hidden" name=name value=value/> });
    let form = view! {
        <ActionForm action=undo>
            {fields}
            <button class="btn" aria-busy=move || undo.pending().get().then_some("true")>
                <Icon glyph=Glyph::RollBack/>{words}
            </button>
        </ActionForm>
    };
    Some(form.into_any())
}

fn stats(propagation: &Propagation) -> impl IntoView + use<> {
    let (n_clients, n_confirmed) = (propagation.clients.len(), propagation.n_confirmed());
    let is_done = propagation.is_complete() && n_clients > 0;
    let total = propagation
        .slowest_ms()
        .map_or_else(|| "–".to_owned(), seconds);
    let (slowest, who) = slowest(propagation).map_or_else(
        || ("–".to_owned(), "nobody yet".to_owned()),
        |(ms, who)| (seconds(ms), who),
    );
    view! {
        <div class="stats">
            <dl>
                <div class="stat">
                    <dt>"Committed"</dt>
                    <dd class="value">"0.00"<small>" s"</small></dd>
                    <dd>{clock(propagation.deployment.deployed_at)}</dd>
                </div>
                <div class="stat" data-tone=is_done.then_some("good")>
                    <dt>"Confirmed"</dt>
                    <dd class="value">{n_confirmed.to_string()}<small>{format!("/{n_clients}")}</small></dd>
                    <dd>{if n_clients == 1 { "client" } else { "clients" }}</dd>
                </div>
                <div class="stat">
                    <dt>"Slowest"</dt>
                    <dd class="value">{slowest}<small>" s"</small></dd>
                    <dd>{who}</dd>
                </div>
                <div class="stat">
                    <dt>"Total"</dt>
                    <dd class="value">{total}<small>" s"</small></dd>
                    <dd>{if propagation.is_complete() { "done" } else { "running" }}</dd>
                </div>
            </dl>
        </div>
    }
}

fn clients(propagation: &Propagation) -> Option<AnyView> {
    let (n_clients, n_confirmed) = (propagation.clients.len(), propagation.n_confirmed());
    if n_clients == 0 {
        return None;
    }
    let scale = scale_ms(propagation);
    let rows = propagation
        .clients
        .iter()
        .map(|client| row(client, &propagation.deployment, scale))
        .collect_view();
    let table = view! {
        <progress class="bar-progress" max=n_clients.to_string() value=n_confirmed.to_string()
            data-state=propagation.is_complete().then_some("done") aria-label="Clients that confirmed"></progress>
        <div class="clients" tabindex="0" role="region" aria-label="Clients">
            <div class="table-wrap">
                <table class="table">
                    <caption class="sr-only">"Each client and when it confirmed"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Client"</th>
                            <th scope="col">"Serves"</th>
                            <th scope="col"><span class="sr-only">"Time on a common scale"</span></th>
                            <th scope="col" data-align="end">"Confirmed after"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </div>
    };
    Some(table.into_any())
}

fn title(deployment: &Deployment) -> String {
    let (prompt, version) = (&deployment.prompt, deployment.version);
    match deployment.kind {
        DeploymentKind::Rollback => format!("{prompt} is back on v{version}"),
        DeploymentKind::Promote | DeploymentKind::BreakGlass => {
            format!("{prompt} is on v{version}")
        }
    }
}

fn lede(deployment: &Deployment) -> String {
    let from = deployment
        .from_version
        .map_or_else(String::new, |from| format!(" from v{from}"));
    format!(
        "{} · {}{from} by {} at ",
        deployment.environment,
        deployment.kind.label(),
        deployment.by.name()
    )
}

/// The state of things as a sentence.
fn status(propagation: &Propagation, is_current: bool) -> String {
    let version = propagation.deployment.version;
    let (n_clients, n_confirmed) = (propagation.clients.len(), propagation.n_confirmed());
    let environment = &propagation.deployment.environment;
    if !is_current {
        return format!(
            "Another version serves {environment} by now; {n_confirmed} of {n_clients} clients confirmed this one."
        );
    }
    if n_clients == 0 {
        return format!(
            "No client was connected to {environment}: applications get v{version} with their next request."
        );
    }
    if n_confirmed == n_clients {
        return match n_clients {
            1 => format!("The one client serves v{version}."),
            n => format!("All {n} clients serve v{version}."),
        };
    }
    let waiting: Vec<&str> = propagation
        .clients
        .iter()
        .filter(|client| client.confirmed_at.is_none() && client.connected)
        .map(|client| client.consumer.as_str())
        .collect();
    let gone = n_clients - n_confirmed - waiting.len();
    let mut sentence = format!("{n_confirmed} of {n_clients} clients serve v{version}");
    match waiting.as_slice() {
        [] => {}
        [one] => sentence.push_str(&format!("; waiting for {one}")),
        [one, two] => sentence.push_str(&format!("; waiting for {one} and {two}")),
        [one, rest @ ..] => {
            sentence.push_str(&format!("; waiting for {one} and {} more", rest.len()));
        }
    }
    if gone > 0 {
        sentence.push_str(&format!(
            "; {gone} left before confirming and will get it when they come back"
        ));
    }
    sentence.push('.');
    sentence
}

fn slowest(propagation: &Propagation) -> Option<(i64, String)> {
    propagation
        .clients
        .iter()
        .filter_map(|client| {
            Some((
                lag_ms(client, &propagation.deployment)?,
                client.consumer.clone(),
            ))
        })
        .max_by_key(|(ms, _)| *ms)
}

fn lag_ms(client: &Confirmation, deployment: &Deployment) -> Option<i64> {
    client
        .confirmed_at
        .map(|at| (at - deployment.deployed_at).num_milliseconds().max(0))
}

/// The common scale of the bars: the slowest, and never less than half a second, so that fast
/// clients look fast.
fn scale_ms(propagation: &Propagation) -> i64 {
    propagation.slowest_ms().unwrap_or_default().max(500)
}

/// Milliseconds as seconds with two digits.
fn seconds(ms: i64) -> String {
    format!("{}.{:02}", ms / 1_000, ms % 1_000 / 10)
}

fn row(client: &Confirmation, deployment: &Deployment, scale: i64) -> impl IntoView + use<> {
    let name = client.consumer.clone();
    let (said, bar, after) = match (lag_ms(client, deployment), client.connected) {
        (Some(ms), _) => {
            let label = format!("{name}: {ms} ms");
            let bar = view! { <progress class="bar-progress" max=scale.to_string() value=ms.to_string() aria-label=label></progress> };
            (
                format!("v{}", deployment.version),
                Some(bar),
                format!("{} s", seconds(ms)),
            )
        }
        (None, true) => ("waiting".to_owned(), None, "–".to_owned()),
        (None, false) => ("left".to_owned(), None, "–".to_owned()),
    };
    let title = client.confirmed_at.map(exact);
    view! {
        <tr>
            <th scope="row"><span class="mono">{name}</span></th>
            <td>{said}</td>
            <td class="lag">{bar}</td>
            <td data-align="end" title=title>{after}</td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};
    use domain::{actor::Who, content::Content, id::DeploymentId, prompt::PromptName};
    use serde_json::json;

    use super::*;

    fn propagation(clients: &[(&str, Option<i64>, bool)]) -> Propagation {
        let deployed_at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let content = json!({ "type": "text", "messages": [{ "role": "user", "content": "hi" }] });
        Propagation {
            deployment: Deployment {
                deployment_id: DeploymentId(uuid::Uuid::nil()),
                prompt: PromptName::parse("triage").unwrap(),
                environment: "production".into(),
                version: 40,
                from_version: Some(41),
                content_hash: Content::parse("content", content).unwrap().hash(),
                kind: DeploymentKind::Rollback,
                reason: String::new(),
                by: Who::System {
                    name: "test".into(),
                },
                deployed_at,
                n_clients: 0,
            },
            clients: clients
                .iter()
                .map(|(name, ms, connected)| Confirmation {
                    consumer: (*name).to_owned(),
                    confirmed_at: ms.map(|ms| deployed_at + TimeDelta::milliseconds(ms)),
                    connected: *connected,
                })
                .collect(),
        }
    }

    #[track_caller]
    fn check(clients: &[(&str, Option<i64>, bool)], expected: &str) {
        assert_eq!(status(&propagation(clients), true), expected);
    }

    #[test]
    fn the_state_of_things_is_a_sentence() {
        check(
            &[],
            "No client was connected to production: applications get v40 with their next request.",
        );
        check(&[("a", Some(40), true)], "The one client serves v40.");
        check(
            &[("a", Some(40), true), ("b", Some(60), true)],
            "All 2 clients serve v40.",
        );
        check(
            &[("a", Some(40), true), ("b", None, true)],
            "1 of 2 clients serve v40; waiting for b.",
        );
        check(
            &[
                ("a", None, true),
                ("b", None, true),
                ("c", None, true),
                ("d", None, false),
            ],
            "0 of 4 clients serve v40; waiting for a and 2 more; 1 left before confirming and will get it when they come back.",
        );
    }

    #[test]
    fn lags_are_seconds_with_two_digits() {
        assert_eq!(seconds(6), "0.00");
        assert_eq!(seconds(412), "0.41");
        assert_eq!(seconds(12_345), "12.34");
        assert_eq!(
            slowest(&propagation(&[
                ("a", Some(40), true),
                ("b", Some(412), true)
            ])),
            Some((412, "b".to_owned()))
        );
    }
}
