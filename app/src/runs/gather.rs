//! On the server: gathers what the pages of runs show. No rule is decided here.

mod launching;
mod rows;

use chrono::TimeDelta;
use domain::{
    gate::{self, CasePair, GatePolicy},
    id::{RunId, SuiteId},
    page::{Listing, PageRequest},
    prompt::PromptName,
    run::{Change, Run, RunStatus, rate},
};
use store::{
    gates::Gate,
    runs::{self, Filter, compare, results},
};

use super::{
    links::{ListQuery, RunQuery},
    shapes::{
        EvalsView, GateOf, GateRow, Judged, LastRun, Pace, RuleOf, RunView, RunsView, Totals,
    },
};
use crate::{context::Cx, error::UiError};
use launching::launch;
use rows::rows;

pub use launching::suites;

/// Runs on a page.
const RUNS: &str = "30";
/// Suites, versions and baselines offered.
const MAX_CHOICES: u16 = 200;
/// How far back the pace is looked at, in seconds.
const RECENT: i64 = 10;
/// Runs on a prompt's tab.
const EVALS: u16 = 30;

pub async fn list(cx: &Cx, query: &ListQuery) -> Result<RunsView, UiError> {
    let prompt = name(&query.prompt);
    // What cannot be in an address means nothing is found, not that the page is broken.
    let suite: Option<SuiteId> = query.suite.parse().ok();
    let is_nothing = (!query.prompt.is_empty() && prompt.is_none())
        || (!query.suite.is_empty() && suite.is_none());
    let filter = Filter {
        prompt: prompt.as_ref(),
        suite,
        version: None,
        status: RunStatus::from_word(&query.status),
    };
    let page = page(RUNS, &query.cursor)?;
    let runs = if is_nothing {
        Listing::whole(Vec::new())
    } else {
        runs::list(&cx.store, &cx.actor, &filter, &page).await?
    };
    let suites = suites(cx, None).await?;
    let launch = if query.is_launching {
        Some(launch(cx, query, prompt, suite, &suites).await?)
    } else {
        None
    };
    Ok(RunsView {
        runs: runs.items,
        next_cursor: runs.next_cursor,
        suites,
        launch,
        now: cx.now,
    })
}

pub async fn run(cx: &Cx, id: &str, query: &RunQuery) -> Result<RunView, UiError> {
    let id: RunId = id.parse().map_err(|_| missing("run"))?;
    let run = runs::find(&cx.store, &cx.actor, id)
        .await?
        .ok_or_else(|| missing("run"))?;
    let gate = store::gates::find(&cx.store, &cx.actor, id).await?;
    let since = cx.now - TimeDelta::seconds(RECENT);
    let totals = results::totals(&cx.store, &cx.actor, id, since).await?;
    let pace = (!run.status.is_over()).then(|| pace(cx, &run, totals.n_since));
    let (baseline, no_baseline, baselines) = baseline(cx, &run, gate.as_ref(), query).await?;
    let judged = judge(cx, &run, gate.as_ref(), baseline.as_ref()).await?;
    // Nothing to compare with yet: a filter by change falls back to all.
    let compared = baseline.as_ref().filter(|_| judged.is_some());
    let (rows, next_cursor) = rows(cx, &run, compared, query).await?;
    Ok(RunView {
        totals: Totals {
            input_tokens: totals.input_tokens,
            output_tokens: totals.output_tokens,
            cache_read_tokens: totals.cache_read_tokens,
            median_latency_ms: totals.median_latency_ms,
        },
        pace,
        gate: gate.map(|gate| GateOf {
            policy: gate.policy,
            is_decided: gate.verdict.is_some(),
        }),
        baseline,
        no_baseline,
        baselines,
        judged,
        rows,
        next_cursor,
        run,
        now: cx.now,
    })
}

fn pace(cx: &Cx, run: &Run, n_recent: i64) -> Pace {
    let paused_until = cx
        .models
        .paused_until(cx.project.id, &run.provider)
        .filter(|until| *until > cx.now);
    let elapsed = run
        .started_at
        .map_or(0.0, |started| seconds(cx.now - started));
    #[expect(clippy::cast_precision_loss, reason = "counts of results are small")]
    let per_second = (elapsed >= 1.0 && n_recent > 0)
        .then(|| n_recent as f64 / elapsed.min(seconds(TimeDelta::seconds(RECENT))));
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "whole seconds of a run's length"
    )]
    let seconds_left = per_second.map(|rate| ((run.total - run.done) as f64 / rate).ceil() as i64);
    Pace {
        per_second,
        seconds_left,
        paused_until,
    }
}

fn seconds(time: TimeDelta) -> f64 {
    time.as_seconds_f64()
}

/// What a run is held against: what was asked for, the gate's baseline, or the newest run of what
/// serves production on the same cases.
async fn baseline(
    cx: &Cx,
    run: &Run,
    gate: Option<&Gate>,
    query: &RunQuery,
) -> Result<(Option<Run>, Option<String>, Vec<Run>), UiError> {
    let filter = Filter {
        prompt: Some(&run.prompt),
        suite: Some(run.suite),
        version: None,
        status: Some(RunStatus::Completed),
    };
    let page = PageRequest::first(MAX_CHOICES);
    let mut others = runs::list(&cx.store, &cx.actor, &filter, &page)
        .await?
        .items;
    others.retain(|other| other.revision == run.revision && other.id != run.id);
    if !query.against.is_empty() {
        let asked: Option<RunId> = query.against.parse().ok();
        let found = match asked {
            None => None,
            Some(id) => runs::find(&cx.store, &cx.actor, id).await?,
        };
        let why = found.is_none().then(|| "There is no such run.".to_owned());
        return Ok((found, why, others));
    }
    if let Some((id, _)) = gate.and_then(|gate| gate.baseline) {
        let found = runs::find(&cx.store, &cx.actor, id).await?;
        return Ok((found, None, others));
    }
    let active = store::prompts::find(&cx.store, &cx.actor, &run.prompt)
        .await?
        .and_then(|prompt| prompt.active_version);
    let found = others
        .iter()
        .find(|other| active.is_some() && other.version == active && run.version != active)
        .cloned();
    let why = match (&found, active) {
        (Some(_), _) => None,
        (None, None) => Some("Nothing serves production yet.".to_owned()),
        (None, Some(active)) if run.version == Some(active) => Some(format!(
            "v{active} serves production: it is what others are held against."
        )),
        (None, Some(active)) => Some(format!(
            "v{active} serves production and has no completed run on revision {} of this suite.",
            run.revision
        )),
    };
    Ok((found, why, others))
}

