//! One prompt: how it stands, what the checks found, what may be behind it, when the next one is.

use domain::{
    actor::Permission,
    drift::{Check, Why},
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    calls::{RunDriftCheck, SetDriftSchedule, load_drift_of},
    inputs::Inputs,
    parts,
    schedule::ScheduleForm,
    shapes::DetailView,
};
use crate::{
    charts::Figure,
    error::UiError,
    frame::{use_membership, use_project},
    live::use_feed,
    prompts::{
        links as prompts,
        parts::{refusal, remember_refusal, say_when_done},
    },
    runs::links::{RunQuery, run as run_address, suite as suite_address},
    ui::{
        Banner, Glyph, Icon, LoadedPage, PageHeader, Refusal, RelativeTime, TableWrap, Tone, Who,
    },
};

/// What is done here; made by the page, so that it outlives what is shown.
#[derive(Clone, Copy)]
pub struct Acts {
    pub run: ServerAction<RunDriftCheck>,
    pub run_error: Signal<Option<UiError>>,
    pub save: ServerAction<SetDriftSchedule>,
    pub save_error: Signal<Option<UiError>>,
}

/// `/p/<project>/drift/<prompt>`
#[component]
pub fn DriftOfPromptPage() -> impl IntoView {
    remember_refusal();
    let project = use_project();
    let params = use_params_map();
    let name = Memo::new(move |_| params.with(|params| params.get("name").unwrap_or_default()));
    let (run, save) = (ServerAction::new(), ServerAction::new());
    let acts = Acts {
        run,
        run_error: refusal(run),
        save,
        save_error: refusal(save),
    };
    // A refused schedule stays as it was typed: only what was done loads the page anew.
    let n_saved = Memo::new(move |before: Option<&usize>| match save.value().get() {
        Some(Ok(())) => save.version().get(),
        Some(Err(_)) | None => before.copied().unwrap_or_default(),
    });
    say_when_done(save, "Schedule saved");
    let heard = use_feed().heard(&["drift", "deployment"]);
    let view = Resource::new(
        move || {
            let done = (run.version().get(), n_saved.get());
            (project.get(), name.get(), heard.get(), done)
        },
        |(project, name, _, _)| load_drift_of(project, name),
    );
    let may_run = use_membership().may(Permission::RunEvals);
    view! {
        <LoadedPage from=view let:shown>
            <Body project=project.get_untracked() shown acts may_run/>
        </LoadedPage>
    }
}

#[component]
fn Body(project: String, shown: DetailView, acts: Acts, may_run: bool) -> impl IntoView {
    let standing = &shown.standing;
    let facts = facts(&project, &shown);
    let run_now = (may_run && shown.running.is_none())
        .then(|| run_now(&project, standing.prompt.as_str(), acts));
    let running = shown.running.clone().map(|run| {
        let href = run_address(&project, &run, &RunQuery::default());
        view! {
            <Banner tone=Tone::Info title="A check is under way">
                <p>"Its verdict comes when "<a href=href>"the run"</a>" ends."</p>
            </Banner>
        }
    });
    let chart = shown.chart.clone().map(|chart| {
        view! {
            <section class="section" aria-labelledby="ewma-h">
                <div class="section-head"><h2 id="ewma-h">"Since promotion"</h2></div>
                <Figure id="ewma" name="the checks since promotion" chart/>
                <p class="note">"The running average (EWMA) weighs the newest check with a fifth. Its limits lie three standard deviations from the rate at promotion, and grow with the first checks. Leaving them is a reason to watch; an alarm is raised by the paired test alone, so that a prompt that did not change is called drifted in at most one week of twenty."</p>
            </section>
        }
    });
    let next_step = next_step(&project, &shown);
    view! {
        <PageHeader
            title=standing.prompt.to_string()
            lede=|| "Is it still as good as when it was promoted?"
            actions=move || view! { {run_now} }
        >
            {facts}
        </PageHeader>
        <Refusal error=acts.run_error/>
        <section class="section" aria-labelledby="standing-h">
            <h2 id="standing-h" class="sr-only">"Standing"</h2>
            <div class="verdict" data-size="large" role="status">
                {parts::badge(standing.state)}
                <p><strong>{standing.reason.clone()}</strong></p>
            </div>
            {next_step}
            {running}
        </section>
        {chart}
        {causes(&shown)}
        {checks(&project, &shown)}
        <Inputs inputs=shown.inputs windows=shown.windows/>
        <ScheduleForm
            project=project.clone() prompt=shown.standing.prompt.to_string() schedule=shown.schedule words=shown.schedule_words
            next_due=shown.next_due now=shown.now acts may_run
        />
    }
}

