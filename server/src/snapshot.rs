//! The serving snapshot: everything resolve, render and stream need, in memory. It is replaced
//! whole, never changed in place, so a request reads one consistent state and waits for nobody.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use arc_swap::ArcSwap;
use axum::{body::Bytes, http::HeaderValue};
use chrono::{DateTime, SecondsFormat, Utc};
use domain::{
    actor::{Actor, Grant, Who},
    content::Content,
    id::{DeploymentId, EnvironmentId, KeyId, ProjectId},
    template::Compiled,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::{Store, changes::Change, keys::LiveKey, serving::Served};

use crate::assignment::Experiments;

/// A prompt as it serves an environment, ready to be sent.
pub struct ServedPrompt {
    /// The version's number.
    pub version: i32,
    /// The deployment that put it there.
    pub deployment_id: DeploymentId,
    /// What streams say about it.
    pub content_hash: String,
    /// Since when.
    pub deployed_at: DateTime<Utc>,
    /// The whole answer to a resolve without an experiment.
    pub body: Bytes,
    /// Changes exactly when the body does.
    pub etag: HeaderValue,
    content: Box<str>,
    compiled: OnceLock<Option<Arc<Compiled>>>,
}

impl ServedPrompt {
    pub(crate) fn new(served: Served) -> Self {
        let deployed_at = served
            .deployed_at
            .to_rfc3339_opts(SecondsFormat::Micros, true);
        // The content is an object; its members stand in the answer exactly as they were hashed.
        let content = served.content.trim();
        let members = content
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .unwrap_or(content);
        let body = format!(
            "{{\"name\":{},\"environment\":{},\"version\":{},\"content_hash\":{},{members},\
             \"deployment_id\":\"{}\",\"deployed_at\":\"{deployed_at}\",\"experiment\":null}}",
            json!(served.prompt),
            json!(served.environment),
            served.version,
            json!(served.content_hash),
            served.deployment_id,
        );
        let etag = format!(
            "\"{}\"",
            hex::encode(&Sha256::digest(body.as_bytes())[..16])
        );
        Self {
            version: served.version,
            deployment_id: served.deployment_id,
            content_hash: served.content_hash.to_string(),
            deployed_at: served.deployed_at,
            body: Bytes::from(body),
            etag: HeaderValue::try_from(etag).unwrap_or(HeaderValue::from_static("\"\"")),
            content: served.content.into_boxed_str(),
            compiled: OnceLock::new(),
        }
    }

    /// The templates, parsed when somebody first renders on the server. None if what is stored
    /// cannot be read, which saving rules out.
    #[must_use]
    pub fn compiled(&self) -> Option<Arc<Compiled>> {
        self.compiled
            .get_or_init(|| {
                let content: Content = serde_json::from_str(&self.content)
                    .inspect_err(|error| tracing::error!(%error, "a stored version cannot be read"))
                    .ok()?;
                Compiled::new(&content)
                    .inspect_err(|errors| {
                        tracing::error!(?errors, "a stored version cannot be compiled");
                    })
                    .ok()
                    .map(Arc::new)
            })
            .clone()
    }
}

/// What serves in one environment, by prompt.
type Environment = HashMap<Box<str>, Arc<ServedPrompt>>;

/// One project's part of the snapshot.
#[derive(Clone, Default)]
pub struct Project {
    /// The last change it includes.
    pub sequence: i64,
    environments: HashMap<Box<str>, (EnvironmentId, Arc<Environment>)>,
    prompts: Arc<HashSet<Box<str>>>,
    /// What runs, and who gets which arm.
    pub(crate) experiments: Experiments,
}

/// Why nothing can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// There is no such prompt.
    Prompt,
    /// There is no such environment.
    Environment,
    /// The prompt is there but serves nothing in this environment.
    Deployment,
}

impl Project {
    /// What serves there.
    pub fn resolve(&self, environment: &str, prompt: &str) -> Result<&Arc<ServedPrompt>, Missing> {
        let (_, served) = self
            .environments
            .get(environment)
            .ok_or(Missing::Environment)?;
        served.get(prompt).ok_or_else(|| {
            if self.prompts.contains(prompt) {
                Missing::Deployment
            } else {
                Missing::Prompt
            }
        })
    }

    /// The environment in which that deployment serves now.
    #[must_use]
    pub fn place_of(&self, deployment: DeploymentId) -> Option<&str> {
        let serves = |served: &Environment| {
            let mut each = served.values();
            each.any(|prompt| prompt.deployment_id == deployment)
        };
        self.environments
            .iter()
            .find(|(_, (_, served))| serves(served))
            .map(|(name, _)| &**name)
    }

