//! `Idempotency-Key`: a mutation that is sent again gets the answer it got before and has no
//! second effect. Answers are kept for a day, without secrets.

use axum::{
    body::Body,
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponseParts, Response, ResponseParts},
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use store::idempotency::{self, Answer, Claim};
use tracing::Instrument;

use super::{
    auth::Caller,
    body,
    error::{ApiError, Result},
};
use crate::state::AppState;

/// The header that names a request.
pub const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Set on an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The longest key.
const MAX_KEY: usize = 255;
/// Headers that belong to an answer.
const KEPT: [HeaderName; 3] = [header::CONTENT_TYPE, header::LOCATION, header::ETAG];
/// The largest answer of a mutation: a version, its source and what the lint says.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// What is kept of an answer that shows a secret: the same without it. Secrets are shown once
/// and nowhere stored, here neither.
#[derive(Clone)]
pub struct Instead(Value);

impl Instead {
    /// The answer as it may be kept.
    pub fn of(answer: &impl Serialize) -> Self {
        Self(json!(answer))
    }
}

impl IntoResponseParts for Instead {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Self::Error> {
        parts.extensions_mut().insert(self);
        Ok(parts)
    }
}

/// Runs a mutation that names itself only once.
pub async fn once(State(state): State<AppState>, request: Request, next: Next) -> Result<Response> {
    let is_safe = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if is_safe || !request.headers().contains_key(KEY) {
        return Ok(next.run(request).await);
    }
    let key = read_key(request.headers())?;
    let (mut parts, incoming) = request.into_parts();
    let Caller(actor) = Caller::from_request_parts(&mut parts, &state).await?;
    let bytes = body::read(&parts.headers, incoming).await?;
    let id = actor.who.id().unwrap_or_default();
    let claimed = idempotency::Request {
        project: actor.project,
        actor: format!("{} {id}", actor.who.kind()),
        key,
        fingerprint: fingerprint(&parts.method, &parts.uri, &bytes),
    };
    match idempotency::claim(&state.store, &claimed, state.clock.now()).await? {
        Claim::Fresh => {}
        Claim::Answered(answer) => return Ok(replay(answer)),
        Claim::Running => {
            return Err(ApiError::later(
                StatusCode::CONFLICT,
                "idempotency_running",
                "the first request with this Idempotency-Key is still running",
                1,
            ));
        }
        Claim::Mismatch => {
            return Err(ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_mismatch",
                "this Idempotency-Key was used for another request",
            ));
        }
    }
    // The caller stays known: two reads of a session could differ.
    parts.extensions.insert(actor);
    let request = Request::from_parts(parts, Body::from(bytes));
    // A task of its own: when the client goes away half-way, what was begun is still finished
    // and its answer kept for the retry that follows.
    let task = async move { keep(&state, &claimed, next.run(request).await).await };
    tokio::spawn(task.in_current_span())
        .await
        .map_err(|error| ApiError::internal(&error))?
}

fn read_key(headers: &HeaderMap) -> Result<String> {
    headers
        .get(KEY)
        .and_then(|key| key.to_str().ok())
        .filter(|key| (1..=MAX_KEY).contains(&key.len()))
        .map(str::to_owned)
        .ok_or_else(|| {
            ApiError::invalid_field(
                KEY.as_str(),
                format!("must be 1 to {MAX_KEY} visible ASCII characters"),
            )
        })
}

fn fingerprint(method: &Method, uri: &axum::http::Uri, body: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in [method.as_str().as_bytes(), uri.to_string().as_bytes()] {
        hash.update(part);
        hash.update([0]);
    }
    hash.update(body);
    hash.finalize().to_vec()
}

/// Keeps what a retry is to get, or gives the key back when a retry may fare better.
async fn keep(
    state: &AppState,
    claimed: &idempotency::Request,
    response: Response,
) -> Result<Response> {
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, MAX_ANSWER)
        .await
        .map_err(|error| ApiError::internal(&error))?;
    let done = if is_final(parts.status) {
        let headers: Map<String, Value> = KEPT
            .iter()
            .filter_map(|name| {
                let value = parts.headers.get(name)?.to_str().ok()?;
                Some((name.to_string(), json!(value)))
            })
            .collect();
        let kept = match parts.extensions.get::<Instead>() {
            Some(Instead(value)) => value.to_string().into_bytes(),
            None => bytes.to_vec(),
        };
        let answer = Answer {
            status: i16::try_from(parts.status.as_u16()).unwrap_or_default(),
            headers: Value::Object(headers),
            body: kept,
        };
        idempotency::keep(&state.store, claimed, &answer).await
    } else {
        idempotency::release(&state.store, claimed).await
    };
    if let Err(error) = done {
        tracing::warn!(%error, "what became of an Idempotency-Key could not be written down");
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

/// Whether the same request would be answered the same way: not when we failed, and not when
/// it was turned away at the door.
fn is_final(status: StatusCode) -> bool {
    !status.is_server_error()
        && !matches!(
            status,
            StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
                | StatusCode::REQUEST_TIMEOUT
                | StatusCode::TOO_MANY_REQUESTS
        )
}

fn replay(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = u16::try_from(answer.status)
        .ok()
        .and_then(|status| StatusCode::from_u16(status).ok())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for name in KEPT {
        let value = answer.headers.get(name.as_str()).and_then(Value::as_str);
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
        .headers_mut()
        .insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
