//! What a version holds: messages, variables, model, tools and response format, and the hash
//! that names them. Nothing is filled in or tidied up, so that whoever hashes what they sent
//! gets the hash we answer. How templates and declarations read is for their own modules.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use sha2::{Digest, Sha256};

use crate::field::FieldError;
use crate::template::{Include, Template};
use crate::variable::Variable;

mod agreement;
mod parse;
mod scan;

pub(crate) use agreement::unused;
pub(crate) use parse::refuse_oversize;
pub(crate) use scan::scan;

/// Most messages of one version.
pub const MAX_MESSAGES: usize = 1_000;

/// Most bytes of a version's canonical JSON.
pub const MAX_BYTES: usize = 1024 * 1024;

/// What a version holds. Serialises to exactly the members that are hashed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Content {
    /// A text prompt is one user message; a chat prompt any number of messages.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The messages in order.
    pub messages: Vec<Message>,
    /// The declared variables. Absent and empty are different contents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variables: Option<Vec<Variable>>,
    /// The model the prompt is written for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// Tool definitions, each as the provider takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Value>>,
    /// The response format, as the provider takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_format: Option<Value>,
}

/// Text or chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ContentType))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One user message. Only these can be included by others.
    Text,
    /// Messages of any role, and placeholders.
    Chat,
}

/// One message, or a place for messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum Message {
    /// A message whose content is a template.
    Chat(ChatMessage),
    /// A place that the caller fills with whole messages.
    Placeholder(Placeholder),
}

/// A message whose content is a template; the other members are passed on untouched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChatMessage {
    /// Who speaks.
    pub role: Role,
    /// The template.
    pub content: String,
    /// The speaker's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which call a tool's message answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// The calls an assistant's message makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<Vec<Value>>,
    /// Marks the end of a prefix that the provider is to cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<Value>,
}

/// A place that the caller fills with whole messages, which are never templated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename = "placeholder")]
pub struct Placeholder {
    /// What the caller names it by.
    pub name: String,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = MessageRole))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Instructions.
    System,
    /// Instructions, in the words of newer models.
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A tool's answer.
    Tool,
}

impl Role {
    /// All of them, in the order people are offered them.
    pub const ALL: [Self; 5] = [
        Self::System,
        Self::Developer,
        Self::User,
        Self::Assistant,
        Self::Tool,
    ];

    /// The word used in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Developer => "developer",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }

    /// Whether the model takes these messages as instructions.
    pub fn is_instruction(self) -> bool {
        matches!(self, Self::System | Self::Developer)
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// The model and its settings. The temperature keeps the form it was sent in (`0`, `0.2`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Model {
    /// The configured provider's name.
    pub provider: String,
    /// The provider's name of the model.
    pub name: String,
    /// From 0 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<f64>))]
    pub temperature: Option<Number>,
    /// Most tokens of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// For providers that can repeat an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Texts that end the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Vec<String>>,
}

/// The lower-case hex SHA-256 of a content's canonical JSON.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
#[serde(transparent)]
pub struct ContentHash(String);

impl ContentHash {
    /// All 64 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Enough characters for people.
    pub fn short(&self) -> &str {
        self.0.get(..8).unwrap_or(&self.0)
    }
}

impl std::fmt::Display for ContentHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Content {
    /// Reads a submitted content and checks everything that can be checked without knowing
    /// other prompts; every offending field is listed, under its path from `path` on.
    /// A content with includes is finished by [`crate::template::compose`]: only then is it
    /// known which variables are used.
    pub fn parse(path: &str, value: Value) -> Result<Self, Vec<FieldError>> {
        parse::content(path, value)
    }

    /// RFC 8785 JSON of exactly the hashed members.
    pub fn canonical_json(&self) -> String {
        canonical(self)
    }

    /// SHA-256 over the canonical JSON.
    pub fn hash(&self) -> ContentHash {
        let digest = Sha256::digest(self.canonical_json());
        let mut hex = String::with_capacity(digest.len() * 2);
        for byte in digest {
            for digit in [byte >> 4, byte & 15] {
                hex.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
        }
        ContentHash(hex)
    }

    /// The declared variables, none if the member is absent.
    pub fn declared(&self) -> &[Variable] {
        self.variables.as_deref().unwrap_or_default()
    }

    /// The messages with a template, with their index.
    pub fn chat_messages(&self) -> impl Iterator<Item = (usize, &ChatMessage)> {
        self.messages
            .iter()
            .enumerate()
            .filter_map(|(index, message)| match message {
                Message::Chat(message) => Some((index, message)),
                Message::Placeholder(_) => None,
            })
    }

    /// The placeholders' names in order.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.messages.iter().filter_map(|message| match message {
            Message::Chat(_) => None,
            Message::Placeholder(placeholder) => Some(placeholder.name.as_str()),
        })
    }

    /// The prompts this content includes itself, each once. Those that they include in turn
    /// are found by asking them. A message that is no template includes nothing.
    pub fn includes(&self) -> Vec<Include> {
        let mut seen = HashSet::new();
        self.chat_messages()
            .filter_map(|(_, message)| Template::parse(&message.content).ok())
            .flat_map(|template| template.includes())
            .filter(|include| seen.insert(include.clone()))
            .collect()
    }

    /// The text of a text prompt.
    pub fn text(&self) -> Option<&str> {
        match (self.kind, self.messages.as_slice()) {
            (Kind::Text, [Message::Chat(message)]) => Some(&message.content),
            (Kind::Text | Kind::Chat, _) => None,
        }
    }
}

/// RFC 8785 JSON of a content or of a part of one.
pub(crate) fn canonical(part: &impl Serialize) -> String {
    serde_json_canonicalizer::to_string(part)
        .expect("a content holds only strings, finite numbers and string keys")
}

#[cfg(test)]
mod tests;
