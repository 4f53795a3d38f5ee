//! Eval runs: launching, following, reading, comparing.

use app::context::Models;
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::IntoResponse,
};
use chrono::{DateTime, Utc};
use domain::{
    actor::Actor,
    field::{FieldError, Fields},
    gate::{self, GatePolicy, GateVerdict},
    id::{CaseId, RunId, SuiteId},
    page::Listing,
    prompt::PromptName,
    run::{CaseResult, Change, ComparedCase, Run, RunOptions, RunStatus},
    suite::Case,
};
use serde::{Deserialize, Serialize};
use store::runs::{self, NewRun, Subject, results::Which};
use utoipa::{IntoParams, ToSchema};

use super::{
    auth::Caller,
    body::{Body, Submitted, built, number},
    error::{ApiError, Result},
    params::{FromPath, OtherRun, Query, present},
    suites::read_prompt,
    versions::Paging,
};
use crate::state::AppState;

/// A run, and until when its provider lets nobody ask.
#[derive(Serialize, ToSchema)]
pub struct RunView {
    #[serde(flatten)]
    run: Run,
    /// The provider said "too many requests"; calls go on then.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_until: Option<DateTime<Utc>>,
    /// Its page.
    url: String,
}

async fn view(state: &AppState, actor: &Actor, run: Run) -> Result<Json<RunView>> {
    let paused_until = (!run.status.is_over())
        .then(|| state.doors.paused_until(actor.project, &run.provider))
        .flatten();
    Ok(Json(RunView {
        url: page(state, actor, run.id).await?,
        run,
        paused_until,
    }))
}

/// A run's page.
pub async fn page(state: &AppState, actor: &Actor, run: RunId) -> Result<String> {
    let (project, _) = store::projects::address(&state.store, actor).await?;
    Ok(format!(
        "{}/p/{project}/runs/{run}",
        state.config.public_url
    ))
}

/// Which runs.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Only this prompt's.
    prompt: Option<String>,
    /// Only this version's; together with `prompt`.
    version: Option<String>,
    /// Only this suite's, by id.
    suite: Option<String>,
    /// Only those in this state.
    status: Option<String>,
    /// Rows on a page, 1 to 200; 50 when left out.
    limit: Option<String>,
    /// Where the page starts: an earlier page's `next_cursor`.
    cursor: Option<String>,
}

/// The project's runs, newest first.
#[utoipa::path(get, path = "/runs", tag = "evals", params(Wanted),
    responses((status = 200, description = "a page", body = Listing<Run>)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Listing<Run>>> {
    let page = Paging::of(wanted.limit, wanted.cursor).read()?;
    let prompt = read_prompt(wanted.prompt.as_deref())?;
    let refuse = |name: &'static str, words: &str| ApiError::invalid_field(name, words);
    let suite = present(wanted.suite.as_deref())
        .map(|text| {
            text.parse::<SuiteId>()
                .map_err(|_| refuse("suite", "must be a suite's id"))
        })
        .transpose()?;
    let version = present(wanted.version.as_deref())
        .map(|text| {
            text.parse()
                .map_err(|_| refuse("version", "must be a version's number"))
        })
        .transpose()?;
    let status = present(wanted.status.as_deref())
        .map(|word| {
            RunStatus::from_word(word).ok_or_else(|| {
                let words = "must be `queued`, `running`, `completed`, `failed` or `cancelled`";
                refuse("status", words)
            })
        })
        .transpose()?;
    let filter = runs::Filter {
        prompt: prompt.as_ref(),
        suite,
        version,
        status,
    };
    Ok(Json(
        runs::list(&state.store, &actor, &filter, &page).await?,
    ))
}

/// A run to launch.
#[derive(ToSchema)]
pub struct Launch {
    /// The prompt.
    prompt: PromptName,
    /// The version.
    version: i32,
    /// The suite, by id or name.
    suite: String,
    /// How.
    #[schema(inline)]
    options: RunOptions,
}

impl Submitted for Launch {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let prompt = prompt(&mut fields);
        fields.require("version");
        let version = number(&mut fields, "version");
        let suite = fields.required_text("suite");
        let options = RunOptions::read(&mut fields);
        built(fields, || {
            Some(Self {
                prompt: prompt?,
                version: version?,
                suite,
                options,
            })
        })
    }
}

/// The prompt that a body names.
pub fn prompt(fields: &mut Fields) -> Option<PromptName> {
    let text = fields.required_text("prompt");
    if text.is_empty() {
        return None;
    }
    PromptName::parse(&text)
        .map_err(|error| fields.refuse("prompt", error.to_string()))
        .ok()
}

/// The suite that a body means.
pub async fn suite(state: &AppState, actor: &Actor, word: &str) -> Result<SuiteId> {
    let suite = store::suites::resolve(&state.store, actor, word).await?;
    Ok(suite.ok_or(store::Error::NotFound("suite"))?)
}

/// Launches a run. It goes on by itself; a draft starts testing by it.
#[utoipa::path(post, path = "/runs", tag = "evals", request_body = Launch,
    responses(
        (status = 202, description = "it is queued; `Location` names it", body = RunView),
        (status = 409, description = "`no_cases`, `no_model` or `provider_not_configured`"),
    ))]
