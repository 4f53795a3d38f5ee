//! Plays the demo's histories into a database, once. A start that was interrupted half-way is
//! taken up where it stopped: the trail's entries tell how far it came.

use std::{collections::HashMap, time::Duration};

use anyhow::{Context, anyhow, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::{Actor, Grant, Scope, Who},
    field::Fields,
    gate::GatePolicy,
    id::{DeploymentId, EnvironmentId, SuiteId},
    lifecycle::Status,
    page::PageRequest,
    prompt::PRODUCTION,
    provider::NewProvider,
    release::Policy,
    run::RunOptions,
};
use serde_json::json;
use store::{
    Store, audit,
    consumers::{self, Applied, Sighting},
    environments,
    gates::{self, NewGate},
    keys::{self, NewKey},
    members, people, projects, promotions, prompts, providers,
    releases::{self, Seen},
    runs::{self, NewRun, Subject, work},
    secret::Secret,
    suites, versions,
};
use uuid::Uuid;

use super::{
    CLIENTS, Client, PEOPLE, PROJECT, PROJECT_NAME, PROVIDERS,
    credentials::API_KEY,
    experiments,
    script::{self, Action, Release, Step},
};

/// How long ago Acme began, in days: before the first step of any script.
const BEGAN_DAYS: i64 = 91;
/// A key that scripts act with, or that people find in the settings. Nobody holds its secret.
struct Key {
    name: &'static str,
    scopes: &'static [Scope],
    /// Empty: all.
    environments: &'static [&'static str],
}

const KEYS: [Key; 3] = [
    Key {
        name: "ci pipeline",
        scopes: &[
            Scope::PromptsRead,
            Scope::DraftsWrite,
            Scope::PromotionsRequest,
        ],
        environments: &["staging", "development"],
    },
    Key {
        name: "support-api production",
        scopes: &[Scope::PromptsRead, Scope::EventsWrite],
        environments: &["production"],
    },
    Key {
        name: "nightly evals",
        scopes: &[Scope::PromptsRead, Scope::EvalsRun],
        environments: &[],
    },
];

/// Makes the project and its history unless they are there; answers the operator's place in it.
pub async fn load(store: &Store, now: DateTime<Utc>) -> anyhow::Result<Actor> {
    let operator = found(store, now).await?;
    // The demo's key is installed last. Once it is there, entries in the trail are people's own.
    let known = keys::list(store, &operator).await?;
    if known.iter().any(|key| key.name == API_KEY) {
        return Ok(operator);
    }
    // The project, its people, keys and providers, and production opened: one entry each.
    let n_before = i64::try_from(2 + PEOPLE.len() + KEYS.len() + PROVIDERS.len())?;
    let mut n_entries = count_entries(store, &operator).await?;
    if n_entries < n_before {
        // Acme's history is older than its rule that production asks for a gate and an approval.
        let at = now - TimeDelta::days(BEGAN_DAYS) + TimeDelta::minutes(30);
        environments::set_policy(store, &operator, PRODUCTION, Policy::default(), at).await?;
        n_entries += 1;
    }
    let steps = script::steps(now)?;
    let mut n_done = usize::try_from((n_entries - n_before).max(0))?;
    let player = Player::new(store, &operator).await?;
    for (index, step) in steps.iter().enumerate() {
        // What a run's answers make is not in the trail: the last step that was begun is ended.
        if n_done > step.n_entries() {
            n_done -= step.n_entries();
            continue;
        }
        if n_done > 0 {
            n_done = 0;
            player.end(step).await?;
            continue;
        }
        let told = || {
            format!(
                "the demo's history stopped at {}: {:?}",
                step.at, step.action
            )
        };
        player.play(index, step).await.with_context(told)?;
    }
    player.disconnect_all(now).await?;
    experiments::fill(store, &operator, now)
        .await
        .context("the demo's experiments")?;
    Ok(operator)
}

/// How far the trail goes.
async fn count_entries(store: &Store, operator: &Actor) -> anyhow::Result<i64> {
    let filter = audit::Filter::default();
    let newest = audit::list(store, operator, &filter, &PageRequest::first(1)).await?;
    Ok(newest.items.first().map_or(0, |entry| entry.sequence))
}

