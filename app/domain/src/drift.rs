//! Is a prompt still as good as when it was promoted? The active version's whole suite is run
//! again and held, case by case, against the run that was there at promotion, which never changes.
//!
//! Which test raises the alarm. Only the paired test does (`drifted`): McNemar's mid-p, one-sided
//! for a regression, at [`ALARM_LEVEL`] shared among the checks of a week, also those that people
//! asked for; so a prompt that did not change is called drifted in at most 5 % of weeks. The EWMA chart warns (`watch`) and never
//! alarms: its centre is itself an estimate, the frozen rate, and a chart around an estimated
//! centre alarms far more often than its limits promise (Jones, Champ, Rigdon 2001, "The
//! performance of exponentially weighted moving average charts with estimated parameters"): it
//! would have to be opened so far that it would find nothing. So the union of both is the paired
//! test, and what the chart adds is an early word about a slow decline.
//!
//! How often that is wrong. While nothing changes a case that comes out differently is lost as often
//! as gained, however often the model wavers, so the chance of a false alarm is a sum over binomials:
//! at most 4.52 % of checks for suites of 20 to 1,000 cases, whatever the pass rate. That holds for a
//! run at promotion that is as good or bad as it happened to be. A strict gate lets only those pass
//! that came out no worse than the run before, half of which was luck where both versions are alike:
//! the same test would then alarm in up to 13 % of weeks. Held against such a run a check has
//! [`LUCKY_SHARE`] of the level, which brings it below 5 % again, and loses nothing of what it finds:
//! the drop looks larger by the same luck. `tests::simulation` measures all of this.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    id::{DriftCheckId, PromptId, RunId, SuiteId},
    prompt::PromptName,
    stats::{
        Interval,
        paired::{self, Pairs},
    },
};

pub mod attribution;
mod ewma;
pub mod inputs;
mod words;

pub use attribution::{Cause, RunFacts};
pub use ewma::Ewma;

/// One-sided, for all checks of a week together. A little below 5 %, because the mid-p may exceed
/// its level by a few tenths of a point.
pub const ALARM_LEVEL: f64 = 0.045;
/// What is left of the level against a run that had to come out no worse than another to get there.
/// The share that makes 2·P(Z₁ < −c, Z₂ < 0) with correlation ½ less than 5 %: the check's difference
/// and the gate's have the run at promotion in common.
pub const LUCKY_SHARE: f64 = 0.3;
/// Below this a loss is worth watching.
const WATCH_LEVEL: f64 = 0.10;
/// With fewer cases in common nothing is said.
pub const LEAST_CASES: u64 = 20;
/// At least this share of the frozen run's cases must still be there, unchanged.
const LEAST_SHARE: f64 = 0.5;
/// Calls that ended in an error say nothing about the model's answers; more of them than this,
/// and the rest is no fair sample any more.
const MOST_ERRORS: f64 = 0.05;
const POWER: f64 = 0.8;

/// How a prompt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = DriftState))]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type))]
#[cfg_attr(feature = "sqlx", sqlx(type_name = "text", rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Worse than at promotion by more than chance explains.
    Drifted,
    /// Something points down, but it may be chance.
    Watch,
    /// Nobody can say, and why.
    CannotTell,
    /// No sign of a change for the worse.
    Healthy,
}

impl State {
    /// All of them, what needs somebody first.
    pub const ALL: [Self; 4] = [Self::Drifted, Self::Watch, Self::CannotTell, Self::Healthy];

    /// The word used in JSON and in addresses.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Drifted => "drifted",
            Self::Watch => "watch",
            Self::CannotTell => "cannot_tell",
            Self::Healthy => "healthy",
        }
    }

    /// As people read it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Drifted => "drifted",
            Self::Watch => "watch",
            Self::CannotTell => "cannot tell",
            Self::Healthy => "healthy",
        }
    }

    /// The state of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// Why nobody can say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = DriftWhy))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Why {
    /// The version has not been looked at since it was promoted.
    NotChecked,
    /// There is no suite for this prompt.
    NoSuite,
    /// The suite could not be run at all: no provider, no model, no cases.
    NotRunnable {
        /// As the launch refused it.
        words: String,
    },
    /// There is no complete run from before the promotion; this one stands in for it from now on.
    NoFrozenRun,
    /// The run did not come to its end.
    NotEnded {
        /// What became of it.
        words: String,
    },
    /// The suite's own scorers are others: passing means something else now.
    ScorersChanged,
    /// Too few of the frozen run's cases are still in the suite as they were.
    FewCommonCases {
        /// Cases in both, unchanged.
        common: u64,
        /// Cases of the frozen run.
        frozen: u64,
    },
    /// Too many calls ended in an error.
    ManyErrors {
        /// Cases without an answer, in one run or the other.
        errors: u64,
        /// Cases in both.
        of: u64,
    },
}

