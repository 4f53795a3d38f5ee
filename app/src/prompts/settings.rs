//! The Settings tab: what the prompt is described as, how programs get it, who depends on it.

use domain::{actor::Permission, prompt::PRODUCTION};
use leptos::prelude::*;

use super::{
    budget::{Budgeting, CacheBudget},
    calls::{DescribePrompt, load_settings},
    links,
    parts::{FormRefusal, Uses, field_error, refusal},
    shapes::{Here, Place, SettingsView},
    words,
};
use crate::{
    error::UiError,
    frame::use_membership,
    live::use_feed,
    ui::{Field, Loaded, RelativeTime, TableSkeleton, described_by},
};

const FIELDS: &[(&str, &str)] = &[("description", "Description"), ("tags", "Tags")];

/// What the tab shows, and what is done there.
#[derive(Clone, Copy)]
pub struct Settings {
    view: Resource<Result<Option<SettingsView>, UiError>>,
    describing: Describing,
    budget: Budgeting,
}

/// The description as it is being changed.
#[derive(Clone, Copy)]
struct Describing {
    action: ServerAction<DescribePrompt>,
    error: Signal<Option<UiError>>,
    description_error: Signal<Option<String>>,
    tags_error: Signal<Option<String>>,
}

impl Settings {
    /// Loads while its tab is the one shown.
    pub fn new(here: Memo<Here>, tab: Memo<String>) -> Self {
        let action = ServerAction::<DescribePrompt>::new();
        let error = refusal(action);
        let budget = Budgeting::new();
        let heard = use_feed().heard(&["prompt", "deployment", "version"]);
        let view = Resource::new(
            move || {
                let is_shown = *tab.read() == "settings";
                let done = (action.version().get(), budget.version());
                is_shown.then(|| (here.get(), heard.get(), done))
            },
            async |wanted| match wanted {
                None => Ok(None),
                Some((here, _, _)) => load_settings(here.project, here.name).await.map(Some),
            },
        );
        Self {
            view,
            describing: Describing {
                action,
                error,
                description_error: field_error(error, "description"),
                tags_error: field_error(error, "tags"),
            },
            budget,
        }
    }
}

/// The tab.
#[component]
pub fn SettingsTab(place: Place, settings: Settings) -> impl IntoView {
    view! {
        <Loaded from=settings.view skeleton=|| view! { <Skeleton/> } let:shown>
            {match shown {
                None => view! { <Skeleton/> }.into_any(),
                Some(shown) => view! {
                    <div class="stack" data-gap="wide" data-width="form">
                        <Describe place=place.clone() shown=shown.clone() describing=settings.describing/>
                        <CacheBudget place=place.clone() set=shown.cache budget=settings.budget/>
                        <Fetch place=place.clone() shown=shown.clone()/>
                        <WhereUsed place=place.clone() shown=shown.clone()/>
                        <Facts shown/>
                    </div>
                }
                .into_any(),
            }}
        </Loaded>
    }
}

#[component]
fn Skeleton() -> impl IntoView {
    view! { <TableSkeleton columns=&["Settings"] label="Loading settings"/> }
}

#[component]
fn Describe(place: Place, shown: SettingsView, describing: Describing) -> impl IntoView {
    let may_write = use_membership().may(Permission::WriteDrafts);
    let Describing {
        action: describe,
        error,
        description_error,
        tags_error,
    } = describing;
    let is_saved = move || describe.value().with(|value| matches!(value, Some(Ok(()))));
    let foot = if may_write {
        let is_busy = move || describe.pending().get().then_some("true");
        view! {
            <div class="panel-foot">
                <button type="submit" class="btn" data-kind="primary" aria-busy=is_busy>"Save"</button>
                <span class="note" role="status">{move || is_saved().then_some("Saved")}</span>
            </div>
        }
        .into_any()
    } else {
        view! { <div class="panel-foot"><span class="note">"Editors can change this."</span></div> }
            .into_any()
    };
    view! {
        <ActionForm action=describe attr:class="panel">
            <div class="panel-head"><h2>"Description and tags"</h2></div>
            <div class="panel-body form">
                <FormRefusal error fields=FIELDS/>
                <input type="hidden" name="project" value=place.project/>
                <input type="hidden" name="name" value=place.name/>
                <Field id="description" label="Description" error=description_error>
                    <textarea
                        class="input" id="description" name="description" rows="3" readonly=!may_write
                        aria-describedby=described_by("description")
                        aria-invalid=move || description_error.try_with(Option::is_some).unwrap_or_default().then_some("true")
                    >{shown.description}</textarea>
                </Field>
                <Field id="tags" label="Tags" hint="Separated by commas." error=tags_error>
                    <input
                        class="input" id="tags" name="tags" value=shown.tags.join(", ") readonly=!may_write
                        aria-describedby=described_by("tags")
                        aria-invalid=move || tags_error.try_with(Option::is_some).unwrap_or_default().then_some("true")
                    />
                </Field>
            </div>
            {foot}
        </ActionForm>
    }
}

