//! The scorers that need nobody else. What value and threshold mean follows promptfoo where it
//! has the kind, and Braintrust's autoevals for `json-diff`, `numeric-diff` and `list-contains`.

use std::borrow::Cow;

use serde_json::Value;

use super::{Output, Score, distance, json, quoted, refusal, texts, tools};
use crate::suite::{Scorer, ScorerKind, value};

/// How many edits `levenshtein` lets pass unless told otherwise.
const MAX_EDITS: f64 = 5.0;

/// What a kind found before `not`: whether it passes, the score and the reason.
pub(super) type Found = (bool, f64, String);

/// Scores an output by a native scorer. A comparing scorer without a value compares with
/// `expected`; `tools` are the version's. Never panics; what cannot be judged fails with the
/// reason, also where the scorer is inverted. A kind that is not native fails likewise.
///
/// | kind | value | threshold | score |
/// |---|---|---|---|
/// | `equals`, `iequals` | text; `equals` also JSON | – | 1 or 0 |
/// | `contains…`, `starts-with` | text, or a list for `-all` and `-any` | – | 1 or 0 |
/// | `regex` | pattern, searched for anywhere | – | 1 or 0 |
/// | `is-json`, `contains-json` | JSON Schema, optional | – | 1 or 0 |
/// | `is-valid-tool-call` | – | – | 1 or 0 |
/// | `json-diff`, `numeric-diff` | JSON, number | least likeness, default 1 | likeness |
/// | `levenshtein` | text | most edits, default 5 | 1 or 0 |
/// | `word-count`, `length` | number or `{"min","max"}` | – | 1 or 0 |
/// | `latency`, `cost` | – | most milliseconds, most US dollars | 1 or 0 |
/// | `finish-reason` | `stop`, `length`, `tool_calls`, `content_filter` | – | 1 or 0 |
/// | `is-refusal` | – | – | 1 or 0 |
/// | `list-contains` | list of texts | least share found, default 1 | share found |
pub fn score(
    scorer: &Scorer,
    expected: Option<&Value>,
    output: &Output,
    tools: Option<&[Value]>,
) -> Score {
    let compared = if scorer.kind.compares() {
        expected
    } else {
        None
    };
    match look(scorer, scorer.value.as_ref().or(compared), output, tools) {
        Ok((passed, score, reason)) => Score::of(scorer, passed, score, reason),
        Err(reason) => Score::failed(scorer, reason),
    }
}

fn look(
    scorer: &Scorer,
    value: Option<&Value>,
    output: &Output,
    tools: Option<&[Value]>,
) -> Result<Found, String> {
    let text = output.text.as_str();
    let least = scorer.threshold.unwrap_or(1.0);
    match scorer.kind {
        ScorerKind::Equals => Ok(texts::equals(needed(value)?, text)),
        ScorerKind::Iequals => {
            let wanted = needed_text(value)?;
            let is_same = text.to_lowercase() == wanted.to_lowercase();
            Ok(verdict(
                is_same,
                || format!("the output is {}, but for case", quoted(&wanted)),
                || format!("expected {}, got {}", quoted(&wanted), quoted(text)),
            ))
        }
        ScorerKind::Contains | ScorerKind::Icontains => {
            texts::contains(scorer.kind, &needed_text(value)?, text)
        }
        ScorerKind::ContainsAll
        | ScorerKind::ContainsAny
        | ScorerKind::IcontainsAll
        | ScorerKind::IcontainsAny => {
            texts::contains_texts(scorer.kind, &needed_texts(value)?, text)
        }
        ScorerKind::StartsWith => {
            let wanted = needed_text(value)?;
            Ok(verdict(
                text.starts_with(wanted.as_ref()),
                || format!("the output begins with {}", quoted(&wanted)),
                || {
                    format!(
                        "the output begins with {}, not with {}",
                        quoted(text),
                        quoted(&wanted)
                    )
                },
            ))
        }
        ScorerKind::Regex => {
            let pattern = needed_text(value)?;
            let regex = value::regex(&pattern).map_err(|error| format!("the pattern {error}"))?;
            Ok(verdict(
                regex.is_match(text),
                || format!("/{pattern}/ matches"),
                || format!("/{pattern}/ matches nowhere"),
            ))
        }
        ScorerKind::IsJson => is_json(value, text),
        ScorerKind::ContainsJson => contains_json(value, text),
        ScorerKind::IsValidToolCall => Ok(match tools::check(&output.tool_calls, tools) {
            Ok(n_calls) => (
                true,
                1.0,
                format!("{n_calls} valid tool call{}", plural(n_calls)),
            ),
            Err(reason) => (false, 0.0, reason),
        }),
        ScorerKind::JsonDiff => Ok(json_diff(needed(value)?, text, least)),
        ScorerKind::NumericDiff => numeric_diff(needed(value)?, text, least),
        ScorerKind::Levenshtein => Ok(levenshtein(&needed_text(value)?, text, scorer.threshold)),
        ScorerKind::WordCount => count(value, text.split_whitespace().count(), "word"),
        ScorerKind::Length => count(value, text.chars().count(), "character"),
        ScorerKind::Latency => most(output.latency_ms, scorer.threshold, "the latency", |ms| {
            format!("{ms:.0} ms")
        }),
        ScorerKind::Cost => most(output.cost_usd, scorer.threshold, "the cost", |usd| {
            format!("${usd:.6}")
        }),
        ScorerKind::FinishReason => finish_reason(&needed_text(value)?, output),
        ScorerKind::IsRefusal => Ok(is_refusal(output)),
        ScorerKind::ListContains => texts::list_contains(&needed_texts(value)?, text, least),
        ScorerKind::LlmRubric
        | ScorerKind::Factuality
        | ScorerKind::ClosedQa
        | ScorerKind::AnswerRelevance
        | ScorerKind::Faithfulness
        | ScorerKind::Pairwise => Err("needs a model that judges".to_owned()),
        ScorerKind::Webhook => Err("needs its webhook's answer".to_owned()),
    }
}

