//! One prompt: what happened to it? The header with what is live, and a tab for each view.

use domain::{actor::Permission, prompt::PRODUCTION};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use super::{
    calls::load_head,
    compare::{CompareTab, Comparing},
    edit::EditTab,
    links,
    parts::{EnvBadge, Ver, remember_refusal},
    settings::{Settings, SettingsTab},
    shapes::{HeadView, Here, Live, Place},
    versions::{Versions, VersionsTab},
};
use crate::{
    drift,
    error::UiError,
    experiments::{Experiments, ExperimentsTab},
    frame::{use_membership, use_project},
    live::use_feed,
    monitor::{MonitorTab, Monitoring},
    releases::{History, ReleasesTab},
    runs::{Evals, EvalsTab},
    suites,
    ui::{ErrorPage, ErrorView, Glyph, Heading, Icon, RelativeTime, Tab, Tabs, Tag, Who},
};

/// `/p/<project>/prompts/<name>`.
///
/// Everything that loads is made here and handed down: what is made inside a suspended view is
/// made several times on the server, and gone in the browser as soon as that view loads again.
#[component]
pub fn PromptPage() -> impl IntoView {
    remember_refusal();
    let project = use_project();
    let params = use_params_map();
    let query = use_query_map();
    let here = Memo::new(move |_| Here {
        project: project.get(),
        name: params.with(|params| params.get("name").unwrap_or_default()),
    });
    let tab = Memo::new(move |_| query.with(|query| query.get("tab").unwrap_or_default()));
    let heard = use_feed().heard(&["deployment", "version", "prompt", "clients"]);
    let head = Resource::new(
        move || (here.get(), heard.get()),
        |(here, _)| load_head(here.project, here.name),
    );
    let views = Views {
        versions: Versions::new(here, tab),
        comparison: Comparing::new(here, tab),
        evals: Evals::new(here, tab),
        experiments: Experiments::new(here, tab),
        monitoring: Monitoring::new(here, tab),
        history: History::new(here, tab),
        settings: Settings::new(here, tab),
    };
    view! {
        <Transition>
            <Body head here tab views/>
        </Transition>
    }
}

/// What the tabs show.
#[derive(Clone, Copy)]
struct Views {
    versions: Versions,
    comparison: Comparing,
    evals: Evals,
    experiments: Experiments,
    monitoring: Monitoring,
    history: History,
    settings: Settings,
}

#[component]
fn Body(
    head: Resource<Result<HeadView, UiError>>,
    here: Memo<Here>,
    tab: Memo<String>,
    views: Views,
) -> impl IntoView {
    // Stays what it is while the header loads again or cannot: a change elsewhere never takes
    // the editor out of somebody's hands.
    let place = Memo::new(move |before: Option<&Option<Place>>| {
        let here = here.get();
        match head.get() {
            Some(Ok(head)) => Some(Place {
                project: here.project,
                name: here.name,
                public_url: head.public_url,
            }),
            Some(Err(UiError::NotFound(_))) => None,
            Some(Err(_)) | None => before
                .cloned()
                .flatten()
                .filter(|place| place.name == here.name && place.project == here.project),
        }
    });
    let n_versions = Memo::new(move |_| head.get()?.ok()?.prompt.latest_version);
    let header = move || {
        Suspend::new(async move {
            match head.await {
                Ok(head) => view! { <Header here=here.get_untracked() head/> }.into_any(),
                Err(error) if place.get_untracked().is_some() => {
                    let retry = Callback::new(move |()| head.refetch());
                    view! { <ErrorView error retry/> }.into_any()
                }
                Err(error) => view! { <ErrorPage error/> }.into_any(),
            }
        })
    };
    let body = move || {
        place.get().map(|place| {
            view! {
                <PromptTabs place=place.clone() n_versions tab/>
                <Panel place tab views/>
            }
        })
    };
    view! {
        {header}
        {body}
    }
}

#[component]
fn Panel(place: Place, tab: Memo<String>, views: Views) -> impl IntoView {
    move || {
        let place = place.clone();
        match tab.get().as_str() {
            "compare" => view! { <CompareTab place comparison=views.comparison/> }.into_any(),
            "edit" => view! { <EditTab place/> }.into_any(),
            "evals" => view! { <EvalsTab evals=views.evals/> }.into_any(),
            "experiments" => view! { <ExperimentsTab experiments=views.experiments/> }.into_any(),
            "monitor" => view! { <MonitorTab monitoring=views.monitoring/> }.into_any(),
            "releases" => view! { <ReleasesTab history=views.history/> }.into_any(),
            "settings" => view! { <SettingsTab place settings=views.settings/> }.into_any(),
            _ => view! { <VersionsTab place versions=views.versions/> }.into_any(),
        }
    }
}

