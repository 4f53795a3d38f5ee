//! The list: every suite of the project by name, or those of one prompt.

use chrono::{DateTime, Utc};
use domain::{actor::Permission, suite::Suite};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{
    calls::{CreateSuite, load_prompt_names, load_suites},
    links::{self, Tab},
    new::NewSuite,
    shapes::SuitesView,
    words,
};
use crate::{
    frame::{use_membership, use_project},
    live::use_feed,
    prompts::{
        links as prompt_links,
        parts::remember_refusal,
        words::{counted, grouped},
    },
    ui::{
        Empty, Glyph, Icon, Loaded, Nobody, PageHeader, Pager, RelativeTime, TableSkeleton,
        TableWrap,
    },
};

/// What the address asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Query {
    prompt: String,
    cursor: String,
}

/// `/p/<project>/suites?prompt=&cursor=&new=`
#[component]
pub fn SuitesPage() -> impl IntoView {
    remember_refusal();
    let project = use_project();
    let params = use_query_map();
    let query = Memo::new(move |_| {
        params.with(|params| Query {
            prompt: params.get("prompt").unwrap_or_default().trim().to_owned(),
            cursor: params.get("cursor").unwrap_or_default(),
        })
    });
    let is_new = Memo::new(move |_| params.with(|params| params.get("new").is_some()));
    let create = ServerAction::<CreateSuite>::new();
    let heard = use_feed().heard(&["suite"]);
    let suites = Resource::new(
        move || (project.get(), query.get(), heard.get()),
        |(project, query, _)| load_suites(project, query.prompt, query.cursor),
    );
    // Not told of changes: a form that somebody is filling in must hold still.
    let names = Resource::new(move || project.get(), load_prompt_names);
    let may_write = use_membership().may(Permission::RunEvals);
    let list = move || links::suites(&project.get(), &query.read().prompt, "");
    let new = move || {
        let here = list();
        let mark = if here.contains('?') { '&' } else { '?' };
        format!("{here}{mark}new=1")
    };
    let action = move || {
        may_write.then(|| {
            view! {
                <a class="btn" data-kind="primary" href=new data-noscroll="">
                    <Icon glyph=Glyph::Plus/>"New suite"
                </a>
            }
        })
    };
    view! {
        <PageHeader
            title="Suites"
            lede=|| "Golden cases: what a prompt is called with, and what its answer is held against."
            actions=action
        />
        {move || (may_write && is_new.get()).then(|| view! {
            <NewSuite create back=list() prompt=query.read_untracked().prompt.clone()/>
        })}
        <Filter query names/>
        <Loaded
            from=suites
            skeleton=|| view! { <TableSkeleton columns=&["Name", "Prompt", "Cases", "Revision", "A case passes if the output", "Changed"] label="Loading suites"/> }
            let:shown
        >
            <Shown query=query.get_untracked() shown may_write/>
        </Loaded>
    }
}

/// Only one prompt's.
#[component]
fn Filter(
    query: Memo<Query>,
    names: Resource<Result<Vec<String>, crate::error::UiError>>,
) -> impl IntoView {
    let project = use_project();
    let all = move || links::suites(&project.get(), "", "");
    let clear = move || {
        (!query.read().prompt.is_empty())
            .then(|| view! { <a class="btn" data-kind="quiet" href=all>"Clear filter"</a> })
    };
    view! {
        <form class="filters" method="get" action=all role="search" aria-label="Filter suites">
            <div class="field" data-grow="">
                <label for="filter-prompt">"Prompt"</label>
                <span class="affix">
                    <Icon glyph=Glyph::Prompts/>
                    <input
                        class="input" id="filter-prompt" name="prompt" list="prompts" placeholder="any"
                        autocomplete="off" spellcheck="false" value=move || query.read().prompt.clone()
                    />
                </span>
            </div>
            <button class="btn">"Filter"</button>
            {clear}
        </form>
        <Loaded from=names let:names>
            <datalist id="prompts">
                {names.into_iter().map(|name| view! { <option value=name></option> }).collect_view()}
            </datalist>
        </Loaded>
    }
}