/// What a run made of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It passed.
    Passed,
    /// It did not.
    Failed,
    /// There was no answer to judge.
    Error,
}

/// Everything that a check is judged by.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The run at promotion.
    pub frozen: RunFacts,
    /// Whether a strict gate let it pass, so that it is there because it came out no worse than
    /// another run.
    pub is_lucky: bool,
    /// The run of this check.
    pub run: RunFacts,
    /// The cases that both ran in the same words: frozen, now.
    pub common: Vec<(Seen, Seen)>,
    /// The chart as the last check against the same frozen run left it.
    pub chart: Option<Ewma>,
    /// How many checks a week has by its schedule; 0 without one.
    pub per_week: f64,
    /// For a check that somebody asked for, how many others were in the seven days before it; none
    /// for one of the schedule.
    pub n_asked: Option<u32>,
}

/// What was counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = DriftNumbers))]
pub struct Numbers {
    /// Cases that both runs answered, in the same words.
    pub n_cases: u64,
    /// Cases of the frozen run.
    pub n_frozen: u64,
    /// Cases of this run.
    pub n_run: u64,
    /// Common cases that were left out because a call ended in an error.
    pub n_errors: u64,
    /// Passed at promotion, fail now.
    pub lost: u64,
    /// Failed at promotion, pass now.
    pub gained: u64,
    /// Now, over the common cases.
    pub pass_rate: f64,
    /// At promotion, over the common cases.
    pub frozen_rate: f64,
    /// Now minus then.
    pub difference: f64,
    /// Newcombe's interval of the difference at 95 %.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<f64>>))]
    pub interval: Option<Interval>,
    /// McNemar's mid-p, one-sided for a regression.
    pub p_value: f64,
    /// At or below this the alarm is raised.
    pub level: f64,
    /// The smallest drop that this check would have found four times out of five.
    pub smallest_drop: Option<f64>,
}

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = DriftFinding))]
pub struct Finding {
    /// How the prompt stands.
    pub state: State,
    /// Why nobody can say; none otherwise.
    pub why: Option<Why>,
    /// For a person, with what to do next.
    pub sentence: String,
    /// What was counted, where something could be.
    pub numbers: Option<Numbers>,
    /// The chart with this check on it.
    pub chart: Option<Ewma>,
    /// What is not the same as at promotion, as far as Cueline can see.
    pub causes: Vec<Cause>,
}

impl Finding {
    /// Nobody can say.
    #[must_use]
    pub fn cannot_tell(why: Why) -> Self {
        Self {
            state: State::CannotTell,
            sentence: words::cannot_tell(&why),
            why: Some(why),
            numbers: None,
            chart: None,
            causes: Vec::new(),
        }
    }
}

/// Judges a check whose run is complete.
#[must_use]
pub fn judge(evidence: &Evidence) -> Finding {
    let causes = attribution::causes(&evidence.frozen, &evidence.run);
    let unsure = |why: Why| Finding {
        causes: causes.clone(),
        ..Finding::cannot_tell(why)
    };
    if evidence.frozen.scorers != evidence.run.scorers {
        return unsure(Why::ScorersChanged);
    }
    let common = evidence.common.len() as u64;
    let frozen = evidence.frozen.n_cases;
    if common < LEAST_CASES || float(common) < LEAST_SHARE * float(frozen) {
        return unsure(Why::FewCommonCases { common, frozen });
    }
    let (pairs, errors) = tally(&evidence.common);
    if float(errors) > MOST_ERRORS * float(common) {
        return unsure(Why::ManyErrors { errors, of: common });
    }
    let numbers = count(evidence, pairs, errors);
    let chart = evidence
        .chart
        .unwrap_or_else(|| Ewma::begin(numbers.frozen_rate))
        .next(numbers.difference, pairs.both_pass + pairs.lost, pairs.n());
    let state = if numbers.p_value <= numbers.level {
        State::Drifted
    } else if chart.is_low() || numbers.p_value <= WATCH_LEVEL {
        State::Watch
    } else {
        State::Healthy
    };
    Finding {
        state,
        why: None,
        sentence: words::sentence(state, &numbers, &chart),
        numbers: Some(numbers),
        chart: Some(chart),
        causes,
    }
}

