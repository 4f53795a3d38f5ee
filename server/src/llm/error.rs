//! Why a call brought no answer, in words that can be shown and stored: no key, no address, and
//! of what the provider said only a short, cleaned piece.

use std::time::Duration;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LlmError {
    /// The key is missing, or cannot be sent.
    #[error("the provider is not configured: {0}")]
    NotConfigured(String),
    /// No connection: wrong name, closed port, broken TLS.
    #[error("could not connect to the provider: {0}")]
    Unreachable(String),
    /// A step took too long.
    #[error("timed out after {} {waiting_for}", seconds(*.after))]
    TimedOut {
        /// Which step.
        waiting_for: Waiting,
        /// How long it was given.
        after: Duration,
    },
    /// The connection ended before the answer did.
    #[error("the provider closed the connection before its answer was complete")]
    ConnectionLost,
    /// More than this side reads.
    #[error("the provider's answer is larger than {limit_bytes} bytes")]
    TooLarge {
        /// What would have been read.
        limit_bytes: usize,
    },
    /// Neither JSON nor an event stream: usually a wrong address.
    #[error(
        "the provider answered with {found} instead of JSON or an event stream; \
         is the base URL right?"
    )]
    WrongContentType {
        /// What it calls its answer.
        found: String,
    },
    /// Another address was named. It is not followed: the key would go there too.
    #[error(
        "the provider answered with a redirect ({status}), which is not followed; \
         set the base URL to the address it leads to"
    )]
    Redirected {
        /// 301 and its siblings.
        status: u16,
    },
    /// The answer ends in the middle, although the connection ended properly.
    #[error("the provider's answer ends in the middle, after {at_byte} bytes")]
    Truncated {
        /// How much came.
        at_byte: usize,
    },
    /// The answer, or an event of it, is no JSON.
    #[error("the provider's answer is not valid JSON (at byte {at_byte})")]
    InvalidJson {
        /// Where reading stopped.
        at_byte: usize,
    },
    /// The answer is JSON, but no answer of this protocol.
    #[error("the provider's answer holds no {missing}; does it speak this protocol?")]
    Unexpected {
        /// What was looked for.
        missing: &'static str,
    },
    /// The provider said no, or that it failed.
    #[error("{}", refusal(*.status, .message))]
    Refused {
        /// The HTTP status, or its equal inside a stream.
        status: u16,
        /// The provider's words, shortened; empty if it had none.
        message: String,
    },
    /// The provider asked for fewer requests until the tries or the time were used up.
    #[error("the provider's rate limit is reached{}", later(*.retry_after))]
    RateLimited {
        /// How long the provider asks to wait.
        retry_after: Option<Duration>,
        /// How many requests were made.
        n_tries: u32,
    },
    /// The caller no longer wants the answer.
    #[error("cancelled")]
    Cancelled,
}

/// Which step took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// A free place among the calls under way, the next minute's share, or the end of a pause.
    Turn,
    /// The connection.
    Connection,
    /// The answer's beginning.
    FirstByte,
    /// The answer's next part.
    NextByte,
    /// Everything together.
    Whole,
}

impl std::fmt::Display for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Turn => "waiting for a turn under the provider's limits",
            Self::Connection => "connecting to the provider",
            Self::FirstByte => "waiting for the provider's answer to begin",
            Self::NextByte => "waiting for the rest of the provider's answer",
            Self::Whole => "for the whole call",
        })
    }
}

impl LlmError {
    /// Stable, for programs and for storing beside the words.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotConfigured(_) => "provider_not_configured",
            Self::Unreachable(_) => "provider_unreachable",
            Self::TimedOut { .. } => "provider_timed_out",
            Self::ConnectionLost => "provider_connection_lost",
            Self::TooLarge { .. } => "provider_answer_too_large",
            Self::WrongContentType { .. } => "provider_wrong_content_type",
            Self::Redirected { .. } => "provider_redirected",
            Self::Truncated { .. } => "provider_answer_truncated",
            Self::InvalidJson { .. } => "provider_invalid_json",
            Self::Unexpected { .. } => "provider_unexpected_answer",
            Self::Refused { .. } => "provider_refused",
            Self::RateLimited { .. } => "provider_rate_limited",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the same question may well be answered later. The door has then already asked as
    /// often as it was told to.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::TimedOut { .. }
            | Self::ConnectionLost
            | Self::Truncated { .. }
            | Self::RateLimited { .. } => true,
            // 409 is a lock that was held, 425 an early request; every 5xx the server's fault. A
            // 429 that stands here is an empty purse.
            Self::Refused { status, .. } => matches!(*status, 408 | 409 | 425 | 500..),
            Self::NotConfigured(_)
            | Self::TooLarge { .. }
            | Self::WrongContentType { .. }
            | Self::Redirected { .. }
            | Self::InvalidJson { .. }
            | Self::Unexpected { .. }
            | Self::Cancelled => false,
        }
    }
}

fn refusal(status: u16, message: &str) -> String {
    let what = match status {
        401 => "the provider does not accept the API key",
        500.. => "the provider failed",
        _ => "the provider refused",
    };
    if message.is_empty() {
        format!("{what} ({status})")
    } else {
        format!("{what} ({status}): {message}")
    }
}

fn later(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |wait| {
        format!("; it asks to wait {}", seconds(wait))
    })
}

fn seconds(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{} s", duration.as_secs())
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_say_what_happened() {
        let words = |error: LlmError| error.to_string();
        assert_eq!(
            words(LlmError::TimedOut {
                waiting_for: Waiting::FirstByte,
                after: Duration::from_millis(1500)
            }),
            "timed out after 1.5 s waiting for the provider's answer to begin"
        );
        assert_eq!(
            words(LlmError::RateLimited {
                retry_after: Some(Duration::from_secs(30)),
                n_tries: 5
            }),
            "the provider's rate limit is reached; it asks to wait 30 s"
        );
        let refused = |status, message: &str| {
            words(LlmError::Refused {
                status,
                message: message.to_owned(),
            })
        };
        assert_eq!(
            refused(404, "no such model"),
            "the provider refused (404): no such model"
        );
        assert_eq!(refused(503, ""), "the provider failed (503)");
    }
}
