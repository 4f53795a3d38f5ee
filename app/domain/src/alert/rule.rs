//! Rules as they are submitted, and the ones every project begins with.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::{Hysteresis, Kind, Pace, Unit};
use crate::{
    field::{FieldError, Fields},
    project::check_label,
    prompt::PromptName,
};

/// A day, in seconds: the longest that a rule waits before it raises or clears.
const MAX_SECONDS: i64 = 86_400;
/// The longest window and the longest repeat interval, in minutes: a week.
const MAX_MINUTES: i64 = 7 * 24 * 60;

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = NewAlertRule))]
pub struct NewRule {
    /// As people call it; names the alert when a deployment is taken back by it.
    pub name: String,
    /// What is watched.
    pub kind: Kind,
    /// Whether it is watched at all.
    pub enabled: bool,
    /// Only this prompt; all when left out.
    pub prompt: Option<PromptName>,
    /// Only in this environment; in all when left out.
    pub environment: Option<String>,
    /// At or above this it fires: a share, milliseconds, seconds, hours or US dollars by kind.
    pub threshold: f64,
    /// Below this it is over; at most the threshold.
    pub clear_threshold: f64,
    /// For how long it must be too much.
    pub for_seconds: i32,
    /// For how long it must be below.
    pub clear_for_seconds: i32,
    /// Over how long calls are measured.
    pub window_minutes: i32,
    /// Fewer calls than this say nothing.
    pub min_requests: i32,
    /// The rule's alerts are told together, at most once in so long.
    pub group_seconds: i32,
    /// What still fires is said again after so long.
    pub repeat_minutes: i32,
    /// Takes the deployment back by itself: once, loud, and only where a rule names its environment.
    pub roll_back: bool,
}

impl NewRule {
    /// A rule of that kind with the usual numbers, for the whole project.
    #[must_use]
    pub fn usual(kind: Kind) -> Self {
        let (name, threshold, clear_threshold) = match kind {
            Kind::Drifted => ("Drifted from its promotion", 1.0, 1.0),
            Kind::GateFailed => ("Gate failed", 1.0, 1.0),
            Kind::Guardrail => ("Guardrail broken", 1.0, 1.0),
            Kind::Srm => ("Sample ratio mismatch", 1.0, 1.0),
            Kind::PropagationStuck => ("Propagation stuck", 60.0, 60.0),
            Kind::ApprovalWaiting => ("Approval waiting", 24.0, 24.0),
            Kind::ErrorRate => ("Error rate", 0.05, 0.02),
            Kind::LatencyP95 => ("Latency p95", 10_000.0, 8_000.0),
            Kind::CostPerDay => ("Cost per day", 100.0, 80.0),
        };
        let (for_seconds, clear_for_seconds) = match kind {
            Kind::ErrorRate => (120, 300),
            Kind::LatencyP95 => (300, 600),
            Kind::CostPerDay => (0, 600),
            Kind::Drifted
            | Kind::GateFailed
            | Kind::Guardrail
            | Kind::Srm
            | Kind::PropagationStuck
            | Kind::ApprovalWaiting => (0, 0),
        };
        let is_daily = kind == Kind::CostPerDay;
        Self {
            name: name.to_owned(),
            kind,
            enabled: true,
            prompt: None,
            environment: None,
            threshold,
            clear_threshold,
            for_seconds,
            clear_for_seconds,
            window_minutes: if is_daily { 1_440 } else { 15 },
            min_requests: if is_daily { 1 } else { 50 },
            group_seconds: 300,
            repeat_minutes: 240,
            roll_back: false,
        }
    }

