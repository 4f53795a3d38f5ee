//! What follows from the counts: every number on an experiment's page, from `stats`. The one rule
//! of the plan decides; the other numbers are there for orientation.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    ArmCounts, Decision, Direction, Experiment, Frozen, Observed, Status, Verdict, verdict,
};
use crate::stats::{
    Interval,
    mean::{self, Summary},
    multiple,
    proportion::{self, Method, Sample},
    sequential, srm,
};

/// Below this many units with a value in an arm, a guardrail is not judged: the bound is
/// asymptotic, and the spread of a handful of values is no estimate of anything.
pub const LEAST_FOR_GUARDRAIL: u64 = 50;
/// Below this expected count in an arm, no sample-ratio alarm: χ² is no approximation there.
const LEAST_EXPECTED: f64 = 5.0;

/// One arm's units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ArmResult {
    /// The arm.
    pub name: String,
    /// Its version.
    pub version: i32,
    /// Units that count.
    pub units: u64,
    /// Those with the outcome.
    pub successes: u64,
    /// The share of successes; null without units.
    pub rate: Option<f64>,
    /// Its Wilson interval at level 1 − alpha.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<f64>>))]
    pub interval: Option<Interval>,
}

/// The always-valid statement about a difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SequentialResult {
    /// At level 1 − alpha, valid however often one looks.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<f64>>))]
    pub interval: Option<Interval>,
    /// The always-valid p-value.
    pub p_value: Option<f64>,
    /// The same, adjusted for several challengers.
    pub adjusted_p_value: Option<f64>,
}

/// A challenger against the control. Differences are challenger minus control, as proportions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ComparisonResult {
    /// The challenger.
    pub arm: String,
    /// Its rate minus the control's.
    pub difference: Option<f64>,
    /// Newcombe's hybrid score interval at level 1 − alpha.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<f64>>))]
    pub interval: Option<Interval>,
    /// Two-sided: of the z-test, or Fisher's where an expected cell is below 5.
    pub p_value: Option<f64>,
    /// By Holm, across challengers.
    pub adjusted_p_value: Option<f64>,
    /// Which test it is.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub method: Method,
    /// The challenger's rate over the control's, minus 1.
    pub relative_lift: Option<f64>,
    /// Its interval by Katz' log risk ratio.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<f64>>))]
    pub relative_lift_interval: Option<Interval>,
    /// What may be said at any moment.
    pub sequential: SequentialResult,
    /// Why there are no numbers, where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whether a guardrail holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum GuardrailState {
    /// Too few units have a value.
    NoData,
    /// It could be either.
    Open,
    /// It is not worse by more than the margin.
    Holds,
    /// It is worse by more than the margin.
    Broken,
}

/// A guardrail for one challenger. Numbers are in the metric's own unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GuardrailResult {
    /// The metric.
    pub metric: String,
    /// The challenger.
    pub arm: String,
    /// Which way is better.
    pub direction: Direction,
    /// How much worse is tolerated.
    pub margin: f64,
    /// The control's mean over units.
    pub control_mean: Option<f64>,
    /// The challenger's.
    pub mean: Option<f64>,
    /// Units of the control with a value.
    pub control_units: u64,
    /// Units of the challenger with a value.
    pub units: u64,
    /// Challenger minus control.
    pub difference: Option<f64>,
    /// By Welch's t, at level 1 − alpha.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<f64>>))]
    pub interval: Option<Interval>,
    /// Two-sided, by Welch's t.
    pub p_value: Option<f64>,
    /// It is worse by at least this much (negative: better), said so that it holds at any moment
    /// with confidence 1 − alpha.
    pub worse_by_at_least: Option<f64>,
    /// And by at most this much.
    pub worse_by_at_most: Option<f64>,
    /// What follows.
    pub state: GuardrailState,
}

/// Whether the arms got the units they should have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SrmResult {
    /// Pearson's χ² against the weights.
    pub chi_square: Option<f64>,
    /// The chance of a worse fit if nothing is wrong.
    pub p_value: Option<f64>,
    /// p < 0.001: do not trust the result.
    pub alarm: bool,
}

/// How far the planned sample is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Progress {
    /// Units planned in all arms together.
    pub planned: u64,
    /// Units that count so far.
    pub observed: u64,
    /// At the traffic observed; 0 when it is reached, null when nothing is known.
    pub days_left: Option<f64>,
}

