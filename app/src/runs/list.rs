//! The runs of a project, newest first, with the form that launches one on top.

use domain::{
    actor::Permission,
    run::{Run, RunStatus},
};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};

use super::{
    calls::load_runs,
    launch::{Launch, Launching},
    links::{self, ListQuery},
    parts::{address, cost, rate, status, subject, unsigned},
    shapes::{RunsView, SuiteChoice},
};
use crate::{
    frame::{use_membership, use_project},
    live::use_feed,
    prompts::{
        links::prompt,
        parts::{remember_refusal, typed},
        words::{counted, grouped},
    },
    ui::{Empty, Glyph, Icon, Loaded, PageHeader, Pager, RelativeTime, TableSkeleton, TableWrap},
};

/// `/p/<project>/runs?prompt=&suite=&status=&version=&launch=&cursor=`
#[component]
pub fn RunsPage() -> impl IntoView {
    remember_refusal();
    let project = use_project();
    let params = use_query_map();
    let query = Memo::new(move |_| params.with(ListQuery::read));
    let launching = Launching::new();
    let heard = use_feed().heard(&["run", "suite"]);
    let runs = Resource::new(
        move || (project.get(), query.get(), heard.get()),
        |(project, query, _)| load_runs(project, query),
    );
    let may_run = use_membership().may(Permission::RunEvals);
    let open = move || {
        (may_run && !query.get().is_launching).then(|| {
            let query = ListQuery {
                is_launching: true,
                ..query.get()
            };
            view! {
                <a class="btn" data-kind="primary" href=links::list(&project.get(), &query)>
                    <Icon glyph=Glyph::Runs/>"Run eval"
                </a>
            }
        })
    };
    view! {
        <PageHeader
            title="Runs"
            lede=|| view! { "One version on one suite’s cases, at temperature 0, and what came of each." }
            actions=move || view! { {open} }
        />
        <Loaded
            from=runs
            skeleton=|| view! { <TableSkeleton columns=&["Prompt", "Suite", "Status", "Pass rate", "Errors", "Cost", "By", "When"] label="Loading runs"/> }
            let:shown
        >
            <Shown project=project.get_untracked() query=query.get_untracked() shown launching may_run/>
        </Loaded>
    }
}

#[component]
fn Shown(
    project: String,
    query: ListQuery,
    shown: RunsView,
    launching: Launching,
    may_run: bool,
) -> impl IntoView {
    let form = shown.launch.clone().map(|launch| {
        view! { <Launch project=project.clone() query=query.clone() launch launching may_run/> }
    });
    let is_first = query.cursor.is_empty();
    let list = if !shown.runs.is_empty() {
        view! { <Rows project=project.clone() query=query.clone() shown=shown.clone()/> }.into_any()
    } else if query.is_filtered() || !is_first {
        let all = links::list(&project, &ListQuery::default());
        view! {
            <Empty glyph=Glyph::Search title="No such run" is_small=true>
                <p>"No run matches these filters."</p>
                <a class="btn" href=all>"Clear filters"</a>
            </Empty>
        }
        .into_any()
    } else {
        view! { <NoRuns project=project.clone() has_suites=!shown.suites.is_empty()/> }.into_any()
    };
    let has_filters = query.is_filtered() || !shown.runs.is_empty();
    view! {
        {form}
        <section class="section" aria-label="Runs">
            {has_filters.then(|| view! { <Filters project=project.clone() query=query.clone() suites=shown.suites.clone()/> })}
            <Chips project query suites=shown.suites/>
            {list}
        </section>
    }
}

#[component]
fn Filters(project: String, query: ListQuery, suites: Vec<SuiteChoice>) -> impl IntoView {
    let mut prompts: Vec<String> = suites
        .iter()
        .map(|suite| suite.prompt.to_string())
        .collect();
    // A prompt may have runs and no suite among those offered.
    if !query.prompt.is_empty() {
        prompts.push(query.prompt.clone());
    }
    prompts.sort();
    prompts.dedup();
    let option = |value: String, words: String, chosen: &str| {
        let is_chosen = value == chosen;
        view! { <option value=value selected=is_chosen>{words}</option> }
    };
    let prompts = prompts
        .into_iter()
        .map(|name| option(name.clone(), name, &query.prompt))
        .collect_view();
    let suites = suites
        .into_iter()
        .map(|suite| option(suite.id.to_string(), suite.name, &query.suite))
        .collect_view();
    let states = [
        RunStatus::Queued,
        RunStatus::Running,
        RunStatus::Completed,
        RunStatus::Failed,
        RunStatus::Cancelled,
    ]
    .map(|status| {
        option(
            status.word().to_owned(),
            status.word().to_owned(),
            &query.status,
        )
    })
    .collect_view();
    // Without script the browser sends the form; with it the page stays.
    let navigate = use_navigate();
    let action = links::list(&project, &ListQuery::default());
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let chosen = |id| typed(id).unwrap_or_default();
        let query = ListQuery {
            prompt: chosen("filter-prompt"),
            suite: chosen("filter-suite"),
            status: chosen("filter-status"),
            ..ListQuery::default()
        };
        navigate(&links::list(&project, &query), NavigateOptions::default());
    };
    view! {
        <form method="get" action=action class="filters" role="search" aria-label="Filter runs" on:submit=submit>
            <div class="field" data-grow="">
                <label for="filter-prompt">"Prompt"</label>
                <select class="input" id="filter-prompt" name="prompt"><option value="">"All prompts"</option>{prompts}</select>
            </div>
            <div class="field" data-grow="">
                <label for="filter-suite">"Suite"</label>
                <select class="input" id="filter-suite" name="suite"><option value="">"All suites"</option>{suites}</select>
            </div>
            <div class="field">
                <label for="filter-status">"Status"</label>
                <select class="input" id="filter-status" name="status"><option value="">"Any status"</option>{states}</select>
            </div>
            <button type="submit" class="btn">"Filter"</button>
        </form>
    }
}

