//! Experiments: versions of a prompt side by side in one environment, and who gets which. What is
//! planned is in `plan`, who gets which arm in `assign`, what was counted in `observed`, what
//! follows from it in `results` and `verdict`. The mathematics is in `stats`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    actor::Who,
    id::{ExperimentId, VersionId},
};

mod assign;
mod effect;
mod layer;
mod observed;
mod plan;
mod results;
mod verdict;
mod words;

pub use assign::{Assignment, Rules, assign, draw};
pub use effect::EffectPoint;
pub use layer::{Layer, MAX_LAYER, Occupant, Slice, slices_in_words};
pub use observed::{ArmCounts, Bucket, Frozen, Observed};
pub use plan::{
    Arm, AutoStop, Decision, Direction, Guardrail, MAX_ARMS, MAX_GUARDRAILS, Plan, PowerWarning,
    Unit,
};
pub use results::{
    ArmResult, ComparisonResult, GuardrailResult, GuardrailState, Progress, Results,
    SequentialResult, SrmResult,
};
pub use verdict::{Verdict, VerdictKind};

/// The longest conclusion, in characters.
pub const MAX_CONCLUSION: usize = 4_000;

/// Where an experiment is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ExperimentStatus))]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type))]
#[cfg_attr(feature = "sqlx", sqlx(type_name = "text", rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Being planned; everything may change.
    Draft,
    /// Units are assigned. Arms and weights are fixed.
    Running,
    /// Everybody gets the control again.
    Stopped,
    /// Somebody said what was learnt.
    Concluded,
}

/// A move that is not part of an experiment's life.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Only drafts start.
    #[error("only a draft can be started; this experiment is {0}")]
    CannotStart(Status),
    /// Only what runs stops.
    #[error("only a running experiment can be stopped; this one is {0}")]
    CannotStop(Status),
    /// The conclusion comes after the end.
    #[error("only a stopped experiment can be concluded; this one is {0}")]
    CannotConclude(Status),
    /// Arms and weights are fixed while units are assigned by them, and afterwards.
    #[error(
        "arms, weights and metrics are fixed once an experiment has started; this one is {0}: plan a new one"
    )]
    CannotChange(Status),
    /// Traffic is ramped while it runs.
    #[error("only the traffic of a running experiment can be raised; this one is {0}")]
    CannotRamp(Status),
    /// Less traffic would take units out that were counted.
    #[error(
        "traffic may only go up from {from}: a unit that takes part stays in its arm; stop the experiment instead"
    )]
    OnlyUp {
        /// The share as it is.
        from: f64,
    },
    /// Two experiments of a layer never share a unit.
    #[error(
        "in the layer {layer}, “{other}” runs on {taken}, and this experiment would take {wanted}: free is {free}"
    )]
    LayerTaken {
        /// The layer.
        layer: String,
        /// What was asked for.
        wanted: Slice,
        /// Who has some of it.
        other: String,
        /// What they have.
        taken: Slice,
        /// What nobody has, in words.
        free: String,
    },
}

impl Status {
    /// All of them, in the order of a life.
    pub const ALL: [Self; 4] = [Self::Draft, Self::Running, Self::Stopped, Self::Concluded];

