//! Kinds of failures. What applications report is free text; counting needs few words that mean
//! something to whoever is called at night.

use serde::{Deserialize, Serialize};

/// Why calls fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// Nothing came in time.
    Timeout,
    /// Too many requests for the account.
    RateLimited,
    /// The provider had no capacity.
    Overloaded,
    /// The key was wrong or not allowed to.
    Denied,
    /// The prompt did not fit into the model's window.
    TooLong,
    /// A content filter, or the model itself, would not answer.
    Refused,
    /// What came back could not be used.
    BadOutput,
    /// The provider found the request wrong.
    BadRequest,
    /// The provider failed.
    Provider,
    /// The provider was not reached.
    Network,
    /// Whoever asked went away.
    Cancelled,
    /// Anything else.
    Other,
}

/// What gives a kind away, in lower case; the first that is found decides, so narrow words come
/// before wide ones.
const SIGNS: [(Failure, &[&str]); 11] = [
    (
        Failure::TooLong,
        &[
            "context_length",
            "context length",
            "context window",
            "too long",
            "max_tokens",
            "413",
        ],
    ),
    (
        Failure::RateLimited,
        &[
            "rate_limit",
            "ratelimit",
            "rate limit",
            "too many requests",
            "resource_exhausted",
            "quota",
            "429",
        ],
    ),
    (
        Failure::Overloaded,
        &["overloaded", "capacity", "unavailable", "503", "529"],
    ),
    (
        Failure::Timeout,
        &[
            "timeout",
            "timed out",
            "timed_out",
            "deadline",
            "408",
            "504",
        ],
    ),
    (
        Failure::Denied,
        &[
            "unauthor",
            "authentication",
            "permission",
            "forbidden",
            "api key",
            "api_key",
            "401",
            "403",
        ],
    ),
    (
        Failure::Refused,
        &[
            "content_filter",
            "content filter",
            "contentfilter",
            "safety",
            "refus",
            "moderation",
            "policy",
        ],
    ),
    (
        Failure::BadOutput,
        &[
            "parse",
            "json",
            "schema",
            "decode",
            "validation",
            "malformed output",
            "bad_output",
        ],
    ),
    (Failure::Cancelled, &["cancel", "abort", "499"]),
    (
        Failure::Network,
        &[
            "connect",
            "network",
            "dns",
            "socket",
            "unknownhost",
            "tls",
            "certificate",
            "reset by peer",
        ],
    ),
    (
        Failure::BadRequest,
        &[
            "invalid_request",
            "invalid request",
            "badrequest",
            "bad request",
            "bad_request",
            "unprocessable",
            "not_found",
            "notfound",
            "400",
            "404",
            "422",
        ],
    ),
    (
        Failure::Provider,
        &[
            "internal",
            "server error",
            "server_error",
            "servererror",
            "api_error",
            "bad gateway",
            "500",
            "502",
        ],
    ),
];

impl Failure {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Timeout,
        Self::RateLimited,
        Self::Overloaded,
        Self::Denied,
        Self::TooLong,
        Self::Refused,
        Self::BadOutput,
        Self::BadRequest,
        Self::Provider,
        Self::Network,
        Self::Cancelled,
        Self::Other,
    ];

    /// The kind of what was reported: a status, an exception's name or a sentence.
    #[must_use]
    pub fn of(error: &str) -> Self {
        // What gives it away is at the front; a stack trace behind it only misleads.
        let front: String = error.chars().take(200).collect();
        let front = front.to_lowercase();
        SIGNS
            .iter()
            .find(|(_, signs)| signs.iter().any(|sign| front.contains(sign)))
            .map_or(Self::Other, |(kind, _)| *kind)
    }

    /// The word used in JSON and in the database.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::Denied => "denied",
            Self::TooLong => "too_long",
            Self::Refused => "refused",
            Self::BadOutput => "bad_output",
            Self::BadRequest => "bad_request",
            Self::Provider => "provider",
            Self::Network => "network",
            Self::Cancelled => "cancelled",
            Self::Other => "other",
        }
    }

    /// What a person calls it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Timeout => "timed out",
            Self::RateLimited => "rate limited",
            Self::Overloaded => "provider overloaded",
            Self::Denied => "not allowed",
            Self::TooLong => "prompt too long",
            Self::Refused => "refused to answer",
            Self::BadOutput => "answer unusable",
            Self::BadRequest => "bad request",
            Self::Provider => "provider failed",
            Self::Network => "provider not reached",
            Self::Cancelled => "cancelled",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_providers_and_exporters_say_has_a_kind() {
        for (error, kind) in [
            ("timeout", Failure::Timeout),
            ("APITimeoutError", Failure::Timeout),
            ("504", Failure::Timeout),
            ("429", Failure::RateLimited),
            (
                "openai.RateLimitError: Error code: 429",
                Failure::RateLimited,
            ),
            ("overloaded_error", Failure::Overloaded),
            ("529 the provider is overloaded", Failure::Overloaded),
            ("AuthenticationError", Failure::Denied),
            ("context_length_exceeded", Failure::TooLong),
            ("content_filter", Failure::Refused),
            ("JSONDecodeError", Failure::BadOutput),
            ("java.net.UnknownHostException", Failure::Network),
            ("ECONNRESET: Connection reset by peer", Failure::Network),
            ("500", Failure::Provider),
            ("InternalServerError", Failure::Provider),
            ("BadRequestError: 400", Failure::BadRequest),
            ("asyncio.CancelledError", Failure::Cancelled),
            ("", Failure::Other),
            ("_OTHER", Failure::Other),
            ("Überraschung", Failure::Other),
        ] {
            assert_eq!(Failure::of(error), kind, "{error}");
        }
    }

    #[test]
    fn words_are_what_json_says() {
        for kind in Failure::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
        }
    }
}
