//! What the pages of runs get of the server. `now` comes along, so that the server and the
//! browser tell the same time.

use chrono::{DateTime, Utc};
use domain::{
    actor::Who,
    diff::Segment,
    gate::{GatePolicy, GateVerdict, Verdict},
    id::{CaseId, RunId, SuiteId},
    prompt::{PromptName, Version},
    run::{AnsweredBy, Change, Run},
    scoring::Score,
    stats::Interval,
};
use serde::{Deserialize, Serialize};

/// The list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunsView {
    /// One page of runs, newest first.
    pub runs: Vec<Run>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
    /// The project's suites, to filter by and to launch on.
    pub suites: Vec<SuiteChoice>,
    /// The form that launches, if it is open.
    pub launch: Option<LaunchView>,
    /// When this was read.
    pub now: DateTime<Utc>,
}

/// A suite to choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuiteChoice {
    /// The suite.
    pub id: SuiteId,
    /// Its name.
    pub name: String,
    /// The prompt it is for.
    pub prompt: PromptName,
    /// How many cases it holds.
    pub n_cases: i32,
    /// Its revision.
    pub revision: i32,
}

/// What can be launched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaunchView {
    /// The prompt; none until a suite or a prompt is chosen.
    pub prompt: Option<PromptName>,
    /// The suites of that prompt, or all of them.
    pub suites: Vec<SuiteChoice>,
    /// The one chosen.
    pub suite: Option<SuiteId>,
    /// The prompt's newest versions, and the one asked for.
    pub versions: Vec<Version>,
    /// The one chosen.
    pub version: Option<i32>,
    /// Tags of the chosen suite's first cases.
    pub tags: Vec<String>,
    /// The providers that can judge.
    pub providers: Vec<String>,
    /// What will keep the chosen version from running.
    pub trouble: Option<Trouble>,
}

/// What keeps a version from running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trouble {
    /// The version names no model.
    NoModel,
    /// Nobody said where that provider answers.
    NoProvider(String),
}

/// A run's page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunView {
    /// The run.
    pub run: Run,
    /// What its answers took together.
    pub totals: Totals,
    /// How it is getting on; none once it is over.
    pub pace: Option<Pace>,
    /// The gate that asked for it.
    pub gate: Option<GateOf>,
    /// What it is held against.
    pub baseline: Option<Run>,
    /// Why it is held against nothing, or not against what was asked.
    pub no_baseline: Option<String>,
    /// What else it can be held against.
    pub baselines: Vec<Run>,
    /// What came of that.
    pub judged: Option<Judged>,
    /// One page of results.
    pub rows: Vec<Row>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
    /// When this was read.
    pub now: DateTime<Utc>,
}

impl RunView {
    /// Whether nothing more will change on this page by itself.
    pub fn is_final(&self) -> bool {
        let is_decided = self.gate.as_ref().is_none_or(|gate| gate.is_decided);
        self.run.status.is_over() && is_decided
    }
}

/// What a run's answers took together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Tokens read.
    pub input_tokens: Option<i64>,
    /// Tokens written.
    pub output_tokens: Option<i64>,
    /// Tokens read that came from the provider's cache.
    pub cache_read_tokens: Option<i64>,
    /// The median time of a call.
    pub median_latency_ms: Option<f64>,
}

/// How a run is getting on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// Results per second over the last moments.
    pub per_second: Option<f64>,
    /// Seconds to go at that rate.
    pub seconds_left: Option<i64>,
    /// Until when nobody asks the provider.
    pub paused_until: Option<DateTime<Utc>>,
}

/// The gate that asked for a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateOf {
    /// By what it judges.
    pub policy: GatePolicy,
    /// Whether it has.
    pub is_decided: bool,
}