#[component]
fn Shown(query: Query, shown: SuitesView, may_write: bool) -> impl IntoView {
    let project = use_project().get_untracked();
    let SuitesView { suites, now } = shown;
    if suites.items.is_empty() {
        return view! { <Nothing project query may_write/> }.into_any();
    }
    let n_shown = u64::try_from(suites.items.len()).unwrap_or_default();
    let first = (!query.cursor.is_empty()).then(|| links::suites(&project, &query.prompt, ""));
    let next = suites
        .next_cursor
        .map(|cursor| links::suites(&project, &query.prompt, &cursor));
    let rows = suites
        .items
        .into_iter()
        .map(|suite| row(&project, suite, now))
        .collect_view();
    view! {
        <TableWrap>
            <table class="table" data-stack="" data-kind="suites">
                <caption class="sr-only">"Suites by name"</caption>
                <thead>
                    <tr>
                        <th scope="col" aria-sort="ascending">"Name"</th>
                        <th scope="col">"Prompt"</th>
                        <th scope="col" data-align="end">"Cases"</th>
                        <th scope="col" data-align="end" data-rank="2">"Revision"</th>
                        <th scope="col">"A case passes if the output"</th>
                        <th scope="col" data-align="end">"Changed"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableWrap>
        <Pager shown=counted(n_shown, "suite") first next/>
    }
    .into_any()
}

fn row(project: &str, suite: Suite, now: DateTime<Utc>) -> impl IntoView + use<> {
    let href = links::tab(project, suite.id, Tab::Cases);
    let prompt = suite.prompt.as_str().to_owned();
    let scorers = words::scorers(&suite.scorers);
    let n_cases = match suite.n_cases {
        0 => view! { <Nobody/> }.into_any(),
        n_cases => view! {
            {grouped(u64::try_from(n_cases).unwrap_or_default())}<span class="cell-unit">" cases"</span>
        }
        .into_any(),
    };
    view! {
        <tr>
            <th scope="row" data-cell="lead">
                <a class="row-link" href=href title=suite.name.clone()>{suite.name.clone()}</a>
            </th>
            <td data-nowrap="">
                <a href=prompt_links::prompt(project, &prompt)><span class="cell-clip">{prompt.clone()}</span></a>
            </td>
            <td data-align="end" data-fit="">{n_cases}</td>
            <td data-align="end" data-fit="" data-rank="2">{suite.revision}</td>
            <td data-grow="" data-cell="full"><span class="cell-clip" title=scorers.clone()>{scorers.clone()}</span></td>
            <td data-align="end" data-cell="when" data-fit=""><RelativeTime at=suite.changed_at now/></td>
        </tr>
    }
}

#[component]
fn Nothing(project: String, query: Query, may_write: bool) -> impl IntoView {
    if !query.cursor.is_empty() {
        return view! {
            <Empty glyph=Glyph::Layers title="Nothing more" is_small=true>
                <p>"The list ended on an earlier page."</p>
                <a class="btn" href=links::suites(&project, &query.prompt, "")>"First page"</a>
            </Empty>
        }
        .into_any();
    }
    if !query.prompt.is_empty() {
        return view! {
            <Empty glyph=Glyph::Search title=format!("No suite for {}", query.prompt) is_small=true>
                <p>"Without one nothing measures a new version of this prompt before it serves."</p>
                <a class="btn" href=links::suites(&project, "", "")>"All suites"</a>
            </Empty>
        }
        .into_any();
    }
    view! {
        <Empty glyph=Glyph::Layers title="No suites yet">
            <p>
                "A suite is a list of golden cases for one prompt: what it is called with, and what a good answer looks like. Every new version runs against it, so that a worse one is noticed before it serves."
            </p>
            {may_write.then(|| view! {
                <div class="row">
                    <a class="btn" data-kind="primary" href=format!("{}?new=1", links::suites(&project, "", ""))>
                        <Icon glyph=Glyph::Plus/>"New suite"
                    </a>
                </div>
            })}
            <p class="note">"Twenty cases from production catch more than two hundred made up ones. CSV, JSON Lines and promptfoo files can be imported."</p>
        </Empty>
    }
    .into_any()
}
