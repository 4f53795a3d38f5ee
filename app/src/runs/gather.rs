//! On the server: gathers what the pages of runs show. No rule is decided here.

use std::collections::HashMap;

use chrono::TimeDelta;
use domain::{
    diff::text_diff,
    gate::{self, CasePair, GatePolicy},
    id::{CaseId, RunId, SuiteId},
    page::{Listing, PageRequest},
    prompt::PromptName,
    run::{Change, Run, RunStatus, rate},
};
use store::{
    gates::Gate,
    runs::{
        self, Filter, compare,
        results::{self, Answer, Which},
    },
};

use super::{
    links::{ListQuery, RunQuery, Show},
    shapes::{
        Before, EvalsView, GateOf, GateRow, Judged, LastRun, LaunchView, Pace, Row, RuleOf,
        RunView, RunsView, SuiteChoice, Totals, Trouble,
    },
};
use crate::{context::Cx, error::UiError, prompts::words::written};

/// Runs on a page.
const RUNS: &str = "30";
/// Results on a page: each comes with what was asked and answered, twice.
const RESULTS: &str = "25";
/// Suites, versions and baselines offered.
const MAX_CHOICES: u16 = 200;
/// How far back the pace is looked at, in seconds.
const RECENT: i64 = 10;
/// The longest text of an output or a variable on the page, in characters.
const MAX_TEXT: usize = 20_000;
/// Runs on a prompt's tab.
const EVALS: u16 = 30;
/// Cases looked at for tags to offer.
const TAGGED: u16 = 200;

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

/// Suites to choose from, of all prompts or of one.
pub async fn suites(cx: &Cx, prompt: Option<&PromptName>) -> Result<Vec<SuiteChoice>, UiError> {
    let page = PageRequest::first(MAX_CHOICES);
    let suites = store::suites::list(&cx.store, &cx.actor, prompt, &page).await?;
    Ok(suites
        .items
        .into_iter()
        .map(|suite| SuiteChoice {
            id: suite.id,
            name: suite.name,
            prompt: suite.prompt,
            n_cases: suite.n_cases,
            revision: suite.revision,
        })
        .collect())
}

async fn launch(
    cx: &Cx,
    query: &ListQuery,
    prompt: Option<PromptName>,
    suite: Option<SuiteId>,
    all: &[SuiteChoice],
) -> Result<LaunchView, UiError> {
    let prompt = match (prompt, suite) {
        (Some(prompt), _) => Some(prompt),
        (None, Some(suite)) => store::suites::find(&cx.store, &cx.actor, suite)
            .await?
            .map(|suite| suite.prompt),
        (None, None) => None,
    };
    let Some(prompt) = prompt else {
        return Ok(LaunchView {
            prompt: None,
            suites: all.to_vec(),
            suite: None,
            versions: Vec::new(),
            version: None,
            tags: Vec::new(),
            providers: Vec::new(),
            trouble: None,
        });
    };
    let found = store::prompts::find(&cx.store, &cx.actor, &prompt)
        .await?
        .ok_or_else(|| missing("prompt"))?;
    let suites = suites(cx, Some(&prompt)).await?;
    let suite = suites
        .iter()
        .find(|one| Some(one.id) == suite)
        .or(suites.first())
        .map(|suite| suite.id);
    let choices = PageRequest::first(MAX_CHOICES);
    let versions = store::versions::list(&cx.store, &cx.actor, &prompt, &choices)
        .await?
        .items;
    let version = query.version.or(found.latest_version);
    let trouble = match version {
        None => None,
        Some(number) => trouble(cx, &prompt, number).await?,
    };
    let tags = match suite {
        None => Vec::new(),
        Some(suite) => tags(cx, suite).await?,
    };
    Ok(LaunchView {
        prompt: Some(prompt),
        suites,
        suite,
        versions,
        version,
        tags,
        providers: providers(cx).await?,
        trouble,
    })
}

async fn providers(cx: &Cx) -> Result<Vec<String>, UiError> {
    let found = store::providers::list(&cx.store, &cx.actor).await?;
    Ok(found.into_iter().map(|provider| provider.name).collect())
}

/// What launching would refuse, said before anybody fills in a form.
async fn trouble(cx: &Cx, prompt: &PromptName, number: i32) -> Result<Option<Trouble>, UiError> {
    let version = store::versions::find(&cx.store, &cx.actor, prompt, number)
        .await?
        .ok_or_else(|| missing("version"))?;
    let Some(model) = version.content.model else {
        return Ok(Some(Trouble::NoModel));
    };
    let providers = store::providers::list(&cx.store, &cx.actor).await?;
    let is_there = providers
        .iter()
        .any(|provider| provider.name == model.provider);
    Ok((!is_there).then_some(Trouble::NoProvider(model.provider)))
}

