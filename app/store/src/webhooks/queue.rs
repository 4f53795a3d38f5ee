//! What waits to be sent. A happening is queued in the transaction that made it happen. A sender
//! holds a lease on the webhook, not on the delivery: so each receiver is told one thing at a time,
//! in order, and one that hangs keeps no other waiting. A sender that dies leaves a lease that runs
//! out, and what it had out is sent again under the same id.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    audit::Entry,
    id::{DeliveryId, ProjectId, WebhookId},
    webhook::{AlertNotice, Attempt, AuditNotice, Format, Happening, Next},
};
use serde_json::json;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{Result, Store, new_id, tx::Command};

/// For so long it is kept what was told, and every attempt.
const KEEP_DAYS: i64 = 90;
/// So many deliveries are forgotten in one statement.
const AT_ONCE: i64 = 5_000;

/// The address of a project.
pub(crate) async fn slug(db: &mut PgConnection, project: ProjectId) -> Result<String> {
    let slug = sqlx::query_scalar!("select slug from project where project_id = $1", project.0)
        .fetch_one(db)
        .await?;
    Ok(slug)
}

/// Queues a notice for every webhook that hears of the kind; answers how many.
pub(crate) async fn tell_alert(
    command: &mut Command,
    project: ProjectId,
    notice: AlertNotice,
) -> Result<i64> {
    let kind = notice.kind.word();
    let webhooks = sqlx::query_scalar!(
        r#"select webhook_id as "id: WebhookId" from webhook
           where project_id = $1 and is_on and removed_at is null and $2 = any(alert_kinds)
           order by webhook_id"#,
        project.0,
        kind,
    )
    .fetch_all(command.db())
    .await?;
    let happening = Happening::Alert(notice);
    for webhook in &webhooks {
        add(command, *webhook, &happening, None).await?;
    }
    Ok(i64::try_from(webhooks.len()).unwrap_or(i64::MAX))
}

/// Queues entries of the audit trail for every webhook that hears of them. Called by every command
/// as it commits: one statement, where nobody listens.
pub(crate) async fn tell_audit(
    db: &mut PgConnection,
    project: ProjectId,
    entries: &[Entry],
    now: DateTime<Utc>,
) -> Result<()> {
    let actions: Vec<String> = entries
        .iter()
        .flat_map(|entry| {
            let noun = entry.action.split('.').next().unwrap_or_default();
            [noun.to_owned(), entry.action.clone()]
        })
        .collect();
    let listeners = sqlx::query!(
        r#"select webhook_id as "id: WebhookId", audit_actions, slug from webhook
           join project using (project_id)
           where project_id = $1 and is_on and removed_at is null and audit_actions && $2
           order by webhook_id"#,
        project.0,
        &actions,
    )
    .fetch_all(&mut *db)
    .await?;
    for listener in listeners {
        for entry in entries {
            let noun = entry.action.split('.').next().unwrap_or_default();
            let hears = |wanted: &String| wanted == noun || *wanted == entry.action;
            if listener.audit_actions.iter().any(hears) {
                let happening = Happening::Audit(AuditNotice {
                    project: listener.slug.clone(),
                    sequence: entry.sequence,
                    action: entry.action.clone(),
                    subject: entry.subject.clone(),
                    by: entry.actor.name().to_owned(),
                });
                insert(&mut *db, listener.id, &happening, None, now).await?;
            }
        }
    }
    Ok(())
}

/// Queues one delivery.
pub(super) async fn add(
    command: &mut Command,
    webhook: WebhookId,
    happening: &Happening,
    redelivers: Option<DeliveryId>,
) -> Result<DeliveryId> {
    let now = command.now();
    insert(command.db(), webhook, happening, redelivers, now).await
}

