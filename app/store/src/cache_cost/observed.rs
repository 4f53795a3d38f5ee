//! What applications reported that a cost can be reckoned from: requests and first tokens of the
//! last day, the quietest hour of the week, and what caches really wrote after a deployment.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::{Actor, Permission},
    cache::budget::CacheEvidence,
    id::{DeploymentId, EnvironmentId, ProjectId, PromptId},
    release::window::{self, Window},
};
use sqlx::types::Json;

use crate::{Error, Result, Store, monitor};

/// As many requests it takes before their cached tokens say how long the prefix is.
const MIN_REQUESTS: u64 = 30;

/// What is known of the traffic.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Observed {
    pub requests_per_hour: Option<f64>,
    pub ttft_ms: Option<f64>,
    /// Tokens of a call that went through the cache, read or written.
    pub cached_tokens: Option<f64>,
}

/// The last 24 hours in this environment, and of the version that serves there what it caches.
pub(super) async fn traffic(
    store: &Store,
    project: ProjectId,
    prompt: PromptId,
    environment: EnvironmentId,
    version: Option<i32>,
    now: DateTime<Utc>,
) -> Result<Observed> {
    let day = now - TimeDelta::hours(24);
    let of = async |version| {
        monitor::summary(store, project, prompt, Some(environment), version, day, now).await
    };
    let all = of(None).await?;
    if all.requests == 0 {
        return Ok(Observed::default());
    }
    // Reports that began an hour ago are not spread over the day.
    let hours = monitor::hourly(store, prompt, Some(environment), day, now).await?;
    let first = hours.iter().find(|(_, n)| *n > 0).map(|(at, _)| *at);
    let minutes = first.map_or(24 * 60, |at| (now - at.max(day)).num_minutes());
    let hours = f64::from(i32::try_from(minutes).unwrap_or(24 * 60)).max(60.0) / 60.0;
    let cached = match version {
        None => None,
        Some(number) => {
            let summary = of(Some(number)).await?;
            let tokens = summary.tokens.cache_read + summary.tokens.cache_write;
            (summary.requests >= MIN_REQUESTS && tokens > 0)
                .then(|| float(tokens) / float(summary.requests))
        }
    };
    Ok(Observed {
        requests_per_hour: Some(float(all.requests) / hours),
        ttft_ms: all.ttft.map(|ttft| ttft.p50),
        cached_tokens: cached,
    })
}

/// The quietest hour of the prompt in the environment, by the requests of the last week.
pub(crate) async fn quietest(
    store: &Store,
    prompt: PromptId,
    environment: EnvironmentId,
    now: DateTime<Utc>,
) -> Result<Window> {
    let since = now - TimeDelta::days(window::DAYS);
    let hours = monitor::hourly(store, prompt, Some(environment), since, now).await?;
    window::quietest(&hours, now)
        .map_err(|refusal| Error::conflict("no_quietest_hour", refusal.to_string()))
}

/// The estimate of a deployment's cache misses beside what was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Refill {
    /// As it was reckoned when the promotion was asked for.
    pub estimate: CacheEvidence,
    /// Requests with the deployed version reported in the minutes after it.
    pub requests: u64,
    /// Tokens that they wrote to the cache.
    pub cache_write_tokens: u64,
    /// Until when it was looked.
    pub until: DateTime<Utc>,
}

/// What begins within the last minute of a time to live is put down to the deployment, too.
const LAST_MINUTE: TimeDelta = TimeDelta::minutes(1);

/// For how long after a deployment what is written to the caches is put down to it: the longest time
/// to live of what changed.
fn watched(cost: &CacheEvidence) -> TimeDelta {
    cost.estimate.longest_ttl().lasts() + LAST_MINUTE
}

/// What a deployment's caches wrote, beside what was expected. Nothing for one that came by another
/// way than a promotion.
pub async fn of_deployment(
    store: &Store,
    by: &Actor,
    id: DeploymentId,
    now: DateTime<Utc>,
) -> Result<Option<Refill>> {
    by.may(Permission::Read)?;
    let row = sqlx::query!(
        r#"select deployment.prompt_id as "prompt: PromptId", deployment.environment_id as "environment: EnvironmentId",
                  version.number, deployed_at, cache_cost as "cache_cost!: Json<CacheEvidence>"
           from deployment
           join promotion using (deployment_id)
           join prompt on prompt.prompt_id = deployment.prompt_id
           join version on version.version_id = deployment.version_id
           where prompt.project_id = $1 and deployment_id = $2 and cache_cost is not null"#,
        by.project.0,
        id.0,
    )
    .fetch_optional(&store.pool)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let until = now.min(row.deployed_at + watched(&row.cache_cost));
    let summary = monitor::summary(
        store,
        by.project,
        row.prompt,
        Some(row.environment),
        Some(row.number),
        row.deployed_at - TimeDelta::minutes(1),
        until,
    )
    .await?;
    Ok(Some(Refill {
        estimate: row.cache_cost.0,
        requests: summary.requests,
        cache_write_tokens: summary.tokens.cache_write,
        until,
    }))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of requests and tokens stay far below 2^53"
)]
fn float(count: u64) -> f64 {
    count as f64
}
