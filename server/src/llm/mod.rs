//! The only door to model providers. [`Door`] holds a provider's limits, waits and repeats;
//! `openai` and `anthropic` speak the protocols, [`scripted`] answers in this process. What is
//! asked and what becomes of the answer is for the jobs; a price is not known here.

mod anthropic;
mod body;
mod door;
mod error;
pub mod keys;
mod openai;
mod pace;
mod quirk;
pub(crate) mod retry;
pub mod scripted;
mod settings;
mod sse;
mod wire;

use domain::content::{ChatMessage, Model};
use serde_json::Value;

pub use door::{Door, Jitter};
pub use error::{LlmError, Waiting};
pub use settings::{BadUrl, BaseUrl, Kind, Provider, Retries, Settings, Timeouts};

/// One question to a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ask {
    /// The provider's name of the model.
    pub model: String,
    /// The messages, rendered.
    pub messages: Vec<ChatMessage>,
    /// Tool definitions, as `OpenAI` or as the provider writes them.
    pub tools: Option<Vec<Value>>,
    /// The response format, as `OpenAI` or as the provider writes it.
    pub response_format: Option<Value>,
    /// How much chance there is in the answer; 0 for evals.
    pub temperature: Option<f64>,
    /// Most tokens of the answer.
    pub max_tokens: Option<u32>,
    /// For providers that can repeat an answer.
    pub seed: Option<i64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
}

impl Ask {
    /// The question with a version's own settings.
    #[must_use]
    pub fn with_model(model: &Model, messages: Vec<ChatMessage>) -> Self {
        Self {
            model: model.name.clone(),
            messages,
            tools: None,
            response_format: None,
            temperature: model
                .temperature
                .as_ref()
                .and_then(serde_json::Number::as_f64),
            max_tokens: model.max_tokens,
            seed: model.seed,
            stop: model.stop.clone().unwrap_or_default(),
        }
    }
}

/// What a model answered, in the same words for every provider.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The text; empty where the model only calls tools.
    pub text: String,
    /// The calls, each `{"id","type":"function","function":{"name","arguments"}}` with the
    /// arguments as JSON text, whichever provider made them.
    pub tool_calls: Vec<Value>,
    /// Why the answer ends: `stop`, `length`, `tool_calls` or `content_filter`, or the provider's
    /// own word where it means none of these.
    pub finish_reason: Option<String>,
    /// The model, as the provider names it in its answer.
    pub model: String,
    /// What the provider calls the state of its machines; equal fingerprints repeat answers.
    pub fingerprint: Option<String>,
    /// What was counted.
    pub usage: Usage,
    /// How long the try that succeeded took, without waits and failed tries.
    pub latency_ms: f64,
    /// How long until the first text or tool call; none where the answer came in one piece.
    pub ttft_ms: Option<f64>,
    /// Parts of the question that this model or protocol does not take and that were not sent,
    /// by their names in [`Ask`] and `ChatMessage`.
    pub left_out: Vec<String>,
    /// How many requests it took.
    pub n_tries: u32,
}

/// What the provider counted. None: it did not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All tokens of the question, with those read from and written to the cache.
    pub input_tokens: Option<u32>,
    /// Tokens of the answer, with those of its reasoning.
    pub output_tokens: Option<u32>,
    /// Of the question's: read from the cache.
    pub cache_read_tokens: Option<u32>,
    /// Of the question's: written to the cache, for however long.
    pub cache_write_tokens: Option<u32>,
    /// Of those written: for an hour, which costs more than for five minutes.
    pub cache_write_1h_tokens: Option<u32>,
}

impl Usage {
    /// Tokens of the question that are paid in full: neither read from nor written to the cache.
    #[must_use]
    pub fn uncached_input_tokens(&self) -> Option<u32> {
        let cached = self.cache_read_tokens.unwrap_or(0) + self.cache_write_tokens.unwrap_or(0);
        self.input_tokens.map(|all| all.saturating_sub(cached))
    }
}
