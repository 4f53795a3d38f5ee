//! What each kind of scorer takes as its value and threshold, and the forms they may be written
//! in. Scoring reads values through the same functions, so that what was accepted can be run.

use std::borrow::Cow;

use iri_string::types::IriStr;
use regex_lite::{Regex, RegexBuilder};
use serde_json::Value;

use super::ScorerKind;

/// Longest pattern, in characters.
const MAX_PATTERN: usize = 1_000;

/// Matching costs pattern size times output length, so the compiled size is kept small.
const MAX_COMPILED_PATTERN: usize = 256 * 1024;

/// Longest rubric, criterion or text to compare with, in characters.
const MAX_TEXT: usize = 100_000;

/// How many words or characters are asked for; both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds {
    pub min: Option<f64>,
    pub max: Option<f64>,
}

/// Whether `value` is one this kind can work with. A comparing kind may have none: it then
/// compares with what the case expects.
pub(crate) fn check(kind: ScorerKind, value: Option<&Value>) -> Result<(), String> {
    let Some(value) = value else {
        return if kind.compares() || !needs_value(kind) {
            Ok(())
        } else {
            Err("is required".to_owned())
        };
    };
    if let Value::String(text) = value
        && text.chars().count() > MAX_TEXT
    {
        return Err(format!("must be at most {MAX_TEXT} characters"));
    }
    match kind {
        ScorerKind::Equals | ScorerKind::JsonDiff => Ok(()),
        ScorerKind::Iequals | ScorerKind::Levenshtein | ScorerKind::Factuality => {
            text(value).map(|_| ()).ok_or_else(not_text)
        }
        ScorerKind::Contains
        | ScorerKind::Icontains
        | ScorerKind::StartsWith
        | ScorerKind::FinishReason
        | ScorerKind::LlmRubric
        | ScorerKind::ClosedQa
        | ScorerKind::AnswerRelevance
        | ScorerKind::Faithfulness
        | ScorerKind::Pairwise => match text(value) {
            None => Err(not_text()),
            Some(text) if text.is_empty() => Err("must not be empty".to_owned()),
            Some(_) => Ok(()),
        },
        ScorerKind::ContainsAll
        | ScorerKind::ContainsAny
        | ScorerKind::IcontainsAll
        | ScorerKind::IcontainsAny
        | ScorerKind::ListContains => match texts(value) {
            None => Err("must be a list of texts, or a text with commas".to_owned()),
            Some(texts) if texts.is_empty() => Err("must hold at least one text".to_owned()),
            Some(texts) if texts.iter().any(|text| text.is_empty()) => {
                Err("must not hold an empty text".to_owned())
            }
            Some(_) => Ok(()),
        },
        ScorerKind::Regex => match text(value) {
            None => Err(not_text()),
            Some(pattern) => regex(&pattern).map(|_| ()),
        },
        ScorerKind::IsJson | ScorerKind::ContainsJson => check_schema(value),
        ScorerKind::NumericDiff => number(value)
            .map(|_| ())
            .ok_or_else(|| "must be a number".to_owned()),
        ScorerKind::WordCount | ScorerKind::Length => bounds(value).map(|_| ()),
        ScorerKind::Webhook => check_url(value),
        ScorerKind::IsValidToolCall
        | ScorerKind::Latency
        | ScorerKind::Cost
        | ScorerKind::IsRefusal => Err(format!("does not apply to {kind}")),
    }
}

/// Whether `threshold` is one this kind can work with.
pub(crate) fn check_threshold(kind: ScorerKind, threshold: Option<f64>) -> Result<(), String> {
    let share = 0.0..=1.0;
    match (kind, threshold) {
        (ScorerKind::Latency, None) => Err("is required, in milliseconds".to_owned()),
        (ScorerKind::Cost, None) => Err("is required, in US dollars".to_owned()),
        (ScorerKind::Latency | ScorerKind::Cost | ScorerKind::Levenshtein, Some(most)) => {
            if most >= 0.0 {
                Ok(())
            } else {
                Err("must be 0 or more".to_owned())
            }
        }
        // Beyond 0 to 1 it would pass always or never, which nobody means.
        (_, Some(least)) if !share.contains(&least) => Err("must be from 0 to 1".to_owned()),
        (_, _) => Ok(()),
    }
}

fn needs_value(kind: ScorerKind) -> bool {
    matches!(
        kind,
        ScorerKind::WordCount
            | ScorerKind::Length
            | ScorerKind::FinishReason
            | ScorerKind::LlmRubric
            | ScorerKind::ClosedQa
            | ScorerKind::Webhook
    )
}

fn not_text() -> String {
    "must be a text".to_owned()
}

/// A value as the text it is compared as: numbers and booleans in their JSON form.
pub(crate) fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(_) | Value::Bool(_) => Some(Cow::Owned(value.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A list of texts, or one text split at its commas.
pub(crate) fn texts(value: &Value) -> Option<Vec<Cow<'_, str>>> {
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        Value::String(list) => Some(
            list.split(',')
                .map(|item| Cow::Borrowed(item.trim()))
                .collect(),
        ),
        Value::Number(_) | Value::Bool(_) => text(value).map(|text| vec![text]),
        Value::Null | Value::Object(_) => None,
    }
}

/// A number, or a text that holds one.
pub(crate) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.filter(|number: &f64| number.is_finite())
}

