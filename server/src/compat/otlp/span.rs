//! Spans by the semantic conventions for generative AI, read into events. The conventions are young:
//! older spellings of the same attribute are read where the newest is missing.

use chrono::{DateTime, Utc};
use domain::monitor::{Event, Reason};
use opentelemetry_proto::tonic::{
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span, status::StatusCode},
};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// The operations in which a model writes an answer. Agents and tools stand around such calls and
/// repeat their attributes: counted, too, each call would count twice.
const CALLS: [&str; 3] = ["chat", "text_completion", "generate_content"];

const PROMPT: [&str; 2] = ["gen_ai.prompt.name", "langfuse.observation.prompt.name"];
const VERSION: [&str; 2] = [
    "gen_ai.prompt.version",
    "langfuse.observation.prompt.version",
];
const ENVIRONMENT: [&str; 2] = ["deployment.environment.name", "deployment.environment"];
const UNIT: [&str; 5] = [
    "cueline.unit",
    "user.id",
    "enduser.id",
    "gen_ai.conversation.id",
    "session.id",
];
const MODEL: [&str; 2] = ["gen_ai.response.model", "gen_ai.request.model"];
const INPUT: [&str; 2] = ["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"];
const OUTPUT: [&str; 2] = [
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
];
const CACHE_READ: [&str; 3] = [
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.cache_read_tokens",
];
const CACHE_WRITE: [&str; 6] = [
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.cache_write_input_tokens",
    "gen_ai.usage.cache_creation_tokens",
    "gen_ai.usage.cache_write_tokens",
];
/// In seconds.
const FIRST_TOKEN: [&str; 3] = [
    "gen_ai.server.time_to_first_token",
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.client.time_to_first_token",
];
const COST: [&str; 2] = ["gen_ai.usage.cost", "gen_ai.usage.cost_usd"];

/// What a span is.
pub enum Read {
    /// A call of a prompt.
    Call(Box<Event>),
    /// A call that does not say of which prompt.
    Nameless,
    /// Something else.
    Other,
}

/// An event in the words of the API, so that it obeys the same limits.
#[derive(Serialize)]
struct Row<'a> {
    id: uuid::Uuid,
    r#type: &'static str,
    at: DateTime<Utc>,
    prompt: &'a str,
    version: Option<i64>,
    environment: Option<&'a str>,
    unit: Option<&'a str>,
    experiment: Option<&'a str>,
    arm: Option<&'a str>,
    latency_ms: f64,
    ttft_ms: Option<f64>,
    input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    cache_read_tokens: Option<i64>,
    cache_write_tokens: Option<i64>,
    cost_usd: Option<f64>,
    model: Option<&'a str>,
    error: Option<String>,
    variables: Option<serde_json::Value>,
    output: Option<&'a str>,
}

/// Reads a span of a resource with these attributes.
pub fn read(span: &Span, resource: &[KeyValue], now: DateTime<Utc>) -> Result<Read, Reason> {
    let own = Attributes(&span.attributes);
    let operation = own.text(&["gen_ai.operation.name"]);
    if operation.is_some_and(|operation| !CALLS.contains(&operation)) {
        return Ok(Read::Other);
    }
    let Some(prompt) = own.text(&PROMPT) else {
        return Ok(if operation.is_some() {
            Read::Nameless
        } else {
            Read::Other
        });
    };
    let refuse = |why: &str| Err(Reason(why.to_owned()));
    let (Some(id), Some(at)) = (event_id(span), moment(span.start_time_unix_nano)) else {
        return refuse("the span needs a trace id, a span id and a start");
    };
    let Some(nanos) = span
        .end_time_unix_nano
        .checked_sub(span.start_time_unix_nano)
    else {
        return refuse("the span ends before it starts");
    };
    let version = match own.find(&VERSION) {
        None => None,
        Some(value) => match version(value) {
            Some(version) => Some(version),
            None => return refuse("gen_ai.prompt.version is the number of no version"),
        },
    };
    let row = Row {
        id,
        r#type: "generation",
        at,
        prompt,
        version,
        environment: own
            .text(&ENVIRONMENT)
            .or_else(|| Attributes(resource).text(&ENVIRONMENT)),
        unit: own.text(&UNIT),
        experiment: own.text(&["cueline.experiment"]),
        arm: own.text(&["cueline.arm"]),
        latency_ms: millis(nanos),
        ttft_ms: own
            .number(&FIRST_TOKEN)
            .map(|seconds| seconds * 1_000.0)
            .or_else(|| first_token(span)),
        input_tokens: own.count(&INPUT),
        output_tokens: own.count(&OUTPUT),
        cache_read_tokens: own.count(&CACHE_READ),
        cache_write_tokens: own.count(&CACHE_WRITE),
        cost_usd: own.number(&COST),
        model: own.text(&MODEL),
        error: error(span, &own),
        // What people wrote is taken only where the application says so by these names: what
        // instrumentation records by itself may be more than anybody meant to hand on.
        variables: own
            .text(&["cueline.variables"])
            .and_then(|text| serde_json::from_str(text).ok()),
        output: own.text(&["cueline.output"]),
    };
    let row = serde_json::to_string(&row).map_err(|error| Reason(error.to_string()))?;
    Event::parse(&row, now).map(|event| Read::Call(Box::new(event)))
}

