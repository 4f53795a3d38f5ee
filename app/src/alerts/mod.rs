//! Alerts: what should somebody look at? The inbox here, one alert with its history in `alert`.

mod alert;
pub(crate) mod calls;
mod links;

use chrono::{DateTime, Utc};
use domain::alert::Alert;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use self::calls::{Inbox, MarkRead, load_alerts};
use crate::{
    frame::{use_membership, use_project},
    live::use_feed,
    ui::{
        Badge, Empty, Glyph, Icon, Loaded, Nobody, PageHeader, Pager, Refusal, RelativeTime,
        TableSkeleton, TableWrap, Tone, Who, time::machine,
    },
};

pub use alert::AlertPage;
pub use links::alert as address;

/// `/p/<project>/alerts?all=1&cursor=`
#[component]
pub fn AlertsPage() -> impl IntoView {
    let project = use_project();
    let query = use_query_map();
    let is_all = Memo::new(move |_| query.read().get("all").is_some());
    let cursor = Memo::new(move |_| {
        query
            .read()
            .get("cursor")
            .filter(|cursor| !cursor.is_empty())
    });
    let mark = ServerAction::<MarkRead>::new();
    let heard = use_feed().heard(&["alert"]);
    let inbox = Resource::new(
        move || {
            let done = mark.version().get();
            (project.get(), is_all.get(), cursor.get(), heard.get(), done)
        },
        |(project, is_all, cursor, _, _)| load_alerts(project, is_all, cursor),
    );
    let here = use_membership().href("/alerts");
    let tabs = [
        ("Firing", here.clone(), false),
        ("All", format!("{here}?all=1"), true),
    ]
    .map(|(word, href, shows_all)| {
        let current = move || (is_all.get() == shows_all).then_some("true");
        view! { <a class="chip" href=href aria-current=current>{word}</a> }
    })
    .collect_view();
    let rules = use_membership().href("/settings/alerts");
    view! {
        <PageHeader
            title="Alerts" lede=|| "What the rules found, by what is served, measured and waited for."
            actions=move || view! { <a class="btn" href=rules><Icon glyph=Glyph::Settings/>"Rules"</a> }
        />
        <div class="chips">{tabs}</div>
        <Refusal error=Signal::derive(move || mark.value().get().and_then(Result::err))/>
        <Loaded
            from=inbox
            skeleton=|| view! { <TableSkeleton columns=&["Alert", "State", "Rule", "Taken care of by", "Since"] label="Loading alerts"/> }
            let:found
        >
            <Rows found is_all=is_all.get_untracked() is_further=cursor.get_untracked().is_some() mark/>
        </Loaded>
    }
}

#[component]
fn Rows(
    found: Inbox,
    is_all: bool,
    is_further: bool,
    mark: ServerAction<MarkRead>,
) -> impl IntoView {
    let project = use_project();
    let slug = project.get_untracked();
    let here = links::list(&slug);
    if found.alerts.is_empty() {
        let words = if is_all {
            "Rules watch gates, experiments, approvals, propagation and what applications report."
        } else {
            "No rule finds anything to look at."
        };
        return view! { <Empty glyph=Glyph::Check title="Nothing fires"><p>{words}</p></Empty> }
            .into_any();
    }
    let first = if is_all {
        format!("{here}?all=1")
    } else {
        here
    };
    let next = found.next_cursor.clone().map(|cursor| {
        let joint = if is_all { '&' } else { '?' };
        format!("{first}{joint}cursor={cursor}")
    });
    let shown = match found.alerts.len() {
        1 => "1 alert".to_owned(),
        n_shown => format!("{n_shown} alerts"),
    };
    let is_new = |alert: &Alert| found.read_until.is_none_or(|until| alert.raised_at > until);
    let newest = found
        .alerts
        .iter()
        .filter(|alert| is_new(alert))
        .map(|alert| alert.raised_at)
        .max();
    let mark_all = newest.map(|newest| {
        view! {
            <ActionForm action=mark>
                <input type="hidden" name="project" value=project/>
                <input type="hidden" name="until" value=machine(newest)/>
                <button class="btn" data-size="small"><Icon glyph=Glyph::Check/>"Mark all as read"</button>
            </ActionForm>
        }
    });
    let rows = found
        .alerts
        .iter()
        .map(|alert| row(&slug, alert, is_new(alert), found.now))
        .collect_view();
    view! {
        <section class="section" aria-label="Alerts">
            <div class="section-head"><span class="muted num">{shown.clone()}</span>{mark_all}</div>
            <TableWrap>
                <table class="table" data-stack="">
                    <caption class="sr-only">"Alerts, the one raised last first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Alert"</th>
                            <th scope="col">"State"</th>
                            <th scope="col" data-rank="2">"Rule"</th>
                            <th scope="col" data-rank="3">"Taken care of by"</th>
                            <th scope="col" data-align="end">"Since"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableWrap>
            <Pager shown first=is_further.then_some(first) next/>
        </section>
    }
    .into_any()
}

fn row(project: &str, alert: &Alert, is_new: bool, now: DateTime<Utc>) -> impl IntoView + use<> {
    let cared = match &alert.acknowledged_by {
        Some(who) => view! { <Who name=who.name() kind=who.kind()/> }.into_any(),
        None => view! { <Nobody/> }.into_any(),
    };
    let href = links::alert(project, &alert.id.to_string());
    view! {
        <tr>
            <th scope="row" data-cell="lead" data-grow="">
                <a class="row-link" href=href>{alert.title.clone()}</a>
                {is_new.then(|| view! { " " <Badge tone=Tone::Info>"new"</Badge> })}
                <p class="note">{alert.sentence.clone()}</p>
            </th>
            <td data-fit="">{state(alert)}</td>
            <td data-rank="2" data-nowrap="">{alert.rule.clone()}</td>
            <td data-rank="3" data-nowrap="">{cared}</td>
            <td data-cell="when" data-align="end" data-fit=""><RelativeTime at=alert.raised_at now/></td>
        </tr>
    }
}

/// Whether it fires, with a mark that needs no colour.
fn state(alert: &Alert) -> impl IntoView + use<> {
    if !alert.is_firing {
        view! { <Badge>"resolved"</Badge> }
    } else if alert.acknowledged_at.is_some() {
        view! { <Badge tone=Tone::Warn><Icon glyph=Glyph::User/>"taken care of"</Badge> }
    } else {
        view! { <Badge tone=Tone::Bad><Icon glyph=Glyph::Error/>"firing"</Badge> }
    }
}
