//! Deployments: what served when and who has it, and the commands that change what serves.

use axum::{Json, extract::State};
use domain::{
    field::{FieldError, Fields},
    id::DeploymentId,
    page::Listing,
    prompt::PromptName,
    release::{Confirmation, Deployment, Propagation},
};
use serde::{Deserialize, Serialize};
use store::releases::{Release, Seen};
use utoipa::{IntoParams, ToSchema};

use super::{
    auth::Caller,
    body::{Body, Submitted, built, id, number},
    error::Result,
    params::{Checks, FromPath, Query, present},
    prompts,
};
use crate::state::AppState;

/// Which deployments.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Only this environment's.
    environment: Option<String>,
    /// Rows on a page, 1 to 200; 50 when left out.
    limit: Option<String>,
    /// Where the page starts: an earlier page's `next_cursor`.
    cursor: Option<String>,
}

/// Every deployment of the project, newest first.
#[utoipa::path(get, path = "/deployments", tag = "releases", params(Wanted),
    responses((status = 200, description = "a page", body = Listing<Deployment>)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Listing<Deployment>>> {
    page(&state, &actor, None, &wanted).await.map(Json)
}

/// A prompt's deployments, newest first.
#[utoipa::path(get, path = "/prompts/{name}/deployments", tag = "releases",
    params(("name" = String, Path, description = "the prompt; `/` as %2F"), Wanted),
    responses((status = 200, description = "a page", body = Listing<Deployment>)))]
pub async fn of_prompt(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(name): FromPath<PromptName>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Listing<Deployment>>> {
    let deployments = page(&state, &actor, Some(&name), &wanted).await?;
    if deployments.items.is_empty() {
        prompts::find(&state, &actor, &name).await?;
    }
    Ok(Json(deployments))
}

async fn page(
    state: &AppState,
    actor: &domain::actor::Actor,
    name: Option<&PromptName>,
    wanted: &Wanted,
) -> Result<Listing<Deployment>> {
    let mut checks = Checks::default();
    let page = checks.page(wanted.limit.as_deref(), wanted.cursor.as_deref());
    checks.finish()?;
    let environment = present(wanted.environment.as_deref());
    Ok(store::releases::list(&state.store, actor, name, environment, &page).await?)
}

/// A deployment and how far it has come.
#[derive(Serialize, ToSchema)]
pub struct Reached {
    /// The deployment.
    #[serde(flatten)]
    deployment: Deployment,
    /// How far it has reached the clients that were connected when it happened.
    propagation: Reach,
}

/// How far a deployment has reached its clients.
#[derive(Serialize, ToSchema)]
pub struct Reach {
    /// Clients that were connected at that moment, or confirmed since.
    n_clients: usize,
    /// Those that said they applied it.
    n_confirmed: usize,
    /// Whether every client that can still answer has confirmed.
    complete: bool,
    /// The slowest confirmation so far, in milliseconds after the commit.
    slowest_ms: Option<i64>,
    /// Client by client, those that are missing first.
    clients: Vec<Client>,
}

/// A client and its confirmation.
#[derive(Serialize, ToSchema)]
pub struct Client {
    /// Who and when.
    #[serde(flatten)]
    confirmation: Confirmation,
    /// Milliseconds from the commit to the confirmation.
    lag_ms: Option<i64>,
}

impl From<Propagation> for Reached {
    fn from(propagation: Propagation) -> Self {
        let (n_confirmed, complete) = (propagation.n_confirmed(), propagation.is_complete());
        let slowest_ms = propagation.slowest_ms();
        let Propagation {
            deployment,
            clients,
        } = propagation;
        let lag_ms = |confirmation: &Confirmation| {
            let at = confirmation.confirmed_at?;
            Some((at - deployment.deployed_at).num_milliseconds().max(0))
        };
        let clients: Vec<Client> = clients
            .into_iter()
            .map(|confirmation| Client {
                lag_ms: lag_ms(&confirmation),
                confirmation,
            })
            .collect();
        Self {
            propagation: Reach {
                n_clients: clients.len(),
                n_confirmed,
                complete,
                slowest_ms,
                clients,
            },
            deployment,
        }
    }
}

/// One deployment, and which clients have applied it.
#[utoipa::path(get, path = "/deployments/{id}", tag = "releases",
    params(("id" = DeploymentId, Path, description = "the deployment")),
    responses((status = 200, description = "the deployment", body = Reached)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<DeploymentId>,
) -> Result<Json<Reached>> {
    let now = state.clock.now();
    let propagation = store::consumers::propagation(&state.store, &actor, id, now).await?;
    Ok(Json(propagation.into()))
}

/// Where to go back, how far and why.
#[derive(ToSchema)]
pub struct Rollback {
    /// The environment.
    environment: String,
    /// A version that served there at some time; left out, the one that served before.
    to_version: Option<i32>,
    /// Why, for the audit trail.
    #[schema(required = false)]
    reason: String,
    /// The deployment that is to be undone: when something else serves by now, that is a conflict.
    expected_deployment: Option<DeploymentId>,
}

impl Submitted for Rollback {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let environment = fields.required_text("environment");
        let to_version = number(&mut fields, "to_version");
        let reason = fields.text("reason").unwrap_or_default();
        let expected_deployment = id(&mut fields, "expected_deployment");
        fields.finish(|| Self {
            environment,
            to_version,
            reason,
            expected_deployment,
        })
    }
}