/// The gate's verdict where it decided; else what its policy, or the usual one, says of both runs
/// as soon as both are there.
async fn judge(
    cx: &Cx,
    run: &Run,
    gate: Option<&Gate>,
    baseline: Option<&Run>,
) -> Result<Option<Judged>, UiError> {
    let policy = gate.map_or_else(GatePolicy::default, |gate| gate.policy.clone());
    let is_gates = gate.is_some_and(|gate| {
        gate.baseline.map(|(id, _)| id) == baseline.map(|baseline| baseline.id)
    });
    let decided = gate
        .filter(|_| is_gates)
        .and_then(|gate| gate.verdict.clone());
    let is_complete = |run: &Run| run.status == RunStatus::Completed;
    let pairs = match baseline {
        Some(baseline) if is_complete(run) && is_complete(baseline) => {
            Some(compare::pairs_of(&cx.store, &cx.actor, baseline.id, run.id).await?)
        }
        _ => None,
    };
    let count = |pairs: &[CasePair], wanted: Change| {
        pairs
            .iter()
            .filter(|pair| Change::of(pair.passed_before, pair.passed_after) == wanted)
            .count() as u64
    };
    let (both_pass, both_fail) = (
        pairs.as_deref().map(|pairs| count(pairs, Change::BothPass)),
        pairs.as_deref().map(|pairs| count(pairs, Change::BothFail)),
    );
    let is_gate = decided.is_some();
    let verdict = decided.or_else(|| Some(gate::judge(&policy, pairs.as_deref()?)));
    Ok(verdict.map(|verdict| Judged {
        sentence: gate::sentence(&verdict),
        verdict,
        is_gate,
        both_pass,
        both_fail,
        level: 1.0 - policy.alpha,
    }))
}

/// A prompt's latest runs and its gates.
pub async fn evals(cx: &Cx, prompt: &str) -> Result<EvalsView, UiError> {
    let name = name(prompt).ok_or_else(|| missing("prompt"))?;
    let prompt = store::prompts::find(&cx.store, &cx.actor, &name)
        .await?
        .ok_or_else(|| missing("prompt"))?;
    let filter = Filter {
        prompt: Some(&name),
        ..Filter::default()
    };
    let latest = PageRequest::first(EVALS);
    let mut runs = runs::list(&cx.store, &cx.actor, &filter, &latest)
        .await?
        .items;
    // Stable: within a version the newest stays first.
    runs.sort_by_key(|run| std::cmp::Reverse(run.version.unwrap_or(i32::MAX)));
    let mut numbers: Vec<i32> = runs.iter().filter_map(|run| run.version).collect();
    numbers.dedup();
    let verdicts = runs::latest(&cx.store, &cx.actor, &name, &numbers)
        .await?
        .into_iter()
        .filter_map(|last| Some((last.run, last.verdict?)))
        .collect();
    let mut rules = store::gates::rules(&cx.store, &cx.actor, &name).await?;
    let gates = store::environments::list(&cx.store, &cx.actor)
        .await?
        .into_iter()
        .map(|environment| {
            let at = rules
                .iter()
                .position(|rule| rule.environment == environment.name);
            let rule = at.map(|at| rules.swap_remove(at)).map(|rule| RuleOf {
                suite: rule.suite,
                suite_name: rule.suite_name,
                policy: rule.policy,
                by: rule.by,
                at: rule.at,
            });
            GateRow {
                is_required: environment.policy.gate,
                environment: environment.name,
                rule,
            }
        })
        .collect();
    Ok(EvalsView {
        runs,
        verdicts,
        gates,
        suites: suites(cx, Some(&name)).await?,
        active: prompt.active_version,
        newest: prompt.latest_version,
        now: cx.now,
    })
}

/// The last completed run of each of these versions.
pub async fn last_runs(
    cx: &Cx,
    prompt: &PromptName,
    versions: &[i32],
) -> Result<Vec<LastRun>, UiError> {
    let latest = runs::latest(&cx.store, &cx.actor, prompt, versions).await?;
    Ok(latest
        .into_iter()
        .map(|last| {
            let (pass_rate, interval) = rate(last.passed, last.done);
            LastRun {
                version: last.version,
                run: last.run,
                pass_rate,
                interval,
                n_results: last.done,
                verdict: last.verdict,
                finished_at: last.finished_at,
            }
        })
        .collect())
}

/// A name from an address; none if it cannot be one.
pub fn name(text: &str) -> Option<PromptName> {
    PromptName::parse(text).ok()
}

pub fn missing(noun: &str) -> UiError {
    UiError::NotFound(noun.to_owned())
}

fn page(limit: &str, cursor: &str) -> Result<PageRequest, UiError> {
    PageRequest::parse(Some(limit), Some(cursor))
        .map_err(|error| UiError::Refused(error.to_string()))
}
