//! What a server function needs of its request: the store, who is signed in, the time.
//! The server puts a [`Request`] into the reactive context; nothing here reads a clock or a cookie.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{
    actor::Actor,
    id::{PersonId, ProjectId, ProviderId, WebhookId},
    project::Project,
};
use leptos::prelude::use_context;
use store::Store;

use crate::error::UiError;

/// One request, as the server saw it.
#[derive(Clone)]
pub struct Request {
    /// The database.
    pub store: Store,
    /// Who is signed in.
    pub person: Option<PersonId>,
    /// When it arrived.
    pub now: DateTime<Utc>,
    /// The address of this server, for links that leave it.
    pub public_url: Arc<str>,
    /// The theme and density the person chose, from a cookie.
    pub appearance: crate::frame::Appearance,
    /// The number under which the request stands in the log.
    pub id: Arc<str>,
    /// What only the server knows of model providers.
    pub models: Arc<dyn Models>,
}

/// What only the server knows of model providers, and how secrets are sealed.
pub trait Models: Send + Sync {
    /// Seals a provider's key; refused in words when the server has nothing to seal it with.
    fn seal(&self, provider: ProviderId, key: &str) -> Result<Vec<u8>, String>;

    /// Seals a webhook's secret; refused in words when the server has nothing to seal it with.
    fn seal_webhook(&self, webhook: WebhookId, secret: &str) -> Result<Vec<u8>, String>;

    /// Until when nobody asks a provider, because it said "too many requests".
    fn paused_until(&self, project: ProjectId, provider: &str) -> Option<DateTime<Utc>>;
}

/// A member of a project, asking something.
#[derive(Clone)]
pub struct Cx {
    /// The database.
    pub store: Store,
    /// Who asks, in which project.
    pub actor: Actor,
    /// The project.
    pub project: Project,
    /// When.
    pub now: DateTime<Utc>,
    /// The address of this server.
    pub public_url: Arc<str>,
    /// What only the server knows of model providers.
    pub models: Arc<dyn Models>,
}

/// The request being answered.
pub fn request() -> Result<Request, UiError> {
    use_context::<Request>().ok_or_else(|| {
        tracing::error!("a server function ran outside a request");
        UiError::Internal
    })
}

/// Who is signed in.
pub fn signed_in() -> Result<(Request, PersonId), UiError> {
    let request = request()?;
    let person = request.person.ok_or(UiError::SignedOut)?;
    Ok((request, person))
}

/// The signed-in person as a member of the project with that address.
pub async fn member(project: &str) -> Result<Cx, UiError> {
    member_of(request()?, project).await
}

/// The same for a request at hand.
pub async fn member_of(request: Request, project: &str) -> Result<Cx, UiError> {
    let person = request.person.ok_or(UiError::SignedOut)?;
    let (actor, project) = store::projects::actor(&request.store, person, project)
        .await?
        .ok_or_else(|| UiError::NotFound("project".to_owned()))?;
    Ok(Cx {
        store: request.store,
        actor,
        project,
        now: request.now,
        public_url: request.public_url,
        models: request.models,
    })
}
