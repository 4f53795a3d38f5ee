//! Errors of the API: RFC 9457 `application/problem+json` with a stable `code`. This is where a
//! cause is hidden from callers, so this is where it is logged.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{actor::Denied, field::FieldError, release, variable::RenderError};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::snapshot::Missing;

/// What callers are told when a request fails.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the `code` says which problem it is.
    pub r#type: &'static str,
    /// The status in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Stable, for programs.
    pub code: String,
    /// For people.
    pub detail: String,
    /// Every offending field as `{field, message}` or variable as `{variable, rule, message}`;
    /// for a refusal, what is `missing`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, value_type = Vec<Object>)]
    pub errors: Vec<Value>,
    /// Seconds to wait before another try; also in `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<i64>,
}

/// A request that failed.
#[derive(Debug)]
pub struct ApiError(Box<Problem>);

/// A result of the API.
pub type Result<T, E = ApiError> = std::result::Result<T, E>;

impl ApiError {
    /// A problem with nothing more to say than these.
    pub fn new(status: StatusCode, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self(Box::new(Problem {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code: code.into(),
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }))
    }

    /// No credential, or one that does not work.
    pub fn unauthorized(detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    /// A body that cannot be read at all.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed_request", detail)
    }

    /// Fields that are not acceptable, all of them.
    pub fn invalid(errors: &[FieldError]) -> Self {
        let detail = match errors {
            [one] => one.to_string(),
            many => format!("{} fields are not acceptable", many.len()),
        };
        let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail);
        error.0.errors = errors.iter().map(|error| json!(error)).collect();
        error
    }

    /// One field that is not acceptable.
    pub fn invalid_field(field: &str, message: impl Into<String>) -> Self {
        Self::invalid(&[FieldError::new(field, message)])
    }

    /// Variables that cannot be rendered, all of them.
    pub fn render(errors: &[RenderError]) -> Self {
        let detail = match errors {
            [one] => format!("{}: {}", one.variable, one.message),
            many => format!("{} variables are not acceptable", many.len()),
        };
        let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "render_refused", detail);
        error.0.errors = errors.iter().map(|error| json!(error)).collect();
        error
    }

    /// The caller should come back later.
    pub fn later(status: StatusCode, code: &str, detail: &str, seconds: i64) -> Self {
        let mut error = Self::new(status, code, detail);
        error.0.retry_after = Some(seconds);
        error
    }

    /// The database does not answer.
    #[must_use]
    pub fn away() -> Self {
        Self::later(
            StatusCode::SERVICE_UNAVAILABLE,
            "database_unavailable",
            "the database does not answer; nothing was changed",
            2,
        )
    }

    /// A mistake of ours; the cause is logged and not told.
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %cause, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something went wrong here; it was logged",
        )
    }

    /// What is answered, for those who look at it.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.0
    }
}

impl From<store::Error> for ApiError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NotFound(noun) => {
                let code = format!("{}_not_found", noun.replace([' ', '-'], "_"));
                Self::new(
                    StatusCode::NOT_FOUND,
                    code,
                    format!("there is no such {noun}"),
                )
            }
            store::Error::Denied(denied) => denied.into(),
            store::Error::Release(refusal) => refusal.into(),
            store::Error::Conflict { code, message } => {
                Self::new(StatusCode::CONFLICT, code, message)
            }
            store::Error::Invalid(errors) => Self::invalid(&errors),
            store::Error::Unavailable(cause) => {
                tracing::warn!(error = %cause, "the database does not answer");
                Self::away()
            }
            store::Error::Database(cause) => {
                tracing::error!(error = %cause, "the database failed");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal",
                    "something went wrong here; it was logged",
                )
            }
        }
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        let mut error = Self::new(StatusCode::FORBIDDEN, "forbidden", denied.to_string());
        error.0.errors = vec![match denied {
            Denied::Role { needed, .. } => json!({ "missing": "role", "role": needed }),
            Denied::Scope(scope) => json!({ "missing": "scope", "scope": scope }),
            Denied::Environment(name) => json!({ "missing": "environment", "environment": name }),
            Denied::Bound => json!({ "missing": "unbound_key" }),
            Denied::PersonsOnly => json!({ "missing": "person" }),
        }];
        error
    }
}

impl From<release::Refusal> for ApiError {
    fn from(refusal: release::Refusal) -> Self {
        use release::Refusal;
        let code = match &refusal {
            Refusal::Denied(denied) => return denied.clone().into(),
            Refusal::Missing { missing, .. } => {
                let mut error = Self::new(
                    StatusCode::FORBIDDEN,
                    "environment_protected",
                    refusal.to_string(),
                );
                error.0.errors = missing
                    .iter()
                    .map(|missing| json!({ "missing": missing }))
                    .collect();
                return error;
            }
            Refusal::OwnWork(_) => {
                return Self::new(StatusCode::FORBIDDEN, "own_work", refusal.to_string());
            }
            Refusal::NotAPerson => {
                return Self::new(StatusCode::FORBIDDEN, "not_a_person", refusal.to_string());
            }
            Refusal::Unapproved { .. } => {
                let code = "approver_needed";
                return Self::new(StatusCode::FORBIDDEN, code, refusal.to_string());
            }
            Refusal::Over(_) => "promotion_over",
            Refusal::OtherEvidence => "other_evidence",
            Refusal::ReasonMissing => return Self::invalid_field("reason", refusal.to_string()),
            Refusal::AlreadyServing { .. } => "already_serving",
            Refusal::NothingServes { .. } => "nothing_serves",
            Refusal::NothingBefore { .. } => "nothing_before",
            Refusal::NeverServed { .. } => "never_served",
            Refusal::Overtaken { .. } => "overtaken",
        };
        Self::new(StatusCode::CONFLICT, code, refusal.to_string())
    }
}

impl From<Missing> for ApiError {
    fn from(missing: Missing) -> Self {
        let (code, detail) = match missing {
            Missing::Prompt => ("prompt_not_found", "there is no such prompt"),
            Missing::Environment => ("environment_not_found", "there is no such environment"),
            Missing::Deployment => (
                "not_deployed",
                "no version of this prompt serves this environment",
            ),
        };
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }
}

/// What a route says to a method it does not have; axum adds `Allow`.
pub async fn method_not_allowed() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this route does not have that method: see Allow",
    )
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.0.retry_after;
        let mut response = (status, Json(*self.0)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
