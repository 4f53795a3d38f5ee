//! OTLP over HTTP: `POST /v1/traces`. Spans of model calls become generation events and are taken
//! in like those of `/api/v1/events`: on disk before the answer, once however often they are sent.
//! Spans that are not calls of a named prompt pass through unkept: exporters send whole traces.

mod parts;
mod span;
mod wire;

use std::fmt::Write as _;

use axum::{
    Router, body::Body as Incoming, extract::State, http::HeaderMap, response::Response,
    routing::post,
};
use domain::{
    actor::{Actor, Permission},
    monitor::{Event, MAX_EVENTS},
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use store::events;
use tokio::sync::Semaphore;

use crate::{
    api::{
        auth::KeyCaller,
        body::read_unpacked,
        error::{ApiError, Result, method_not_allowed},
        events::note_results,
    },
    state::AppState,
};
use span::Read;
use wire::Encoding;

/// Most bytes of a request, as sent and unpacked: an exporter's batch is a tenth of it.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// So many requests are read at once: unpacked, each is many times its size on the wire.
static READING: Semaphore = Semaphore::const_new(4);
/// So many reasons are told; the rest is counted.
const MAX_REASONS: usize = 5;

/// `/v1/traces`.
pub fn router() -> Router<AppState> {
    Router::new().route("/v1/traces", post(export).fallback(method_not_allowed))
}

async fn export(
    State(state): State<AppState>,
    caller: Result<KeyCaller>,
    headers: HeaderMap,
    body: Incoming,
) -> Response {
    let encoding = match Encoding::of(&headers) {
        Ok(encoding) => encoding,
        Err(error) => return Encoding::Json.refuse(&error),
    };
    let done = async {
        let KeyCaller(actor) = caller?;
        actor.may(Permission::WriteEvents)?;
        let bytes = read_unpacked(&headers, body, MAX_BYTES).await?;
        // Never closed: there is always a turn.
        let _turn = READING.acquire().await.ok();
        take_in(&state, &actor, encoding.read(&bytes)?).await
    };
    match done.await {
        Ok(report) => encoding.answer(report.rejected, &report.words),
        Err(error) => encoding.refuse(&error),
    }
}

/// What is told of a request.
#[derive(Default)]
struct Report {
    /// Spans that are calls and were not kept.
    rejected: usize,
    /// Why, or what the sender might want to know.
    words: String,
}

async fn take_in(
    state: &AppState,
    actor: &Actor,
    request: ExportTraceServiceRequest,
) -> Result<Report> {
    let now = state.clock.now();
    let mut calls: Vec<(usize, Event)> = Vec::new();
    let mut reasons: Vec<String> = Vec::new();
    let mut n_nameless = 0_usize;
    for spans in &request.resource_spans {
        let resource = spans
            .resource
            .as_ref()
            .map_or(&[][..], |resource| &resource.attributes[..]);
        for span in spans.scope_spans.iter().flat_map(|scope| &scope.spans) {
            match span::read(span, resource, now) {
                Ok(Read::Call(event)) => calls.push((calls.len(), *event)),
                Ok(Read::Nameless) => n_nameless += 1,
                Ok(Read::Other) => {}
                Err(reason) => reasons.push(reason.0),
            }
        }
    }
    let mut n_accepted = 0;
    let mut n_duplicates = 0;
    for batch in calls.chunks(MAX_EVENTS) {
        let done = events::ingest(&state.store, actor, batch, now)
            .await
            .map_err(ApiError::from)?;
        n_accepted += done.accepted;
        n_duplicates += done.duplicates;
        reasons.extend(done.rejected.into_iter().map(|one| one.reason));
    }
    note_results(state, n_accepted, n_duplicates, reasons.len());
    Ok(Report {
        rejected: reasons.len(),
        words: words(&reasons, n_nameless),
    })
}

/// What is wrong, told once for all spans of which it is true.
fn words(reasons: &[String], n_nameless: usize) -> String {
    let mut words = String::new();
    let mut told: Vec<&str> = Vec::new();
    for reason in reasons {
        if told.len() < MAX_REASONS && !told.contains(&reason.as_str()) {
            told.push(reason);
        }
    }
    words.push_str(&told.join("; "));
    if reasons.len() > told.len() && !told.is_empty() {
        let _ = write!(words, " ({} spans altogether)", reasons.len());
    }
    if n_nameless > 0 {
        if !words.is_empty() {
            words.push_str("; ");
        }
        let _ = write!(
            words,
            "{n_nameless} spans of model calls name no prompt and were not counted: set gen_ai.prompt.name"
        );
    }
    words
}
