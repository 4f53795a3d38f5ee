//! What a change costs through the providers' caches, from what is known of versions, prices and
//! traffic; and what a prompt's settings say about it. The reckoning itself is in `domain::cache`.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::{Actor, Permission},
    cache::{
        Ttl,
        budget::CacheSettings,
        estimate::{self, Change, Estimate, Inputs, Known},
        shortest_ttl,
    },
    content::Content,
    cost::{Price, price_at},
    id::{EnvironmentId, ProjectId, PromptId},
    prompt::PromptName,
};
use serde_json::json;
use sqlx::{PgConnection, types::Json};

use crate::{Error, Result, Store, prices, prompts, tx::Command};

mod observed;

pub(crate) use observed::quietest;
pub use observed::{Refill, of_deployment};

/// What whoever asks says of the traffic; what is left out is looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Given {
    /// Requests an hour.
    pub requests_per_hour: Option<f64>,
    /// Distinct keys behind the changed prefix.
    pub distinct_keys: Option<f64>,
    /// From sending a request to its first token, in milliseconds.
    pub ttft_ms: Option<f64>,
}

/// A prompt in an environment, as a cost is asked about it.
struct Here {
    project: ProjectId,
    prompt: PromptId,
    environment: EnvironmentId,
    settings: CacheSettings,
    serves: Option<i32>,
}

