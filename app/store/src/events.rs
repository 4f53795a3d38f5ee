//! Events of applications: taken in by the batch, and rolled up into what experiments' results are
//! read from. `ingest` commits a batch together with what it says about units; `roll_up` adds that
//! up exactly once; `observed` reads nothing but the sums.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission},
    monitor::Event,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Result, Store};

mod copy;
mod facts;
mod observed;
mod partitions;
mod place;
mod roll_up;

pub use observed::observed;
pub use partitions::{prepare_days, upkeep};
pub use roll_up::roll_up;

use copy::Copy;
use facts::Facts;
use place::{Known, Placed};

/// The channel on which rolled up events announce themselves; the payload is a project.
pub const RESULT_CHANNEL: &str = "cueline_result";
/// For so many days an id is remembered: longer than an event may be late.
pub const ID_DAYS: i64 = domain::monitor::LATE_DAYS + 3;

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Events that are kept now.
    pub accepted: usize,
    /// Events that were there already.
    pub duplicates: usize,
    /// Events that cannot be taken, by their place in the request.
    pub rejected: Vec<Rejected>,
}

/// An event that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Rejected {
    /// Its place in the request, from 0.
    pub index: usize,
    /// Why, in words.
    pub reason: String,
}

/// Takes a batch in: when this returns, every event that was accepted is on disk. Each comes with
/// its place in the request. Events of unknown prompts, experiments or arms are rejected, the rest
/// kept; one whose id was seen before counts once. Times are not looked at: `Event::parse` does.
#[tracing::instrument(skip_all, fields(n_events = events.len()), err)]
pub async fn ingest(
    store: &Store,
    by: &Actor,
    events: &[(usize, Event)],
    now: DateTime<Utc>,
) -> Result<Ingested> {
    by.may(Permission::WriteEvents)?;
    let mut done = Ingested::default();
    let known = Known::load(store, by, events).await?;
    let mut ids = HashSet::with_capacity(events.len());
    let mut placed = Vec::with_capacity(events.len());
    for (index, event) in events {
        match known.place(by, event) {
            Ok(one) if ids.insert(event.id) => placed.push(one),
            Ok(_) => done.duplicates += 1,
            Err(reason) => done.rejected.push(Rejected {
                index: *index,
                reason,
            }),
        }
    }
    if placed.is_empty() {
        return Ok(done);
    }
    // In one order for everybody: two requests with the same ids wait for each other, not in a ring.
    placed.sort_unstable_by_key(|one| one.event.id);
    let n_accepted = match write(store, by.project.0, &placed, now).await {
        Err(sqlx::Error::Database(cause)) if is_without_partition(cause.as_ref()) => {
            prepare_days(store, placed.iter().map(|one| one.event.at)).await?;
            write(store, by.project.0, &placed, now).await?
        }
        written => written?,
    };
    done.accepted = n_accepted;
    done.duplicates += placed.len() - n_accepted;
    Ok(done)
}

/// Postgres has no partition for one of the rows.
fn is_without_partition(cause: &(dyn sqlx::error::DatabaseError + 'static)) -> bool {
    cause.code().as_deref() == Some("23514") && cause.constraint().is_none()
}

/// Writes what is new, in one transaction; how many that was.
async fn write(
    store: &Store,
    project: Uuid,
    placed: &[Placed<'_>],
    now: DateTime<Utc>,
) -> Result<usize, sqlx::Error> {
    let mut tx = store.pool.begin().await?;
    let new = take_ids(&mut tx, project, placed, now).await?;
    let mut rows = Copy::new(placed.len() * 256);
    let mut facts = Facts::default();
    let mut n_new = 0;
    for one in placed.iter().filter(|one| new.contains(one.event.id)) {
        rows.push(project, one, now);
        facts.add(one);
        n_new += 1;
    }
    if n_new > 0 {
        rows.send(&mut tx).await?;
        facts.write(&mut tx, project, now).await?;
    }
    tx.commit().await?;
    Ok(n_new)
}

/// The ids of a batch that nobody had taken before.
enum New {
    All,
    Some(HashSet<Uuid>),
}

impl New {
    fn contains(&self, id: Uuid) -> bool {
        match self {
            Self::All => true,
            Self::Some(ids) => ids.contains(&id),
        }
    }
}

/// Takes the ids. Whoever sends the same ones meanwhile waits until this transaction has ended.
async fn take_ids(
    db: &mut PgConnection,
    project: Uuid,
    placed: &[Placed<'_>],
    now: DateTime<Utc>,
) -> Result<New, sqlx::Error> {
    let ids: Vec<Uuid> = placed.iter().map(|one| one.event.id).collect();
    let taken = sqlx::query_scalar!(
        "insert into event_id (event_id, project_id, received_at)
         select id, $2, $3 from unnest($1::uuid[]) as id order by id
         on conflict on constraint event_id_once do nothing
         returning event_id",
        &ids,
        project,
        now,
    )
    .fetch_all(db)
    .await?;
    Ok(if taken.len() == ids.len() {
        New::All
    } else {
        New::Some(taken.into_iter().collect())
    })
}

/// How many batches wait to be rolled up, and since when the oldest does.
pub async fn waiting(store: &Store) -> Result<(i64, Option<DateTime<Utc>>)> {
    let row =
        sqlx::query!(r#"select count(*) as "n!", min(received_at) as oldest from event_batch"#)
            .fetch_one(&store.pool)
            .await?;
    Ok((row.n, row.oldest))
}

#[cfg(test)]
mod tests;
