//! What can go wrong here: not found, refused by a rule, in conflict with somebody else, or the database.

use domain::{actor::Denied, field::FieldError, lifecycle, release};

/// A result of the store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a read or a command failed. All but the last two may be shown as they are.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing; holds its noun.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The one who acts may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// A release was refused.
    #[error(transparent)]
    Release(release::Refusal),
    /// It collides with what is there or with what somebody else just did.
    #[error("{message}")]
    Conflict {
        /// Stable, for programs.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// What was submitted is not acceptable, field by field.
    #[error("{}", list(.0))]
    Invalid(Vec<FieldError>),
    /// The database does not answer.
    #[error("the database does not answer")]
    Unavailable(#[source] sqlx::Error),
    /// The database refused, or answered nonsense: a mistake of ours.
    #[error("the database failed")]
    Database(#[source] sqlx::Error),
}

fn list(errors: &[FieldError]) -> String {
    errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

impl Error {
    /// A conflict in words.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict {
            code,
            message: message.into(),
        }
    }

    /// One field that is not acceptable.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, message)])
    }
}

impl From<release::Refusal> for Error {
    fn from(refusal: release::Refusal) -> Self {
        match refusal {
            release::Refusal::Denied(denied) => Self::Denied(denied),
            release::Refusal::ReasonMissing => Self::invalid("reason", refusal.to_string()),
            other => Self::Release(other),
        }
    }
}

impl From<lifecycle::Refusal> for Error {
    fn from(refusal: lifecycle::Refusal) -> Self {
        Self::conflict("illegal_status_move", refusal.to_string())
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
            // Shutting down, starting up, too many connections, terminated by an administrator.
            sqlx::Error::Database(cause)
                if cause.code().is_some_and(|code| {
                    code.starts_with("57P") || code.starts_with("53") || code.starts_with("08")
                }) =>
            {
                Self::Unavailable(error)
            }
            _ => Self::Database(error),
        }
    }
}

/// Turns the violation of a named constraint into words.
pub(crate) trait OnConstraint<T> {
    fn on_constraint(self, name: &str, refusal: impl FnOnce() -> Error) -> Result<T>;
}

impl<T> OnConstraint<T> for Result<T, sqlx::Error> {
    fn on_constraint(self, name: &str, refusal: impl FnOnce() -> Error) -> Result<T> {
        self.map_err(|error| match &error {
            sqlx::Error::Database(cause) if cause.constraint() == Some(name) => refusal(),
            _ => error.into(),
        })
    }
}

impl<T> OnConstraint<T> for Result<T> {
    fn on_constraint(self, name: &str, refusal: impl FnOnce() -> Error) -> Self {
        self.map_err(|error| match &error {
            Error::Database(sqlx::Error::Database(cause)) if cause.constraint() == Some(name) => {
                refusal()
            }
            _ => error,
        })
    }
}