    /// The environment's id and everything that serves in it.
    #[must_use]
    pub fn environment(&self, name: &str) -> Option<(EnvironmentId, &Arc<Environment>)> {
        self.environments
            .get(name)
            .map(|(id, served)| (*id, served))
    }
}

/// A key that works, and when it was last used.
pub struct Key {
    /// Who acts with it.
    pub actor: Arc<Actor>,
    /// Which one.
    pub id: KeyId,
    /// Unix seconds of the last use not yet written down; 0: none.
    pub used_at: AtomicI64,
}

/// Everything, at one moment.
#[derive(Clone, Default)]
pub struct Snapshot {
    projects: HashMap<ProjectId, Arc<Project>>,
    keys: Arc<HashMap<[u8; 32], Arc<Key>>>,
}

impl Snapshot {
    /// A project's part.
    #[must_use]
    pub fn project(&self, id: ProjectId) -> Option<&Arc<Project>> {
        self.projects.get(&id)
    }

    /// The key with that hash, if it works.
    #[must_use]
    pub fn key(&self, hash: &[u8; 32]) -> Option<&Arc<Key>> {
        self.keys.get(hash)
    }

    /// All keys, to write down when they were used.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<Key>> {
        self.keys.values()
    }
}

/// The current snapshot and whether it may be behind.
#[derive(Default)]
pub struct Serving {
    current: ArcSwap<Snapshot>,
    stale: AtomicBool,
}

/// What an update brought.
pub struct Update {
    /// The project.
    pub project: ProjectId,
    /// Changes in order; none when the feed had a gap and everything was read again.
    pub changes: Option<Vec<Change>>,
}

impl Serving {
    /// The snapshot as it is now.
    #[must_use]
    pub fn now(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// The project's part, to keep for longer.
    #[must_use]
    pub fn project(&self, id: ProjectId) -> Option<Arc<Project>> {
        self.current.load().project(id).cloned()
    }

    /// Whether the database is away, so that what serves may be old.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Relaxed)
    }

    /// Notes whether the database is away.
    pub fn set_stale(&self, stale: bool) {
        if self.stale.swap(stale, Ordering::Relaxed) != stale {
            if stale {
                tracing::warn!("the database is away: serving goes on from memory, marked stale");
            } else {
                tracing::info!("the database is back: the snapshot is up to date");
            }
        }
    }

    /// Reads everything. Called once at start, by the one task that also updates.
    pub async fn load(&self, store: &Store) -> store::Result<()> {
        let mut snapshot = Snapshot {
            projects: HashMap::new(),
            keys: Arc::new(keys(store, None).await?),
        };
        for (project, _) in store::changes::heads(store).await? {
            if let Some(loaded) = load_project(store, project).await? {
                snapshot.projects.insert(project, Arc::new(loaded));
            }
        }
        self.current.store(Arc::new(snapshot));
        Ok(())
    }

    /// Catches up with every project that has moved on. Only the updating task calls this,
    /// so replacing the snapshot needs no lock.
    pub async fn catch_up(&self, store: &Store) -> store::Result<Vec<Update>> {
        let mut updates = Vec::new();
        for (project, sequence) in store::changes::heads(store).await? {
            let known = self
                .current
                .load()
                .project(project)
                .map(|project| project.sequence);
            if known.is_none_or(|known| known < sequence) {
                updates.extend(self.update(store, project).await?);
            }
        }
        Ok(updates)
    }

