//! The API's description, made of the routes themselves.

use std::sync::LazyLock;

use axum::{Json, Router, routing::get};
use utoipa::openapi::OpenApi;

use crate::state::AppState;

/// The description, for programs and for people.
pub fn router() -> Router<AppState> {
    Router::new().route("/api/openapi.json", get(document))
}

/// Everything under `/api/v1`.
static DESCRIPTION: LazyLock<OpenApi> = LazyLock::new(|| {
    super::data_plane_routes()
        .merge(super::control_plane_routes())
        .into_openapi()
});

async fn document() -> Json<OpenApi> {
    Json(DESCRIPTION.clone())
}
