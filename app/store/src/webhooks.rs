//! Webhooks: where other systems are told, and the log of what they were told. The secret arrives
//! sealed; what opens it is the server's. What waits to be sent is in `queue`.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission, Who},
    alert::Kind,
    id::{DeliveryId, WebhookId},
    page::{Listing, PageRequest},
    webhook::{Attempt, Delivery, DeliveryState, Format, Happening, NewWebhook, Webhook},
};
use serde_json::json;
use sqlx::types::Json;

use crate::{Error, Result, Store, error::OnConstraint, new_id, tx::Command};

pub mod queue;
#[cfg(test)]
mod tests;

/// The most webhooks of a project.
const MAX_WEBHOOKS: i64 = 50;

/// A secret for a webhook, sealed: sealing binds it to the webhook's id, so the id must be known before.
pub type Seal<'a> = &'a (dyn Fn(WebhookId) -> Result<Vec<u8>> + Sync);

/// The project's webhooks by name. For admins: an address may hold a token.
pub async fn list(store: &Store, by: &Actor) -> Result<Vec<Webhook>> {
    by.may(Permission::Administer)?;
    let rows = sqlx::query!(
        r#"select webhook_id as "id: WebhookId", name, url, format as "format: Format",
                  alert_kinds as "alerts: Vec<String>", audit_actions, is_on,
                  (select count(*) from delivery
                   where delivery.webhook_id = webhook.webhook_id and state = 'waiting') as "n_waiting!",
                  last.state as "last_state?: DeliveryState", last.created_at as "last_at?",
                  webhook.by as "by: Json<Who>", changed_at
           from webhook
           left join lateral (
               select state, created_at from delivery
               where delivery.webhook_id = webhook.webhook_id
               order by created_at desc, delivery_id desc
               limit 1) as last on true
           where project_id = $1 and removed_at is null
           order by name"#,
        by.project.0,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Webhook {
            id: row.id,
            name: row.name,
            url: row.url,
            format: row.format,
            alerts: row
                .alerts
                .iter()
                .filter_map(|word| Kind::from_word(word))
                .collect(),
            audit: row.audit_actions,
            enabled: row.is_on,
            n_waiting: row.n_waiting,
            last_state: row.last_state,
            last_at: row.last_at,
            by: row.by.0,
            changed_at: row.changed_at,
        })
        .collect())
}

/// One webhook.
pub async fn find(store: &Store, by: &Actor, id: WebhookId) -> Result<Webhook> {
    list(store, by)
        .await?
        .into_iter()
        .find(|webhook| webhook.id == id)
        .ok_or(Error::NotFound("webhook"))
}

