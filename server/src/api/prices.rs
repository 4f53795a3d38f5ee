//! What tokens cost, as the project sees it. Rows are added and never changed.

use axum::{Json, extract::State, http::StatusCode};
use domain::{
    cost::{KnownPrice, Price},
    field::{FieldError, Fields},
    page::Listing,
};

use super::{
    auth::Caller,
    body::{Body, Submitted},
    error::Result,
    params::{Part, Query},
};
use crate::state::AppState;

impl Submitted for Price {
    fn parse(fields: Fields) -> Result<Self, Vec<FieldError>> {
        Self::read(fields)
    }
}

/// All prices: what came with the server, and the project's own, which go before it.
#[utoipa::path(get, path = "/prices", tag = "costs", params(Part),
    responses((status = 200, description = "all of them, by provider and model, the newest of each first", body = Listing<KnownPrice>)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Query(part): Query<Part>,
) -> Result<Json<Listing<KnownPrice>>> {
    let prices = store::prices::list(&state.store, &actor).await?;
    part.slice(prices, |one| {
        let price = &one.price;
        let from = price.valid_from;
        format!("{} {} {from} {}", price.provider, price.model, one.is_own)
    })
}

/// Adds a price of the project's own, from a moment on.
#[utoipa::path(post, path = "/prices", tag = "costs", request_body = Price,
    responses(
        (status = 201, description = "as it is kept", body = KnownPrice),
        (status = 409, description = "`price_not_newest`: the project has a row of this model that holds from then or later; or `too_many_prices`"),
    ))]
pub async fn add(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Body(new): Body<Price>,
) -> Result<(StatusCode, Json<KnownPrice>)> {
    let now = state.clock.now();
    let price = store::prices::add(&state.store, &actor, &new, now).await?;
    Ok((StatusCode::CREATED, Json(price)))
}
