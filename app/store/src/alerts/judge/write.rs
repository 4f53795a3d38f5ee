//! What the judge writes: alerts that begin and end, what is told of them, and their history.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::{
    actor::Who,
    alert::{Happened, Notification, Reading, Standing, due},
    id::AlertId,
    webhook::{AlertLine, AlertNotice},
};
use serde_json::json;
use sqlx::PgConnection;

use super::{super::note_down, Changes, Finding, JUDGE, Judged, Known};
use crate::{Result, Store, new_id, tx::Command, webhooks};

impl Changes<'_> {
    fn is_any_quiet(&self) -> bool {
        let (settled, pending) = (self.settled.is_empty(), self.pending.is_empty());
        !(settled && pending && self.below.is_empty() && self.read.is_empty())
    }
}

impl Judged {
    /// Writes what changed and queues what is told of it; true if there was anything.
    pub(super) async fn apply(
        &self,
        store: &Store,
        known: &[Known],
        changes: Changes<'_>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let standings: Vec<_> = known.iter().map(Known::standing).collect();
        let is_due = due(self.last_told_at, self.plan.pace(), &standings, now).is_some();
        if changes.raised.is_empty() && changes.resolved.is_empty() && !is_due {
            if changes.is_any_quiet() {
                let mut tx = store.pool.begin().await?;
                self.keep_quiet_changes(&mut tx, &changes, now).await?;
                tx.commit().await?;
            }
            return Ok(false);
        }
        let who = Who::System {
            name: JUDGE.to_owned(),
        };
        let mut command = Command::begin_as(store, "judge_rule", self.project, who, now).await?;
        // Whoever changes the rule takes its row first, too, and what is pending afterwards.
        sqlx::query!(
            r#"select 1 as "held!" from alert_rule where rule_id = $1 for no key update"#,
            self.id.0
        )
        .fetch_one(command.db())
        .await?;
        // With what is raised or not at all: a subject that settled, but whose alert could not be
        // written, would have to wait all over again.
        self.keep_quiet_changes(command.db(), &changes, now).await?;
        for finding in &changes.raised {
            let id = self.raise(&mut command, finding).await?;
            tracing::warn!(alert.id = %id, "an alert fires: {}", finding.title);
        }
        for (id, sentence) in &changes.resolved {
            self.resolve(&mut command, *id, sentence).await?;
        }
        self.tell(&mut command).await?;
        command.tell("alert", json!({ "rule": self.id }));
        command.commit().await?;
        Ok(true)
    }

