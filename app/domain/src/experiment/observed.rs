//! What was counted: all that the rules are given, per unit and never per event. A unit counts in
//! the arm of its first exposure; a unit seen in two arms counts in none.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::stats::{mean::Summary, proportion::Sample};

/// One arm's units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ArmCounts {
    /// Units first exposed to this arm, and to no other.
    pub units: u64,
    /// Those with the primary outcome at or after their first exposure.
    pub successes: u64,
}

impl ArmCounts {
    /// As the statistics take it. Successes can never outnumber units, whatever the store says.
    #[must_use]
    pub fn sample(self) -> Sample {
        Sample {
            successes: self.successes.min(self.units),
            n: self.units,
        }
    }
}

/// The units that were first exposed in one hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Bucket {
    /// The start of the hour.
    pub at: DateTime<Utc>,
    /// The units first exposed in it, by arm in the plan's order: not cumulative.
    pub arms: Vec<ArmCounts>,
}

/// What the store knows of an experiment. Every list has one entry for each arm, in the plan's
/// order, control first; arms without units are there with zeros.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// The primary metric.
    pub arms: Vec<ArmCounts>,
    /// For each guardrail in the plan's order, for each arm: units with a value, the mean and the
    /// sample standard deviation (n − 1) of the units' means, in the metric's unit.
    pub guardrails: Vec<Vec<Summary>>,
    /// Units seen in two arms; they are in none of the counts.
    pub excluded: u64,
    /// By hour of first exposure, oldest first; hours without units are left out.
    pub series: Vec<Bucket>,
    /// The latest event that counts.
    pub last_event_at: Option<DateTime<Utc>>,
}

impl Observed {
    /// Units in all arms together.
    #[must_use]
    pub fn units(&self) -> u64 {
        self.arms.iter().map(|arm| arm.units).sum()
    }
}

/// The counts at the moment the planned sample was reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Frozen {
    /// When.
    pub at: DateTime<Utc>,
    /// By arm, in the plan's order.
    pub arms: Vec<ArmCounts>,
}