fn run_now(project: &str, prompt: &str, acts: Acts) -> impl IntoView + use<> {
    let (project, prompt) = (project.to_owned(), prompt.to_owned());
    let is_busy = move || {
        acts.run
            .pending()
            .try_get()
            .unwrap_or_default()
            .then_some("true")
    };
    view! {
        <ActionForm action=acts.run>
            <input type="hidden" name="project" value=project/>
            <input type="hidden" name="prompt" value=prompt/>
            <button type="submit" class="btn" data-kind="primary" aria-busy=is_busy><Icon glyph=Glyph::Runs/>"Run now"</button>
        </ActionForm>
    }
}

fn facts(project: &str, shown: &DetailView) -> impl IntoView + use<> {
    let standing = &shown.standing;
    let version = prompts::version(project, standing.prompt.as_str(), standing.version);
    let number = format!("v{}", standing.version);
    let suite = match shown.suite.clone() {
        Some((id, name)) => {
            let href = suite_address(project, &id);
            view! { <a href=href>{name}</a> }.into_any()
        }
        None => view! { "none" }.into_any(),
    };
    let frozen = shown.frozen_run.clone().map(|run| {
        let href = run_address(project, &run, &RunQuery::default());
        view! { <div><dt>"Held against"</dt><dd><a href=href>"the run at promotion"</a></dd></div> }
    });
    let checked = standing.checked_at.map(|at| {
        view! { <div><dt>"Last check"</dt><dd><RelativeTime at now=shown.now has_ago=true/></dd></div> }
    });
    let next = match shown.next_due {
        Some(at) => parts::ahead(at, shown.now),
        None => view! { "off" }.into_any(),
    };
    view! {
        <dl class="bar">
            <div><dt>"Serves"</dt><dd><a href=version>{number}</a></dd></div>
            <div><dt>"Environment"</dt><dd>{standing.environment.clone()}</dd></div>
            <div><dt>"Promoted"</dt><dd><RelativeTime at=shown.promoted_at now=shown.now has_ago=true/></dd></div>
            <div><dt>"Suite"</dt><dd>{suite}</dd></div>
            {frozen}
            {checked}
            <div><dt>"Next check"</dt><dd>{next}</dd></div>
        </dl>
    }
}

/// Where to go when nobody can say, or something is wrong.
fn next_step(project: &str, shown: &DetailView) -> AnyView {
    let prompt = shown.standing.prompt.as_str();
    let why = shown
        .last
        .as_ref()
        .and_then(|last| last.finding.why.as_ref());
    let run = shown.last.as_ref().and_then(|last| last.run);
    let (href, words) = match (why, run) {
        _ if shown.suite.is_none() => (
            format!("/p/{}/suites", prompts::segment(project)),
            "To the suites",
        ),
        (Some(Why::NotRunnable { .. }), _) => {
            (crate::runs::links::providers(project), "To the providers")
        }
        (Some(Why::FewCommonCases { .. } | Why::ScorersChanged), _) => {
            (prompts::tab(project, prompt, "evals"), "To the evals")
        }
        (_, Some(run)) => (
            run_address(project, &run.to_string(), &RunQuery::default()),
            "Look at the last run, case by case",
        ),
        (_, None) => return ().into_any(),
    };
    view! { <p><a href=href>{words}</a></p> }.into_any()
}

