//! How scorers and cases read to people.

use domain::suite::{Scorer, ScorerKind};
#[cfg(feature = "ssr")]
use serde_json::Map;
use serde_json::Value;

use crate::prompts::words::written;

/// A scorer in a few words: `contains all of “refund, days”`.
pub fn scorer(scorer: &Scorer) -> String {
    let mut words = if scorer.not {
        format!("not: {}", claim(scorer))
    } else {
        claim(scorer)
    };
    if let Some(threshold) = scorer.threshold
        && !matches!(
            scorer.kind,
            ScorerKind::Latency | ScorerKind::Cost | ScorerKind::Levenshtein
        )
    {
        words.push_str(&format!(", from {threshold}"));
    }
    match scorer.weight {
        Some(0.0) => words.push_str(" (shown only)"),
        Some(weight) if (weight - 1.0).abs() > f64::EPSILON => {
            words.push_str(&format!(" (weight {weight})"));
        }
        _ => {}
    }
    words
}

/// What it says of an output.
fn claim(scorer: &Scorer) -> String {
    let value = scorer.value.as_ref().map(quoted);
    let expected = || {
        value
            .clone()
            .unwrap_or_else(|| "what is expected".to_owned())
    };
    let of = |verb: &str| match &value {
        Some(value) => format!("{verb} {value}"),
        None => verb.to_owned(),
    };
    let threshold = scorer.threshold.unwrap_or_default();
    match scorer.kind {
        ScorerKind::Equals => format!("is {}", expected()),
        ScorerKind::Iequals => format!("is {}, in any case", expected()),
        ScorerKind::Contains => format!("contains {}", expected()),
        ScorerKind::Icontains => format!("contains {}, in any case", expected()),
        ScorerKind::ContainsAll => format!("contains all of {}", expected()),
        ScorerKind::ContainsAny => format!("contains any of {}", expected()),
        ScorerKind::IcontainsAll => format!("contains all of {}, in any case", expected()),
        ScorerKind::IcontainsAny => format!("contains any of {}, in any case", expected()),
        ScorerKind::StartsWith => format!("begins with {}", expected()),
        ScorerKind::Regex => format!("matches {}", expected()),
        ScorerKind::IsJson => "is JSON".to_owned() + if_schema(scorer),
        ScorerKind::ContainsJson => "contains JSON".to_owned() + if_schema(scorer),
        ScorerKind::IsValidToolCall => "calls tools as declared".to_owned(),
        ScorerKind::JsonDiff => format!("is JSON like {}", expected()),
        ScorerKind::NumericDiff => format!("is a number like {}", expected()),
        ScorerKind::Levenshtein => format!(
            "is at most {} edits from {}",
            scorer.threshold.unwrap_or(5.0),
            expected()
        ),
        ScorerKind::WordCount => format!("has {} words", range(scorer.value.as_ref())),
        ScorerKind::Length => format!("has {} characters", range(scorer.value.as_ref())),
        ScorerKind::Latency => format!("takes at most {threshold} ms"),
        ScorerKind::Cost => format!("costs at most ${threshold}"),
        ScorerKind::FinishReason => of("ends with"),
        ScorerKind::IsRefusal => "declines to answer".to_owned(),
        ScorerKind::ListContains => format!("lists {}", expected()),
        ScorerKind::LlmRubric => of("a model finds:"),
        ScorerKind::Factuality => format!("agrees with {}, says a model", expected()),
        ScorerKind::ClosedQa => of("a model says yes to"),
        ScorerKind::AnswerRelevance => "answers what was asked, says a model".to_owned(),
        ScorerKind::Faithfulness => "keeps to its context, says a model".to_owned(),
        ScorerKind::Pairwise => "is as good as the case’s expected, says a model".to_owned(),
        ScorerKind::Webhook => of("a webhook agrees:"),
    }
}

fn if_schema(scorer: &Scorer) -> &'static str {
    if scorer.value.is_some() {
        " that fits a schema"
    } else {
        ""
    }
}

fn quoted(value: &Value) -> String {
    let text = match value {
        Value::Array(items) => items.iter().map(written).collect::<Vec<_>>().join(", "),
        other => written(other),
    };
    format!("“{}”", clipped(&text, 60))
}

fn range(value: Option<&Value>) -> String {
    let Some(Value::Object(ends)) = value else {
        return value.map(written).unwrap_or_default();
    };
    match (ends.get("min"), ends.get("max")) {
        (Some(min), Some(max)) => format!("{} to {}", written(min), written(max)),
        (Some(min), None) => format!("at least {}", written(min)),
        (None, Some(max)) => format!("at most {}", written(max)),
        (None, None) => String::new(),
    }
}

