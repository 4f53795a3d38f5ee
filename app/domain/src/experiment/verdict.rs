//! The verdict: one sentence composed from the state, for somebody who knows no statistics.

use serde::{Deserialize, Serialize};

use super::words::{amount, bare, count, days_left, join, p_value, points, signed, signed_bare};
use super::{
    ArmCounts, ComparisonResult, Decision, Direction, Experiment, GuardrailResult, Results, Status,
};
use crate::stats::Interval;

/// What a verdict comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum VerdictKind {
    /// Still a draft.
    NotStarted,
    /// An arm has no units.
    NoData,
    /// The arms did not get the units they should have: trust no number.
    TrustProblem,
    /// A challenger makes something worse than is tolerated: stop.
    GuardrailBroken,
    /// Nothing may be said yet.
    TooEarly,
    /// A challenger is better than the control.
    Better,
    /// Challengers are worse than the control.
    Worse,
    /// The planned sample is there and shows no difference.
    NoDifference,
    /// It was stopped before anything could be decided.
    StoppedEarly,
}

impl VerdictKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::NotStarted,
        Self::NoData,
        Self::TrustProblem,
        Self::GuardrailBroken,
        Self::TooEarly,
        Self::Better,
        Self::Worse,
        Self::NoDifference,
        Self::StoppedEarly,
    ];

    /// The word used in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotStarted => "not_started",
            Self::NoData => "no_data",
            Self::TrustProblem => "trust_problem",
            Self::GuardrailBroken => "guardrail_broken",
            Self::TooEarly => "too_early",
            Self::Better => "better",
            Self::Worse => "worse",
            Self::NoDifference => "no_difference",
            Self::StoppedEarly => "stopped_early",
        }
    }
}

/// What an experiment comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ExperimentVerdict))]
pub struct Verdict {
    /// For programs.
    pub kind: VerdictKind,
    /// For people.
    pub sentence: String,
    /// The arm it is about: the winner, the loser, or the one that breaks a guardrail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<String>,
}

impl Verdict {
    fn new(kind: VerdictKind, sentence: impl Into<String>) -> Self {
        Self {
            kind,
            sentence: sentence.into(),
            arm: None,
        }
    }

    fn about(self, arm: &str) -> Self {
        Self {
            arm: Some(arm.to_owned()),
            ..self
        }
    }

    /// Before anything is known.
    pub(super) fn nothing() -> Self {
        Self::new(VerdictKind::NoData, "No data yet.")
    }
}

/// A challenger by the rule that decides.
struct Decided<'a> {
    comparison: &'a ComparisonResult,
    difference: f64,
    /// The interval of the rule that decides.
    interval: Interval,
    is_significant: bool,
}

/// Composes the verdict. `live` are the counts of now, which the sample ratio is judged by.
pub(super) fn of(experiment: &Experiment, results: &Results, live: &[ArmCounts]) -> Verdict {
    if experiment.status == Status::Draft {
        return Verdict::new(
            VerdictKind::NotStarted,
            "Not started: nobody takes part yet.",
        );
    }
    if results.srm.alarm {
        return trust_problem(experiment, results, live);
    }
    let empty: Vec<&str> = results
        .arms
        .iter()
        .filter(|arm| arm.units == 0)
        .map(|arm| arm.name.as_str())
        .collect();
    if !empty.is_empty() {
        return no_data(experiment, &empty, results.arms.len());
    }
    if let Some(broken) = results.broken_guardrail() {
        return guardrail_broken(experiment, broken);
    }
    match experiment.plan.decision {
        Decision::Fixed if results.frozen_at.is_none() => undecided(experiment, results),
        Decision::Fixed | Decision::Sequential => decide(experiment, results),
    }
}

fn no_data(experiment: &Experiment, empty: &[&str], n_arms: usize) -> Verdict {
    let units = experiment.plan.unit.plural();
    let sentence = if empty.len() == n_arms {
        format!("No data yet: no {units} have been counted.")
    } else {
        format!("No data yet in {}: nothing can be compared.", join(empty))
    };
    Verdict::new(VerdictKind::NoData, sentence)
}

