//! What a door is told about its provider: which protocol, where, with which key, and how much
//! patience. Where that is stored, and who may change it, is not known here.

use std::time::Duration;

use reqwest::Url;

use super::{keys::Secret, scripted::Script};

/// The protocols that are spoken over the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Chat completions: `OpenAI`, vLLM, Ollama, llama.cpp and many others.
    OpenAi,
    /// Anthropic Messages.
    Anthropic,
}

impl Kind {
    /// The word used in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
        }
    }

    /// Reads the word used in JSON.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::OpenAi, Self::Anthropic]
            .into_iter()
            .find(|kind| kind.word() == word)
    }

    /// Where the protocol's maker answers, and what a new provider is offered.
    #[must_use]
    pub const fn makers_url(self) -> &'static str {
        match self {
            Self::OpenAi => "https://api.openai.com/v1",
            Self::Anthropic => "https://api.anthropic.com",
        }
    }

    /// The environment variable that holds the key for the maker's own host.
    #[must_use]
    pub const fn key_variable(self) -> &'static str {
        match self {
            Self::OpenAi => "OPENAI_API_KEY",
            Self::Anthropic => "ANTHROPIC_API_KEY",
        }
    }
}

/// Where a provider answers: http or https, without name, password, query or fragment, so that
/// it can be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(Url);

/// Why an address is not taken. The words do not repeat the address: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// No URL at all, or of another scheme.
    #[error("the base URL must be an address that starts with http:// or https://")]
    NotHttp,
    /// `https://name:password@host`.
    #[error("the base URL must not hold a name or password: give the key as the API key")]
    HoldsCredentials,
    /// `?…` or `#…`, where keys like to hide.
    #[error("the base URL must end with its path: a query or fragment is not used")]
    HoldsQuery,
}

impl BaseUrl {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        let url = Url::parse(text.trim()).map_err(|_| BadUrl::NotHttp)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(BadUrl::NotHttp);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadUrl::HoldsCredentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BadUrl::HoldsQuery);
        }
        Ok(Self(url))
    }

    /// The address, as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The address of one of the API's paths below `/v1`, whether or not the base names `/v1`
    /// itself: people copy either from their provider's documentation.
    pub(super) fn below_v1(&self, kind: Kind, path: &str) -> Url {
        let base = self.0.path().trim_end_matches('/');
        let adds_version = match kind {
            // Gateways put chat completions below paths of their own: these are taken as they are.
            Kind::OpenAi => base.is_empty(),
            Kind::Anthropic => !base.ends_with("/v1"),
        };
        let version = if adds_version { "/v1" } else { "" };
        let mut url = self.0.clone();
        url.set_path(&format!("{base}{version}{path}"));
        url
    }

    /// Whether this is the host of the protocol's maker, reached over TLS.
    #[must_use]
    pub fn is_makers_own(&self, kind: Kind) -> bool {
        Url::parse(kind.makers_url()).is_ok_and(|makers| makers.origin() == self.0.origin())
    }

    /// Whether both name the same scheme, host and port.
    #[must_use]
    pub fn has_same_origin(&self, other: &Self) -> bool {
        self.0.origin() == other.0.origin()
    }
}

/// Who answers.
#[derive(Clone, Debug)]
pub enum Provider {
    /// A server on the network.
    Remote {
        /// The protocol it speaks.
        kind: Kind,
        /// Where it is.
        base_url: BaseUrl,
        /// Its key; local servers need none.
        key: Option<Secret>,
    },
    /// This process, always with the same answer to the same question: tests and the demo.
    Scripted(Script),
}

/// How long each step of a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Name look-up, connection and TLS.
    pub connect: Duration,
    /// From the question to the answer's headers. A provider that does not stream sends them with
    /// the whole answer.
    pub first_byte: Duration,
    /// Between two parts of an answer.
    pub next_byte: Duration,
    /// Everything: waiting for a turn, all tries and the waits between them.
    pub whole: Duration,
}

/// How often and how patiently a call is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Most tries of one call. One that only leaves out a refused parameter is not counted.
    pub tries: u32,
    /// The longest wait before the second try; it doubles with every further one.
    pub base: Duration,
    /// The longest wait of our own choosing.
    pub longest: Duration,
    /// The longest wait that a provider's `Retry-After` brings about.
    pub longest_asked: Duration,
}

/// What a door is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The provider's name, for logs.
    pub name: String,
    /// Who answers.
    pub provider: Provider,
    /// Most calls under way at once; at least one.
    pub max_concurrency: usize,
    /// Most requests within a minute, spread evenly over it.
    pub requests_per_minute: Option<u32>,
    /// How long each step may take.
    pub timeouts: Timeouts,
    /// How often a call is repeated.
    pub retries: Retries,
    /// Most bytes of one answer, as sent.
    pub max_answer_bytes: usize,
}

impl Settings {
    /// The defaults for a provider.
    #[must_use]
    pub fn new(name: impl Into<String>, provider: Provider) -> Self {
        Self {
            name: name.into(),
            provider,
            max_concurrency: 8,
            requests_per_minute: None,
            timeouts: Timeouts::default(),
            retries: Retries::default(),
            max_answer_bytes: 8 * 1024 * 1024,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_mins(2),
            next_byte: Duration::from_mins(1),
            whole: Duration::from_mins(10),
        }
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            tries: 5,
            base: Duration::from_millis(500),
            longest: Duration::from_secs(20),
            longest_asked: Duration::from_mins(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_could_hold_a_secret_is_refused_without_being_repeated() {
        for (text, expected) in [
            ("ftp://a.example", BadUrl::NotHttp),
            ("a.example:443", BadUrl::NotHttp),
            ("", BadUrl::NotHttp),
            ("https://me:hunter2@a.example/v1", BadUrl::HoldsCredentials),
            ("https://a.example/v1?key=hunter2", BadUrl::HoldsQuery),
            ("https://a.example/v1#hunter2", BadUrl::HoldsQuery),
        ] {
            let refusal = BaseUrl::parse(text).unwrap_err();
            assert_eq!(refusal, expected, "{text}");
            assert!(!refusal.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn both_ways_of_writing_an_address_lead_to_the_same_path() {
        let path = |kind, base, path| {
            BaseUrl::parse(base)
                .unwrap()
                .below_v1(kind, path)
                .to_string()
        };
        let chat = |base| path(Kind::OpenAi, base, "/chat/completions");
        assert_eq!(chat("http://a:1"), "http://a:1/v1/chat/completions");
        assert_eq!(chat("http://a:1/v1/"), "http://a:1/v1/chat/completions");
        assert_eq!(
            chat("https://a/openai"),
            "https://a/openai/chat/completions"
        );
        let messages = |base| path(Kind::Anthropic, base, "/messages");
        assert_eq!(messages("https://a"), "https://a/v1/messages");
        assert_eq!(messages("https://a/v1"), "https://a/v1/messages");
        assert_eq!(messages("https://a/gate/"), "https://a/gate/v1/messages");
    }
}