    /// Reads what was submitted, all errors at once. What is left out is as usual for the kind.
    pub fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let word = fields.required_text("kind");
        let kind = Kind::from_word(&word).unwrap_or_else(|| {
            if !word.is_empty() {
                let words = Kind::ALL.map(Kind::word).join(", ");
                fields.refuse("kind", format!("must be one of {words}"));
            }
            Kind::ErrorRate
        });
        let usual = Self::usual(kind);
        let name = read_name(&mut fields);
        let enabled = fields.boolean("enabled").unwrap_or(true);
        let prompt = fields.text("prompt").filter(|text| !text.is_empty());
        let prompt = prompt.and_then(|text| match PromptName::parse(&text) {
            Ok(name) => Some(name),
            Err(error) => {
                fields.refuse("prompt", error.to_string());
                None
            }
        });
        let environment = fields.text("environment").filter(|text| !text.is_empty());
        let (threshold, clear_threshold) = thresholds(&mut fields, &usual);
        let mut whole = |name: &str, usual: i32, least: i64, most: i64| {
            let number = fields.integer(name).unwrap_or_else(|| usual.into());
            if !(least..=most).contains(&number) {
                fields.refuse(name, format!("must be from {least} to {most}"));
            }
            i32::try_from(number).unwrap_or(usual)
        };
        let for_seconds = whole("for_seconds", usual.for_seconds, 0, MAX_SECONDS);
        let clear_for_seconds = whole("clear_for_seconds", usual.clear_for_seconds, 0, MAX_SECONDS);
        let window_minutes = whole("window_minutes", usual.window_minutes, 1, MAX_MINUTES);
        let min_requests = whole("min_requests", usual.min_requests, 1, 1_000_000);
        let group_seconds = whole("group_seconds", usual.group_seconds, 0, MAX_SECONDS);
        let repeat_minutes = whole("repeat_minutes", usual.repeat_minutes, 1, MAX_MINUTES);
        let roll_back = fields.boolean("roll_back").unwrap_or(false);
        if roll_back && !kind.may_roll_back() {
            let words = "only drift, error rate and latency can take a deployment back";
            fields.refuse("roll_back", words);
        } else if roll_back && environment.is_none() {
            let words = "needs an environment: it is allowed for each environment by itself";
            fields.refuse("roll_back", words);
        }
        fields.finish(|| Self {
            name,
            kind,
            enabled,
            prompt,
            environment,
            threshold,
            clear_threshold,
            for_seconds,
            clear_for_seconds,
            window_minutes,
            min_requests,
            group_seconds,
            repeat_minutes,
            roll_back,
        })
    }

    /// When it fires and when it is over.
    #[must_use]
    pub fn hysteresis(&self) -> Hysteresis {
        Hysteresis {
            raise_at: self.threshold,
            clear_at: self.clear_threshold,
            raise_after: TimeDelta::seconds(self.for_seconds.into()),
            clear_after: TimeDelta::seconds(self.clear_for_seconds.into()),
        }
    }

    /// How often it speaks.
    #[must_use]
    pub fn pace(&self) -> Pace {
        Pace {
            window: TimeDelta::seconds(self.group_seconds.into()),
            repeat: TimeDelta::minutes(self.repeat_minutes.into()),
        }
    }

    /// When it fires, in a few words: `at 5 % for 2 min, over below 2 %`.
    #[must_use]
    pub fn condition(&self) -> String {
        let unit = self.kind.unit();
        if unit == Unit::YesOrNo {
            return "as soon as it is so".to_owned();
        }
        let held = |seconds: i32| match seconds {
            0 => String::new(),
            seconds if seconds % 60 == 0 => format!(" for {} min", seconds / 60),
            seconds => format!(" for {seconds} s"),
        };
        let raised = format!(
            "at {}{}",
            unit.words(self.threshold),
            held(self.for_seconds)
        );
        if self.clear_threshold < self.threshold || self.clear_for_seconds > 0 {
            let (clear, held) = (
                unit.words(self.clear_threshold),
                held(self.clear_for_seconds),
            );
            format!("{raised}, over below {clear}{held}")
        } else {
            raised
        }
    }
}

/// A name that people read, which must be there.
pub(crate) fn read_name(fields: &mut Fields) -> String {
    fields.require("name");
    let name = fields.text("name").map(|name| name.trim().to_owned());
    if let Some(name) = &name
        && let Err(message) = check_label(name)
    {
        fields.refuse("name", message);
    }
    name.unwrap_or_default()
}

fn thresholds(fields: &mut Fields, usual: &NewRule) -> (f64, f64) {
    let most = match usual.kind.unit() {
        // What is so or not has no threshold to choose.
        Unit::YesOrNo => {
            for name in ["threshold", "clear_threshold"] {
                if fields
                    .number(name)
                    .is_some_and(|number| number.to_bits() != 1_f64.to_bits())
                {
                    fields.refuse(name, "must be left out: it is so or it is not");
                }
            }
            return (1.0, 1.0);
        }
        Unit::Share => 1.0,
        Unit::Milliseconds => 3_600_000.0,
        Unit::Seconds => 86_400.0,
        Unit::Hours => 8_760.0,
        Unit::Usd => 1e9,
    };
    let given = fields.number("threshold");
    let threshold = given.unwrap_or(usual.threshold);
    if !(threshold > 0.0 && threshold <= most) {
        fields.refuse("threshold", format!("must be above 0 and at most {most}"));
    }
    let clear = fields.number("clear_threshold").unwrap_or_else(|| {
        // In the same proportion as usual.
        threshold * usual.clear_threshold / usual.threshold
    });
    if !(clear > 0.0 && clear <= threshold) {
        let words = "must be above 0 and at most the threshold";
        fields.refuse("clear_threshold", words);
    }
    (threshold, clear)
}

/// What every project watches unless told otherwise; the migration holds the same.
#[must_use]
pub fn defaults() -> [NewRule; 9] {
    Kind::ALL.map(NewRule::usual)
}
