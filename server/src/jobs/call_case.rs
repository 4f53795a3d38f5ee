//! One call of a run: the case's variables into the prompt, the prompt to the model, the answer to
//! the scorers. Whatever happens, it ends in a result or a named error.

use domain::{
    content::{ChatMessage, Content, Model},
    cost::{self, Price},
    run::{AnsweredBy, CaseResult, UNFIT, UNSCORABLE},
    scoring::{self, Output},
    suite::{self, Case},
    template::Compiled,
};
use serde_json::Value;
use store::runs::work::{Claimed, Job};
use tokio_util::sync::CancellationToken;

use super::{doors::Opened, grade::Grader};
use crate::llm::{Answer, Ask, LlmError, Usage};

/// Everything the calls of one run have in common.
pub struct Caller {
    content: Content,
    model: Model,
    compiled: Compiled,
    price: Option<Price>,
    opened: Opened,
    suite_scorers: Vec<suite::Scorer>,
    threshold: Option<f64>,
    seed: u32,
    grader: Grader,
}

impl Caller {
    pub fn new(
        job: &Job,
        model: Model,
        compiled: Compiled,
        price: Option<Price>,
        opened: Opened,
        grader: Grader,
    ) -> Self {
        Self {
            content: job.content.clone(),
            model,
            compiled,
            price,
            opened,
            suite_scorers: job.scorers.clone(),
            threshold: job.threshold,
            seed: job.options.seed,
            grader,
        }
    }

    /// Where the model answers.
    pub const fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Makes the call; nothing when the run was cancelled meanwhile.
    pub async fn call(
        &self,
        claimed: Claimed,
        cancelled: &CancellationToken,
    ) -> Option<CaseResult> {
        let mut result = empty(&claimed);
        let messages = match self.render(&claimed.case) {
            Ok(messages) => messages,
            Err(words) => return Some(with_error(result, words)),
        };
        let scorers = match suite::scorers_of(&self.suite_scorers, &claimed.case) {
            Ok(scorers) => scorers,
            Err(errors) => {
                let words: Vec<_> = errors.iter().map(ToString::to_string).collect();
                let words = format!("{UNSCORABLE}: {}", words.join("; "));
                return Some(with_error(result, words));
            }
        };
        let answer = match self
            .opened
            .door
            .ask(&self.question(messages), cancelled)
            .await
        {
            Ok(answer) => answer,
            Err(LlmError::Cancelled) => return None,
            Err(error) => return Some(with_error(result, error.to_string())),
        };
        let cost_usd = self
            .price
            .as_ref()
            .map(|price| cost_of(price, &answer.usage));
        note(&mut result, &answer, cost_usd);
        let output = Output {
            text: answer.text,
            tool_calls: answer.tool_calls,
            finish_reason: answer.finish_reason,
            latency_ms: Some(answer.latency_ms),
            cost_usd,
        };
        let tools = self.content.tools.as_deref();
        let mut scored = Vec::with_capacity(scorers.len());
        for scorer in scorers {
            let grade = self
                .grader
                .grade(&scorer, &claimed.case, &output, tools, cancelled)
                .await?;
            match grade {
                Ok(score) => scored.push((scorer, score)),
                // Nobody looked at the answer, which says nothing about it.
                Err(silent) => return Some(with_error(result, silent.to_string())),
            }
        }
        let outcome = scoring::outcome(&scored, self.threshold);
        result.passed = outcome.passed;
        result.score = Some(outcome.score);
        result.scores = scored.into_iter().map(|(_, score)| score).collect();
        Some(result)
    }

    fn render(&self, case: &Case) -> Result<Vec<ChatMessage>, String> {
        let messages = self
            .compiled
            .render(&case.variables, &case.placeholders)
            .map_err(|errors| {
                let words: Vec<_> = errors
                    .iter()
                    .map(|error| format!("{}: {}", error.variable, error.message))
                    .collect();
                format!("{UNFIT}: {}", words.join("; "))
            })?;
        messages
            .into_iter()
            .map(|message| serde_json::from_value(message).map_err(|error| error.to_string()))
            .collect()
    }

