//! Where models answer. A key goes in and never comes out.

use app::context::Models;
use axum::{Json, extract::State, http::StatusCode};
use domain::{
    field::{FieldError, Fields},
    id::ProviderId,
    page::Listing,
    provider::{NewProvider, Provider},
};

use super::{
    auth::Caller,
    body::{Body, Submitted},
    error::Result,
    params::{Part, Query},
};
use crate::state::AppState;

impl Submitted for NewProvider {
    fn parse(fields: Fields) -> Result<Self, Vec<FieldError>> {
        Self::parse(fields)
    }
}

/// The project's providers by name.
#[utoipa::path(get, path = "/providers", tag = "evals", params(Part),
    responses((status = 200, description = "all of them", body = Listing<Provider>)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Query(part): Query<Part>,
) -> Result<Json<Listing<Provider>>> {
    let providers = store::providers::list(&state.store, &actor).await?;
    part.slice(providers, |one| one.name.clone())
}

/// Adds a provider, or changes the one of that name. A key that is left out stays, as long as the
/// address does.
#[utoipa::path(post, path = "/providers", tag = "evals", request_body = NewProvider,
    responses(
        (status = 201, description = "as it is kept", body = Provider),
        (status = 409, description = "`too_many_providers`"),
        (status = 422, description = "also when a key is given and the server has no `CUELINE_SECRET_KEY` to seal it with"),
    ))]
pub async fn save(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Body(new): Body<NewProvider>,
) -> Result<(StatusCode, Json<Provider>)> {
    let seal = |id: ProviderId, key: &str| {
        let sealed = state.doors.seal(id, key);
        sealed.map_err(|words| store::Error::invalid("api_key", words))
    };
    let now = state.clock.now();
    let provider = store::providers::save(&state.store, &actor, &new, &seal, now).await?;
    Ok((StatusCode::CREATED, Json(provider)))
}
