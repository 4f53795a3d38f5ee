//! Audit: who did what?

mod alert_words;
mod calls;
mod entry;
mod words;

use chrono::{DateTime, Utc};
use domain::page::Listing;
use leptos::prelude::*;
use leptos_router::{hooks::use_query_map, location::Url, params::ParamsMap};

use self::calls::{Chain, Line, Offer, Trail, Wanted, check_chain, load_offer, load_trail};
use crate::{
    error::UiError,
    frame::{use_membership, use_project},
    live::use_feed,
    ui::{
        Empty, Glyph, Icon, Loaded, Nobody, PageHeader, Pager, RelativeTime, TableSkeleton,
        TableWrap, Who,
    },
};

pub use entry::EntryPage;

impl Wanted {
    fn read(params: &ParamsMap) -> Self {
        let text = |name| params.get(name).unwrap_or_default();
        Self {
            actor: text("actor"),
            prompt: text("prompt"),
            action: text("action"),
            from: text("from"),
            until: text("until"),
            cursor: text("cursor"),
        }
    }

    fn filters(&self) -> [(&'static str, &str); 5] {
        [
            ("actor", &self.actor),
            ("prompt", &self.prompt),
            ("action", &self.action),
            ("from", &self.from),
            ("until", &self.until),
        ]
    }

    fn is_filtered(&self) -> bool {
        self.filters().iter().any(|(_, value)| !value.is_empty())
    }

    /// The filters and one parameter more, as they stand in an address.
    fn query(&self, more: (&str, &str)) -> String {
        self.filters()
            .into_iter()
            .chain([more])
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", Url::escape(value)))
            .collect::<Vec<_>>()
            .join("&")
    }
}

/// The trail.
#[component]
pub fn AuditPage() -> impl IntoView {
    let project = use_project();
    let query = use_query_map();
    let wanted = Memo::new(move |_| Wanted::read(&query.read()));
    let is_checking = Memo::new(move |_| query.read().get("check").is_some());
    // Whatever is recorded is also told; a page of older entries does not change.
    let heard = use_feed().heard(&[
        "deployment",
        "prompt",
        "version",
        "environment",
        "key",
        "member",
        "promotion",
        "provider",
        "price",
        "suite",
        "run",
        "gate",
    ]);
    let trail = Resource::new(
        move || (project.get(), wanted.get(), heard.get()),
        |(project, wanted, _)| load_trail(project, wanted),
    );
    let offer = Resource::new(move || project.get(), load_offer);
    let chain = Resource::new(
        move || (project.get(), is_checking.get()),
        |(project, is_checking)| async move {
            if is_checking {
                check_chain(project).await.map(Some)
            } else {
                Ok(None)
            }
        },
    );
    view! {
        <PageHeader
            title="Audit"
            lede=move || view! { <ChainStatus chain/> }
            actions=move || view! { <Export wanted/> }
        />
        <Loaded from=offer let:offer>
            <Filters offer wanted/>
        </Loaded>
        <Loaded
            from=trail
            skeleton=|| view! { <TableSkeleton columns=&["No.", "When", "Action", "Who", "Subject", "What"] label="Loading entries"/> }
            let:found
        >
            <TrailTable found wanted/>
        </Loaded>
    }
}

/// The check of the chain reads every entry, so it runs when asked for.
#[component]
fn ChainStatus(chain: Resource<Result<Option<Chain>, UiError>>) -> impl IntoView {
    let base = use_membership().href("/audit?check=now");
    view! {
        <Transition>
            {move || {
                let base = base.clone();
                Suspend::new(async move {
                    match chain.await {
                        Ok(None) => view! { "Every entry covers the one before it. "<a href=base>"Check the chain"</a> }.into_any(),
                        Ok(Some(Chain::Whole(n_entries))) => view! {
                            <span class="chain" role="status">
                                <Icon glyph=Glyph::Shield/>
                                <span>{n_entries.to_string()}" entries, unbroken chain, checked just now"</span>
                            </span>
                        }
                        .into_any(),
                        Ok(Some(Chain::Broken(words))) => view! {
                            <span class="chain" data-state="broken" role="alert">
                                <Icon glyph=Glyph::Error/>
                                <span>"The chain is broken: "{words}</span>
                            </span>
                        }
                        .into_any(),
                        Err(error) => view! { <span role="alert">{crate::ui::error::sentence(&error.to_string())}</span> }.into_any(),
                    }
                })
            }}
        </Transition>
    }
}

#[component]
fn Export(wanted: Memo<Wanted>) -> impl IntoView {
    let project = use_project();
    let link = move |format: &'static str, words: &'static str| {
        let href = move || {
            let mut wanted = wanted.get();
            // The page's last day belongs to it; the API's until is the moment after.
            wanted.until = day_after(&wanted.until);
            let query = wanted.query(("format", format));
            format!("/api/v1/audit?project={}&{query}", project.read())
        };
        view! { <a class="menu-item" href=href download>{words}</a> }
    };
    view! {
        <button type="button" class="btn" popovertarget="export">
            <Icon glyph=Glyph::Download/>"Export"<Icon glyph=Glyph::ChevronDown/>
        </button>
        <div class="menu" data-side="end" popover="auto" id="export">
            <p class="menu-label">"What the filters show"</p>
            {link("csv", "CSV")}
            {link("jsonl", "JSON Lines")}
        </div>
    }
}

/// The day after a day, both as `2026-03-14`; what is no day stays as it is and is refused there.
fn day_after(day: &str) -> String {
    let next = || -> Option<DateTime<Utc>> {
        let day: chrono::NaiveDate = day.parse().ok()?;
        Some(day.succ_opt()?.and_time(chrono::NaiveTime::MIN).and_utc())
    };
    next().map_or_else(|| day.to_owned(), crate::ui::time::day)
}

#[component]
fn Filters(offer: Offer, wanted: Memo<Wanted>) -> impl IntoView {
    let here = use_membership().href("/audit");
    let now = wanted.get_untracked();
    let mut nouns: Vec<String> = offer
        .actions
        .iter()
        .filter_map(|action| action.split_once('.').map(|(noun, _)| noun.to_owned()))
        .collect();
    nouns.dedup();
    let option = |value: String, words: String| {
        let is_chosen = value == now.action;
        view! { <option value=value selected=is_chosen>{words}</option> }
    };
    let of_nouns = nouns
        .into_iter()
        .map(|noun| option(noun.clone(), format!("{noun}.*")))
        .collect_view();
    let actions = offer
        .actions
        .into_iter()
        .map(|action| option(action.clone(), action))
        .collect_view();
    let names = offer
        .names
        .into_iter()
        .map(|name| view! { <option value=name></option> })
        .collect_view();
    let clear = {
        let here = here.clone();
        move || {
            wanted.read().is_filtered().then(
                || view! { <a class="btn" data-kind="quiet" href=here.clone()>"Clear filters"</a> },
            )
        }
    };
    view! {
        <form class="filters" method="get" action=here role="search" aria-label="Filter entries">
            <div class="field">
                <label for="actor">"Who"</label>
                <input class="input" id="actor" name="actor" list="actors" placeholder="anyone" value=now.actor/>
            </div>
            <datalist id="actors">{names}</datalist>
            <div class="field">
                <label for="prompt">"Prompt or other subject"</label>
                <input class="input" id="prompt" name="prompt" placeholder="any" value=now.prompt/>
            </div>
            <div class="field">
                <label for="action">"Action"</label>
                <select class="input" id="action" name="action">
                    <option value="">"Any action"</option>
                    {of_nouns}
                    {actions}
                </select>
            </div>
            <div class="field">
                <label for="from">"From (UTC)"</label>
                <input class="input" id="from" name="from" type="date" value=now.from/>
            </div>
            <div class="field">
                <label for="until">"Until (UTC)"</label>
                <input class="input" id="until" name="until" type="date" value=now.until/>
            </div>
            <button class="btn">"Filter"</button>
            {clear}
        </form>
    }
}

#[component]
fn TrailTable(found: Trail, wanted: Memo<Wanted>) -> impl IntoView {
    let membership = use_membership();
    let Trail {
        lines: Listing { items, next_cursor },
        now,
    } = found;
    let here = membership.href("/audit");
    let asked = wanted.get_untracked();
    if items.is_empty() {
        return view! {
            <Empty glyph=Glyph::Audit title="No entry fits the filters" is_small=true>
                <div class="row"><a class="btn" data-size="small" href=here>"Clear filters"</a></div>
            </Empty>
        }
        .into_any();
    }
    let shown = match items.len() {
        1 => "1 entry".to_owned(),
        n_entries => format!("{n_entries} entries"),
    };
    let first =
        (!asked.cursor.is_empty()).then(|| format!("{here}?{}", asked.query(("cursor", ""))));
    let next = next_cursor.map(|cursor| format!("{here}?{}", asked.query(("cursor", &cursor))));
    let rows = items
        .into_iter()
        .map(|line| row(line, now, &membership.href("")))
        .collect_view();
    view! {
        <TableWrap>
            <table class="table" data-stack="">
                <caption class="sr-only">"Audit entries, newest first"</caption>
                <thead>
                    <tr>
                        <th scope="col" data-align="end">"No."</th>
                        <th scope="col" aria-sort="descending">"When"</th>
                        <th scope="col">"Action"</th>
                        <th scope="col">"Who"</th>
                        <th scope="col">"Subject"</th>
                        <th scope="col">"What"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableWrap>
        <Pager shown first next next_words="Older"/>
    }
    .into_any()
}

fn row(line: Line, now: DateTime<Utc>, base: &str) -> impl IntoView + use<> {
    let subject = if words::is_about_prompt(&line.action) {
        view! { <a href=format!("{base}/prompts/{}", line.subject)>{line.subject.clone()}</a> }
            .into_any()
    } else {
        view! { {line.subject} }.into_any()
    };
    let summary = if line.summary.is_empty() {
        view! { <Nobody/> }.into_any()
    } else {
        view! { <span class="cell-clip" title=line.summary.clone()>{line.summary.clone()}</span> }
            .into_any()
    };
    view! {
        <tr>
            <td data-align="end" data-fit="" data-cell="hide" class="muted">{line.sequence.to_string()}</td>
            <td data-cell="when" data-fit=""><RelativeTime at=line.at now/></td>
            <th scope="row" data-cell="lead" data-fit="">
                <a class="row-link action" href=format!("{base}/audit/{}", line.sequence)>{line.action}</a>
            </th>
            <td data-nowrap=""><Who name=line.actor.name() kind=line.actor.kind()/></td>
            <td data-nowrap="">{subject}</td>
            <td data-grow="" data-cell="full">{summary}</td>
        </tr>
    }
}

/// What the address's number names.
fn no_such_entry() -> UiError {
    UiError::NotFound("audit entry".to_owned())
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_the_filters_that_say_something() {
        let wanted = Wanted {
            actor: "Mara O".into(),
            action: "deployment".into(),
            ..Wanted::default()
        };
        assert_eq!(
            wanted.query(("cursor", "3132")),
            "actor=Mara%20O&action=deployment&cursor=3132"
        );
        assert_eq!(Wanted::default().query(("cursor", "")), "");
    }

    #[test]
    fn the_last_day_is_whole() {
        assert_eq!(day_after("2026-02-28"), "2026-03-01");
        assert_eq!(day_after(""), "");
        assert_eq!(day_after("soon"), "soon");
    }
}
