//! Resolve and render: what applications call. Both read the snapshot and nothing else; only
//! rendering a version that serves nowhere asks the database.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use domain::{
    actor::Permission,
    content::{Content, ContentHash},
    field::{FieldError, Fields},
    id::{DeploymentId, ExperimentId, ProjectId},
    monitor::check_unit,
    prompt::{PRODUCTION, PromptName},
    template::Compiled,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use super::{
    auth::KeyCaller,
    body::{Body, Submitted, number},
    error::{ApiError, Result},
    params::{FromPath, Query},
};
use crate::{
    assignment::{self, Choice, Running},
    queue::exposures::Exposure,
    snapshot::{Missing, ServedPrompt},
    state::AppState,
};

/// Set when what is answered may be old, because the database is away.
const STALE: HeaderName = HeaderName::from_static("x-cueline-stale");

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// Where to resolve, and for whom.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ResolveQuery {
    /// The environment; production when left out.
    environment: Option<String>,
    /// The user, conversation or request, for experiments: at most 200 characters.
    unit: Option<String>,
    /// `false` when the client reports exposures itself; otherwise resolving with a unit does.
    exposure: Option<bool>,
}

/// What serves an environment: where it comes from, and exactly the members that were hashed.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the answer is written once, when a deployment is loaded; this describes it"
)]
pub struct Resolved {
    /// The prompt.
    name: PromptName,
    /// The environment; null for a version rendered by its number.
    environment: Option<String>,
    /// The version's number.
    version: i32,
    /// SHA-256 over the RFC 8785 JSON of the content's members as they are here.
    content_hash: ContentHash,
    /// The content's members.
    #[serde(flatten)]
    content: Content,
    /// The deployment that put it there.
    deployment_id: Option<DeploymentId>,
    /// Since when it serves.
    deployed_at: Option<DateTime<Utc>>,
    /// The experiment that runs on the prompt here, and the arm the unit takes part in.
    experiment: Option<InExperiment>,
}

/// What a running experiment makes of a request.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the answer is put together as JSON; this describes it"
)]
pub struct InExperiment {
    /// The experiment.
    id: ExperimentId,
    /// The arm whose version this is; null when the unit does not take part.
    arm: Option<String>,
    /// The unit as it was given.
    unit: Option<String>,
    /// Why it does not take part: `no unit` or `not in traffic`.
    reason: Option<String>,
}

