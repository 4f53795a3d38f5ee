//! Every prompt that serves production: is it still as good as when it was promoted?

use domain::drift::State;
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};

use super::{
    calls::load_drift,
    links, parts,
    shapes::{DriftRow, DriftView},
};
use crate::{
    frame::use_project,
    live::use_feed,
    prompts::{links as prompts, parts::typed},
    ui::{Empty, Glyph, Loaded, PageHeader, RelativeTime, TableSkeleton, TableWrap},
};

/// `/p/<project>/drift?state=`
#[component]
pub fn DriftPage() -> impl IntoView {
    let project = use_project();
    let params = use_query_map();
    let state = Memo::new(move |_| {
        let word = params.with(|params| params.get("state").unwrap_or_default());
        State::from_word(word.trim()).map_or_else(String::new, |state| state.word().to_owned())
    });
    let heard = use_feed().heard(&["drift", "deployment"]);
    let found = Resource::new(
        move || (project.get(), state.get(), heard.get()),
        |(project, state, _)| load_drift(project, state),
    );
    view! {
        <PageHeader
            title="Drift"
            lede=|| "Every week the whole suite runs again on what serves, at temperature 0, and is held against the run at promotion."
        />
        <Loaded
            from=found
            skeleton=|| view! { <TableSkeleton columns=&["Prompt", "State", "Finding", "Since promotion", "Checked", "Next"] label="Loading drift"/> }
            let:shown
        >
            <Shown project=project.get_untracked() state=state.get_untracked() shown/>
        </Loaded>
    }
}

#[component]
fn Shown(project: String, state: String, shown: DriftView) -> impl IntoView {
    let is_filtered = !state.is_empty();
    let has_rows = !shown.rows.is_empty();
    let list = if has_rows {
        table(&project, &shown).into_any()
    } else if is_filtered {
        let all = links::list(&project, "");
        view! {
            <Empty glyph=Glyph::Search title="No prompt is in this state" is_small=true>
                <p>"That may be good news."</p>
                <a class="btn" href=all>"Show all"</a>
            </Empty>
        }
        .into_any()
    } else {
        let all = prompts::all(&project);
        view! {
            <Empty glyph=Glyph::Drift title="Nothing serves production yet">
                <p>"A prompt is looked after from the moment one of its versions is promoted to production. It takes a suite of cases whose right answer is known, and a run of it from before the promotion."</p>
                <div class="row"><a class="btn" href=all>"To the prompts"</a></div>
            </Empty>
        }
        .into_any()
    };
    view! {
        <section class="section" aria-label="Prompts that serve production">
            {(is_filtered || has_rows).then(|| view! { <Filters project state/> })}
            {list}
        </section>
    }
}

#[component]
fn Filters(project: String, state: String) -> impl IntoView {
    let options = State::ALL
        .map(|one| {
            let is_chosen = one.word() == state;
            view! { <option value=one.word() selected=is_chosen>{one.label()}</option> }
        })
        .collect_view();
    let clear = (!state.is_empty())
        .then(|| view! { <a href=links::list(&project, "")>"Clear filters"</a> });
    // Without script the browser sends the form; with it the page stays.
    let navigate = use_navigate();
    let action = links::list(&project, "");
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let state = typed("filter-state").unwrap_or_default();
        navigate(&links::list(&project, &state), NavigateOptions::default());
    };
    view! {
        <form method="get" action=action class="filters" role="search" aria-label="Filter prompts" on:submit=submit>
            <div class="field">
                <label for="filter-state">"State"</label>
                <select class="input" id="filter-state" name="state"><option value="">"Any state"</option>{options}</select>
            </div>
            <button type="submit" class="btn">"Filter"</button>
            {clear}
        </form>
    }
}

fn table(project: &str, shown: &DriftView) -> impl IntoView + use<> {
    let now = shown.now;
    let rows = shown
        .rows
        .iter()
        .map(|row| one(project, row, now))
        .collect_view();
    view! {
        <TableWrap>
            <table class="table" data-stack="">
                <caption class="sr-only">"Prompts that serve production, what needs somebody first"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Prompt"</th>
                        <th scope="col">"State"</th>
                        <th scope="col">"Finding"</th>
                        <th scope="col">"Since promotion"</th>
                        <th scope="col" data-align="end">"Checked"</th>
                        <th scope="col" data-align="end">"Next"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableWrap>
    }
}

fn one(project: &str, row: &DriftRow, now: chrono::DateTime<chrono::Utc>) -> impl IntoView + use<> {
    let standing = &row.standing;
    let href = links::prompt(project, standing.prompt.as_str());
    let chart = match row.spark.clone() {
        Some(spark) => parts::small_chart(spark),
        None => view! { <span class="note">"no chart yet"</span> }.into_any(),
    };
    let checked = match standing.checked_at {
        Some(at) => view! { <RelativeTime at now has_ago=true/> }.into_any(),
        None => view! { <span class="note">"never"</span> }.into_any(),
    };
    let next = match row.next_due {
        _ if row.is_running => view! { "running" }.into_any(),
        Some(at) => parts::ahead(at, now),
        None => view! { <span class="note">"off"</span> }.into_any(),
    };
    view! {
        <tr>
            <th scope="row" data-cell="lead">
                <a class="row-link" href=href>{standing.prompt.to_string()}</a>
                <span class="experiment-of">{format!("v{} in {}", standing.version, standing.environment)}</span>
            </th>
            <td data-fit="">{parts::badge(standing.state)}</td>
            <td data-cell="full" data-grow=""><span class="verdict-line">{standing.reason.clone()}</span></td>
            <td data-fit="">{chart}</td>
            <td data-cell="when" data-align="end" data-fit="">{checked}</td>
            <td data-align="end" data-fit="">{next}</td>
        </tr>
    }
}