    /// The word used in JSON and on pages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Concluded => "concluded",
        }
    }

    /// The status of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }

    /// Units are assigned from now on.
    pub const fn start(self) -> Result<Self, Refusal> {
        match self {
            Self::Draft => Ok(Self::Running),
            Self::Running | Self::Stopped | Self::Concluded => Err(Refusal::CannotStart(self)),
        }
    }

    /// Everybody gets the control again.
    pub const fn stop(self) -> Result<Self, Refusal> {
        match self {
            Self::Running => Ok(Self::Stopped),
            Self::Draft | Self::Stopped | Self::Concluded => Err(Refusal::CannotStop(self)),
        }
    }

    /// What was learnt is written down.
    pub const fn conclude(self) -> Result<Self, Refusal> {
        match self {
            Self::Stopped => Ok(Self::Concluded),
            Self::Draft | Self::Running | Self::Concluded => Err(Refusal::CannotConclude(self)),
        }
    }

    /// Plans change only while nobody takes part.
    pub const fn change(self) -> Result<(), Refusal> {
        match self {
            Self::Draft => Ok(()),
            Self::Running | Self::Stopped | Self::Concluded => Err(Refusal::CannotChange(self)),
        }
    }

    /// More units may take part; the ones that do stay where they are.
    pub fn raise_traffic(self, from: f64, to: f64) -> Result<(), Refusal> {
        match self {
            Self::Running if to >= from => Ok(()),
            Self::Running => Err(Refusal::OnlyUp { from }),
            Self::Draft | Self::Stopped | Self::Concluded => Err(Refusal::CannotRamp(self)),
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// An experiment as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Experiment {
    /// The experiment.
    pub id: ExperimentId,
    /// Where it is in its life.
    pub status: Status,
    /// What was planned.
    #[serde(flatten)]
    pub plan: Plan,
    /// What is hashed with the unit: for its arm, and outside layers also for whether it takes part.
    pub salt: String,
    /// Units needed in all arms together.
    pub planned_units: u64,
    /// Who planned it.
    pub by: Who,
    /// When.
    pub created_at: DateTime<Utc>,
    /// Since when units are assigned.
    pub started_at: Option<DateTime<Utc>>,
    /// Since when they no longer are.
    pub stopped_at: Option<DateTime<Utc>>,
    /// When the conclusion was written.
    pub concluded_at: Option<DateTime<Utc>>,
    /// What was learnt.
    pub conclusion: Option<String>,
    /// The counts the fixed rule decides on, once the planned sample was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Frozen>,
    /// The versions of the arms, in their order, for the server's own joins.
    #[serde(skip)]
    pub versions: Vec<VersionId>,
}

impl Experiment {
    /// What decides who gets which arm: all that a client needs to do it by itself.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules {
            id: self.id,
            prompt: self.plan.prompt.clone(),
            environment: self.plan.environment.clone(),
            unit: self.plan.unit,
            salt: self.salt.clone(),
            layer: self.plan.layer.clone(),
            traffic_from: self.plan.traffic_from,
            traffic: self.plan.traffic,
            arms: self.plan.arms.clone(),
        }
    }
}

/// An experiment in a list, with its verdict in a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExperimentRow {
    /// The experiment.
    #[serde(flatten)]
    pub experiment: Experiment,
    /// What can be said now.
    pub verdict: Verdict,
    /// How far it has come.
    pub progress: Progress,
}

/// Everything an experiment's page shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExperimentDetail {
    /// The experiment.
    pub experiment: Experiment,
    /// What was found.
    pub results: Results,
    /// The effect over time, for the chart.
    pub series: Vec<EffectPoint>,
    /// What happened to it, oldest first.
    pub timeline: Vec<TimelineEntry>,
}

/// Something that happened to an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TimelineEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// By whom; the system where it stopped by itself.
    pub by: Who,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What can happen to an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Happening {
    /// It was planned.
    Created,
    /// The plan was changed.
    Changed,
    /// Units are assigned from here on.
    Started {
        /// What was warned of, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        warning: Option<String>,
    },
    /// More units take part.
    TrafficRaised {
        /// The share before.
        from: f64,
        /// The share since.
        to: f64,
    },
    /// The planned sample was reached; the fixed rule decides on these counts.
    Frozen {
        /// Units in all arms.
        units: u64,
    },
    /// Something is wrong: a broken guardrail or a sample-ratio mismatch.
    Alarm {
        /// What, in words.
        sentence: String,
    },
    /// Everybody gets the control again.
    Stopped {
        /// Why, in words.
        reason: String,
    },
    /// What was learnt was written down.
    Concluded {
        /// The words.
        conclusion: String,
    },
}

#[cfg(test)]
mod tests;