    /// Brings one project up to date.
    pub async fn update(&self, store: &Store, id: ProjectId) -> store::Result<Option<Update>> {
        /// More changes than this are read faster as a whole.
        const MOST: i64 = 500;
        let snapshot = self.current.load_full();
        let Some(known) = snapshot.project(id) else {
            return self.reload(store, &snapshot, id).await;
        };
        let changes = store::changes::after(store, id, known.sequence, MOST).await?;
        let Some(last) = changes.last() else {
            return Ok(None);
        };
        let is_gapless = changes
            .first()
            .is_some_and(|first| first.sequence == known.sequence + 1);
        if !is_gapless || i64::try_from(changes.len()).unwrap_or(MOST) >= MOST {
            return self.reload(store, &snapshot, id).await;
        }

        let mut project = Project::clone(known);
        project.sequence = last.sequence;
        let mut next = Snapshot::clone(&snapshot);
        let is = |kind: &str| changes.iter().any(|change| change.kind == kind);
        let names = |kind: &str| -> Vec<String> {
            changes
                .iter()
                .filter(|change| change.kind == kind)
                .filter_map(|change| change.payload.get("prompt").and_then(Value::as_str))
                .map(str::to_owned)
                .collect()
        };
        if is("environment") {
            for (name, id) in store::serving::environments(store, id).await? {
                project
                    .environments
                    .entry(name.into())
                    .or_insert_with(|| (id, Arc::default()));
            }
        }
        if is("prompt") {
            let mut prompts = HashSet::clone(&project.prompts);
            prompts.extend(names("prompt").into_iter().map(String::into_boxed_str));
            project.prompts = Arc::new(prompts);
        }
        let deployed = names("deployment");
        if !deployed.is_empty() {
            insert(
                &mut project,
                store::serving::served(store, id, Some(&deployed)).await?,
            );
        }
        // A release of a prompt with an experiment says so: it ends it.
        if is("experiment") {
            project.experiments = Experiments::new(store::serving::experiments(store, id).await?);
        }
        if is("key") {
            next.keys = Arc::new(keys(store, Some(&snapshot.keys)).await?);
        }
        next.projects.insert(id, Arc::new(project));
        self.current.store(Arc::new(next));
        Ok(Some(Update {
            project: id,
            changes: Some(changes),
        }))
    }

    async fn reload(
        &self,
        store: &Store,
        snapshot: &Snapshot,
        id: ProjectId,
    ) -> store::Result<Option<Update>> {
        let Some(project) = load_project(store, id).await? else {
            return Ok(None);
        };
        let mut next = snapshot.clone();
        next.projects.insert(id, Arc::new(project));
        next.keys = Arc::new(keys(store, Some(&snapshot.keys)).await?);
        self.current.store(Arc::new(next));
        Ok(Some(Update {
            project: id,
            changes: None,
        }))
    }
}

async fn load_project(store: &Store, id: ProjectId) -> store::Result<Option<Project>> {
    let Some(loaded) = store::serving::load(store, id).await? else {
        return Ok(None);
    };
    let mut project = Project {
        sequence: loaded.sequence,
        environments: loaded
            .environments
            .into_iter()
            .map(|(name, id)| (name.into_boxed_str(), (id, Arc::default())))
            .collect(),
        prompts: Arc::new(
            loaded
                .prompts
                .iter()
                .map(|name| Box::from(name.as_str()))
                .collect(),
        ),
        experiments: Experiments::new(loaded.experiments),
    };
    insert(&mut project, loaded.served);
    Ok(Some(project))
}

fn insert(project: &mut Project, served: Vec<Served>) {
    let mut by_environment: HashMap<String, Vec<Served>> = HashMap::new();
    for one in served {
        by_environment
            .entry(one.environment.clone())
            .or_default()
            .push(one);
    }
    for (name, served) in by_environment {
        if let Some((_, environment)) = project.environments.get_mut(name.as_str()) {
            // Copies the map only while a request still reads the old one.
            let environment = Arc::make_mut(environment);
            for one in served {
                environment.insert(
                    Box::from(one.prompt.as_str()),
                    Arc::new(ServedPrompt::new(one)),
                );
            }
        }
    }
}

/// The keys that work; uses not yet written down are carried over.
async fn keys(
    store: &Store,
    before: Option<&HashMap<[u8; 32], Arc<Key>>>,
) -> store::Result<HashMap<[u8; 32], Arc<Key>>> {
    let mut keys = HashMap::new();
    for key in store::keys::live(store).await? {
        let Ok(hash) = <[u8; 32]>::try_from(key.key_hash.as_slice()) else {
            tracing::error!(key.id = %key.id, "a stored key's hash has the wrong length");
            continue;
        };
        let used_at = before
            .and_then(|before| before.get(&hash))
            .map_or(0, |known| known.used_at.load(Ordering::Relaxed));
        keys.insert(
            hash,
            Arc::new(Key {
                id: key.id,
                actor: Arc::new(holder(key)),
                used_at: AtomicI64::new(used_at),
            }),
        );
    }
    Ok(keys)
}

/// Who acts with a key.
fn holder(key: LiveKey) -> Actor {
    Actor {
        who: Who::Key {
            id: key.id,
            name: key.name,
        },
        project: key.project,
        grant: Grant::Scopes {
            scopes: key.scopes,
            environments: key.environments,
        },
    }
}

/// Takes the uses that have not been written down yet.
#[must_use]
pub fn take_uses(snapshot: &Snapshot) -> Vec<KeyId> {
    snapshot
        .keys()
        .filter(|key| key.used_at.swap(0, Ordering::Relaxed) != 0)
        .map(|key| key.id)
        .collect()
}