async fn tags(cx: &Cx, suite: SuiteId) -> Result<Vec<String>, UiError> {
    let page = PageRequest::first(TAGGED);
    let cases = store::suites::cases(&cx.store, &cx.actor, suite, None, None, &page).await?;
    let mut tags: Vec<String> = cases
        .items
        .into_iter()
        .flat_map(|case| case.case.tags)
        .collect();
    tags.sort();
    tags.dedup();
    Ok(tags)
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

async fn rows(
    cx: &Cx,
    run: &Run,
    baseline: Option<&Run>,
    query: &RunQuery,
) -> Result<(Vec<Row>, Option<String>), UiError> {
    let page = page(RESULTS, &query.cursor)?;
    let (store, by) = (&cx.store, &cx.actor);
    let (answers, next_cursor) = if let Some((change, baseline)) = change(query.show).zip(baseline)
    {
        let cases = compare::cases(store, by, baseline.id, run.id, Some(change), &page).await?;
        let ids: Vec<CaseId> = cases.items.iter().map(|case| case.case).collect();
        let answers = results::of_cases(store, by, run.id, &ids).await?;
        (answers, cases.next_cursor)
    } else {
        let which = match query.show {
            Show::Passed => Which::Passed,
            Show::Failed => Which::Failed,
            Show::Errors => Which::Errors,
            Show::All | Show::Lost | Show::Gained | Show::BothPass | Show::BothFail => Which::All,
        };
        let answers = results::list(store, by, run.id, which, None, &page).await?;
        (answers.items, answers.next_cursor)
    };
    let mut ids: Vec<CaseId> = answers.iter().map(|answer| answer.result.case).collect();
    ids.dedup();
    let before = match baseline {
        None => HashMap::new(),
        Some(baseline) => by_case(results::of_cases(store, by, baseline.id, &ids).await?),
    };
    // A case passes by the majority of its repeats, and a page may hold only some of them.
    let after = if baseline.is_some() && run.options.repeats > 1 {
        by_case(results::of_cases(store, by, run.id, &ids).await?)
    } else {
        HashMap::new()
    };
    let rows = answers
        .into_iter()
        .map(|answer| {
            let case = answer.result.case;
            let before = before.get(&case).map(Vec::as_slice);
            let passes = match after.get(&case) {
                Some(repeats) => majority(repeats).0,
                None => answer.result.passed,
            };
            row(answer, passes, before, baseline.is_some())
        })
        .collect();
    Ok((rows, next_cursor))
}

const fn change(show: Show) -> Option<Change> {
    match show {
        Show::Lost => Some(Change::Lost),
        Show::Gained => Some(Change::Gained),
        Show::BothPass => Some(Change::BothPass),
        Show::BothFail => Some(Change::BothFail),
        Show::All | Show::Passed | Show::Failed | Show::Errors => None,
    }
}

fn by_case(answers: Vec<Answer>) -> HashMap<CaseId, Vec<Answer>> {
    let mut found: HashMap<CaseId, Vec<Answer>> = HashMap::new();
    for answer in answers {
        found.entry(answer.result.case).or_default().push(answer);
    }
    found
}

fn majority(repeats: &[Answer]) -> (bool, f64) {
    let passes: Vec<bool> = repeats.iter().map(|answer| answer.result.passed).collect();
    gate::majority(&passes)
}

fn row(answer: Answer, passes: bool, before: Option<&[Answer]>, is_compared: bool) -> Row {
    let Answer { case, result } = answer;
    let majority = before.map(majority);
    // The same repeat, so that what is shown side by side was asked the same way.
    let twin = before.and_then(|repeats| {
        repeats
            .iter()
            .find(|one| one.result.repeat == result.repeat)
            .or(repeats.first())
    });
    let output = result.output.as_deref().map(cut);
    let before = twin.map(|twin| Before {
        passed: twin.result.passed,
        output: twin.result.output.as_deref().map(cut),
        error: twin.result.error.clone(),
    });
    let difference = match (&before, &output) {
        (
            Some(Before {
                output: Some(old), ..
            }),
            Some(new),
        ) if old != new => Some(text_diff(old, new)),
        _ => None,
    };
    let input = case
        .variables
        .iter()
        .chain(&case.placeholders)
        .map(|(name, value)| (name.clone(), cut(&written(value))))
        .collect();
    Row {
        case: result.case,
        position: result.position,
        repeat: result.repeat,
        change: is_compared.then(|| Change::of(majority.map(|(passed, _)| passed), passes)),
        must_pass: case.must_pass,
        is_flaky: majority.is_some_and(|(_, flake_rate)| flake_rate > 0.0),
        note: case.note,
        tags: case.tags,
        input,
        expected: case.expected.as_ref().map(|value| cut(&written(value))),
        passed: result.passed,
        score: result.score,
        scores: result.scores,
        output,
        tool_calls: result
            .tool_calls
            .filter(|calls| !calls.is_empty())
            .map(|calls| crate::prompts::words::pretty(&calls.into())),
        error: result.error,
        before,
        difference,
        latency_ms: result.latency_ms,
        ttft_ms: result.ttft_ms,
        input_tokens: result.input_tokens,
        output_tokens: result.output_tokens,
        cache_read_tokens: result.cache_read_tokens,
        cost_usd: result.cost_usd,
        finish_reason: result.finish_reason,
        answered_by: result.answered_by,
    }
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

/// A text as far as a page shows it.
fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…\n\n(cut here; the API has the whole)", &text[..end]),
    }
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
