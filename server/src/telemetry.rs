//! Logs, figures and health: what operators look at. Never prompts' contents, keys or addresses of people.

use std::any::Any;

use axum::{
    Json, Router,
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Response, StatusCode},
    middleware::Next,
    response::IntoResponse,
    routing::get,
};
use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde_json::json;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};
use uuid::Uuid;

use crate::{
    api::error::ApiError,
    config::{Config, LogFormat},
    state::AppState,
};

/// The header in which every answer names its request, for the one who reports a fault.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The request's id, for pages that show it.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Starts logging; once in a process.
pub fn start_logging(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log)?;
    let registry = tracing_subscriber::registry().with(filter);
    let writer = std::io::stderr;
    match config.log_format {
        LogFormat::Text => {
            registry
                .with(
                    tracing_subscriber::fmt::layer()
                        .with_writer(writer)
                        .with_target(false),
                )
                .try_init()?;
        }
        LogFormat::Json => {
            registry
                .with(
                    tracing_subscriber::fmt::layer()
                        .json()
                        .flatten_event(true)
                        .with_writer(writer),
                )
                .try_init()?;
        }
    }
    Ok(())
}

/// Collects figures for `/metrics`. A second call in a process (tests) gets its own collection.
pub fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(
            Matcher::Suffix("_seconds".to_owned()),
            &[
                0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
            ],
        )?
        .build_recorder();
    let handle = recorder.handle();
    // Only the first recorder of a process can be the global one.
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::debug!("figures are collected by an earlier recorder");
    }
    Ok(handle)
}

/// Gives every request an id, a span and a log line.
pub async fn observe(mut request: Request, next: Next) -> Response<Body> {
    let id = Uuid::now_v7().simple().to_string();
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let span = tracing::info_span!("request", request.id = %id, http.method = %method, http.route = %route);
    async move {
        let start = tokio::time::Instant::now();
        let mut response = next.run(request).await;
        let elapsed = start.elapsed();
        let status = response.status();
        histogram!("cueline_request_seconds", "route" => route.clone(), "method" => method.to_string())
            .record(elapsed.as_secs_f64());
        counter!("cueline_requests_total", "route" => route, "status" => status.as_str().to_owned()).increment(1);
        if status.is_server_error() {
            tracing::error!(http.status = status.as_u16(), duration_ms = elapsed.as_millis(), "request failed");
        } else {
            tracing::debug!(http.status = status.as_u16(), duration_ms = elapsed.as_millis(), "request answered");
        }
        if let Ok(id) = HeaderValue::try_from(id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }
    .instrument(span)
    .await
}

type PanicHandler = fn(Box<dyn Any + Send + 'static>) -> Response<Body>;

/// A panic is a mistake of ours: it is logged and answered, and the server goes on.
#[must_use]
pub fn catch_panics() -> CatchPanicLayer<PanicHandler> {
    CatchPanicLayer::custom(answer_panic as PanicHandler)
}

fn answer_panic(panic: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("nothing");
    tracing::error!(panic = said, "a request panicked");
    counter!("cueline_panics_total").increment(1);
    ApiError::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "something went wrong here; it was logged",
    )
    .into_response()
}

/// Health and figures.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(figures))
}

/// The process runs.
async fn healthz() -> &'static str {
    "ok\n"
}

/// The database answers, its schema is this binary's, and changes are being heard.
async fn readyz(State(state): State<AppState>) -> impl IntoResponse {
    let database = state.store.ping().await.is_ok();
    let migrations = database && state.store.is_migrated().await.unwrap_or(false);
    let listener = !state.serving.is_stale();
    let status = if database && migrations && listener {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(json!({ "database": database, "migrations": migrations, "listener": listener })),
    )
}

async fn figures(State(state): State<AppState>) -> String {
    gauge!("cueline_streams_open").set(f64::from(
        u32::try_from(state.queues.n_open()).unwrap_or(u32::MAX),
    ));
    gauge!("cueline_snapshot_stale").set(if state.serving.is_stale() { 1.0 } else { 0.0 });
    state.metrics.run_upkeep();
    state.metrics.render()
}
