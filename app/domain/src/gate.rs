//! The gate: may this version replace the one that serves? Both ran the same cases, so what
//! counts is which were lost and which gained. Formulas and verdicts as the statistics contract
//! has them; an error is a failed case, and no case at all never passes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    field::{FieldError, Fields},
    prompt::check_tags,
    stats::{
        Interval,
        paired::{self, Pairs},
        proportion::Sample,
    },
};

mod ended;
pub(crate) mod sentence;

pub use ended::{Ended, judge_ended};
pub use sentence::sentence;

/// Which error rate is accepted unless told otherwise.
pub const ALPHA: f64 = 0.05;
/// The power at which the smallest detectable drop is reckoned.
pub const POWER: f64 = 0.8;
/// The drop in pass rate that a statistical policy tolerates unless told otherwise, as a
/// proportion: 17 percentage points, about what a smoke subset of 50 cases can see.
pub const TOLERATED_DROP: f64 = 0.17;
/// The oldest evidence anyone may accept, in hours: a year.
const MAX_AGE_HOURS: i64 = 24 * 366;

/// How the pass rate is held against the baseline's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = GateMode))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A pass rate below the baseline's fails, be it by one case.
    #[default]
    Strict,
    /// Only a significant loss fails; where the run was too small to see the tolerated drop,
    /// nothing is decided.
    Statistical,
}

/// What a prompt and environment ask of a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GatePolicy {
    /// The suite that is run; the prompt's own choice if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suite: Option<String>,
    /// Only cases with one of these tags; all cases if empty.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The lowest pass rate, 0 to 1, whatever the baseline does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<f64>,
    /// How the baseline counts.
    #[serde(default)]
    pub mode: Mode,
    /// The one-sided error rate of the test for a regression; intervals are at 1 − alpha.
    pub alpha: f64,
    /// The drop in pass rate a statistical policy can live with, as a proportion.
    pub tolerated_drop: f64,
    /// How old a run may be to count as evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_hours: Option<u32>,
    /// Whether losing a must-pass case alone fails the gate.
    pub must_pass: bool,
}

impl Default for GatePolicy {
    fn default() -> Self {
        Self {
            suite: None,
            tags: Vec::new(),
            floor: None,
            mode: Mode::Strict,
            alpha: ALPHA,
            tolerated_drop: TOLERATED_DROP,
            max_age_hours: None,
            must_pass: true,
        }
    }
}

impl GatePolicy {
    /// Reads and checks a policy; what is absent is as in [`GatePolicy::default`].
    pub fn parse(path: &str, value: &Value) -> Result<Self, Vec<FieldError>> {
        let usual = Self::default();
        let mut fields = Fields::new(path, value.clone());
        let suite = fields.text("suite");
        let tags = fields.texts("tags").unwrap_or_default();
        if let Err(message) = check_tags(&tags) {
            fields.refuse("tags", message);
        }
        let floor = fields.number("floor");
        if floor.is_some_and(|floor| !(0.0..=1.0).contains(&floor)) {
            fields.refuse("floor", "must be from 0 to 1");
        }
        let mode = match fields.text("mode").as_deref() {
            None => usual.mode,
            Some("strict") => Mode::Strict,
            Some("statistical") => Mode::Statistical,
            Some(_) => {
                fields.refuse("mode", "must be strict or statistical");
                usual.mode
            }
        };
        let alpha = fields.number("alpha").unwrap_or(usual.alpha);
        if !(1e-6..=0.5).contains(&alpha) {
            fields.refuse("alpha", "must be from 0.000001 to 0.5");
        }
        let tolerated_drop = fields
            .number("tolerated_drop")
            .unwrap_or(usual.tolerated_drop);
        if !(tolerated_drop > 0.0 && tolerated_drop <= 1.0) {
            fields.refuse("tolerated_drop", "must be above 0 and at most 1");
        }
        let max_age_hours = fields.integer("max_age_hours");
        if max_age_hours.is_some_and(|hours| !(1..=MAX_AGE_HOURS).contains(&hours)) {
            fields.refuse(
                "max_age_hours",
                format!("must be from 1 to {MAX_AGE_HOURS}"),
            );
        }
        let must_pass = fields.boolean("must_pass").unwrap_or(usual.must_pass);
        fields.finish(|| Self {
            suite,
            tags,
            floor,
            mode,
            alpha,
            tolerated_drop,
            max_age_hours: max_age_hours.and_then(|hours| u32::try_from(hours).ok()),
            must_pass,
        })
    }
}

