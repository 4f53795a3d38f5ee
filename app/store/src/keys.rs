//! API keys. Only hashes are kept; the key itself is shown once, by whoever made it.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission, Scope, Who},
    field::FieldError,
    id::{KeyId, ProjectId},
    project::{ApiKey, check_label},
};
use serde_json::json;
use sqlx::types::Json;

use crate::{Error, Result, Store, new_id, secret::Secret, tx::Command};

/// A key as the serving snapshot holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveKey {
    /// SHA-256 of the whole key.
    pub key_hash: Vec<u8>,
    /// The key.
    pub id: KeyId,
    /// Its project.
    pub project: ProjectId,
    /// What it is for.
    pub name: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// The only environments it may touch; none: all.
    pub environments: Option<Vec<String>>,
}

/// What a new key is to be.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What it is for.
    pub name: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// The only environments it may touch; none: all.
    pub environments: Option<Vec<String>>,
}

/// A project's keys, newest first, revoked ones too.
pub async fn list(store: &Store, by: &Actor) -> Result<Vec<ApiKey>> {
    by.may(Permission::ReadPeople)?;
    let rows = sqlx::query!(
        r#"select key_id as "id: KeyId", name, prefix, scopes, environments, created_by as "created_by: Json<Who>",
                  created_at, last_used_at, revoked_at
           from api_key
           where project_id = $1
           order by revoked_at is not null, created_at desc, key_id
           limit 1000"#,
        by.project.0,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ApiKey {
            id: row.id,
            name: row.name,
            prefix: row.prefix,
            scopes: scopes(&row.scopes),
            environments: row.environments,
            created_by: row.created_by.0,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            revoked_at: row.revoked_at,
        })
        .collect())
}

/// Words nobody knows any more give nothing.
fn scopes(words: &[String]) -> Vec<Scope> {
    words.iter().filter_map(|word| word.parse().ok()).collect()
}

/// Every key that works, of all projects.
pub async fn live(store: &Store) -> Result<Vec<LiveKey>> {
    let rows = sqlx::query!(
        r#"select key_hash, key_id as "id: KeyId", project_id as "project: ProjectId", name, scopes, environments
           from api_key
           where revoked_at is null"#
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| LiveKey {
            key_hash: row.key_hash,
            id: row.id,
            project: row.project,
            name: row.name,
            scopes: scopes(&row.scopes),
            environments: row.environments,
        })
        .collect())
}

/// Keeps a key that the caller made and shows, once.
pub async fn create(
    store: &Store,
    by: &Actor,
    new: NewKey,
    secret: &Secret,
    now: DateTime<Utc>,
) -> Result<ApiKey> {
    by.may(Permission::Administer)?;
    let mut errors = Vec::new();
    if let Err(message) = check_label(&new.name) {
        errors.push(FieldError::new("name", message));
    }
    if new.scopes.is_empty() {
        errors.push(FieldError::new("scopes", "must name at least one scope"));
    }
    if let Some(environments) = &new.environments {
        let known = crate::environments::list(store, by).await?;
        for (index, name) in environments.iter().enumerate() {
            if !known.iter().any(|environment| environment.name == *name) {
                errors.push(FieldError::new(
                    format!("environments[{index}]"),
                    "is not an environment of this project",
                ));
            }
        }
        if environments.is_empty() {
            errors.push(FieldError::new(
                "environments",
                "must name at least one environment, or be left out",
            ));
        }
    }
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }

    let id: KeyId = new_id();
    let prefix = secret.prefix();
    let words: Vec<String> = new.scopes.iter().map(ToString::to_string).collect();
    let mut command = Command::begin(store, "create_key", by, now).await?;
    sqlx::query!(
        "insert into api_key
             (key_id, project_id, name, prefix, key_hash, scopes, environments, created_by, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        id.0,
        by.project.0,
        new.name,
        prefix,
        &secret.hash()[..],
        &words,
        new.environments.as_deref(),
        command.author(),
        now,
    )
    .execute(command.db())
    .await?;
    command.record(
        "key.create",
        &new.name,
        json!({ "after": { "prefix": prefix, "scopes": words, "environments": new.environments } }),
    );
    command.tell("key", json!({ "key_id": id }));
    command.commit().await?;
    Ok(ApiKey {
        id,
        name: new.name,
        prefix,
        scopes: new.scopes,
        environments: new.environments,
        created_by: by.who.clone(),
        created_at: now,
        last_used_at: None,
        revoked_at: None,
    })
}

/// Ends a key; every server refuses it within a second.
pub async fn revoke(store: &Store, by: &Actor, id: KeyId, now: DateTime<Utc>) -> Result<()> {
    by.may(Permission::Administer)?;
    let mut command = Command::begin(store, "revoke_key", by, now).await?;
    let row = sqlx::query!(
        "update api_key
         set revoked_at = $3
         where project_id = $1 and key_id = $2 and revoked_at is null
         returning name, prefix",
        by.project.0,
        id.0,
        now,
    )
    .fetch_optional(command.db())
    .await?
    .ok_or(Error::NotFound("key"))?;
    command.record(
        "key.revoke",
        &row.name,
        json!({ "before": { "prefix": row.prefix } }),
    );
    command.tell("key", json!({ "key_id": id }));
    command.commit().await
}

/// Lets a revoked key work again: for whoever installs a fixed key more than once. Answers whether
/// there was one.
pub async fn reinstate(
    store: &Store,
    by: &Actor,
    secret: &Secret,
    now: DateTime<Utc>,
) -> Result<bool> {
    by.may(Permission::Administer)?;
    let mut command = Command::begin(store, "reinstate_key", by, now).await?;
    let Some(row) = sqlx::query!(
        r#"update api_key
           set revoked_at = null
           where project_id = $1 and key_hash = $2 and revoked_at is not null
           returning key_id as "id: KeyId", name, prefix"#,
        by.project.0,
        &secret.hash()[..],
    )
    .fetch_optional(command.db())
    .await?
    else {
        return Ok(false);
    };
    command.record(
        "key.reinstate",
        &row.name,
        json!({ "after": { "prefix": row.prefix } }),
    );
    command.tell("key", json!({ "key_id": row.id }));
    command.commit().await?;
    Ok(true)
}

/// Notes when keys were last used; batched by the caller.
pub async fn used(store: &Store, keys: &[KeyId], now: DateTime<Utc>) -> Result<()> {
    let ids: Vec<uuid::Uuid> = keys.iter().map(|key| key.0).collect();
    sqlx::query!(
        "update api_key set last_used_at = $2 where key_id = any($1)",
        &ids,
        now
    )
    .execute(&store.pool)
    .await?;
    Ok(())
}
