//! Eval runs: one content on some cases of a suite's revision, and what came of each.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    actor::Who,
    content::ContentHash,
    field::{FieldError, Fields},
    id::{CaseId, RunId, SuiteId},
    prompt::PromptName,
    scoring::Score,
    stats::{Interval, proportion::Sample},
};

/// The most calls of one run: cases times repeats.
pub const MAX_CALLS: usize = 100_000;
/// How often one case may be repeated.
pub const MAX_REPEATS: i64 = 50;

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type))]
#[cfg_attr(feature = "sqlx", sqlx(type_name = "text", rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// No worker has taken it up yet.
    Queued,
    /// Calls are being made.
    Running,
    /// Every case has its result.
    Completed,
    /// It could not go on; the failure says why.
    Failed,
    /// Somebody stopped it; what was found stays.
    Cancelled,
}

impl RunStatus {
    /// The word used in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [
            Self::Queued,
            Self::Running,
            Self::Completed,
            Self::Failed,
            Self::Cancelled,
        ]
        .into_iter()
        .find(|status| status.word() == word)
    }

    /// Whether nothing more will happen to it.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// What was asked of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunOptions {
    /// Only cases with one of these tags; all cases if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// At most so many cases: those tagged `smoke`, or else drawn stratified by tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The seed of the draw, and of the model where it takes one.
    #[serde(default)]
    pub seed: u32,
    /// How often each case is run.
    #[serde(default = "once")]
    pub repeats: u32,
    /// In US dollars: no further call is made once it is spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_usd: Option<f64>,
    /// The model that judges model-graded scorers; the prompt's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<Judge>,
}

/// The model that judges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = RunJudge))]
pub struct Judge {
    /// A configured provider.
    pub provider: String,
    /// The model's name there.
    pub model: String,
}

const fn once() -> u32 {
    1
}

impl RunOptions {
    /// Reads the members that say how to run; the others stay.
    pub fn read(fields: &mut Fields) -> Self {
        let within = |fields: &mut Fields, name: &str, most: i64| {
            let number = fields.integer(name)?;
            let legal = u32::try_from(number)
                .ok()
                .filter(|_| (1..=most).contains(&number));
            if legal.is_none() {
                fields.refuse(name, format!("must be from 1 to {most}"));
            }
            legal
        };
        let tags = fields.texts("tags").unwrap_or_default();
        let limit = within(fields, "limit", 100_000);
        let repeats = within(fields, "repeats", MAX_REPEATS).unwrap_or(1);
        let seed = fields
            .integer("seed")
            .map_or(Ok(0), u32::try_from)
            .unwrap_or_else(|_| {
                fields.refuse("seed", "must be from 0 to 4294967295");
                0
            });
        let budget_usd = fields.number("budget_usd");
        if budget_usd.is_some_and(|budget| !budget.is_finite() || budget <= 0.0) {
            fields.refuse("budget_usd", "must be more than 0 US dollars");
        }
        let judge = fields.take("judge").and_then(|value| {
            let path = fields.path_of("judge");
            let mut members = Fields::new(&path, value);
            let (provider, model) = (
                members.required_text("provider"),
                members.required_text("model"),
            );
            members
                .finish(|| Judge { provider, model })
                .map_err(|errors: Vec<FieldError>| fields.absorb(errors))
                .ok()
        });
        Self {
            tags,
            limit,
            seed,
            repeats,
            budget_usd,
            judge,
        }
    }
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Run {
    /// The run.
    pub id: RunId,
    /// The prompt.
    pub prompt: PromptName,
    /// The version; none for a candidate that is not saved.
    pub version: Option<i32>,
    /// What was run.
    pub content_hash: ContentHash,
    /// The suite.
    pub suite: SuiteId,
    /// The suite's name.
    pub suite_name: String,
    /// What the suite held.
    pub revision: i32,
    /// Where the model answers.
    pub provider: String,
    /// The model, as the version names it.
    pub model: String,
    /// What was asked for.
    pub options: RunOptions,
    /// How far it has come.
    pub status: RunStatus,
    /// Calls to make: cases times repeats.
    pub total: i64,
    /// Calls with a result.
    pub done: i64,
    /// Results that passed.
    pub passed: i64,
    /// Results that did not pass.
    pub failed: i64,
    /// Calls that ended in an error; they count as not passed.
    pub errors: i64,
    /// Passed of done, as a proportion; none before the first result.
    pub pass_rate: Option<f64>,
    /// Wilson's interval of the pass rate at 95 %.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<f64>>))]
    pub interval: Option<Interval>,
    /// What the calls cost so far, in US dollars; none where no price is known.
    pub cost_usd: Option<f64>,
    /// Why it failed.
    pub failure: Option<String>,
    /// Who launched it.
    pub by: Who,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When the first call was made.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// The share that passed, with its interval.
#[must_use]
pub fn rate(passed: i64, done: i64) -> (Option<f64>, Option<Interval>) {
    let sample = Sample {
        successes: passed.unsigned_abs(),
        n: done.unsigned_abs(),
    };
    (sample.rate(), sample.interval(0.05))
}

/// What came of one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseResult {
    /// The case.
    pub case: CaseId,
    /// Which of the repeats, from 0.
    pub repeat: i32,
    /// Where the case stands in the suite.
    pub position: i32,
    /// What the model answered.
    pub output: Option<String>,
    /// The calls of tools it asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<Object>>))]
    pub tool_calls: Option<Vec<Value>>,
    /// Why it stopped, as the provider says.
    pub finish_reason: Option<String>,
    /// Whether every scorer that counts is content.
    pub passed: bool,
    /// The weighted mean of the scores.
    pub score: Option<f64>,
    /// One for each scorer.
    pub scores: Vec<Score>,
    /// Why there is no output.
    pub error: Option<String>,
    /// From sending to the last byte, in milliseconds.
    pub latency_ms: Option<f64>,
    /// From sending to the first piece of the answer, in milliseconds.
    pub ttft_ms: Option<f64>,
    /// Tokens read.
    pub input_tokens: Option<i32>,
    /// Tokens written.
    pub output_tokens: Option<i32>,
    /// Tokens that came from the provider's cache.
    pub cache_read_tokens: Option<i32>,
    /// Tokens that were put into the provider's cache.
    pub cache_write_tokens: Option<i32>,
    /// In US dollars; none where no price is known.
    pub cost_usd: Option<f64>,
    /// Which model answered.
    pub answered_by: Option<AnsweredBy>,
}

/// How the error of a case begins that the prompt cannot be rendered with.
pub const UNFIT: &str = "the case does not fit the prompt";

/// How the error of a case begins that its scorers cannot judge.
pub const UNSCORABLE: &str = "the case cannot be scored";

/// Whether a result's error says something about the provider and nothing about the prompt: it was
/// away, too busy, or did not accept the key. A case that does not fit the prompt, or a request that
/// the provider finds wrong in itself, is the prompt's own failure.
#[must_use]
pub fn is_of_provider(error: &str) -> bool {
    const WRONG_IN_ITSELF: [&str; 4] = ["400", "404", "413", "422"];
    let refused = error
        .strip_prefix("the provider refused (")
        .and_then(|rest| rest.get(..3));
    !error.starts_with(UNFIT)
        && !error.starts_with(UNSCORABLE)
        && !refused.is_some_and(|status| WRONG_IN_ITSELF.contains(&status))
}

/// Which model answered, as far as the provider says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AnsweredBy {
    /// The model's own name.
    pub model: String,
    /// What changes when the model behind the name does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Parameters that the model refused and that were left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// How often it was tried.
    pub n_tries: u32,
}

