//! Events as applications report them: who was shown what, what came of it, what a call cost.
//! Rows are read one by one, so that a bad one never takes its neighbours along; what a unit's
//! events add up to is in `unit`. Whether a prompt or an experiment is known, the store says.

use std::borrow::Cow;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

pub mod bucket;
pub mod failure;
mod rows;
#[cfg(feature = "watch")]
pub mod sampling;
mod sent;
pub mod summary;
pub mod unit;
pub mod window;

pub use rows::{Malformed, rows};
use sent::{Json, Number, Text};
pub use summary::{Percentiles, Point, Summary};

/// Most events in one request.
pub const MAX_EVENTS: usize = 10_000;
/// Most bytes in one request.
pub const MAX_BYTES: usize = 5 * 1024 * 1024;
/// An event may arrive so late.
pub const LATE_DAYS: i64 = 7;
/// A client's clock may be ahead by so much.
pub const AHEAD_MINUTES: i64 = 5;

/// The longest unit, metric, arm, model or name, in characters.
const MAX_NAME: usize = 200;
/// The longest error or output, in characters.
const MAX_TEXT: usize = 100_000;
/// Beyond this no measurement makes sense, and sums of squares would lose their digits.
const MAX_NUMBER: f64 = 1e12;

/// Refuses a unit that events could not name: resolving with it says the same as an exposure.
pub fn check_unit(unit: &str) -> Result<(), String> {
    if unit.contains('\0') {
        return Err("holds a NUL character".to_owned());
    }
    if unit.chars().count() > MAX_NAME {
        return Err(format!("has more than {MAX_NAME} characters"));
    }
    Ok(())
}

/// What an event tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A unit was shown a version, as an experiment's arm or not.
    Exposure,
    /// Something was measured on a unit; for a primary metric 0 or 1.
    Outcome,
    /// A model was called.
    Generation,
    /// Somebody said what they think.
    Feedback,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Exposure,
        Self::Outcome,
        Self::Generation,
        Self::Feedback,
    ];

    /// The word used in JSON and in the database.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Exposure => "exposure",
            Self::Outcome => "outcome",
            Self::Generation => "generation",
            Self::Feedback => "feedback",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// What was measured of a model's call, where it was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// Until the last token, in milliseconds.
    pub latency_ms: Option<f64>,
    /// Until the first token, in milliseconds.
    pub ttft_ms: Option<f64>,
    /// Tokens read.
    pub input_tokens: Option<i64>,
    /// Tokens written.
    pub output_tokens: Option<i64>,
    /// Tokens read from the provider's cache.
    pub cache_read_tokens: Option<i64>,
    /// Tokens written to the provider's cache.
    pub cache_write_tokens: Option<i64>,
    /// US dollars.
    pub cost_usd: Option<f64>,
    /// The model that answered.
    pub model: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
}

/// One event, well formed. Names are as they were sent: nobody has looked them up yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The client's id; an event sent again has the same one.
    pub id: Uuid,
    /// What it tells.
    pub kind: Kind,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// The prompt's name.
    pub prompt: Option<String>,
    /// The version's number.
    pub version: Option<i32>,
    /// The environment's name.
    pub environment: Option<String>,
    /// The user, conversation or request.
    pub unit: Option<String>,
    /// The experiment.
    pub experiment: Option<Uuid>,
    /// The arm's name.
    pub arm: Option<String>,
    /// What was measured.
    pub metric: Option<String>,
    /// The measurement.
    pub value: Option<f64>,
    /// The model's call.
    pub call: Call,
    /// What the prompt was filled with; always an object.
    pub variables: Option<Value>,
    /// What the model wrote.
    pub output: Option<String>,
}

/// Why an event is not taken, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Reason(pub String);

/// A row as it was sent: every member may be missing, null or of the wrong type.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Row<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    at: Text<'a>,
    #[serde(borrow)]
    prompt: Text<'a>,
    version: Number,
    #[serde(borrow)]
    environment: Text<'a>,
    #[serde(borrow)]
    unit: Text<'a>,
    #[serde(borrow)]
    experiment: Text<'a>,
    #[serde(borrow)]
    arm: Text<'a>,
    #[serde(borrow)]
    metric: Text<'a>,
    value: Number,
    latency_ms: Number,
    ttft_ms: Number,
    input_tokens: Number,
    output_tokens: Number,
    cache_read_tokens: Number,
    cache_write_tokens: Number,
    cost_usd: Number,
    #[serde(borrow)]
    model: Text<'a>,
    #[serde(borrow)]
    error: Text<'a>,
    variables: Json,
    #[serde(borrow)]
    output: Text<'a>,
}

