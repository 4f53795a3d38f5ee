//! The days of `event`: made before they are needed, dropped when they are old.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use sqlx::AssertSqlSafe;

use super::ID_DAYS;
use crate::{Result, Store};

/// So many days ahead are ready, in case nobody looks for a while.
const AHEAD_DAYS: u64 = 7;
/// Makers of partitions wait for each other on this advisory lock.
const LOCK: i64 = 0x6375_656c_6576;

/// Makes partitions for the days of these moments, where there are none.
pub async fn prepare_days(
    store: &Store,
    moments: impl Iterator<Item = DateTime<Utc>>,
) -> Result<()> {
    let days: BTreeSet<NaiveDate> = moments.map(|at| at.date_naive()).collect();
    let there = days_there(store).await?;
    let missing: Vec<NaiveDate> = days
        .into_iter()
        .filter(|day| !there.contains(day))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut tx = store.pool.begin().await?;
    sqlx::query!("select pg_advisory_xact_lock($1)", LOCK)
        .execute(&mut *tx)
        .await?;
    // Names and bounds are dates of ours: nothing of a request is in them.
    let statements: Vec<String> = missing
        .into_iter()
        .map(|day| {
            let next = day.checked_add_days(Days::new(1)).unwrap_or(day);
            format!(
                "create table if not exists {} partition of event \
                 for values from ('{day} 00:00:00+00') to ('{next} 00:00:00+00');",
                name(day)
            )
        })
        .collect();
    sqlx::raw_sql(AssertSqlSafe(statements.concat()))
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

/// Makes the coming days ready, and drops what is older than `days`: raw events, the ids that no
/// retry can use any more, and measurements that no exposure can reach. Minutes of traffic go after
/// `minute_days`; its hours and days stay. Samples go with their events.
pub async fn upkeep(store: &Store, days: u32, minute_days: u32, now: DateTime<Utc>) -> Result<()> {
    let late = TimeDelta::days(domain::monitor::LATE_DAYS + 1);
    let ahead = (0..=AHEAD_DAYS).filter_map(|day| now.checked_add_days(Days::new(day)));
    let behind = (1..=late.num_days()).map(|day| now - TimeDelta::days(day));
    prepare_days(store, ahead.chain(behind)).await?;

    // A day that late events may still reach is not dropped, whatever was asked for.
    let keep = TimeDelta::days(i64::from(days)).max(late);
    let oldest = (now - keep).date_naive();
    for day in days_there(store).await?.range(..oldest) {
        // What is in use now is dropped in an hour; everything else is cleaned all the same.
        if let Err(error) = drop_day(store, *day).await {
            tracing::warn!(%day, %error, "a day of events cannot be dropped now");
        }
    }
    sqlx::query!(
        "delete from event_id where received_at < $1",
        now - TimeDelta::days(ID_DAYS)
    )
    .execute(&store.pool)
    .await?;
    sqlx::query!("delete from experiment_early where at < $1", now - late)
        .execute(&store.pool)
        .await?;
    sqlx::query!("delete from sample where at < $1", now - keep)
        .execute(&store.pool)
        .await?;
    sqlx::query!(
        "delete from monitor_bucket where resolution = 'minute' and bucket < $1",
        now - TimeDelta::days(i64::from(minute_days)).max(late),
    )
    .execute(&store.pool)
    .await?;
    Ok(())
}

async fn drop_day(store: &Store, day: NaiveDate) -> Result<()> {
    let mut tx = store.pool.begin().await?;
    // Dropping needs the whole table for a moment: rather later than with everybody waiting.
    sqlx::query!("set local lock_timeout = '2s'")
        .execute(&mut *tx)
        .await?;
    let statement = format!("drop table if exists {}", name(day));
    sqlx::query(AssertSqlSafe(statement))
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

fn name(day: NaiveDate) -> String {
    format!("event_{}", day.format("%Y%m%d"))
}

/// The days that have a partition.
async fn days_there(store: &Store) -> Result<BTreeSet<NaiveDate>> {
    let names = sqlx::query_scalar!(
        r#"select relname::text as "name!"
           from pg_inherits
           join pg_class on pg_class.oid = inhrelid
           where inhparent = 'event'::regclass"#
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(names
        .iter()
        .filter_map(|name| NaiveDate::parse_from_str(name, "event_%Y%m%d").ok())
        .collect())
}
