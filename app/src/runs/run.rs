//! One run: how it is getting on, whether it is better than what it is held against, and every
//! case of it.

use domain::{
    actor::Permission,
    run::{Run, RunStatus},
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use super::{
    calls::{CancelRun, load_run},
    cases::Cases,
    links::{self, ListQuery, RunQuery},
    list::prompt_link,
    parts::{status, subject, unsigned},
    progress::Progress,
    report::Reporting,
    shapes::RunView,
    verdict::Outcome,
    words,
};
use crate::{
    error::UiError,
    frame::{use_membership, use_project},
    live::use_feed,
    prompts::{
        parts::{refusal, remember_refusal},
        words::{counted, grouped},
    },
    ui::{
        Banner, Glyph, Icon, LoadedPage, PageHeader, Refusal, RelativeTime, Tone, Who,
        error::sentence,
    },
};

/// `/p/<project>/runs/<id>?against=&show=&cursor=`
#[component]
pub fn RunPage() -> impl IntoView {
    remember_refusal();
    let project = use_project();
    let (params, query) = (use_params_map(), use_query_map());
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    let query = Memo::new(move |_| query.with(RunQuery::read));
    let cancel = ServerAction::<CancelRun>::new();
    let cancel_error = refusal(cancel);
    let reporting = Reporting::new();
    let heard = use_feed().heard(&["run"]);
    // A run that is over does not change: what others announce must not redraw it while it is read.
    let finished = StoredValue::new(String::new());
    let news = Memo::new(move |before: Option<&u64>| {
        let heard = heard.get();
        let is_finished = finished.with_value(|finished| *finished == id.get_untracked());
        before.copied().filter(|_| is_finished).unwrap_or(heard)
    });
    let view = Resource::new(
        move || {
            let version = cancel.version().get();
            (project.get(), id.get(), query.get(), news.get(), version)
        },
        move |(project, id, query, _, _)| async move {
            let view = load_run(project, id.clone(), query).await;
            if view.as_ref().is_ok_and(RunView::is_final) {
                finished.try_set_value(id);
            }
            view
        },
    );
    view! {
        <LoadedPage from=view let:shown>
            <Body
                project=project.get_untracked() query=query.get_untracked() shown cancel cancel_error reporting
            />
        </LoadedPage>
    }
}

#[component]
fn Body(
    project: String,
    query: RunQuery,
    shown: RunView,
    cancel: ServerAction<CancelRun>,
    cancel_error: Signal<Option<UiError>>,
    reporting: Reporting,
) -> impl IntoView {
    let run = shown.run.clone();
    let title = format!("{} {}", run.prompt, subject(run.version));
    let actions = actions(&project, &run, cancel);
    let suite = links::suite(&project, &run.suite.to_string());
    let lede = {
        let (name, revision) = (run.suite_name.clone(), run.revision);
        move || view! { "Eval on "<a href=suite>{name}</a>{format!(", revision {revision}")} }
    };
    let failure = run.failure.clone().map(|why| {
        view! {
            <Banner tone=Tone::Bad title="The run could not go on"><p>{sentence(&why)}</p></Banner>
        }
    });
    let stopped = (run.status == RunStatus::Cancelled).then(|| {
        let words = format!(
            "{} of {} results were there; they stay, and nothing is concluded from them.",
            grouped(unsigned(run.done)),
            grouped(unsigned(run.total))
        );
        view! { <Banner tone=Tone::Warn title="Somebody stopped this run"><p>{words}</p></Banner> }
    });
    let progress = shown
        .pace
        .clone()
        .map(|pace| view! { <Progress run=run.clone() pace/> });
    let outcome = (run.done > 0).then(|| {
        view! { <Outcome project=project.clone() query=query.clone() shown=shown.clone()/> }
    });
    let facts = facts(&project, &shown);
    view! {
        <PageHeader title lede actions=move || view! { {actions} }>{facts}</PageHeader>
        <Refusal error=cancel_error/>
        {failure}
        {stopped}
        {progress}
        {outcome}
        <Cases project query shown reporting/>
    }
}

fn actions(project: &str, run: &Run, cancel: ServerAction<CancelRun>) -> impl IntoView + use<> {
    let may_run = use_membership().may(Permission::RunEvals);
    if !may_run {
        return ().into_any();
    }
    if !run.status.is_over() {
        let (project, id) = (project.to_owned(), run.id.to_string());
        let is_busy = move || cancel.pending().get().then_some("true");
        return view! {
            <ActionForm action=cancel>
                <input type="hidden" name="project" value=project/>
                <input type="hidden" name="run" value=id/>
                <button type="submit" class="btn" data-kind="danger-line" aria-busy=is_busy><Icon glyph=Glyph::Close/>"Cancel run"</button>
            </ActionForm>
        }
        .into_any();
    }
    run.version
        .map(|version| {
            let again = ListQuery {
                prompt: run.prompt.to_string(),
                suite: run.suite.to_string(),
                version: Some(version),
                is_launching: true,
                ..ListQuery::default()
            };
            let href = links::list(project, &again);
            view! { <a class="btn" href=href><Icon glyph=Glyph::Runs/>"Run again"</a> }
        })
        .into_any()
}

/// What was run, by whom, when.
fn facts(project: &str, shown: &RunView) -> impl IntoView + use<> {
    let run = &shown.run;
    let options = &run.options;
    let n_cases = run.total / i64::from(options.repeats.max(1));
    let mut cases = counted(unsigned(n_cases), "case");
    if options.repeats > 1 {
        cases.push_str(&format!(" × {}", options.repeats));
    }
    if options.limit.is_some() {
        cases.push_str(", a subset");
    }
    if !options.tags.is_empty() {
        cases.push_str(&format!(", tagged {}", options.tags.join(" or ")));
    }
    let took = run.started_at.zip(run.finished_at).map(|(from, to)| {
        let words = words::duration((to - from).num_seconds());
        view! { <div><dt>"Took"</dt><dd>{words}</dd></div> }
    });
    let budget = options.budget_usd.map(|budget| {
        view! { <div><dt>"Budget"</dt><dd>{words::dollars(budget)}</dd></div> }
    });
    let model = format!("{} at {}", run.model, run.provider);
    view! {
        <dl class="bar">
            <div><dt>"Status"</dt><dd>{status(run)}</dd></div>
            <div><dt>"Version"</dt><dd>{prompt_link(project, run)}</dd></div>
            <div><dt>"Model"</dt><dd>{model}</dd></div>
            <div><dt>"Cases"</dt><dd>{cases}</dd></div>
            <div><dt>"Seed"</dt><dd>{options.seed.to_string()}</dd></div>
            {budget}
            <div><dt>"By"</dt><dd><Who name=run.by.name() kind=run.by.kind()/></dd></div>
            <div><dt>"Launched"</dt><dd><RelativeTime at=run.created_at now=shown.now has_ago=true/></dd></div>
            {took}
        </dl>
    }
}
