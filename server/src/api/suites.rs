//! Suites of golden cases: what a prompt is held against.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::IntoResponse,
};
use domain::{
    actor::Actor,
    field::{FieldError, Fields},
    id::SuiteId,
    page::Listing,
    prompt::PromptName,
    suite::{NewSuite, Scorer, Suite, SuiteRevision},
};
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{
    auth::Caller,
    body::{Body, JsonBody, Submitted},
    error::{ApiError, Result},
    params::{FromPath, Query, present},
    versions::Paging,
};
use crate::state::AppState;

/// Which suites.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Only this prompt's.
    prompt: Option<String>,
    /// Rows on a page, 1 to 200; 50 when left out.
    limit: Option<String>,
    /// Where the page starts: an earlier page's `next_cursor`.
    cursor: Option<String>,
}

/// The project's suites by name.
#[utoipa::path(get, path = "/suites", tag = "evals", params(Wanted),
    responses((status = 200, description = "a page", body = Listing<Suite>)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Listing<Suite>>> {
    let page = Paging::of(wanted.limit, wanted.cursor).read()?;
    let prompt = read_prompt(wanted.prompt.as_deref())?;
    let suites = store::suites::list(&state.store, &actor, prompt.as_ref(), &page).await?;
    Ok(Json(suites))
}

/// A prompt's name in a query.
pub fn read_prompt(text: Option<&str>) -> Result<Option<PromptName>> {
    present(text)
        .map(|text| {
            PromptName::parse(text)
                .map_err(|error| ApiError::invalid_field("prompt", error.to_string()))
        })
        .transpose()
}

/// Creates an empty suite.
#[utoipa::path(post, path = "/suites", tag = "evals", request_body = NewSuite,
    responses(
        (status = 201, description = "it is there", body = Suite),
        (status = 404, description = "there is no such prompt"),
        (status = 409, description = "`suite_exists`"),
    ))]
pub async fn create(
    State(state): State<AppState>,
    Caller(actor): Caller,
    JsonBody(body): JsonBody,
) -> Result<impl IntoResponse> {
    let new = NewSuite::parse(&body).map_err(|errors| ApiError::invalid(&errors))?;
    let now = state.clock.now();
    let suite = store::suites::create(&state.store, &actor, &new, now).await?;
    let location = format!("/api/v1/suites/{}", suite.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(suite)))
}

/// One suite as it is now.
#[utoipa::path(get, path = "/suites/{id}", tag = "evals",
    params(("id" = String, Path, description = "the suite")),
    responses((status = 200, description = "the suite", body = Suite)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<SuiteId>,
) -> Result<Json<Suite>> {
    Ok(Json(find(&state, &actor, id).await?))
}

/// The suite, or that there is none.
pub async fn find(state: &AppState, actor: &Actor, id: SuiteId) -> Result<Suite> {
    let suite = store::suites::find(&state.store, actor, id).await?;
    Ok(suite.ok_or(store::Error::NotFound("suite"))?)
}

/// How outputs are scored.
#[derive(ToSchema)]
pub struct Scoring {
    /// Scorers that apply to every case.
    scorers: Vec<Scorer>,
    /// From which weighted score a case passes, 0 to 1; without it every scorer that counts must.
    threshold: Option<f64>,
}

impl Submitted for Scoring {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        fields.require("scorers");
        let items: Vec<Value> = fields.list("scorers").unwrap_or_default();
        let scorers = Scorer::parse_list("scorers", &items).unwrap_or_else(|errors| {
            fields.absorb(errors);
            Vec::new()
        });
        let threshold = fields.number("threshold");
        if threshold.is_some_and(|threshold| !(0.0..=1.0).contains(&threshold)) {
            fields.refuse("threshold", "must be from 0 to 1");
        }
        fields.finish(|| Self { scorers, threshold })
    }
}

/// Changes the scorers that apply to every case; makes a revision.
#[utoipa::path(patch, path = "/suites/{id}", tag = "evals", request_body = Scoring,
    params(("id" = String, Path, description = "the suite")),
    responses((status = 200, description = "as it is now", body = Suite)))]
pub async fn change(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<SuiteId>,
    Body(new): Body<Scoring>,
) -> Result<Json<Suite>> {
    let now = state.clock.now();
    let Scoring { scorers, threshold } = new;
    store::suites::set_scorers(&state.store, &actor, id, scorers, threshold, now).await?;
    Ok(Json(find(&state, &actor, id).await?))
}

/// What was changed when, newest first.
#[utoipa::path(get, path = "/suites/{id}/revisions", tag = "evals",
    params(("id" = String, Path, description = "the suite"), Paging),
    responses((status = 200, description = "a page", body = Listing<SuiteRevision>)))]
pub async fn revisions(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<SuiteId>,
    Query(paging): Query<Paging>,
) -> Result<Json<Listing<SuiteRevision>>> {
    find(&state, &actor, id).await?;
    let page = paging.read()?;
    let revisions = store::suites::revisions(&state.store, &actor, id, &page).await?;
    Ok(Json(revisions))
}
