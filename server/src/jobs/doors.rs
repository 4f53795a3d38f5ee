//! The doors to providers that are open in this process: one for each provider, so that its
//! limits and its pauses hold for all runs together.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use app::context::Models;
use chrono::{DateTime, Utc};
use domain::{
    id::{ProjectId, ProviderId, WebhookId},
    provider,
};
use store::{Store, providers::Endpoint};

use crate::{
    config::Config,
    llm::{BaseUrl, Door, Kind, Provider, Settings, keys},
    state::Clock,
};

struct Kept {
    changed_at: DateTime<Utc>,
    door: Arc<Door>,
}

/// Every open door.
pub struct Doors {
    config: Arc<Config>,
    clock: Clock,
    open: Mutex<HashMap<(ProjectId, String), Kept>>,
}

/// Why a provider cannot be asked at all, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Closed(String);

/// Either the database does not answer, which passes, or the door does not open, which does not.
pub enum NoDoor {
    /// Try again.
    Store(store::Error),
    /// Say so.
    Closed(Closed),
}

impl From<store::Error> for NoDoor {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

/// A door, and how many calls may be under way behind it.
#[derive(Clone)]
pub struct Opened {
    /// The door.
    pub door: Arc<Door>,
    /// How it is spoken to: what prices go by.
    pub kind: provider::Kind,
    /// The most calls at a time.
    pub max_concurrency: usize,
}

impl Models for Doors {
    fn seal_webhook(&self, webhook: WebhookId, secret: &str) -> Result<Vec<u8>, String> {
        let secret = keys::Secret::from(secret.to_owned());
        let owner = webhook.0.as_bytes();
        keys::seal(self.config.secret_key.as_ref(), &secret, owner).map_err(|error| match error {
            keys::SealError::NoMasterKey => {
                "this server cannot keep secrets: set CUELINE_SECRET_KEY to 32 random bytes \
                 (`openssl rand -hex 32`) and restart it"
                    .to_owned()
            }
            other => other.to_string(),
        })
    }

    fn seal(&self, provider: ProviderId, key: &str) -> Result<Vec<u8>, String> {
        let key = keys::Secret::from(key.to_owned());
        keys::seal(self.config.secret_key.as_ref(), &key, provider.0.as_bytes())
            .map_err(|error| error.to_string())
    }

    fn paused_until(&self, project: ProjectId, provider: &str) -> Option<DateTime<Utc>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(&(project, provider.to_owned()))?
            .door
            .paused_until()
    }
}

impl Doors {
    /// None is open yet.
    #[must_use]
    pub fn new(config: Arc<Config>, clock: Clock) -> Self {
        Self {
            config,
            clock,
            open: Mutex::default(),
        }
    }

    /// What the server runs with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The door to a project's provider, opened anew when its settings have changed.
    pub async fn open(
        &self,
        store: &Store,
        project: ProjectId,
        name: &str,
    ) -> Result<Opened, NoDoor> {
        let Some(endpoint) = store::providers::endpoint(store, project, name).await? else {
            let words = format!("no provider named {name} is configured");
            return Err(NoDoor::Closed(Closed(words)));
        };
        let key = (project, name.to_owned());
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let door = match open.get(&key) {
            Some(kept) if kept.changed_at == endpoint.changed_at => Arc::clone(&kept.door),
            _ => {
                let door = self.unlock(name, &endpoint).map_err(NoDoor::Closed)?;
                let door = Arc::new(door);
                let kept = Kept {
                    changed_at: endpoint.changed_at,
                    door: Arc::clone(&door),
                };
                open.insert(key, kept);
                door
            }
        };
        Ok(Opened {
            door,
            kind: endpoint.kind,
            max_concurrency: usize::try_from(endpoint.max_concurrency).unwrap_or(1),
        })
    }

    fn unlock(&self, name: &str, endpoint: &Endpoint) -> Result<Door, Closed> {
        let closed = |words: String| Closed(format!("provider {name}: {words}"));
        let base_url =
            BaseUrl::parse(&endpoint.base_url).map_err(|error| closed(error.to_string()))?;
        let kind = match endpoint.kind {
            provider::Kind::Openai => Kind::OpenAi,
            provider::Kind::Anthropic => Kind::Anthropic,
        };
        let key = match &endpoint.sealed_key {
            None => self.config.provider_keys.for_provider(kind, &base_url),
            Some(sealed) => {
                let owner = endpoint.id.0.as_bytes();
                let key = keys::open(self.config.secret_key.as_ref(), sealed, owner)
                    .map_err(|error| closed(error.to_string()))?;
                Some(key)
            }
        };
        let mut settings = Settings::new(
            name,
            Provider::Remote {
                kind,
                base_url,
                key,
            },
        );
        settings.max_concurrency = usize::try_from(endpoint.max_concurrency).unwrap_or(1);
        settings.requests_per_minute = endpoint
            .requests_per_minute
            .and_then(|rate| u32::try_from(rate).ok());
        Door::new(settings, self.clock.clone()).map_err(|error| closed(error.to_string()))
    }
}