/// A run held against another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The verdict with everything it rests on.
    pub verdict: GateVerdict,
    /// The verdict in a sentence.
    pub sentence: String,
    /// Whether this is what the gate decided, and not only what is worked out for this page.
    pub is_gate: bool,
    /// Cases that pass under both; none where the gate's frozen verdict does not say.
    pub both_pass: Option<u64>,
    /// Cases that fail under both.
    pub both_fail: Option<u64>,
    /// The level of the intervals, as a proportion.
    pub level: f64,
}

/// One result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The case.
    pub case: CaseId,
    /// Where it stands in the suite.
    pub position: i32,
    /// Which of the repeats, from 0.
    pub repeat: i32,
    /// What became of the case from the baseline.
    pub change: Option<Change>,
    /// Whether losing it alone fails a gate.
    pub must_pass: bool,
    /// Whether the baseline's repeats disagreed.
    pub is_flaky: bool,
    /// What the case is about, for people.
    pub note: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// What the prompt was called with, name and value.
    pub input: Vec<(String, String)>,
    /// What was expected.
    pub expected: Option<String>,
    /// Whether every scorer that counts is content.
    pub passed: bool,
    /// The weighted mean of the scores.
    pub score: Option<f64>,
    /// One for each scorer.
    pub scores: Vec<Score>,
    /// What was answered.
    pub output: Option<String>,
    /// The tools that were called, as JSON.
    pub tool_calls: Option<String>,
    /// Why there is no output.
    pub error: Option<String>,
    /// What the baseline answered.
    pub before: Option<Before>,
    /// Both outputs in one, where they differ.
    pub difference: Option<Vec<Segment>>,
    /// From sending to the last byte.
    pub latency_ms: Option<f64>,
    /// From sending to the first piece.
    pub ttft_ms: Option<f64>,
    /// Tokens read.
    pub input_tokens: Option<i32>,
    /// Tokens written.
    pub output_tokens: Option<i32>,
    /// Tokens from the provider's cache.
    pub cache_read_tokens: Option<i32>,
    /// In US dollars.
    pub cost_usd: Option<f64>,
    /// Why it stopped, as the provider says.
    pub finish_reason: Option<String>,
    /// Which model answered.
    pub answered_by: Option<AnsweredBy>,
}

/// What the baseline made of a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Before {
    /// Whether it passed.
    pub passed: bool,
    /// What it answered.
    pub output: Option<String>,
    /// Why it did not.
    pub error: Option<String>,
}

/// The Evals tab of a prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvalsView {
    /// The latest runs, the newest version first.
    pub runs: Vec<Run>,
    /// What gates said of them.
    pub verdicts: Vec<(RunId, Verdict)>,
    /// The gate of each environment, in their order.
    pub gates: Vec<GateRow>,
    /// The prompt's suites.
    pub suites: Vec<SuiteChoice>,
    /// The version that serves production.
    pub active: Option<i32>,
    /// The newest version.
    pub newest: Option<i32>,
    /// When this was read.
    pub now: DateTime<Utc>,
}

/// An environment and what it asks of this prompt's versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateRow {
    /// The environment.
    pub environment: String,
    /// Whether promotions into it need one.
    pub is_required: bool,
    /// What is set.
    pub rule: Option<RuleOf>,
}

/// A gate that is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleOf {
    /// The suite that is run.
    pub suite: SuiteId,
    /// Its name.
    pub suite_name: String,
    /// By what the runs are judged.
    pub policy: GatePolicy,
    /// Who set it.
    pub by: Who,
    /// When.
    pub at: DateTime<Utc>,
}

/// A version's last completed run, in brief.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastRun {
    /// The version's number.
    pub version: i32,
    /// The run.
    pub run: RunId,
    /// The share that passed.
    pub pass_rate: Option<f64>,
    /// Wilson's interval of it at 95 %.
    pub interval: Option<Interval>,
    /// How many results there were.
    pub n_results: i64,
    /// What the gate said, if the run was a candidate's.
    pub verdict: Option<Verdict>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}