impl Progress {
    /// Reckons from what was counted.
    #[must_use]
    pub fn of(experiment: &Experiment, observed: u64, now: DateTime<Utc>) -> Self {
        let planned = experiment.planned_units;
        let missing = planned.saturating_sub(observed);
        let end = experiment.stopped_at.unwrap_or(now);
        let elapsed = experiment
            .started_at
            .and_then(|started| (end - started).to_std().ok())
            .map(|elapsed| elapsed.as_secs_f64() / 86_400.0);
        let days_left = match (missing, experiment.status) {
            (0, _) => Some(0.0),
            (_, Status::Running) => elapsed
                .filter(|days| *days > 0.0 && observed > 0)
                .map(|days| float(missing) * days / float(observed)),
            (_, Status::Draft) => experiment.plan.planned_days(),
            (_, Status::Stopped | Status::Concluded) => None,
        };
        Self {
            planned,
            observed,
            days_left,
        }
    }

    /// Whether the planned sample is there.
    #[must_use]
    pub const fn is_reached(self) -> bool {
        self.observed >= self.planned
    }
}

/// Everything that can be said about an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Results {
    /// Where the experiment is in its life.
    pub status: Status,
    /// What it comes to.
    pub verdict: Verdict,
    /// Control first.
    pub arms: Vec<ArmResult>,
    /// One for each challenger.
    pub comparisons: Vec<ComparisonResult>,
    /// One for each guardrail and challenger.
    pub guardrails: Vec<GuardrailResult>,
    /// Whether the arms got the units they should have.
    pub srm: SrmResult,
    /// Units seen in two arms; they count nowhere.
    pub excluded_units: u64,
    /// How far the planned sample is.
    pub progress: Progress,
    /// What decides.
    pub decision: Decision,
    /// Arms and comparisons are as they were counted then, if the fixed rule has decided.
    pub frozen_at: Option<DateTime<Utc>>,
    /// The latest event that counts.
    pub last_event_at: Option<DateTime<Utc>>,
    /// What the numbers rest on, for whoever wants to check.
    pub alpha: f64,
}

impl Results {
    /// Works out everything. Under the fixed rule, arms and comparisons are of the frozen counts
    /// as soon as there are any; guardrails, sample ratio and progress are always of now.
    #[must_use]
    pub fn of(experiment: &Experiment, observed: &Observed, now: DateTime<Utc>) -> Self {
        let plan = &experiment.plan;
        let frozen = frozen_of(experiment);
        let counts = frozen.map_or(observed.arms.as_slice(), |frozen| frozen.arms.as_slice());
        let count_of = |position: usize| counts.get(position).copied().unwrap_or_default();
        let arms = plan
            .arms
            .iter()
            .enumerate()
            .map(|(position, arm)| {
                let sample = count_of(position).sample();
                ArmResult {
                    name: arm.name.clone(),
                    version: arm.version,
                    units: sample.n,
                    successes: sample.successes,
                    rate: sample.rate(),
                    interval: sample.interval(plan.alpha),
                }
            })
            .collect();
        let samples: Vec<Sample> = (0..plan.arms.len())
            .map(|position| count_of(position).sample())
            .collect();
        let mut results = Self {
            status: experiment.status,
            verdict: Verdict::nothing(),
            arms,
            comparisons: comparisons(experiment, &samples),
            guardrails: guardrails(experiment, observed),
            srm: sample_ratio(experiment, &observed.arms),
            excluded_units: observed.excluded,
            progress: Progress::of(experiment, observed.units(), now),
            decision: plan.decision,
            frozen_at: frozen.map(|frozen| frozen.at),
            last_event_at: observed.last_event_at,
            alpha: plan.alpha,
        };
        results.verdict = verdict::of(experiment, &results, &observed.arms);
        results
    }

    /// The guardrail that is broken worst, measured in margins.
    #[must_use]
    pub fn broken_guardrail(&self) -> Option<&GuardrailResult> {
        self.guardrails
            .iter()
            .find(|guardrail| guardrail.state == GuardrailState::Broken)
    }
}

/// The counts that decide, where the fixed rule has them.
fn frozen_of(experiment: &Experiment) -> Option<&Frozen> {
    match experiment.plan.decision {
        Decision::Fixed => experiment.frozen.as_ref(),
        Decision::Sequential => None,
    }
}

