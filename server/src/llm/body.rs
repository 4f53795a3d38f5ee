//! What a provider sends back, read with a limit and a timeout for every piece, and what its
//! error bodies say in a line.

use std::time::Duration;

use axum::body::Bytes;
use reqwest::Response;
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::time::timeout;

use super::{
    error::{LlmError, Waiting},
    keys::Secret,
};

/// Most bytes of an error body that are looked at.
const MOST_REFUSAL_BYTES: usize = 64 * 1024;
/// Most characters of a provider's words that are passed on.
const MOST_WORDS: usize = 300;

/// An answer's bytes, as they come.
pub struct Body {
    response: Response,
    next_byte: Duration,
    limit_bytes: usize,
    n_bytes: usize,
}

impl Body {
    /// Refuses at once what says itself that it is too large.
    pub fn new(
        response: Response,
        next_byte: Duration,
        limit_bytes: usize,
    ) -> Result<Self, LlmError> {
        let said = response.content_length().unwrap_or(0);
        if usize::try_from(said).is_ok_and(|said| said <= limit_bytes) {
            Ok(Self {
                response,
                next_byte,
                limit_bytes,
                n_bytes: 0,
            })
        } else {
            Err(LlmError::TooLarge { limit_bytes })
        }
    }

    /// How much has come.
    pub const fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// The next piece; none at the end.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, LlmError> {
        let waited = timeout(self.next_byte, self.response.chunk()).await;
        let piece = waited
            .map_err(|_| LlmError::TimedOut {
                waiting_for: Waiting::NextByte,
                after: self.next_byte,
            })?
            .map_err(|_| LlmError::ConnectionLost)?;
        let length = piece.as_ref().map_or(0, Bytes::len);
        self.n_bytes += length;
        if self.n_bytes > self.limit_bytes {
            return Err(LlmError::TooLarge {
                limit_bytes: self.limit_bytes,
            });
        }
        Ok(piece)
    }

    /// Everything, as JSON.
    pub async fn json(mut self) -> Result<Value, LlmError> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.piece().await? {
            bytes.extend_from_slice(&piece);
        }
        parse(&bytes, 0)
    }
}

/// What an error body says, if it is JSON and small: it is only an explanation, so that trouble
/// with it is no trouble of its own.
pub async fn refusal(response: Response, patience: Duration) -> Value {
    match Body::new(response, patience, MOST_REFUSAL_BYTES) {
        Ok(body) => timeout(patience, body.json())
            .await
            .ok()
            .and_then(Result::ok)
            .unwrap_or_default(),
        Err(_) => Value::Null,
    }
}

/// Reads JSON that begins `offset` bytes into the answer.
pub fn parse(bytes: &[u8], offset: usize) -> Result<Value, LlmError> {
    serde_json::from_slice(bytes).map_err(|error| {
        if error.is_eof() {
            return LlmError::Truncated {
                at_byte: offset + bytes.len(),
            };
        }
        // Its line and column, as one number.
        let before: usize = bytes
            .split_inclusive(|byte| *byte == b'\n')
            .take(error.line().saturating_sub(1))
            .map(<[u8]>::len)
            .sum();
        LlmError::InvalidJson {
            at_byte: offset + before + error.column(),
        }
    })
}

/// The sentence in an error body, whichever way this server wraps it.
pub fn refusal_text(refusal: &Value) -> Option<&str> {
    [
        "/error/message",
        "/message",
        "/detail/0/msg",
        "/detail",
        "/error",
    ]
    .iter()
    .find_map(|path| refusal.pointer(path)?.as_str())
}

/// A provider's sentence as it may be shown and stored: one line, not too long, without the key
/// in case the provider repeats it.
pub fn clean(text: &str, key: Option<&Secret>) -> String {
    let text = match key.map(ExposeSecret::expose_secret) {
        Some(key) if !key.is_empty() => text.replace(key, "(key)"),
        _ => text.to_owned(),
    };
    let words: Vec<_> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let line = words.join(" ");
    match line.char_indices().nth(MOST_WORDS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn where_json_breaks_is_told() {
        assert_eq!(
            parse(b"{\"a\": ", 10),
            Err(LlmError::Truncated { at_byte: 16 })
        );
        assert_eq!(parse(b"", 0), Err(LlmError::Truncated { at_byte: 0 }));
        assert_eq!(
            parse(b"{\n\"a\": x}", 10),
            Err(LlmError::InvalidJson { at_byte: 18 })
        );
        assert_eq!(
            parse(b"<html>", 0),
            Err(LlmError::InvalidJson { at_byte: 1 })
        );
        assert_eq!(
            parse(b"{\"a\": \"\xff\"}", 0).map_err(|error| error.code()),
            Err("provider_invalid_json")
        );
    }

    #[test]
    fn every_servers_sentence_is_found() {
        for refusal in [
            json!({"error": {"message": "no"}}),
            json!({"error": "no"}),
            json!({"message": "no"}),
            json!({"detail": "no"}),
            json!({"detail": [{"msg": "no"}]}),
        ] {
            assert_eq!(refusal_text(&refusal), Some("no"), "{refusal}");
        }
        assert_eq!(refusal_text(&json!({"error": 7})), None);
    }

    #[test]
    fn a_providers_words_are_shortened_and_lose_the_key() {
        let key = Secret::from("sk-secret");
        assert_eq!(
            clean("bad\n\tkey: sk-secret\u{7}!", Some(&key)),
            "bad key: (key) !"
        );
        let long = clean(&"ä".repeat(1_000), None);
        assert_eq!(long.chars().count(), MOST_WORDS + 1);
    }
}
