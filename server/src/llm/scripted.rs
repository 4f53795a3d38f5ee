//! A provider in this process that always gives the same answer to the same question, for tests
//! and the demo. It passes through the same door as the others; only the network is missing.

use std::{sync::Arc, time::Duration};

use super::{Answer, Ask, LlmError, Usage};

type Says = dyn Fn(&Ask) -> Result<Answer, LlmError> + Send + Sync;

/// What is answered, and how long it takes.
#[derive(Clone)]
pub struct Script {
    says: Arc<Says>,
    delay: Duration,
}

impl Script {
    /// Whatever `says` answers, errors and all.
    pub fn new(says: impl Fn(&Ask) -> Result<Answer, LlmError> + Send + Sync + 'static) -> Self {
        Self {
            says: Arc::new(says),
            delay: Duration::ZERO,
        }
    }

    /// A text for every question, with words counted as tokens.
    pub fn text(says: impl Fn(&Ask) -> String + Send + Sync + 'static) -> Self {
        Self::new(move |ask| Ok(answer(ask, says(ask))))
    }

    /// The text of the first rule whose words stand in the last message, or else `otherwise`.
    pub fn rules(rules: Vec<(String, String)>, otherwise: impl Into<String>) -> Self {
        let otherwise = otherwise.into();
        Self::text(move |ask| {
            let asked = ask.messages.last().map_or("", |message| &message.content);
            let rule = rules.iter().find(|(words, _)| asked.contains(words));
            rule.map_or(&otherwise, |(_, text)| text).clone()
        })
    }

    /// Answers only after a while, always the same.
    #[must_use]
    pub const fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    pub(super) async fn answer(&self, ask: &Ask) -> Result<Answer, LlmError> {
        tokio::time::sleep(self.delay).await;
        (self.says)(ask).map(|answer| Answer {
            latency_ms: self.delay.as_secs_f64() * 1000.0,
            ..answer
        })
    }
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Script")
            .field("delay", &self.delay)
            .finish_non_exhaustive()
    }
}

/// A complete answer of this text; its tokens are its words.
pub fn answer(ask: &Ask, text: impl Into<String>) -> Answer {
    let text = text.into();
    let n_words = |text: &str| u32::try_from(text.split_whitespace().count()).ok();
    let asked = ask
        .messages
        .iter()
        .filter_map(|message| n_words(&message.content));
    Answer {
        usage: Usage {
            input_tokens: Some(asked.sum()),
            output_tokens: n_words(&text),
            ..Usage::default()
        },
        text,
        finish_reason: Some("stop".to_owned()),
        model: ask.model.clone(),
        ..Answer::default()
    }
}