pub async fn create(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Body(new): Body<Launch>,
) -> Result<impl IntoResponse> {
    let suite = suite(&state, &actor, &new.suite).await?;
    let launch = NewRun {
        prompt: &new.prompt,
        subject: Subject::Saved(new.version),
        suite,
        options: new.options,
    };
    let run = runs::launch(&state.store, &actor, &launch, state.clock.now()).await?;
    let location = format!("/api/v1/runs/{}", run.id);
    Ok((
        StatusCode::ACCEPTED,
        [(LOCATION, location)],
        view(&state, &actor, run).await?,
    ))
}

/// The run, or that there is none.
pub async fn find(state: &AppState, actor: &Actor, id: RunId) -> Result<Run> {
    let run = runs::find(&state.store, actor, id).await?;
    Ok(run.ok_or(store::Error::NotFound("run"))?)
}

/// One run.
#[utoipa::path(get, path = "/runs/{id}", tag = "evals",
    params(("id" = String, Path, description = "the run")),
    responses((status = 200, description = "how far it is", body = RunView)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<RunId>,
) -> Result<Json<RunView>> {
    let run = find(&state, &actor, id).await?;
    view(&state, &actor, run).await
}

/// Stops a run within a second; what was found stays.
#[utoipa::path(post, path = "/runs/{id}/cancel", tag = "evals",
    params(("id" = String, Path, description = "the run")),
    responses(
        (status = 200, description = "it is cancelled", body = RunView),
        (status = 409, description = "`run_over`"),
    ))]
pub async fn cancel(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<RunId>,
) -> Result<Json<RunView>> {
    let run = runs::cancel(&state.store, &actor, id, state.clock.now()).await?;
    view(&state, &actor, run).await
}

/// Which results.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WantedResults {
    /// `all`, `passed`, `failed` or `errors`.
    which: Option<String>,
    /// Only this case's.
    case: Option<String>,
    /// Rows on a page, 1 to 200; 50 when left out.
    limit: Option<String>,
    /// Where the page starts: an earlier page's `next_cursor`.
    cursor: Option<String>,
}

/// A result with what was asked.
#[derive(Serialize, ToSchema)]
pub struct Answer {
    #[serde(flatten)]
    result: CaseResult,
    /// The case as it was.
    input: Case,
}

/// What came of each case, in the suite's order.
#[utoipa::path(get, path = "/runs/{id}/results", tag = "evals",
    params(("id" = String, Path, description = "the run"), WantedResults),
    responses((status = 200, description = "a page", body = Listing<Answer>)))]
pub async fn results(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<RunId>,
    Query(wanted): Query<WantedResults>,
) -> Result<Json<Listing<Answer>>> {
    let page = Paging::of(wanted.limit, wanted.cursor).read()?;
    let which = match present(wanted.which.as_deref()) {
        None | Some("all") => Which::All,
        Some("passed") => Which::Passed,
        Some("failed") => Which::Failed,
        Some("errors") => Which::Errors,
        Some(_) => {
            let words = "must be `all`, `passed`, `failed` or `errors`";
            return Err(ApiError::invalid_field("which", words));
        }
    };
    let case = present(wanted.case.as_deref())
        .map(|text| {
            text.parse::<CaseId>()
                .map_err(|_| ApiError::invalid_field("case", "must be a case's id"))
        })
        .transpose()?;
    let answers = runs::results::list(&state.store, &actor, id, which, case, &page).await?;
    Ok(Json(answers.map(|answer| Answer {
        result: answer.result,
        input: answer.case,
    })))
}

/// Two runs of the same cases.
#[derive(Serialize, ToSchema)]
pub struct Compared {
    /// What the default policy says of it.
    #[serde(flatten)]
    verdict: GateVerdict,
    /// In words.
    sentence: String,
    /// The cases, in the suite's order.
    cases: Listing<ComparedCase>,
}

/// How to compare.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Comparing {
    /// Only cases that were `lost` or `gained`, that pass or fail under both (`both_pass`,
    /// `both_fail`), or that are `new`.
    change: Option<String>,
    /// Rows on a page, 1 to 200; 50 when left out.
    limit: Option<String>,
    /// Where the page starts: an earlier page's `next_cursor`.
    cursor: Option<String>,
}

/// A run against another of the same suite revision, case by case: `other` is the baseline.
#[utoipa::path(get, path = "/runs/{id}/compare/{other}", tag = "evals",
    params(("id" = String, Path, description = "the run"),
           ("other" = String, Path, description = "the baseline"), Comparing),
    responses(
        (status = 200, description = "lost, gained, and what chance explains", body = Compared),
        (status = 409, description = "`other_suite` or `other_revision`"),
    ))]
pub async fn compare(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<RunId>,
    FromPath(OtherRun(other)): FromPath<OtherRun>,
    Query(comparing): Query<Comparing>,
) -> Result<Json<Compared>> {
    let page = Paging::of(comparing.limit, comparing.cursor).read()?;
    let change = present(comparing.change.as_deref())
        .map(|word| {
            Change::from_word(word).ok_or_else(|| {
                let words = "must be `lost`, `gained`, `both_pass`, `both_fail` or `new`";
                ApiError::invalid_field("change", words)
            })
        })
        .transpose()?;
    let pairs = runs::compare::pairs_of(&state.store, &actor, other, id).await?;
    let verdict = gate::judge(&GatePolicy::default(), &pairs);
    let cases = runs::compare::cases(&state.store, &actor, other, id, change, &page).await?;
    Ok(Json(Compared {
        sentence: gate::sentence(&verdict),
        verdict,
        cases,
    }))
}
