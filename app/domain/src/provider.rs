//! Where models answer: what a project says about an endpoint. The key itself is never here.

use chrono::{DateTime, Utc};
use iri_string::types::UriString;
use serde::{Deserialize, Serialize};

use crate::field::{FieldError, Fields};

/// The most calls at a time that may be configured.
const MAX_CONCURRENCY: i32 = 1_000;
/// The longest key, in characters.
const MAX_KEY: usize = 4_096;

/// How an endpoint is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ProviderKind))]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type))]
#[cfg_attr(feature = "sqlx", sqlx(type_name = "text", rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Chat completions, as `OpenAI`, vLLM, Ollama and llama.cpp serve them.
    Openai,
    /// Anthropic's Messages.
    Anthropic,
}

impl Kind {
    /// The word used in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
        }
    }
}

/// An endpoint, as everybody in the project may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Provider {
    /// What versions name it by.
    pub name: String,
    /// How it is spoken to.
    pub kind: Kind,
    /// Up to and without `/chat/completions` or `/messages`; with `/v1` or without.
    pub base_url: String,
    /// Whether a key is kept for it here; without one the server's environment may have one.
    pub has_key: bool,
    /// The most calls at a time.
    pub max_concurrency: i32,
    /// The most calls in a minute; none: as many as it takes.
    pub requests_per_minute: Option<i32>,
    /// When it last changed.
    pub changed_at: DateTime<Utc>,
}

/// An endpoint to keep.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewProvider {
    /// A short lower-case slug.
    pub name: String,
    /// How it is spoken to.
    pub kind: Kind,
    /// Up to and without `/chat/completions` or `/messages`; with `/v1` or without.
    pub base_url: String,
    /// Sealed before it is kept, and never shown again.
    pub api_key: Option<String>,
    /// The most calls at a time; 8 when left out.
    pub max_concurrency: i32,
    /// The most calls in a minute.
    pub requests_per_minute: Option<i32>,
}

impl NewProvider {
    /// Reads what was submitted, all errors at once.
    pub fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let name = fields.required_text("name");
        if !name.is_empty() && !is_legal(&name) {
            fields.refuse(
                "name",
                "must be up to 40 lower-case letters, digits, `-`, `_` and `.`, beginning with a letter or digit",
            );
        }
        let kind = match fields.required_text("kind").as_str() {
            "anthropic" => Kind::Anthropic,
            // Left out is refused already.
            "openai" | "" => Kind::Openai,
            _ => {
                fields.refuse("kind", "must be `openai` or `anthropic`");
                Kind::Openai
            }
        };
        let base_url = fields
            .required_text("base_url")
            .trim_end_matches('/')
            .to_owned();
        if !base_url.is_empty()
            && let Err(message) = check_address(&base_url)
        {
            fields.refuse("base_url", message);
        }
        let api_key = fields.text("api_key").filter(|key| !key.is_empty());
        if api_key.as_ref().is_some_and(|key| !is_header(key)) {
            fields.refuse("api_key", "must be printable ASCII without spaces");
        }
        let max_concurrency = count(&mut fields, "max_concurrency", MAX_CONCURRENCY).unwrap_or(8);
        let requests_per_minute = count(&mut fields, "requests_per_minute", 1_000_000);
        fields.finish(|| Self {
            name,
            kind,
            base_url,
            api_key,
            max_concurrency,
            requests_per_minute,
        })
    }
}

fn count(fields: &mut Fields, name: &str, most: i32) -> Option<i32> {
    let number = fields.integer(name)?;
    match i32::try_from(number) {
        Ok(number) if (1..=most).contains(&number) => Some(number),
        _ => {
            fields.refuse(name, format!("must be from 1 to {most}"));
            None
        }
    }
}

fn is_legal(name: &str) -> bool {
    let mut bytes = name.bytes();
    let is_first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= 40
        && bytes.next().is_some_and(is_first)
        && bytes.all(|byte| is_first(byte) || b"-_.".contains(&byte))
}

fn is_header(key: &str) -> bool {
    key.len() <= MAX_KEY && key.bytes().all(|byte| byte.is_ascii_graphic())
}

fn check_address(text: &str) -> Result<(), &'static str> {
    let address: UriString = text
        .parse()
        .map_err(|_| "must be an address such as https://api.openai.com/v1")?;
    if !["http", "https"].contains(&address.scheme_str()) {
        return Err("must begin with http:// or https://");
    }
    let authority = address
        .authority_components()
        .ok_or("must name a host, as in https://api.openai.com/v1")?;
    if authority.userinfo().is_some() {
        return Err("must not hold a password: give the key as `api_key`");
    }
    if authority.host().is_empty() {
        return Err("must name a host, as in https://api.openai.com/v1");
    }
    if address.query_str().is_some() || address.fragment().is_some() {
        return Err("must not hold `?` or `#`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_wrong_is_said_at_once() {
        let errors = NewProvider::parse(Fields::new(
            "",
            json!({"name": "Big One", "kind": "llama", "base_url": "ftp://x", "api_key": "a b",
                   "max_concurrency": 0, "requests_per_minute": -1, "more": 1}),
        ))
        .err()
        .unwrap_or_default();
        let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "name",
                "kind",
                "base_url",
                "api_key",
                "max_concurrency",
                "requests_per_minute",
                "more"
            ]
        );
    }

    #[test]
    fn an_address_holds_no_secret() {
        for (address, is_fine) in [
            ("https://api.openai.com/v1", true),
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:11434/v1", true),
            ("https://me:secret@api.example.com", false),
            ("https://api.example.com/v1?key=1", false),
            ("https://", false),
            ("api.example.com", false),
        ] {
            assert_eq!(check_address(address).is_ok(), is_fine, "{address}");
        }
    }
}