fn trust_problem(experiment: &Experiment, results: &Results, live: &[ArmCounts]) -> Verdict {
    let total: f64 = experiment.plan.arms.iter().map(|arm| arm.weight).sum();
    let units: u64 = live.iter().map(|arm| arm.units).sum();
    let seen: Vec<String> = experiment
        .plan
        .arms
        .iter()
        .zip(live)
        .map(|(arm, counts)| format!("{} {}", arm.name, count(counts.units)))
        .collect();
    let wanted: Vec<String> = experiment
        .plan
        .arms
        .iter()
        .map(|arm| format!("{:.1} %", 100.0 * arm.weight / total))
        .collect();
    Verdict::new(
        VerdictKind::TrustProblem,
        format!(
            "Do not trust this result: the {} {} are not split {} as planned ({}; p {}). Whatever sent them \
             astray may have made the difference too.",
            count(units),
            experiment.plan.unit.plural(),
            wanted.join(" / "),
            seen.join(", "),
            p_value(results.srm.p_value.unwrap_or_default()),
        ),
    )
}

fn guardrail_broken(experiment: &Experiment, broken: &GuardrailResult) -> Verdict {
    let worse = match broken.direction {
        Direction::Lower => "higher",
        Direction::Higher => "lower",
    };
    let advice = if experiment.status == Status::Running {
        "Stop: "
    } else {
        "Not to be shipped: "
    };
    let control = experiment
        .plan
        .arms
        .first()
        .map_or("", |arm| arm.name.as_str());
    Verdict::new(
        VerdictKind::GuardrailBroken,
        format!(
            "{advice}{} breaks the guardrail {}: it is {worse} than in {control} by at least {}, and {} is tolerated.",
            broken.arm,
            broken.metric,
            amount(broken.worse_by_at_least.unwrap_or_default()),
            amount(broken.margin),
        ),
    )
    .about(&broken.arm)
}

/// The fixed rule before the planned sample is there.
fn undecided(experiment: &Experiment, results: &Results) -> Verdict {
    let progress = results.progress;
    let so_far = format!(
        "{} of {} planned {}",
        count(progress.observed),
        count(progress.planned),
        experiment.plan.unit.plural()
    );
    if experiment.status != Status::Running {
        return Verdict::new(
            VerdictKind::StoppedEarly,
            format!(
                "Stopped at {so_far}, before the one moment at which it would have been decided: no verdict."
            ),
        );
    }
    if progress.is_reached() {
        return Verdict::new(
            VerdictKind::TooEarly,
            "The planned sample has just been reached: the counts are being frozen for the decision.",
        );
    }
    Verdict::new(
        VerdictKind::TooEarly,
        format!(
            "Too early: {so_far}{}. It is decided once, when they are all there; until then a difference may be chance.",
            days_left(progress.days_left)
        ),
    )
}

fn decide(experiment: &Experiment, results: &Results) -> Verdict {
    let decided: Vec<Decided> = results
        .comparisons
        .iter()
        .filter_map(|comparison| {
            let (interval, p_value) = match results.decision {
                Decision::Fixed => (comparison.interval?, comparison.adjusted_p_value),
                Decision::Sequential => (
                    comparison.sequential.interval?,
                    comparison.sequential.adjusted_p_value,
                ),
            };
            Some(Decided {
                comparison,
                difference: comparison.difference?,
                interval,
                is_significant: p_value.is_some_and(|p| p < results.alpha),
            })
        })
        .collect();
    let control = experiment
        .plan
        .arms
        .first()
        .map_or("", |arm| arm.name.as_str());
    let best = decided
        .iter()
        .filter(|one| one.is_significant && one.difference > 0.0)
        .max_by(|one, two| one.difference.total_cmp(&two.difference));
    if let Some(best) = best {
        return better(results, best, control);
    }
    let worse: Vec<&Decided> = decided
        .iter()
        .filter(|one| one.is_significant && one.difference < 0.0)
        .collect();
    let are_all_worse = worse.len() == results.comparisons.len();
    let is_over = match results.decision {
        Decision::Fixed => true,
        Decision::Sequential => results.progress.is_reached() || are_all_worse,
    };
    match worse.first() {
        Some(first) if is_over => worse_than(results, &worse, control).about(&first.comparison.arm),
        _ if is_over => no_difference(results, &decided, control),
        _ => not_yet(experiment, results, &decided, &worse, control),
    }
}

