//! One prompt: what happened to it? The header with what is live, and a tab for each view.

use domain::{actor::Permission, prompt::PRODUCTION};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use super::{
    calls::{load_head, load_place},
    compare::CompareTab,
    edit::EditTab,
    links,
    parts::{EnvBadge, Ver, remember_refusal},
    settings::SettingsTab,
    shapes::{HeadView, Live, Place},
    versions::VersionsTab,
};
use crate::{
    frame::{use_membership, use_project},
    live::use_feed,
    releases::ReleasesTab,
    ui::{Glyph, Heading, Icon, Loaded, LoadedPage, RelativeTime, Tab, Tabs, Tag, Who},
};

/// `/p/<project>/prompts/<name>`.
#[component]
pub fn PromptPage() -> impl IntoView {
    remember_refusal();
    let project = use_project();
    let params = use_params_map();
    let name = Memo::new(move |_| params.with(|params| params.get("name").unwrap_or_default()));
    // Only whether it is there: what changes is loaded by each part, so that a change
    // elsewhere never takes the editor out of somebody's hands.
    let place = Resource::new(
        move || (project.get(), name.get()),
        |(project, name)| load_place(project, name),
    );
    view! {
        <LoadedPage from=place let:place>
            <Head place=place.clone()/>
            <Panel place/>
        </LoadedPage>
    }
}

/// The tab one is on.
fn use_tab() -> Memo<String> {
    let query = use_query_map();
    Memo::new(move |_| query.with(|query| query.get("tab").unwrap_or_default()))
}

#[component]
fn Panel(place: Place) -> impl IntoView {
    let tab = use_tab();
    move || {
        let place = place.clone();
        match tab.get().as_str() {
            "compare" => view! { <CompareTab place/> }.into_any(),
            "edit" => view! { <EditTab place/> }.into_any(),
            "releases" => view! { <ReleasesTab project=place.project name=place.name/> }.into_any(),
            "settings" => view! { <SettingsTab place/> }.into_any(),
            _ => view! { <VersionsTab place/> }.into_any(),
        }
    }
}

/// Name, what is live, and the tabs.
#[component]
fn Head(place: Place) -> impl IntoView {
    let heard = use_feed().heard(&["deployment", "version", "prompt", "clients"]);
    let key = (place.project.clone(), place.name.clone());
    let head = Resource::new(
        move || (key.clone(), heard.get()),
        |((project, name), _)| load_head(project, name),
    );
    view! {
        <Loaded from=head let:head>
            <Header place=place.clone() head/>
        </Loaded>
    }
}

#[component]
fn Header(place: Place, head: HeadView) -> impl IntoView {
    let membership = use_membership();
    let Place { project, name, .. } = place;
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
        Some(live) => live_facts(live, head.now).into_any(),
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
            <div class="actions">{edit}{back}</div>
            <dl class="bar">{live}{also}</dl>
        </header>
        <PromptTabs project name n_versions=prompt.latest_version/>
    }
}

fn live_facts(live: Live, now: chrono::DateTime<chrono::Utc>) -> impl IntoView {
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
    }
}

#[component]
fn PromptTabs(project: String, name: String, n_versions: Option<i32>) -> impl IntoView {
    let current = use_tab();
    let tabs = Signal::derive(move || {
        let current = current.get();
        [
            ("Versions", ""),
            ("Compare", "compare"),
            ("Edit", "edit"),
            ("Releases", "releases"),
            ("Settings", "settings"),
        ]
        .into_iter()
        .map(|(word, tab)| Tab {
            word,
            href: links::tab(&project, &name, tab),
            count: n_versions.map(i64::from).filter(|_| tab.is_empty()),
            is_current: current == tab,
        })
        .collect::<Vec<_>>()
    });
    view! { <Tabs label="Prompt" tabs/> }
}