fn comparisons(experiment: &Experiment, samples: &[Sample]) -> Vec<ComparisonResult> {
    let plan = &experiment.plan;
    let Some((control, challengers)) = samples.split_first() else {
        return Vec::new();
    };
    let mut found: Vec<ComparisonResult> = plan
        .arms
        .iter()
        .skip(1)
        .zip(challengers)
        .map(|(arm, challenger)| {
            let compared = proportion::compare(*control, *challenger, plan.alpha);
            let always = sequential::difference(*control, *challenger, plan.alpha);
            let p_value = match compared.method {
                Method::FisherExact => compared.fisher_p_value,
                Method::ZTest => compared.p_value,
                Method::NoData => None,
            };
            let reason = match (compared.method, always) {
                (Method::NoData, _) => Some("an arm has no units yet".to_owned()),
                (_, None) => Some(
                    "in both arms every unit had the outcome, or none: there is no spread to judge by"
                        .to_owned(),
                ),
                _ => None,
            };
            ComparisonResult {
                arm: arm.name.clone(),
                difference: compared.difference,
                interval: compared.interval,
                p_value,
                adjusted_p_value: None,
                method: compared.method,
                relative_lift: compared.relative_lift,
                relative_lift_interval: compared.relative_lift_interval,
                sequential: SequentialResult {
                    interval: always.map(|always| always.interval),
                    p_value: always.map(|always| always.p_value),
                    adjusted_p_value: None,
                },
                reason,
            }
        })
        .collect();
    // A challenger without a p-value counts as one that found nothing: it costs the others as much.
    let adjusted = |p_values: Vec<Option<f64>>| {
        let all: Vec<f64> = p_values.iter().map(|p| p.unwrap_or(1.0)).collect();
        multiple::holm(&all)
    };
    let fixed = adjusted(found.iter().map(|one| one.p_value).collect());
    let always = adjusted(found.iter().map(|one| one.sequential.p_value).collect());
    for (index, one) in found.iter_mut().enumerate() {
        one.adjusted_p_value = one.p_value.and(fixed.get(index).copied());
        one.sequential.adjusted_p_value = one.sequential.p_value.and(always.get(index).copied());
    }
    found
}

fn guardrails(experiment: &Experiment, observed: &Observed) -> Vec<GuardrailResult> {
    let plan = &experiment.plan;
    let nothing = Summary {
        mean: 0.0,
        sd: 0.0,
        n: 0,
    };
    let mut found = Vec::new();
    for (index, guardrail) in plan.guardrails.iter().enumerate() {
        let measured = |position: usize| {
            observed
                .guardrails
                .get(index)
                .and_then(|arms| arms.get(position))
                .copied()
                .unwrap_or(nothing)
        };
        let control = measured(0);
        for (position, arm) in plan.arms.iter().enumerate().skip(1) {
            let challenger = measured(position);
            let compared = mean::compare(control, challenger, plan.alpha);
            let worse = compared
                .difference
                .map(|difference| match guardrail.direction {
                    Direction::Lower => difference,
                    Direction::Higher => -difference,
                });
            let half = half_width(control, challenger, plan.alpha);
            let bounds = worse
                .zip(half)
                .map(|(worse, half)| (worse - half, worse + half));
            let is_enough = control.n.min(challenger.n) >= LEAST_FOR_GUARDRAIL;
            let state = match bounds.filter(|_| is_enough) {
                None => GuardrailState::NoData,
                Some((least, _)) if least > guardrail.margin => GuardrailState::Broken,
                Some((_, most)) if most <= guardrail.margin => GuardrailState::Holds,
                Some(_) => GuardrailState::Open,
            };
            let mean_of = |summary: Summary| {
                (summary.n > 0 && summary.mean.is_finite()).then_some(summary.mean)
            };
            found.push(GuardrailResult {
                metric: guardrail.metric.clone(),
                arm: arm.name.clone(),
                direction: guardrail.direction,
                margin: guardrail.margin,
                control_mean: mean_of(control),
                mean: mean_of(challenger),
                control_units: control.n,
                units: challenger.n,
                difference: compared.difference,
                interval: compared.interval,
                p_value: compared.p_value,
                worse_by_at_least: bounds.map(|(least, _)| least),
                worse_by_at_most: bounds.map(|(_, most)| most),
                state,
            });
        }
    }
    found
}

/// Half the width of the one-sided always-valid bound of a difference of means.
fn half_width(control: Summary, challenger: Summary, alpha: f64) -> Option<f64> {
    if control.n < 2 || challenger.n < 2 {
        return None;
    }
    let variance = |summary: Summary| summary.sd * summary.sd / float(summary.n);
    let error = (variance(control) + variance(challenger)).sqrt();
    sequential::one_sided_half_width(error, float(control.n) + float(challenger.n), alpha)
        .filter(|half| half.is_finite())
}

fn sample_ratio(experiment: &Experiment, arms: &[ArmCounts]) -> SrmResult {
    let units: Vec<u64> = arms.iter().map(|arm| arm.units).collect();
    let weights: Vec<f64> = experiment.plan.arms.iter().map(|arm| arm.weight).collect();
    let Some(fit) = srm::check(&units, &weights) else {
        return SrmResult::default();
    };
    let total = float(units.iter().sum());
    let sum: f64 = weights.iter().sum();
    let is_enough = weights
        .iter()
        .all(|weight| total * weight / sum >= LEAST_EXPECTED);
    SrmResult {
        chi_square: Some(fit.chi_square),
        p_value: Some(fit.p_value),
        alarm: fit.alarm && is_enough,
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
const fn float(count: u64) -> f64 {
    count as f64
}
