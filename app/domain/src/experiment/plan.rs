//! What an experiment is to find, and with whom, turned into units and days. How a plan is read
//! and checked is in `read`.

use serde::{Deserialize, Serialize};

use super::{
    Slice,
    words::{count, points},
};
use crate::{prompt::PromptName, stats::power};

mod read;

/// The most arms, control included.
pub const MAX_ARMS: usize = 10;
/// The most guardrails.
pub const MAX_GUARDRAILS: usize = 10;

/// Whom a coin is tossed for: the unit of assignment and of analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ExperimentUnit))]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type))]
#[cfg_attr(feature = "sqlx", sqlx(type_name = "text", rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A person keeps their arm.
    #[default]
    User,
    /// A conversation keeps its arm.
    Conversation,
    /// Every request by itself.
    Request,
}

impl Unit {
    /// All of them, in the order people are offered them.
    pub const ALL: [Self; 3] = [Self::User, Self::Conversation, Self::Request];

    /// The word used in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Conversation => "conversation",
            Self::Request => "request",
        }
    }

    /// More than one of them.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::User => "users",
            Self::Conversation => "conversations",
            Self::Request => "requests",
        }
    }
}

/// What decides; chosen in the plan and never mixed, because letting both decide doubles the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = DecisionRule))]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type))]
#[cfg_attr(feature = "sqlx", sqlx(type_name = "text", rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The z-test, once, on the counts at the moment the planned sample is reached.
    #[default]
    Fixed,
    /// The always-valid interval, at any moment.
    Sequential,
}

impl Decision {
    /// Both, in the order people are offered them.
    pub const ALL: [Self; 2] = [Self::Fixed, Self::Sequential];

    /// The word used in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Sequential => "sequential",
        }
    }
}

/// Which way a metric is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type))]
#[cfg_attr(feature = "sqlx", sqlx(type_name = "text", rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Such as latency and cost.
    Lower,
    /// Such as ratings.
    Higher,
}

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Lower, Self::Higher];

    /// The word used in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Lower => "lower",
            Self::Higher => "higher",
        }
    }
}

/// A version that takes part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ExperimentArm))]
pub struct Arm {
    /// Such as `A` or `shorter`.
    pub name: String,
    /// The version's number.
    pub version: i32,
    /// Its share, relative to the other arms'.
    pub weight: f64,
}

/// What a challenger must not make worse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ExperimentGuardrail))]
pub struct Guardrail {
    /// `latency_ms`, `ttft_ms`, `cost_usd`, `input_tokens`, `output_tokens`, `error_rate`, or the
    /// metric of outcome events.
    pub metric: String,
    /// Which way is better.
    pub direction: Direction,
    /// How much worse than the control is tolerated, in the metric's own unit.
    pub margin: f64,
}

/// What may stop an experiment by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AutoStop {
    /// A broken guardrail.
    #[serde(default)]
    pub guardrail: bool,
    /// A sample-ratio mismatch.
    #[serde(default)]
    pub srm: bool,
}

/// What is planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ExperimentPlan))]
pub struct Plan {
    /// As people call it.
    pub name: String,
    /// What is believed, and why.
    pub hypothesis: String,
    /// The prompt.
    pub prompt: PromptName,
    /// The environment.
    pub environment: String,
    /// Control first.
    pub arms: Vec<Arm>,
    /// The share of units that take part, above 0 and at most 1.
    pub traffic: f64,
    /// Whom a coin is tossed for.
    pub unit: Unit,
    /// The metric of the outcome events that count: the share of units with a value of 1.
    pub primary_metric: String,
    /// What must not get worse.
    pub guardrails: Vec<Guardrail>,
    /// What decides.
    pub decision: Decision,
    /// The two-sided error rate that is accepted.
    pub alpha: f64,
    /// The chance to find the minimum effect if it is there.
    pub power: f64,
    /// The control's rate as far as known; 0.5, where most units are needed, if it is not.
    pub baseline: f64,
    /// The smallest difference worth finding, as a proportion: 0.05 is 5 percentage points.
    pub minimum_effect: f64,
    /// Units a day that ask for the prompt, as far as known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units_per_day: Option<f64>,
    /// How long it may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// What may stop it by itself.
    #[serde(default)]
    pub auto_stop: AutoStop,
    /// The layer it runs in: experiments of one layer that take different parts of it share no
    /// unit, and what none takes is the holdout. Without one it is independent of all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// Where its part of the layer begins, from 0; `traffic` says how long it is. 0 without a layer.
    #[serde(default)]
    pub traffic_from: f64,
}

