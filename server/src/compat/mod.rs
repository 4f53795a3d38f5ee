//! Doors for clients that were not written for Cueline: each speaks its own protocol and calls the
//! same store functions as `api`, so none is more permissive.

mod otlp;

use axum::Router;

use crate::state::AppState;

/// All of them: keys only, no session, no layers in between.
pub fn router() -> Router<AppState> {
    otlp::router()
}
