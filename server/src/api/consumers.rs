//! Applications that hold a stream open right now.

use axum::{Json, extract::State};
use domain::{page::Listing, release::Consumer};

use super::{
    auth::Caller,
    error::Result,
    params::{Part, Query},
};
use crate::state::AppState;

/// Connected clients, by environment and name; at most 1,000.
#[utoipa::path(get, path = "/consumers", tag = "releases", params(Part),
    responses((status = 200, description = "who is connected", body = Listing<Consumer>)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Query(part): Query<Part>,
) -> Result<Json<Listing<Consumer>>> {
    let consumers = store::consumers::connected(&state.store, &actor, state.clock.now()).await?;
    part.slice(consumers, |one| {
        format!("{}/{}", one.environment, one.consumer)
    })
}
