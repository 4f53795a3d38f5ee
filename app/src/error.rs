//! The error that pages and server functions show: safe to print, safe to send to a browser.

use domain::field::FieldError;
#[cfg(feature = "ssr")]
use domain::release;
use leptos::{
    prelude::{FromServerFnError, ServerFnErrorErr},
    server_fn::codec::JsonEncoding,
};
use serde::{Deserialize, Serialize};
use wasm_split_helpers::SplitLoaderError;

/// Why something could not be shown or done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum UiError {
    /// Nobody is signed in.
    #[error("you are not signed in any more")]
    SignedOut,
    /// There is no such thing; holds its noun.
    #[error("there is no such {0}")]
    NotFound(String),
    /// The person's role does not allow it; says what is missing.
    #[error("{0}")]
    Denied(String),
    /// Refused by a rule, or somebody else was faster.
    #[error("{0}")]
    Refused(String),
    /// What was submitted is not acceptable, field by field.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<FieldError>),
    /// The database does not answer.
    #[error("the database does not answer; nothing was changed")]
    Away,
    /// A mistake of ours; logged on the server.
    #[error("something went wrong here; it was logged")]
    Internal,
    /// The server could not be reached or answered nonsense.
    #[error("the server could not be reached: {0}")]
    Network(String),
}

impl UiError {
    /// The HTTP status a page with this error has.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::SignedOut => 401,
            Self::Denied(_) => 403,
            Self::NotFound(_) => 404,
            Self::Refused(_) => 409,
            Self::Invalid(_) => 422,
            Self::Away | Self::Network(_) => 503,
            Self::Internal => 500,
        }
    }

    /// What is wrong with a field, if it was refused; `field` matches the end of its path.
    #[must_use]
    pub fn of_field(&self, field: &str) -> Option<String> {
        match self {
            Self::Invalid(errors) => errors
                .iter()
                .find(|error| error.field == field)
                .map(|error| error.message.clone()),
            _ => None,
        }
    }
}

impl FromServerFnError for UiError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Request(cause) | ServerFnErrorErr::Response(cause) => {
                Self::Network(cause)
            }
            ServerFnErrorErr::Args(cause)
            | ServerFnErrorErr::MissingArg(cause)
            | ServerFnErrorErr::Deserialization(cause) => {
                Self::Refused(format!("the form cannot be read: {cause}"))
            }
            ServerFnErrorErr::Registration(_)
            | ServerFnErrorErr::UnsupportedRequestMethod(_)
            | ServerFnErrorErr::ServerError(_)
            | ServerFnErrorErr::MiddlewareError(_)
            | ServerFnErrorErr::Serialization(_) => {
                #[cfg(feature = "ssr")]
                tracing::error!(error = ?error, "a server function failed");
                Self::Internal
            }
        }
    }
}

impl From<SplitLoaderError> for UiError {
    fn from(error: SplitLoaderError) -> Self {
        Self::Network(error.to_string())
    }
}

#[cfg(feature = "ssr")]
impl From<store::Error> for UiError {
    /// The match that hides a cause is the one that logs it.
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NotFound(noun) => Self::NotFound(noun.to_owned()),
            store::Error::Denied(denied) => Self::Denied(denied.to_string()),
            store::Error::Release(
                refusal @ (release::Refusal::Missing { .. }
                | release::Refusal::OwnWork(_)
                | release::Refusal::Unapproved { .. }
                | release::Refusal::NotAPerson),
            ) => Self::Denied(refusal.to_string()),
            store::Error::Release(refusal) => Self::Refused(refusal.to_string()),
            store::Error::Conflict { message, .. } => Self::Refused(message),
            store::Error::Invalid(errors) => Self::Invalid(errors),
            store::Error::Unavailable(cause) => {
                tracing::warn!(error = %cause, "the database does not answer");
                Self::Away
            }
            store::Error::Database(cause) => {
                tracing::error!(error = %cause, "the database failed");
                Self::Internal
            }
        }
    }
}
