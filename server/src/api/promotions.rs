//! Requests to serve a version.

use axum::{Json, extract::State, http::StatusCode};
use chrono::DateTime;
use domain::{
    field::{FieldError, Fields},
    id::{DeploymentId, ExperimentId, PromotionId},
    page::Listing,
    prompt::PromptName,
    release::{FullPromotion, Promotion},
};
use serde::Deserialize;
use store::{
    promotions::{self, At, Filter, Terms},
    releases::Release,
};
use utoipa::{IntoParams, ToSchema};

use super::{
    auth::Caller,
    body::{Body, MaybeBody, Submitted, built, id, number},
    error::{ApiError, Result},
    params::{FromPath, Query, present},
    prompts, releases,
    versions::Paging,
};
use crate::state::AppState;

/// A prompt's promotions, newest first.
#[utoipa::path(get, path = "/prompts/{name}/promotions", tag = "releases",
    params(("name" = String, Path, description = "the prompt; `/` as %2F"), Paging),
    responses((status = 200, description = "a page", body = Listing<Promotion>)))]
pub async fn of_prompt(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(name): FromPath<PromptName>,
    Query(paging): Query<Paging>,
) -> Result<Json<Listing<Promotion>>> {
    let page = paging.read()?;
    let filter = Filter {
        prompt: Some(&name),
        is_open: false,
    };
    let now = state.clock.now();
    let promotions = promotions::list(&state.store, &actor, filter, &page, now).await?;
    if promotions.items.is_empty() {
        prompts::find(&state, &actor, &name).await?;
    }
    Ok(Json(promotions))
}

/// Which promotions.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// `open` for those that wait for something or can be executed; all when left out.
    status: Option<String>,
    /// Rows on a page, 1 to 200; 50 when left out.
    limit: Option<String>,
    /// Where the page starts: an earlier page's `next_cursor`.
    cursor: Option<String>,
}

/// The project's promotions, newest first.
#[utoipa::path(get, path = "/promotions", tag = "releases", params(Wanted),
    responses((status = 200, description = "a page", body = Listing<Promotion>)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Listing<Promotion>>> {
    let page = Paging::of(wanted.limit, wanted.cursor).read()?;
    let is_open = match present(wanted.status.as_deref()) {
        None => false,
        Some("open") => true,
        Some(_) => return Err(ApiError::invalid_field("status", "must be `open`")),
    };
    let filter = Filter {
        prompt: None,
        is_open,
    };
    let now = state.clock.now();
    let promotions = promotions::list(&state.store, &actor, filter, &page, now).await?;
    Ok(Json(promotions))
}

/// One promotion with what it is decided on.
#[utoipa::path(get, path = "/promotions/{id}", tag = "releases",
    params(("id" = String, Path, description = "the promotion")),
    responses((status = 200, description = "the promotion", body = FullPromotion)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<PromotionId>,
) -> Result<Json<FullPromotion>> {
    let now = state.clock.now();
    let promotion = promotions::find(&state.store, &actor, id, now).await?;
    Ok(Json(promotion.ok_or(store::Error::NotFound("promotion"))?))
}

/// An approval.
#[derive(ToSchema)]
pub struct NewApproval {
    /// For those who read it later.
    #[schema(required = false)]
    comment: String,
    /// The `evidence_hash` of what was looked at: refused when the evidence is another by now.
    evidence: Option<String>,
}

impl Submitted for NewApproval {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let comment = fields.text("comment").unwrap_or_default();
        let evidence = fields.text("evidence").filter(|hash| !hash.is_empty());
        fields.finish(|| Self { comment, evidence })
    }
}

/// Approves. People only, and nobody what they wrote or asked for themselves.
#[utoipa::path(post, path = "/promotions/{id}/approve", tag = "releases", request_body = NewApproval,
    params(("id" = String, Path, description = "the promotion")),
    responses(
        (status = 200, description = "as it is now", body = FullPromotion),
        (status = 403, description = "`own_work`, `not_a_person` or `forbidden`"),
        (status = 409, description = "`promotion_over`, `approved_already` or `other_evidence`"),
    ))]
pub async fn approve(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<PromotionId>,
    MaybeBody(new): MaybeBody<NewApproval>,
) -> Result<Json<FullPromotion>> {
    let now = state.clock.now();
    let seen = new.evidence.as_deref();
    let promotion = promotions::approve(&state.store, &actor, id, &new.comment, seen, now).await?;
    Ok(Json(promotion))
}

/// Why.
#[derive(ToSchema)]
pub struct Why {
    /// For those who read it later.
    #[schema(required = false)]
    reason: String,
}

impl Submitted for Why {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let reason = fields.text("reason").unwrap_or_default();
        fields.finish(|| Self { reason })
    }
}

/// Rejects, with a reason.
#[utoipa::path(post, path = "/promotions/{id}/reject", tag = "releases", request_body = Why,
    params(("id" = String, Path, description = "the promotion")),
    responses(
        (status = 200, description = "as it is now", body = FullPromotion),
        (status = 403, description = "`own_work`, `not_a_person` or `forbidden`"),
        (status = 409, description = "`promotion_over`"),
    ))]
pub async fn reject(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<PromotionId>,
    MaybeBody(why): MaybeBody<Why>,
) -> Result<Json<FullPromotion>> {
    let now = state.clock.now();
    let promotion = promotions::reject(&state.store, &actor, id, &why.reason, now).await?;
    Ok(Json(promotion))
}

