//! What serves, in numbers: read from roll-ups by minute, hour and day, so that a page takes as
//! long after ten million calls as after ten. Events feed it through `events`, exactly once.

use chrono::{DateTime, Utc};
use domain::monitor::{
    Summary,
    bucket::{Resolution, cover},
};
use domain::{
    actor::{Actor, Permission},
    id::{EnvironmentId, ProjectId, PromptId},
    prompt::PromptName,
};

use crate::{Error, Result, Store};

pub(crate) mod add;
mod read;
pub(crate) mod sketch;
pub(crate) mod sums;

pub use read::{Observed, VersionTraffic, observed, traffic};

use sums::Sums;

/// The ids a prompt's traffic is kept under, for somebody who may read it.
pub async fn place(
    store: &Store,
    by: &Actor,
    prompt: &PromptName,
    environment: Option<&str>,
) -> Result<(PromptId, Option<EnvironmentId>)> {
    by.may(Permission::Read)?;
    let found = sqlx::query!(
        r#"select prompt_id,
                  (select environment_id from environment
                   where environment.project_id = $1 and environment.name = $3) as environment_id
           from prompt
           where project_id = $1 and name = $2"#,
        by.project.0,
        prompt.as_str(),
        environment,
    )
    .fetch_optional(&store.pool)
    .await?
    .ok_or(Error::NotFound("prompt"))?;
    match (environment, found.environment_id) {
        (Some(_), None) => Err(Error::NotFound("environment")),
        (_, id) => Ok((PromptId(found.prompt_id), id.map(EnvironmentId))),
    }
}

/// Everything reported of a prompt from a moment on until another, to the minute: of all
/// environments and versions, or of one. Older than the minutes that are kept, the edges are
/// read to the hour or day that lies within.
pub async fn summary(
    store: &Store,
    project: ProjectId,
    prompt: PromptId,
    environment: Option<EnvironmentId>,
    version: Option<i32>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Summary> {
    let mut total = Sums::default();
    let pieces = cover(from, to);
    let rows = read::rows(store, project, prompt, environment, version, &pieces).await?;
    for row in rows {
        total.merge(&row.sums);
    }
    Ok(total.summary())
}

/// Calls of a prompt by the hour, every hour from the one that holds `from` until `to`, also those
/// in which nothing happened.
pub async fn hourly(
    store: &Store,
    prompt: PromptId,
    environment: Option<EnvironmentId>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<(DateTime<Utc>, u64)>> {
    let first = Resolution::Hour.start_of(from);
    let rows = sqlx::query!(
        r#"select bucket, sum(requests)::bigint as "requests!"
           from monitor_bucket
           where prompt_id = $1 and resolution = 'hour' and bucket >= $2 and bucket < $3
               and ($4::uuid is null or environment_id = $4)
           group by bucket
           order by bucket"#,
        prompt.0,
        first,
        to,
        environment.map(|environment| environment.0),
    )
    .fetch_all(&store.pool)
    .await?;
    let mut found = rows
        .into_iter()
        .map(|row| (row.bucket, sums::count(row.requests)))
        .peekable();
    let mut hours = Vec::new();
    let mut at = first;
    while at < to {
        let requests = found.next_if(|(hour, _)| *hour == at).map(|(_, n)| n);
        hours.push((at, requests.unwrap_or(0)));
        at += Resolution::Hour.length();
    }
    Ok(hours)
}

#[cfg(test)]
mod tests;