/// What serves an environment, from memory.
#[utoipa::path(
    get,
    path = "/api/v1/prompts/{name}/resolve",
    tag = "data plane",
    params(
        ("name" = String, Path, description = "the prompt; `/` as %2F"),
        ResolveQuery,
    ),
    responses(
        (status = 200, description = "what serves, with `ETag`; `X-Cueline-Stale: true` while the database is away", body = Resolved),
        (status = 304, description = "the client has it already"),
        (status = 404, description = "`prompt_not_found`, `environment_not_found` or `not_deployed`"),
        (status = 422, description = "the `unit` is too long"),
    ),
)]
pub async fn resolve(
    State(state): State<AppState>,
    KeyCaller(actor): KeyCaller,
    FromPath(name): FromPath<PromptName>,
    Query(query): Query<ResolveQuery>,
    Known(tags): Known,
) -> Result<Response> {
    let environment = query.environment.as_deref().unwrap_or(PRODUCTION);
    actor.may_in(Permission::Read, environment)?;
    if let Some(unit) = &query.unit {
        check_unit(unit).map_err(|message| ApiError::invalid_field("unit", message))?;
    }
    let snapshot = state.serving.now();
    let project = snapshot.project(actor.project).ok_or(Missing::Prompt)?;
    let served = project.resolve(environment, name.as_str())?;
    let (body, etag) = match project.experiments.of(environment, name.as_str()) {
        None => (served.body.clone(), served.etag.clone()),
        Some(running) => {
            let unit = given(query.unit.as_deref());
            let choice = running.choose(unit);
            let shown = choice.served.as_ref().unwrap_or(served);
            if query.exposure.unwrap_or(true) {
                expose(&state, actor.project, running, &choice, unit, shown);
            }
            assignment::body_with(shown, &choice.experiment)
        }
    };

    let mut response = if is_known(&tags, &etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Response::new(body.into());
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        response
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, etag);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    if state.serving.is_stale() {
        headers.insert(STALE, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// A unit that says something.
fn given(unit: Option<&str>) -> Option<&str> {
    unit.filter(|unit| !unit.is_empty())
}

/// Notes that the unit was shown its arm.
fn expose(
    state: &AppState,
    project: ProjectId,
    running: &Running,
    choice: &Choice,
    unit: Option<&str>,
    shown: &ServedPrompt,
) {
    let arm = choice
        .arm
        .and_then(|position| running.rules.arms.get(position));
    let (Some(arm), Some(unit)) = (arm, unit) else {
        return;
    };
    state.queues.exposures.record(Exposure {
        project,
        experiment: running.rules.id,
        arm: arm.name.clone(),
        unit: unit.to_owned(),
        prompt: running.rules.prompt.clone(),
        environment: running.rules.environment.clone(),
        version: shown.version,
        at: state.clock.now(),
    });
}

/// The tags of what the client has already. Not the whole map of headers, which would be copied.
pub struct Known(Vec<HeaderValue>);

impl<S: Sync> FromRequestParts<S> for Known {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let tags = parts.headers.get_all(header::IF_NONE_MATCH);
        Ok(Self(tags.iter().cloned().collect()))
    }
}

/// Whether one of the client's tags is this one; weak tags count, as RFC 9110 says for `If-None-Match`.
fn is_known(tags: &[HeaderValue], etag: &HeaderValue) -> bool {
    tags.iter().any(|value| {
        value.as_bytes() == b"*"
            || value.to_str().is_ok_and(|tags| {
                tags.split(',')
                    .any(|tag| tag.trim().trim_start_matches("W/").as_bytes() == etag.as_bytes())
            })
    })
}

/// What to render, with which values.
#[derive(ToSchema)]
pub struct RenderRequest {
    /// The version, whether it serves or not; instead of an environment.
    version: Option<i32>,
    /// The environment; production when left out.
    #[schema(required = false)]
    environment: String,
    /// Values by variable.
    #[schema(required = false, value_type = Object)]
    variables: Map<String, Value>,
    /// Whole messages by placeholder.
    #[schema(required = false, value_type = Object)]
    placeholders: Map<String, Value>,
    /// The user, conversation or request, for experiments: at most 200 characters.
    unit: Option<String>,
    /// `false` when the client reports exposures itself.
    exposure: Option<bool>,
}

impl Submitted for RenderRequest {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let version = number(&mut fields, "version");
        let environment = fields.text("environment");
        let unit = fields.text("unit");
        if let Some(Err(message)) = unit.as_deref().map(check_unit) {
            fields.refuse("unit", message);
        }
        let exposure = fields.boolean("exposure");
        if version.is_some() && environment.is_some() {
            fields.refuse("version", "give either an environment or a version");
        }
        let mut object = |name: &str| match fields.take(name) {
            None => Map::new(),
            Some(Value::Object(members)) => members,
            Some(_) => {
                fields.refuse(name, "must be an object");
                Map::new()
            }
        };
        let (variables, placeholders) = (object("variables"), object("placeholders"));
        fields.finish(|| Self {
            version,
            environment: environment.unwrap_or_else(|| PRODUCTION.to_owned()),
            variables,
            placeholders,
            unit,
            exposure,
        })
    }
}

/// What serves, with values put into its messages.
#[utoipa::path(
    post,
    path = "/api/v1/prompts/{name}/render",
    tag = "data plane",
    params(("name" = String, Path, description = "the prompt; `/` as %2F")),
    request_body = RenderRequest,
    responses(
        (status = 200, description = "resolve's answer with rendered `messages`", body = Resolved),
        (status = 422, description = "every offending variable as `{variable, rule, message}`, or a `unit` that is too long"),
    ),
)]
pub async fn render(
    State(state): State<AppState>,
    KeyCaller(actor): KeyCaller,
    FromPath(name): FromPath<PromptName>,
    Body(request): Body<RenderRequest>,
) -> Result<Response> {
    let mut exposed = None;
    let (mut answer, compiled) = match request.version {
        None => {
            actor.may_in(Permission::Read, &request.environment)?;
            let snapshot = state.serving.now();
            let project = snapshot.project(actor.project).ok_or(Missing::Prompt)?;
            let served = project.resolve(&request.environment, name.as_str())?;
            match project.experiments.of(&request.environment, name.as_str()) {
                None => answer_of(served)?,
                Some(running) => {
                    let unit = given(request.unit.as_deref());
                    let choice = running.choose(unit);
                    let shown = Arc::clone(choice.served.as_ref().unwrap_or(served));
                    let (mut answer, compiled) = answer_of(&shown)?;
                    answer.insert("experiment".to_owned(), choice.experiment.clone());
                    if request.exposure.unwrap_or(true) {
                        exposed = Some((Arc::clone(running), choice, shown));
                    }
                    (answer, compiled)
                }
            }
        }
        Some(number) => {
            actor.may(Permission::Read)?;
            version_answer(&state, &actor, &name, number).await?
        }
    };
    let messages = compiled
        .render(&request.variables, &request.placeholders)
        .map_err(|errors| ApiError::render(&errors))?;
    answer.insert("messages".to_owned(), Value::Array(messages));
    // What could not be rendered was shown to nobody.
    if let Some((running, choice, shown)) = exposed {
        let unit = given(request.unit.as_deref());
        expose(&state, actor.project, &running, &choice, unit, &shown);
    }
    let mut response = Json(answer).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    if state.serving.is_stale() {
        headers.insert(STALE, HeaderValue::from_static("true"));
    }
    Ok(response)
}

