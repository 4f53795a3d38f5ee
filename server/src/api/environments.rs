//! Environments and what they ask of a promotion.

use axum::{Json, extract::State, http::StatusCode};
use domain::{
    field::{FieldError, Fields},
    page::Listing,
    prompt::Environment,
    release::Policy,
};
use utoipa::ToSchema;

use super::{
    auth::Caller,
    body::{Body, Submitted, built, checked},
    error::Result,
    params::{EnvironmentName, FromPath, Part, Query},
};
use crate::state::AppState;

/// The project's environments, in the order of columns.
#[utoipa::path(get, path = "/environments", tag = "environments", params(Part),
    responses((status = 200, description = "all of them", body = Listing<Environment>)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Query(part): Query<Part>,
) -> Result<Json<Listing<Environment>>> {
    let environments = store::environments::list(&state.store, &actor).await?;
    part.slice(environments, |one| one.name.clone())
}

fn read_policy(fields: &mut Fields) -> Option<Policy> {
    let path = fields.path_of("policy");
    let mut members = Fields::new(&path, fields.take("policy")?);
    let gate = members.boolean("gate").unwrap_or_default();
    let approvals = members.integer("approvals").unwrap_or_default();
    let approvals = checked(
        &mut members,
        "approvals",
        u16::try_from(approvals).map_err(|_| "must be from 0 to 10"),
    );
    let experiments_need_approver = members
        .boolean("experiments_need_approver")
        .unwrap_or_default();
    members
        .finish(|| {
            approvals.map(|approvals| Policy {
                gate,
                approvals,
                experiments_need_approver,
            })
        })
        .map_err(|errors| fields.absorb(errors))
        .ok()
        .flatten()
}

/// An environment to add.
#[derive(ToSchema)]
pub struct NewEnvironment {
    /// A short lower-case slug; not `latest`.
    name: String,
    /// What a promotion into it asks for; nothing when left out.
    #[schema(required = false)]
    policy: Policy,
}

impl Submitted for NewEnvironment {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let name = fields.required_text("name");
        let policy = read_policy(&mut fields).unwrap_or_default();
        fields.finish(|| Self { name, policy })
    }
}

/// Adds an environment after the others.
#[utoipa::path(post, path = "/environments", tag = "environments", request_body = NewEnvironment,
    responses(
        (status = 201, description = "it is there", body = Environment),
        (status = 409, description = "`environment_exists` or `too_many_environments`"),
    ))]
pub async fn create(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Body(new): Body<NewEnvironment>,
) -> Result<(StatusCode, Json<Environment>)> {
    let now = state.clock.now();
    let environment =
        store::environments::create(&state.store, &actor, &new.name, new.policy, now).await?;
    Ok((StatusCode::CREATED, Json(environment)))
}

/// What an environment is to ask for.
#[derive(ToSchema)]
pub struct NewPolicy {
    /// All of it: a member that is left out asks for nothing.
    policy: Policy,
}

impl Submitted for NewPolicy {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        fields.require("policy");
        let policy = read_policy(&mut fields);
        built(fields, || Some(Self { policy: policy? }))
    }
}

/// Changes what an environment asks of a promotion.
#[utoipa::path(patch, path = "/environments/{name}", tag = "environments", request_body = NewPolicy,
    params(("name" = String, Path, description = "the environment")),
    responses((status = 200, description = "as it is now", body = Environment)))]
pub async fn set_policy(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(EnvironmentName(name)): FromPath<EnvironmentName>,
    Body(new): Body<NewPolicy>,
) -> Result<Json<Environment>> {
    let now = state.clock.now();
    let environment =
        store::environments::set_policy(&state.store, &actor, &name, new.policy, now).await?;
    Ok(Json(environment))
}
