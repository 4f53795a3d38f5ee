//! The change feed: what servers refresh from and streams resume from.

use chrono::{DateTime, Utc};
use domain::id::ProjectId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Result, Store};

/// One committed change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The project.
    pub project: ProjectId,
    /// Its place in the project's feed, in the order of commit.
    pub sequence: i64,
    /// `deployment`, `prompt`, `version`, `environment`, `key`, `member`, `promotion`.
    pub kind: String,
    /// What it says; for a deployment exactly what streams send.
    pub payload: Value,
    /// When it was committed.
    pub at: DateTime<Utc>,
}

/// Changes of a project after `sequence`, oldest first, at most `limit`.
pub async fn after(
    store: &Store,
    project: ProjectId,
    sequence: i64,
    limit: i64,
) -> Result<Vec<Change>> {
    let changes = sqlx::query_as!(
        Change,
        r#"select project_id as "project: ProjectId", sequence, kind, payload, at
           from change
           where project_id = $1 and sequence > $2
           order by sequence
           limit $3"#,
        project.0,
        sequence,
        limit,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(changes)
}

/// How far every project's feed has come.
pub async fn heads(store: &Store) -> Result<Vec<(ProjectId, i64)>> {
    let rows = sqlx::query!(
        r#"select project_id as "project: ProjectId", change_sequence from project_head"#
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.project, row.change_sequence))
        .collect())
}

/// Forgets changes older than `before`: streams that come back later get a snapshot.
pub async fn forget(store: &Store, before: DateTime<Utc>) -> Result<u64> {
    let done = sqlx::query!("delete from change where at < $1", before)
        .execute(&store.pool)
        .await?;
    Ok(done.rows_affected())
}
