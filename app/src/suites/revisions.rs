//! The Revisions tab: what was changed when, and by whom. Each leads to the suite as it was.

use chrono::{DateTime, Utc};
use domain::suite::SuiteRevision;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{
    calls::load_revisions,
    links::{self, CaseQuery, Tab},
    shapes::{Here, Place, RevisionsView},
};
use crate::{
    error::UiError,
    live::use_feed,
    prompts::{links::with_query, words::counted},
    ui::{Loaded, Pager, RelativeTime, TableSkeleton, TableWrap, Who},
};

/// What the tab shows.
#[derive(Clone, Copy)]
pub struct Revisions {
    view: Resource<Result<Option<RevisionsView>, UiError>>,
    cursor: Memo<String>,
}

impl Revisions {
    /// Loads while its tab is the one shown.
    pub fn new(here: Memo<Here>, tab: Memo<Tab>) -> Self {
        let query = use_query_map();
        let cursor =
            Memo::new(move |_| query.with(|query| query.get("cursor").unwrap_or_default()));
        let heard = use_feed().heard(&["suite"]);
        let view = Resource::new(
            move || {
                let is_shown = tab.get() == Tab::Revisions;
                is_shown.then(|| (here.get(), cursor.get(), heard.get()))
            },
            async |wanted| match wanted {
                None => Ok(None),
                Some((here, cursor, _)) => load_revisions(here, cursor).await.map(Some),
            },
        );
        Self { view, cursor }
    }
}

/// The tab.
#[component]
pub fn RevisionsTab(place: Place, revisions: Revisions) -> impl IntoView {
    view! {
        <Loaded from=revisions.view skeleton=|| view! { <Skeleton/> } let:shown>
            {match shown {
                None => view! { <Skeleton/> }.into_any(),
                Some(shown) => {
                    let is_further = !revisions.cursor.get_untracked().is_empty();
                    view! { <Shown place=place.clone() is_further shown/> }.into_any()
                }
            }}
        </Loaded>
    }
}

#[component]
fn Skeleton() -> impl IntoView {
    view! { <TableSkeleton columns=&["Revision", "What", "Cases", "By", "When"] label="Loading revisions"/> }
}

#[component]
fn Shown(place: Place, is_further: bool, shown: RevisionsView) -> impl IntoView {
    let RevisionsView { revisions, now } = shown;
    let here = links::tab(&place.project, place.id, Tab::Revisions);
    let n_shown = u64::try_from(revisions.items.len()).unwrap_or_default();
    let first = is_further.then(|| here.clone());
    let next = revisions.next_cursor.map(|cursor| {
        let base = links::tab(&place.project, place.id, Tab::Cases);
        with_query(base, &[("tab", Tab::Revisions.word()), ("cursor", &cursor)])
    });
    let rows = revisions
        .items
        .into_iter()
        .map(|revision| row(&place, revision, now))
        .collect_view();
    view! {
        <section class="section" aria-label="Revisions">
            <p class="lede">"Every change makes a revision, and a run names the one it ran: what it judged can always be read again."</p>
            <TableWrap>
                <table class="table" data-stack="">
                    <caption class="sr-only">"Revisions, newest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col" aria-sort="descending">"Revision"</th>
                            <th scope="col">"What"</th>
                            <th scope="col" data-align="end">"Cases"</th>
                            <th scope="col">"By"</th>
                            <th scope="col" data-align="end">"When"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableWrap>
            <Pager shown=counted(n_shown, "revision") first next next_words="Older"/>
        </section>
    }
}

fn row(place: &Place, revision: SuiteRevision, now: DateTime<Utc>) -> impl IntoView + use<> {
    let number = revision.revision;
    let query = CaseQuery {
        revision: Some(number),
        ..CaseQuery::default()
    };
    let href = links::cases(&place.project, place.id, &query);
    let n_cases = u64::try_from(revision.n_cases).unwrap_or_default();
    view! {
        <tr>
            <th scope="row" data-fit="" data-cell="lead"><a class="row-link" href=href>{format!("Revision {number}")}</a></th>
            <td data-cell="full" data-grow=""><span class="cell-clip">{revision.what}</span></td>
            <td data-align="end" data-fit="">{counted(n_cases, "case")}</td>
            <td data-nowrap=""><Who name=revision.by.name() kind=revision.by.kind()/></td>
            <td data-align="end" data-fit="" data-cell="when"><RelativeTime at=revision.at now/></td>
        </tr>
    }
}