    async fn keep_quiet_changes(
        &self,
        db: &mut PgConnection,
        changes: &Changes<'_>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        for subject in &changes.pending {
            sqlx::query!(
                "insert into alert_pending (rule_id, subject, since) values ($1, $2, $3)
                 on conflict (rule_id, subject) do nothing",
                self.id.0,
                subject,
                now,
            )
            .execute(&mut *db)
            .await?;
        }
        if !changes.settled.is_empty() {
            sqlx::query!(
                "delete from alert_pending where rule_id = $1 and subject = any($2)",
                self.id.0,
                &changes.settled,
            )
            .execute(&mut *db)
            .await?;
        }
        for (id, below_since) in &changes.below {
            sqlx::query!(
                "update alert set below_since = $2 where alert_id = $1",
                id.0,
                *below_since,
            )
            .execute(&mut *db)
            .await?;
        }
        for (id, value, sentence) in &changes.read {
            sqlx::query!(
                "update alert set value = $2, sentence = $3 where alert_id = $1",
                id.0,
                value,
                sentence,
            )
            .execute(&mut *db)
            .await?;
        }
        Ok(())
    }

    /// A new alert, or the last one of the subject again if it was over only a while ago: what
    /// comes and goes is one thing in the inbox.
    async fn raise(&self, command: &mut Command, finding: &Finding) -> Result<AlertId> {
        let now = command.now();
        let Reading::At(value) = finding.reading else {
            unreachable!("only a value raises an alert");
        };
        let again = sqlx::query_scalar!(
            r#"update alert
               set resolved_at = null, below_since = null, raised_at = $3, n_raised = n_raised + 1, value = $4,
                   sentence = $5, title = $6, href = $7, acknowledged_by = null, acknowledged_at = null
               where alert_id = (
                   select alert_id from alert
                   where rule_id = $1 and subject = $2 and resolved_at > $8
                   order by raised_at desc
                   limit 1)
               returning alert_id as "id: AlertId""#,
            self.id.0,
            finding.subject,
            now,
            value,
            finding.sentence,
            finding.title,
            finding.href,
            now - self.plan.pace().repeat,
        )
        .fetch_optional(command.db())
        .await?;
        let id = if let Some(id) = again {
            id
        } else {
            let id: AlertId = new_id();
            sqlx::query!(
                "insert into alert
                     (alert_id, project_id, rule_id, subject, prompt_id, environment_id, title, sentence, href, value,
                      first_raised_at, raised_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
                id.0,
                self.project.0,
                self.id.0,
                finding.subject,
                finding.prompt.map(|id| id.0),
                finding.environment.map(|id| id.0),
                finding.title,
                finding.sentence,
                finding.href,
                value,
                now,
            )
            .execute(command.db())
            .await?;
            id
        };
        let happened = Happened::Raised {
            sentence: finding.sentence.clone(),
        };
        note_down(command, id, &happened).await?;
        command.record(
            "alert.raise",
            finding.title.as_str(),
            json!({
                "alert_id": id, "rule": self.plan.name, "kind": self.plan.kind, "value": value,
                "sentence": finding.sentence,
            }),
        );
        Ok(id)
    }

    async fn resolve(&self, command: &mut Command, id: AlertId, sentence: &str) -> Result<()> {
        let now = command.now();
        let title = sqlx::query_scalar!(
            "update alert set resolved_at = $2, below_since = null, sentence = $3 where alert_id = $1 returning title",
            id.0,
            now,
            sentence,
        )
        .fetch_one(command.db())
        .await?;
        let happened = Happened::Resolved {
            sentence: sentence.to_owned(),
        };
        note_down(command, id, &happened).await?;
        command.record(
            "alert.resolve",
            title,
            json!({ "alert_id": id, "rule": self.plan.name, "kind": self.plan.kind, "sentence": sentence }),
        );
        Ok(())
    }

    /// Queues what is to be said now, with the alerts as this transaction leaves them.
    async fn tell(&self, command: &mut Command) -> Result<()> {
        let now = command.now();
        let rows = sqlx::query!(
            r#"select alert_id as "id: AlertId", title, sentence, value, prompt.name as "prompt?",
                      environment.name as "environment?", raised_at, resolved_at, acknowledged_at, told_at, is_believed
               from alert
               left join prompt on prompt.prompt_id = alert.prompt_id
               left join environment on environment.environment_id = alert.environment_id
               where rule_id = $1 and (resolved_at is null or is_believed)"#,
            self.id.0,
        )
        .fetch_all(command.db())
        .await?;
        let standings: Vec<_> = rows
            .iter()
            .map(|row| Standing {
                key: row.id,
                is_firing: row.resolved_at.is_none(),
                is_acknowledged: row.acknowledged_at.is_some(),
                told_at: row.told_at,
                is_believed: row.is_believed,
            })
            .collect();
        let Some(said) = due(self.last_told_at, self.plan.pace(), &standings, now) else {
            return Ok(());
        };
        let lines: HashMap<AlertId, AlertLine> = rows
            .into_iter()
            .map(|row| {
                let line = AlertLine {
                    id: row.id,
                    title: row.title,
                    sentence: row.sentence,
                    value: row.value,
                    prompt: row.prompt,
                    environment: row.environment,
                    raised_at: row.raised_at,
                };
                (row.id, line)
            })
            .collect();
        let of = |ids: &[AlertId]| ids.iter().filter_map(|id| lines.get(id).cloned()).collect();
        let notice = AlertNotice {
            project: webhooks::queue::slug(command.db(), self.project).await?,
            rule: self.plan.name.clone(),
            kind: self.plan.kind,
            raised: of(&said.raised),
            still: of(&said.still),
            resolved: of(&said.resolved),
        };
        let n_webhooks = webhooks::queue::tell_alert(command, self.project, notice).await?;
        self.note_told(command, &said, n_webhooks).await
    }

    async fn note_told(
        &self,
        command: &mut Command,
        said: &Notification<AlertId>,
        n_webhooks: i64,
    ) -> Result<()> {
        let now = command.now();
        let firing: Vec<_> = said.raised.iter().chain(&said.still).collect();
        let ids: Vec<_> = firing.iter().map(|id| id.0).collect();
        sqlx::query!(
            "update alert set told_at = $2, is_believed = true where alert_id = any($1)",
            &ids,
            now,
        )
        .execute(command.db())
        .await?;
        let ids: Vec<_> = said.resolved.iter().map(|id| id.0).collect();
        sqlx::query!(
            "update alert set is_believed = false where alert_id = any($1)",
            &ids
        )
        .execute(command.db())
        .await?;
        sqlx::query!(
            "update alert_rule set last_told_at = $2 where rule_id = $1",
            self.id.0,
            now,
        )
        .execute(command.db())
        .await?;
        // Whoever has no webhook reads the inbox; that nobody was called is not worth a line.
        if n_webhooks > 0 {
            for id in firing {
                note_down(command, *id, &Happened::Told { n_webhooks }).await?;
            }
            for id in &said.resolved {
                note_down(command, *id, &Happened::ToldResolved { n_webhooks }).await?;
            }
        }
        Ok(())
    }
}
