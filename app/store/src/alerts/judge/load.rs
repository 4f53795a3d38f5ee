//! What the judge begins with: the rules, the alerts that fire or are believed to, and what reads
//! too high but not for long enough yet.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::{
    alert::{Kind, NewRule},
    id::{AlertId, AlertRuleId, EnvironmentId, ProjectId, PromptId},
};

use super::{Judged, Known};
use crate::{Result, Store};

/// The rules that watch, and those that no longer do but have alerts to end.
pub(super) async fn load_rules(store: &Store) -> Result<Vec<Judged>> {
    let rows = sqlx::query!(
        r#"select rule_id as "id: AlertRuleId", project_id as "project: ProjectId", name, kind as "kind: Kind", is_on,
                  prompt_id as "prompt: PromptId", environment_id as "environment: EnvironmentId", raise_at, clear_at,
                  raise_after_seconds, clear_after_seconds, window_minutes, min_requests, group_seconds,
                  repeat_minutes, rolls_back, last_told_at, removed_at
           from alert_rule
           where (is_on and removed_at is null)
              or exists (select from alert
                         where alert.rule_id = alert_rule.rule_id and (resolved_at is null or is_believed))
           order by rule_id"#,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Judged {
            id: row.id,
            project: row.project,
            plan: NewRule {
                name: row.name,
                kind: row.kind,
                enabled: row.is_on,
                // Where it holds is said by ids.
                prompt: None,
                environment: None,
                threshold: row.raise_at,
                clear_threshold: row.clear_at,
                for_seconds: row.raise_after_seconds,
                clear_for_seconds: row.clear_after_seconds,
                window_minutes: row.window_minutes,
                min_requests: row.min_requests,
                group_seconds: row.group_seconds,
                repeat_minutes: row.repeat_minutes,
                roll_back: row.rolls_back,
            },
            prompt: row.prompt,
            environment: row.environment,
            is_removed: row.removed_at.is_some(),
            last_told_at: row.last_told_at,
        })
        .collect())
}

pub(super) async fn load_known(store: &Store) -> Result<HashMap<AlertRuleId, Vec<Known>>> {
    let rows = sqlx::query!(
        r#"select rule_id as "rule: AlertRuleId", alert_id as "id: AlertId", subject, sentence, resolved_at,
                  acknowledged_at, below_since, told_at, is_believed
           from alert
           where resolved_at is null or is_believed"#,
    )
    .fetch_all(&store.pool)
    .await?;
    let mut known: HashMap<AlertRuleId, Vec<Known>> = HashMap::new();
    for row in rows {
        known.entry(row.rule).or_default().push(Known {
            id: row.id,
            subject: row.subject,
            sentence: row.sentence,
            is_firing: row.resolved_at.is_none(),
            is_acknowledged: row.acknowledged_at.is_some(),
            below_since: row.below_since,
            told_at: row.told_at,
            is_believed: row.is_believed,
        });
    }
    Ok(known)
}

pub(super) async fn load_pending(
    store: &Store,
) -> Result<HashMap<AlertRuleId, HashMap<String, DateTime<Utc>>>> {
    let rows =
        sqlx::query!(r#"select rule_id as "rule: AlertRuleId", subject, since from alert_pending"#)
            .fetch_all(&store.pool)
            .await?;
    let mut pending: HashMap<AlertRuleId, HashMap<String, DateTime<Utc>>> = HashMap::new();
    for row in rows {
        pending
            .entry(row.rule)
            .or_default()
            .insert(row.subject, row.since);
    }
    Ok(pending)
}
