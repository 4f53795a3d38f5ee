//! The team boundary as pages and the API show it: projects, members, keys.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    actor::{Role, Scope, Who},
    field::FieldError,
    id::{KeyId, PersonId, ProjectId},
    prompt::check_prose,
};

/// The shortest password, in characters (NIST SP 800-63B: length is what counts).
pub const MIN_PASSWORD: usize = 10;
/// The longest password, so that hashing stays bounded.
pub const MAX_PASSWORD: usize = 200;
/// The longest name of a person, project or key, in characters.
pub const MAX_LABEL: usize = 100;

/// A project one belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Project {
    /// The project.
    pub id: ProjectId,
    /// As in addresses.
    pub slug: String,
    /// As people call it.
    pub name: String,
    /// The role of whoever asked.
    pub role: Role,
}

/// Somebody who belongs to a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Member {
    /// The person.
    pub id: PersonId,
    /// Where they sign in with.
    pub email: String,
    /// As people call them.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Since when they belong here.
    pub created_at: DateTime<Utc>,
    /// Whether they have chosen a password yet.
    pub has_signed_up: bool,
}

/// A machine's key, without the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKey {
    /// The key.
    pub id: KeyId,
    /// What it is for.
    pub name: String,
    /// Its first characters.
    pub prefix: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// The only environments it may touch; none: all.
    pub environments: Option<Vec<String>>,
    /// Who made it.
    pub created_by: Who,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to within a minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// From when it no longer works.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Checks an e-mail address the way browsers do (WHATWG HTML, "valid e-mail address", and a dot
/// in the domain is not asked for), and lower-cases it.
pub fn parse_email(text: &str) -> Result<String, &'static str> {
    const WRONG: &str = "must be an e-mail address";
    let email = text.trim().to_lowercase();
    let (local, host) = email.rsplit_once('@').ok_or(WRONG)?;
    let local_legal = !local.is_empty()
        && local.len() <= 64
        && local
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c));
    let host_legal = host.len() <= 190
        && host.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        });
    if local_legal && host_legal {
        Ok(email)
    } else {
        Err(WRONG)
    }
}

/// Checks a name that people read: one line, not empty, not too long.
pub fn check_label(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("must not be empty".to_owned());
    }
    if text.contains(['\n', '\r', '\t']) {
        return Err("must be one line".to_owned());
    }
    check_prose(text, MAX_LABEL)
}

/// Checks a new password. No rules about kinds of characters: they make passwords worse.
pub fn check_password(password: &str) -> Result<(), FieldError> {
    let length = password.chars().count();
    if length < MIN_PASSWORD {
        return Err(FieldError::new(
            "password",
            format!("must have at least {MIN_PASSWORD} characters"),
        ));
    }
    if length > MAX_PASSWORD {
        return Err(FieldError::new(
            "password",
            format!("must have at most {MAX_PASSWORD} characters"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e_mail_addresses_are_those_of_browsers() {
        assert_eq!(
            parse_email(" Ada@Example.org ").as_deref(),
            Ok("ada@example.org")
        );
        assert_eq!(
            parse_email("viewer@demo.local").as_deref(),
            Ok("viewer@demo.local")
        );
        for wrong in [
            "", "ada", "@b.c", "a@", "a b@c.d", "a@-b.c", "a@b..c", "a\0@b.c", "ä@b.c",
        ] {
            assert!(parse_email(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn passwords_are_long_enough_and_bounded() {
        assert!(check_password("correct horse").is_ok());
        assert!(check_password("short").is_err());
        assert!(check_password(&"x".repeat(201)).is_err());
    }
}