fn better(results: &Results, best: &Decided, control: &str) -> Verdict {
    let (arm, interval) = (best.comparison.arm.as_str(), best.interval);
    let lift = best
        .comparison
        .relative_lift
        .map(|lift| format!(", {:+.1} % relative", lift * 100.0))
        .unwrap_or_default();
    // With several challengers, or rates near 0 or 1, test and interval may just disagree at the edge.
    let by = if interval.lower > 0.0 {
        format!(
            "by between {} and {}",
            bare(interval.lower),
            points(interval.upper)
        )
    } else {
        format!(
            "({}, interval {} to {})",
            signed(best.difference),
            signed_bare(interval.lower),
            signed(interval.upper)
        )
    };
    Verdict::new(
        VerdictKind::Better,
        format!(
            "{arm} is better than {control} {by} (best guess {}{lift}). {}",
            signed(best.difference),
            ground(results)
        ),
    )
    .about(arm)
}

fn worse_than(results: &Results, worse: &[&Decided], control: &str) -> Verdict {
    let each: Vec<String> = worse
        .iter()
        .map(|one| {
            let (arm, interval) = (one.comparison.arm.as_str(), one.interval);
            if interval.upper < 0.0 {
                let (least, most) = (bare(-interval.upper), points(-interval.lower));
                format!("{arm} is worse than {control} by between {least} and {most}")
            } else {
                format!("{arm} is worse than {control} ({})", signed(one.difference))
            }
        })
        .collect();
    Verdict::new(
        VerdictKind::Worse,
        format!("Keep {control}: {}. {}", each.join("; "), ground(results)),
    )
}

fn no_difference(results: &Results, decided: &[Decided], control: &str) -> Verdict {
    let largest = decided
        .iter()
        .flat_map(|one| [one.interval.lower.abs(), one.interval.upper.abs()])
        .fold(0.0, f64::max);
    let arms: Vec<&str> = results
        .comparisons
        .iter()
        .map(|one| one.arm.as_str())
        .collect();
    let sentence = if decided.is_empty() {
        format!(
            "No difference: {control} and {} have the same rate without any spread. {}",
            join(&arms),
            ground(results)
        )
    } else {
        format!(
            "No difference larger than {} between {control} and {}. {}",
            points(largest),
            join(&arms),
            ground(results)
        )
    };
    Verdict::new(VerdictKind::NoDifference, sentence)
}

/// The sequential rule before it decided.
fn not_yet(
    experiment: &Experiment,
    results: &Results,
    decided: &[Decided],
    worse: &[&Decided],
    control: &str,
) -> Verdict {
    let progress = results.progress;
    let so_far = format!(
        "{} of {} planned {}",
        count(progress.observed),
        count(progress.planned),
        experiment.plan.unit.plural()
    );
    let ranges: Vec<String> = decided
        .iter()
        .filter(|one| {
            !worse
                .iter()
                .any(|worse| worse.comparison.arm == one.comparison.arm)
        })
        .map(|one| {
            format!(
                "{} is between {} and {} against {control}",
                one.comparison.arm,
                signed_bare(one.interval.lower),
                signed(one.interval.upper)
            )
        })
        .chain(
            worse
                .iter()
                .map(|one| format!("{} is worse than {control}", one.comparison.arm)),
        )
        .collect();
    let ranges = if ranges.is_empty() {
        String::new()
    } else {
        format!(" So far {}.", ranges.join("; "))
    };
    if experiment.status == Status::Running {
        let left = days_left(progress.days_left);
        Verdict::new(
            VerdictKind::TooEarly,
            format!("Too early to tell: {so_far}{left}.{ranges}"),
        )
    } else {
        Verdict::new(
            VerdictKind::StoppedEarly,
            format!("Stopped at {so_far}, before a difference showed.{ranges}"),
        )
    }
}

/// What entitles to the verdict.
fn ground(results: &Results) -> String {
    match results.decision {
        Decision::Fixed => {
            "The planned sample was reached and this is the one decision.".to_owned()
        }
        Decision::Sequential if results.progress.is_reached() => {
            "The planned sample is reached; the interval holds at any moment.".to_owned()
        }
        Decision::Sequential => {
            "The interval holds at any moment, so looking early does no harm.".to_owned()
        }
    }
}