/// A number, or `{"min","max"}` with at least one of them.
pub(crate) fn bounds(value: &Value) -> Result<Bounds, String> {
    let wrong = || "must be a number, or an object with `min`, `max` or both".to_owned();
    let Value::Object(members) = value else {
        let exact = number(value).ok_or_else(wrong)?;
        return Ok(Bounds {
            min: Some(exact),
            max: Some(exact),
        });
    };
    let end = |name: &str| {
        members
            .get(name)
            .map(|end| number(end).ok_or_else(wrong))
            .transpose()
    };
    let bounds = Bounds {
        min: end("min")?,
        max: end("max")?,
    };
    let is_known = members.keys().all(|name| name == "min" || name == "max");
    match (bounds.min, bounds.max) {
        (None, None) => Err(wrong()),
        _ if !is_known => Err(wrong()),
        (Some(min), Some(max)) if min > max => Err("has a `min` above its `max`".to_owned()),
        _ => Ok(bounds),
    }
}

/// Compiles a pattern that is searched for anywhere in the output.
pub(crate) fn regex(pattern: &str) -> Result<Regex, String> {
    if pattern.chars().count() > MAX_PATTERN {
        return Err(format!("may have at most {MAX_PATTERN} characters"));
    }
    RegexBuilder::new(pattern)
        .size_limit(MAX_COMPILED_PATTERN)
        .build()
        .map_err(|error| format!("is not a regular expression we can run: {error}"))
}

/// A schema, which may be written as a text that holds its JSON.
pub(crate) fn schema(value: &Value) -> Result<Cow<'_, Value>, String> {
    let wrong = || "must be a JSON Schema: an object, true or false".to_owned();
    match value {
        Value::Object(_) | Value::Bool(_) => Ok(Cow::Borrowed(value)),
        Value::String(text) => match serde_json::from_str(text) {
            Ok(schema @ (Value::Object(_) | Value::Bool(_))) => Ok(Cow::Owned(schema)),
            Ok(_) | Err(_) => Err(wrong()),
        },
        Value::Null | Value::Number(_) | Value::Array(_) => Err(wrong()),
    }
}

fn check_schema(value: &Value) -> Result<(), String> {
    let schema = schema(value)?;
    #[cfg(feature = "eval")]
    compiled_schema(&schema)?;
    #[cfg(not(feature = "eval"))]
    let _ = schema;
    Ok(())
}

/// Compiles a JSON Schema; its patterns run in linear time and its references fetch nothing.
#[cfg(feature = "eval")]
pub(crate) fn compiled_schema(schema: &Value) -> Result<jsonschema::Validator, String> {
    jsonschema::options()
        .with_pattern_options(jsonschema::PatternOptions::regex())
        .build(schema)
        .map_err(|error| format!("is not a JSON Schema we can check: {error}"))
}

fn check_url(value: &Value) -> Result<(), String> {
    let is_web = value.as_str().is_some_and(|text| {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        matches!(scheme, Some("http" | "https"))
            && IriStr::new(text)
                .ok()
                .and_then(IriStr::authority_components)
                .is_some_and(|authority| !authority.host().is_empty())
    });
    if is_web {
        Ok(())
    } else {
        Err("must be an http or https URL".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn accepted(kind: ScorerKind, value: &Value) {
        assert_eq!(check(kind, Some(value)), Ok(()), "{kind} {value}");
    }

    #[track_caller]
    fn refused(kind: ScorerKind, value: &Value) {
        assert!(check(kind, Some(value)).is_err(), "{kind} {value}");
    }

    #[test]
    fn values_are_of_their_kinds_type() {
        accepted(ScorerKind::Contains, &json!("x"));
        accepted(ScorerKind::Contains, &json!(7));
        refused(ScorerKind::Contains, &json!(""));
        refused(ScorerKind::Contains, &json!(["x"]));
        accepted(ScorerKind::ContainsAll, &json!(["a", "b"]));
        accepted(ScorerKind::ContainsAll, &json!("a, b"));
        refused(ScorerKind::ContainsAll, &json!([]));
        refused(ScorerKind::ContainsAny, &json!("a,,b"));
        accepted(ScorerKind::WordCount, &json!({"min": 3}));
        refused(ScorerKind::WordCount, &json!({"min": 3, "max": 2}));
        refused(ScorerKind::WordCount, &json!({"least": 3}));
        accepted(ScorerKind::NumericDiff, &json!("3.5"));
        refused(ScorerKind::NumericDiff, &json!("NaN"));
        accepted(ScorerKind::Webhook, &json!("https://judge.example/score"));
        refused(ScorerKind::Webhook, &json!("file:///etc/passwd"));
        refused(ScorerKind::Webhook, &json!("https://"));
        refused(ScorerKind::Latency, &json!(3));
        assert_eq!(
            check(ScorerKind::LlmRubric, None),
            Err("is required".to_owned())
        );
        assert_eq!(check(ScorerKind::Equals, None), Ok(()));
    }

    #[test]
    fn thresholds_are_in_their_kinds_unit() {
        assert!(check_threshold(ScorerKind::Latency, None).is_err());
        assert!(check_threshold(ScorerKind::Latency, Some(2_000.0)).is_ok());
        assert!(check_threshold(ScorerKind::JsonDiff, Some(2.0)).is_err());
        assert!(check_threshold(ScorerKind::Levenshtein, Some(-1.0)).is_err());
    }

    #[cfg(feature = "eval")]
    #[test]
    fn schemas_must_compile_and_fetch_nothing() {
        accepted(ScorerKind::IsJson, &json!({"type": "object"}));
        accepted(ScorerKind::IsJson, &json!("{\"type\": \"object\"}"));
        refused(ScorerKind::IsJson, &json!({"type": "objekt"}));
        refused(
            ScorerKind::IsJson,
            &json!({"$ref": "http://127.0.0.1:1/schema"}),
        );
        refused(ScorerKind::IsJson, &json!({"$ref": "file:///etc/passwd"}));
        refused(ScorerKind::IsJson, &json!(3));
    }
}
