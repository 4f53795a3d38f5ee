//! The experiments of a project, newest first, each with its verdict in a line.

use domain::{actor::Permission, experiment::Status};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};

use super::{
    calls::load_experiments,
    links::{self, ListQuery},
    parts::Rows,
    shapes::ExperimentsView,
};
use crate::{
    frame::{use_membership, use_project},
    live::use_feed,
    prompts::{parts::typed, words::counted},
    ui::{Empty, Glyph, Icon, Loaded, PageHeader, Pager, TableSkeleton},
};

/// `/p/<project>/experiments?prompt=&status=&cursor=`
#[component]
pub fn ExperimentsPage() -> impl IntoView {
    let project = use_project();
    let params = use_query_map();
    let query = Memo::new(move |_| params.with(ListQuery::read));
    let heard = use_feed().heard(&["experiment"]);
    let found = Resource::new(
        move || (project.get(), query.get(), heard.get()),
        |(project, query, _)| load_experiments(project, query),
    );
    let may_run = use_membership().may(Permission::RunExperiments);
    let plan = move || {
        may_run.then(|| {
            let href = match query.read().prompt.as_str() {
                "" => links::new(&project.get()),
                prompt => links::new_for(&project.get(), prompt),
            };
            view! { <a class="btn" data-kind="primary" href=href><Icon glyph=Glyph::Plus/>"New experiment"</a> }
        })
    };
    view! {
        <PageHeader
            title="Experiments"
            lede=|| "Versions side by side on live traffic: who won, by how much, and whether to trust it."
            actions=move || view! { {plan} }
        />
        <Loaded
            from=found
            skeleton=|| view! { <TableSkeleton columns=&["Experiment", "Status", "Verdict", "Units", "Since"] label="Loading experiments"/> }
            let:shown
        >
            <Shown project=project.get_untracked() query=query.get_untracked() shown may_run/>
        </Loaded>
    }
}

#[component]
fn Shown(
    project: String,
    query: ListQuery,
    shown: ExperimentsView,
    may_run: bool,
) -> impl IntoView {
    let is_first = query.cursor.is_empty();
    let is_filtered = query.is_filtered();
    let has_rows = !shown.rows.is_empty();
    let list = if has_rows {
        let n_shown = u64::try_from(shown.rows.len()).unwrap_or_default();
        let here = ListQuery {
            cursor: String::new(),
            ..query.clone()
        };
        let first = (!is_first).then(|| links::list(&project, &here));
        let next = shown
            .next_cursor
            .clone()
            .map(|cursor| links::list(&project, &ListQuery { cursor, ..here }));
        let mut words = counted(n_shown, "experiment");
        if first.is_some() || next.is_some() {
            words.push_str(" on this page");
        }
        view! {
            <Rows project=project.clone() rows=shown.rows.clone() has_prompt=true now=shown.now/>
            <Pager shown=words first next next_words="Older"/>
        }
        .into_any()
    } else if is_filtered || !is_first {
        let all = links::list(&project, &ListQuery::default());
        view! {
            <Empty glyph=Glyph::Search title="No such experiment" is_small=true>
                <p>"No experiment matches these filters."</p>
                <a class="btn" href=all>"Clear filters"</a>
            </Empty>
        }
        .into_any()
    } else {
        let plan = may_run.then(|| {
            view! { <div class="row"><a class="btn" data-kind="primary" href=links::new(&project)><Icon glyph=Glyph::Plus/>"New experiment"</a></div> }
        });
        view! {
            <Empty glyph=Glyph::Experiments title="No experiments yet">
                <p>"An experiment gives part of your users another version of a prompt, and says whether it does better. Plan one: the page says how many users and days it takes."</p>
                {plan}
            </Empty>
        }
        .into_any()
    };
    view! {
        <section class="section" aria-label="Experiments">
            {(is_filtered || has_rows).then(|| view! { <Filters project query prompts=shown.prompts/> })}
            {list}
        </section>
    }
}

#[component]
fn Filters(project: String, query: ListQuery, prompts: Vec<String>) -> impl IntoView {
    let option = |value: String, words: String, chosen: &str| {
        let is_chosen = value == chosen;
        view! { <option value=value selected=is_chosen>{words}</option> }
    };
    let prompts = prompts
        .into_iter()
        .map(|name| option(name.clone(), name, &query.prompt))
        .collect_view();
    let states = Status::ALL
        .map(|status| {
            option(
                status.word().to_owned(),
                status.word().to_owned(),
                &query.status,
            )
        })
        .collect_view();
    let clear = query.is_filtered().then(
        || view! { <a href=links::list(&project, &ListQuery::default())>"Clear filters"</a> },
    );
    // Without script the browser sends the form; with it the page stays.
    let navigate = use_navigate();
    let action = links::list(&project, &ListQuery::default());
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let query = ListQuery {
            prompt: typed("filter-prompt").unwrap_or_default(),
            status: typed("filter-status").unwrap_or_default(),
            cursor: String::new(),
        };
        navigate(&links::list(&project, &query), NavigateOptions::default());
    };
    view! {
        <form method="get" action=action class="filters" role="search" aria-label="Filter experiments" on:submit=submit>
            <div class="field" data-grow="">
                <label for="filter-prompt">"Prompt"</label>
                <select class="input" id="filter-prompt" name="prompt"><option value="">"All prompts"</option>{prompts}</select>
            </div>
            <div class="field">
                <label for="filter-status">"Status"</label>
                <select class="input" id="filter-status" name="status"><option value="">"Any status"</option>{states}</select>
            </div>
            <button type="submit" class="btn">"Filter"</button>
            {clear}
        </form>
    }
}
