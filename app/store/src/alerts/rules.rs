//! Rules: what is watched, from when on it is too much. Admins change them, everybody reads them.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission, Who},
    alert::{Kind, NewRule, Rule},
    id::{AlertRuleId, EnvironmentId, PromptId},
    prompt::PromptName,
};
use serde_json::json;
use sqlx::types::Json;

use crate::{Error, Result, Store, error::OnConstraint, new_id, tx::Command};

/// The most rules of a project: each is judged every few seconds.
const MAX_RULES: i64 = 100;

struct Row {
    id: AlertRuleId,
    name: String,
    kind: Kind,
    is_on: bool,
    prompt: Option<PromptName>,
    environment: Option<String>,
    raise_at: f64,
    clear_at: f64,
    raise_after_seconds: i32,
    clear_after_seconds: i32,
    window_minutes: i32,
    min_requests: i32,
    group_seconds: i32,
    repeat_minutes: i32,
    rolls_back: bool,
    n_firing: i64,
    by: Json<Who>,
    changed_at: DateTime<Utc>,
}

impl Row {
    fn rule(self) -> Rule {
        Rule {
            id: self.id,
            plan: NewRule {
                name: self.name,
                kind: self.kind,
                enabled: self.is_on,
                prompt: self.prompt,
                environment: self.environment,
                threshold: self.raise_at,
                clear_threshold: self.clear_at,
                for_seconds: self.raise_after_seconds,
                clear_for_seconds: self.clear_after_seconds,
                window_minutes: self.window_minutes,
                min_requests: self.min_requests,
                group_seconds: self.group_seconds,
                repeat_minutes: self.repeat_minutes,
                roll_back: self.rolls_back,
            },
            n_firing: self.n_firing,
            by: self.by.0,
            changed_at: self.changed_at,
        }
    }
}

/// The project's rules by name.
pub async fn list(store: &Store, by: &Actor) -> Result<Vec<Rule>> {
    by.may(Permission::Read)?;
    let rows = sqlx::query_as!(
        Row,
        r#"select rule_id as "id: AlertRuleId", alert_rule.name, kind as "kind: Kind", is_on,
                  prompt.name as "prompt?: PromptName", environment.name as "environment?", raise_at, clear_at,
                  raise_after_seconds, clear_after_seconds, window_minutes, min_requests, group_seconds,
                  repeat_minutes, rolls_back,
                  (select count(*) from alert
                   where alert.rule_id = alert_rule.rule_id and resolved_at is null) as "n_firing!",
                  alert_rule.by as "by: Json<Who>", alert_rule.changed_at
           from alert_rule
           left join prompt using (prompt_id)
           left join environment using (environment_id)
           where alert_rule.project_id = $1 and removed_at is null
           order by alert_rule.name"#,
        by.project.0,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows.into_iter().map(Row::rule).collect())
}

/// Where a rule holds, by the ids of what it names.
struct Scope {
    prompt: Option<PromptId>,
    environment: Option<EnvironmentId>,
}

async fn scope(command: &mut Command, by: &Actor, rule: &NewRule) -> Result<Scope> {
    let mut scope = Scope {
        prompt: None,
        environment: None,
    };
    if let Some(name) = &rule.prompt {
        let found = sqlx::query_scalar!(
            r#"select prompt_id as "id: PromptId" from prompt where project_id = $1 and name = $2"#,
            by.project.0,
            name.as_str(),
        )
        .fetch_optional(command.db())
        .await?;
        scope.prompt =
            Some(found.ok_or_else(|| Error::invalid("prompt", "there is none of that name"))?);
    }
    if let Some(name) = &rule.environment {
        let found = sqlx::query_scalar!(
            r#"select environment_id as "id: EnvironmentId" from environment
               where project_id = $1 and name = $2"#,
            by.project.0,
            name,
        )
        .fetch_optional(command.db())
        .await?;
        scope.environment =
            Some(found.ok_or_else(|| Error::invalid("environment", "there is none of that name"))?);
    }
    Ok(scope)
}

