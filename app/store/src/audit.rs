//! Reading and checking the audit trail. Entries are written by `tx` alone.

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

#[cfg(test)]
mod tests {
    use domain::actor::Role;
    use sqlx::PgPool;

    use super::*;
    use crate::{releases::Seen, testing::World};

    async fn history(pool: PgPool) -> World {
        let world = World::new(pool).await;
        world.prompt_with_versions("triage", 2).await;
        world.promote("triage", "production", 1, 10).await.unwrap();
        world.promote("triage", "production", 2, 20).await.unwrap();
        world
            .roll_back("triage", None, Seen::OnArrival, 30)
            .await
            .unwrap();
        world
    }

    /// Does what only somebody with the database can do.
    async fn tamper(pool: &PgPool, statements: &[&'static str]) {
        let mut tx = pool.begin().await.unwrap();
        sqlx::query("alter table audit_entry disable trigger user")
            .execute(&mut *tx)
            .await
            .unwrap();
        for statement in statements {
            sqlx::query(*statement).execute(&mut *tx).await.unwrap();
        }
        sqlx::query("alter table audit_entry enable trigger user")
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn every_change_leaves_an_entry_and_the_chain_holds(pool: PgPool) {
        let world = history(pool).await;
        let trail = oldest_first(&world.store, world.project, 0, 100)
            .await
            .unwrap();
        let actions: Vec<&str> = trail.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!(
            actions,
            [
                "project.create",
                "prompt.create",
                "version.create",
                "version.create",
                "deployment.promote",
                "deployment.promote",
                "deployment.rollback",
            ]
        );
        let (length, _) = verify(&world.store, world.project, None)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(length, 7);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn an_edited_row_is_named(pool: PgPool) {
        let world = history(pool.clone()).await;
        tamper(&pool, &["update audit_entry set actor = '{\"kind\":\"system\",\"name\":\"x\"}' where sequence = 5"]).await;
        assert_eq!(
            verify(&world.store, world.project, None).await.unwrap(),
            Err(Broken::Edited(5))
        );
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_missing_row_is_named(pool: PgPool) {
        let world = history(pool.clone()).await;
        tamper(&pool, &["delete from audit_entry where sequence = 3"]).await;
        assert_eq!(
            verify(&world.store, world.project, None).await.unwrap(),
            Err(Broken::Missing(3))
        );
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_cut_off_end_is_seen(pool: PgPool) {
        let world = history(pool.clone()).await;
        tamper(&pool, &["delete from audit_entry where sequence > 5"]).await;
        assert_eq!(
            verify(&world.store, world.project, None).await.unwrap(),
            Err(Broken::Truncated {
                ends: 5,
                expected: 7
            })
        );
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn swapped_rows_are_named(pool: PgPool) {
        let world = history(pool.clone()).await;
        tamper(
            &pool,
            &[
                "update audit_entry set sequence = 100 where sequence = 3",
                "update audit_entry set sequence = 3 where sequence = 4",
                "update audit_entry set sequence = 4 where sequence = 100",
            ],
        )
        .await;
        assert_eq!(
            verify(&world.store, world.project, None).await.unwrap(),
            Err(Broken::Edited(3))
        );
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn the_trail_is_filtered_by_actor_subject_action_and_time(pool: PgPool) {
        let world = history(pool).await;
        let viewer = world.actor(Role::Viewer);
        let count = async |filter: Filter| {
            list(&world.store, &viewer, &filter, &PageRequest::default())
                .await
                .unwrap()
                .items
                .len()
        };
        assert_eq!(count(Filter::default()).await, 7);
        assert_eq!(
            count(Filter {
                actor: Some("APPROVER".into()),
                ..Filter::default()
            })
            .await,
            2
        );
        assert_eq!(
            count(Filter {
                subject: Some("triage".into()),
                ..Filter::default()
            })
            .await,
            6
        );
        assert_eq!(
            count(Filter {
                action: Some("deployment".into()),
                ..Filter::default()
            })
            .await,
            3
        );
        assert_eq!(
            count(Filter {
                action: Some("deployment.rollback".into()),
                ..Filter::default()
            })
            .await,
            1
        );
        let from = Some(crate::testing::at(15));
        assert_eq!(
            count(Filter {
                from,
                ..Filter::default()
            })
            .await,
            2
        );
    }
}
