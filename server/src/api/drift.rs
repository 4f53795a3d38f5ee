//! Drift: how every prompt that serves production stands, when it is looked after, and checks.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::IntoResponse,
};
use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    drift::{self, Check, Standing, inputs::InputDrift},
    field::{FieldError, Fields},
    id::{DriftCheckId, RunId, SuiteId},
    page::Listing,
    prompt::PromptName,
    schedule::Schedule,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    auth::Caller,
    body::{Body, MaybeBody, Submitted},
    error::{ApiError, Result},
    experiments::Nothing,
    params::{FromPath, Part, Query, present},
    runs,
};
use crate::state::AppState;

/// Which prompts.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Only those that are `healthy`, `watch`, `drifted` or `cannot_tell`.
    state: Option<String>,
    /// Rows on a page, 1 to 200; all of them when left out.
    limit: Option<String>,
    /// Where the page starts: an earlier page's `next_cursor`.
    cursor: Option<String>,
}

/// A prompt that is looked after.
#[derive(Serialize, ToSchema)]
pub struct DriftRow {
    #[serde(flatten)]
    standing: Standing,
    /// When it is looked after; null for one that cannot be run by itself.
    schedule: Option<Schedule>,
    /// When the next check is due.
    next_due: Option<DateTime<Utc>>,
    /// The run of a check that is under way.
    running: Option<RunId>,
}

impl From<store::drift::Watched> for DriftRow {
    fn from(watched: store::drift::Watched) -> Self {
        Self {
            standing: watched.standing,
            schedule: watched.schedule,
            next_due: watched.next_due,
            running: watched.running,
        }
    }
}

/// How every prompt that serves production stands, those that need somebody first.
#[utoipa::path(get, path = "/drift", tag = "drift", params(Wanted),
    responses((status = 200, description = "all of them", body = Listing<DriftRow>)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Listing<DriftRow>>> {
    let which = present(wanted.state.as_deref())
        .map(|word| {
            drift::State::from_word(word).ok_or_else(|| {
                let words = "must be `healthy`, `watch`, `drifted` or `cannot_tell`";
                ApiError::invalid_field("state", words)
            })
        })
        .transpose()?;
    let watched = store::drift::list(&state.store, &actor, which).await?;
    let rows = watched.into_iter().map(DriftRow::from).collect();
    Part::of(wanted.limit, wanted.cursor)
        .slice(rows, |one: &DriftRow| one.standing.prompt.to_string())
}

/// Everything about one prompt's drift.
#[derive(Serialize, ToSchema)]
pub struct DriftDetail {
    #[serde(flatten)]
    row: DriftRow,
    /// When the version that serves was first promoted.
    promoted_at: DateTime<Utc>,
    /// The suite that checks run.
    suite: Option<SuiteId>,
    /// The run that they are held against.
    frozen_run: Option<RunId>,
    /// Newest first.
    checks: Vec<Check>,
    /// What its variables are filled with.
    inputs: Vec<InputDrift>,
    /// The first and the last day around the promotion.
    #[schema(value_type = Vec<String>)]
    window_before: (NaiveDate, NaiveDate),
    /// The first and the last day of now; null before the other window is over.
    #[schema(value_type = Option<Vec<String>>)]
    window_after: Option<(NaiveDate, NaiveDate)>,
}

/// A prompt's drift: its checks, its chart, its inputs.
#[utoipa::path(get, path = "/prompts/{name}/drift", tag = "drift",
    params(("name" = String, Path, description = "the prompt; `/` as `%2F`")),
    responses(
        (status = 200, description = "as it stands", body = DriftDetail),
        (status = 404, description = "there is no such prompt, or it does not serve production"),
    ))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(name): FromPath<PromptName>,
) -> Result<Json<DriftDetail>> {
    let now = state.clock.now();
    let detail = store::drift::find(&state.store, &actor, &name, now)
        .await?
        .ok_or(store::Error::NotFound("prompt that serves production"))?;
    Ok(Json(DriftDetail {
        row: detail.watched.into(),
        promoted_at: detail.promoted_at,
        suite: detail.suite.map(|(suite, _)| suite),
        frozen_run: detail.frozen_run,
        checks: detail.checks.into_iter().map(|(check, _)| check).collect(),
        inputs: detail.inputs,
        window_before: detail.windows.before,
        window_after: detail.windows.after,
    }))
}

impl Submitted for Schedule {
    fn parse(fields: Fields) -> Result<Self, Vec<FieldError>> {
        Self::read(fields)
    }
}

/// A schedule that was set.
#[derive(Serialize, ToSchema)]
pub struct Scheduled {
    #[serde(flatten)]
    schedule: Schedule,
    /// When the next check is due; null when none is.
    next_due: Option<DateTime<Utc>>,
}

/// Sets when a prompt is looked after: a cron expression of five fields in a time zone.
#[utoipa::path(put, path = "/prompts/{name}/drift/schedule", tag = "drift", request_body = Schedule,
    params(("name" = String, Path, description = "the prompt; `/` as `%2F`")),
    responses(
        (status = 200, description = "it is set", body = Scheduled),
        (status = 422, description = "what is wrong with it, field by field"),
    ))]
pub async fn set_schedule(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(name): FromPath<PromptName>,
    Body(schedule): Body<Schedule>,
) -> Result<Json<Scheduled>> {
    let now = state.clock.now();
    let next_due = store::drift::set_schedule(&state.store, &actor, &name, &schedule, now).await?;
    Ok(Json(Scheduled { schedule, next_due }))
}

/// A check that was begun.
#[derive(Serialize, ToSchema)]
pub struct Begun {
    /// The check; its verdict comes when the run ends.
    check: DriftCheckId,
    /// Its run.
    run: RunId,
    /// The run's page.
    url: String,
}

/// Checks a prompt now: its whole suite runs, and the verdict comes when it ends.
#[utoipa::path(post, path = "/prompts/{name}/drift/checks", tag = "drift", request_body = Nothing,
    params(("name" = String, Path, description = "the prompt; `/` as `%2F`")),
    responses(
        (status = 202, description = "it runs; `Location` names the run", body = Begun),
        (status = 409, description = "`not_active`, `check_running`, `no_suite`, `no_cases`, `no_model` or `provider_not_configured`"),
    ))]
pub async fn run_now(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(name): FromPath<PromptName>,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Result<impl IntoResponse> {
    let now = state.clock.now();
    let (check, run) = store::drift::run_now(&state.store, &actor, &name, now).await?;
    let url = runs::page(&state, &actor, run).await?;
    Ok((
        StatusCode::ACCEPTED,
        [(LOCATION, format!("/api/v1/runs/{run}"))],
        Json(Begun { check, run, url }),
    ))
}
