//! Environments of a project and what they ask of a promotion.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission},
    id::EnvironmentId,
    prompt::{Environment, RESERVED_ENVIRONMENTS, check_slug},
    release::Policy,
};
use serde_json::json;
use sqlx::{PgConnection, types::Json};

use crate::{Error, Result, Store, error::OnConstraint, new_id, tx::Command};

/// The most environments a project may have: pages show them as columns.
const MAX_ENVIRONMENTS: i64 = 20;

/// A project's environments in the order of columns.
pub async fn list(store: &Store, by: &Actor) -> Result<Vec<Environment>> {
    by.may(Permission::Read)?;
    let rows = sqlx::query!(
        r#"select name, policy as "policy: Json<Policy>"
           from environment
           where project_id = $1
           order by position, name"#,
        by.project.0,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| environment(row.name, row.policy.0))
        .collect())
}

fn environment(name: String, policy: Policy) -> Environment {
    Environment {
        name,
        protected: !policy.asks_for_nothing(),
        policy,
    }
}

/// Adds an environment after the others.
pub async fn create(
    store: &Store,
    by: &Actor,
    name: &str,
    policy: Policy,
    now: DateTime<Utc>,
) -> Result<Environment> {
    by.may(Permission::Administer)?;
    check_slug(name).map_err(|message| Error::invalid("name", message))?;
    if RESERVED_ENVIRONMENTS.contains(&name) {
        return Err(Error::invalid(
            "name",
            "`latest` always means the newest version; choose another name",
        ));
    }
    check(&policy)?;
    let mut command = Command::begin(store, "create_environment", by, now).await?;
    let count = sqlx::query_scalar!(
        r#"select count(*) as "n!" from environment where project_id = $1"#,
        by.project.0
    )
    .fetch_one(command.db())
    .await?;
    if count >= MAX_ENVIRONMENTS {
        return Err(Error::conflict(
            "too_many_environments",
            format!("a project has at most {MAX_ENVIRONMENTS} environments"),
        ));
    }
    insert(
        command.db(),
        by.project,
        name,
        i32::try_from(count).unwrap_or(i32::MAX),
        &policy,
        now,
    )
    .await?;
    command.record(
        "environment.create",
        name,
        json!({ "after": { "policy": policy } }),
    );
    command.tell("environment", json!({ "environment": name }));
    command.commit().await?;
    Ok(environment(name.to_owned(), policy))
}

/// Inserts the row; projects use it for their first environments.
pub(crate) async fn insert(
    db: &mut PgConnection,
    project: domain::id::ProjectId,
    name: &str,
    position: i32,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into environment (environment_id, project_id, name, position, policy, created_at)
         values ($1, $2, $3, $4, $5, $6)",
        new_id::<EnvironmentId>().0,
        project.0,
        name,
        position,
        json!(policy),
        now,
    )
    .execute(db)
    .await
    .on_constraint("environment_name_unique", || {
        Error::conflict(
            "environment_exists",
            format!("there is an environment {name} already"),
        )
    })?;
    Ok(())
}

/// More people than this nobody gets together for one change.
fn check(policy: &Policy) -> Result<()> {
    if policy.approvals > 10 {
        return Err(Error::invalid("approvals", "must be at most 10"));
    }
    Ok(())
}

/// Changes what an environment asks of a promotion.
pub async fn set_policy(
    store: &Store,
    by: &Actor,
    name: &str,
    policy: Policy,
    now: DateTime<Utc>,
) -> Result<Environment> {
    by.may_in(Permission::Administer, name)?;
    check(&policy)?;
    let mut command = Command::begin(store, "set_policy", by, now).await?;
    let before = sqlx::query_scalar!(
        r#"select policy as "policy: Json<Policy>"
           from environment
           where project_id = $1 and name = $2
           for update"#,
        by.project.0,
        name,
    )
    .fetch_optional(command.db())
    .await?
    .ok_or(Error::NotFound("environment"))?;
    sqlx::query!(
        "update environment set policy = $3 where project_id = $1 and name = $2",
        by.project.0,
        name,
        json!(policy),
    )
    .execute(command.db())
    .await?;
    command.record(
        "environment.policy",
        name,
        json!({ "before": { "policy": before.0 }, "after": { "policy": policy } }),
    );
    command.tell("environment", json!({ "environment": name }));
    command.commit().await?;
    Ok(environment(name.to_owned(), policy))
}
