//! The list: folders and tags at the left, filters on top, one page of rows.

mod narrow;
mod rows;

use domain::actor::Permission;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use self::{
    narrow::{Chips, Filters, Folders},
    rows::Rows,
};
use super::{
    calls::load_prompts,
    links::{self, ListQuery},
    shapes::ListView,
    tree::total,
    words,
};
use crate::{
    error::UiError,
    frame::{use_membership, use_project},
    live::use_feed,
    ui::{Empty, Glyph, Icon, Loaded, PageHeader, TableSkeleton},
};

/// `/p/<project>/prompts`.
#[component]
pub fn PromptsPage() -> impl IntoView {
    let project = use_project();
    let params = use_query_map();
    let query = Memo::new(move |_| params.with(ListQuery::read));
    let heard = use_feed().heard(&["prompt", "version", "deployment", "environment", "gate"]);
    let list = Resource::new(
        move || (project.get(), query.get(), heard.get()),
        |(project, query, _)| load_prompts(project, query),
    );
    let may_write = use_membership().may(Permission::WriteDrafts);
    let new = move || {
        may_write.then(|| {
            view! {
                <a class="btn" data-kind="primary" href=links::new_prompt(&project.get())>
                    <Icon glyph=Glyph::Plus/>"New prompt"
                </a>
            }
        })
    };
    view! {
        <PageHeader title="Prompts" lede=move || view! { <Lede list/> } actions=move || view! { {new} }/>
        <Loaded
            from=list
            skeleton=|| view! { <TableSkeleton columns=&["Name", "production", "staging", "development", "Last change", "Last gate", "Success, 24 h", "Changed"] label="Loading prompts"/> }
            let:shown
        >
            <Shown project=project.get_untracked() query=query.get_untracked() shown may_write/>
        </Loaded>
    }
}

/// How many there are.
#[component]
fn Lede(list: Resource<Result<ListView, UiError>>) -> impl IntoView {
    view! {
        <Transition>
            {move || Suspend::new(async move {
                list.await.ok().map(|list| {
                    let n_prompts = total(&list.folders);
                    match n_prompts {
                        0 => "No prompts yet".to_owned(),
                        _ => format!(
                            "{} in {}",
                            words::counted(unsigned(n_prompts), "prompt"),
                            words::counted(u64::try_from(list.folders.len()).unwrap_or_default(), "folder"),
                        ),
                    }
                })
            })}
        </Transition>
    }
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

#[component]
fn Shown(project: String, query: ListQuery, shown: ListView, may_write: bool) -> impl IntoView {
    if shown.folders.is_empty() {
        return view! { <NoPrompts project may_write public_url=shown.public_url/> }.into_any();
    }
    let n_all = total(&shown.folders);
    let content = if shown.prompts.is_empty() {
        view! { <NoMatches project=project.clone() query=query.clone() n_all/> }.into_any()
    } else {
        view! { <Rows project=project.clone() query=query.clone() shown=shown.clone()/> }.into_any()
    };
    view! {
        <div class="library">
            <Folders project=project.clone() query=query.clone() shown/>
            <section class="section" aria-label="Prompts">
                <Filters project=project.clone() query=query.clone()/>
                <Chips project query/>
                {content}
            </section>
        </div>
    }
    .into_any()
}

#[component]
fn NoPrompts(project: String, may_write: bool, public_url: String) -> impl IntoView {
    let sample = format!(
        "curl -H 'Authorization: Bearer cl_…' \\\n  '{}'",
        links::resolve(&public_url, "support/triage", domain::prompt::PRODUCTION)
    );
    view! {
        <Empty glyph=Glyph::Prompts title="No prompts yet">
            <p>
                "A prompt is a versioned text with typed variables. Applications fetch the version that is live in their environment, and follow when it changes."
            </p>
            {may_write.then(|| view! {
                <div class="row">
                    <a class="btn" data-kind="primary" href=links::new_prompt(&project)><Icon glyph=Glyph::Plus/>"New prompt"</a>
                </div>
            })}
            <pre class="code" tabindex="0" role="region" aria-label="Example"><code>{sample}</code></pre>
        </Empty>
    }
}

#[component]
fn NoMatches(project: String, query: ListQuery, n_all: i64) -> impl IntoView {
    let (title, text) = if query.is_filtered() {
        (
            "Nothing matches these filters",
            format!(
                "{} hidden. Names and descriptions were searched.",
                match n_all {
                    1 => "1 prompt is".to_owned(),
                    _ => format!("{} are", words::counted(unsigned(n_all), "prompt")),
                }
            ),
        )
    } else {
        (
            "Nothing more",
            "The list ended on an earlier page.".to_owned(),
        )
    };
    view! {
        <Empty glyph=Glyph::Search title=title is_small=true>
            <p>{text}</p>
            <a class="btn" href=links::all(&project)>"Clear filters"</a>
        </Empty>
    }
}
