//! Reading request bodies: bytes to JSON with an answer that says what is wrong and where.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::StatusCode,
};
use domain::field::FieldError;
use serde_json::Value;

use super::error::ApiError;
use crate::state::AppState;

/// The most bytes a control-plane request may hold: the largest content and room around it.
pub const MAX_BODY: usize = 4 * 1024 * 1024;

/// A JSON body. Nothing is known of its shape yet, but no string in it holds a NUL character,
/// which Postgres cannot keep.
pub struct JsonBody(pub Value);

impl FromRequest<AppState> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| {
                if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                    ApiError::new(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        "too_large",
                        format!("the body may hold at most {MAX_BODY} bytes"),
                    )
                } else {
                    ApiError::malformed("the body could not be read to its end")
                }
            })?;
        parse(&bytes).map(Self)
    }
}

/// Parses a body.
pub fn parse(bytes: &[u8]) -> Result<Value, ApiError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        ApiError::malformed(format!(
            "the body is not UTF-8: byte {} is wrong",
            error.valid_up_to()
        ))
    })?;
    if text.trim().is_empty() {
        return Err(ApiError::malformed("the body is empty: send a JSON object"));
    }
    // serde_json refuses nesting deeper than 128, so walking the value cannot exhaust the stack.
    let value: Value = serde_json::from_str(text)
        .map_err(|error| ApiError::malformed(format!("the body is not JSON: {error}")))?;
    let mut errors = Vec::new();
    find_nul("", &value, &mut errors);
    if errors.is_empty() {
        Ok(value)
    } else {
        Err(ApiError::invalid(&errors))
    }
}

fn find_nul(path: &str, value: &Value, errors: &mut Vec<FieldError>) {
    let join = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    match value {
        Value::String(text) if text.contains('\0') => {
            errors.push(FieldError::new(path, "holds a NUL character"));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                find_nul(&format!("{path}[{index}]"), item, errors);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                if name.contains('\0') {
                    errors.push(FieldError::new(
                        path,
                        "has a member whose name holds a NUL character",
                    ));
                }
                find_nul(&join(name), member, errors);
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(bytes: &[u8]) -> (u16, String) {
        let problem = parse(bytes).unwrap_err();
        (problem.problem().status, problem.problem().detail.clone())
    }

    #[test]
    fn what_is_wrong_with_a_body_is_said() {
        assert_eq!(refused(b"").0, 400);
        assert_eq!(
            refused(b"\xff{}"),
            (400, "the body is not UTF-8: byte 0 is wrong".to_owned())
        );
        assert!(refused(b"{\"a\":}").1.contains("line 1 column 6"));
        assert_eq!(refused("[".repeat(100_000).as_bytes()).0, 400);
        assert_eq!(
            refused(br#"{"a":[{"b":"x\u0000"}]}"#),
            (422, "a[0].b: holds a NUL character".to_owned())
        );
        assert!(parse(br#"{"a":"\u202e"}"#).is_ok());
    }
}
