//! Who belongs to the project. Somebody new gets a one-time link to choose a password with.

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::{Actor, Role},
    field::{FieldError, Fields},
    id::PersonId,
    page::Listing,
    project::Member,
};
use serde::Serialize;
use store::{members::NewLink, secret::Secret};
use utoipa::ToSchema;

use super::{
    auth::Caller,
    body::{Body, Submitted, built, word},
    error::{ApiError, Result},
    idempotency,
    params::{FromPath, Part, Query},
};
use crate::state::AppState;

/// How long a set-up link is good for.
const LINK_DAYS: i64 = 7;

/// The project's members, strongest role first.
#[utoipa::path(get, path = "/members", tag = "people", params(Part),
    responses((status = 200, description = "all of them", body = Listing<Member>)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Query(part): Query<Part>,
) -> Result<Json<Listing<Member>>> {
    let members = store::members::list(&state.store, &actor).await?;
    part.slice(members, |one| one.id.to_string())
}

/// Somebody to add.
#[derive(ToSchema)]
pub struct NewMember {
    /// Where they sign in with.
    email: String,
    /// As people call them; somebody who has an account keeps their name.
    name: String,
    /// What they may do.
    role: Role,
}

impl Submitted for NewMember {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let email = fields.required_text("email");
        let name = fields.required_text("name");
        fields.require("role");
        let role = word(&mut fields, "role");
        built(fields, || {
            Some(Self {
                email,
                name,
                role: role?,
            })
        })
    }
}

/// A member who was added.
#[derive(Serialize, ToSchema)]
pub struct Added {
    /// The member.
    #[serde(flatten)]
    member: Member,
    /// Where they choose their password, once; null when they have one. Shown only now.
    set_up_link: Option<String>,
    /// Until when the link is good.
    set_up_link_expires_at: Option<DateTime<Utc>>,
}

/// Adds somebody to the project.
#[utoipa::path(post, path = "/members", tag = "people", request_body = NewMember,
    responses(
        (status = 201, description = "they belong to it", body = Added),
        (status = 409, description = "`member_exists`"),
    ))]
pub async fn create(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Body(new): Body<NewMember>,
) -> Result<impl IntoResponse> {
    let now = state.clock.now();
    let member =
        store::members::add(&state.store, &actor, &new.email, &new.name, new.role, now).await?;
    let mut added = Added {
        member,
        set_up_link: None,
        set_up_link_expires_at: None,
    };
    let without_link = idempotency::Instead::of(&added);
    if !added.member.has_signed_up {
        let link = Link::new(&state, now)?;
        let given =
            store::members::give_link(&state.store, &actor, added.member.id, link.keep(), now);
        match given.await {
            Ok(member) => added = link.of(member),
            // Invited by another project's admin already: that link is theirs.
            Err(store::Error::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok((StatusCode::CREATED, without_link, Json(added)))
}

/// A link that was made and may be given.
struct Link {
    address: String,
    token_hash: Vec<u8>,
    expires_at: DateTime<Utc>,
}

impl Link {
    fn new(state: &AppState, now: DateTime<Utc>) -> Result<Self> {
        let token = Secret::new_link().map_err(|error| ApiError::internal(&error))?;
        Ok(Self {
            address: format!("{}/set-up/{}", state.config.public_url, token.reveal()),
            token_hash: token.hash().to_vec(),
            expires_at: now + TimeDelta::days(LINK_DAYS),
        })
    }

    fn keep(&self) -> NewLink<'_> {
        NewLink {
            token_hash: &self.token_hash,
            expires_at: self.expires_at,
        }
    }

    fn of(self, member: Member) -> Added {
        Added {
            member,
            set_up_link: Some(self.address),
            set_up_link_expires_at: Some(self.expires_at),
        }
    }
}

/// Makes a new link for a member who has not chosen a password yet; the old one stops working.
#[utoipa::path(post, path = "/members/{id}/set-up-link", tag = "people",
    params(("id" = PersonId, Path, description = "the member")),
    responses(
        (status = 201, description = "the link, shown only now", body = Added),
        (status = 409, description = "`has_account`"),
    ))]
pub async fn renew_link(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<PersonId>,
) -> Result<impl IntoResponse> {
    let now = state.clock.now();
    let link = Link::new(&state, now)?;
    let member = store::members::invite(&state.store, &actor, id, link.keep(), now).await?;
    let invited = link.of(member);
    let without_link = idempotency::Instead::of(&Added {
        member: invited.member.clone(),
        set_up_link: None,
        set_up_link_expires_at: invited.set_up_link_expires_at,
    });
    Ok((StatusCode::CREATED, without_link, Json(invited)))
}

/// What a member may do from now on.
#[derive(ToSchema)]
pub struct NewRole {
    /// The role.
    role: Role,
}

impl Submitted for NewRole {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        fields.require("role");
        let role = word(&mut fields, "role");
        built(fields, || Some(Self { role: role? }))
    }
}

/// Gives a member another role. A project keeps at least one admin.
#[utoipa::path(patch, path = "/members/{id}", tag = "people", request_body = NewRole,
    params(("id" = PersonId, Path, description = "the member")),
    responses(
        (status = 200, description = "as they are now", body = Member),
        (status = 409, description = "`last_admin`"),
    ))]
pub async fn set_role(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<PersonId>,
    Body(new): Body<NewRole>,
) -> Result<Json<Member>> {
    let now = state.clock.now();
    store::members::set_role(&state.store, &actor, id, new.role, now).await?;
    find(&state, &actor, id).await.map(Json)
}

async fn find(state: &AppState, actor: &Actor, id: PersonId) -> Result<Member> {
    let members = store::members::list(&state.store, actor).await?;
    let member = members.into_iter().find(|member| member.id == id);
    Ok(member.ok_or(store::Error::NotFound("member"))?)
}

/// Takes somebody out of the project. Their past stays in the audit trail.
#[utoipa::path(delete, path = "/members/{id}", tag = "people",
    params(("id" = PersonId, Path, description = "the member")),
    responses(
        (status = 204, description = "they no longer belong to it"),
        (status = 409, description = "`last_admin`"),
    ))]
pub async fn remove(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<PersonId>,
) -> Result<StatusCode> {
    let now = state.clock.now();
    store::members::remove(&state.store, &actor, id, now).await?;
    Ok(StatusCode::NO_CONTENT)
}