async fn here(
    store: &Store,
    project: ProjectId,
    prompt: &PromptName,
    environment: &str,
) -> Result<Option<Here>> {
    let row = sqlx::query!(
        r#"select prompt.prompt_id as "prompt: PromptId", environment_id as "environment: EnvironmentId",
                  cache_budget_usd, cache_requests_per_hour, cache_distinct_keys, version.number as "serves?"
           from prompt
           join environment using (project_id)
           left join serving using (prompt_id, environment_id)
           left join version on version.version_id = serving.version_id
           where prompt.project_id = $1 and prompt.name = $2 and environment.name = $3"#,
        project.0,
        prompt.as_str(),
        environment,
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(row.map(|row| Here {
        project,
        prompt: row.prompt,
        environment: row.environment,
        settings: CacheSettings {
            budget_usd_per_day: row.cache_budget_usd,
            requests_per_hour: row.cache_requests_per_hour,
            distinct_keys: row.cache_distinct_keys,
        },
        serves: row.serves,
    }))
}

/// The same for somebody who named it: says which of the two there is not.
async fn found(store: &Store, by: &Actor, prompt: &PromptName, environment: &str) -> Result<Here> {
    by.may(Permission::Read)?;
    match here(store, by.project, prompt, environment).await? {
        Some(here) => Ok(here),
        None if prompts::find(store, by, prompt).await?.is_some() => {
            Err(Error::NotFound("environment"))
        }
        None => Err(Error::NotFound("prompt")),
    }
}

async fn content(store: &Store, prompt: PromptId, number: i32) -> Result<Option<Content>> {
    let content = sqlx::query_scalar!(
        r#"select content as "content: Json<Content>" from version where prompt_id = $1 and number = $2"#,
        prompt.0,
        number,
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(content.map(|Json(content)| content))
}

/// Which change is asked about.
#[derive(Clone, Copy)]
struct Asked {
    from: Option<i32>,
    to: i32,
    given: Given,
    /// For a rollback: how many seconds ago it stopped serving.
    warm_seconds: Option<f64>,
}

/// A version with the prices of its model.
struct Priced {
    content: Content,
    rows: Vec<Price>,
}

async fn priced(store: &Store, here: &Here, number: i32) -> Result<Option<Priced>> {
    let Some(content) = content(store, here.prompt, number).await? else {
        return Ok(None);
    };
    let rows = match &content.model {
        Some(model) => prices::of_model(store, here.project, &model.provider, &model.name).await?,
        None => Vec::new(),
    };
    Ok(Some(Priced { content, rows }))
}

impl Here {
    async fn estimate(
        &self,
        store: &Store,
        asked: Asked,
        now: DateTime<Utc>,
    ) -> Result<Option<Estimate>> {
        let Some(new) = priced(store, self, asked.to).await? else {
            return Ok(None);
        };
        let old = match asked.from {
            Some(number) => content(store, self.prompt, number).await?,
            None => None,
        };
        let observed = self.observed(store, asked.from, now).await?;
        let change = Change {
            old: old.as_ref(),
            new: &new.content,
            price: price_at(&new.rows, now),
            inputs: self.inputs(asked.given, &observed),
            share: 1.0,
            measured_prefix: observed.cached_tokens,
            warm_seconds: asked.warm_seconds,
        };
        Ok(Some(change.estimate()))
    }

    async fn observed(
        &self,
        store: &Store,
        version: Option<i32>,
        now: DateTime<Utc>,
    ) -> Result<observed::Observed> {
        let (project, prompt) = (self.project, self.prompt);
        observed::traffic(store, project, prompt, self.environment, version, now).await
    }

    fn inputs(&self, given: Given, observed: &observed::Observed) -> Inputs {
        Inputs::of(
            Known {
                given: given.requests_per_hour,
                observed: observed.requests_per_hour,
                prompt: self.settings.requests_per_hour,
            },
            Known {
                given: given.distinct_keys,
                observed: None,
                prompt: self.settings.distinct_keys,
            },
            Known {
                given: given.ttft_ms,
                observed: observed.ttft_ms,
                prompt: None,
            },
        )
    }
}

/// What it costs if `to` replaces `from` in the environment; `from` left out is what serves there.
pub async fn of_change(
    store: &Store,
    by: &Actor,
    prompt: &PromptName,
    environment: &str,
    versions: (Option<i32>, i32),
    given: Given,
    now: DateTime<Utc>,
) -> Result<Estimate> {
    let here = found(store, by, prompt, environment).await?;
    let asked = Asked {
        from: versions.0.or(here.serves),
        to: versions.1,
        given,
        warm_seconds: None,
    };
    here.estimate(store, asked, now)
        .await?
        .ok_or(Error::NotFound("version"))
}

/// What it costs to go back to `to` in the environment: next to nothing while its prefix is still warm.
pub async fn of_rollback(
    store: &Store,
    by: &Actor,
    prompt: &PromptName,
    environment: &str,
    to: i32,
    given: Given,
    now: DateTime<Utc>,
) -> Result<Estimate> {
    let here = found(store, by, prompt, environment).await?;
    // It stopped serving when the next deployment after its last one came.
    let stopped = sqlx::query_scalar!(
        r#"select min(later.deployed_at) as "at"
           from deployment as later
           where later.prompt_id = $1 and later.environment_id = $2
             and later.deployed_at > (
                 select max(deployed_at)
                 from deployment
                 join version using (version_id)
                 where deployment.prompt_id = $1 and environment_id = $2 and number = $3)"#,
        here.prompt.0,
        here.environment.0,
        to,
    )
    .fetch_one(&store.pool)
    .await?;
    let warm_seconds = stopped.map(|at| {
        let seconds = (now - at).num_seconds().clamp(0, 1_000_000);
        f64::from(i32::try_from(seconds).unwrap_or(i32::MAX))
    });
    let asked = Asked {
        from: here.serves,
        to,
        given,
        warm_seconds,
    };
    here.estimate(store, asked, now)
        .await?
        .ok_or(Error::NotFound("version"))
}

/// An arm of an experiment, as a cost is asked about it.
#[derive(Clone, Debug, PartialEq)]
pub struct OfArm {
    /// What its version costs once if it begins to get its share of what serves; none for a version
    /// that there is not.
    pub estimate: Option<Estimate>,
    /// For how long its prefix stays warm: the shortest of its breakpoints' times.
    pub ttl: Ttl,
    /// Why its model never caches any of it; none where it does.
    pub never_cached: Option<String>,
}

/// What it costs to split the environment's traffic: each version with its share of the requests.
/// With the traffic that is said of.
pub async fn of_arms(
    store: &Store,
    by: &Actor,
    prompt: &PromptName,
    environment: &str,
    arms: &[(Option<i32>, f64)],
    given: Given,
    now: DateTime<Utc>,
) -> Result<(Inputs, Vec<OfArm>)> {
    let here = found(store, by, prompt, environment).await?;
    let observed = here.observed(store, here.serves, now).await?;
    let inputs = here.inputs(given, &observed);
    let old = match here.serves {
        Some(number) => content(store, here.prompt, number).await?,
        None => None,
    };
    let mut found = Vec::with_capacity(arms.len());
    for (version, share) in arms {
        let new = match version {
            Some(number) => priced(store, &here, *number).await?,
            None => None,
        };
        found.push(match new {
            None => OfArm {
                estimate: None,
                ttl: old.as_ref().map(shortest_ttl).unwrap_or_default(),
                never_cached: None,
            },
            Some(new) => {
                let price = price_at(&new.rows, now);
                let change = Change {
                    old: old.as_ref(),
                    new: &new.content,
                    price,
                    inputs,
                    share: *share,
                    measured_prefix: observed.cached_tokens,
                    warm_seconds: None,
                };
                OfArm {
                    estimate: Some(change.estimate()),
                    ttl: shortest_ttl(&new.content),
                    never_cached: estimate::never_cached(&new.content, price)
                        .map(|why| why.to_string()),
                }
            }
        });
    }
    Ok((inputs, found))
}

/// For a release that is asked for: what serves there, and what the change costs. Nothing where
/// one of them does not exist: whoever locks the place says which.
pub(crate) async fn of_release(
    store: &Store,
    project: ProjectId,
    prompt: &PromptName,
    environment: &str,
    to: i32,
    now: DateTime<Utc>,
) -> Result<Option<(Option<i32>, Estimate)>> {
    let Some(here) = here(store, project, prompt, environment).await? else {
        return Ok(None);
    };
    let asked = Asked {
        from: here.serves,
        to,
        given: Given::default(),
        warm_seconds: None,
    };
    let estimate = here.estimate(store, asked, now).await?;
    Ok(estimate.map(|estimate| (here.serves, estimate)))
}

/// The prompt's budget a day, and what its changes were expected to cost in the last 24 hours. What
/// went live at the same moment in the same place cost only once: the caches were cold already.
pub(crate) async fn budget(
    db: &mut PgConnection,
    prompt: PromptId,
    now: DateTime<Utc>,
) -> Result<(Option<f64>, f64)> {
    let row = sqlx::query!(
        r#"select cache_budget_usd as budget, (
               select coalesce(sum(usd), 0)
               from (
                   select max((cache_cost -> 'cost' ->> 'expected_usd')::double precision) as usd
                   from promotion
                   where prompt_id = $1 and status = 'executed' and settled_at > $2
                   group by environment_id, settled_at
               ) as spent
           ) as "spent!"
           from prompt
           where prompt_id = $1"#,
        prompt.0,
        now - TimeDelta::hours(24),
    )
    .fetch_one(db)
    .await?;
    Ok((row.budget, row.spent))
}

/// What the prompt's settings say.
pub async fn settings(store: &Store, by: &Actor, prompt: &PromptName) -> Result<CacheSettings> {
    by.may(Permission::Read)?;
    sqlx::query_as!(
        CacheSettings,
        "select cache_budget_usd as budget_usd_per_day, cache_requests_per_hour as requests_per_hour,
                cache_distinct_keys as distinct_keys
         from prompt
         where project_id = $1 and name = $2",
        by.project.0,
        prompt.as_str(),
    )
    .fetch_optional(&store.pool)
    .await?
    .ok_or(Error::NotFound("prompt"))
}

/// Sets all of it; what is left out is no longer set.
pub async fn set(
    store: &Store,
    by: &Actor,
    prompt: &PromptName,
    wanted: CacheSettings,
    now: DateTime<Utc>,
) -> Result<CacheSettings> {
    by.may(Permission::Administer)?;
    let errors = wanted.errors();
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let mut command = Command::begin(store, "set_cache_settings", by, now).await?;
    let id = prompts::lock(command.db(), by, prompt).await?;
    let before = sqlx::query_as!(
        CacheSettings,
        "select cache_budget_usd as budget_usd_per_day, cache_requests_per_hour as requests_per_hour,
                cache_distinct_keys as distinct_keys
         from prompt
         where prompt_id = $1",
        id.0,
    )
    .fetch_one(command.db())
    .await?;
    sqlx::query!(
        "update prompt
         set cache_budget_usd = $2, cache_requests_per_hour = $3, cache_distinct_keys = $4
         where prompt_id = $1",
        id.0,
        wanted.budget_usd_per_day,
        wanted.requests_per_hour,
        wanted.distinct_keys,
    )
    .execute(command.db())
    .await?;
    command.record(
        "prompt.cache_settings",
        prompt.as_str(),
        json!({ "before": before, "after": wanted }),
    );
    command.tell("prompt", json!({ "prompt": prompt }));
    command.commit().await?;
    Ok(wanted)
}

#[cfg(test)]
mod tests;