/// The project, its people and keys.
async fn found(store: &Store, now: DateTime<Utc>) -> anyhow::Result<Actor> {
    let began = now - TimeDelta::days(BEGAN_DAYS);
    let all = projects::all(store).await?;
    if !all.iter().any(|(_, slug)| slug == PROJECT) {
        ensure!(
            all.is_empty(),
            "this database holds other projects, and the demo's sign-ins are printed: give it a database of its own"
        );
        people::create_project_as_system(store, PROJECT, PROJECT_NAME, began).await?;
    }
    let operator = projects::operator(store, PROJECT).await?;
    let known = members::list(store, &operator).await?;
    for (index, person) in (1..).zip(PEOPLE) {
        if !known.iter().any(|member| member.email == person.email) {
            let at = began + TimeDelta::minutes(index);
            members::add(store, &operator, person.email, person.name, person.role, at).await?;
        }
    }
    let known = keys::list(store, &operator).await?;
    for (index, key) in (10..).zip(KEYS) {
        if known.iter().any(|known| known.name == key.name) {
            continue;
        }
        let environments: Vec<String> = key.environments.iter().map(ToString::to_string).collect();
        let new = NewKey {
            name: key.name.to_owned(),
            scopes: key.scopes.to_vec(),
            environments: (!environments.is_empty()).then_some(environments),
        };
        let at = began + TimeDelta::minutes(index);
        keys::create(store, &operator, new, &Secret::new_key()?, at).await?;
    }
    let known = providers::list(store, &operator).await?;
    for (index, provider) in (20..).zip(PROVIDERS) {
        if known.iter().any(|known| known.name == provider.name) {
            continue;
        }
        let new = json!({
            "name": provider.name, "kind": provider.kind, "base_url": provider.base_url,
            "max_concurrency": 4,
        });
        let new =
            NewProvider::parse(Fields::new("", new)).map_err(|errors| anyhow!("{errors:?}"))?;
        let seal = |_, _: &str| {
            Err(store::Error::conflict(
                "no_key",
                "the demo has no keys to seal",
            ))
        };
        let at = began + TimeDelta::minutes(index);
        providers::save(store, &operator, &new, &seal, at).await?;
    }
    Ok(operator)
}

/// Those who act in the scripts, and the clients that follow.
struct Player<'a> {
    store: &'a Store,
    operator: &'a Actor,
    cast: HashMap<String, Actor>,
    environments: HashMap<String, EnvironmentId>,
}

impl<'a> Player<'a> {
    async fn new(store: &'a Store, operator: &'a Actor) -> anyhow::Result<Self> {
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

    async fn play(&self, index: usize, step: &Step) -> anyhow::Result<()> {
        let by = self
            .cast
            .get(&step.by)
            .with_context(|| format!("nobody is called {}", step.by))?;
        let at = step.at;
        match &step.action {
            Action::Suite(new) => {
                suites::create(self.store, by, new, at).await?;
            }
            Action::Cases { suite, cases } => {
                let suite = self.suite(suite).await?;
                suites::add_cases(self.store, by, suite, cases, at).await?;
            }
            Action::GateRule { prompt, suite } => {
                let suite = self.suite(suite).await?;
                let policy = GatePolicy::default();
                gates::set_rule(self.store, by, prompt, PRODUCTION, suite, &policy, at).await?;
            }
            Action::Run {
                prompt,
                version,
                suite,
                is_gate,
                ..
            } => {
                let suite = self.suite(suite).await?;
                let subject = Subject::Saved(*version);
                if *is_gate {
                    let new = NewGate {
                        prompt,
                        subject,
                        suite: Some(suite),
                        policy: None,
                    };
                    gates::ask(self.store, by, new, at).await?;
                } else {
                    let options = RunOptions {
                        repeats: 1,
                        ..RunOptions::default()
                    };
                    let new = NewRun {
                        prompt,
                        subject,
                        suite,
                        options,
                    };
                    runs::launch(self.store, by, &new, at).await?;
                }
                self.end(step).await?;
            }
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

    async fn suite(&self, name: &str) -> anyhow::Result<SuiteId> {
        suites::resolve(self.store, self.operator, name)
            .await?
            .with_context(|| format!("there is no suite {name:?}"))
    }

    /// Gives a run that was launched its recorded answers; other steps end with what they begin.
    async fn end(&self, step: &Step) -> anyhow::Result<()> {
        let Action::Run {
            prompt,
            version,
            answers,
            ..
        } = &step.action
        else {
            return Ok(());
        };
        let filter = runs::Filter {
            prompt: Some(prompt),
            version: Some(*version),
            ..runs::Filter::default()
        };
        let found = runs::list(self.store, self.operator, &filter, &PageRequest::first(1)).await?;
        let run = found.items.first().context("the run is not there")?;
        let job = work::job(self.store, run.id)
            .await?
            .context("the run is not there")?;
        let (lease, lasts) = (Uuid::new_v4(), Duration::from_secs(60));
        let mut at = step.at;
        loop {
            let claimed = work::claim(self.store, run.id, lease, 4, lasts, at).await?;
            if claimed.is_empty() {
                break;
            }
            let mut took = TimeDelta::zero();
            let mut results = Vec::with_capacity(claimed.len());
            for claimed in &claimed {
                let answer = usize::try_from(claimed.position - 1)
                    .ok()
                    .and_then(|place| answers.get(place))
                    .with_context(|| format!("case {} has no answer", claimed.position))?;
                took = took.max(answer.took());
                results.push(answer.result(claimed, &job.scorers)?);
            }
            // Four at a time, as the model was asked.
            at += took;
            work::finish(self.store, run.id, lease, &results, at).await?;
        }
        // Asks nobody where there is no gate, and decides nothing twice.
        Ok(gates::decide(self.store, self.operator.project, run.id, at).await?)
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
    async fn disconnect_all(&self, now: DateTime<Utc>) -> anyhow::Result<()> {
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
