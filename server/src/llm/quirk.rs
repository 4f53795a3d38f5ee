//! What a model does not take: recognised in a provider's refusal, left out from then on, and
//! remembered, so that only the first call pays for finding out.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use serde_json::Value;

use super::{Ask, body::refusal_text};

/// Models whose quirks are remembered. Their names come from prompts, so there must be an end.
const MOST_MODELS: usize = 1_000;

/// One thing a model does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quirk {
    /// Newer models of both makers.
    NoTemperature,
    /// Some compatible servers.
    NoSeed,
    /// `OpenAI`'s reasoning models.
    NoStop,
    /// `OpenAI`'s newer models want the answer's limit under another name.
    MaxCompletionTokens,
    /// Older compatible servers.
    NoStreamOptions,
    /// `OpenAI`'s newest models, for organisations that are not verified.
    NoStream,
}

/// A model's quirks.
pub type Quirks = BTreeSet<Quirk>;

impl Quirk {
    /// Every one.
    const ALL: [Self; 6] = [
        Self::NoTemperature,
        Self::NoSeed,
        Self::NoStop,
        Self::MaxCompletionTokens,
        Self::NoStreamOptions,
        Self::NoStream,
    ];

    /// The parameter a refusal names, in every spelling of it.
    const fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::NoTemperature => &["temperature"],
            Self::NoSeed => &["seed"],
            Self::NoStop => &["stop", "stop_sequences"],
            Self::MaxCompletionTokens => &["max_tokens"],
            Self::NoStreamOptions => &["stream_options"],
            Self::NoStream => &["stream"],
        }
    }

    /// What this question then lacks, if anything.
    pub fn missing_from(self, ask: &Ask) -> Option<&'static str> {
        let (was_asked, name) = match self {
            Self::NoTemperature => (ask.temperature.is_some(), "temperature"),
            Self::NoSeed => (ask.seed.is_some(), "seed"),
            Self::NoStop => (!ask.stop.is_empty(), "stop"),
            Self::MaxCompletionTokens | Self::NoStreamOptions | Self::NoStream => return None,
        };
        was_asked.then_some(name)
    }

    /// The quirk that a refusal of `sent` shows: a parameter that was sent, is named, and is not
    /// merely too large or too small, which is the asker's mistake and must be told.
    pub fn shown_by(status: u16, refusal: &Value, sent: &Value) -> Option<Self> {
        if !matches!(status, 400 | 422) {
            return None;
        }
        let text = refusal_text(refusal).unwrap_or_default().to_lowercase();
        let is_about_its_value = [
            "maximum",
            "minimum",
            "range",
            "greater than",
            "less than",
            "between",
            "above",
            "below",
            "at most",
            "at least",
            "too large",
            "too long",
        ];
        if is_about_its_value.iter().any(|words| text.contains(words)) {
            return None;
        }
        Self::ALL.into_iter().find(|quirk| {
            let mut sent = quirk
                .parameters()
                .iter()
                .filter(|parameter| sent.get(*parameter).is_some());
            let is_named = sent.any(|parameter| is_named(refusal, &text, parameter));
            // Another name helps only where the refusal offers it.
            is_named
                && (*quirk != Self::MaxCompletionTokens || text.contains("max_completion_tokens"))
        })
    }
}

fn is_named(refusal: &Value, text: &str, parameter: &str) -> bool {
    if refusal.pointer("/error/param").and_then(Value::as_str) == Some(parameter) {
        return true;
    }
    // Servers built on pydantic list what they stumbled over: {"detail":[{"loc":["body","seed"]}]}.
    let listed = refusal.get("detail").and_then(Value::as_array);
    let places = listed
        .into_iter()
        .flatten()
        .filter_map(|one| one["loc"].as_array());
    if places
        .flatten()
        .any(|place| place.as_str() == Some(parameter))
    {
        return true;
    }
    let is_quoted = ["'", "\"", "`"]
        .iter()
        .any(|quote| text.contains(&format!("{quote}{parameter}{quote}")));
    // Unquoted, these two are English.
    let is_word = !matches!(parameter, "stop" | "stream")
        && text
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|word| word == parameter);
    is_quoted || is_word || text.starts_with(&format!("{parameter}:"))
}

/// The quirks of one provider's models.
#[derive(Debug, Default)]
pub struct Memory(Mutex<HashMap<String, Quirks>>);

impl Memory {
    pub fn of(&self, model: &str) -> Quirks {
        let models = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        models.get(model).cloned().unwrap_or_default()
    }

    pub fn add(&self, model: &str, quirk: Quirk) {
        let mut models = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Forgetting costs one refused request a model; it is no reason to choose among them.
        if models.len() >= MOST_MODELS && !models.contains_key(model) {
            models.clear();
        }
        models.entry(model.to_owned()).or_default().insert(quirk);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(refusal: Value, expected: Option<Quirk>) {
        let sent = json!({
            "temperature": 0.0, "seed": 7, "stop": ["\n"], "max_tokens": 9, "stream": true,
            "stream_options": {},
        });
        assert_eq!(Quirk::shown_by(400, &refusal, &sent), expected, "{refusal}");
        assert_eq!(Quirk::shown_by(500, &refusal, &sent), None);
        assert_eq!(Quirk::shown_by(400, &refusal, &json!({})), None);
    }

    fn openai(message: &str, param: &str) -> Value {
        json!({"error": {"message": message, "param": param, "type": "invalid_request_error"}})
    }

    fn anthropic(message: &str) -> Value {
        let error = json!({"type": "invalid_request_error", "message": message});
        json!({"type": "error", "error": error})
    }

    #[test]
    fn refusals_of_real_servers_are_understood() {
        check(
            anthropic("`temperature` is deprecated for this model."),
            Some(Quirk::NoTemperature),
        );
        check(
            openai(
                "Unsupported value: 'temperature' does not support 0 with this model. \
                 Only the default (1) value is supported.",
                "temperature",
            ),
            Some(Quirk::NoTemperature),
        );
        check(
            openai(
                "Unsupported parameter: 'max_tokens' is not supported with this model. \
                 Use 'max_completion_tokens' instead.",
                "max_tokens",
            ),
            Some(Quirk::MaxCompletionTokens),
        );
        check(
            openai(
                "Unsupported parameter: 'stop' is not supported with this model.",
                "stop",
            ),
            Some(Quirk::NoStop),
        );
        check(
            openai(
                "Your organization must be verified to stream this model.",
                "stream",
            ),
            Some(Quirk::NoStream),
        );
        check(
            json!({"error": {"message": "Unrecognized request argument supplied: stream_options"}}),
            Some(Quirk::NoStreamOptions),
        );
        check(
            json!({"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}),
            Some(Quirk::NoSeed),
        );
        check(
            anthropic("seed: Extra inputs are not permitted"),
            Some(Quirk::NoSeed),
        );
    }

    #[test]
    fn a_refusal_of_something_else_is_none_of_our_business() {
        check(anthropic("temperature: range: 0..1"), None);
        check(
            openai(
                "Invalid 'temperature': decimal above maximum value. Expected a value <= 2.",
                "temperature",
            ),
            None,
        );
        check(
            openai("max_tokens is too large: 999999.", "max_tokens"),
            None,
        );
        check(
            openai("Please stop sending empty messages", "messages"),
            None,
        );
        check(json!("nonsense"), None);
        check(Value::Null, None);
    }
}