/// What was seen to serve, if the caller said.
pub fn seen(expected: Option<DeploymentId>) -> Seen {
    match expected {
        Some(deployment) => Seen::Deployment(Some(deployment)),
        None => Seen::OnArrival,
    }
}

/// Goes back to the version that served before. Needs no approval and no gate.
#[utoipa::path(post, path = "/prompts/{name}/rollback", tag = "releases", request_body = Rollback,
    params(("name" = String, Path, description = "the prompt; `/` as %2F")),
    responses(
        (status = 200, description = "it serves again", body = Deployment),
        (status = 409, description = "`nothing_serves`, `nothing_before`, `never_served`, `already_serving` or `overtaken`"),
    ))]
pub async fn roll_back(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(name): FromPath<PromptName>,
    Body(rollback): Body<Rollback>,
) -> Result<Json<Deployment>> {
    let release = Release {
        prompt: &name,
        environment: &rollback.environment,
        reason: &rollback.reason,
        seen: seen(rollback.expected_deployment),
    };
    let now = state.clock.now();
    let deployment =
        store::releases::roll_back(&state.store, &actor, &release, rollback.to_version, now)
            .await?;
    Ok(Json(deployment))
}

/// What to deploy past the policy, and why.
#[derive(ToSchema)]
pub struct BreakGlass {
    /// The environment.
    environment: String,
    /// The version.
    version: i32,
    /// Why: everybody will read it.
    reason: String,
    /// The deployment that is to be replaced: when something else serves by now, that is a conflict.
    expected_deployment: Option<DeploymentId>,
}

impl Submitted for BreakGlass {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let environment = fields.required_text("environment");
        fields.require("version");
        let version = number(&mut fields, "version");
        let reason = fields.required_text("reason");
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

/// Deploys past the policy, loudly.
#[utoipa::path(post, path = "/prompts/{name}/break-glass", tag = "releases", request_body = BreakGlass,
    params(("name" = String, Path, description = "the prompt; `/` as %2F")),
    responses(
        (status = 200, description = "it serves", body = Deployment),
        (status = 409, description = "`already_serving` or `overtaken`"),
    ))]
pub async fn break_glass(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(name): FromPath<PromptName>,
    Body(wanted): Body<BreakGlass>,
) -> Result<Json<Deployment>> {
    let release = Release {
        prompt: &name,
        environment: &wanted.environment,
        reason: &wanted.reason,
        seen: seen(wanted.expected_deployment),
    };
    let now = state.clock.now();
    let deployment =
        store::releases::break_glass(&state.store, &actor, &release, wanted.version, now).await?;
    Ok(Json(deployment))
}
