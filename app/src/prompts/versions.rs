//! The Versions tab: the timeline at the left, the chosen version in the middle, what is known
//! about it at the right.

use domain::{actor::Permission, lifecycle::Status as Life, prompt::Version};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{
    calls::load_versions,
    evidence::Evidence,
    links,
    shapes::{Here, Place, VersionsView},
    version::{Actions, Chosen},
};
use crate::{
    error::UiError,
    frame::use_membership,
    live::use_feed,
    runs::{parts::verdict, words::percent},
    ui::{Empty, Glyph, Icon, Loaded, RelativeTime, Status},
};

/// What the tab shows, and what is done there.
#[derive(Clone, Copy)]
pub struct Versions {
    view: Resource<Result<Option<VersionsView>, UiError>>,
    wanted: Memo<(Option<i32>, String)>,
    actions: Actions,
}

impl Versions {
    /// Loads while its tab is the one shown.
    pub fn new(here: Memo<Here>, tab: Memo<String>) -> Self {
        let query = use_query_map();
        let wanted = Memo::new(move |_| {
            query.with(|query| {
                let number: Option<i32> = query.get("version").and_then(|text| text.parse().ok());
                (number, query.get("cursor").unwrap_or_default())
            })
        });
        let actions = Actions::new();
        let heard = use_feed().heard(&["version", "deployment", "prompt", "environment", "gate"]);
        let view = Resource::new(
            move || {
                let is_shown = !["compare", "edit", "evals", "releases", "settings"]
                    .contains(&tab.read().as_str());
                is_shown.then(|| {
                    let version = actions.status.version().get();
                    (here.get(), wanted.get(), heard.get(), version)
                })
            },
            async |wanted| match wanted {
                None => Ok(None),
                Some((here, (number, cursor), _, _)) => {
                    load_versions(here.project, here.name, number, cursor)
                        .await
                        .map(Some)
                }
            },
        );
        Self {
            view,
            wanted,
            actions,
        }
    }
}

/// The tab.
#[component]
pub fn VersionsTab(place: Place, versions: Versions) -> impl IntoView {
    view! {
        <Loaded from=versions.view skeleton=|| view! { <Skeleton/> } let:shown>
            {match shown {
                None => view! { <Skeleton/> }.into_any(),
                Some(shown) => {
                    let cursor = versions.wanted.get_untracked().1;
                    view! { <Shown place=place.clone() cursor shown actions=versions.actions/> }.into_any()
                }
            }}
        </Loaded>
    }
}

#[component]
fn Shown(place: Place, cursor: String, shown: VersionsView, actions: Actions) -> impl IntoView {
    let Some(chosen) = shown.chosen.clone() else {
        if shown.versions.is_empty() {
            return view! { <NoVersions place/> }.into_any();
        }
        let first = links::prompt(&place.project, &place.name);
        return view! {
            <div class="versions">
                <Timeline place cursor shown/>
                <article class="stack">
                    <Empty glyph=Glyph::Layers title="There is no such version" is_small=true>
                        <p>"Versions are numbered from 1 and never go away: this one was not saved yet."</p>
                        <a class="btn" href=first>"Show what serves"</a>
                    </Empty>
                </article>
            </div>
        }
        .into_any();
    };
    view! {
        <div class="versions">
            <Timeline place=place.clone() cursor shown=shown.clone()/>
            <Chosen place=place.clone() chosen=chosen.clone() shown=shown.clone() actions/>
            <Evidence place chosen shown/>
        </div>
    }
    .into_any()
}