pub(super) fn verdict(
    passed: bool,
    good: impl FnOnce() -> String,
    bad: impl FnOnce() -> String,
) -> Found {
    if passed {
        (true, 1.0, good())
    } else {
        (false, 0.0, bad())
    }
}

fn needed(value: Option<&Value>) -> Result<&Value, String> {
    value.ok_or_else(|| "has nothing to compare with: no `value` and no `expected`".to_owned())
}

fn needed_text(value: Option<&Value>) -> Result<Cow<'_, str>, String> {
    value::text(needed(value)?)
        .ok_or_else(|| "compares with a text, and was given something else".to_owned())
}

fn needed_texts(value: Option<&Value>) -> Result<Vec<Cow<'_, str>>, String> {
    value::texts(needed(value)?)
        .ok_or_else(|| "compares with a list of texts, and was given something else".to_owned())
}

fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}

fn is_json(schema: Option<&Value>, text: &str) -> Result<Found, String> {
    Ok(match serde_json::from_str::<Value>(text) {
        Err(error) => (false, 0.0, format!("the output is not JSON: {error}")),
        Ok(_) if schema.is_none() => (true, 1.0, "the output is JSON".to_owned()),
        Ok(found) => {
            check_schema(schema)?;
            match json::fits(schema, &found) {
                Ok(()) => (
                    true,
                    1.0,
                    "the output is JSON and fits the schema".to_owned(),
                ),
                Err(errors) => (
                    false,
                    0.0,
                    format!("the output does not fit the schema: {errors}"),
                ),
            }
        }
    })
}

fn contains_json(schema: Option<&Value>, text: &str) -> Result<Found, String> {
    let found = json::found_in(text);
    let Some(first) = found.first() else {
        return Ok((
            false,
            0.0,
            "no JSON object or list is in the output".to_owned(),
        ));
    };
    if schema.is_none() {
        return Ok((true, 1.0, "JSON is in the output".to_owned()));
    }
    check_schema(schema)?;
    if found.iter().any(|found| json::fits(schema, found).is_ok()) {
        return Ok((true, 1.0, "JSON in the output fits the schema".to_owned()));
    }
    let errors = json::fits(schema, first).err().unwrap_or_default();
    Ok((
        false,
        0.0,
        format!("no JSON in the output fits the schema: {errors}"),
    ))
}

/// A schema that cannot be used fails the scorer even where it is inverted.
fn check_schema(schema: Option<&Value>) -> Result<(), String> {
    let Some(schema) = schema else { return Ok(()) };
    let read = value::schema(schema).and_then(|schema| value::compiled_schema(&schema).map(|_| ()));
    read.map_err(|error| format!("the value {error}"))
}

