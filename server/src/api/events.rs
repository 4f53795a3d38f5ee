//! Events from applications: exposures, outcomes, calls of models, feedback. A request is answered
//! when what it brought is on disk, and a bad row takes no other along.

use axum::{
    Json,
    body::Body as Incoming,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use chrono::{DateTime, Utc};
use domain::{
    actor::Permission,
    monitor::{Event, MAX_BYTES, Malformed, rows},
};
use serde::Serialize;
use serde_json::Value;
use store::events::{self, Rejected};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    auth::KeyCaller,
    body::read_unpacked,
    error::{ApiError, Result},
};
use crate::state::AppState;

/// One event. Which members it needs depends on its type; all but `id` and `type` may be null.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "rows are read one by one in `domain::monitor`; this describes them"
)]
pub struct EventBody {
    /// Names the event: sent again, it counts once.
    id: Uuid,
    /// `exposure`, `outcome`, `generation` or `feedback`.
    r#type: String,
    /// When it happened, at most 7 days ago; on arrival when left out.
    at: Option<DateTime<Utc>>,
    /// The prompt; required where no experiment is named.
    prompt: Option<String>,
    /// The version's number.
    version: Option<i32>,
    /// The environment.
    environment: Option<String>,
    /// The user, conversation or request; required for exposures and outcomes.
    unit: Option<String>,
    /// The experiment.
    experiment: Option<Uuid>,
    /// The arm's name; required for an experiment's exposures.
    arm: Option<String>,
    /// What was measured; required for outcomes.
    metric: Option<String>,
    /// The measurement; 0 or 1 for a primary metric. Required for outcomes and feedback.
    value: Option<f64>,
    /// Until the last token.
    latency_ms: Option<f64>,
    /// Until the first token.
    ttft_ms: Option<f64>,
    /// Tokens read, those from and to the provider's cache among them.
    input_tokens: Option<i64>,
    /// Tokens written.
    output_tokens: Option<i64>,
    /// Tokens read from the provider's cache.
    cache_read_tokens: Option<i64>,
    /// Tokens written to the provider's cache.
    cache_write_tokens: Option<i64>,
    /// US dollars.
    cost_usd: Option<f64>,
    /// The model that answered.
    model: Option<String>,
    /// Why the call failed.
    error: Option<String>,
    /// What the prompt was filled with.
    #[schema(value_type = Option<Object>)]
    variables: Option<Value>,
    /// What the model wrote.
    output: Option<String>,
}

/// What became of the events.
#[derive(Serialize, ToSchema)]
pub struct Report {
    /// Events that are kept now.
    accepted: usize,
    /// Events that were there already.
    duplicates: usize,
    /// Events that were not taken, and why.
    #[schema(value_type = Vec<RejectedEvent>)]
    rejected: Vec<Rejected>,
}

/// An event that was not taken.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the store answers")]
pub struct RejectedEvent {
    /// Its place in the request, from 0.
    index: usize,
    /// Why, in words.
    reason: String,
}

/// Takes events in: a JSON array or one object a line, at most 5 MB and 10,000 events. The body may
/// come with `Content-Encoding: gzip`.
#[utoipa::path(
    post,
    path = "/api/v1/events",
    tag = "data plane",
    request_body(content((Vec<EventBody> = "application/json"), (String = "application/x-ndjson"))),
    responses(
        (status = 202, description = "on disk; ids make retries count once", body = Report),
        (status = 413, description = "too many bytes or events; nothing was taken"),
    ),
)]
pub async fn report(
    State(state): State<AppState>,
    KeyCaller(actor): KeyCaller,
    headers: HeaderMap,
    body: Incoming,
) -> Result<(StatusCode, Json<Report>)> {
    actor.may(Permission::WriteEvents)?;
    let bytes = read_unpacked(&headers, body, MAX_BYTES).await?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let at = error.valid_up_to();
        ApiError::malformed(format!("the body is not UTF-8: byte {at} is wrong"))
    })?;
    let now = state.clock.now();
    let mut well_formed = Vec::new();
    let mut rejected = Vec::new();
    for (index, row) in rows(text)?.into_iter().enumerate() {
        match Event::parse(row, now) {
            Ok(event) => well_formed.push((index, event)),
            Err(reason) => rejected.push(Rejected {
                index,
                reason: reason.0,
            }),
        }
    }
    let done = events::ingest(&state.store, &actor, &well_formed, now).await?;
    rejected.extend(done.rejected);
    rejected.sort_unstable_by_key(|one| one.index);
    note_results(&state, done.accepted, done.duplicates, rejected.len());
    let report = Report {
        accepted: done.accepted,
        duplicates: done.duplicates,
        rejected,
    };
    Ok((StatusCode::ACCEPTED, Json(report)))
}

/// Counts what became of events, through whichever door they came, and rings for the roll-up.
pub fn note_results(state: &AppState, n_accepted: usize, n_duplicates: usize, n_rejected: usize) {
    if n_accepted > 0 {
        state.live.events.notify_one();
    }
    for (what, n) in [
        ("accepted", n_accepted),
        ("duplicate", n_duplicates),
        ("rejected", n_rejected),
    ] {
        let n = u64::try_from(n).unwrap_or_default();
        metrics::counter!("cueline_events_total", "result" => what).increment(n);
    }
}

impl From<Malformed> for ApiError {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::TooMany => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                malformed.to_string(),
            ),
            Malformed::Empty | Malformed::Unended | Malformed::Trailing | Malformed::Gap(_) => {
                Self::malformed(malformed.to_string())
            }
        }
    }
}