/// What is filtered by, each with a way to drop it.
#[component]
fn Chips(project: String, query: ListQuery, suites: Vec<SuiteChoice>) -> impl IntoView {
    let chip = |words: String, without: ListQuery| {
        view! {
            <a class="chip" data-set="" href=links::list(&project, &without)>
                {words}<Icon glyph=Glyph::Close/><span class="sr-only">" remove"</span>
            </a>
        }
    };
    let prompt = (!query.prompt.is_empty()).then(|| {
        chip(
            query.prompt.clone(),
            query.with(|query| query.prompt.clear()),
        )
    });
    let suite = (!query.suite.is_empty()).then(|| {
        let name = suites
            .iter()
            .find(|suite| suite.id.to_string() == query.suite)
            .map_or_else(|| "one suite".to_owned(), |suite| suite.name.clone());
        chip(name, query.with(|query| query.suite.clear()))
    });
    let status = (!query.status.is_empty()).then(|| {
        chip(
            query.status.clone(),
            query.with(|query| query.status.clear()),
        )
    });
    query.is_filtered().then(|| {
        view! {
            <div class="chips">
                <span class="sr-only">"Filters:"</span>
                {prompt}{suite}{status}
                <a href=links::list(&project, &ListQuery::default())>"Clear filters"</a>
            </div>
        }
    })
}

#[component]
fn Rows(project: String, query: ListQuery, shown: RunsView) -> impl IntoView {
    let n_shown = u64::try_from(shown.runs.len()).unwrap_or_default();
    let here = query.with(|_| ());
    let first = (!query.cursor.is_empty()).then(|| links::list(&project, &here));
    let next = shown.next_cursor.clone().map(|cursor| {
        let further = ListQuery { cursor, ..here };
        links::list(&project, &further)
    });
    let words = counted(n_shown, "run");
    let words = if first.is_none() && next.is_none() {
        words
    } else {
        format!("{words} on this page")
    };
    let rows = shown
        .runs
        .iter()
        .map(|run| row(&project, run, shown.now))
        .collect_view();
    view! {
        <TableWrap>
            <table class="table" data-stack="">
                <caption class="sr-only">"Runs, newest first"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Prompt"</th>
                        <th scope="col">"Suite"</th>
                        <th scope="col">"Status"</th>
                        <th scope="col">"Pass rate"</th>
                        <th scope="col" data-align="end">"Errors"</th>
                        <th scope="col" data-align="end" data-rank="2">"Cost"</th>
                        <th scope="col" data-rank="3">"By"</th>
                        <th scope="col" data-align="end">"When"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableWrap>
        <Pager shown=words first next next_words="Older"/>
    }
}

fn row(project: &str, run: &Run, now: chrono::DateTime<chrono::Utc>) -> impl IntoView + use<> {
    let name = run.prompt.to_string();
    let folder = match run.prompt.folder() {
        "" => None,
        folder => Some(view! { <span class="folder">{format!("{folder}/")}</span> }),
    };
    let title = format!("{name} {}", subject(run.version));
    let errors = if run.errors == 0 {
        view! { <span class="none">"0"</span> }.into_any()
    } else {
        view! { <span class="count-bad">{grouped(unsigned(run.errors))}</span> }.into_any()
    };
    let suite = links::suite(project, &run.suite.to_string());
    view! {
        <tr>
            <th scope="row" data-cell="lead">
                <a class="row-link" href=address(project, run) title=title>
                    {folder}{run.prompt.leaf().to_owned()}" "<span class="run-subject">{subject(run.version)}</span>
                </a>
            </th>
            <td data-cell="full" data-grow=""><span class="cell-clip"><a href=suite>{run.suite_name.clone()}</a>" "<span class="muted">{format!("r{}", run.revision)}</span></span></td>
            <td data-fit="">{status(run)}</td>
            <td data-fit="">{rate(run.pass_rate, run.interval)}</td>
            <td data-align="end" data-fit="" data-cell="hide">{errors}</td>
            <td data-align="end" data-fit="" data-rank="2">{cost(run.cost_usd)}</td>
            <td data-rank="3" data-nowrap="">{run.by.name().to_owned()}</td>
            <td data-cell="when" data-align="end" data-fit=""><RelativeTime at=run.created_at now/></td>
        </tr>
    }
}

#[component]
fn NoRuns(project: String, has_suites: bool) -> impl IntoView {
    let action = if has_suites {
        let query = ListQuery {
            is_launching: true,
            ..ListQuery::default()
        };
        view! { <a class="btn" data-kind="primary" href=links::list(&project, &query)><Icon glyph=Glyph::Runs/>"Run eval"</a> }
            .into_any()
    } else {
        view! { <a class="btn" data-kind="primary" href=format!("/p/{project}/suites")><Icon glyph=Glyph::Layers/>"To the suites"</a> }
            .into_any()
    };
    let text = if has_suites {
        "Choose a suite and a version: every case is asked once, and scored as the suite says."
    } else {
        "A run needs a suite: cases with what is expected of each. Make one for a prompt first."
    };
    view! {
        <Empty glyph=Glyph::Runs title="No runs yet">
            <p>{text}</p>
            <div class="row">{action}</div>
        </Empty>
    }
}

/// The prompt of a run, as a link.
pub fn prompt_link(project: &str, run: &Run) -> impl IntoView + use<> {
    let name = run.prompt.to_string();
    let href = match run.version {
        Some(version) => crate::prompts::links::version(project, &name, version),
        None => prompt(project, &name),
    };
    view! { <a href=href>{format!("{name} {}", subject(run.version))}</a> }
}