    /// At temperature 0: an eval is to be repeatable, whatever the prompt serves with.
    fn question(&self, messages: Vec<ChatMessage>) -> Ask {
        Ask {
            tools: self.content.tools.clone(),
            response_format: self.content.response_format.clone(),
            temperature: Some(0.0),
            seed: Some(i64::from(self.seed)),
            ..Ask::with_model(&self.model, messages)
        }
    }
}

/// What a call cost at a price, in US dollars.
pub fn cost_of(price: &Price, usage: &Usage) -> f64 {
    let count = |tokens: Option<u32>| u64::from(tokens.unwrap_or_default());
    let (written, for_an_hour) = (
        count(usage.cache_write_tokens),
        count(usage.cache_write_1h_tokens),
    );
    let usage = cost::Usage {
        input: count(usage.uncached_input_tokens()),
        output: count(usage.output_tokens),
        cache_read: count(usage.cache_read_tokens),
        // The provider counts those for an hour among all that were written.
        cache_write: written.saturating_sub(for_an_hour),
        cache_write_1h: for_an_hour,
    };
    cost::cost_of_call(price, usage)
}

fn empty(claimed: &Claimed) -> CaseResult {
    CaseResult {
        case: claimed.id,
        repeat: claimed.repeat,
        position: claimed.position,
        output: None,
        tool_calls: None,
        finish_reason: None,
        passed: false,
        score: None,
        scores: Vec::new(),
        error: None,
        latency_ms: None,
        ttft_ms: None,
        input_tokens: None,
        output_tokens: None,
        cache_read_tokens: None,
        cache_write_tokens: None,
        cost_usd: None,
        answered_by: None,
    }
}

fn with_error(result: CaseResult, words: String) -> CaseResult {
    CaseResult {
        error: Some(keepable(&words)),
        ..result
    }
}

fn note(result: &mut CaseResult, answer: &Answer, cost_usd: Option<f64>) {
    let count = |tokens: Option<u32>| tokens.and_then(|tokens| i32::try_from(tokens).ok());
    result.output = Some(keepable(&answer.text));
    result.tool_calls = (!answer.tool_calls.is_empty())
        .then(|| answer.tool_calls.iter().map(keepable_value).collect());
    result.finish_reason = answer.finish_reason.as_deref().map(keepable);
    result.latency_ms = Some(answer.latency_ms);
    result.ttft_ms = answer.ttft_ms;
    result.input_tokens = count(answer.usage.input_tokens);
    result.output_tokens = count(answer.usage.output_tokens);
    result.cache_read_tokens = count(answer.usage.cache_read_tokens);
    result.cache_write_tokens = count(answer.usage.cache_write_tokens);
    result.cost_usd = cost_usd;
    result.answered_by = Some(AnsweredBy {
        model: keepable(&answer.model),
        fingerprint: answer.fingerprint.as_deref().map(keepable),
        left_out: answer.left_out.clone(),
        n_tries: answer.n_tries,
    });
}

/// Postgres keeps no NUL character; a model may write one.
fn keepable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn keepable_value(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(keepable(text)),
        Value::Array(items) => items.iter().map(keepable_value).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (keepable(name), keepable_value(value)))
            .collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_for_an_hour_is_paid_as_such() {
        let price = Price {
            provider: "anthropic".to_owned(),
            model: "sonnet".to_owned(),
            input: 3.0,
            write_5m: Some(3.75),
            write_1h: Some(6.0),
            read: Some(0.3),
            output: 15.0,
            min_cacheable_tokens: Some(1_024),
            valid_from: chrono::DateTime::UNIX_EPOCH,
        };
        let usage = Usage {
            input_tokens: Some(4_000),
            output_tokens: Some(0),
            cache_read_tokens: Some(1_000),
            cache_write_tokens: Some(2_000),
            cache_write_1h_tokens: Some(500),
        };
        let dollars = 1_000.0 * 3.0 + 1_000.0 * 0.3 + 1_500.0 * 3.75 + 500.0 * 6.0;
        assert!((cost_of(&price, &usage) - dollars / 1e6).abs() < 1e-15);
    }
}
