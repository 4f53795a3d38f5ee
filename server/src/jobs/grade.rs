//! What a scorer says of an output: the native ones here and now, the model-graded ones by asking
//! the judge, webhooks by asking them.

use std::time::Duration;

use domain::{
    content::ChatMessage,
    scoring::{self, Output, Score, judge, webhook},
    suite::{Case, Scorer, ScorerKind},
};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::doors::Opened;
use crate::{
    llm::{Ask, LlmError},
    outgoing::{Outgoing, Unsent},
};

/// How long a webhook may take.
const WEBHOOK_PATIENCE: Duration = Duration::from_secs(30);
/// The most bytes of a webhook's answer.
const MAX_WEBHOOK_ANSWER: usize = 64 * 1024;
/// The most tokens of a judge's answer: a verdict and a reason.
const MAX_JUDGE_TOKENS: u32 = 400;

/// The judge's provider gave no answer, so nobody knows what the output is worth.
#[derive(Debug, thiserror::Error)]
#[error("the judge did not answer: {0}")]
pub struct Silent(LlmError);

/// Asks judges and webhooks.
pub struct Grader {
    judge_model: String,
    judge_door: Opened,
    outgoing: Outgoing,
}

impl Grader {
    pub const fn new(judge_model: String, judge_door: Opened, outgoing: Outgoing) -> Self {
        Self {
            judge_model,
            judge_door,
            outgoing,
        }
    }

    /// One score; nothing when cancelled meanwhile.
    pub async fn grade(
        &self,
        scorer: &Scorer,
        case: &Case,
        output: &Output,
        tools: Option<&[Value]>,
        cancelled: &CancellationToken,
    ) -> Option<Result<Score, Silent>> {
        let expected = case.expected.as_ref();
        match scorer.kind {
            ScorerKind::Webhook => {
                tokio::select! {
                    () = cancelled.cancelled() => None,
                    score = self.ask_webhook(scorer, case, output) => Some(Ok(score)),
                }
            }
            ScorerKind::Pairwise => self.compare(scorer, case, output, cancelled).await,
            kind if kind.is_model_graded() => {
                self.judge(scorer, case, &output.text, cancelled).await
            }
            _ => Some(Ok(scoring::score(scorer, expected, output, tools))),
        }
    }

    /// Against what was expected, asked in both orders: judges favour a place.
    async fn compare(
        &self,
        scorer: &Scorer,
        case: &Case,
        output: &Output,
        cancelled: &CancellationToken,
    ) -> Option<Result<Score, Silent>> {
        let expected = case.expected.as_ref();
        let Some(other) = expected.map(as_text) else {
            return Some(Ok(Score::failed(
                scorer,
                "there is nothing to compare with: the case expects nothing",
            )));
        };
        let questions = judge::pairwise(scorer, &case.variables, expected, &output.text, &other);
        let mut model = String::new();
        let mut preferences = Vec::with_capacity(2);
        for question in questions {
            let text = match self.ask_judge(question, cancelled).await? {
                Ok((name, text)) => {
                    model = name;
                    text
                }
                Err(silent) => return Some(Err(silent)),
            };
            match judge::read_preference(&text) {
                Ok(preference) => preferences.push(preference),
                Err(error) => return Some(Ok(Score::failed(scorer, error.to_string()))),
            }
        }
        match preferences.as_slice() {
            [first, swapped] => Some(Ok(judge::settle(scorer, &model, first, swapped))),
            _ => None,
        }
    }

    async fn judge(
        &self,
        scorer: &Scorer,
        case: &Case,
        output: &str,
        cancelled: &CancellationToken,
    ) -> Option<Result<Score, Silent>> {
        let expected = case.expected.as_ref();
        let question = judge::question(scorer, &case.variables, expected, output, None);
        let answer = self.ask_judge(question, cancelled).await?;
        Some(answer.map(|(model, text)| {
            judge::read(scorer, &model, &text)
                .unwrap_or_else(|error| Score::failed(scorer, error.to_string()))
        }))
    }

    /// The judge's model, with its fingerprint where it has one, and its answer; nothing when cancelled.
    async fn ask_judge(
        &self,
        messages: Vec<ChatMessage>,
        cancelled: &CancellationToken,
    ) -> Option<Result<(String, String), Silent>> {
        let ask = Ask {
            model: self.judge_model.clone(),
            messages,
            temperature: Some(0.0),
            max_tokens: Some(MAX_JUDGE_TOKENS),
            seed: Some(0),
            ..Ask::default()
        };
        match self.judge_door.door.ask(&ask, cancelled).await {
            Ok(answer) => {
                let model = match &answer.fingerprint {
                    Some(fingerprint) => format!("{} {fingerprint}", answer.model),
                    None => answer.model,
                };
                Some(Ok((model, answer.text)))
            }
            Err(LlmError::Cancelled) => None,
            Err(error) => Some(Err(Silent(error))),
        }
    }

    async fn ask_webhook(&self, scorer: &Scorer, case: &Case, output: &Output) -> Score {
        let Some(address) = scorer.value.as_ref().and_then(Value::as_str) else {
            return Score::failed(scorer, "the webhook has no address");
        };
        match self.post(address, case, output).await {
            Ok(answer) => webhook::read(scorer, &answer)
                .unwrap_or_else(|error| Score::failed(scorer, error.to_string())),
            Err(words) => Score::failed(scorer, words),
        }
    }

    async fn post(&self, address: &str, case: &Case, output: &Output) -> Result<String, String> {
        let prompt = case.note.as_str();
        let request = webhook::request(prompt, &case.variables, case.expected.as_ref(), output);
        let body = serde_json::to_vec(&request)
            .map_err(|error| format!("the webhook cannot be asked: {error}"))?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let reply = self
            .outgoing
            .post(address, headers, body, WEBHOOK_PATIENCE, MAX_WEBHOOK_ANSWER)
            .await
            .map_err(|error| match error {
                Unsent::Refused(words) => format!("the webhook is not asked: {words}"),
                Unsent::Failed(words) => format!("the webhook did not answer: {words}"),
            })?;
        if !(200..300).contains(&reply.status) {
            return Err(format!("the webhook answered {}", reply.status));
        }
        if reply.is_cut {
            return Err(format!(
                "the webhook's answer is longer than {MAX_WEBHOOK_ANSWER} bytes"
            ));
        }
        String::from_utf8(reply.body).map_err(|_| "the webhook's answer is not UTF-8".to_owned())
    }
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
