//! Approvals: should this go live?

mod calls;
mod experiment;
#[cfg(feature = "ssr")]
mod gather;
mod review;
mod side;

use domain::release::{Promotion, PromotionStatus};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use self::calls::{Queue, load_queue};
use crate::{
    frame::{use_membership, use_project},
    live::use_feed,
    ui::{
        Badge, Empty, Glyph, Loaded, PageHeader, Pager, RelativeTime, TableSkeleton, TableWrap,
        Tone, Who,
    },
};

#[cfg(feature = "ssr")]
pub use gather::when;
pub use review::ReviewPage;

/// Where a promotion is reviewed.
#[cfg(feature = "ssr")]
#[must_use]
pub fn address(project: &str, id: &str) -> String {
    format!("/p/{project}/approvals/{id}")
}

/// How far a promotion has come, as a badge.
fn status(status: PromotionStatus) -> impl IntoView {
    let word = status.word();
    match status {
        PromotionStatus::Waiting => view! { <Badge tone=Tone::Warn>{word}</Badge> },
        PromotionStatus::Approved => view! { <Badge tone=Tone::Info>{word}</Badge> },
        PromotionStatus::Executed => view! { <Badge tone=Tone::Good>{word}</Badge> },
        PromotionStatus::Rejected | PromotionStatus::Cancelled => view! { <Badge>{word}</Badge> },
    }
}

/// `/p/<project>/approvals?all=1&cursor=`
#[component]
pub fn ApprovalsPage() -> impl IntoView {
    let project = use_project();
    let query = use_query_map();
    let is_all = Memo::new(move |_| query.read().get("all").is_some());
    let cursor = Memo::new(move |_| {
        query
            .read()
            .get("cursor")
            .filter(|cursor| !cursor.is_empty())
    });
    let heard = use_feed().heard(&["promotion", "deployment", "run", "version", "suite"]);
    let queue = Resource::new(
        move || (project.get(), is_all.get(), cursor.get(), heard.get()),
        |(project, is_all, cursor, _)| load_queue(project, is_all, cursor),
    );
    let here = use_membership().href("/approvals");
    let tabs = [
        ("Open", here.clone(), false),
        ("All", format!("{here}?all=1"), true),
    ]
    .map(|(word, href, shows_all)| {
        let current = move || (is_all.get() == shows_all).then_some("true");
        view! { <a class="chip" href=href aria-current=current>{word}</a> }
    })
    .collect_view();
    view! {
        <PageHeader title="Approvals" lede=|| "Versions that somebody wants to serve a protected environment."/>
        <div class="chips">{tabs}</div>
        <Loaded
            from=queue
            skeleton=|| view! { <TableSkeleton columns=&["Version", "Environment", "Status", "Asked by", "Reason", "When"] label="Loading promotions"/> }
            let:found
        >
            <Rows found is_all=is_all.get_untracked() is_further=cursor.get_untracked().is_some()/>
        </Loaded>
    }
}

#[component]
fn Rows(found: Queue, is_all: bool, is_further: bool) -> impl IntoView {
    let here = use_membership().href("/approvals");
    if found.promotions.is_empty() {
        let (title, words) = if is_all {
            (
                "Nobody has asked yet",
                "Promoting a version to a protected environment makes a request that appears here.",
            )
        } else {
            ("Nothing waits", "Every request has been decided.")
        };
        return view! { <Empty glyph=Glyph::Check title><p>{words}</p></Empty> }.into_any();
    }
    let first = if is_all {
        format!("{here}?all=1")
    } else {
        here.clone()
    };
    let next = found.next_cursor.map(|cursor| {
        let joint = if is_all { '&' } else { '?' };
        format!("{first}{joint}cursor={cursor}")
    });
    let shown = match found.promotions.len() {
        1 => "1 promotion".to_owned(),
        n_shown => format!("{n_shown} promotions"),
    };
    let rows = found
        .promotions
        .into_iter()
        .map(|promotion| row(&here, promotion, found.now))
        .collect_view();
    view! {
        <TableWrap>
            <table class="table" data-stack="">
                <caption class="sr-only">"Promotions"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Version"</th>
                        <th scope="col">"Environment"</th>
                        <th scope="col">"Status"</th>
                        <th scope="col" data-rank="2">"Asked by"</th>
                        <th scope="col" data-rank="3">"Still missing, or why"</th>
                        <th scope="col" data-align="end">"When"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableWrap>
        <Pager shown first=is_further.then_some(first) next/>
    }
    .into_any()
}

fn row(
    here: &str,
    promotion: Promotion,
    now: chrono::DateTime<chrono::Utc>,
) -> impl IntoView + use<> {
    let words = if promotion.missing.is_empty() {
        promotion.reason.clone()
    } else {
        promotion.missing.join("; ")
    };
    let name = format!("{} v{}", promotion.prompt, promotion.version);
    view! {
        <tr>
            <th scope="row" data-cell="lead">
                <a class="row-link" href=format!("{here}/{}", promotion.id) title=name.clone()>{name.clone()}</a>
            </th>
            <td>{promotion.environment}</td>
            <td>{status(promotion.status)}</td>
            <td data-rank="2"><Who name=promotion.requested_by.name() kind=promotion.requested_by.kind()/></td>
            <td data-rank="3" data-grow="" data-cell="full"><span class="cell-clip" title=words.clone()>{words.clone()}</span></td>
            <td data-align="end" data-cell="when"><RelativeTime at=promotion.requested_at now/></td>
        </tr>
    }
}
