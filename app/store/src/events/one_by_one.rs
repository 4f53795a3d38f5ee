//! When batches cannot be added up together: each by itself, and the one that is to blame set
//! aside. It says so loudly, and nobody else's numbers wait for it.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

use super::roll_up::{Take, add_up};
use crate::{Error, Result, Store};

/// Which of the three kinds of batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Inputs,
    Facts,
    Traffic,
}

/// Most batches of a kind in one go: as many as a transaction takes that failed.
const MOST: usize = 64;

/// Whether the error comes from what a batch holds: a value that the database refuses, or bytes that
/// cannot be read. Everything else is waited out, so that no batch is blamed for a full disk.
pub(super) fn is_in_a_batch(error: &Error) -> bool {
    match error {
        Error::Database(sqlx::Error::Database(cause)) => cause.code().is_some_and(|code| {
            // Data exceptions, violated constraints, rows that no index takes.
            ["22", "23", "54"]
                .iter()
                .any(|class| code.starts_with(class))
        }),
        Error::Database(sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. }) => true,
        _ => false,
    }
}

/// Adds up what waits, a transaction for each batch; how many are out of the way now.
pub(super) async fn roll_up_one_by_one(store: &Store, now: DateTime<Utc>) -> Result<usize> {
    let mut n_batches = 0;
    for kind in [Kind::Inputs, Kind::Facts, Kind::Traffic] {
        for _ in 0..MOST {
            if !roll_up_one(store, kind, now).await? {
                break;
            }
            n_batches += 1;
        }
    }
    Ok(n_batches)
}

/// Adds up the oldest batch of the kind, or sets it aside; whether there was one.
async fn roll_up_one(store: &Store, kind: Kind, now: DateTime<Utc>) -> Result<bool> {
    let mut tx = store.pool.begin().await?;
    let Some(batch) = lock_oldest(&mut tx, kind).await? else {
        return Ok(false);
    };
    let take = |wanted| {
        if kind == wanted {
            Take::Only(batch)
        } else {
            Take::Nothing
        }
    };
    let (inputs, facts, traffic) = (take(Kind::Inputs), take(Kind::Facts), take(Kind::Traffic));
    // A savepoint: whatever fails in it, the batch stays ours, and no other worker tries it meanwhile.
    let mut attempt = tx.begin().await?;
    match add_up(&mut attempt, inputs, facts, traffic, now).await {
        Ok(_) => attempt.commit().await?,
        Err(error) if is_in_a_batch(&error) => {
            attempt.rollback().await?;
            let why = reason(&error);
            tracing::error!(batch.id = batch, batch.kind = ?kind, why, "a batch of events cannot be added up: it is set aside");
            set_aside(&mut tx, kind, batch, &why).await?;
        }
        Err(error) => return Err(error),
    }
    tx.commit().await?;
    Ok(true)
}

/// What the database said; the error itself keeps it from people.
fn reason(error: &Error) -> String {
    match error {
        Error::Database(cause) => cause.to_string(),
        other => other.to_string(),
    }
}

async fn lock_oldest(db: &mut PgConnection, kind: Kind) -> Result<Option<i64>> {
    let oldest = match kind {
        Kind::Inputs => {
            sqlx::query_scalar!(
                "select batch_id from input_batch where set_aside is null
                 order by batch_id limit 1 for update skip locked"
            )
            .fetch_optional(db)
            .await
        }
        Kind::Facts => {
            sqlx::query_scalar!(
                "select batch_id from event_batch where set_aside is null
                 order by batch_id limit 1 for update skip locked"
            )
            .fetch_optional(db)
            .await
        }
        Kind::Traffic => {
            sqlx::query_scalar!(
                "select batch_id from monitor_batch where set_aside is null
                 order by batch_id limit 1 for update skip locked"
            )
            .fetch_optional(db)
            .await
        }
    };
    Ok(oldest?)
}

async fn set_aside(db: &mut PgConnection, kind: Kind, batch: i64, why: &str) -> Result<()> {
    match kind {
        Kind::Inputs => {
            sqlx::query!(
                "update input_batch set set_aside = $2 where batch_id = $1",
                batch,
                why,
            )
            .execute(db)
            .await?;
        }
        Kind::Facts => {
            sqlx::query!(
                "update event_batch set set_aside = $2 where batch_id = $1",
                batch,
                why,
            )
            .execute(db)
            .await?;
        }
        Kind::Traffic => {
            sqlx::query!(
                "update monitor_batch set set_aside = $2 where batch_id = $1",
                batch,
                why,
            )
            .execute(db)
            .await?;
        }
    }
    Ok(())
}

/// How many batches were set aside and wait for somebody to look at them.
pub async fn n_set_aside(store: &Store) -> Result<i64> {
    let n_batches = sqlx::query_scalar!(
        r#"select (select count(*) from event_batch where set_aside is not null)
                + (select count(*) from monitor_batch where set_aside is not null)
                + (select count(*) from input_batch where set_aside is not null) as "n!""#
    )
    .fetch_one(&store.pool)
    .await?;
    Ok(n_batches)
}
