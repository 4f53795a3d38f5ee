//! Who is asking, and what they may do.

use axum::{Json, extract::State};
use domain::actor::{Grant, Role, Scope, Who};
use serde::Serialize;
use utoipa::ToSchema;

use super::{auth::Caller, error::Result};
use crate::state::AppState;

/// The caller, as the server sees them.
#[derive(Serialize, ToSchema)]
pub struct Me {
    /// A person or a key.
    #[serde(flatten)]
    who: Who,
    /// The project this credential acts in.
    project: Place,
    /// A person's role; null for a key.
    role: Option<Role>,
    /// A key's scopes; null for a person.
    scopes: Option<Vec<Scope>>,
    /// The only environments a key may touch; null: all.
    environments: Option<Vec<String>>,
}

/// A project.
#[derive(Serialize, ToSchema)]
pub struct Place {
    /// As in addresses.
    slug: String,
    /// As people call it.
    name: String,
}

/// Who is asking, and what they may do.
#[utoipa::path(get, path = "/me", tag = "people",
    responses((status = 200, description = "the caller", body = Me)))]
pub async fn show(State(state): State<AppState>, Caller(actor): Caller) -> Result<Json<Me>> {
    let (slug, name) = store::projects::address(&state.store, &actor).await?;
    let role = actor.role();
    let (scopes, environments) = match actor.grant {
        Grant::Scopes {
            scopes,
            environments,
        } => (Some(scopes), environments),
        Grant::Role(_) | Grant::Operator => (None, None),
    };
    Ok(Json(Me {
        who: actor.who,
        project: Place { slug, name },
        role,
        scopes,
        environments,
    }))
}