/// The same span has the same event, however often it is sent: a UUID of version 8, made from the
/// SHA-256 of its two ids.
fn event_id(span: &Span) -> Option<uuid::Uuid> {
    let is_id = |id: &[u8], length: usize| id.len() == length && id.iter().any(|byte| *byte != 0);
    if !is_id(&span.trace_id, 16) || !is_id(&span.span_id, 8) {
        return None;
    }
    let mut hash = Sha256::new();
    hash.update(b"otlp span");
    hash.update(&span.trace_id);
    hash.update(&span.span_id);
    let digest = hash.finalize();
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    Some(uuid::Builder::from_custom_bytes(half).into_uuid())
}

fn moment(nanos: u64) -> Option<DateTime<Utc>> {
    if nanos == 0 {
        return None;
    }
    i64::try_from(nanos)
        .ok()
        .map(DateTime::from_timestamp_nanos)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "durations are far below 2^53 nanoseconds"
)]
fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

/// Some instrumentation marks the first token with an event instead of an attribute.
fn first_token(span: &Span) -> Option<f64> {
    let event = span
        .events
        .iter()
        .find(|event| event.name.contains("first_token"))?;
    let nanos = event
        .time_unix_nano
        .checked_sub(span.start_time_unix_nano)?;
    Some(millis(nanos))
}

/// A version as a number or as text, with or without its `v`.
fn version(value: &Value) -> Option<i64> {
    match value {
        Value::IntValue(number) => Some(*number),
        Value::DoubleValue(number) => whole(*number),
        Value::StringValue(text) => text.trim().trim_start_matches(['v', 'V']).parse().ok(),
        Value::BoolValue(_)
        | Value::ArrayValue(_)
        | Value::KvlistValue(_)
        | Value::BytesValue(_)
        | Value::StringValueStrindex(_) => None,
    }
}

fn error(span: &Span, own: &Attributes<'_>) -> Option<String> {
    let message = span
        .status
        .as_ref()
        .filter(|status| status.code == StatusCode::Error as i32)
        .map(|status| status.message.as_str());
    match (own.text(&["error.type"]), message) {
        (Some(kind), Some(message)) if !message.is_empty() => Some(format!("{kind}: {message}")),
        (Some(kind), _) => Some(kind.to_owned()),
        (None, Some("")) => Some("error".to_owned()),
        (None, Some(message)) => Some(message.to_owned()),
        (None, None) => None,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "whole and within what is counted"
)]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64)
}

/// Attributes, looked up by any of several names; the first name that is there wins.
struct Attributes<'a>(&'a [KeyValue]);

impl<'a> Attributes<'a> {
    fn find(&self, names: &[&str]) -> Option<&'a Value> {
        names.iter().find_map(|name| {
            let found = self.0.iter().find(|attribute| attribute.key == *name)?;
            found.value.as_ref()?.value.as_ref()
        })
    }

    /// What is empty says nothing.
    fn text(&self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| match self.find(&[name]) {
            Some(Value::StringValue(text)) if !text.is_empty() => Some(text.as_str()),
            Some(_) | None => None,
        })
    }

    fn number(&self, names: &[&str]) -> Option<f64> {
        match self.find(names)? {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a measurement, not a count of everything"
            )]
            Value::IntValue(number) => Some(*number as f64),
            Value::DoubleValue(number) if number.is_finite() => Some(*number),
            Value::StringValue(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
            Value::DoubleValue(_)
            | Value::BoolValue(_)
            | Value::ArrayValue(_)
            | Value::KvlistValue(_)
            | Value::BytesValue(_)
            | Value::StringValueStrindex(_) => None,
        }
    }

    /// A number of tokens.
    fn count(&self, names: &[&str]) -> Option<i64> {
        match self.find(names)? {
            Value::IntValue(number) => Some(*number),
            _ => whole(self.number(names)?),
        }
    }
}