fn json_diff(wanted: &Value, text: &str, least: f64) -> Found {
    let parsed = match wanted {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| wanted.clone()),
        _ => wanted.clone(),
    };
    match serde_json::from_str::<Value>(text) {
        Err(error) => (false, 0.0, format!("the output is not JSON: {error}")),
        Ok(found) => likeness(distance::json_likeness(&parsed, &found), least),
    }
}

fn numeric_diff(wanted: &Value, text: &str, least: f64) -> Result<Found, String> {
    let wanted =
        value::number(wanted).ok_or("compares with a number, and was given something else")?;
    let found: Option<f64> = text
        .trim()
        .parse()
        .ok()
        .filter(|found: &f64| found.is_finite());
    Ok(match found {
        None => (
            false,
            0.0,
            format!("the output {} is not a number", quoted(text)),
        ),
        Some(found) => likeness(distance::number_likeness(wanted, found), least),
    })
}

fn likeness(found: f64, least: f64) -> Found {
    // A likeness of 1 may come out a last digit short.
    let passed = found >= least - 1e-12;
    (
        passed,
        found,
        format!(
            "{:.1} % alike; at least {:.1} % are asked for",
            found * 100.0,
            least * 100.0
        ),
    )
}

fn levenshtein(wanted: &str, text: &str, threshold: Option<f64>) -> Found {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates, and less than one edit is none"
    )]
    let most = threshold.unwrap_or(MAX_EDITS).max(0.0) as usize;
    match distance::edits(wanted, text, most) {
        Ok(Some(n)) => (
            true,
            1.0,
            format!("{n} edit{} away; at most {most} are allowed", plural(n)),
        ),
        Ok(None) => (
            false,
            0.0,
            format!("more than {most} edit{} away", plural(most)),
        ),
        Err(()) => (
            false,
            0.0,
            format!("too long to compare with up to {most} edits"),
        ),
    }
}

fn count(value: Option<&Value>, n: usize, unit: &str) -> Result<Found, String> {
    let bounds = value::bounds(needed(value)?).map_err(|error| format!("the value {error}"))?;
    let found = distance::ratio(n, 1);
    let is_within =
        bounds.min.is_none_or(|min| found >= min) && bounds.max.is_none_or(|max| found <= max);
    let asked = match (bounds.min, bounds.max) {
        (Some(min), Some(max)) if min >= max => format!("{min}"),
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, max) => format!("at most {}", max.unwrap_or_default()),
    };
    let reason = || format!("{n} {unit}{}; asked for: {asked}", plural(n));
    Ok(verdict(is_within, reason, reason))
}

fn most(
    measured: Option<f64>,
    limit: Option<f64>,
    what: &str,
    written: impl Fn(f64) -> String,
) -> Result<Found, String> {
    let limit = limit.ok_or_else(|| format!("has no threshold for {what}"))?;
    let measured = measured.ok_or_else(|| format!("{what} was not measured"))?;
    let reason = || {
        format!(
            "{what} is {}; at most {} is allowed",
            written(measured),
            written(limit)
        )
    };
    Ok(verdict(measured <= limit, reason, reason))
}

fn finish_reason(wanted: &str, output: &Output) -> Result<Found, String> {
    let found = output
        .finish_reason
        .as_deref()
        .ok_or("the provider gave no reason for stopping")?;
    let reason = || {
        format!(
            "the model stopped with {}; asked for: {}",
            quoted(found),
            quoted(wanted)
        )
    };
    Ok(verdict(
        common_reason(found) == common_reason(wanted),
        reason,
        reason,
    ))
}

/// The word of chat completions for what other and older interfaces call otherwise.
fn common_reason(word: &str) -> &str {
    match word {
        "end_turn" | "stop_sequence" => "stop",
        "max_tokens" => "length",
        "tool_use" | "function_call" => "tool_calls",
        "refusal" => "content_filter",
        _ => word,
    }
}

fn is_refusal(output: &Output) -> Found {
    if output.finish_reason.as_deref().map(common_reason) == Some("content_filter") {
        return (true, 1.0, "the provider stopped the answer".to_owned());
    }
    // A model that calls a tool instead of talking does not decline.
    if output.text.trim().is_empty() && !output.tool_calls.is_empty() {
        return (false, 0.0, "the output calls a tool".to_owned());
    }
    match refusal::sign_in(&output.text) {
        Some(sign) => (true, 1.0, format!("reads as a refusal: {sign}")),
        None => (false, 0.0, "does not read as a refusal".to_owned()),
    }
}

#[cfg(test)]
mod tests;
