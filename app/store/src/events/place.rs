//! Where an event belongs: its names looked up in the project, and what does not fit refused.

use std::{borrow::Cow, sync::Arc};

use chrono::TimeDelta;
use domain::{
    actor::{Actor, Grant, Permission},
    experiment::Status,
    monitor::{
        Kind,
        sampling::{Redaction, Sampling},
    },
};
use serde_json::Value;

use sha2::{Digest, Sha256};

use crate::monitor::sums::Place;

use super::{DateTime, Event, HashMap, HashSet, Result, Store, Utc, Uuid, cost::ByModel};

/// An experiment, as far as events touch it.
pub(super) struct Plan {
    prompt_id: Uuid,
    prompt: String,
    environment_id: Uuid,
    environment: String,
    status: Status,
    started_at: Option<DateTime<Utc>>,
    stopped_at: Option<DateTime<Utc>>,
    pub primary_metric: String,
    arms: Vec<String>,
    /// The arms' versions.
    versions: Vec<i32>,
    pub guardrails: Vec<String>,
}

/// What the events of a batch name, as far as it exists.
pub(super) struct Known {
    /// By name: the prompt and its newest version's number.
    prompts: HashMap<String, (Uuid, i32)>,
    environments: HashMap<String, Uuid>,
    experiments: HashMap<Uuid, Plan>,
    prices: ByModel,
    sampling: Sampling,
    redaction: Arc<Redaction>,
    /// The environment of a key that is bound to one only.
    own_environment: Option<String>,
    is_bound: bool,
}

/// An event and the rows it is about.
pub(super) struct Placed<'a> {
    pub event: &'a Event,
    /// What stands for its id among all projects' events.
    pub key: Uuid,
    pub prompt: Option<Uuid>,
    pub environment: Option<Uuid>,
    /// As it was said, or the arm's.
    pub version: Option<i32>,
    pub arm: Option<u8>,
    /// What the call cost: as it was reported, or by the price table.
    pub cost_usd: Option<f64>,
    /// Whether it is kept to be read.
    pub is_sample: bool,
    /// What is stored of its words.
    pub words: Words<'a>,
    /// Its experiment.
    pub plan: Option<&'a Plan>,
}

/// What is stored of a call's words, without what the project takes out.
pub(super) struct Words<'a> {
    /// What the prompt was filled with; of samples only.
    pub variables: Option<Cow<'a, Value>>,
    /// What the model wrote; of samples only.
    pub output: Option<Cow<'a, str>>,
    /// Why the call failed.
    pub error: Option<Cow<'a, str>>,
}

impl Known {
    /// Looks up everything the events name.
    pub async fn load(store: &Store, by: &Actor, events: &[(usize, Event)]) -> Result<Self> {
        let named = |name: fn(&Event) -> Option<&str>| -> Vec<String> {
            let names: HashSet<&str> = events.iter().filter_map(|(_, event)| name(event)).collect();
            names.into_iter().map(str::to_owned).collect()
        };
        let bound = match &by.grant {
            Grant::Scopes { environments, .. } => environments.as_deref(),
            Grant::Role(_) | Grant::Operator => None,
        };
        let own_environment = match bound {
            Some([one]) => Some(one.clone()),
            Some(_) | None => None,
        };
        let mut environments = named(|event| event.environment.as_deref());
        environments.extend(own_environment.clone());
        let experiments: HashSet<Uuid> = events
            .iter()
            .filter_map(|(_, event)| event.experiment)
            .collect();
        let experiments: Vec<Uuid> = experiments.into_iter().collect();
        // Events without words are spared the question. Providers' errors quote what they refused.
        let says = |(_, event): &(usize, Event)| {
            event.variables.is_some() || event.output.is_some() || event.call.error.is_some()
        };
        let sampling = if events.iter().any(says) {
            crate::sampling::of_project(store, by.project).await?
        } else {
            Sampling::default()
        };
        Ok(Self {
            prompts: load_prompts(store, by, &named(|event| event.prompt.as_deref())).await?,
            environments: load_environments(store, by, &environments).await?,
            experiments: load_experiments(store, by, &experiments).await?,
            prices: ByModel::load(store, by.project, events.iter().map(|(_, event)| event)).await?,
            redaction: crate::sampling::redaction(by.project, &sampling)?,
            sampling,
            own_environment,
            is_bound: bound.is_some(),
        })
    }