/// What became of a case from the baseline to the candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = CaseChange))]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Passed, and fails now.
    Lost,
    /// Failed, and passes now.
    Gained,
    /// Passes under both.
    BothPass,
    /// Fails under both.
    BothFail,
    /// The baseline did not run it.
    New,
}

impl Change {
    /// From what the baseline and the candidate made of it.
    #[must_use]
    pub const fn of(before: Option<bool>, after: bool) -> Self {
        match (before, after) {
            (Some(true), false) => Self::Lost,
            (Some(false), true) => Self::Gained,
            (Some(true), true) => Self::BothPass,
            (Some(false), false) => Self::BothFail,
            (None, _) => Self::New,
        }
    }

    /// The word used in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Gained => "gained",
            Self::BothPass => "both_pass",
            Self::BothFail => "both_fail",
            Self::New => "new",
        }
    }

    /// The change of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [
            Self::Lost,
            Self::Gained,
            Self::BothPass,
            Self::BothFail,
            Self::New,
        ]
        .into_iter()
        .find(|change| change.word() == word)
    }
}

/// One case of two runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ComparedCase {
    /// The case.
    pub case: CaseId,
    /// Where it stands in the suite.
    pub position: i32,
    /// What became of it.
    pub change: Change,
    /// Whether losing it alone fails a gate.
    pub must_pass: bool,
    /// Whether the baseline's repeats disagreed.
    pub flaky: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_provider_did_is_the_providers_error() {
        assert!(is_of_provider("the provider failed (503)"));
        assert!(is_of_provider("timed out after 30 s for the whole call"));
        assert!(is_of_provider("the provider refused (429): out of quota"));
        assert!(!is_of_provider(
            "the provider refused (400): too many tokens"
        ));
        assert!(!is_of_provider(
            "the case does not fit the prompt: text: is required"
        ));
    }
}
