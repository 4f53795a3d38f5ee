//! The rows: what each prompt is, where it serves, what the gate and the last day say of it.

use domain::prompt::{Prompt, Serving};
use leptos::prelude::*;

use crate::{
    monitor::{Day, day::line_and_number},
    prompts::{
        links::{self, ListQuery, Order},
        parts::{EnvBadge, env_state},
        shapes::{LastGate, ListView, Listed, author},
        words,
    },
    runs::parts::verdict,
    ui::{Glyph, Icon, Nobody, Pager, RelativeTime, TableWrap, Tag},
};

/// Environments with a column of their own; the others share one.
const MAX_COLUMNS: usize = 3;

#[component]
pub fn Rows(project: String, query: ListQuery, shown: ListView) -> impl IntoView {
    let n_shown = u64::try_from(shown.prompts.len()).unwrap_or_default();
    let first = (!query.cursor.is_empty()).then(|| links::list(&project, &query.with(|_| ())));
    let next = shown.next_cursor.clone().map(|cursor| {
        links::list(
            &project,
            &ListQuery {
                cursor,
                ..query.clone()
            },
        )
    });
    let is_all = first.is_none() && next.is_none();
    let status = if is_all {
        words::counted(n_shown, "prompt")
    } else {
        format!("{} on this page", words::counted(n_shown, "prompt"))
    };
    let mut columns = shown.environments.clone();
    let others = columns.split_off(columns.len().min(MAX_COLUMNS));
    let head = columns
        .iter()
        .map(|name| view! { <th scope="col" data-align="end" title=name.clone()>{name.clone()}</th> })
        .collect_view();
    let has_others = !others.is_empty();
    let now = shown.now;
    let rows = shown
        .prompts
        .into_iter()
        .map(|Listed { prompt, gate, day }| {
            let cells = columns
                .iter()
                .map(|name| place(name, &prompt.serving, prompt.active_version))
                .collect_view();
            let elsewhere = has_others.then(|| {
                let badges = prompt
                    .serving
                    .iter()
                    .filter(|serving| others.contains(&serving.environment))
                    .map(|serving| {
                        view! { <EnvBadge serving=serving.clone() active=prompt.active_version/> }
                    })
                    .collect_view();
                view! { <td data-rank="3"><span class="envs">{badges}</span></td> }
            });
            let standing = standing(gate, day).into_any();
            row(
                &project,
                prompt,
                (cells, elsewhere).into_any(),
                standing,
                now,
            )
        })
        .collect_view();
    view! {
        <TableWrap>
            <table class="table" data-stack="">
                <caption class="sr-only">
                    {match query.order {
                        Order::Changed => "Prompts, most recently changed first",
                        Order::Name => "Prompts by name",
                    }}
                </caption>
                <thead>
                    <tr>
                        {sorted("Name", Order::Name, &project, &query)}
                        {head}
                        {has_others.then(|| view! { <th scope="col" data-rank="3">"Elsewhere"</th> })}
                        <th scope="col">"Last change"</th>
                        <th scope="col" data-rank="2">"Last gate"</th>
                        <th scope="col" data-rank="2" data-late="">"Success, 24 h"</th>
                        <th scope="col" data-rank="3">"By"</th>
                        {sorted("Changed", Order::Changed, &project, &query)}
                        <th scope="col" data-rank="3">"Tags"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableWrap>
        <Pager shown=status first next/>
    }
}

/// A header that orders the list.
fn sorted(
    word: &'static str,
    order: Order,
    project: &str,
    query: &ListQuery,
) -> impl IntoView + use<> {
    let is_by = query.order == order;
    let (direction, align) = match order {
        Order::Name => ("ascending", None),
        Order::Changed => ("descending", Some("end")),
    };
    let href = links::list(project, &query.with(|query| query.order = order));
    let arrow = is_by.then(|| {
        let glyph = match order {
            Order::Name => Glyph::ArrowUp,
            Order::Changed => Glyph::ArrowDown,
        };
        view! { <Icon glyph/> }
    });
    view! {
        <th scope="col" data-align=align aria-sort=is_by.then_some(direction)>
            <a href=href>{word}{arrow}</a>
        </th>
    }
}

/// What an environment serves, in a cell.
fn place(name: &str, serving: &[Serving], active: Option<i32>) -> impl IntoView + use<> {
    let here = serving.iter().find(|serving| serving.environment == name);
    let state = env_state(here, active);
    let number = match here {
        Some(serving) => format!("v{}", serving.version).into_any(),
        None => view! { <span aria-hidden="true">"–"</span><span class="sr-only">"none"</span> }
            .into_any(),
    };
    view! {
        <td data-align="end" data-fit="">
            <span class="env" data-state=state>
                <span class="env-name">{name.to_owned()}</span>
                <b>{number}</b>
            </span>
        </td>
    }
}

fn row(
    project: &str,
    prompt: Prompt,
    places: AnyView,
    standing: AnyView,
    now: chrono::DateTime<chrono::Utc>,
) -> impl IntoView + use<> {
    let name = prompt.name.as_str().to_owned();
    let folder = match prompt.name.folder() {
        "" => None,
        folder => Some(view! { <span class="folder">{format!("{folder}/")}</span> }),
    };
    let leaf = prompt.name.leaf().to_owned();
    let change = match (prompt.change_description, prompt.latest_version) {
        (Some(text), _) if !text.is_empty() => {
            view! { <span class="cell-clip" title=text.clone()>{text.clone()}</span> }.into_any()
        }
        (_, Some(number)) => {
            view! { <span class="muted">{format!("v{number}, without a word")}</span> }.into_any()
        }
        (_, None) => view! { <span class="muted">"no version yet"</span> }.into_any(),
    };
    let by = match author(prompt.changed_by.as_ref()) {
        Some(name) => name.into_any(),
        None => view! { <Nobody/> }.into_any(),
    };
    let tags = prompt
        .tags
        .into_iter()
        .map(|tag| view! { <Tag word=tag/> })
        .collect_view();
    view! {
        <tr>
            <th scope="row" data-cell="lead">
                <a class="row-link" href=links::prompt(project, &name) title=name>{folder}{leaf}</a>
            </th>
            {places}
            <td data-cell="full" data-grow="">{change}</td>
            {standing}
            <td data-rank="3" data-nowrap="">{by}</td>
            <td data-cell="when" data-align="end" data-fit=""><RelativeTime at=prompt.changed_at now/></td>
            <td data-rank="3"><span class="envs">{tags}</span></td>
        </tr>
    }
}

/// What the gate said last, and how the last day went in production.
fn standing(gate: Option<LastGate>, day: Option<Day>) -> impl IntoView {
    let gate = match gate {
        None => view! { <Nobody word="never asked"/> }.into_any(),
        Some(last) => {
            let version = format!("v{}", last.version);
            view! { <span class="row" data-gap="small">{verdict(last.verdict)}{version}</span> }
                .into_any()
        }
    };
    let state = day.as_ref().filter(|day| day.is_bad).map(|_| "bad");
    let day = match day {
        None => view! { <Nobody word="no traffic"/> }.into_any(),
        Some(day) => {
            let title = day.words.clone();
            view! {
                <span class="day" title=title>
                    {line_and_number(day.line, day.success)}
                    <span class="sr-only">{day.words}</span>
                </span>
            }
            .into_any()
        }
    };
    view! {
        <td data-rank="2" data-fit="">{gate}</td>
        <td data-rank="2" data-late="" data-fit="" data-state=state>{day}</td>
    }
}
