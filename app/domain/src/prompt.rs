//! A prompt, its versions as lists show them, and the environments they serve.
//! What a version holds is in `content`; what may happen to it is in `lifecycle` and `release`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    actor::Who,
    content::{Content, ContentHash},
    lifecycle::Status,
    release::{DeploymentKind, Policy},
};

/// The longest prompt name, folders included, in characters.
pub const MAX_NAME: usize = 200;
/// The longest tag, in characters.
pub const MAX_TAG: usize = 50;
/// The most tags on one prompt.
pub const MAX_TAGS: usize = 20;
/// The longest description of a prompt or of a change, in characters.
pub const MAX_DESCRIPTION: usize = 2_000;

/// A prompt's name: a slug that may hold `/` folders, such as `support/triage`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
#[serde(transparent)]
pub struct PromptName(String);

/// Why a name was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("must not be empty")]
    Empty,
    /// Longer than [`MAX_NAME`].
    #[error("must be at most 200 characters")]
    TooLong,
    /// A folder or name without characters, as in `a//b`.
    #[error("has an empty folder: `/` must stand between two names")]
    EmptySegment,
    /// Something outside the slug's alphabet.
    #[error("may hold only letters a–z and A–Z, digits, `-`, `_`, `.` and `/` between folders")]
    Alphabet,
    /// A segment that starts with a dot, a dash or an underscore, `..` among them.
    #[error("every folder and name must start with a letter or digit")]
    Start,
}

impl PromptName {
    /// Parses a name; what it accepts can stand in an address, a file path and a log line.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.chars().count() > MAX_NAME {
            return Err(NameError::TooLong);
        }
        for segment in text.split('/') {
            if segment.is_empty() {
                return Err(NameError::EmptySegment);
            }
            if !segment
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            {
                return Err(NameError::Alphabet);
            }
            if !segment.starts_with(|c: char| c.is_ascii_alphanumeric()) {
                return Err(NameError::Start);
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder it is in, without the last `/`; empty at the top.
    #[must_use]
    pub fn folder(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// The name within its folder.
    #[must_use]
    pub fn leaf(&self) -> &str {
        self.0
            .rsplit_once('/')
            .map_or(self.0.as_str(), |(_, leaf)| leaf)
    }
}

impl std::fmt::Display for PromptName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks tags: short, of the slug's alphabet without `/`, each once.
pub fn check_tags(tags: &[String]) -> Result<(), String> {
    if tags.len() > MAX_TAGS {
        return Err(format!("at most {MAX_TAGS} tags"));
    }
    for (index, tag) in tags.iter().enumerate() {
        let legal = !tag.is_empty()
            && tag.chars().count() <= MAX_TAG
            && tag
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':'));
        if !legal {
            return Err(format!(
                "{tag:?} is not a tag: 1 to {MAX_TAG} letters, digits, `-`, `_`, `.` or `:`"
            ));
        }
        if tags[..index].contains(tag) {
            return Err(format!("{tag:?} is listed twice"));
        }
    }
    Ok(())
}

/// Checks free text that people write: not too long, no control characters but line breaks and tabs.
pub fn check_prose(text: &str, most: usize) -> Result<(), String> {
    if text.chars().count() > most {
        return Err(format!("must be at most {most} characters"));
    }
    if text
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
    {
        return Err("must not hold control characters".to_owned());
    }
    Ok(())
}

/// The name of an environment or of a project: a short lower-case slug.
pub fn check_slug(text: &str) -> Result<(), String> {
    let legal = (1..=40).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'));
    if legal {
        Ok(())
    } else {
        Err("must be 1 to 40 lower-case letters, digits, `-` or `_`, starting with a letter or digit".to_owned())
    }
}

/// Names that mean something else where environments are named.
pub const RESERVED_ENVIRONMENTS: [&str; 1] = ["latest"];

/// The environment whose version is called active.
pub const PRODUCTION: &str = "production";

