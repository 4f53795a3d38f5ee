//! Alerts: what is watched, from when on it is too much, and what people are told of it. When an
//! alert fires and resolves is in `state`, when people hear of it in `notify`; both are pure.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    actor::Who,
    id::{AlertId, AlertRuleId, DeploymentId},
    prompt::PromptName,
};

mod notify;
mod rule;
mod state;
#[cfg(test)]
mod tests;

pub use notify::{Notification, Pace, Standing, due};
pub(crate) use rule::read_name;
pub use rule::{NewRule, defaults};
pub use state::{Hysteresis, Move, Reading, State};

/// A deployment older than this was not broken by being released: it is not taken back by itself.
pub const ROLL_BACK_WITHIN: TimeDelta = TimeDelta::days(7);

/// What a rule watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = AlertKind))]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type))]
#[cfg_attr(feature = "sqlx", sqlx(type_name = "text", rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A prompt is no longer as good as when it was promoted.
    Drifted,
    /// The newest gate of a prompt failed.
    GateFailed,
    /// A running experiment breaks a guardrail.
    Guardrail,
    /// An experiment's arms are not as large as they should be.
    Srm,
    /// A connected client has not confirmed what serves.
    PropagationStuck,
    /// A promotion waits for people.
    ApprovalWaiting,
    /// The share of calls that failed.
    ErrorRate,
    /// The 95th percentile of the time calls take.
    LatencyP95,
    /// What a prompt's calls cost in a day.
    CostPerDay,
}

/// What a rule's numbers count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// It is so or it is not.
    YesOrNo,
    /// A share of all, 0 to 1.
    Share,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Hours.
    Hours,
    /// US dollars.
    Usd,
}

impl Kind {
    /// All of them, as pages list them.
    pub const ALL: [Self; 9] = [
        Self::Drifted,
        Self::GateFailed,
        Self::Guardrail,
        Self::Srm,
        Self::PropagationStuck,
        Self::ApprovalWaiting,
        Self::ErrorRate,
        Self::LatencyP95,
        Self::CostPerDay,
    ];

    /// The word used in JSON and forms.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Drifted => "drifted",
            Self::GateFailed => "gate_failed",
            Self::Guardrail => "guardrail",
            Self::Srm => "srm",
            Self::PropagationStuck => "propagation_stuck",
            Self::ApprovalWaiting => "approval_waiting",
            Self::ErrorRate => "error_rate",
            Self::LatencyP95 => "latency_p95",
            Self::CostPerDay => "cost_per_day",
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// As people say it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Drifted => "Drifted",
            Self::GateFailed => "Gate failed",
            Self::Guardrail => "Guardrail broken",
            Self::Srm => "Sample ratio mismatch",
            Self::PropagationStuck => "Propagation stuck",
            Self::ApprovalWaiting => "Approval waiting",
            Self::ErrorRate => "Error rate",
            Self::LatencyP95 => "Latency p95",
            Self::CostPerDay => "Cost per day",
        }
    }

    /// What its numbers count.
    #[must_use]
    pub const fn unit(self) -> Unit {
        match self {
            Self::Drifted | Self::GateFailed | Self::Guardrail | Self::Srm => Unit::YesOrNo,
            Self::ErrorRate => Unit::Share,
            Self::LatencyP95 => Unit::Milliseconds,
            Self::PropagationStuck => Unit::Seconds,
            Self::ApprovalWaiting => Unit::Hours,
            Self::CostPerDay => Unit::Usd,
        }
    }

    /// Whether it is measured over a window of calls.
    #[must_use]
    pub const fn is_measured(self) -> bool {
        matches!(self, Self::ErrorRate | Self::LatencyP95 | Self::CostPerDay)
    }

    /// Whether going back to the version served before may be the answer to it. Not for cost: it is
    /// of a whole window and of all versions, so it may be the work of another one.
    #[must_use]
    pub const fn may_roll_back(self) -> bool {
        matches!(self, Self::Drifted | Self::ErrorRate | Self::LatencyP95)
    }
}

impl Unit {
    /// A value with its unit, as people read it.
    #[must_use]
    pub fn words(self, value: f64) -> String {
        let plain = |digits: usize| {
            let text = format!("{value:.digits$}");
            if text.contains('.') {
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            } else {
                text
            }
        };
        match self {
            Self::YesOrNo if value >= 1.0 => "yes".to_owned(),
            Self::YesOrNo => "no".to_owned(),
            Self::Share => {
                let percent = format!("{:.1}", value * 100.0);
                format!("{} %", percent.trim_end_matches('0').trim_end_matches('.'))
            }
            Self::Milliseconds => format!("{} ms", plain(0)),
            Self::Seconds => format!("{} s", plain(0)),
            Self::Hours => format!("{} h", plain(1)),
            Self::Usd => format!("${value:.2}"),
        }
    }
}

/// A rule, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = AlertRule))]
pub struct Rule {
    /// The rule.
    pub id: AlertRuleId,
    /// What it says.
    #[serde(flatten)]
    pub plan: NewRule,
    /// How many alerts of it fire now.
    pub n_firing: i64,
    /// Who changed it last.
    pub by: Who,
    /// When.
    pub changed_at: DateTime<Utc>,
}

/// An alert, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Alert {
    /// The alert.
    pub id: AlertId,
    /// The rule's name.
    pub rule: String,
    /// What is watched.
    pub kind: Kind,
    /// Whether it fires now.
    pub is_firing: bool,
    /// What it is about, in a few words.
    pub title: String,
    /// What is the matter, in a sentence; as it was last read.
    pub sentence: String,
    /// The page where something can be done about it, within the project.
    pub href: String,
    /// What was last read.
    pub value: f64,
    /// The prompt it is about.
    pub prompt: Option<PromptName>,
    /// The environment it is about.
    pub environment: Option<String>,
    /// Since when it has fired, or when it last began to.
    pub raised_at: DateTime<Utc>,
    /// How often it began to: what comes back soon is the same alert.
    pub n_raised: i32,
    /// When it was over.
    pub resolved_at: Option<DateTime<Utc>>,
    /// Who takes care of it: it is not repeated then.
    pub acknowledged_by: Option<Who>,
    /// Since when.
    pub acknowledged_at: Option<DateTime<Utc>>,
}

/// Something that happened to an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AlertEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// By whom; nearly always the system.
    pub by: Who,
    /// What.
    #[serde(flatten)]
    pub what: Happened,
}

/// What can happen to an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = AlertHappened))]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Happened {
    /// It began to fire.
    Raised {
        /// Why.
        sentence: String,
    },
    /// It is over.
    Resolved {
        /// Why.
        sentence: String,
    },
    /// People were told that it fires, by so many webhooks.
    Told {
        /// How many.
        n_webhooks: i64,
    },
    /// They were told that it is over.
    ToldResolved {
        /// How many webhooks.
        n_webhooks: i64,
    },
    /// Somebody takes care of it.
    Acknowledged {
        /// What they said.
        note: String,
    },
    /// The deployment was taken back by itself.
    RolledBack {
        /// What serves since.
        deployment: DeploymentId,
        /// The version that serves since.
        version: i32,
    },
    /// The deployment was to be taken back, and was not.
    NotRolledBack {
        /// Why.
        reason: String,
    },
}
