//! A scorer that another system runs: what is sent to it and how its answer is read. The
//! sending, with its limits on time, size and addresses, is the server's business.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Output, Score, judge};
use crate::suite::Scorer;

/// The body of the POST. `output` and `context.vars` are named as promptfoo names them, so that
/// its webhooks work unchanged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Request<'a> {
    /// The output's text.
    pub output: &'a str,
    /// What it is the output of.
    pub context: Context<'a>,
}

/// What an output is the output of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Context<'a> {
    /// The prompt's name.
    pub prompt: &'a str,
    /// The case's variables.
    pub vars: &'a Map<String, Value>,
    /// What the case expects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<&'a Value>,
    /// The calls the model made.
    #[serde(skip_serializing_if = "<[Value]>::is_empty")]
    pub tool_calls: &'a [Value],
    /// Why it stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<&'a str>,
    /// In milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// In US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}

/// Why a webhook's answer is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is not JSON.
    #[error("the webhook's answer is not JSON: {0}")]
    NotJson(String),
    /// It lacks what is asked for.
    #[error(
        "the webhook's answer must be an object with `pass` (true or false), `score` (0 to 1) or both"
    )]
    NoVerdict,
}

/// What is sent for one output.
pub fn request<'a>(
    prompt: &'a str,
    variables: &'a Map<String, Value>,
    expected: Option<&'a Value>,
    output: &'a Output,
) -> Request<'a> {
    Request {
        output: &output.text,
        context: Context {
            prompt,
            vars: variables,
            expected,
            tool_calls: &output.tool_calls,
            finish_reason: output.finish_reason.as_deref(),
            latency_ms: output.latency_ms,
            cost_usd: output.cost_usd,
        },
    }
}

/// Reads the answer `{"pass","score","reason"}`, of which one of the first two is needed.
pub fn read(scorer: &Scorer, answer: &str) -> Result<Score, Unreadable> {
    let answer: Value =
        serde_json::from_str(answer).map_err(|error| Unreadable::NotJson(error.to_string()))?;
    answer
        .as_object()
        .and_then(|verdict| judge::score_of(scorer, verdict))
        .ok_or(Unreadable::NoVerdict)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::suite::ScorerKind;

    #[test]
    fn what_is_sent_and_read_has_promptfoos_names() {
        let output = Output {
            text: "Hi".to_owned(),
            ..Output::default()
        };
        let variables = Map::from_iter([("name".to_owned(), json!("Ada"))]);
        assert_eq!(
            serde_json::to_value(request("greet", &variables, None, &output)).unwrap(),
            json!({"output": "Hi", "context": {"prompt": "greet", "vars": {"name": "Ada"}}})
        );
        let scorer = Scorer::new(ScorerKind::Webhook, Some(json!("https://judge.example/")));
        let score = read(
            &scorer,
            "{\"pass\": true, \"score\": 0.5, \"reason\": \"ok\"}",
        )
        .unwrap();
        assert_eq!(
            (score.passed, score.score, score.reason.as_str()),
            (true, 0.5, "ok")
        );
        assert!(matches!(
            read(&scorer, "<html>"),
            Err(Unreadable::NotJson(_))
        ));
        assert_eq!(read(&scorer, "[]"), Err(Unreadable::NoVerdict));
        assert_eq!(read(&scorer, "{}"), Err(Unreadable::NoVerdict));
    }
}
