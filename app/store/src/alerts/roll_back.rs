//! Takes deployments back by themselves where a rule says so: once for each deployment, never a
//! rollback again, and never what has served for so long that releasing it cannot be the cause.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Grant, Who},
    alert::{Happened, Kind, ROLL_BACK_WITHIN},
    id::{AlertId, DeploymentId, ProjectId},
    prompt::PromptName,
};
use serde_json::json;

use super::{judge::JUDGE, note_down};
use crate::{
    Error, Result, Store,
    releases::{self, Release, Seen},
    tx::Command,
};

struct Due {
    project: ProjectId,
    alert: AlertId,
    rule: String,
    title: String,
    sentence: String,
    prompt: PromptName,
    environment: String,
    deployment: DeploymentId,
}

/// Takes back what is to be; answers how many deployments were.
pub async fn roll_back_due(store: &Store, now: DateTime<Utc>) -> Result<usize> {
    // A rule may be older than what its kind may do.
    let kinds: Vec<String> = Kind::ALL
        .into_iter()
        .filter(|kind| kind.may_roll_back())
        .map(|kind| kind.word().to_owned())
        .collect();
    let due = sqlx::query_as!(
        Due,
        r#"select distinct on (serving.deployment_id)
                  alert.project_id as "project: ProjectId", alert_id as "alert: AlertId", alert_rule.name as rule, title,
                  sentence, prompt.name as "prompt: PromptName", environment.name as environment,
                  serving.deployment_id as "deployment: DeploymentId"
           from alert
           join alert_rule using (rule_id)
           join serving on serving.prompt_id = alert.prompt_id and serving.environment_id = alert.environment_id
           join deployment using (deployment_id)
           join prompt on prompt.prompt_id = alert.prompt_id
           join environment on environment.environment_id = alert.environment_id
           where resolved_at is null and rolls_back and is_on and removed_at is null
             and alert_rule.environment_id = alert.environment_id and alert_rule.kind = any($2)
             -- What an automatic rollback put there is not taken back: two versions would take turns.
             and deployment.kind <> 'rollback' and serving.previous_version_id is not null
             and deployed_at <= raised_at and deployed_at > $1
             and not exists (select from automatic_rollback
                             where automatic_rollback.deployment_id = serving.deployment_id)
           order by serving.deployment_id, raised_at"#,
        now - ROLL_BACK_WITHIN,
        &kinds,
    )
    .fetch_all(&store.pool)
    .await?;
    let mut n_done = 0;
    for due in due {
        // Claimed before it is done: a server that dies in between leaves the rest to people.
        let claimed = sqlx::query!(
            "insert into automatic_rollback (deployment_id, alert_id, at) values ($1, $2, $3)
             on conflict (deployment_id) do nothing",
            due.deployment.0,
            due.alert.0,
            now,
        )
        .execute(&store.pool)
        .await?;
        if claimed.rows_affected() == 0 {
            continue;
        }
        match take_back(store, &due, now).await {
            Ok(is_done) => n_done += usize::from(is_done),
            Err(error @ Error::Unavailable(_)) => return Err(error),
            // One that fails keeps none of the others from theirs.
            Err(error) => {
                tracing::error!(alert.id = %due.alert, %error, "a rollback could not be noted down");
            }
        }
    }
    Ok(n_done)
}

async fn take_back(store: &Store, due: &Due, now: DateTime<Utc>) -> Result<bool> {
    let judge = Actor {
        who: Who::System {
            name: JUDGE.to_owned(),
        },
        project: due.project,
        grant: Grant::Operator,
    };
    let reason = format!(
        "Automatic rollback by the alert “{}”. {}",
        due.rule, due.sentence
    );
    let release = Release {
        prompt: &due.prompt,
        environment: &due.environment,
        reason: &reason,
        seen: Seen::Deployment(Some(due.deployment)),
    };
    let done = releases::roll_back(store, &judge, &release, None, now).await;
    let happened = match &done {
        Ok(deployment) => Happened::RolledBack {
            deployment: deployment.deployment_id,
            version: deployment.version,
        },
        Err(error) => Happened::NotRolledBack {
            reason: error.to_string(),
        },
    };
    tracing::warn!(alert.id = %due.alert, deployment.id = %due.deployment, is_done = done.is_ok(), "a deployment is taken back by an alert");
    let who = judge.who.clone();
    let mut command =
        Command::begin_as(store, "note_automatic_rollback", due.project, who, now).await?;
    note_down(&mut command, due.alert, &happened).await?;
    command.record(
        if done.is_ok() { "alert.roll_back" } else { "alert.roll_back_failed" },
        due.title.as_str(),
        json!({
            "alert_id": due.alert, "rule": due.rule, "prompt": due.prompt, "environment": due.environment,
            "deployment_id": due.deployment, "sentence": due.sentence,
            "error": done.as_ref().err().map(ToString::to_string),
        }),
    );
    command.tell("alert", json!({ "alert": due.alert }));
    command.commit().await?;
    Ok(done.is_ok())
}
