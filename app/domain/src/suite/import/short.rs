//! promptfoo's short form of a scorer, as it stands in `__expected` columns:
//! `not-contains: x`, `levenshtein(3): x`, `is-json`; any other text is one the output equals.

use serde_json::{Map, Value};

use super::in_words;
use crate::suite::{Scorer, ScorerKind};

/// promptfoo's scorers that are not known here, to be told from plain texts with a colon.
const UNKNOWN: [&str; 31] = [
    "similar",
    "javascript",
    "python",
    "ruby",
    "fn",
    "eval",
    "bleu",
    "rouge-n",
    "rouge-l",
    "rouge-s",
    "meteor",
    "gleu",
    "perplexity",
    "perplexity-score",
    "classifier",
    "moderation",
    "guardrails",
    "is-sql",
    "contains-sql",
    "is-html",
    "contains-html",
    "is-xml",
    "contains-xml",
    "g-eval",
    "context-recall",
    "context-relevance",
    "select-best",
    "is-valid-function-call",
    "is-valid-openai-function-call",
    "search-rubric",
    "pi",
];

/// Reads the short form; `Err` names what is wrong with it.
pub(super) fn read(text: &str) -> Result<Scorer, String> {
    let text = text.trim();
    let Some((word, threshold, value)) = split(text) else {
        return Ok(Scorer::new(ScorerKind::Equals, Some(Value::from(text))));
    };
    let word = match word {
        "grade" => "llm-rubric",
        "fn" | "eval" => "javascript",
        _ => word,
    };
    let mut members = Map::new();
    members.insert("type".to_owned(), word.into());
    let is_measure = matches!(word.trim_start_matches("not-"), "latency" | "cost");
    let threshold = match threshold {
        // `latency: 2000` can only mean a limit.
        None if is_measure => value.and_then(|value| value.parse().ok()),
        _ => threshold,
    };
    if let Some(threshold) = threshold {
        members.insert("threshold".to_owned(), threshold.into());
    }
    if let Some(value) = value.filter(|value| !value.is_empty() && !is_measure) {
        members.insert("value".to_owned(), value_of(word, value));
    }
    Scorer::parse("scorer", &Value::Object(members)).map_err(|errors| in_words(&errors))
}

/// The short form, if it can hold all of the scorer.
pub(super) fn write(scorer: &Scorer) -> Option<String> {
    let threshold = scorer
        .threshold
        .map_or_else(String::new, |threshold| format!("({threshold})"));
    let value = match &scorer.value {
        None => String::new(),
        Some(Value::String(text)) => format!(": {text}"),
        Some(Value::Array(items)) => {
            let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            format!(": {}", texts?.join(", "))
        }
        Some(value) => format!(": {value}"),
    };
    let text = format!("{}{threshold}{value}", scorer.word());
    // What reads back as the same was held.
    (read(&text).as_ref() == Ok(scorer)).then_some(text)
}

/// The word, the threshold in parentheses, and what is behind the colon; `None` for plain text.
fn split(text: &str) -> Option<(&str, Option<f64>, Option<&str>)> {
    let end = text
        .find(|c: char| !c.is_ascii_lowercase() && c != '-')
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let bare = word.trim_start_matches("not-");
    if bare != "grade" && ScorerKind::from_word(bare).is_none() && !UNKNOWN.contains(&bare) {
        return None;
    }
    let (threshold, rest) = match rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((number, rest)) => (Some(number.trim().parse().ok()?), rest),
        None => (None, rest),
    };
    match rest.strip_prefix(':') {
        Some(value) => Some((word, threshold, Some(value.trim()))),
        // A lone word is a scorer only if it needs nothing else: `contains` may be an answer.
        None if rest.is_empty() && (threshold.is_some() || is_complete(bare)) => {
            Some((word, threshold, None))
        }
        None => None,
    }
}

fn is_complete(word: &str) -> bool {
    ScorerKind::from_word(word).is_some_and(|kind| {
        matches!(
            kind,
            ScorerKind::IsJson
                | ScorerKind::ContainsJson
                | ScorerKind::IsValidToolCall
                | ScorerKind::IsRefusal
                | ScorerKind::AnswerRelevance
                | ScorerKind::Faithfulness
        )
    })
}

fn value_of(word: &str, value: &str) -> Value {
    let kind = ScorerKind::from_word(word.trim_start_matches("not-"));
    match kind {
        Some(
            ScorerKind::ContainsAll
            | ScorerKind::ContainsAny
            | ScorerKind::IcontainsAll
            | ScorerKind::IcontainsAny
            | ScorerKind::ListContains,
        ) => value.split(',').map(str::trim).collect(),
        Some(
            ScorerKind::IsJson
            | ScorerKind::ContainsJson
            | ScorerKind::WordCount
            | ScorerKind::Length,
        ) => serde_json::from_str(value).unwrap_or_else(|_| value.into()),
        _ => value.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &Value) {
        let scorer = read(text).unwrap();
        assert_eq!(serde_json::to_value(&scorer).unwrap(), *expected, "{text}");
    }

    #[test]
    fn promptfoos_short_forms_are_read() {
        check(
            "contains: Paris",
            &json!({"type": "contains", "value": "Paris"}),
        );
        check(
            "not-contains:a: b",
            &json!({"type": "contains", "value": "a: b", "not": true}),
        );
        check(
            "contains-any: a, b",
            &json!({"type": "contains-any", "value": ["a", "b"]}),
        );
        check(
            "levenshtein(3): kitten",
            &json!({"type": "levenshtein", "value": "kitten", "threshold": 3.0}),
        );
        check(
            "latency(2000)",
            &json!({"type": "latency", "threshold": 2000.0}),
        );
        check("cost: 0.01", &json!({"type": "cost", "threshold": 0.01}));
        check("is-json", &json!({"type": "is-json"}));
        check(
            "grade: is polite",
            &json!({"type": "llm-rubric", "value": "is polite"}),
        );
        check(
            "word-count: {\"min\": 3}",
            &json!({"type": "word-count", "value": {"min": 3}}),
        );
        check(
            "The answer: 42",
            &json!({"type": "equals", "value": "The answer: 42"}),
        );
        check("contains", &json!({"type": "equals", "value": "contains"}));
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        assert!(
            read("similar(0.8): hello")
                .unwrap_err()
                .contains("`similar` is not a scorer")
        );
        assert!(read("python: x > 1").unwrap_err().contains("no user code"));
        assert!(read("regex: (").is_err());
    }
}