fn answer_of(served: &ServedPrompt) -> Result<(Map<String, Value>, Arc<Compiled>)> {
    let compiled = served.compiled().ok_or_else(unreadable)?;
    let answer = serde_json::from_slice(&served.body).map_err(|_| unreadable())?;
    Ok((answer, compiled))
}

fn unreadable() -> ApiError {
    ApiError::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "what is stored cannot be read; it was logged",
    )
}

async fn version_answer(
    state: &AppState,
    actor: &domain::actor::Actor,
    name: &PromptName,
    number: i32,
) -> Result<(Map<String, Value>, Arc<Compiled>)> {
    let not_found = || store::Error::NotFound("version");
    let (content_hash, text) = store::serving::version(&state.store, actor.project, name, number)
        .await?
        .ok_or_else(not_found)?;
    let content: Content = serde_json::from_str(&text).map_err(|error| {
        tracing::error!(%error, "a stored version cannot be read");
        unreadable()
    })?;
    let compiled = Compiled::new(&content).map_err(|errors| {
        tracing::error!(?errors, "a stored version cannot be compiled");
        unreadable()
    })?;
    let members: Map<String, Value> = serde_json::from_str(&text).map_err(|_| unreadable())?;
    let mut answer = Map::new();
    answer.insert("name".to_owned(), json!(name));
    answer.insert("environment".to_owned(), Value::Null);
    answer.insert("version".to_owned(), json!(number));
    answer.insert("content_hash".to_owned(), json!(content_hash));
    answer.extend(members);
    answer.insert("deployment_id".to_owned(), Value::Null);
    answer.insert("deployed_at".to_owned(), Value::Null);
    answer.insert("experiment".to_owned(), Value::Null);
    Ok((answer, Arc::new(compiled)))
}