    /// What is stored of the event's words. Only what is stored is searched.
    fn words<'a>(&self, event: &'a Event, is_sample: bool) -> Words<'a> {
        let is_whole = self.redaction.is_empty();
        let text = |text: &'a String| {
            if is_whole {
                Cow::Borrowed(text.as_str())
            } else {
                Cow::Owned(self.redaction.text(text))
            }
        };
        let value = |value: &'a Value| {
            if is_whole {
                Cow::Borrowed(value)
            } else {
                Cow::Owned(self.redaction.value(value))
            }
        };
        let (variables, output) = (event.variables.as_ref(), event.output.as_ref());
        Words {
            variables: variables.filter(|_| is_sample).map(value),
            output: output.filter(|_| is_sample).map(text),
            error: event.call.error.as_ref().map(text),
        }
    }

    /// Where the event belongs, or why nowhere.
    pub fn place<'a>(&'a self, by: &Actor, event: &'a Event) -> Result<Placed<'a>, String> {
        let key = key(by, event);
        let is_sample = self.sampling.keeps(key);
        let mut placed = Placed {
            event,
            key,
            prompt: None,
            environment: None,
            version: event.version,
            arm: None,
            cost_usd: event.call.cost_usd.or_else(|| self.prices.cost_of(event)),
            is_sample,
            words: self.words(event, is_sample),
            plan: None,
        };
        let mut environment = event.environment.as_deref();
        if let Some(id) = event.experiment {
            let plan = self
                .experiments
                .get(&id)
                .ok_or("experiment: there is no such experiment")?;
            placed.arm = plan.take(event)?;
            let version = placed
                .arm
                .and_then(|arm| plan.versions.get(usize::from(arm)));
            if let Some(said) = event.version
                && !plan.versions.contains(&said)
            {
                return Err(format!("version: no arm of the experiment serves v{said}"));
            }
            placed.version = placed.version.or(version.copied());
            placed.prompt = Some(plan.prompt_id);
            placed.environment = Some(plan.environment_id);
            placed.plan = Some(plan);
            environment = Some(&plan.environment);
        }
        if let Some(name) = &event.prompt {
            let (prompt, newest) = self
                .prompts
                .get(name)
                .ok_or("prompt: there is no such prompt")?;
            if event.version.is_some_and(|version| version > *newest) {
                return Err("version: the prompt has no such version".to_owned());
            }
            placed.prompt = Some(*prompt);
        }
        if self.is_bound {
            let name = environment
                .or(self.own_environment.as_deref())
                .ok_or("environment: is required, because this key is bound to environments")?;
            by.may_in(Permission::WriteEvents, name)
                .map_err(|denied| format!("environment: {denied}"))?;
            environment = Some(name);
        }
        if placed.environment.is_none()
            && let Some(name) = environment
        {
            let found = self.environments.get(name).copied();
            placed.environment = Some(found.ok_or("environment: there is no such environment")?);
        }
        Ok(placed)
    }
}

impl Placed<'_> {
    /// Whose traffic it is; none where it is about no prompt.
    pub fn traffic(&self) -> Option<Place> {
        Some(Place {
            prompt: self.prompt?,
            environment: self.environment.unwrap_or_default(),
            version: self.version.unwrap_or_default(),
        })
    }
}

/// Half of the SHA-256 of project and id: nobody can make an id that meets another project's.
fn key(by: &Actor, event: &Event) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(by.project.0.as_bytes());
    hash.update(event.id.as_bytes());
    let digest = hash.finalize();
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    Uuid::from_bytes(half)
}

