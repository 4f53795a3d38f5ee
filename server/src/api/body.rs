//! Reading request bodies: bytes to JSON with an answer that says what is wrong and where.

use std::{fmt::Display, io::Read, str::FromStr, time::Duration};

use axum::{
    body::{Body as Incoming, Bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use domain::field::{FieldError, Fields};
use futures::StreamExt;
use serde_json::Value;

use super::error::ApiError;
use crate::state::AppState;

/// The most bytes a control-plane request may hold: the largest content and room around it.
pub const MAX_BODY: usize = 4 * 1024 * 1024;
/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes too many that are still read: a client that is writing would not see the answer otherwise.
const MOST_DISCARDED: usize = 64 * 1024 * 1024;

/// Reads a whole body, in bounded time and memory.
pub async fn read(headers: &HeaderMap, body: Incoming) -> Result<Bytes, ApiError> {
    read_at_most(headers, body, MAX_BODY).await
}

/// Reads a whole body of at most so many bytes, in bounded time.
pub async fn read_at_most(
    headers: &HeaderMap,
    body: Incoming,
    most: usize,
) -> Result<Bytes, ApiError> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok())
        .unwrap_or_default();
    tokio::time::timeout(PATIENCE, collect(body, announced, most))
        .await
        .unwrap_or_else(|_| {
            Err(ApiError::new(
                StatusCode::REQUEST_TIMEOUT,
                "body_timeout",
                "the body did not arrive in time",
            ))
        })
}

/// Reads a whole body of at most so many bytes, as it comes and unpacked: `gzip` is taken, too. What
/// would unpack to more is refused when it has come that far, however little it was.
pub async fn read_unpacked(
    headers: &HeaderMap,
    body: Incoming,
    most: usize,
) -> Result<Bytes, ApiError> {
    let encoding = headers
        .get(header::CONTENT_ENCODING)
        .map_or("identity", |encoding| encoding.to_str().unwrap_or("?"));
    let is_gzip = match encoding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => false,
        "gzip" | "x-gzip" => true,
        _ => {
            return Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "encoding_not_supported",
                "send the body as it is, or with Content-Encoding: gzip",
            ));
        }
    };
    let bytes = read_at_most(headers, body, most).await?;
    if !is_gzip {
        return Ok(bytes);
    }
    // Unpacking takes a processor for a while: not one that answers other requests.
    tokio::task::spawn_blocking(move || unpack(&bytes, most))
        .await
        .map_err(|error| ApiError::internal(&error))?
}

fn unpack(packed: &[u8], most: usize) -> Result<Bytes, ApiError> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    flate2::read::MultiGzDecoder::new(packed)
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| ApiError::malformed(format!("the body is not gzip: {error}")))?;
    if bytes.len() > most {
        return Err(too_large(most));
    }
    Ok(bytes.into())
}

fn too_large(most: usize) -> ApiError {
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        format!("the body may hold at most {most} bytes"),
    )
}

async fn collect(body: Incoming, announced: usize, most: usize) -> Result<Bytes, ApiError> {
    let mut frames = body.into_data_stream();
    let mut bytes = Vec::with_capacity(announced.min(most));
    let mut n_bytes = announced;
    let mut n_read = 0;
    while n_bytes <= most
        && let Some(frame) = frames.next().await
    {
        let frame =
            frame.map_err(|_| ApiError::malformed("the body could not be read to its end"))?;
        n_read += frame.len();
        n_bytes = n_bytes.max(n_read);
        if n_bytes <= most {
            bytes.extend_from_slice(&frame);
        }
    }
    if n_bytes <= most {
        return Ok(bytes.into());
    }
    drop(bytes);
    while n_read < MOST_DISCARDED
        && let Some(Ok(frame)) = frames.next().await
    {
        n_read += frame.len();
    }
    Err(too_large(most))
}

/// A JSON body, whatever content type it was sent as. Nothing is known of its shape yet, but no
/// string in it holds a NUL character, which Postgres cannot keep.
pub struct JsonBody(pub Value);

impl FromRequest<AppState> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &AppState) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let bytes = read(&parts.headers, body).await?;
        parse(&bytes).map(Self)
    }
}

/// What a request submits, read field by field so that everything wrong is found at once.
pub trait Submitted: Sized {
    /// Reads it.
    fn parse(fields: Fields) -> Result<Self, Vec<FieldError>>;
}

/// A JSON body of a known shape.
pub struct Body<T>(pub T);

impl<T: Submitted> FromRequest<AppState> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        let JsonBody(body) = JsonBody::from_request(request, state).await?;
        T::parse(Fields::new("", body))
            .map(Self)
            .map_err(|errors| ApiError::invalid(&errors))
    }
}

/// A JSON body of a known shape none of whose members must be there: an empty body is one too.
pub struct MaybeBody<T>(pub T);

impl<T: Submitted> FromRequest<AppState> for MaybeBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &AppState) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let bytes = read(&parts.headers, body).await?;
        let body = if bytes.is_empty() {
            Value::Object(serde_json::Map::new())
        } else {
            parse(&bytes)?
        };
        T::parse(Fields::new("", body))
            .map(Self)
            .map_err(|errors| ApiError::invalid(&errors))
    }
}

/// Ends the reading of something made of parts that must be there, and were when nothing was refused.
pub fn built<T>(fields: Fields, build: impl FnOnce() -> Option<T>) -> Result<T, Vec<FieldError>> {
    fields
        .finish(build)?
        .ok_or_else(|| vec![FieldError::new("body", "is not complete")])
}

/// Notes why a member was refused, if it was.
pub fn checked<T, E: Display>(fields: &mut Fields, name: &str, read: Result<T, E>) -> Option<T> {
    read.map_err(|message| fields.refuse(name, message.to_string()))
        .ok()
}

/// One of a few words that may be missing.
pub fn word<T: FromStr<Err: Display>>(fields: &mut Fields, name: &str) -> Option<T> {
    let word = fields.text(name)?.parse();
    checked(fields, name, word)
}

/// A version's number that may be missing.
pub fn number(fields: &mut Fields, name: &str) -> Option<i32> {
    let number = i32::try_from(fields.integer(name)?);
    checked(
        fields,
        name,
        number.map_err(|_| "is the number of no version"),
    )
}

/// An id that may be missing.
pub fn id<T: FromStr>(fields: &mut Fields, name: &str) -> Option<T> {
    let id = fields.text(name)?.parse::<T>();
    checked(
        fields,
        name,
        id.map_err(|_| "must be an id as the API gives it"),
    )
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