/// What is not as it was at promotion.
fn causes(shown: &DetailView) -> AnyView {
    let Some(last) = shown.last.as_ref().filter(|last| last.frozen_run.is_some()) else {
        return ().into_any();
    };
    let causes = &last.finding.causes;
    let body = if causes.is_empty() {
        view! { <p>"Nothing that can be seen: the same prompt, the same suite, the same judges, and a model that gives the same name and fingerprint. A provider may still have changed what is behind them."</p> }
            .into_any()
    } else {
        let rows = causes
            .iter()
            .map(|cause| {
                view! {
                    <tr>
                        <th scope="row" data-cell="lead">{cause.what.label()}</th>
                        <td>{cause.before.clone()}</td>
                        <td>{cause.after.clone()}</td>
                        <td data-cell="full">{cause.sentence.clone()}</td>
                    </tr>
                }
            })
            .collect_view();
        view! {
            <TableWrap label="What changed since promotion">
                <table class="table" data-stack="">
                    <thead><tr><th scope="col">"What"</th><th scope="col">"At promotion"</th><th scope="col">"Now"</th><th scope="col">"Meaning"</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableWrap>
        }
        .into_any()
    };
    view! {
        <section class="section" aria-labelledby="causes-h">
            <div class="section-head"><h2 id="causes-h">"What changed since promotion"</h2></div>
            {body}
        </section>
    }
    .into_any()
}

fn checks(project: &str, shown: &DetailView) -> AnyView {
    if shown.checks.is_empty() {
        return ().into_any();
    }
    let rows = shown
        .checks
        .iter()
        .map(|(check, by, kind)| one_check(project, check, by, kind, shown.now))
        .collect_view();
    view! {
        <section class="section" aria-labelledby="checks-h">
            <div class="section-head"><h2 id="checks-h">"Checks"</h2></div>
            <TableWrap label="Checks, newest first">
                <table class="table" data-stack="">
                    <thead>
                        <tr>
                            <th scope="col">"When"</th>
                            <th scope="col">"State"</th>
                            <th scope="col" data-align="end">"Version"</th>
                            <th scope="col" data-align="end">"Passes"</th>
                            <th scope="col" data-align="end">"Lost, gained"</th>
                            <th scope="col" data-align="end">"p"</th>
                            <th scope="col">"Asked by"</th>
                            <th scope="col">"Run"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableWrap>
        </section>
    }
    .into_any()
}

fn one_check(
    project: &str,
    check: &Check,
    by: &str,
    kind: &str,
    now: chrono::DateTime<chrono::Utc>,
) -> impl IntoView + use<> {
    let numbers = check.finding.numbers.as_ref();
    let or_dash = |words: Option<String>| words.unwrap_or_else(|| "–".to_owned());
    let rate = or_dash(numbers.map(|numbers| format!("{:.1} %", numbers.pass_rate * 100.0)));
    let moved = or_dash(numbers.map(|numbers| format!("{}, {}", numbers.lost, numbers.gained)));
    let p = or_dash(numbers.map(|numbers| match numbers.p_value {
        p if p < 0.0001 => "< 0.0001".to_owned(),
        p => format!("{p:.4}"),
    }));
    let run = match check.run {
        Some(run) => {
            let href = run_address(project, &run.to_string(), &RunQuery::default());
            view! { <a href=href>"Run"<span class="sr-only">{format!(" of {}", crate::ui::time::exact(check.checked_at))}</span></a> }
                .into_any()
        }
        None => view! { "none" }.into_any(),
    };
    let by = match check.due_at {
        Some(_) => view! { "schedule" }.into_any(),
        None if kind == "person" => view! { <Who name=by.to_owned()/> }.into_any(),
        None => view! { <Who name=by.to_owned() kind="key"/> }.into_any(),
    };
    view! {
        <tr title=check.finding.sentence.clone()>
            <th scope="row" data-cell="lead"><RelativeTime at=check.checked_at now has_ago=true/></th>
            <td data-fit="">{parts::badge(check.finding.state)}</td>
            <td data-align="end" data-fit="">{format!("v{}", check.version)}</td>
            <td data-align="end" class="num">{rate}</td>
            <td data-align="end" data-cell="hide" class="num">{moved}</td>
            <td data-align="end" data-cell="hide" class="num">{p}</td>
            <td>{by}</td>
            <td data-fit="">{run}</td>
        </tr>
    }
}
