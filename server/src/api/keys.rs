//! API keys. The key itself is in one answer, the one to the request that made it.

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use domain::{
    actor::Scope,
    field::{FieldError, Fields},
    id::KeyId,
    page::Listing,
    project::ApiKey,
};
use serde::Serialize;
use store::{keys::NewKey, secret::Secret};
use utoipa::ToSchema;

use super::{
    auth::Caller,
    body::{Body, Submitted, checked},
    error::{ApiError, Result},
    idempotency,
    params::{FromPath, Part, Query},
};
use crate::state::AppState;

/// The project's keys, newest first, revoked ones last.
#[utoipa::path(get, path = "/keys", tag = "people", params(Part),
    responses((status = 200, description = "all of them, without the keys themselves", body = Listing<ApiKey>)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Query(part): Query<Part>,
) -> Result<Json<Listing<ApiKey>>> {
    let keys = store::keys::list(&state.store, &actor).await?;
    part.slice(keys, |one| one.id.to_string())
}

/// A key to make.
#[derive(ToSchema)]
pub struct WantedKey {
    /// What it is for.
    name: String,
    /// What it may be used for.
    scopes: Vec<Scope>,
    /// The only environments it may touch; left out: all.
    environments: Option<Vec<String>>,
}

impl Submitted for WantedKey {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let name = fields.required_text("name");
        fields.require("scopes");
        let words = fields.texts("scopes").unwrap_or_default();
        let mut scopes: Vec<Scope> = Vec::new();
        for (index, word) in words.iter().enumerate() {
            match checked(&mut fields, &format!("scopes[{index}]"), word.parse()) {
                Some(scope) if !scopes.contains(&scope) => scopes.push(scope),
                Some(_) | None => {}
            }
        }
        let environments = fields.texts("environments");
        fields.finish(|| Self {
            name,
            scopes,
            environments,
        })
    }
}

/// A key that was made.
#[derive(Serialize, ToSchema)]
pub struct Made {
    /// As lists show it.
    #[serde(flatten)]
    described: ApiKey,
    /// The key itself. Shown only now; null when the request is repeated.
    key: Option<String>,
}

/// Makes a key.
#[utoipa::path(post, path = "/keys", tag = "people", request_body = WantedKey,
    responses((status = 201, description = "the key, this once", body = Made)))]
pub async fn create(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Body(wanted): Body<WantedKey>,
) -> Result<impl IntoResponse> {
    let secret = Secret::new_key().map_err(|error| ApiError::internal(&error))?;
    let new = NewKey {
        name: wanted.name,
        scopes: wanted.scopes,
        environments: wanted.environments,
    };
    let now = state.clock.now();
    let described = store::keys::create(&state.store, &actor, new, &secret, now).await?;
    let mut made = Made {
        described,
        key: None,
    };
    let without_key = idempotency::Instead::of(&made);
    made.key = Some(secret.reveal().to_owned());
    Ok((StatusCode::CREATED, without_key, Json(made)))
}

/// Ends a key; every server refuses it within a second.
#[utoipa::path(delete, path = "/keys/{id}", tag = "people",
    params(("id" = KeyId, Path, description = "the key")),
    responses((status = 204, description = "it no longer works")))]
pub async fn revoke(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<KeyId>,
) -> Result<StatusCode> {
    let now = state.clock.now();
    store::keys::revoke(&state.store, &actor, id, now).await?;
    Ok(StatusCode::NO_CONTENT)
}