/// One case under the baseline and the candidate. A case that ended in an error failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CasePair {
    /// Whether it passed under the baseline; none if there is no baseline, or it did not run
    /// this case.
    pub passed_before: Option<bool>,
    /// Whether it passes now.
    pub passed_after: bool,
    /// Whether it may never fail.
    pub must_pass: bool,
    /// Whether the baseline run twice did not agree with itself on it.
    pub flaky: bool,
}

/// What the gate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = GateVerdictWord))]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type))]
#[cfg_attr(feature = "sqlx", sqlx(type_name = "text", rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing speaks against it.
    Pass,
    /// It may not.
    Fail,
    /// It cannot be told: the run was too small, or one of the runs broke.
    Inconclusive,
}

impl Verdict {
    /// The word used in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// The verdict with everything it rests on. Rates and differences are proportions; what cannot
/// be computed is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GateVerdict {
    /// What the gate says.
    pub verdict: Verdict,
    /// Why, in sentences with numbers; what decided comes first.
    pub reasons: Vec<String>,
    /// How many cases ran.
    pub n_cases: u64,
    /// The candidate's pass rate, over all cases.
    pub pass_rate: Option<f64>,
    /// The baseline's, over the cases both ran.
    pub baseline_pass_rate: Option<f64>,
    /// The Wilson interval of the candidate's pass rate.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<f64>>))]
    pub interval: Option<Interval>,
    /// Candidate minus baseline, over the cases both ran.
    pub difference: Option<f64>,
    /// Newcombe's paired score interval of the difference.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<f64>>))]
    pub difference_interval: Option<Interval>,
    /// Mid-p `McNemar`, one-sided: small when more was lost than chance explains.
    pub p_value: Option<f64>,
    /// Cases that passed before and fail now.
    pub lost: u64,
    /// Cases that failed before and pass now.
    pub gained: u64,
    /// Must-pass cases that were lost, or that fail and have no baseline.
    pub must_pass_failed: u64,
    /// Cases lost on which the baseline does not agree with itself.
    pub flaky_lost: u64,
    /// The smallest drop this comparison would have found with 80 % power at alpha; none without
    /// a baseline.
    pub smallest_detectable_drop: Option<f64>,
}

