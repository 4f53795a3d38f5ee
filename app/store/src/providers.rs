//! Providers: where models answer. The key arrives sealed and leaves sealed; what opens it is
//! the server's.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission},
    id::{ProjectId, ProviderId},
    provider::{Kind, NewProvider, Provider},
};
use serde_json::json;

use crate::{Error, Result, Store, error::OnConstraint, new_id, tx::Command};

/// The most providers of a project.
const MAX_PROVIDERS: i64 = 50;

/// A project's providers by name.
pub async fn list(store: &Store, by: &Actor) -> Result<Vec<Provider>> {
    by.may(Permission::ReadEvals)?;
    let providers = sqlx::query_as!(
        Provider,
        r#"select name, kind as "kind: Kind", base_url, sealed_key is not null as "has_key!", max_concurrency,
                  requests_per_minute, changed_at
           from provider
           where project_id = $1
           order by name"#,
        by.project.0,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(providers)
}

/// What a worker needs to call a provider.
#[derive(Clone)]
pub struct Endpoint {
    /// The provider; its key is sealed for this id.
    pub id: ProviderId,
    /// How it is spoken to.
    pub kind: Kind,
    /// Where.
    pub base_url: String,
    /// The sealed key.
    pub sealed_key: Option<Vec<u8>>,
    /// The most calls at a time.
    pub max_concurrency: i32,
    /// The most calls in a minute.
    pub requests_per_minute: Option<i32>,
    /// When it last changed: an older copy is out of date.
    pub changed_at: DateTime<Utc>,
}

/// A provider by name, for a worker.
pub async fn endpoint(store: &Store, project: ProjectId, name: &str) -> Result<Option<Endpoint>> {
    let endpoint = sqlx::query_as!(
        Endpoint,
        r#"select provider_id as "id: ProviderId", kind as "kind: Kind", base_url, sealed_key, max_concurrency,
                  requests_per_minute, changed_at
           from provider
           where project_id = $1 and name = $2"#,
        project.0,
        name,
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(endpoint)
}

/// A key for a provider: sealing binds it to the provider's id, so the id must be known before.
pub type Seal<'a> = &'a (dyn Fn(ProviderId, &str) -> Result<Vec<u8>> + Sync);

/// Adds a provider, or changes the one of that name. A key that is left out stays as it was,
/// unless the address changes: a key goes only where it was meant to go.
pub async fn save(
    store: &Store,
    by: &Actor,
    new: &NewProvider,
    seal: Seal<'_>,
    now: DateTime<Utc>,
) -> Result<Provider> {
    by.may(Permission::Administer)?;
    let mut command = Command::begin(store, "save_provider", by, now).await?;
    let before = sqlx::query!(
        r#"select provider_id as "id: ProviderId", base_url, kind as "kind: Kind", sealed_key, max_concurrency,
                  requests_per_minute
           from provider
           where project_id = $1 and name = $2
           for update"#,
        by.project.0,
        new.name,
    )
    .fetch_optional(command.db())
    .await?;
    let id = before.as_ref().map_or_else(new_id, |before| before.id);
    let sealed_key = match &new.api_key {
        Some(key) => Some(seal(id, key)?),
        None => before
            .as_ref()
            .filter(|before| before.base_url == new.base_url)
            .and_then(|before| before.sealed_key.clone()),
    };
    if before.is_none() {
        let count = sqlx::query_scalar!(
            r#"select count(*) as "n!" from provider where project_id = $1"#,
            by.project.0
        )
        .fetch_one(command.db())
        .await?;
        if count >= MAX_PROVIDERS {
            return Err(Error::conflict(
                "too_many_providers",
                format!("a project has at most {MAX_PROVIDERS} providers"),
            ));
        }
    }
    sqlx::query!(
        "insert into provider
             (provider_id, project_id, name, kind, base_url, sealed_key, max_concurrency, requests_per_minute,
              created_by, created_at, changed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
         on conflict (provider_id) do update
         set kind = excluded.kind, base_url = excluded.base_url, sealed_key = excluded.sealed_key,
             max_concurrency = excluded.max_concurrency, requests_per_minute = excluded.requests_per_minute,
             changed_at = excluded.changed_at",
        id.0,
        by.project.0,
        new.name,
        new.kind.word(),
        new.base_url,
        sealed_key,
        new.max_concurrency,
        new.requests_per_minute,
        command.author(),
        now,
    )
    .execute(command.db())
    .await
    .on_constraint("provider_name_unique", || {
        Error::conflict("provider_exists", "somebody just added a provider of that name")
    })?;
    let after = json!({
        "kind": new.kind, "base_url": new.base_url, "has_key": sealed_key.is_some(),
        "max_concurrency": new.max_concurrency, "requests_per_minute": new.requests_per_minute,
    });
    match before {
        None => command.record("provider.create", new.name.as_str(), json!({ "after": after })),
        Some(before) => command.record(
            "provider.change",
            new.name.as_str(),
            json!({
                "before": {
                    "kind": before.kind, "base_url": before.base_url,
                    "has_key": before.sealed_key.is_some(), "max_concurrency": before.max_concurrency,
                    "requests_per_minute": before.requests_per_minute,
                },
                "after": after,
                "new_key": new.api_key.is_some(),
            }),
        ),
    }
    command.tell("provider", json!({ "provider": new.name }));
    command.commit().await?;
    Ok(Provider {
        name: new.name.clone(),
        kind: new.kind,
        base_url: new.base_url.clone(),
        has_key: sealed_key.is_some(),
        max_concurrency: new.max_concurrency,
        requests_per_minute: new.requests_per_minute,
        changed_at: now,
    })
}
