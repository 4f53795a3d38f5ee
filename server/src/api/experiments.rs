//! Experiments: planning, starting, ramping, stopping, concluding, and what they come to.

use axum::{
    Json,
    extract::State,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, LOCATION},
    },
    response::{IntoResponse, Response},
};
use domain::{
    experiment::{Experiment, ExperimentDetail, Plan, PowerWarning, Results, Status},
    field::{FieldError, Fields},
    id::ExperimentId,
    page::Listing,
};
use serde::{Deserialize, Serialize};
use store::experiments;
use utoipa::{IntoParams, ToSchema};

use super::{
    auth::Caller,
    body::{Body, MaybeBody, Submitted},
    error::{ApiError, Result},
    params::{FromPath, Query, present},
    suites::read_prompt,
    versions::Paging,
};
use crate::{audit_csv::cell as csv_cell, state::AppState};

/// Which experiments.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Only this prompt's.
    prompt: Option<String>,
    /// Only in this environment.
    environment: Option<String>,
    /// Only those that are `draft`, `running`, `stopped` or `concluded`.
    status: Option<String>,
    /// Rows on a page, 1 to 200; 50 when left out.
    limit: Option<String>,
    /// Where the page starts: an earlier page's `next_cursor`.
    cursor: Option<String>,
}

/// The project's experiments, newest first.
#[utoipa::path(get, path = "/experiments", tag = "experiments", params(Wanted),
    responses((status = 200, description = "a page", body = Listing<Experiment>)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Listing<Experiment>>> {
    let page = Paging::of(wanted.limit, wanted.cursor).read()?;
    let prompt = read_prompt(wanted.prompt.as_deref())?;
    let status = present(wanted.status.as_deref())
        .map(|word| {
            Status::from_word(word).ok_or_else(|| {
                let words = "must be `draft`, `running`, `stopped` or `concluded`";
                ApiError::invalid_field("status", words)
            })
        })
        .transpose()?;
    let filter = experiments::Filter {
        prompt: prompt.as_ref(),
        environment: present(wanted.environment.as_deref()),
        status,
    };
    Ok(Json(
        experiments::list(&state.store, &actor, &filter, &page).await?,
    ))
}

impl Submitted for Plan {
    fn parse(fields: Fields) -> Result<Self, Vec<FieldError>> {
        Self::read(fields)
    }
}

/// Plans an experiment. The first arm is the control; nobody takes part until it is started.
///
/// Experiments of one `layer` whose parts, from `traffic_from` to `traffic_from + traffic`, do not
/// overlap share no unit, and what none takes is the holdout.
#[utoipa::path(post, path = "/experiments", tag = "experiments", request_body = Plan,
    responses(
        (status = 201, description = "it is a draft; `Location` names it", body = Experiment),
        (status = 404, description = "there is no such prompt"),
    ))]
pub async fn create(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Body(plan): Body<Plan>,
) -> Result<impl IntoResponse> {
    let now = state.clock.now();
    let experiment = experiments::create(&state.store, &actor, &plan, now).await?;
    let location = format!("/api/v1/experiments/{}", experiment.id);
    Ok((
        StatusCode::CREATED,
        [(LOCATION, location)],
        Json(experiment),
    ))
}

/// One experiment.
#[utoipa::path(get, path = "/experiments/{id}", tag = "experiments",
    params(("id" = String, Path, description = "the experiment")),
    responses((status = 200, description = "as it was planned and how far it is", body = Experiment)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<ExperimentId>,
) -> Result<Json<Experiment>> {
    let experiment = experiments::find(&state.store, &actor, id).await?;
    Ok(Json(
        experiment.ok_or(store::Error::NotFound("experiment"))?,
    ))
}

/// Changes the whole plan of a draft. Once started, arms, weights and metrics are fixed.
#[utoipa::path(put, path = "/experiments/{id}", tag = "experiments", request_body = Plan,
    params(("id" = String, Path, description = "the experiment")),
    responses(
        (status = 200, description = "it is changed", body = Experiment),
        (status = 409, description = "`experiment_frozen`"),
    ))]
