//! Reading and checking the audit trail. Entries are written by [`crate::tx`] alone.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission, Who},
    audit::{Broken, Check, Entry},
    id::ProjectId,
    page::{Listing, PageRequest},
};
use sqlx::types::Json;

use crate::{Error, Result, Store};

/// What to show of the trail; everything is optional.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Who did it: a part of the name, whatever case.
    pub actor: Option<String>,
    /// What it was done to: a prompt's name, whole.
    pub subject: Option<String>,
    /// What was done: the whole action, or its noun.
    pub action: Option<String>,
    /// From this moment on.
    pub from: Option<DateTime<Utc>>,
    /// Until just before this moment.
    pub until: Option<DateTime<Utc>>,
}

/// A page of the trail, newest first.
pub async fn list(
    store: &Store,
    by: &Actor,
    filter: &Filter,
    page: &PageRequest,
) -> Result<Listing<Entry>> {
    by.may(Permission::ReadPeople)?;
    let before = page
        .after_number()
        .map_err(|error| Error::invalid("cursor", error.to_string()))?;
    let rows = sqlx::query_as!(
        Row,
        r#"select sequence, at, actor as "actor: Json<Who>", action, subject, detail, previous_hash, hash
           from audit_entry
           where project_id = $1
             and ($2::bigint is null or sequence < $2)
             and ($3::text is null or strpos(lower(actor ->> 'name'), lower($3)) > 0)
             and ($4::text is null or subject = $4)
             and ($5::text is null or action = $5 or split_part(action, '.', 1) = $5)
             and ($6::timestamptz is null or at >= $6)
             and ($7::timestamptz is null or at < $7)
           order by sequence desc
           limit $8"#,
        by.project.0,
        before,
        filter.actor,
        filter.subject,
        filter.action,
        filter.from,
        filter.until,
        page.fetch(),
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(Listing::of(rows, page, |row| row.sequence.to_string()).map(Row::entry))
}

/// One entry by its number.
pub async fn find(store: &Store, by: &Actor, sequence: i64) -> Result<Option<Entry>> {
    by.may(Permission::ReadPeople)?;
    let row = sqlx::query_as!(
        Row,
        r#"select sequence, at, actor as "actor: Json<Who>", action, subject, detail, previous_hash, hash
           from audit_entry
           where project_id = $1 and sequence = $2"#,
        by.project.0,
        sequence,
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(row.map(Row::entry))
}

/// Entries from `after` on, oldest first, in bites: for exports and for the check.
pub async fn oldest_first(
    store: &Store,
    project: ProjectId,
    after: i64,
    limit: i64,
) -> Result<Vec<Entry>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select sequence, at, actor as "actor: Json<Who>", action, subject, detail, previous_hash, hash
           from audit_entry
           where project_id = $1 and sequence > $2
           order by sequence
           limit $3"#,
        project.0,
        after,
        limit,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows.into_iter().map(Row::entry).collect())
}

/// Checks a project's whole chain: the number and hash of its last entry, or what is wrong.
pub async fn verify(
    store: &Store,
    project: ProjectId,
    anchor: Option<(i64, String)>,
) -> Result<std::result::Result<(i64, String), Broken>> {
    const BITE: i64 = 1_000;
    // The head is read first: entries added while the check runs lie after it and are left alone.
    let head = sqlx::query!(
        "select audit_sequence, audit_hash from project_head where project_id = $1",
        project.0,
    )
    .fetch_optional(&store.pool)
    .await?
    .ok_or(Error::NotFound("project"))?;

    let mut check = Check::new(project, anchor);
    let mut after = 0;
    // Bites go by number, so a row out of place or twice cannot hide between them: the
    // primary key forbids twins, and the check compares every number with its place.
    while after < head.audit_sequence {
        let entries = oldest_first(store, project, after, BITE).await?;
        let Some(last) = entries.last().map(|entry| entry.sequence) else {
            break;
        };
        for entry in entries
            .iter()
            .filter(|entry| entry.sequence <= head.audit_sequence)
        {
            if let Err(broken) = check.next(entry) {
                return Ok(Err(broken));
            }
        }
        after = last;
    }
    Ok(check.finish((head.audit_sequence, &head.audit_hash)))
}

/// The words that occur as actions, for the filter.
pub async fn actions(store: &Store, by: &Actor) -> Result<Vec<String>> {
    by.may(Permission::ReadPeople)?;
    let actions = sqlx::query_scalar!(
        "select distinct action from audit_entry where project_id = $1 order by action",
        by.project.0,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(actions)
}

struct Row {
    sequence: i64,
    at: DateTime<Utc>,
    actor: Json<Who>,
    action: String,
    subject: String,
    detail: serde_json::Value,
    previous_hash: String,
    hash: String,
}

impl Row {
    fn entry(self) -> Entry {
        Entry {
            sequence: self.sequence,
            at: self.at,
            actor: self.actor.0,
            action: self.action,
            subject: self.subject,
            detail: self.detail,
            previous_hash: self.previous_hash,
            hash: self.hash,
        }
    }
}