impl Event {
    /// Reads one row. Without `at`, it happened when it arrived; its id still makes it count once.
    pub fn parse(row: &str, now: DateTime<Utc>) -> Result<Self, Reason> {
        if !row.trim_start().starts_with('{') {
            return Err(Reason("must be a JSON object".to_owned()));
        }
        let row: Row =
            serde_json::from_str(row).map_err(|error| Reason(unreadable(&error.to_string())))?;
        let mut reader = Reader::default();
        let event = reader.read(row, now);
        match event {
            Some(event) if reader.wrong.is_empty() => Ok(event),
            Some(_) | None => Err(Reason(reader.wrong.join("; "))),
        }
    }

    /// What it measures: each metric by its name with one value.
    pub fn readings(&self) -> impl Iterator<Item = (&str, f64)> {
        let call = &self.call;
        #[expect(
            clippy::cast_precision_loss,
            reason = "far below 2^53: the reader sees to it"
        )]
        let tokens = |count: i64| count as f64;
        let both = match (call.input_tokens, call.output_tokens) {
            (None, None) => None,
            (input, output) => Some(input.unwrap_or(0) + output.unwrap_or(0)),
        };
        let failed = f64::from(u8::from(call.error.is_some()));
        [
            ("latency_ms", call.latency_ms),
            ("ttft_ms", call.ttft_ms),
            ("cost_usd", call.cost_usd),
            ("input_tokens", call.input_tokens.map(tokens)),
            ("output_tokens", call.output_tokens.map(tokens)),
            ("tokens", both.map(tokens)),
            (
                "error_rate",
                (self.kind == Kind::Generation).then_some(failed),
            ),
        ]
        .into_iter()
        .chain(self.metric.as_deref().map(|metric| (metric, self.value)))
        .filter_map(|(metric, value)| Some((metric, value?)))
    }
}

/// serde lists every member it knows; the one it does not know is enough.
fn unreadable(error: &str) -> String {
    match error.split_once(", expected") {
        Some((unknown, _)) if unknown.starts_with("unknown field") => unknown.to_owned(),
        _ => format!("is not JSON: {error}"),
    }
}

/// Takes a row apart and notes everything that is wrong with it.
#[derive(Default)]
struct Reader {
    wrong: Vec<String>,
}

impl Reader {
    fn refuse(&mut self, field: &str, why: impl std::fmt::Display) {
        self.wrong.push(format!("{field}: {why}"));
    }

    fn read(&mut self, row: Row<'_>, now: DateTime<Utc>) -> Option<Event> {
        let id = self.id("id", row.id);
        if id.is_none() && self.wrong.is_empty() {
            self.refuse("id", "is required: a UUID that names the event");
        }
        let kind = self.kind(row.kind);
        let at = self.time(row.at, now);
        let event = Event {
            id: id.unwrap_or_default(),
            kind: kind.unwrap_or(Kind::Exposure),
            at: at.unwrap_or(now),
            prompt: self.name("prompt", row.prompt),
            version: self.version(row.version),
            environment: self.name("environment", row.environment),
            unit: self.name("unit", row.unit),
            experiment: self.id("experiment", row.experiment),
            arm: self.name("arm", row.arm),
            metric: self.name("metric", row.metric),
            value: self.number("value", row.value, -MAX_NUMBER),
            call: Call {
                latency_ms: self.number("latency_ms", row.latency_ms, 0.0),
                ttft_ms: self.number("ttft_ms", row.ttft_ms, 0.0),
                input_tokens: self.count("input_tokens", row.input_tokens),
                output_tokens: self.count("output_tokens", row.output_tokens),
                cache_read_tokens: self.count("cache_read_tokens", row.cache_read_tokens),
                cache_write_tokens: self.count("cache_write_tokens", row.cache_write_tokens),
                cost_usd: self.number("cost_usd", row.cost_usd, 0.0),
                model: self.name("model", row.model),
                error: self.text("error", row.error, MAX_TEXT),
            },
            variables: self.variables(row.variables),
            output: self.text("output", row.output, MAX_TEXT),
        };
        if self.wrong.is_empty() {
            self.check(&event);
        }
        (id.is_some() && kind.is_some() && at.is_some()).then_some(event)
    }

