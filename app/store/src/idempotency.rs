//! Answers to mutations that carried an `Idempotency-Key`, so that a retry gets the same answer
//! and not a second effect.

use chrono::{DateTime, TimeDelta, Utc};
use domain::id::ProjectId;
use serde_json::Value;

use crate::{Result, Store};

/// How long an answer is kept, in hours.
const KEEP_HOURS: i64 = 24;
/// After this many seconds a request without an answer counts as lost with its server.
const LOST_SECONDS: i64 = 60;

/// Who sent what under which key.
#[derive(Clone, Debug)]
pub struct Request {
    /// The project.
    pub project: ProjectId,
    /// The credential: two clients may choose the same key.
    pub actor: String,
    /// The key.
    pub key: String,
    /// A hash of method, path and body.
    pub fingerprint: Vec<u8>,
}

/// An answer that was given before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: i16,
    /// The headers worth repeating.
    pub headers: Value,
    /// The body.
    pub body: Vec<u8>,
}

/// What to do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nobody has sent it before: run it.
    Fresh,
    /// It was answered before: give that answer again.
    Answered(Answer),
    /// It is running right now.
    Running,
    /// The key was used for another request.
    Mismatch,
}

/// Claims the key for this request, or tells what became of it.
pub async fn claim(store: &Store, request: &Request, now: DateTime<Utc>) -> Result<Claim> {
    sqlx::query!(
        "delete from idempotency where created_at < $1 or (status is null and created_at < $2)",
        now - TimeDelta::hours(KEEP_HOURS),
        now - TimeDelta::seconds(LOST_SECONDS),
    )
    .execute(&store.pool)
    .await?;
    let claimed = sqlx::query!(
        "insert into idempotency (project_id, actor, idempotency_key, fingerprint, created_at)
         values ($1, $2, $3, $4, $5)
         on conflict do nothing",
        request.project.0,
        request.actor,
        request.key,
        request.fingerprint,
        now,
    )
    .execute(&store.pool)
    .await?;
    if claimed.rows_affected() == 1 {
        return Ok(Claim::Fresh);
    }
    let row = sqlx::query!(
        "select fingerprint, status, headers, body
         from idempotency
         where project_id = $1 and actor = $2 and idempotency_key = $3",
        request.project.0,
        request.actor,
        request.key,
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(match row {
        // Released between the two statements: the first attempt failed just now.
        None => Claim::Running,
        Some(row) if row.fingerprint != request.fingerprint => Claim::Mismatch,
        Some(row) => match (row.status, row.headers, row.body) {
            (Some(status), Some(headers), Some(body)) => Claim::Answered(Answer {
                status,
                headers,
                body,
            }),
            _ => Claim::Running,
        },
    })
}

/// Keeps the answer.
pub async fn keep(store: &Store, request: &Request, answer: &Answer) -> Result<()> {
    sqlx::query!(
        "update idempotency
         set status = $4, headers = $5, body = $6
         where project_id = $1 and actor = $2 and idempotency_key = $3",
        request.project.0,
        request.actor,
        request.key,
        answer.status,
        answer.headers,
        answer.body,
    )
    .execute(&store.pool)
    .await?;
    Ok(())
}

/// Gives the key back: the request failed on our side and may be tried again.
pub async fn release(store: &Store, request: &Request) -> Result<()> {
    sqlx::query!(
        "delete from idempotency
         where project_id = $1 and actor = $2 and idempotency_key = $3 and status is null",
        request.project.0,
        request.actor,
        request.key,
    )
    .execute(&store.pool)
    .await?;
    Ok(())
}
