//! Calls that are kept to be read: what a project keeps of them, and what was kept. What is taken
//! out is taken out before anything is written, here and in the events themselves.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission},
    id::ProjectId,
    monitor::sampling::{Redaction, Sampling},
    prompt::PromptName,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Error, Result, Store, tx::Command};

/// What the project keeps; nothing unless somebody said so.
pub async fn find(store: &Store, by: &Actor) -> Result<Sampling> {
    by.may(Permission::ReadEvals)?;
    of_project(store, by.project).await
}

pub(crate) async fn of_project(store: &Store, project: ProjectId) -> Result<Sampling> {
    let row = sqlx::query!(
        "select share, patterns from sampling where project_id = $1",
        project.0
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(row.map_or_else(Sampling::default, |row| Sampling {
        share: row.share,
        patterns: row.patterns,
    }))
}

/// Patterns that were compiled, by project. Compiling takes milliseconds, and every batch needs them.
static COMPILED: LazyLock<Mutex<HashMap<ProjectId, Compiled>>> = LazyLock::new(Mutex::default);

/// Patterns as they were written, and what they became.
type Compiled = (Vec<String>, Arc<Redaction>);

/// What takes out of calls what the project does not want to be kept.
pub(crate) fn redaction(project: ProjectId, sampling: &Sampling) -> Result<Arc<Redaction>> {
    if sampling.patterns.is_empty() {
        return Ok(Arc::default());
    }
    let lock = || COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((patterns, redaction)) = lock().get(&project)
        && *patterns == sampling.patterns
    {
        return Ok(redaction.clone());
    }
    let redaction = Arc::new(
        sampling
            .redaction()
            .map_err(|why| Error::Database(sqlx::Error::Decode(why.into())))?,
    );
    lock().insert(project, (sampling.patterns.clone(), redaction.clone()));
    Ok(redaction)
}

/// Changes what the project keeps from now on.
#[tracing::instrument(skip_all, err)]
pub async fn set(store: &Store, by: &Actor, sampling: &Sampling, now: DateTime<Utc>) -> Result<()> {
    by.may(Permission::Administer)?;
    let before = of_project(store, by.project).await?;
    let mut command = Command::begin(store, "set_sampling", by, now).await?;
    let author = command.author();
    sqlx::query!(
        "insert into sampling (project_id, share, patterns, changed_by, changed_at)
         values ($1, $2, $3, $4, $5)
         on conflict (project_id) do update
         set share = excluded.share, patterns = excluded.patterns,
             changed_by = excluded.changed_by, changed_at = excluded.changed_at",
        by.project.0,
        sampling.share,
        &sampling.patterns,
        author,
        now,
    )
    .execute(command.db())
    .await?;
    let detail = json!({ "before": before, "after": sampling });
    command.record("sampling.change", "sampling", detail);
    command.tell("sampling", json!({}));
    command.commit().await
}

/// A call that was kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// It.
    pub id: Uuid,
    /// The version that was called, where that is known.
    pub version: Option<i32>,
    /// When.
    pub at: DateTime<Utc>,
    /// What the prompt was filled with.
    pub variables: Option<Value>,
    /// What the model wrote.
    pub output: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
}

/// The last calls of a prompt that were kept, the newest first; of one environment, or of all.
pub async fn list(
    store: &Store,
    by: &Actor,
    prompt: &PromptName,
    environment: Option<&str>,
    limit: u16,
) -> Result<Vec<Sample>> {
    by.may(Permission::ReadEvals)?;
    let samples = sqlx::query_as!(
        Sample,
        "select sample_id as id, version, at, variables, output, error
         from sample
         where prompt_id = (select prompt_id from prompt where project_id = $1 and name = $2)
             and ($3::text is null or environment_id = (
                 select environment_id from environment where project_id = $1 and name = $3))
         order by at desc
         limit $4",
        by.project.0,
        prompt.as_str(),
        environment,
        i64::from(limit),
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(samples)
}

/// One call that was kept.
pub async fn get(store: &Store, by: &Actor, id: Uuid) -> Result<Sample> {
    by.may(Permission::ReadEvals)?;
    sqlx::query_as!(
        Sample,
        "select sample_id as id, version, at, variables, output, error
         from sample
         where project_id = $1 and sample_id = $2",
        by.project.0,
        id,
    )
    .fetch_optional(&store.pool)
    .await?
    .ok_or(Error::NotFound("sample"))
}