#[component]
fn Timeline(place: Place, cursor: String, shown: VersionsView) -> impl IntoView {
    let Place { project, name, .. } = place;
    let chosen = shown.chosen.as_ref().map(|chosen| chosen.version.number);
    let items = shown
        .versions
        .iter()
        .map(|version| entry(&project, &name, &cursor, version, &shown))
        .collect_view();
    let newest = (!cursor.is_empty()).then(|| {
        let href = links::older_versions(&project, &name, chosen, "");
        view! { <a class="btn" data-size="small" data-kind="quiet" href=href>"Newest versions"</a> }
    });
    let older = shown.next_cursor.as_ref().map(|next| {
        let href = links::older_versions(&project, &name, chosen, next);
        view! {
            <a class="btn" data-size="small" data-kind="quiet" href=href>
                "Older versions"<Icon glyph=Glyph::ChevronDown/>
            </a>
        }
    });
    let has_pager = newest.is_some() || older.is_some();
    view! {
        <section class="version-list" aria-label="Versions">
            <ol class="timeline" reversed="">{items}</ol>
            {has_pager.then(|| view! { <nav class="pager" aria-label="Pages of versions">{newest}{older}</nav> })}
        </section>
    }
}

fn entry(
    project: &str,
    name: &str,
    cursor: &str,
    version: &Version,
    shown: &VersionsView,
) -> impl IntoView + use<> {
    let number = version.number;
    let is_chosen = shown
        .chosen
        .as_ref()
        .is_some_and(|chosen| chosen.version.number == number);
    let places = shown
        .serving
        .iter()
        .filter(|serving| serving.version == number)
        .map(|serving| {
            view! { <span class="env"><span class="env-name">{serving.environment.clone()}</span></span> }
        })
        .collect::<Vec<_>>();
    let places = (!places.is_empty()).then(|| view! { <span class="envs">{places}</span> });
    let what = match version.change_description.as_str() {
        "" => view! { <span class="what muted">"without a description"</span> }.into_any(),
        text => view! { <span class="what">{text.to_owned()}</span> }.into_any(),
    };
    let evals = shown
        .last_runs
        .iter()
        .find(|last| last.version == number)
        .map(|last| {
            let rate = last.pass_rate.map(percent);
            view! { <span class="evals">{rate}" pass"{last.verdict.map(verdict)}</span> }
        });
    view! {
        <li data-state=version.status.word()>
            <a
                class="timeline-link" href=links::older_versions(project, name, Some(number), cursor)
                aria-current=is_chosen.then_some("true")
            >
                <span class="top">
                    <span class="ver">{format!("v{number}")}</span>
                    <span class="hash">{version.content_hash.short().to_owned()}</span>
                    <Status word=version.status.word()/>
                </span>
                {what}
                {evals}
                <span class="by">
                    <span>{version.author.name().to_owned()}</span>
                    <RelativeTime at=version.created_at now=shown.now/>
                </span>
                {places}
            </a>
        </li>
    }
}

#[component]
fn NoVersions(place: Place) -> impl IntoView {
    let may_write = use_membership().may(Permission::WriteDrafts);
    let edit = links::tab(&place.project, &place.name, "edit");
    view! {
        <Empty glyph=Glyph::Layers title="No version yet" is_small=true>
            <p>"A version holds messages, variables and the model. Once saved it never changes; the next change is the next version."</p>
            {may_write.then(|| view! {
                <a class="btn" data-kind="primary" href=edit><Icon glyph=Glyph::Edit/>"Write version 1"</a>
            })}
        </Empty>
    }
}

#[component]
fn Skeleton() -> impl IntoView {
    let lines = |n_lines: u8| {
        (0..n_lines)
            .map(|line| {
                let width = ["medium", "long", "short"][usize::from(line % 3)];
                view! { <p><span class="skeleton" data-width=width></span></p> }
            })
            .collect_view()
    };
    view! {
        <div class="versions" aria-busy="true">
            <section class="version-list stack">{lines(9)}</section>
            <article class="stack">{lines(6)}</article>
            <aside class="evidence">{lines(4)}</aside>
        </div>
    }
}

/// What can be done by hand with a version, and what it is called.
pub fn moves(status: Life) -> Vec<(Life, &'static str, Glyph)> {
    [
        (Life::Testing, "Start testing", Glyph::Runs),
        (Life::Deprecated, "Retire", Glyph::Trash),
    ]
    .into_iter()
    .filter(|(to, _, _)| status.set_by_hand(*to).is_ok())
    .collect()
}