fn tally(common: &[(Seen, Seen)]) -> (Pairs, u64) {
    let (mut pairs, mut errors) = (
        Pairs {
            lost: 0,
            gained: 0,
            both_pass: 0,
            both_fail: 0,
        },
        0,
    );
    for case in common {
        let count = match case {
            (Seen::Error, _) | (_, Seen::Error) => &mut errors,
            (Seen::Passed, Seen::Passed) => &mut pairs.both_pass,
            (Seen::Passed, Seen::Failed) => &mut pairs.lost,
            (Seen::Failed, Seen::Passed) => &mut pairs.gained,
            (Seen::Failed, Seen::Failed) => &mut pairs.both_fail,
        };
        *count += 1;
    }
    (pairs, errors)
}

/// At or below which p-value a check alarms. Those of the schedule share the level of a week. Those
/// that somebody asked for come on top, so that asking takes nothing from the schedule, and each has
/// less than the one before: whoever asks again and again would get an alarm by chance in the end,
/// and plain shares, 1 ÷ n, would add up to 8 % of weeks with ten checks. Cubes add up to a fifth.
fn level(evidence: &Evidence) -> f64 {
    let luck = if evidence.is_lucky { LUCKY_SHARE } else { 1.0 };
    let share = ALARM_LEVEL * luck / evidence.per_week.max(1.0);
    // Without a schedule the first one that is asked for takes its place.
    let taken = if evidence.per_week > 0.0 { 1.0 } else { 0.0 };
    match evidence.n_asked {
        None => share,
        Some(before) => share / (taken + f64::from(before) + 1.0).powi(3),
    }
}

fn count(evidence: &Evidence, pairs: Pairs, n_errors: u64) -> Numbers {
    let compared = paired::compare(pairs, 0.05);
    let level = level(evidence);
    let n = float(pairs.n().max(1));
    Numbers {
        n_cases: pairs.n(),
        n_frozen: evidence.frozen.n_cases,
        n_run: evidence.run.n_cases,
        n_errors,
        lost: pairs.lost,
        gained: pairs.gained,
        pass_rate: float(pairs.both_pass + pairs.gained) / n,
        frozen_rate: float(pairs.both_pass + pairs.lost) / n,
        difference: compared.difference.unwrap_or_default(),
        interval: compared.interval,
        p_value: compared.p_mid_one_sided,
        level,
        smallest_drop: paired::smallest_detectable_drop(pairs, level, POWER),
    }
}

fn float(n: u64) -> f64 {
    crate::stats::float(n)
}

/// A check as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = DriftCheck))]
pub struct Check {
    /// The check.
    pub id: DriftCheckId,
    /// The version that was looked at.
    pub version: i32,
    /// What it came to.
    #[serde(flatten)]
    pub finding: Finding,
    /// The suite and its revision, where one was run.
    pub suite: Option<SuiteId>,
    /// The run; none where none could be launched.
    pub run: Option<RunId>,
    /// The run at promotion that it was held against.
    pub frozen_run: Option<RunId>,
    /// The moment of the schedule; none where somebody asked.
    pub due_at: Option<DateTime<Utc>>,
    /// When it was judged.
    pub checked_at: DateTime<Utc>,
}

/// How a prompt stands in an environment: a line for lists and alerts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = DriftStanding))]
pub struct Standing {
    /// The prompt.
    pub prompt_id: PromptId,
    /// Its name.
    pub prompt: PromptName,
    /// Where the version serves: drift is watched in production.
    pub environment: String,
    /// The version that serves.
    pub version: i32,
    /// How it stands.
    pub state: State,
    /// Why, in a sentence.
    pub reason: String,
    /// When it was last judged; none before the first check of this version.
    pub checked_at: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests;