#[component]
fn Header(here: Here, head: HeadView) -> impl IntoView {
    let membership = use_membership();
    let Here { project, name } = here;
    let prompt = head.prompt;
    let tags = prompt
        .tags
        .iter()
        .map(|tag| view! { <Tag word=tag.clone()/> })
        .collect_view();
    let edit = membership.may(Permission::WriteDrafts).then(|| {
        view! {
            <a class="btn" href=links::tab(&project, &name, "edit")><Icon glyph=Glyph::Edit/>"Edit"</a>
        }
    });
    let report = membership.may(Permission::RunEvals).then(|| {
        let href = suites::links::report(&project, &name, head.report_to);
        view! { <a class="btn" data-kind="quiet" href=href><Icon glyph=Glyph::Warn/>"Report a problem"</a> }
    });
    // Production first: that is the one that hurts.
    let back = prompt
        .serving
        .iter()
        .filter(|serving| serving.previous.is_some())
        .min_by_key(|serving| serving.environment != PRODUCTION)
        .filter(|_| membership.may(Permission::RollBack))
        .map(|serving| {
            view! {
                <a class="btn" data-kind="danger-line" href=links::roll_back(&project, &name, &serving.environment)>
                    <Icon glyph=Glyph::RollBack/>"Roll back"
                </a>
            }
        });
    let also = prompt
        .serving
        .iter()
        .filter(|serving| serving.environment != PRODUCTION)
        .map(|serving| view! { <EnvBadge serving=serving.clone() active=prompt.active_version/> })
        .collect::<Vec<_>>();
    let also =
        (!also.is_empty()).then(|| view! { <div><dt>"Also serves"</dt><dd>{also}</dd></div> });
    let live = match head.live {
        Some(live) => live_facts(&project, &name, live, head.now).into_any(),
        None => {
            view! { <div><dt>"Active in production"</dt><dd class="muted">"nothing yet"</dd></div> }
                .into_any()
        }
    };
    let description = (!prompt.description.is_empty())
        .then(|| view! { <p class="lede">{prompt.description.clone()}</p> });
    view! {
        <header class="page-header">
            <div class="title">
                <Heading text=name.clone()/>
                <div class="row">{description}{tags}</div>
            </div>
            <div class="actions">{report}{edit}{back}</div>
            <dl class="bar">{live}{also}</dl>
        </header>
    }
}

fn live_facts(
    project: &str,
    name: &str,
    live: Live,
    now: chrono::DateTime<chrono::Utc>,
) -> impl IntoView + use<> {
    let drift_address = drift::links::prompt(project, name);
    let drift = live.drift.map(|(state, checked_at)| {
        let when = checked_at
            .map(|at| view! { <span class="muted"><RelativeTime at now has_ago=true/></span> });
        view! {
            <div>
                <dt>"Drift"</dt>
                <dd><a class="row" href=drift_address>{drift::parts::badge(state)}{when}</a></dd>
            </div>
        }
    });
    let number = live.serving.version;
    let short: String = live.content_hash.chars().take(8).collect();
    let clients = if live.n_connected == 0 {
        view! { <span class="muted">"none connected"</span> }.into_any()
    } else {
        let is_all = live.n_current == live.n_connected;
        view! {
            <span class="confirmed" data-state=if is_all { "all" } else { "some" }>
                <Icon glyph=if is_all { Glyph::Check } else { Glyph::Clock }/>
                {format!("{}/{} on v{number}", live.n_current, live.n_connected)}
            </span>
        }
        .into_any()
    };
    view! {
        <div>
            <dt>"Active in production"</dt>
            <dd><Ver number/><span class="hash" title=live.content_hash>{short}</span></dd>
        </div>
        <div><dt>"Since"</dt><dd><RelativeTime at=live.serving.deployed_at now has_ago=true/></dd></div>
        <div><dt>"Deployed by"</dt><dd><Who name=live.serving.by.name() kind=live.serving.by.kind()/></dd></div>
        <div><dt>"Clients"</dt><dd>{clients}</dd></div>
        {drift}
    }
}

/// The tabs, with the number of versions.
#[component]
fn PromptTabs(place: Place, n_versions: Memo<Option<i32>>, tab: Memo<String>) -> impl IntoView {
    let tabs = Signal::derive(move || {
        let current = tab.get();
        let n_versions = n_versions.get().map(i64::from);
        [
            ("Versions", ""),
            ("Compare", "compare"),
            ("Edit", "edit"),
            ("Evals", "evals"),
            ("Experiments", "experiments"),
            ("Monitor", "monitor"),
            ("Releases", "releases"),
            ("Settings", "settings"),
        ]
        .into_iter()
        .map(|(word, tab)| Tab {
            word,
            href: links::tab(&place.project, &place.name, tab),
            count: n_versions.filter(|_| tab.is_empty()),
            is_current: current == tab,
        })
        .collect::<Vec<_>>()
    });
    view! { <Tabs label="Prompt" tabs/> }
}