/// Takes the request back.
#[utoipa::path(post, path = "/promotions/{id}/cancel", tag = "releases", request_body = Why,
    params(("id" = String, Path, description = "the promotion")),
    responses(
        (status = 200, description = "as it is now", body = FullPromotion),
        (status = 409, description = "`promotion_over`"),
    ))]
pub async fn cancel(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<PromotionId>,
    MaybeBody(why): MaybeBody<Why>,
) -> Result<Json<FullPromotion>> {
    let now = state.clock.now();
    let promotion = promotions::cancel(&state.store, &actor, id, &why.reason, now).await?;
    Ok(Json(promotion))
}

/// When to execute, and whether its cost is accepted.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `read_terms` reads")]
pub struct When {
    /// A moment to come, or `quietest` for the hour of the day in which the fewest requests come;
    /// at once when left out.
    #[schema(required = false)]
    at: String,
    /// It may cost more in cache misses than the prompt's budget.
    #[schema(required = false)]
    accept_cache_cost: bool,
}

fn read_terms(fields: &mut Fields) -> Terms {
    let at = match fields.text("at").as_deref() {
        None | Some("") => At::Once,
        Some("quietest") => At::Quietest,
        Some(at) => DateTime::parse_from_rfc3339(at).map_or_else(
            |_| {
                let words = "must be `quietest` or a time such as 2026-03-14T09:00:00Z";
                fields.refuse("at", words);
                At::Once
            },
            |at| At::Moment(at.to_utc()),
        ),
    };
    Terms {
        at,
        accept_cache_cost: fields.boolean("accept_cache_cost").unwrap_or_default(),
        experiment: None,
    }
}

/// On what terms to execute.
pub struct ExecuteOn(Terms);

impl Submitted for ExecuteOn {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let terms = read_terms(&mut fields);
        fields.finish(|| Self(terms))
    }
}

/// Executes what is approved: now, at a set time, or in the quietest hour.
#[utoipa::path(post, path = "/promotions/{id}/execute", tag = "releases", request_body = When,
    params(("id" = String, Path, description = "the promotion")),
    responses(
        (status = 200, description = "as it is now", body = FullPromotion),
        (status = 403, description = "`environment_protected` names what is missing"),
        (status = 409, description = "`promotion_over`, `already_serving`, `overtaken` or `no_quietest_hour`"),
        (status = 422, description = "also when it costs more than the prompt's cache budget and `accept_cache_cost` is not true"),
    ))]
pub async fn execute(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<PromotionId>,
    MaybeBody(ExecuteOn(terms)): MaybeBody<ExecuteOn>,
) -> Result<Json<FullPromotion>> {
    let now = state.clock.now();
    let promotion = promotions::execute_on(&state.store, &actor, id, terms, now).await?;
    Ok(Json(promotion))
}

/// Something to say.
#[derive(ToSchema)]
pub struct NewComment {
    /// What.
    text: String,
}

impl Submitted for NewComment {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let text = fields.required_text("text");
        fields.finish(|| Self { text })
    }
}

/// Says something about a promotion.
#[utoipa::path(post, path = "/promotions/{id}/comments", tag = "releases", request_body = NewComment,
    params(("id" = String, Path, description = "the promotion")),
    responses((status = 201, description = "as it is now", body = FullPromotion)))]
pub async fn comment(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<PromotionId>,
    Body(new): Body<NewComment>,
) -> Result<(StatusCode, Json<FullPromotion>)> {
    let now = state.clock.now();
    let promotion = promotions::comment(&state.store, &actor, id, &new.text, now).await?;
    Ok((StatusCode::CREATED, Json(promotion)))
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
    /// A moment to come, or `quietest` for the hour of the day in which the fewest requests come;
    /// as soon as nothing is missing when left out.
    #[schema(required = false, value_type = String)]
    at: At,
    /// It may cost more in cache misses than the prompt's budget.
    #[schema(required = false)]
    accept_cache_cost: bool,
    /// The experiment that speaks for it: one of the prompt's in which the version is an arm. What it
    /// comes to now is frozen into the evidence.
    experiment: Option<ExperimentId>,
}

impl Submitted for NewPromotion {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let environment = fields.required_text("environment");
        fields.require("version");
        let version = number(&mut fields, "version");
        let reason = fields.text("reason").unwrap_or_default();
        let expected_deployment = id(&mut fields, "expected_deployment");
        let experiment = id(&mut fields, "experiment");
        let Terms {
            at,
            accept_cache_cost,
            ..
        } = read_terms(&mut fields);
        built(fields, || {
            Some(Self {
                environment,
                version: version?,
                reason,
                expected_deployment,
                at,
                accept_cache_cost,
                experiment,
            })
        })
    }
}

/// Requests that a version serve an environment; executes at once where nothing is asked for.
#[utoipa::path(post, path = "/prompts/{name}/promotions", tag = "releases", request_body = NewPromotion,
    params(("name" = String, Path, description = "the prompt; `/` as %2F")),
    responses(
        (status = 201, description = "`executed`, or what is still missing", body = Promotion),
        (status = 409, description = "`already_serving`, `promotion_open`, `overtaken` or `no_quietest_hour`"),
        (status = 422, description = "also when it costs more than the prompt's cache budget and `accept_cache_cost` is not true"),
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
    let terms = Terms {
        at: new.at,
        accept_cache_cost: new.accept_cache_cost,
        experiment: new.experiment,
    };
    let promotion =
        promotions::request_on(&state.store, &actor, &release, new.version, terms, now).await?;
    Ok((StatusCode::CREATED, Json(promotion)))
}
