//! Who is signed in, and as what in this project: loaded once by the frame, there for every page.

use std::sync::Arc;

use domain::{
    actor::{Permission, Role},
    id::PersonId,
    project::Project,
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Appearance, waiting::Counts};
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
    /// What waits for them.
    pub waiting: Counts,
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

/// Who is signed in, and as what; inside the frame only.
#[must_use]
pub fn use_membership() -> Arc<Membership> {
    expect_context::<Arc<Membership>>()
}

/// What the server found before it drew the page: pages have it from their first line, on the
/// server and in the browser alike. `None` when the page was reached without its document.
pub(super) fn arrived() -> Option<Result<Membership, UiError>> {
    SharedValue::new(|| {
        #[cfg(feature = "ssr")]
        return use_context::<Arrived>().map(|Arrived(found)| found);
        #[cfg(not(feature = "ssr"))]
        None
    })
    .into_inner()
}

/// The membership of whoever asks for a page of a project; the server provides it.
#[cfg(feature = "ssr")]
#[derive(Clone)]
pub struct Arrived(Result<Membership, UiError>);

#[cfg(feature = "ssr")]
impl Arrived {
    /// Of the person who asked, in the project of that address; nothing outside of projects.
    pub async fn at(path: &str, request: &crate::context::Request) -> Option<Self> {
        let project = path.strip_prefix("/p/")?.split('/').next()?;
        Some(Self(load(request, project).await))
    }
}

#[cfg(feature = "ssr")]
async fn load(request: &crate::context::Request, project: &str) -> Result<Membership, UiError> {
    use crate::context;

    let cx = context::member_of(request.clone(), project).await?;
    let person = request.person.ok_or(UiError::SignedOut)?;
    let found = store::people::by_id(&cx.store, person)
        .await?
        .ok_or(UiError::SignedOut)?;
    let projects = store::projects::of_person(&cx.store, person).await?;
    let may_create_projects =
        found.is_operator || projects.iter().any(|project| project.role == Role::Admin);
    let waiting = super::waiting::count(&cx).await?;
    Ok(Membership {
        person,
        name: found.name,
        email: found.email,
        project: cx.project,
        projects,
        may_create_projects,
        waiting,
        appearance: request.appearance,
    })
}
