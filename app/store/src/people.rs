//! People who sign in: their passwords' hashes, one-time set-up links, throttling.
//! Hashing itself happens in `server`; nothing here ever sees a password.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::Who,
    id::{PersonId, ProjectId},
    project::check_label,
    prompt::check_slug,
};
use serde_json::json;
use sqlx::PgConnection;

use crate::{Error, Result, Store, error::OnConstraint, new_id, projects, tx::Command};

/// Failed sign-ins to one account within the window before it must wait.
pub const FAILURES_PER_ACCOUNT: i64 = 10;
/// Failed sign-ins from one address within the window before it must wait.
pub const FAILURES_PER_ADDRESS: i64 = 50;
/// How long failures count, in minutes.
pub const WINDOW_MINUTES: i64 = 15;

/// Somebody who may sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The person.
    pub id: PersonId,
    /// Where they sign in with.
    pub email: String,
    /// As people call them.
    pub name: String,
    /// Argon2id in PHC form; none until they have chosen a password.
    pub password_hash: Option<String>,
    /// Whether they run this installation.
    pub is_operator: bool,
}

/// Whether nobody has been set up yet.
pub async fn nobody_yet(store: &Store) -> Result<bool> {
    let nobody = sqlx::query_scalar!(r#"select not exists (select from person) as "nobody!""#)
        .fetch_one(&store.pool)
        .await?;
    Ok(nobody)
}

/// The person with that (lower-cased) e-mail address.
pub async fn by_email(store: &Store, email: &str) -> Result<Option<Person>> {
    let person = sqlx::query_as!(
        Person,
        r#"select person_id as "id: PersonId", email, name, password_hash, is_operator
           from person
           where email = $1"#,
        email,
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(person)
}

/// The person behind a session.
pub async fn by_id(store: &Store, id: PersonId) -> Result<Option<Person>> {
    let person = sqlx::query_as!(
        Person,
        r#"select person_id as "id: PersonId", email, name, password_hash, is_operator
           from person
           where person_id = $1"#,
        id.0,
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(person)
}

/// Seconds somebody must wait before another attempt to sign in, if they must.
pub async fn must_wait(
    store: &Store,
    email: &str,
    address: &str,
    now: DateTime<Utc>,
) -> Result<Option<i64>> {
    let since = now - TimeDelta::minutes(WINDOW_MINUTES);
    let row = sqlx::query!(
        r#"select
               (select count(*) from failed_sign_in where email = $1 and at > $3) as "account!",
               (select count(*) from failed_sign_in where address = $2 and at > $3) as "address!",
               (select min(at) from failed_sign_in where (email = $1 or address = $2) and at > $3) as oldest"#,
        email,
        address,
        since,
    )
    .fetch_one(&store.pool)
    .await?;
    if row.account < FAILURES_PER_ACCOUNT && row.address < FAILURES_PER_ADDRESS {
        return Ok(None);
    }
    let until = row.oldest.unwrap_or(now) + TimeDelta::minutes(WINDOW_MINUTES);
    Ok(Some((until - now).num_seconds().max(1)))
}

/// Remembers a failed attempt, and forgets those that no longer count.
pub async fn failed(store: &Store, email: &str, address: &str, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "insert into failed_sign_in (email, address, at) values ($1, $2, $3)",
        email,
        address,
        now
    )
    .execute(&store.pool)
    .await?;
    sqlx::query!(
        "delete from failed_sign_in where at < $1",
        now - TimeDelta::days(1)
    )
    .execute(&store.pool)
    .await?;
    Ok(())
}

/// A successful sign-in clears the account's failures.
pub async fn succeeded(store: &Store, email: &str) -> Result<()> {
    sqlx::query!("delete from failed_sign_in where email = $1", email)
        .execute(&store.pool)
        .await?;
    Ok(())
}

/// Sets a password from the terminal, and ends all of the person's sessions.
pub async fn set_password(store: &Store, person: PersonId, password_hash: &str) -> Result<()> {
    let mut tx = store.pool.begin().await?;
    sqlx::query!(
        "update person set password_hash = $2 where person_id = $1",
        person.0,
        password_hash
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("delete from session where person_id = $1", person.0)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

/// Keeps a one-time link's hash. `person` is none for the link that creates the first admin.
pub async fn keep_link(
    store: &Store,
    token_hash: &[u8],
    person: Option<PersonId>,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    let mut tx = store.pool.begin().await?;
    write_link(&mut tx, token_hash, person, expires_at).await?;
    tx.commit().await?;
    Ok(())
}

/// Keeps a link's hash instead of older ones for the same person.
pub(crate) async fn write_link(
    db: &mut PgConnection,
    token_hash: &[u8],
    person: Option<PersonId>,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "delete from set_up_link where person_id is not distinct from $1",
        person.map(|person| person.0)
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "insert into set_up_link (token_hash, person_id, expires_at) values ($1, $2, $3)",
        token_hash,
        person.map(|person| person.0),
        expires_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whom a one-time link is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkFor {
    /// Whoever runs this installation: creates the first admin.
    FirstAdmin,
    /// Somebody who was invited.
    Person(Person),
}

/// Whom the link is for, if it is still good.
pub async fn link(store: &Store, token_hash: &[u8], now: DateTime<Utc>) -> Result<Option<LinkFor>> {
    let row = sqlx::query!(
        r#"select person_id as "person_id: PersonId"
           from set_up_link
           where token_hash = $1 and used_at is null and expires_at > $2"#,
        token_hash,
        now,
    )
    .fetch_optional(&store.pool)
    .await?;
    match row {
        None => Ok(None),
        Some(row) => match row.person_id {
            None => Ok(Some(LinkFor::FirstAdmin)),
            Some(id) => Ok(by_id(store, id).await?.map(LinkFor::Person)),
        },
    }
}

/// What the first admin chose.
#[derive(Clone, Debug)]
pub struct FirstAdmin<'a> {
    /// Lower-cased and checked.
    pub email: &'a str,
    /// As people call them.
    pub name: &'a str,
    /// Argon2id in PHC form.
    pub password_hash: &'a str,
    /// The first project's address.
    pub project_slug: &'a str,
    /// The first project's name.
    pub project_name: &'a str,
}

/// Uses the first link: the person, the project and its environments stand or fall together.
pub async fn create_first_admin(
    store: &Store,
    token_hash: &[u8],
    first: &FirstAdmin<'_>,
    now: DateTime<Utc>,
) -> Result<PersonId> {
    check_label(first.name).map_err(|message| Error::invalid("name", message))?;
    check_slug(first.project_slug).map_err(|message| Error::invalid("project_slug", message))?;
    check_label(first.project_name).map_err(|message| Error::invalid("project_name", message))?;
    let person: PersonId = new_id();
    let project: ProjectId = new_id();
    let who = Who::Person {
        id: person,
        name: first.name.to_owned(),
    };
    let mut command = Command::begin_as(store, "create_first_admin", project, who, now).await?;
    use_link(&mut command, token_hash, None, now).await?;
    insert(&mut command, person, first.email, first.name, true, now).await?;
    sqlx::query!(
        "update person set password_hash = $2 where person_id = $1",
        person.0,
        first.password_hash
    )
    .execute(command.db())
    .await?;
    projects::insert(
        command.db(),
        project,
        first.project_slug,
        first.project_name,
        now,
    )
    .await?;
    projects::add_admin(command.db(), project, person, now).await?;
    command.record(
        "project.create",
        first.project_slug,
        json!({ "after": { "name": first.project_name } }),
    );
    command.commit().await?;
    Ok(person)
}

/// Uses an invited person's link to set their password; their other sessions end.
pub async fn choose_password(
    store: &Store,
    token_hash: &[u8],
    person: PersonId,
    password_hash: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut tx = store.pool.begin().await?;
    let used = sqlx::query!(
        "update set_up_link
         set used_at = $3
         where token_hash = $1 and person_id = $2 and used_at is null and expires_at > $3",
        token_hash,
        person.0,
        now,
    )
    .execute(&mut *tx)
    .await?;
    if used.rows_affected() != 1 {
        return Err(Error::NotFound("set-up link"));
    }
    sqlx::query!(
        "update person set password_hash = $2 where person_id = $1",
        person.0,
        password_hash
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("delete from session where person_id = $1", person.0)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

async fn use_link(
    command: &mut Command,
    token_hash: &[u8],
    person: Option<PersonId>,
    now: DateTime<Utc>,
) -> Result<()> {
    let used = sqlx::query!(
        "update set_up_link
         set used_at = $3
         where token_hash = $1 and person_id is not distinct from $2 and used_at is null and expires_at > $3",
        token_hash,
        person.map(|person| person.0),
        now,
    )
    .execute(command.db())
    .await?;
    if used.rows_affected() == 1 {
        Ok(())
    } else {
        Err(Error::NotFound("set-up link"))
    }
}

/// Inserts a person who has no password yet.
pub(crate) async fn insert(
    command: &mut Command,
    person: PersonId,
    email: &str,
    name: &str,
    is_operator: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into person (person_id, email, name, is_operator, created_at) values ($1, $2, $3, $4, $5)",
        person.0,
        email,
        name,
        is_operator,
        now,
    )
    .execute(command.db())
    .await
    .on_constraint("person_email_unique", || {
        Error::conflict("person_exists", format!("{email} has an account already"))
    })?;
    Ok(())
}

/// Creates the demo's or the terminal's project and people in one go, if the address is free.
pub async fn create_project_as_system(
    store: &Store,
    slug: &str,
    name: &str,
    now: DateTime<Utc>,
) -> Result<ProjectId> {
    check_slug(slug).map_err(|message| Error::invalid("slug", message))?;
    check_label(name).map_err(|message| Error::invalid("name", message))?;
    let project: ProjectId = new_id();
    let who = Who::System {
        name: "command line".to_owned(),
    };
    let mut command = Command::begin_as(store, "create_project", project, who, now).await?;
    projects::insert(command.db(), project, slug, name, now).await?;
    command.record("project.create", slug, json!({ "after": { "name": name } }));
    command.commit().await?;
    Ok(project)
}