/// Where versions serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Environment {
    /// `production`, `staging`, `development` or one of the project's own.
    pub name: String,
    /// What a promotion into it asks for.
    pub policy: Policy,
    /// Whether the policy asks for anything.
    pub protected: bool,
}

/// What an environment of a prompt serves now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Serving {
    /// The environment.
    pub environment: String,
    /// The version's number.
    pub version: i32,
    /// Since when.
    pub deployed_at: DateTime<Utc>,
    /// Who deployed it.
    pub by: Who,
    /// How it came to serve.
    pub kind: DeploymentKind,
    /// What a rollback without a named version would go to.
    pub previous: Option<i32>,
    /// The deployment, so that a rollback can say which one it means to undo.
    pub deployment_id: crate::id::DeploymentId,
}

/// A prompt as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Prompt {
    /// Its name.
    pub name: PromptName,
    /// What it is for.
    pub description: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// The number of its newest version, if any.
    pub latest_version: Option<i32>,
    /// The version that serves production.
    pub active_version: Option<i32>,
    /// What every environment serves, in the environments' order.
    pub serving: Vec<Serving>,
    /// Who saved the newest version.
    pub changed_by: Option<Who>,
    /// When the newest version was saved, or the prompt made.
    pub changed_at: DateTime<Utc>,
    /// What the newest version changed.
    pub change_description: Option<String>,
}

/// A version as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Version {
    /// Its number within the prompt, from 1.
    pub number: i32,
    /// SHA-256 of its canonical content.
    pub content_hash: ContentHash,
    /// Where it is in its life.
    pub status: Status,
    /// The version it was made from.
    pub parent: Option<i32>,
    /// Who saved it.
    pub author: Who,
    /// Why, in the author's words.
    pub change_description: String,
    /// When it was saved.
    pub created_at: DateTime<Utc>,
}

/// A version with what it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FullVersion {
    /// As lists show it.
    #[serde(flatten)]
    pub version: Version,
    /// Exactly what was hashed and serves.
    pub content: Content,
    /// What was written, where snippets were expanded to make the content.
    pub source: Option<Content>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(), NameError>) {
        assert_eq!(PromptName::parse(text).map(|_| ()), expected, "{text:?}");
    }

    #[test]
    fn names_are_slugs_in_folders() {
        check("support/triage", Ok(()));
        check("a", Ok(()));
        check("Team.A/v2_x-1", Ok(()));
        check("", Err(NameError::Empty));
        check("a//b", Err(NameError::EmptySegment));
        check("/a", Err(NameError::EmptySegment));
        check("a/", Err(NameError::EmptySegment));
        check("../etc/passwd", Err(NameError::Start));
        check("a/../b", Err(NameError::Start));
        check("a b", Err(NameError::Alphabet));
        check("smile-😀", Err(NameError::Alphabet));
        check("abc\u{202e}def", Err(NameError::Alphabet));
        check("nul\0", Err(NameError::Alphabet));
        check(&"x".repeat(201), Err(NameError::TooLong));
    }

    #[test]
    fn a_name_knows_its_folder() {
        let name = PromptName::parse("support/eu/triage").unwrap();
        assert_eq!((name.folder(), name.leaf()), ("support/eu", "triage"));
        let top = PromptName::parse("triage").unwrap();
        assert_eq!((top.folder(), top.leaf()), ("", "triage"));
    }

    #[test]
    fn tags_and_slugs_are_checked() {
        assert!(check_tags(&["a".into(), "b:c".into()]).is_ok());
        assert!(check_tags(&["a".into(), "a".into()]).is_err());
        assert!(check_tags(&["a b".into()]).is_err());
        assert!(check_slug("staging-eu").is_ok());
        assert!(check_slug("Staging").is_err());
        assert!(check_slug("").is_err());
        assert!(check_prose("two\nlines", 20).is_ok());
        assert!(check_prose("nul\0", 20).is_err());
    }
}