impl Plan {
    /// The arm's position, if the event may belong to this experiment.
    fn take(&self, event: &Event) -> Result<Option<u8>, String> {
        if event
            .prompt
            .as_ref()
            .is_some_and(|name| *name != self.prompt)
        {
            return Err(format!(
                "prompt: the experiment is about the prompt {}",
                self.prompt
            ));
        }
        if event
            .environment
            .as_ref()
            .is_some_and(|name| *name != self.environment)
        {
            return Err(format!(
                "environment: the experiment runs in {}",
                self.environment
            ));
        }
        let arm = match &event.arm {
            None => None,
            Some(name) => {
                let position = self.arms.iter().position(|arm| arm == name);
                let position = position.and_then(|position| u8::try_from(position).ok());
                Some(position.ok_or_else(|| {
                    format!("arm: the experiment has the arms {}", self.arms.join(", "))
                })?)
            }
        };
        let Some(started_at) = self.started_at.filter(|_| self.status != Status::Draft) else {
            return Err("experiment: it has not started".to_owned());
        };
        // The client's clock may be behind, as it may be ahead.
        if event.at < started_at - TimeDelta::minutes(domain::monitor::AHEAD_MINUTES) {
            return Err("at: the experiment had not started".to_owned());
        }
        if self.stopped_at.is_some_and(|stopped| event.at > stopped) {
            return Err("at: the experiment had been stopped".to_owned());
        }
        let is_primary = event.metric.as_ref() == Some(&self.primary_metric);
        if is_primary && event.kind != Kind::Exposure {
            #[expect(clippy::float_cmp, reason = "exactly these two are meant")]
            let is_bit = event
                .value
                .is_some_and(|value| value == 0.0 || value == 1.0);
            if !is_bit {
                return Err("value: must be 0 or 1, for the primary metric".to_owned());
            }
        }
        Ok(arm)
    }
}

async fn load_prompts(
    store: &Store,
    by: &Actor,
    names: &[String],
) -> Result<HashMap<String, (Uuid, i32)>> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        "select prompt_id, name, latest_number from prompt where project_id = $1 and name = any($2)",
        by.project.0,
        names,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.name, (row.prompt_id, row.latest_number)))
        .collect())
}

async fn load_environments(
    store: &Store,
    by: &Actor,
    names: &[String],
) -> Result<HashMap<String, Uuid>> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        "select environment_id, name from environment where project_id = $1 and name = any($2)",
        by.project.0,
        names,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.name, row.environment_id))
        .collect())
}

async fn load_experiments(store: &Store, by: &Actor, ids: &[Uuid]) -> Result<HashMap<Uuid, Plan>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        r#"select experiment_id, prompt_id, prompt.name as prompt, environment_id,
                  environment.name as environment, status as "status: Status", started_at, stopped_at,
                  primary_metric,
                  array(select name from experiment_arm
                        where experiment_arm.experiment_id = experiment.experiment_id
                        order by position) as "arms!",
                  array(select number from experiment_arm
                        join version using (version_id)
                        where experiment_arm.experiment_id = experiment.experiment_id
                        order by position) as "versions!",
                  array(select metric from experiment_guardrail
                        where experiment_guardrail.experiment_id = experiment.experiment_id
                        order by position) as "guardrails!"
           from experiment
           join prompt using (prompt_id)
           join environment using (environment_id)
           where experiment.project_id = $1 and experiment_id = any($2)"#,
        by.project.0,
        ids,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let plan = Plan {
                prompt_id: row.prompt_id,
                prompt: row.prompt,
                environment_id: row.environment_id,
                environment: row.environment,
                status: row.status,
                started_at: row.started_at,
                stopped_at: row.stopped_at,
                primary_metric: row.primary_metric,
                arms: row.arms,
                versions: row.versions,
                guardrails: row.guardrails,
            };
            (row.experiment_id, plan)
        })
        .collect())
}