/// How programs get it.
#[component]
fn Fetch(place: Place, shown: SettingsView) -> impl IntoView {
    let environment = shown
        .serving
        .iter()
        .min_by_key(|serving| serving.environment != PRODUCTION)
        .map_or(PRODUCTION.to_owned(), |serving| serving.environment.clone());
    let curl = format!(
        "curl -H \"Authorization: Bearer $CUELINE_API_KEY\" \\\n  '{}'",
        links::resolve(&place.public_url, &place.name, &environment)
    );
    let keys = format!("/p/{}/settings/keys", place.project);
    let is_live = shown
        .serving
        .iter()
        .any(|serving| serving.environment == environment);
    let warning = (!is_live).then(|| {
        view! { <p class="note">{format!("Nothing serves {environment} yet: this answers 404 until a version is promoted.")}</p> }
    });
    view! {
        <section class="panel" aria-labelledby="api-h">
            <div class="panel-head"><h2 id="api-h">"Fetch it"</h2></div>
            <div class="panel-body stack">
                <p>"With a key that has the scope "<code class="inline">"prompts:read"</code>". Keys are made in "<a href=keys>"API keys"</a>"."</p>
                <pre class="code" tabindex="0" role="region" aria-label="Example call"><code>{curl}</code></pre>
                <p class="note">"The answer comes from memory, with an ETag; it goes on while the database is away."</p>
                {warning}
            </div>
        </section>
    }
}

#[component]
fn WhereUsed(place: Place, shown: SettingsView) -> impl IntoView {
    let name = place.name.clone();
    let body = if shown.uses.is_empty() {
        let tag = format!("{{{{> {name}@{}}}}}", shown.latest.unwrap_or(1));
        view! {
            <p>"No other prompt includes this one. A text prompt is included with "<code class="inline">{tag}</code>"."</p>
        }
        .into_any()
    } else {
        let words = words::counted(
            u64::try_from(shown.uses.len()).unwrap_or_default(),
            "version",
        );
        view! {
            <p>{words}" of other prompts hold this one:"</p>
            <ul><Uses project=place.project uses=shown.uses has_pins=true/></ul>
        }
        .into_any()
    };
    view! {
        <section class="panel" aria-labelledby="wu-h">
            <div class="panel-head"><h2 id="wu-h">"Where used"</h2></div>
            <div class="panel-body stack">{body}</div>
        </section>
    }
}

/// What cannot be undone, said before anybody looks for the button.
#[component]
fn Facts(shown: SettingsView) -> impl IntoView {
    let live = shown
        .serving
        .iter()
        .find(|serving| serving.environment == PRODUCTION)
        .map(|serving| {
            let clients = words::counted(
                u64::try_from(shown.n_connected).unwrap_or_default(),
                "connected client",
            );
            view! { <li>{format!("v{} serves production to {clients} now.", serving.version)}</li> }
        });
    view! {
        <section class="panel" aria-labelledby="fa-h">
            <div class="panel-head"><h2 id="fa-h">"What never changes"</h2></div>
            <div class="panel-body stack">
                <ul>
                    <li>"The name: applications ask for the prompt by it. For another name, make another prompt."</li>
                    <li>"Saved versions: a change is the next version, and what served before can always be served again."</li>
                    <li>"The history: every change of this prompt stays in the audit log."</li>
                    {live}
                </ul>
                <p class="note">"Made "<RelativeTime at=shown.created_at now=shown.now has_ago=true/>"."</p>
            </div>
        </section>
    }
}
