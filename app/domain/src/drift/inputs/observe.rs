//! What is counted of a call's variables: never the values themselves, except those that the
//! version declares, so that nothing people wrote is kept here.

use serde_json::{Map, Value};

use super::Feature;
use crate::variable::{Variable, VariableType};

/// Shorter texts are in any language.
const LEAST_CHARACTERS: usize = 24;
/// More of a text says nothing new about its language.
const MOST_CHARACTERS: usize = 400;
/// From here on, all are of one length.
const LONGEST_BIN: u64 = 1 << 20;

/// One count for one bin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// The variable.
    pub variable: String,
    /// What of it.
    pub feature: Feature,
    /// Where it counts.
    pub bin: String,
}

/// What a call says about the declared variables.
#[must_use]
pub fn observe(declared: &[Variable], sent: &Map<String, Value>) -> Vec<Mark> {
    let mut marks = Vec::new();
    for variable in declared {
        let mut mark = |feature, bin: String| {
            marks.push(Mark {
                variable: variable.name.clone(),
                feature,
                bin,
            });
        };
        let value = sent.get(&variable.name).filter(|value| !is_empty(value));
        let Some(value) = value else {
            mark(Feature::Missing, "missing".to_owned());
            continue;
        };
        mark(Feature::Missing, "given".to_owned());
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match variable.kind {
            VariableType::Enum => {
                let known = variable.values.iter().flatten().any(|known| *known == text);
                let bin = if known {
                    text
                } else {
                    "another value".to_owned()
                };
                mark(Feature::Category, bin);
            }
            VariableType::Boolean => {
                let bin = if matches!(text.as_str(), "true" | "false") {
                    text
                } else {
                    "another value".to_owned()
                };
                mark(Feature::Category, bin);
            }
            VariableType::String => {
                mark(Feature::Length, length_bin(&text));
                if let Some(language) = language(&text) {
                    mark(Feature::Language, language.to_owned());
                }
            }
            VariableType::Url | VariableType::Email | VariableType::Json => {
                mark(Feature::Length, length_bin(&text));
            }
            VariableType::Integer | VariableType::Number | VariableType::Date => {}
        }
    }
    marks
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

/// The power of two at or below the number of characters.
fn length_bin(text: &str) -> String {
    let n = text.chars().count() as u64;
    let bin = n.checked_ilog2().map_or(0, |power| 1_u64 << power);
    bin.min(LONGEST_BIN).to_string()
}

/// The text's language in English; none where it is too short for one.
fn language(text: &str) -> Option<&'static str> {
    let end = text
        .char_indices()
        .nth(MOST_CHARACTERS)
        .map_or(text.len(), |(end, _)| end);
    let text = &text[..end];
    if text.chars().count() < LEAST_CHARACTERS {
        return None;
    }
    let found = whatlang::detect(text).filter(whatlang::Info::is_reliable);
    Some(found.map_or("unclear", |found| found.lang().eng_name()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn declared(list: Value) -> Vec<Variable> {
        crate::variable::parse_variables("variables", list).unwrap()
    }

    fn marks(list: Value, sent: Value) -> Vec<String> {
        let sent = sent.as_object().unwrap().clone();
        observe(&declared(list), &sent)
            .into_iter()
            .map(|mark| format!("{} {} {}", mark.variable, mark.feature.word(), mark.bin))
            .collect()
    }

    #[test]
    fn a_text_has_a_length_and_a_language() {
        let list = json!([{ "name": "mail", "type": "string", "max_length": 4000 }]);
        let german = "Guten Tag, meine Bestellung ist leider noch immer nicht angekommen, obwohl sie schon vor zwei Wochen verschickt wurde.";
        assert_eq!(
            marks(list.clone(), json!({ "mail": german })),
            [
                "mail missing given",
                "mail length 64",
                "mail language German"
            ]
        );
        // Too short for a language.
        assert_eq!(
            marks(list.clone(), json!({ "mail": "ok" })),
            ["mail missing given", "mail length 2"]
        );
        assert_eq!(
            marks(list.clone(), json!({ "mail": " " })),
            ["mail missing missing"]
        );
        assert_eq!(marks(list, json!({})), ["mail missing missing"]);
    }

    #[test]
    fn only_declared_values_are_kept() {
        let list = json!([
            { "name": "plan", "type": "enum", "values": ["free", "pro"] },
            { "name": "vip", "type": "boolean" },
        ]);
        assert_eq!(
            marks(
                list,
                json!({ "plan": "secret plan of Mrs Miller", "vip": true, "more": 1 })
            ),
            [
                "plan missing given",
                "plan category another value",
                "vip missing given",
                "vip category true"
            ]
        );
    }
}
