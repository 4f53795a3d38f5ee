//! Webhooks, for admins: an address may hold a token. The secret that signs is in one answer, the
//! one to the request that made it.

use app::context::Models;
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::IntoResponse,
};
use domain::{
    field::{FieldError, Fields},
    id::{DeliveryId, WebhookId},
    page::Listing,
    webhook::{Delivery, NewWebhook, Webhook},
};
use serde::Serialize;
use store::{secret::Secret, webhooks};
use utoipa::ToSchema;

use super::{
    auth::Caller,
    body::{Body, Submitted},
    error::{ApiError, Result},
    idempotency,
    params::{FromPath, Part, Query},
    versions::Paging,
};
use crate::state::AppState;

impl Submitted for NewWebhook {
    fn parse(fields: Fields) -> Result<Self, Vec<FieldError>> {
        Self::parse(fields)
    }
}

/// The project's webhooks by name.
#[utoipa::path(get, path = "/webhooks", tag = "alerts", params(Part),
    responses((status = 200, description = "all of them, without their secrets", body = Listing<Webhook>)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Query(part): Query<Part>,
) -> Result<Json<Listing<Webhook>>> {
    let webhooks = webhooks::list(&state.store, &actor).await?;
    part.slice(webhooks, |one| one.id.to_string())
}

/// A webhook with its secret.
#[derive(Serialize, ToSchema)]
pub struct Made {
    #[serde(flatten)]
    webhook: Webhook,
    /// What `X-Cueline-Signature: t=<unix>,v1=<hex>` is made with: HMAC-SHA256 over `<t>.<body>`.
    /// Shown only now; null when the request is repeated.
    secret: Option<String>,
}

/// Adds a webhook. Deliveries are signed, carry their id in `X-Cueline-Delivery`, and are tried for a
/// day; a receiver has 10 seconds to answer with 2xx.
#[utoipa::path(post, path = "/webhooks", tag = "alerts", request_body = NewWebhook,
    responses(
        (status = 201, description = "the secret, this once", body = Made),
        (status = 409, description = "`webhook_exists`, `too_many_webhooks`"),
        (status = 422, description = "also when the server has no `CUELINE_SECRET_KEY` to seal the secret with"),
    ))]
pub async fn create(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Body(new): Body<NewWebhook>,
) -> Result<impl IntoResponse> {
    let secret = Secret::new_signing().map_err(|error| ApiError::internal(&error))?;
    let seal = |id: WebhookId| sealed(&state, id, &secret);
    let now = state.clock.now();
    let webhook = webhooks::create(&state.store, &actor, &new, &seal, now).await?;
    let location = format!("/api/v1/webhooks/{}", webhook.id);
    let mut made = Made {
        webhook,
        secret: None,
    };
    let without_secret = idempotency::Instead::of(&made);
    made.secret = Some(secret.reveal().to_owned());
    Ok((
        StatusCode::CREATED,
        [(LOCATION, location)],
        without_secret,
        Json(made),
    ))
}

fn sealed(state: &AppState, id: WebhookId, secret: &Secret) -> store::Result<Vec<u8>> {
    let sealed = state.doors.seal_webhook(id, secret.reveal());
    sealed.map_err(|words| store::Error::invalid("secret", words))
}

/// Changes all of a webhook but its secret.
#[utoipa::path(put, path = "/webhooks/{id}", tag = "alerts", request_body = NewWebhook,
    params(("id" = String, Path, description = "the webhook")),
    responses(
        (status = 200, description = "as it is now", body = Webhook),
        (status = 409, description = "`webhook_exists`"),
    ))]
pub async fn change(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<WebhookId>,
    Body(new): Body<NewWebhook>,
) -> Result<Json<Webhook>> {
    let now = state.clock.now();
    Ok(Json(
        webhooks::change(&state.store, &actor, id, &new, now).await?,
    ))
}

/// Gives a webhook another secret. What is sent from now on is signed with it.
#[utoipa::path(post, path = "/webhooks/{id}/secret", tag = "alerts",
    params(("id" = String, Path, description = "the webhook")),
    responses((status = 200, description = "the new secret, this once", body = Made)))]
pub async fn renew_secret(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<WebhookId>,
) -> Result<impl IntoResponse> {
    let secret = Secret::new_signing().map_err(|error| ApiError::internal(&error))?;
    let seal = |id: WebhookId| sealed(&state, id, &secret);
    let now = state.clock.now();
    let webhook = webhooks::renew_secret(&state.store, &actor, id, &seal, now).await?;
    let mut made = Made {
        webhook,
        secret: None,
    };
    let without_secret = idempotency::Instead::of(&made);
    made.secret = Some(secret.reveal().to_owned());
    Ok((without_secret, Json(made)))
}

/// Takes a webhook away; what waits for it is given up.
#[utoipa::path(delete, path = "/webhooks/{id}", tag = "alerts",
    params(("id" = String, Path, description = "the webhook")),
    responses((status = 204, description = "it hears nothing more")))]
pub async fn remove(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<WebhookId>,
) -> Result<StatusCode> {
    let now = state.clock.now();
    webhooks::remove(&state.store, &actor, id, now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A delivery that was queued.
#[derive(Serialize, ToSchema)]
pub struct Queued {
    /// The delivery; what became of it is in the log.
    delivery_id: DeliveryId,
}

/// Sends a delivery that says nothing, to see whether it arrives.
#[utoipa::path(post, path = "/webhooks/{id}/test", tag = "alerts",
    params(("id" = String, Path, description = "the webhook")),
    responses(
        (status = 202, description = "it is sent", body = Queued),
        (status = 409, description = "`webhook_off`: turn it on first"),
    ))]
pub async fn test(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<WebhookId>,
) -> Result<(StatusCode, Json<Queued>)> {
    let now = state.clock.now();
    let delivery_id = webhooks::test(&state.store, &actor, id, now).await?;
    Ok((StatusCode::ACCEPTED, Json(Queued { delivery_id })))
}

/// What a webhook was told, newest first, with every attempt.
#[utoipa::path(get, path = "/webhooks/{id}/deliveries", tag = "alerts",
    params(("id" = String, Path, description = "the webhook"), Paging),
    responses((status = 200, description = "a page", body = Listing<Delivery>)))]
pub async fn deliveries(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<WebhookId>,
    Query(paging): Query<Paging>,
) -> Result<Json<Listing<Delivery>>> {
    let page = paging.read()?;
    Ok(Json(
        webhooks::deliveries(&state.store, &actor, id, &page).await?,
    ))
}

/// Tells the same once more, as a delivery of its own.
#[utoipa::path(post, path = "/webhooks/{id}/deliveries/{delivery}/redeliver", tag = "alerts",
    params(
        ("id" = String, Path, description = "the webhook"),
        ("delivery" = String, Path, description = "the delivery"),
    ),
    responses(
        (status = 202, description = "it is sent", body = Queued),
        (status = 409, description = "`delivery_waiting`: it is still tried; `webhook_off`"),
    ))]
pub async fn redeliver(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<WebhookId>,
    FromPath(delivery): FromPath<DeliveryId>,
) -> Result<(StatusCode, Json<Queued>)> {
    let now = state.clock.now();
    let delivery_id = webhooks::redeliver(&state.store, &actor, id, delivery, now).await?;
    Ok((StatusCode::ACCEPTED, Json(Queued { delivery_id })))
}