/// What is wrong with a plan's numbers, said before it starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PowerWarning {
    /// Units needed.
    pub needed_units: u64,
    /// Units that will have come by then.
    pub expected_units: u64,
    /// Days until the planned sample is reached.
    pub needed_days: f64,
    /// The smallest difference that the units expected would find with the planned power, as a
    /// proportion; none if not even the largest.
    pub detectable_effect: Option<f64>,
    /// All of it in words.
    pub sentence: String,
}

impl Plan {
    /// Which units take part.
    #[must_use]
    pub const fn slice(&self) -> Slice {
        Slice {
            from: self.traffic_from,
            traffic: self.traffic,
        }
    }

    /// Each comparison's error rate: shared among the challengers, so that planning is never more
    /// hopeful than Holm's adjustment will be.
    fn alpha_each(&self) -> f64 {
        let challengers = u32::try_from(self.arms.len().saturating_sub(1)).unwrap_or(1);
        self.alpha / f64::from(challengers.max(1))
    }

    /// The numbers as the planning formulas take them: a rise by the minimum effect, or a fall
    /// where there is no room for a rise.
    fn sizes(&self) -> power::Plan {
        let effect = if self.baseline + self.minimum_effect <= 1.0 {
            self.minimum_effect
        } else {
            -self.minimum_effect
        };
        power::Plan {
            baseline: self.baseline,
            effect,
            alpha: self.alpha_each(),
            power: self.power,
            weights: self.arms.iter().map(|arm| arm.weight).collect(),
        }
    }

    /// Units needed in all arms together under the plan's decision rule; none when no number would do.
    #[must_use]
    pub fn planned_units(&self) -> Option<u64> {
        self.units_under(self.decision)
    }

    /// The same under either rule: the form says what watching every day costs.
    #[must_use]
    pub fn units_under(&self, decision: Decision) -> Option<u64> {
        let sizes = self.sizes();
        match decision {
            Decision::Fixed => sizes.sample_size(),
            Decision::Sequential => sizes.sequential_sample_size(),
        }
        .map(|size| size.total)
    }

    /// Days until the planned sample is reached at the traffic that is expected.
    #[must_use]
    pub fn planned_days(&self) -> Option<f64> {
        let a_day = self.units_per_day? * self.traffic;
        let days = float(self.planned_units()?) / a_day;
        days.is_finite().then_some(days)
    }

    /// Warns in numbers when the traffic cannot reach the planned sample within the time given.
    #[must_use]
    pub fn power_warning(&self) -> Option<PowerWarning> {
        let (units_per_day, days) = (self.units_per_day?, self.days?);
        let needed_units = self.planned_units()?;
        let expected = units_per_day * self.traffic * f64::from(days);
        let needed_days = self.planned_days()?;
        if needed_days <= f64::from(days) {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most 10¹²"
        )]
        let expected_units = expected as u64;
        let weights: f64 = self.arms.iter().map(|arm| arm.weight).sum();
        let least = self
            .arms
            .iter()
            .map(|arm| arm.weight)
            .fold(f64::INFINITY, f64::min);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most 10¹²"
        )]
        let smallest_arm = (expected * least / weights) as u64;
        let detectable_effect = power::minimum_detectable_effect(
            self.baseline,
            smallest_arm,
            self.alpha_each(),
            self.power,
        );
        let instead = detectable_effect.map_or_else(
            || "not even the largest difference would be found then".to_owned(),
            |effect| {
                format!(
                    "by then only a difference of {} or more would be found",
                    points(effect)
                )
            },
        );
        let sentence = format!(
            "{} {} are needed and about {} will come in {days} days: {} days would be enough; {instead}.",
            count(needed_units),
            self.unit.plural(),
            count(expected_units),
            needed_days.ceil(),
        );
        Some(PowerWarning {
            needed_units,
            expected_units,
            needed_days,
            detectable_effect,
            sentence,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
const fn float(count: u64) -> f64 {
    count as f64
}