pub async fn change(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<ExperimentId>,
    Body(plan): Body<Plan>,
) -> Result<Json<Experiment>> {
    let now = state.clock.now();
    Ok(Json(
        experiments::change(&state.store, &actor, id, &plan, now).await?,
    ))
}

/// An experiment that was started.
#[derive(Serialize, ToSchema)]
pub struct Started {
    #[serde(flatten)]
    experiment: Experiment,
    /// What is wrong with its numbers; null when the traffic can reach the planned sample.
    warning: Option<PowerWarning>,
}

/// A body that need not be there and has no members.
#[derive(ToSchema)]
pub struct Nothing {}

impl Submitted for Nothing {
    fn parse(fields: Fields) -> Result<Self, Vec<FieldError>> {
        fields.finish(|| Self {})
    }
}

/// Starts an experiment: from now on units are assigned. Drafts among its versions start testing.
#[utoipa::path(post, path = "/experiments/{id}/start", tag = "experiments", request_body = Nothing,
    params(("id" = String, Path, description = "the experiment")),
    responses(
        (status = 200, description = "it runs", body = Started),
        (status = 403, description = "also `approver_needed`, where the environment's policy says so"),
        (status = 409, description = "`experiment_running`, `layer_taken`, `control_not_serving`, `not_deployed` or `illegal_experiment_move`"),
    ))]
pub async fn start(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<ExperimentId>,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Result<Json<Started>> {
    let started = experiments::start(&state.store, &actor, id, state.clock.now()).await?;
    Ok(Json(Started {
        experiment: started.experiment,
        warning: started.warning,
    }))
}

/// Why it is stopped.
#[derive(ToSchema)]
pub struct Stop {
    /// For the timeline; may be left out.
    #[schema(required = false)]
    reason: String,
}

impl Submitted for Stop {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let reason = fields.text("reason").unwrap_or_default();
        fields.finish(|| Self { reason })
    }
}

/// Stops an experiment: everybody gets the control again within a second.
#[utoipa::path(post, path = "/experiments/{id}/stop", tag = "experiments", request_body = Stop,
    params(("id" = String, Path, description = "the experiment")),
    responses(
        (status = 200, description = "it is stopped", body = Experiment),
        (status = 409, description = "`illegal_experiment_move`"),
    ))]
pub async fn stop(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<ExperimentId>,
    MaybeBody(stop): MaybeBody<Stop>,
) -> Result<Json<Experiment>> {
    let now = state.clock.now();
    Ok(Json(
        experiments::stop(&state.store, &actor, id, &stop.reason, now).await?,
    ))
}

/// More units.
#[derive(ToSchema)]
pub struct Traffic {
    /// The share of units that take part from now on.
    traffic: f64,
}

impl Submitted for Traffic {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        fields.require("traffic");
        let traffic = fields.number("traffic").unwrap_or(1.0);
        fields.finish(|| Self { traffic })
    }
}

/// Lets more units in; the ones that take part stay in their arms.
#[utoipa::path(post, path = "/experiments/{id}/traffic", tag = "experiments", request_body = Traffic,
    params(("id" = String, Path, description = "the experiment")),
    responses(
        (status = 200, description = "it is raised", body = Experiment),
        (status = 403, description = "also `approver_needed`, where the environment's policy says so"),
        (status = 409, description = "`traffic_only_up`, `layer_taken` or `illegal_experiment_move`"),
    ))]
pub async fn raise_traffic(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<ExperimentId>,
    Body(to): Body<Traffic>,
) -> Result<Json<Experiment>> {
    let now = state.clock.now();
    Ok(Json(
        experiments::raise_traffic(&state.store, &actor, id, to.traffic, now).await?,
    ))
}

/// What was learnt.
#[derive(ToSchema)]
pub struct Conclusion {
    /// In words; the verdict's sentence when left out.
    conclusion: Option<String>,
}

