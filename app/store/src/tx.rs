//! The one kind of writing transaction. Its last step records the audit entries, numbers the
//! changes in the order of commit, and tells everybody who listens: all of it or nothing.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Who},
    audit::Entry,
    id::ProjectId,
};
use serde_json::{Value, json};
use sqlx::{PgConnection, Postgres, Transaction};

use crate::{Result, Store};

/// A named command under way.
pub(crate) struct Command {
    tx: Transaction<'static, Postgres>,
    name: &'static str,
    project: ProjectId,
    who: Who,
    now: DateTime<Utc>,
    entries: Vec<(&'static str, String, Value)>,
    notices: Vec<(&'static str, Value)>,
}

impl Command {
    /// Opens the transaction; `name` is for the logs.
    pub async fn begin(
        store: &Store,
        name: &'static str,
        by: &Actor,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        Self::begin_as(store, name, by.project, by.who.clone(), now).await
    }

    /// Opens a transaction for somebody who has no place in the project yet, or the system.
    pub async fn begin_as(
        store: &Store,
        name: &'static str,
        project: ProjectId,
        who: Who,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let tx = store.pool.begin().await?;
        Ok(Self {
            tx,
            name,
            project,
            who,
            now,
            entries: Vec::new(),
            notices: Vec::new(),
        })
    }

    /// The connection, for the command's own statements.
    pub fn db(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Who acts, as rows keep it.
    pub fn author(&self) -> Value {
        json!(self.who)
    }

    /// When it happens.
    pub const fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Records what was done; `action` is `noun.verb`.
    pub fn record(&mut self, action: &'static str, subject: impl Into<String>, detail: Value) {
        self.entries.push((action, subject.into(), detail));
    }

    /// Tells everybody who follows the project.
    pub fn tell(&mut self, kind: &'static str, payload: Value) {
        self.notices.push((kind, payload));
    }

    /// Writes the audit entries and changes, and commits.
    #[tracing::instrument(skip_all, fields(command = self.name))]
    pub async fn commit(mut self) -> Result<()> {
        let project = self.project;
        // Locked last and held for a moment only: commands on different prompts of a project
        // wait for each other just here, and the numbers follow the order of commit.
        let head = sqlx::query!(
            "select audit_sequence, audit_hash, change_sequence
             from project_head
             where project_id = $1
             for update",
            project.0,
        )
        .fetch_one(&mut *self.tx)
        .await?;

        let mut sequence = head.audit_sequence;
        let mut hash = head.audit_hash;
        let mut recorded = Vec::with_capacity(self.entries.len());
        for (action, subject, detail) in self.entries {
            sequence += 1;
            let entry = Entry {
                sequence,
                at: self.now,
                actor: self.who.clone(),
                action: action.to_owned(),
                subject,
                detail,
                previous_hash: String::new(),
                hash: String::new(),
            }
            .chained(project, &hash);
            sqlx::query!(
                "insert into audit_entry
                     (project_id, sequence, at, actor, action, subject, detail, previous_hash, hash)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                project.0,
                entry.sequence,
                entry.at,
                json!(entry.actor),
                entry.action,
                entry.subject,
                entry.detail,
                entry.previous_hash,
                entry.hash,
            )
            .execute(&mut *self.tx)
            .await?;
            hash.clone_from(&entry.hash);
            recorded.push(entry);
        }
        if !recorded.is_empty() {
            crate::webhooks::queue::tell_audit(&mut self.tx, project, &recorded, self.now).await?;
        }

        let mut change = head.change_sequence;
        for (kind, payload) in self.notices {
            change += 1;
            sqlx::query!(
                "insert into change (project_id, sequence, kind, payload, at) values ($1, $2, $3, $4, $5)",
                project.0,
                change,
                kind,
                payload,
                self.now,
            )
            .execute(&mut *self.tx)
            .await?;
        }

        sqlx::query!(
            "update project_head
             set audit_sequence = $2, audit_hash = $3, change_sequence = $4
             where project_id = $1",
            project.0,
            sequence,
            hash,
            change,
        )
        .execute(&mut *self.tx)
        .await?;
        if change > head.change_sequence {
            sqlx::query!(
                "select pg_notify($1, $2)",
                crate::CHANGE_CHANNEL,
                format!("{project} {change}")
            )
            .execute(&mut *self.tx)
            .await?;
        }
        self.tx.commit().await?;
        Ok(())
    }
}