/// Judges a run by a policy. Fails when a must-pass case is lost, the pass rate is below the
/// floor, the loss is significant at alpha (one-sided mid-p) or — strict — the pass rate is
/// below the baseline's at all. A statistical policy decides nothing where the smallest
/// detectable drop is larger than the tolerated one. Without a baseline only floor and must-pass
/// count, and the reasons say so; without cases nothing ever passes.
pub fn judge(policy: &GatePolicy, pairs: &[CasePair]) -> GateVerdict {
    let counted =
        |is: &dyn Fn(&CasePair) -> bool| pairs.iter().filter(|pair| is(pair)).count() as u64;
    let sample = Sample {
        successes: counted(&|pair| pair.passed_after),
        n: pairs.len() as u64,
    };
    let moved = |before, after| {
        counted(&|pair| pair.passed_before == Some(before) && pair.passed_after == after)
    };
    let table = Pairs {
        lost: moved(true, false),
        gained: moved(false, true),
        both_pass: moved(true, true),
        both_fail: moved(false, false),
    };
    let has_baseline = table.n() > 0;
    let compared = has_baseline.then(|| paired::compare(table, policy.alpha));
    let mut found = GateVerdict {
        verdict: Verdict::Pass,
        reasons: Vec::new(),
        n_cases: sample.n,
        pass_rate: sample.rate(),
        baseline_pass_rate: Sample {
            successes: table.both_pass + table.lost,
            n: table.n(),
        }
        .rate(),
        interval: sample.interval(policy.alpha),
        difference: table.difference(),
        difference_interval: compared.and_then(|compared| compared.interval),
        p_value: compared.map(|compared| compared.p_mid_one_sided),
        lost: table.lost,
        gained: table.gained,
        must_pass_failed: counted(&|pair| {
            pair.must_pass && !pair.passed_after && pair.passed_before != Some(false)
        }),
        flaky_lost: counted(&|pair| {
            pair.flaky && pair.passed_before == Some(true) && !pair.passed_after
        }),
        smallest_detectable_drop: paired::smallest_detectable_drop(table, policy.alpha, POWER),
    };
    let failures = failures(policy, &found);
    if sample.n == 0 {
        found.verdict = Verdict::Fail;
        found
            .reasons
            .push("no case ran, so nothing shows that the version works".to_owned());
    } else if !failures.is_empty() {
        found.verdict = Verdict::Fail;
        found.reasons.extend(failures);
    } else if let (Mode::Statistical, Some(drop)) = (policy.mode, found.smallest_detectable_drop)
        && drop > policy.tolerated_drop
    {
        found.verdict = Verdict::Inconclusive;
        found.reasons.push(format!(
            "no significant loss, but {} cases could only have shown a drop of {} or more; {} is tolerated: run more cases",
            table.n(), points(drop), points(policy.tolerated_drop)
        ));
    }
    found.reasons.extend(sentence::context(&found, table.n()));
    found
}

/// Everything that fails the gate by itself.
fn failures(policy: &GatePolicy, found: &GateVerdict) -> Vec<String> {
    let mut failures = Vec::new();
    let rate = found.pass_rate.unwrap_or_default();
    if policy.must_pass && found.must_pass_failed > 0 {
        failures.push(format!(
            "{} must-pass {} failed",
            found.must_pass_failed,
            cases(found.must_pass_failed)
        ));
    }
    if let Some(floor) = policy.floor.filter(|floor| rate < *floor) {
        failures.push(format!(
            "the pass rate {} is below the floor of {}",
            percent(rate),
            percent(floor)
        ));
    }
    // By counts, not by rates: those may differ in their last digit only. A case the baseline
    // did not run says nothing about it.
    if policy.mode == Mode::Strict && found.lost > found.gained {
        let baseline = found.baseline_pass_rate.unwrap_or_default();
        failures.push(format!(
            "the pass rate is below the baseline's {}: {} {} lost, {} gained",
            percent(baseline),
            found.lost,
            cases(found.lost),
            found.gained
        ));
    }
    if let Some(p) = found.p_value.filter(|p| *p <= policy.alpha) {
        failures.push(format!(
            "the loss is significant: {} {} lost, {} gained (one-sided mid-p {}, at most {} asked for)",
            found.lost, cases(found.lost), found.gained, sentence::p_value(p), policy.alpha
        ));
    }
    failures
}

/// Whether a case that ran several times passes, and how often it did otherwise: it passes on
/// its majority, a tie fails, and the flake rate is the share of the minority (0 to ½).
pub fn majority(passes: &[bool]) -> (bool, f64) {
    let n_passed = passes.iter().filter(|passed| **passed).count();
    let n_failed = passes.len() - n_passed;
    let minority = Sample {
        successes: n_passed.min(n_failed) as u64,
        n: passes.len() as u64,
    };
    (n_passed > n_failed, minority.rate().unwrap_or_default())
}

pub(crate) fn cases(n: u64) -> &'static str {
    if n == 1 { "case" } else { "cases" }
}

pub(crate) fn percent(rate: f64) -> String {
    format!("{:.1} %", rate * 100.0)
}

pub(crate) fn points(difference: f64) -> String {
    format!("{:.1} pp", difference * 100.0)
}

#[cfg(test)]
mod tests;