/// What every case of a suite must do to pass, in a line.
pub fn scorers(scorers: &[Scorer]) -> String {
    match scorers {
        [] => "each case brings its own".to_owned(),
        scorers => scorers.iter().map(scorer).collect::<Vec<_>>().join("; "),
    }
}

/// From which score a case passes.
pub fn threshold(threshold: Option<f64>) -> String {
    match threshold {
        Some(threshold) => format!("from a score of {threshold}"),
        None => "when every scorer that counts does".to_owned(),
    }
}

/// What a scorer takes as its value, for whoever fills it in.
pub const fn takes(kind: ScorerKind) -> &'static str {
    match kind {
        ScorerKind::WordCount | ScorerKind::Length => "a number, or {\"min\": 5, \"max\": 40}",
        ScorerKind::IsJson | ScorerKind::ContainsJson => "a JSON Schema, or nothing",
        ScorerKind::ContainsAll
        | ScorerKind::ContainsAny
        | ScorerKind::IcontainsAll
        | ScorerKind::IcontainsAny
        | ScorerKind::ListContains => "texts with commas; empty: what is expected",
        ScorerKind::LlmRubric | ScorerKind::ClosedQa => "what the judge is to look for",
        ScorerKind::AnswerRelevance | ScorerKind::Faithfulness | ScorerKind::Pairwise => {
            "what the judge is told besides, or nothing"
        }
        ScorerKind::FinishReason => "stop, length, tool_calls …",
        ScorerKind::Webhook => "https://…",
        ScorerKind::IsValidToolCall
        | ScorerKind::Latency
        | ScorerKind::Cost
        | ScorerKind::IsRefusal => "takes none",
        ScorerKind::Equals
        | ScorerKind::Iequals
        | ScorerKind::Contains
        | ScorerKind::Icontains
        | ScorerKind::StartsWith
        | ScorerKind::Regex
        | ScorerKind::JsonDiff
        | ScorerKind::NumericDiff
        | ScorerKind::Levenshtein
        | ScorerKind::Factuality => "empty: what is expected",
    }
}

/// What a scorer takes as its threshold.
pub const fn takes_threshold(kind: ScorerKind) -> &'static str {
    match kind {
        ScorerKind::Latency => "milliseconds",
        ScorerKind::Cost => "US dollars",
        ScorerKind::Levenshtein => "edits",
        _ => "0 to 1",
    }
}

/// A case's variables in one line: `subject: Broken, text: It arrived …`.
#[cfg(feature = "ssr")]
pub fn variables(variables: &Map<String, Value>, most: usize) -> String {
    // Cut before it is put together: a case may hold a megabyte.
    let share = most / variables.len().clamp(1, 4);
    let parts: Vec<String> = variables
        .iter()
        .take(6)
        .map(|(name, value)| match variables.len() {
            1 => line(value, most),
            _ => format!("{name}: {}", line(value, share.max(24))),
        })
        .collect();
    clipped(&parts.join(", "), most)
}

/// A value in one line.
#[cfg(feature = "ssr")]
pub fn line(value: &Value, most: usize) -> String {
    let text = written(value);
    let head: String = text.chars().take(most.saturating_mul(4) + 1).collect();
    clipped(&head.split_whitespace().collect::<Vec<_>>().join(" "), most)
}

/// The beginning of a text.
pub fn clipped(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(written: &Value, expected: &str) {
        let parsed = Scorer::parse("s", written);
        assert_eq!(parsed.as_ref().map(scorer), Ok(expected.to_owned()));
    }

    #[test]
    fn scorers_read_as_claims_about_the_output() {
        check(&json!({"type": "equals"}), "is what is expected");
        check(
            &json!({"type": "not-contains-any", "value": ["sorry", "cannot"]}),
            "not: contains any of “sorry, cannot”",
        );
        check(
            &json!({"type": "latency", "threshold": 2000, "weight": 0}),
            "takes at most 2000 ms (shown only)",
        );
        check(
            &json!({"type": "word-count", "value": {"max": 40}}),
            "has at most 40 words",
        );
        check(
            &json!({"type": "llm-rubric", "value": "is polite", "threshold": 0.7, "weight": 2}),
            "a model finds: “is polite”, from 0.7 (weight 2)",
        );
    }

    #[test]
    fn a_case_is_one_line_however_long_it_is() {
        let one = json!({"text": format!("  a\nb {}", "x".repeat(1_000_000))});
        let text = variables(one.as_object().unwrap(), 20);
        assert_eq!(text, "a b xxxxxxxxxxxxxxxx…");
        let two = json!({"subject": "Broken", "n": 3});
        assert_eq!(
            variables(two.as_object().unwrap(), 60),
            "subject: Broken, n: 3"
        );
    }
}