impl Submitted for Conclusion {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let conclusion = fields.text("conclusion");
        fields.finish(|| Self { conclusion })
    }
}

/// Writes down what was learnt from a stopped experiment. The body may be left out: then that is what
/// the verdict says.
#[utoipa::path(post, path = "/experiments/{id}/conclude", tag = "experiments", request_body = Conclusion,
    params(("id" = String, Path, description = "the experiment")),
    responses(
        (status = 200, description = "it is concluded", body = Experiment),
        (status = 409, description = "`illegal_experiment_move`"),
    ))]
pub async fn conclude(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<ExperimentId>,
    MaybeBody(said): MaybeBody<Conclusion>,
) -> Result<Json<Experiment>> {
    let now = state.clock.now();
    let conclusion = if let Some(conclusion) = said.conclusion {
        conclusion
    } else {
        let found = experiments::results(&state.store, &actor, id, now).await?;
        found.verdict.sentence
    };
    Ok(Json(
        experiments::conclude(&state.store, &actor, id, &conclusion, now).await?,
    ))
}

/// In which form.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Form {
    /// `csv` for a table with a line for each arm; JSON when left out.
    format: Option<String>,
}

/// What it comes to, with every number the verdict rests on.
#[utoipa::path(get, path = "/experiments/{id}/results", tag = "experiments",
    params(Form, ("id" = String, Path, description = "the experiment")),
    responses((status = 200, description = "as of now; CSV where asked for", body = Results)))]
pub async fn results(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<ExperimentId>,
    Query(form): Query<Form>,
) -> Result<Response> {
    let now = state.clock.now();
    let found = experiments::results(&state.store, &actor, id, now).await?;
    match present(form.format.as_deref()) {
        None | Some("json") => Ok(Json(found).into_response()),
        Some("csv") => {
            let kind = [(CONTENT_TYPE, "text/csv; charset=utf-8; header=present")];
            Ok((kind, as_csv(&found)).into_response())
        }
        Some(_) => Err(ApiError::invalid_field("format", "must be `json` or `csv`")),
    }
}

/// A line for each arm; what is against the control is empty for the control itself.
fn as_csv(results: &Results) -> String {
    let mut text = "arm,version,units,successes,rate,rate_lower,rate_upper,difference,difference_lower,\
         difference_upper,p_value,adjusted_p_value,sequential_lower,sequential_upper,sequential_p_value\r\n"
        .to_owned();
    let number = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    for arm in &results.arms {
        let one = results.comparisons.iter().find(|one| one.arm == arm.name);
        let sequential = one.and_then(|one| one.sequential.interval);
        let cells = [
            csv_cell(&arm.name),
            arm.version.to_string(),
            arm.units.to_string(),
            arm.successes.to_string(),
            number(arm.rate),
            number(arm.interval.map(|interval| interval.lower)),
            number(arm.interval.map(|interval| interval.upper)),
            number(one.and_then(|one| one.difference)),
            number(
                one.and_then(|one| one.interval)
                    .map(|interval| interval.lower),
            ),
            number(
                one.and_then(|one| one.interval)
                    .map(|interval| interval.upper),
            ),
            number(one.and_then(|one| one.p_value)),
            number(one.and_then(|one| one.adjusted_p_value)),
            number(sequential.map(|interval| interval.lower)),
            number(sequential.map(|interval| interval.upper)),
            number(one.and_then(|one| one.sequential.p_value)),
        ];
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

/// Everything its page shows: plan, results, the effect over time, and what happened to it.
#[utoipa::path(get, path = "/experiments/{id}/detail", tag = "experiments",
    params(("id" = String, Path, description = "the experiment")),
    responses((status = 200, description = "as of now", body = ExperimentDetail)))]
pub async fn detail(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<ExperimentId>,
) -> Result<Json<ExperimentDetail>> {
    let now = state.clock.now();
    let found = experiments::detail(&state.store, &actor, id, now).await?;
    Ok(Json(found))
}
