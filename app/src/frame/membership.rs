//! Who is signed in, and as what in this project: loaded once by the frame, there for every page.

use std::sync::Arc;

use domain::{
    actor::{Permission, Role},
    id::PersonId,
    project::Project,
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::Appearance;
use crate::error::UiError;

/// A person in a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The person.
    pub person: PersonId,
    /// As people call them.
    pub name: String,
    /// Where they sign in with.
    pub email: String,
    /// The project, with the person's role in it.
    pub project: Project,
    /// All projects they belong to, by name.
    pub projects: Vec<Project>,
    /// Whether they may create a project.
    pub may_create_projects: bool,
    /// How they want it to look.
    pub appearance: Appearance,
}

impl Membership {
    /// The person's role in this project.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.project.role
    }

    /// Whether a control for this is worth showing; the server asks again anyway.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.project.role >= permission.role()
    }

    /// An address in this project: `membership.href("/audit")`.
    #[must_use]
    pub fn href(&self, rest: &str) -> String {
        format!("/p/{}{rest}", self.project.slug)
    }
}

/// Puts it where the pages find it.
pub(super) fn provide(membership: Membership) {
    provide_context(Arc::new(membership));
}

/// Who is signed in, and as what; inside the frame only.
#[must_use]
pub fn use_membership() -> Arc<Membership> {
    expect_context::<Arc<Membership>>()
}

/// Who is signed in, as a member of the project with that address.
#[server(LoadMembership)]
pub async fn membership(project: String) -> Result<Membership, UiError> {
    let (request, person) = crate::context::signed_in()?;
    let cx = crate::context::member(&project).await?;
    let found = store::people::by_id(&cx.store, person)
        .await?
        .ok_or(UiError::SignedOut)?;
    let projects = store::projects::of_person(&cx.store, person).await?;
    let may_create_projects =
        found.is_operator || projects.iter().any(|project| project.role == Role::Admin);
    Ok(Membership {
        person,
        name: found.name,
        email: found.email,
        project: cx.project,
        projects,
        may_create_projects,
        appearance: request.appearance,
    })
}
