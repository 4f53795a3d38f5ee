//! Those who act in the demo's scripts, and the clients that follow.

use std::collections::HashMap;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::{Actor, Grant, Who},
    id::{DeploymentId, EnvironmentId},
    lifecycle::Status,
    release::Policy,
};
use store::{
    Store,
    consumers::{self, Applied, Sighting},
    environments, keys, people, projects, promotions, prompts,
    releases::{self, Seen},
    versions,
};
use uuid::Uuid;

use super::{
    CLIENTS, Client, PEOPLE, PROJECT, experiments,
    script::{Action, Release, Step},
};

/// Plays steps.
pub struct Player<'a> {
    pub store: &'a Store,
    pub operator: &'a Actor,
    cast: HashMap<String, Actor>,
    environments: HashMap<String, EnvironmentId>,
}

impl<'a> Player<'a> {
    pub async fn new(store: &'a Store, operator: &'a Actor) -> anyhow::Result<Self> {
        let mut cast = HashMap::new();
        for person in PEOPLE {
            let found = people::by_email(store, person.email)
                .await?
                .with_context(|| format!("{} has left", person.email))?;
            let (actor, _) = projects::actor(store, found.id, PROJECT)
                .await?
                .with_context(|| format!("{} has left the project", person.email))?;
            cast.insert(person.role.word().to_owned(), actor);
        }
        for key in keys::list(store, operator).await? {
            let actor = Actor {
                who: Who::Key {
                    id: key.id,
                    name: key.name.clone(),
                },
                project: operator.project,
                grant: Grant::Scopes {
                    scopes: key.scopes,
                    environments: key.environments,
                },
            };
            cast.insert(key.name, actor);
        }
        let environments = store::serving::environments(store, operator.project).await?;
        Ok(Self {
            store,
            operator,
            cast,
            environments: environments.into_iter().collect(),
        })
    }

    pub async fn play(&self, index: usize, step: &Step) -> anyhow::Result<()> {
        let by = self
            .cast
            .get(&step.by)
            .with_context(|| format!("nobody is called {}", step.by))?;
        let at = step.at;
        match &step.action {
            Action::Suite(_)
            | Action::Cases { .. }
            | Action::GateRule { .. }
            | Action::Run { .. } => self.evaluate(by, step).await?,
            Action::Schedule { .. } | Action::Check { .. } => self.look_after(by, step).await?,
            Action::Guard { environment } => {
                let policy = Policy::guarded();
                environments::set_policy(self.store, by, environment, policy, at).await?;
            }
            Action::Prompt {
                name,
                description,
                tags,
            } => {
                prompts::create(self.store, by, name, description, tags, at).await?;
            }
            Action::Version {
                prompt,
                content,
                change,
            } => {
                let content = content.as_ref().clone();
                versions::create(self.store, by, prompt, content, change, None, at).await?;
            }
            Action::Status {
                prompt,
                version,
                deprecate,
                reason,
            } => {
                let to = if *deprecate {
                    Status::Deprecated
                } else {
                    Status::Testing
                };
                versions::set_status(self.store, by, prompt, *version, to, reason, at).await?;
            }
            Action::Plan(tale) => {
                store::experiments::create(self.store, by, &tale.plan()?, at).await?;
            }
            Action::Start(tale) => experiments::start(self.store, by, tale, at).await?,
            Action::Release {
                prompt,
                environment,
                kind,
                reason,
            } => {
                let release = releases::Release {
                    prompt,
                    environment,
                    reason,
                    seen: Seen::OnArrival,
                };
                self.connect(environment, at).await?;
                let deployment = match *kind {
                    Release::Promote(version) => {
                        promotions::request(self.store, by, &release, version, at)
                            .await?
                            .deployment_id
                    }
                    Release::BreakGlass(version) => Some(
                        releases::break_glass(self.store, by, &release, version, at)
                            .await?
                            .deployment_id,
                    ),
                    Release::RollBack(to) => Some(
                        releases::roll_back(self.store, by, &release, to, at)
                            .await?
                            .deployment_id,
                    ),
                };
                if let Some(deployment) = deployment {
                    self.confirm(index, environment, deployment, at).await?;
                }
            }
        }
        Ok(())
    }

    fn sighting(&self, client: &Client, at: DateTime<Utc>, open: bool) -> anyhow::Result<Sighting> {
        let environment = self.environments.get(client.environment);
        Ok(Sighting {
            project: self.operator.project,
            environment: *environment
                .with_context(|| format!("there is no environment {}", client.environment))?,
            consumer: client.consumer.to_owned(),
            connection: Uuid::nil(),
            at,
            open,
        })
    }

    /// The environment's clients are there when something is released.
    async fn connect(&self, environment: &str, at: DateTime<Utc>) -> anyhow::Result<()> {
        let seen = clients(environment)
            .map(|client| self.sighting(client, at, true))
            .collect::<anyhow::Result<Vec<_>>>()?;
        Ok(consumers::sighted(self.store, &seen).await?)
    }

    /// Each of them confirms in its own time.
    async fn confirm(
        &self,
        index: usize,
        environment: &str,
        deployment: DeploymentId,
        at: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let words: Vec<Applied> = (0..)
            .zip(clients(environment))
            .map(|(place, client)| Applied {
                project: self.operator.project,
                deployment,
                consumer: client.consumer.to_owned(),
                at: at + took(index, place, client),
            })
            .collect();
        Ok(consumers::applied(self.store, &words).await?)
    }

    /// Whoever followed in the past is not connected now; the real clients are about to be.
    pub async fn disconnect_all(&self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let gone = CLIENTS
            .iter()
            .map(|client| self.sighting(client, now, false))
            .collect::<anyhow::Result<Vec<_>>>()?;
        Ok(consumers::sighted(self.store, &gone).await?)
    }
}

fn clients(environment: &str) -> impl Iterator<Item = &'static Client> {
    CLIENTS
        .iter()
        .filter(move |client| client.environment == environment)
}

/// A time between the client's least and most, another one for every deployment, always the same.
fn took(index: usize, place: usize, client: &Client) -> TimeDelta {
    let (least, most) = client.takes_ms;
    let spread = (index * 7_919 + place * 104_729) % 1_000;
    let spread = u64::try_from(spread).unwrap_or_default();
    TimeDelta::milliseconds((least + (most - least) * spread / 1_000).cast_signed())
}
