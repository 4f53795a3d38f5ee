//! How Cueline runs. [`router`] puts the doors together: pages, API, compatibility, assets.

pub mod api;
pub mod assets;
mod assignment;
mod audit_csv;
pub mod cli;
mod compat;
pub mod config;
pub mod demo;
pub mod jobs;
pub mod live;
mod live_pages;
pub mod llm;
mod origin;
pub mod outgoing;
mod pages;
mod password;
pub mod postgres;
pub mod queue;
pub mod sign_in;
pub mod snapshot;
pub mod start;
pub mod state;
pub mod telemetry;

use axum::{Router, middleware};
use state::AppState;

/// Everything this server answers.
pub fn router(state: AppState) -> Router {
    let sessions = sign_in::sessions(state.store.clone(), state.clock.clone(), &state.config);
    // The data plane stays outside: it knows keys, not sessions, and every layer costs.
    let with_session = Router::new()
        .merge(pages::router(&state))
        .merge(sign_in::router())
        .merge(api::control_plane(&state))
        .layer(sessions)
        .layer(middleware::from_fn(origin::check))
        .layer(middleware::from_fn(telemetry::observe));
    Router::new()
        .merge(with_session)
        .merge(api::data_plane())
        .merge(compat::router())
        .merge(telemetry::router())
        .merge(assets::router())
        .fallback_service(pages::fallback(&state))
        .layer(telemetry::catch_panics())
        .with_state(state)
}