/// Adds a webhook with a secret that only the caller has seen.
pub async fn create(
    store: &Store,
    by: &Actor,
    new: &NewWebhook,
    seal: Seal<'_>,
    now: DateTime<Utc>,
) -> Result<Webhook> {
    by.may(Permission::Administer)?;
    let mut command = Command::begin(store, "create_webhook", by, now).await?;
    let count = sqlx::query_scalar!(
        r#"select count(*) as "n!" from webhook where project_id = $1 and removed_at is null"#,
        by.project.0
    )
    .fetch_one(command.db())
    .await?;
    if count >= MAX_WEBHOOKS {
        let words = format!("a project has at most {MAX_WEBHOOKS} webhooks");
        return Err(Error::conflict("too_many_webhooks", words));
    }
    let id: WebhookId = new_id();
    let sealed_secret = seal(id)?;
    let author = command.author();
    sqlx::query!(
        "insert into webhook
             (webhook_id, project_id, name, url, format, alert_kinds, audit_actions, is_on, sealed_secret, by,
              created_at, changed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
        id.0,
        by.project.0,
        new.name,
        new.url,
        new.format.word(),
        &words(&new.alerts),
        &new.audit,
        new.enabled,
        sealed_secret,
        author,
        now,
    )
    .execute(command.db())
    .await
    .on_constraint("webhook_name_unique", taken)?;
    command.record(
        "webhook.create",
        new.name.as_str(),
        json!({ "webhook_id": id, "after": told(new) }),
    );
    command.tell("webhook", json!({ "webhook": id }));
    command.commit().await?;
    find(store, by, id).await
}

/// Changes all of a webhook but its secret. When it is turned off, what waits for it is given up:
/// old news is no news when it is turned on again.
pub async fn change(
    store: &Store,
    by: &Actor,
    id: WebhookId,
    new: &NewWebhook,
    now: DateTime<Utc>,
) -> Result<Webhook> {
    let before = find(store, by, id).await?;
    let mut command = Command::begin(store, "change_webhook", by, now).await?;
    let author = command.author();
    sqlx::query!(
        "update webhook
         set name = $3, url = $4, format = $5, alert_kinds = $6, audit_actions = $7, is_on = $8, by = $9,
             changed_at = $10
         where webhook_id = $1 and project_id = $2 and removed_at is null",
        id.0,
        by.project.0,
        new.name,
        new.url,
        new.format.word(),
        &words(&new.alerts),
        &new.audit,
        new.enabled,
        author,
        now,
    )
    .execute(command.db())
    .await
    .on_constraint("webhook_name_unique", taken)?;
    if !new.enabled {
        give_up(&mut command, id, "the webhook was turned off").await?;
    }
    let before = NewWebhook {
        name: before.name,
        url: before.url,
        format: before.format,
        alerts: before.alerts,
        audit: before.audit,
        enabled: before.enabled,
    };
    let detail = json!({
        "webhook_id": id, "before": told(&before), "after": told(new), "new_url": before.url != new.url,
    });
    command.record("webhook.change", new.name.as_str(), detail);
    command.tell("webhook", json!({ "webhook": id }));
    command.commit().await?;
    find(store, by, id).await
}

/// Gives a webhook another secret; what is sent from now on is signed with it.
pub async fn renew_secret(
    store: &Store,
    by: &Actor,
    id: WebhookId,
    seal: Seal<'_>,
    now: DateTime<Utc>,
) -> Result<Webhook> {
    let webhook = find(store, by, id).await?;
    let mut command = Command::begin(store, "renew_webhook_secret", by, now).await?;
    sqlx::query!(
        "update webhook set sealed_secret = $3, changed_at = $4
         where webhook_id = $1 and project_id = $2 and removed_at is null",
        id.0,
        by.project.0,
        seal(id)?,
        now,
    )
    .execute(command.db())
    .await?;
    command.record(
        "webhook.secret",
        webhook.name.as_str(),
        json!({ "webhook_id": id }),
    );
    command.tell("webhook", json!({ "webhook": id }));
    command.commit().await?;
    Ok(webhook)
}

/// Takes a webhook away; what waits for it is given up, and the log stays.
pub async fn remove(store: &Store, by: &Actor, id: WebhookId, now: DateTime<Utc>) -> Result<()> {
    let webhook = find(store, by, id).await?;
    let mut command = Command::begin(store, "remove_webhook", by, now).await?;
    sqlx::query!(
        "update webhook set removed_at = $3, is_on = false where webhook_id = $1 and project_id = $2",
        id.0,
        by.project.0,
        now,
    )
    .execute(command.db())
    .await?;
    let given_up = give_up(&mut command, id, "the webhook was removed").await?;
    command.record(
        "webhook.remove",
        webhook.name.as_str(),
        json!({ "webhook_id": id, "given_up": given_up }),
    );
    command.tell("webhook", json!({ "webhook": id }));
    command.commit().await
}

/// Gives up what waits for a webhook; how much that was.
async fn give_up(command: &mut Command, id: WebhookId, reason: &str) -> Result<u64> {
    let now = command.now();
    let given_up = sqlx::query!(
        "update delivery set state = 'given_up', finished_at = $2, reason = $3
         where webhook_id = $1 and state = 'waiting'",
        id.0,
        now,
        reason,
    )
    .execute(command.db())
    .await?;
    Ok(given_up.rows_affected())
}

/// Nothing is sent by one that is off: not even what somebody asks for.
fn is_on(webhook: &Webhook) -> Result<()> {
    if webhook.enabled {
        return Ok(());
    }
    let words = "it is off: turn it on first";
    Err(Error::conflict("webhook_off", words))
}

/// Queues a delivery that says nothing, to see whether it arrives.
pub async fn test(
    store: &Store,
    by: &Actor,
    id: WebhookId,
    now: DateTime<Utc>,
) -> Result<DeliveryId> {
    let webhook = find(store, by, id).await?;
    is_on(&webhook)?;
    let mut command = Command::begin(store, "test_webhook", by, now).await?;
    let happening = Happening::Test {
        project: queue::slug(command.db(), by.project).await?,
        by: by.who.name().to_owned(),
    };
    let delivery = queue::add(&mut command, id, &happening, None).await?;
    queue::wake(&mut command, id).await?;
    command.record(
        "webhook.test",
        webhook.name.as_str(),
        json!({ "webhook_id": id, "delivery_id": delivery }),
    );
    command.tell("webhook", json!({ "webhook": id }));
    command.commit().await?;
    Ok(delivery)
}

/// A page of what a webhook was told, newest first.
pub async fn deliveries(
    store: &Store,
    by: &Actor,
    id: WebhookId,
    page: &PageRequest,
) -> Result<Listing<Delivery>> {
    find(store, by, id).await?;
    let after: Option<uuid::Uuid> = page
        .after()
        .map(str::parse)
        .transpose()
        .map_err(|_| Error::invalid("cursor", "is not one that an earlier page gave"))?;
    let rows = sqlx::query!(
        r#"select delivery_id as "id: DeliveryId", happening as "happening: Json<Happening>",
                  state as "state: DeliveryState", created_at, due_at, finished_at, reason,
                  redelivers as "redelivers: DeliveryId",
                  coalesce((select json_agg(json_build_object(
                                'number', number, 'at', at, 'duration_ms', duration_ms, 'status', status,
                                'error', error, 'answer', answer) order by number)
                            from delivery_attempt
                            where delivery_attempt.delivery_id = delivery.delivery_id), '[]')
                      as "attempts!: Json<Vec<Attempt>>"
           from delivery
           where webhook_id = $1
             and ($2::uuid is null or (created_at, delivery_id) < (
                 select created_at, delivery_id from delivery where delivery_id = $2))
           order by created_at desc, delivery_id desc
           limit $3"#,
        id.0,
        after,
        page.fetch(),
    )
    .fetch_all(&store.pool)
    .await?;
    let deliveries = rows
        .into_iter()
        .map(|row| Delivery {
            id: row.id,
            event: row.happening.0.word().to_owned(),
            text: row.happening.0.text(),
            state: row.state,
            created_at: row.created_at,
            due_at: (row.state == DeliveryState::Waiting).then_some(row.due_at),
            finished_at: row.finished_at,
            reason: row.reason,
            redelivers: row.redelivers,
            attempts: row.attempts.0,
        })
        .collect();
    Ok(Listing::of(deliveries, page, |delivery: &Delivery| {
        delivery.id.to_string()
    }))
}

/// Tells the same once more, as a delivery of its own. One that is still tried is not.
pub async fn redeliver(
    store: &Store,
    by: &Actor,
    id: WebhookId,
    delivery: DeliveryId,
    now: DateTime<Utc>,
) -> Result<DeliveryId> {
    let webhook = find(store, by, id).await?;
    is_on(&webhook)?;
    let mut command = Command::begin(store, "redeliver", by, now).await?;
    let row = sqlx::query!(
        r#"select happening as "happening: Json<Happening>", state as "state: DeliveryState" from delivery
           where webhook_id = $1 and delivery_id = $2"#,
        id.0,
        delivery.0,
    )
    .fetch_optional(command.db())
    .await?
    .ok_or(Error::NotFound("delivery"))?;
    if row.state == DeliveryState::Waiting {
        let words = "it is still tried: it is repeated once it is delivered or given up";
        return Err(Error::conflict("delivery_waiting", words));
    }
    let again = queue::add(&mut command, id, &row.happening.0, Some(delivery)).await?;
    queue::wake(&mut command, id).await?;
    command.record(
        "webhook.redeliver",
        webhook.name.as_str(),
        json!({ "webhook_id": id, "delivery_id": again, "redelivers": delivery }),
    );
    command.tell("webhook", json!({ "webhook": id }));
    command.commit().await?;
    Ok(again)
}

fn taken() -> Error {
    Error::conflict("webhook_exists", "there is a webhook of that name already")
}

fn words(kinds: &[Kind]) -> Vec<String> {
    kinds.iter().map(|kind| kind.word().to_owned()).collect()
}

/// What the audit trail keeps: everybody reads it, and a path may be a secret, so only the host.
fn told(webhook: &NewWebhook) -> serde_json::Value {
    json!({
        "host": host(&webhook.url), "format": webhook.format, "alerts": webhook.alerts, "audit": webhook.audit,
        "enabled": webhook.enabled,
    })
}

fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default()
}
