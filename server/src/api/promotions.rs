//! Requests to serve a version.

use axum::{Json, extract::State, http::StatusCode};
use domain::{
    field::{FieldError, Fields},
    id::DeploymentId,
    page::Listing,
    prompt::PromptName,
    release::Promotion,
};
use store::releases::Release;
use utoipa::ToSchema;

use super::{
    auth::Caller,
    body::{Body, Submitted, built, id, number},
    error::Result,
    params::{FromPath, Query},
    prompts, releases,
    versions::Paging,
};
use crate::state::AppState;

/// A prompt's promotions, newest first.
#[utoipa::path(get, path = "/prompts/{name}/promotions", tag = "releases",
    params(("name" = String, Path, description = "the prompt; `/` as %2F"), Paging),
    responses((status = 200, description = "a page", body = Listing<Promotion>)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(name): FromPath<PromptName>,
    Query(paging): Query<Paging>,
) -> Result<Json<Listing<Promotion>>> {
    let page = paging.read()?;
    let promotions = store::promotions::list(&state.store, &actor, &name, &page).await?;
    if promotions.items.is_empty() {
        prompts::find(&state, &actor, &name).await?;
    }
    Ok(Json(promotions))
}

/// What is to serve where, and why.
#[derive(ToSchema)]
pub struct NewPromotion {
    /// The environment.
    environment: String,
    /// The version.
    version: i32,
    /// Why, for the audit trail and for those who approve.
    #[schema(required = false)]
    reason: String,
    /// The deployment that is to be replaced: when something else serves by now, that is a conflict.
    expected_deployment: Option<DeploymentId>,
}

impl Submitted for NewPromotion {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let environment = fields.required_text("environment");
        fields.require("version");
        let version = number(&mut fields, "version");
        let reason = fields.text("reason").unwrap_or_default();
        let expected_deployment = id(&mut fields, "expected_deployment");
        built(fields, || {
            Some(Self {
                environment,
                version: version?,
                reason,
                expected_deployment,
            })
        })
    }
}

/// Requests that a version serve an environment; executes at once where nothing is asked for.
#[utoipa::path(post, path = "/prompts/{name}/promotions", tag = "releases", request_body = NewPromotion,
    params(("name" = String, Path, description = "the prompt; `/` as %2F")),
    responses(
        (status = 201, description = "`executed`, or what is still missing", body = Promotion),
        (status = 403, description = "`environment_protected` names the role or scope that is missing"),
        (status = 409, description = "`already_serving` or `overtaken`"),
    ))]
pub async fn create(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(name): FromPath<PromptName>,
    Body(new): Body<NewPromotion>,
) -> Result<(StatusCode, Json<Promotion>)> {
    let release = Release {
        prompt: &name,
        environment: &new.environment,
        reason: &new.reason,
        seen: releases::seen(new.expected_deployment),
    };
    let now = state.clock.now();
    let promotion =
        store::promotions::request(&state.store, &actor, &release, new.version, now).await?;
    Ok((StatusCode::CREATED, Json(promotion)))
}
