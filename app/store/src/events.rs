//! Events of applications: taken in by the batch, and rolled up into what experiments' results are
//! read from. `ingest` commits a batch together with what it says about units; `roll_up` adds that
//! up exactly once; `observed` reads nothing but the sums.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission},
    monitor::Event,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Result, Store,
    monitor::sums::{Minutes, unreadable},
};

mod copy;
mod cost;
mod facts;
mod inputs;
mod observed;
mod one_by_one;
mod partitions;
mod place;
mod roll_up;
mod samples;

pub use observed::observed;
pub use one_by_one::n_set_aside;
pub use partitions::{prepare_days, upkeep};
pub use roll_up::roll_up;

use copy::{Events, copy_ids};
use facts::Facts;
use place::{Known, Placed};
use samples::Samples;

/// The channel on which rolled up events announce themselves; the payload is a project.
pub const RESULT_CHANNEL: &str = "cueline_result";
/// How often a batch is tried again that met others with the same ids.
const TRIES: usize = 3;
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
    // Nearly always, everything is new: then the ids go in by COPY, too, at a quarter of the cost
    // of asking about each. It stops at the first that is there, and leaves nothing behind.
    let mut done = write_new(store, project, placed, now)
        .await
        .map(|()| placed.len());
    for _ in 0..TRIES {
        match done {
            Err(sqlx::Error::Database(cause))
                if cause.constraint() == Some("event_id_once") || is_deadlock(cause.as_ref()) =>
            {
                done = write_some(store, project, placed, now).await;
            }
            Ok(_) | Err(_) => break,
        }
    }
    done
}

/// Two requests held ids that the other one wanted, and Postgres ended one of them.
fn is_deadlock(cause: &(dyn sqlx::error::DatabaseError + 'static)) -> bool {
    cause.code().as_deref() == Some("40P01")
}

/// Writes all of them, or fails because one is there already. The ids are not put in order: writers
/// that went through the index side by side would wait for each other at every page.
async fn write_new(
    store: &Store,
    project: Uuid,
    placed: &[Placed<'_>],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let mut tx = store.pool.begin().await?;
    copy_ids(&mut tx, placed.iter().map(|one| one.key), now).await?;
    write_rows(&mut tx, project, placed.iter(), now).await?;
    tx.commit().await
}

/// Writes those that nobody wrote before; how many.
async fn write_some(
    store: &Store,
    project: Uuid,
    placed: &[Placed<'_>],
    now: DateTime<Utc>,
) -> Result<usize, sqlx::Error> {
    let mut tx = store.pool.begin().await?;
    let keys: Vec<Uuid> = placed.iter().map(|one| one.key).collect();
    // Whoever sends the same ids meanwhile waits until this transaction has ended; all go by the
    // same order, so that nobody waits in a ring.
    let new = sqlx::query_scalar!(
        "insert into event_id (event_key, received_at)
         select key, $2 from unnest($1::uuid[]) as key order by key
         on conflict on constraint event_id_once do nothing
         returning event_key",
        &keys,
        now,
    )
    .fetch_all(&mut *tx)
    .await?;
    let new: HashSet<Uuid> = new.into_iter().collect();
    if !new.is_empty() {
        let rows = placed.iter().filter(|one| new.contains(&one.key));
        write_rows(&mut tx, project, rows, now).await?;
    }
    tx.commit().await?;
    Ok(new.len())
}

/// Writes events and what they say about units.
async fn write_rows<'a>(
    db: &mut PgConnection,
    project: Uuid,
    placed: impl Iterator<Item = &'a Placed<'a>>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let mut rows = Events::default();
    let mut facts: BTreeMap<Uuid, Facts> = BTreeMap::new();
    let mut minutes = Minutes::default();
    let mut said = Vec::new();
    let mut samples = Samples::default();
    for one in placed {
        rows.push(project, one, now);
        if let Some(place) = one.traffic() {
            minutes.add(place, one.event, one.cost_usd);
        }
        if inputs::is_input(one) {
            said.push(one);
        }
        if one.is_sample {
            samples.add(one);
        }
        if let (Some(plan), Some(experiment)) = (one.plan, one.event.experiment) {
            facts.entry(experiment).or_default().add(one, plan);
        }
    }
    rows.send(db).await?;
    for (experiment, facts) in facts {
        facts.write(db, project, experiment).await?;
    }
    samples.write(db, project).await?;
    if !minutes.is_empty() {
        sqlx::query!(
            "insert into monitor_batch (project_id, sums) values ($1, $2)",
            project,
            minutes.to_bytes().map_err(unreadable)?,
        )
        .execute(&mut *db)
        .await?;
    }
    inputs::note(db, &said).await
}

/// How many batches wait to be rolled up.
pub async fn waiting(store: &Store) -> Result<i64> {
    let n_waiting = sqlx::query_scalar!(
        r#"select (select count(*) from event_batch where set_aside is null)
                + (select count(*) from monitor_batch where set_aside is null) as "n!""#
    )
    .fetch_one(&store.pool)
    .await?;
    Ok(n_waiting)
}

#[cfg(test)]
mod tests;
