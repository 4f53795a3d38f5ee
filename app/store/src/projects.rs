//! Projects: reading the ones somebody belongs to, and creating them.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Grant, Role, Who},
    id::{PersonId, ProjectId},
    project::{Project, check_label},
    prompt::{PRODUCTION, check_slug},
    release::Policy,
};
use serde_json::json;
use sqlx::PgConnection;

use crate::{Error, Result, Store, environments, error::OnConstraint, new_id, tx::Command};

/// The projects a person belongs to, by name.
pub async fn of_person(store: &Store, person: PersonId) -> Result<Vec<Project>> {
    let projects = sqlx::query_as!(
        Project,
        r#"select project_id as "id: ProjectId", slug, project.name, role as "role: Role"
           from member
           join project using (project_id)
           where person_id = $1
           order by project.name, slug
           limit 500"#,
        person.0,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(projects)
}

/// The person as somebody acting in the project with that address, if they belong to it.
pub async fn actor(
    store: &Store,
    person: PersonId,
    slug: &str,
) -> Result<Option<(Actor, Project)>> {
    let row = sqlx::query!(
        r#"select project_id as "id: ProjectId", slug, project.name, role as "role: Role", person.name as person_name
           from member
           join project using (project_id)
           join person using (person_id)
           where person_id = $1 and slug = $2"#,
        person.0,
        slug,
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(row.map(|row| {
        let actor = Actor {
            who: Who::Person {
                id: person,
                name: row.person_name,
            },
            project: row.id,
            grant: Grant::Role(row.role),
        };
        (
            actor,
            Project {
                id: row.id,
                slug: row.slug,
                name: row.name,
                role: row.role,
            },
        )
    }))
}

/// The address and name of the project somebody acts in.
pub async fn address(store: &Store, by: &Actor) -> Result<(String, String)> {
    let row = sqlx::query!(
        "select slug, name from project where project_id = $1",
        by.project.0
    )
    .fetch_optional(&store.pool)
    .await?
    .ok_or(Error::NotFound("project"))?;
    Ok((row.slug, row.name))
}

/// The operator at the terminal, acting in the project with that address.
pub async fn operator(store: &Store, slug: &str) -> Result<Actor> {
    let project = sqlx::query_scalar!(
        r#"select project_id as "id: ProjectId" from project where slug = $1"#,
        slug
    )
    .fetch_optional(&store.pool)
    .await?
    .ok_or(Error::NotFound("project"))?;
    Ok(Actor {
        who: Who::System {
            name: "command line".to_owned(),
        },
        project,
        grant: Grant::Operator,
    })
}

/// Every project's id and address, for the command line.
pub async fn all(store: &Store) -> Result<Vec<(ProjectId, String)>> {
    let rows =
        sqlx::query!(r#"select project_id as "id: ProjectId", slug from project order by slug"#)
            .fetch_all(&store.pool)
            .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.slug)).collect())
}

/// Creates a project with the three usual environments; the person becomes its admin.
/// Only somebody who runs this installation, or is admin of some project, may.
pub async fn create(
    store: &Store,
    person: PersonId,
    slug: &str,
    name: &str,
    now: DateTime<Utc>,
) -> Result<Project> {
    let row = sqlx::query!(
        r#"select name,
                  (is_operator or exists (
                      select from member where member.person_id = person.person_id and role = 'admin'
                  )) as "may!"
           from person
           where person_id = $1"#,
        person.0,
    )
    .fetch_optional(&store.pool)
    .await?
    .ok_or(Error::NotFound("person"))?;
    if !row.may {
        return Err(Error::Denied(domain::actor::Denied::Role {
            needed: Role::Admin,
            held: Role::Viewer,
        }));
    }
    check_slug(slug).map_err(|message| Error::invalid("slug", message))?;
    check_label(name).map_err(|message| Error::invalid("name", message))?;

    let project: ProjectId = new_id();
    let who = Who::Person {
        id: person,
        name: row.name,
    };
    let mut command = Command::begin_as(store, "create_project", project, who, now).await?;
    insert(command.db(), project, slug, name, now).await?;
    add_admin(command.db(), project, person, now).await?;
    command.record("project.create", slug, json!({ "after": { "name": name } }));
    command.commit().await?;
    Ok(Project {
        id: project,
        slug: slug.to_owned(),
        name: name.to_owned(),
        role: Role::Admin,
    })
}

/// Inserts a project with its head and its first environments.
pub(crate) async fn insert(
    db: &mut PgConnection,
    project: ProjectId,
    slug: &str,
    name: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into project (project_id, slug, name, created_at) values ($1, $2, $3, $4)",
        project.0,
        slug,
        name,
        now,
    )
    .execute(&mut *db)
    .await
    .on_constraint("project_slug_unique", || {
        Error::conflict(
            "project_exists",
            format!("there is a project {slug} already"),
        )
    })?;
    sqlx::query!(
        "insert into project_head (project_id) values ($1)",
        project.0
    )
    .execute(&mut *db)
    .await?;
    let first = [
        (PRODUCTION, Policy::guarded()),
        ("staging", Policy::default()),
        ("development", Policy::default()),
    ];
    for (position, (environment, policy)) in (0..).zip(first) {
        environments::insert(db, project, environment, position, &policy, now).await?;
    }
    Ok(())
}

/// Makes a person the admin of a project they just created.
pub(crate) async fn add_admin(
    db: &mut PgConnection,
    project: ProjectId,
    person: PersonId,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into member (project_id, person_id, role, created_at) values ($1, $2, 'admin', $3)",
        project.0,
        person.0,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}