async fn insert(
    db: &mut PgConnection,
    webhook: WebhookId,
    happening: &Happening,
    redelivers: Option<DeliveryId>,
    now: DateTime<Utc>,
) -> Result<DeliveryId> {
    let id: DeliveryId = new_id();
    sqlx::query!(
        "insert into delivery (delivery_id, webhook_id, happening, state, due_at, created_at, redelivers)
         values ($1, $2, $3, 'waiting', $4, $4, $5)",
        id.0,
        webhook.0,
        json!(happening),
        now,
        redelivers.map(|id| id.0),
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// A webhook that a sender holds.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The webhook; its secret is sealed for this id.
    pub webhook: WebhookId,
    /// The project it belongs to.
    pub project: ProjectId,
    /// Where it is sent.
    pub url: String,
    /// What the receiver reads.
    pub format: Format,
    /// The sealed secret.
    pub sealed_secret: Vec<u8>,
    lease: Uuid,
}

/// Something to send.
#[derive(Clone, Debug)]
pub struct Due {
    /// The same for every attempt.
    pub id: DeliveryId,
    /// What happened.
    pub happening: Happening,
    /// When.
    pub created_at: DateTime<Utc>,
    /// How often it was tried.
    pub n_attempts: i32,
}

/// Webhooks that something is due for and that nobody holds, at most `limit`: the one that waited
/// longest first. A project has at most `per_project` at a time, counted over all servers: its
/// receivers may all hang, and others have theirs nevertheless.
pub async fn claim(
    store: &Store,
    limit: i64,
    per_project: i64,
    lease_for: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Vec<Claimed>> {
    if limit <= 0 {
        return Ok(Vec::new());
    }
    let lease = Uuid::now_v7();
    let claimed = sqlx::query_as!(
        Claimed,
        r#"update webhook
           set lease = $1, lease_until = $2
           where webhook_id in (
               select webhook_id from webhook
               where (lease_until is null or lease_until <= $3)
                 and webhook_id in (
                     select webhook_id from (
                         select webhook_id,
                                row_number() over (
                                    partition by project_id order by lease_until nulls first, webhook_id)
                                + (select count(*) from webhook as held
                                   where held.project_id = ready.project_id and held.lease is not null
                                     and held.lease_until > $3) as nth
                         from webhook as ready
                         where is_on and removed_at is null and (lease_until is null or lease_until <= $3)
                           and exists (select from delivery
                                       where delivery.webhook_id = ready.webhook_id and state = 'waiting'
                                         and due_at <= $3)
                     ) as ranked
                     where nth <= $5)
               order by lease_until nulls first, webhook_id
               limit $4
               -- Two servers ask at the same moment: each takes what the other has not.
               for update skip locked)
           returning webhook_id as "webhook: WebhookId", project_id as "project: ProjectId", url,
                     format as "format: Format", sealed_secret, lease as "lease!""#,
        lease,
        now + lease_for,
        now,
        limit,
        per_project,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(claimed)
}

/// The next thing to send, and the lease anew; nothing when there is none, or when another sender
/// took over.
pub async fn next(
    store: &Store,
    claimed: &Claimed,
    lease_for: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Option<Due>> {
    let held = sqlx::query!(
        "update webhook set lease_until = $3
         where webhook_id = $1 and lease = $2 and is_on and removed_at is null",
        claimed.webhook.0,
        claimed.lease,
        now + lease_for,
    )
    .execute(&store.pool)
    .await?;
    if held.rows_affected() == 0 {
        return Ok(None);
    }
    let row = sqlx::query!(
        r#"select delivery_id as "id: DeliveryId", happening as "happening: Json<Happening>", created_at, n_attempts
           from delivery
           where webhook_id = $1 and state = 'waiting' and due_at <= $2
           order by due_at, delivery_id
           limit 1"#,
        claimed.webhook.0,
        now,
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(row.map(|row| Due {
        id: row.id,
        happening: row.happening.0,
        created_at: row.created_at,
        n_attempts: row.n_attempts,
    }))
}

/// Writes down an attempt and what becomes of the delivery. The log keeps it also when another
/// sender finished the delivery meanwhile.
pub async fn finish(
    store: &Store,
    claimed: &Claimed,
    due: &Due,
    attempt: &Attempt,
    next: &Next,
    now: DateTime<Utc>,
) -> Result<()> {
    let who = domain::actor::Who::System {
        name: "webhooks".to_owned(),
    };
    let mut command =
        Command::begin_as(store, "finish_delivery", claimed.project, who, now).await?;
    let number = sqlx::query_scalar!(
        "update delivery set n_attempts = n_attempts + 1 where delivery_id = $1 returning n_attempts",
        due.id.0,
    )
    .fetch_one(command.db())
    .await?;
    sqlx::query!(
        "insert into delivery_attempt (delivery_id, number, at, duration_ms, status, error, answer)
         values ($1, $2, $3, $4, $5, $6, $7)",
        due.id.0,
        number,
        attempt.at,
        attempt.duration_ms,
        attempt.status,
        attempt.error,
        attempt.answer,
    )
    .execute(command.db())
    .await?;
    let (state, due_at, reason) = match next {
        Next::Delivered => ("delivered", None, None),
        Next::GiveUp(reason) => ("given_up", None, Some(reason.as_str())),
        Next::Again(at) => ("waiting", Some(*at), None),
    };
    sqlx::query!(
        "update delivery
         set state = $2, due_at = coalesce($3, due_at), reason = $4,
             finished_at = case when $2 = 'waiting' then null else $5::timestamptz end
         where delivery_id = $1 and state = 'waiting'",
        due.id.0,
        state,
        due_at,
        reason,
        now,
    )
    .execute(command.db())
    .await?;
    command.tell("webhook", json!({ "webhook": claimed.webhook }));
    command.commit().await
}

/// Lets a webhook go, and nobody sends to it before then; it comes after those that waited longer.
pub async fn release(store: &Store, claimed: &Claimed, then: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "update webhook set lease = null, lease_until = $3 where webhook_id = $1 and lease = $2",
        claimed.webhook.0,
        claimed.lease,
        then,
    )
    .execute(&store.pool)
    .await?;
    Ok(())
}

/// Ends a pause that the receiver asked for: somebody wants it told now.
pub(crate) async fn wake(command: &mut Command, webhook: WebhookId) -> Result<()> {
    sqlx::query!(
        "update webhook set lease_until = null where webhook_id = $1 and lease is null",
        webhook.0,
    )
    .execute(command.db())
    .await?;
    Ok(())
}

/// Forgets what was told long ago, and gives up what nobody will ever send: what was queued in the
/// moment in which its webhook was turned off.
pub async fn upkeep(store: &Store, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "update delivery
         set state = 'given_up', finished_at = $1, reason = 'the webhook is off'
         from webhook
         where webhook.webhook_id = delivery.webhook_id and state = 'waiting' and not is_on",
        now,
    )
    .execute(&store.pool)
    .await?;
    let oldest = now - TimeDelta::days(KEEP_DAYS);
    loop {
        // An attempt that came in late keeps its delivery.
        let deleted = sqlx::query!(
            "with old as (
                 select delivery_id from delivery
                 where finished_at < $1
                   and not exists (select from delivery_attempt
                                   where delivery_attempt.delivery_id = delivery.delivery_id and at >= $1)
                 order by finished_at
                 limit $2
             ),
             attempts as (
                 delete from delivery_attempt using old where delivery_attempt.delivery_id = old.delivery_id
             )
             delete from delivery using old where delivery.delivery_id = old.delivery_id",
            oldest,
            AT_ONCE,
        )
        .execute(&store.pool)
        .await?;
        if deleted.rows_affected() < AT_ONCE.unsigned_abs() {
            return Ok(());
        }
    }
}
