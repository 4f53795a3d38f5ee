//! Browser sessions, as `tower-sessions` wants them kept. What a session holds is the server's business.

use chrono::{DateTime, Utc};
use domain::id::PersonId;
use serde_json::Value;

use crate::{Result, Store};

/// Adds a session; false when the id is taken.
pub async fn create(
    store: &Store,
    id: &str,
    record: &Value,
    person: Option<PersonId>,
    expires_at: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query!(
        "insert into session (session_id, record, person_id, expires_at)
         values ($1, $2, $3, $4)
         on conflict (session_id) do nothing",
        id,
        record,
        person.map(|person| person.0),
        expires_at,
    )
    .execute(&store.pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes a session again. One that was ended meanwhile (a changed password) stays ended.
pub async fn save(
    store: &Store,
    id: &str,
    record: &Value,
    person: Option<PersonId>,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update session set record = $2, person_id = $3, expires_at = $4 where session_id = $1",
        id,
        record,
        person.map(|person| person.0),
        expires_at,
    )
    .execute(&store.pool)
    .await?;
    Ok(())
}

/// A session that has not expired.
pub async fn load(store: &Store, id: &str, now: DateTime<Utc>) -> Result<Option<Value>> {
    let record = sqlx::query_scalar!(
        "select record from session where session_id = $1 and expires_at > $2",
        id,
        now
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(record)
}

/// Ends a session.
pub async fn delete(store: &Store, id: &str) -> Result<()> {
    sqlx::query!("delete from session where session_id = $1", id)
        .execute(&store.pool)
        .await?;
    Ok(())
}

/// Removes sessions and links that have expired.
pub async fn delete_expired(store: &Store, now: DateTime<Utc>) -> Result<u64> {
    let done = sqlx::query!("delete from session where expires_at <= $1", now)
        .execute(&store.pool)
        .await?;
    sqlx::query!("delete from set_up_link where expires_at <= $1", now)
        .execute(&store.pool)
        .await?;
    Ok(done.rows_affected())
}
