//! One alert: what is the matter, since when, and what was done about it.

use chrono::{DateTime, Utc};
use domain::{
    actor::Permission,
    alert::{Alert, AlertEvent, Happened},
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    calls::{Acknowledge, AlertView, load_alert},
    state,
};
use crate::{
    error::UiError,
    frame::{use_membership, use_project},
    live::use_feed,
    prompts::{
        links,
        parts::{field_error, refusal, remember_refusal},
    },
    releases::deployment_address,
    ui::{
        Glyph, Icon, LoadedPage, PageHeader, Refusal, RelativeTime, TextField, Who, error::sentence,
    },
};

/// `/p/<project>/alerts/<id>`
#[component]
pub fn AlertPage() -> impl IntoView {
    remember_refusal();
    let project = use_project();
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    let care = ServerAction::<Acknowledge>::new();
    let heard = use_feed().heard(&["alert"]);
    let found = Resource::new(
        move || (project.get(), id.get(), heard.get(), care.version().get()),
        |(project, id, _, _)| load_alert(project, id),
    );
    let may = use_membership().may(Permission::RollBack);
    view! {
        <LoadedPage from=found let:shown>
            <Body project=project.get_untracked() shown care may/>
        </LoadedPage>
    }
}

#[component]
fn Body(
    project: String,
    shown: AlertView,
    care: ServerAction<Acknowledge>,
    may: bool,
) -> impl IntoView {
    let AlertView {
        alert,
        history,
        now,
    } = shown;
    let look = format!("/p/{project}{}", alert.href);
    let form = (may && alert.is_firing && alert.acknowledged_at.is_none())
        .then(|| view! { <CareForm id=alert.id.to_string() care/> });
    let facts = facts(&project, &alert, state(&alert).into_any(), now);
    let story = story(&project, history, now);
    view! {
        <PageHeader
            title=alert.title.clone() lede={let words = alert.sentence.clone(); move || words}
            actions=move || view! { <a class="btn" data-kind="primary" href=look><Icon glyph=Glyph::ArrowRight/>"Look into it"</a> }
        >
            {facts}
        </PageHeader>
        {form}
        {story}
    }
}

fn facts(
    project: &str,
    alert: &Alert,
    badge: AnyView,
    now: DateTime<Utc>,
) -> impl IntoView + use<> {
    let prompt = alert.prompt.as_ref().map(|prompt| {
        let href = links::prompt(project, prompt.as_str());
        view! { <div><dt>"Prompt"</dt><dd><a href=href>{prompt.to_string()}</a></dd></div> }
    });
    let environment = alert.environment.clone().map(|environment| {
        view! { <div><dt>"Environment"</dt><dd>{environment}</dd></div> }
    });
    let raised = (alert.n_raised > 1).then(|| {
        view! { <div><dt>"Raised"</dt><dd>{alert.n_raised}" times"</dd></div> }
    });
    let over = alert.resolved_at.map(|at| {
        view! { <div><dt>"Over"</dt><dd><RelativeTime at now has_ago=true/></dd></div> }
    });
    view! {
        <dl class="bar">
            <div><dt>"State"</dt><dd>{badge}</dd></div>
            <div><dt>"Rule"</dt><dd>{alert.rule.clone()}</dd></div>
            {prompt}
            {environment}
            <div><dt>"Since"</dt><dd><RelativeTime at=alert.raised_at now has_ago=true/></dd></div>
            {raised}
            {over}
        </dl>
    }
}

#[component]
fn CareForm(id: String, care: ServerAction<Acknowledge>) -> impl IntoView {
    let project = use_project();
    let error = refusal(care);
    let other = Signal::derive(move || {
        error
            .try_get()
            .flatten()
            .filter(|error| !matches!(error, UiError::Invalid(_)))
    });
    view! {
        <ActionForm action=care attr:class="panel" attr:aria-labelledby="care-h">
            <input type="hidden" name="project" value=project/>
            <input type="hidden" name="alert" value=id/>
            <div class="panel-head"><h2 id="care-h">"Take care of it"</h2></div>
            <div class="panel-body form">
                <Refusal error=other/>
                <TextField
                    id="note" name="note" label="Note" is_optional=true autocomplete="off" error=field_error(error, "note")
                    hint="For whoever looks next. It goes on firing until it is over, and is not repeated."
                />
            </div>
            <div class="panel-foot">
                <button class="btn" aria-busy=move || care.pending().get().then_some("true")>"Acknowledge"</button>
            </div>
        </ActionForm>
    }
}

fn story(project: &str, history: Vec<AlertEvent>, now: DateTime<Utc>) -> impl IntoView + use<> {
    let items = history
        .into_iter()
        .map(|event| {
            let (words, more) = said(&event.what);
            let deployment = if let Happened::RolledBack { deployment, .. } = &event.what {
                let href = deployment_address(project, &deployment.to_string());
                Some(view! { <p><a href=href>"How far it has come"</a></p> })
            } else {
                None
            };
            let more = more.map(|more| view! { <p class="note">{more}</p> });
            view! {
                <li>
                    <p><b>{words}</b>" "<Who name=event.by.name() kind=event.by.kind()/>" "<RelativeTime at=event.at now has_ago=true/></p>
                    {more}
                    {deployment}
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="section" aria-labelledby="story-h">
            <div class="section-head"><h2 id="story-h">"What happened"</h2></div>
            <ol class="story">{items}</ol>
        </section>
    }
}

fn said(what: &Happened) -> (String, Option<String>) {
    let some = |text: &str| (!text.is_empty()).then(|| sentence(text));
    let webhooks = |n: i64| match n {
        1 => "1 webhook".to_owned(),
        n => format!("{n} webhooks"),
    };
    match what {
        Happened::Raised { sentence } => ("It fires".to_owned(), some(sentence)),
        Happened::Resolved { sentence } => ("It is over".to_owned(), some(sentence)),
        Happened::Told { n_webhooks } => (format!("Told to {}", webhooks(*n_webhooks)), None),
        Happened::ToldResolved { n_webhooks } => {
            (format!("Its end told to {}", webhooks(*n_webhooks)), None)
        }
        Happened::Acknowledged { note } => ("Taken care of".to_owned(), some(note)),
        Happened::RolledBack { version, .. } => (
            format!("Rolled back by itself: v{version} serves again"),
            None,
        ),
        Happened::NotRolledBack { reason } => ("Not rolled back".to_owned(), some(reason)),
    }
}