    /// What each type needs.
    fn check(&mut self, event: &Event) {
        if event.prompt.is_none() && event.experiment.is_none() {
            self.refuse("prompt", "is required where no experiment is named");
        }
        if event.arm.is_some() && event.experiment.is_none() {
            self.refuse("arm", "needs the experiment it belongs to");
        }
        match event.kind {
            Kind::Exposure => {
                self.need("unit", event.unit.is_some());
                if event.experiment.is_some() {
                    self.need("arm", event.arm.is_some());
                }
            }
            Kind::Outcome => {
                self.need("unit", event.unit.is_some());
                self.need("metric", event.metric.is_some());
                self.need("value", event.value.is_some());
            }
            Kind::Feedback => self.need("value", event.value.is_some()),
            Kind::Generation => {}
        }
    }

    fn need(&mut self, field: &str, is_there: bool) {
        if !is_there {
            self.refuse(field, "is required for this type of event");
        }
    }

    fn text(&mut self, field: &str, sent: Text<'_>, longest: usize) -> Option<String> {
        let text = match sent {
            Text::Missing => return None,
            Text::Wrong => {
                self.refuse(field, "must be text");
                return None;
            }
            Text::Given(text) => text,
        };
        if text.contains('\0') {
            self.refuse(field, "holds a NUL character");
            return None;
        }
        // Bytes first: counting characters walks the text.
        if text.len() > longest && text.chars().count() > longest {
            self.refuse(field, format!("has more than {longest} characters"));
            return None;
        }
        Some(text.into_owned())
    }

    fn name(&mut self, field: &str, sent: Text<'_>) -> Option<String> {
        let name = self.text(field, sent, MAX_NAME)?;
        if name.is_empty() {
            self.refuse(field, "is empty");
            return None;
        }
        Some(name)
    }

    fn id(&mut self, field: &str, sent: Text<'_>) -> Option<Uuid> {
        let text = self.text(field, sent, MAX_NAME)?;
        let id = Uuid::parse_str(&text).ok();
        if id.is_none() {
            self.refuse(field, "must be a UUID");
        }
        id
    }

    fn kind(&mut self, sent: Text<'_>) -> Option<Kind> {
        let kind = match &sent {
            Text::Given(word) => Kind::from_word(word),
            Text::Missing | Text::Wrong => None,
        };
        if kind.is_none() {
            self.refuse("type", "must be exposure, outcome, generation or feedback");
        }
        kind
    }

    fn time(&mut self, sent: Text<'_>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let text: Cow<'_, str> = match sent {
            Text::Missing => return Some(now),
            Text::Given(text) => text,
            Text::Wrong => Cow::Borrowed(""),
        };
        let Ok(at) = DateTime::parse_from_rfc3339(&text) else {
            self.refuse("at", "must be a time such as 2026-11-22T15:04:05Z");
            return None;
        };
        // Postgres keeps no more than microseconds.
        let at = at.with_timezone(&Utc).trunc_subsecs(6);
        if at > now + TimeDelta::minutes(AHEAD_MINUTES) {
            self.refuse("at", "lies in the future");
            return None;
        }
        if at < now - TimeDelta::days(LATE_DAYS) {
            self.refuse("at", format!("is more than {LATE_DAYS} days ago"));
            return None;
        }
        Some(at)
    }

    fn number(&mut self, field: &str, sent: Number, least: f64) -> Option<f64> {
        match sent {
            Number::Missing => None,
            Number::Given(number) if number.is_finite() => {
                if number < least || number > MAX_NUMBER {
                    self.refuse(field, format!("must lie between {least} and {MAX_NUMBER}"));
                    return None;
                }
                Some(number)
            }
            Number::Given(_) | Number::Wrong => {
                self.refuse(field, "must be a finite number");
                None
            }
        }
    }

    fn count(&mut self, field: &str, sent: Number) -> Option<i64> {
        let number = self.number(field, sent, 0.0)?;
        if number.fract() != 0.0 {
            self.refuse(field, "must be a whole number");
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole and within 0 and 1e12"
        )]
        let count = number as i64;
        Some(count)
    }

    fn version(&mut self, sent: Number) -> Option<i32> {
        let number = self.count("version", sent)?;
        let version = i32::try_from(number).ok().filter(|version| *version > 0);
        if version.is_none() {
            self.refuse("version", "is the number of no version");
        }
        version
    }

    fn variables(&mut self, sent: Json) -> Option<Value> {
        match sent.0 {
            None | Some(Value::Null) => None,
            Some(value) if !value.is_object() => {
                self.refuse("variables", "must be an object");
                None
            }
            Some(value) if holds_nul(&value) => {
                self.refuse("variables", "holds a NUL character");
                None
            }
            Some(value) => Some(value),
        }
    }
}

/// Postgres keeps no NUL. `serde_json` refuses nesting deeper than 128, so this cannot exhaust the stack.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(members) => members
            .iter()
            .any(|(name, member)| name.contains('\0') || holds_nul(member)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests;
