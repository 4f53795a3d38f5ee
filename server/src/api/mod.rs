//! `/api/v1`: what SDKs, scripts and the command line call. All routes are on this screen, and
//! the description at `/api/openapi.json` is generated from them.

pub mod auth;
pub mod body;
pub mod error;
mod resolve;
mod stream;

use axum::Router;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::state::AppState;

/// What applications call on every request: keys only, from memory, no layers in between.
pub fn data_plane() -> Router<AppState> {
    data_plane_routes().split_for_parts().0
}

fn data_plane_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().nest(
        "/api/v1",
        OpenApiRouter::new()
            .routes(routes!(resolve::resolve))
            .routes(routes!(resolve::render))
            .routes(routes!(stream::stream))
            .routes(routes!(stream::ack)),
    )
}

/// What people and scripts call: keys or sessions.
pub fn control_plane() -> Router<AppState> {
    Router::new()
}