/// Adds a rule.
pub async fn create(store: &Store, by: &Actor, rule: &NewRule, now: DateTime<Utc>) -> Result<Rule> {
    by.may(Permission::Administer)?;
    let mut command = Command::begin(store, "create_alert_rule", by, now).await?;
    let scope = scope(&mut command, by, rule).await?;
    let count = sqlx::query_scalar!(
        r#"select count(*) as "n!" from alert_rule where project_id = $1 and removed_at is null"#,
        by.project.0
    )
    .fetch_one(command.db())
    .await?;
    if count >= MAX_RULES {
        let words = format!("a project has at most {MAX_RULES} rules");
        return Err(Error::conflict("too_many_alert_rules", words));
    }
    let id: AlertRuleId = new_id();
    let author = command.author();
    sqlx::query!(
        "insert into alert_rule
             (rule_id, project_id, name, kind, is_on, prompt_id, environment_id, raise_at, clear_at,
              raise_after_seconds, clear_after_seconds, window_minutes, min_requests, group_seconds, repeat_minutes,
              rolls_back, by, created_at, changed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $18)",
        id.0,
        by.project.0,
        rule.name,
        rule.kind.word(),
        rule.enabled,
        scope.prompt.map(|id| id.0),
        scope.environment.map(|id| id.0),
        rule.threshold,
        rule.clear_threshold,
        rule.for_seconds,
        rule.clear_for_seconds,
        rule.window_minutes,
        rule.min_requests,
        rule.group_seconds,
        rule.repeat_minutes,
        rule.roll_back,
        author,
        now,
    )
    .execute(command.db())
    .await
    .on_constraint("alert_rule_name_unique", taken)?;
    command.record(
        "alert_rule.create",
        rule.name.as_str(),
        json!({ "rule_id": id, "after": rule }),
    );
    command.tell("alert", json!({ "rule": id }));
    command.commit().await?;
    Ok(Rule {
        id,
        plan: rule.clone(),
        n_firing: 0,
        by: by.who.clone(),
        changed_at: now,
    })
}

fn taken() -> Error {
    Error::conflict("alert_rule_exists", "there is a rule of that name already")
}

/// Changes all that a rule says. What fires by it goes on until it is judged again; what was too
/// much, but not yet for long enough, begins anew.
pub async fn change(
    store: &Store,
    by: &Actor,
    id: AlertRuleId,
    rule: &NewRule,
    now: DateTime<Utc>,
) -> Result<Rule> {
    by.may(Permission::Administer)?;
    let before = find(store, by, id).await?;
    let mut command = Command::begin(store, "change_alert_rule", by, now).await?;
    let scope = scope(&mut command, by, rule).await?;
    let author = command.author();
    let done = sqlx::query!(
        "update alert_rule
         set name = $3, kind = $4, is_on = $5, prompt_id = $6, environment_id = $7, raise_at = $8, clear_at = $9,
             raise_after_seconds = $10, clear_after_seconds = $11, window_minutes = $12, min_requests = $13,
             group_seconds = $14, repeat_minutes = $15, rolls_back = $16, by = $17, changed_at = $18
         where rule_id = $1 and project_id = $2 and removed_at is null",
        id.0,
        by.project.0,
        rule.name,
        rule.kind.word(),
        rule.enabled,
        scope.prompt.map(|id| id.0),
        scope.environment.map(|id| id.0),
        rule.threshold,
        rule.clear_threshold,
        rule.for_seconds,
        rule.clear_for_seconds,
        rule.window_minutes,
        rule.min_requests,
        rule.group_seconds,
        rule.repeat_minutes,
        rule.roll_back,
        author,
        now,
    )
    .execute(command.db())
    .await
    .on_constraint("alert_rule_name_unique", taken)?;
    if done.rows_affected() == 0 {
        return Err(Error::NotFound("alert rule"));
    }
    forget_pending(&mut command, id).await?;
    command.record(
        "alert_rule.change",
        rule.name.as_str(),
        json!({ "rule_id": id, "before": before.plan, "after": rule }),
    );
    command.tell("alert", json!({ "rule": id }));
    command.commit().await?;
    Ok(Rule {
        plan: rule.clone(),
        by: by.who.clone(),
        changed_at: now,
        ..before
    })
}

/// Takes a rule away. Its alerts stay in the inbox; those that fire are over.
pub async fn remove(store: &Store, by: &Actor, id: AlertRuleId, now: DateTime<Utc>) -> Result<()> {
    by.may(Permission::Administer)?;
    let before = find(store, by, id).await?;
    let mut command = Command::begin(store, "remove_alert_rule", by, now).await?;
    sqlx::query!(
        "update alert_rule set removed_at = $3, is_on = false
         where rule_id = $1 and project_id = $2 and removed_at is null",
        id.0,
        by.project.0,
        now,
    )
    .execute(command.db())
    .await?;
    forget_pending(&mut command, id).await?;
    command.record(
        "alert_rule.remove",
        before.plan.name.as_str(),
        json!({ "rule_id": id, "before": before.plan }),
    );
    command.tell("alert", json!({ "rule": id }));
    command.commit().await
}

/// What waits was read by the rule as it was before, perhaps long ago.
async fn forget_pending(command: &mut Command, id: AlertRuleId) -> Result<()> {
    sqlx::query!("delete from alert_pending where rule_id = $1", id.0)
        .execute(command.db())
        .await?;
    Ok(())
}

async fn find(store: &Store, by: &Actor, id: AlertRuleId) -> Result<Rule> {
    list(store, by)
        .await?
        .into_iter()
        .find(|rule| rule.id == id)
        .ok_or(Error::NotFound("alert rule"))
}
