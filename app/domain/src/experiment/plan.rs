//! What an experiment is to find, and with whom: read and checked with every error at once, and
//! turned into units and days.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::verdict::{count, points};
use crate::{
    field::{FieldError, Fields},
    prompt::{PromptName, check_prose},
    stats::power,
};

/// The most arms, control included.
pub const MAX_ARMS: usize = 10;
/// The most guardrails.
pub const MAX_GUARDRAILS: usize = 10;
/// The longest name of an experiment, arm or metric, in characters.
const MAX_NAME: usize = 100;
/// The longest hypothesis, in characters.
const MAX_HYPOTHESIS: usize = 2_000;
/// The largest weight, so that sums stay exact enough.
const MAX_WEIGHT: f64 = 1e6;
/// The longest anyone may plan, in days: three years.
const MAX_DAYS: i64 = 1_096;

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
    /// A salt shared with other experiments, so that they leave out the same units (a holdout);
    /// its own if left out, which makes it independent of all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_salt: Option<String>,
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
    /// Reads and checks a plan; every offending field is listed.
    pub fn parse(value: Value) -> Result<Self, Vec<FieldError>> {
        Self::read(Fields::new("", value))
    }

    /// The same from fields that are being read.
    pub fn read(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let name = label(&mut fields, "name");
        let hypothesis = fields.text("hypothesis").unwrap_or_default();
        if let Err(message) = check_prose(&hypothesis, MAX_HYPOTHESIS) {
            fields.refuse("hypothesis", message);
        }
        fields.require("prompt");
        let prompt = fields
            .text("prompt")
            .and_then(|text| match PromptName::parse(&text) {
                Ok(prompt) => Some(prompt),
                Err(error) => {
                    fields.refuse("prompt", error.to_string());
                    None
                }
            });
        let environment = fields.required_text("environment");
        let arms = read_arms(&mut fields);
        let guardrails = read_guardrails(&mut fields);
        let traffic = within(&mut fields, "traffic", 1.0, |share| {
            (share > 0.0 && share <= 1.0)
                .then_some(())
                .ok_or("must be above 0 and at most 1")
        });
        let unit = one_of(&mut fields, "unit", &Unit::ALL, Unit::word).unwrap_or_default();
        let primary_metric = label(&mut fields, "primary_metric");
        let decision =
            one_of(&mut fields, "decision", &Decision::ALL, Decision::word).unwrap_or_default();
        let alpha = within(&mut fields, "alpha", 0.05, |alpha| {
            (1e-6..=0.2)
                .contains(&alpha)
                .then_some(())
                .ok_or("must be from 0.000001 to 0.2")
        });
        let power = within(&mut fields, "power", 0.8, |power| {
            (0.5..=0.999)
                .contains(&power)
                .then_some(())
                .ok_or("must be from 0.5 to 0.999")
        });
        let baseline = within(&mut fields, "baseline", 0.5, |rate| {
            (rate > 0.0 && rate < 1.0)
                .then_some(())
                .ok_or("must be above 0 and below 1")
        });
        let minimum_effect = within(&mut fields, "minimum_effect", 0.05, |effect| {
            (0.0001..1.0)
                .contains(&effect)
                .then_some(())
                .ok_or("must be from 0.0001 and below 1: 0.05 is 5 percentage points")
        });
        if minimum_effect > baseline && baseline + minimum_effect > 1.0 {
            fields.refuse(
                "minimum_effect",
                "is larger than any change the baseline leaves room for",
            );
        }
        let units_per_day = fields.number("units_per_day");
        if units_per_day.is_some_and(|units| !(units > 0.0 && units <= 1e9)) {
            fields.refuse("units_per_day", "must be above 0 and at most a billion");
        }
        let days = fields.integer("days");
        if days.is_some_and(|days| !(1..=MAX_DAYS).contains(&days)) {
            fields.refuse("days", format!("must be from 1 to {MAX_DAYS}"));
        }
        let auto_stop = read_auto_stop(&mut fields);
        let shared_salt = fields.text("shared_salt");
        if shared_salt.as_deref().is_some_and(|salt| !is_salt(salt)) {
            fields.refuse(
                "shared_salt",
                "must be 1 to 64 letters, digits, `-`, `_` or `.`",
            );
        }
        let plan = fields.finish(|| {
            prompt.map(|prompt| Self {
                name,
                hypothesis,
                prompt,
                environment,
                arms,
                traffic,
                unit,
                primary_metric,
                guardrails,
                decision,
                alpha,
                power,
                baseline,
                minimum_effect,
                units_per_day,
                days: days.and_then(|days| u32::try_from(days).ok()),
                auto_stop,
                shared_salt,
            })
        })?;
        let plan = plan.ok_or_else(|| vec![FieldError::new("prompt", "is required")])?;
        if plan.planned_units().is_none() {
            let message = "would need more units than can be counted";
            return Err(vec![FieldError::new("minimum_effect", message)]);
        }
        Ok(plan)
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

fn is_salt(salt: &str) -> bool {
    (1..=64).contains(&salt.len())
        && salt
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// A short text that must say something.
fn label(fields: &mut Fields, name: &str) -> String {
    fields.require(name);
    let Some(text) = fields.text(name) else {
        return String::new();
    };
    let text = text.trim().to_owned();
    if text.is_empty() {
        fields.refuse(name, "must not be empty");
    } else if let Err(message) = check_prose(&text, MAX_NAME) {
        fields.refuse(name, message);
    } else if text.contains(['\n', '\t']) {
        fields.refuse(name, "must be one line");
    }
    text
}

/// A number with a usual value and a rule.
fn within(
    fields: &mut Fields,
    name: &str,
    usual: f64,
    rule: impl Fn(f64) -> Result<(), &'static str>,
) -> f64 {
    let number = fields.number(name).unwrap_or(usual);
    if let Err(message) = rule(number) {
        fields.refuse(name, message);
    }
    number
}

/// One of a few words.
fn one_of<T: Copy>(
    fields: &mut Fields,
    name: &str,
    all: &[T],
    word: impl Fn(T) -> &'static str,
) -> Option<T> {
    let text = fields.text(name)?;
    let found = all.iter().copied().find(|one| word(*one) == text);
    if found.is_none() {
        let words: Vec<&str> = all.iter().map(|one| word(*one)).collect();
        fields.refuse(name, format!("must be {}", words.join(" or ")));
    }
    found
}

fn read_arms(fields: &mut Fields) -> Vec<Arm> {
    fields.require("arms");
    let items = fields.list("arms").unwrap_or_default();
    if !items.is_empty() && !(2..=MAX_ARMS).contains(&items.len()) {
        fields.refuse("arms", format!("must be 2 to {MAX_ARMS}, control first"));
        return Vec::new();
    }
    let mut arms: Vec<Arm> = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let mut arm = Fields::new(&fields.path_of(&format!("arms[{index}]")), item);
        let name = label(&mut arm, "name");
        arm.require("version");
        let version = arm.integer("version").unwrap_or(1);
        let legal = i32::try_from(version).ok().filter(|version| *version > 0);
        if legal.is_none() {
            arm.refuse("version", "must be a version's number");
        }
        let weight = within(&mut arm, "weight", 1.0, |weight| {
            (weight > 0.0 && weight <= MAX_WEIGHT)
                .then_some(())
                .ok_or("must be above 0 and at most a million")
        });
        if arms.iter().any(|other| other.name == name) {
            arm.refuse("name", "is another arm's name already");
        }
        match arm.finish(|| Arm {
            name,
            version: legal.unwrap_or(1),
            weight,
        }) {
            Ok(arm) => arms.push(arm),
            Err(errors) => fields.absorb(errors),
        }
    }
    if arms.is_empty() {
        // Said once: an absent list was refused above, an empty one here.
        fields.refuse_unless_refused("arms", "must be 2 to 10, control first");
    }
    arms
}

fn read_guardrails(fields: &mut Fields) -> Vec<Guardrail> {
    let items = fields.list("guardrails").unwrap_or_default();
    if items.len() > MAX_GUARDRAILS {
        fields.refuse("guardrails", format!("must be at most {MAX_GUARDRAILS}"));
        return Vec::new();
    }
    let mut guardrails: Vec<Guardrail> = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let mut one = Fields::new(&fields.path_of(&format!("guardrails[{index}]")), item);
        let metric = label(&mut one, "metric");
        one.require("direction");
        let direction = one_of(&mut one, "direction", &Direction::ALL, Direction::word);
        let margin = within(&mut one, "margin", 0.0, |margin| {
            (0.0..=1e12)
                .contains(&margin)
                .then_some(())
                .ok_or("must be 0 or more, in the metric's own unit")
        });
        if guardrails.iter().any(|other| other.metric == metric) {
            one.refuse("metric", "is another guardrail's already");
        }
        let built = one.finish(|| {
            direction.map(|direction| Guardrail {
                metric,
                direction,
                margin,
            })
        });
        match built {
            Ok(guardrail) => guardrails.extend(guardrail),
            Err(errors) => fields.absorb(errors),
        }
    }
    guardrails
}

fn read_auto_stop(fields: &mut Fields) -> AutoStop {
    let Some(value) = fields.take("auto_stop") else {
        return AutoStop::default();
    };
    let mut one = Fields::new(&fields.path_of("auto_stop"), value);
    let stop = AutoStop {
        guardrail: one.boolean("guardrail").unwrap_or_default(),
        srm: one.boolean("srm").unwrap_or_default(),
    };
    match one.finish(|| stop) {
        Ok(stop) => stop,
        Err(errors) => {
            fields.absorb(errors);
            stop
        }
    }
}
