//! Who belongs to a project, and with which role.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission, Role},
    id::PersonId,
    project::{Member, check_label, parse_email},
};
use serde_json::json;

use crate::{Error, Result, Store, error::OnConstraint, new_id, people, tx::Command};

/// A project's members, strongest role first.
pub async fn list(store: &Store, by: &Actor) -> Result<Vec<Member>> {
    by.may(Permission::ReadPeople)?;
    let members = sqlx::query_as!(
        Member,
        r#"select person_id as "id: PersonId", email, name, role as "role: Role", member.created_at,
                  password_hash is not null as "has_signed_up!"
           from member
           join person using (person_id)
           where project_id = $1
           order by array_position(array['admin', 'approver', 'editor', 'viewer'], role), name, email
           limit 1000"#,
        by.project.0,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(members)
}

/// Adds somebody, who may or may not have an account already. Answers the member; one
/// without a password needs a set-up link next.
pub async fn add(
    store: &Store,
    by: &Actor,
    email: &str,
    name: &str,
    role: Role,
    now: DateTime<Utc>,
) -> Result<Member> {
    by.may(Permission::Administer)?;
    let email = parse_email(email).map_err(|message| Error::invalid("email", message))?;
    check_label(name).map_err(|message| Error::invalid("name", message))?;
    let mut command = Command::begin(store, "add_member", by, now).await?;
    let known = sqlx::query!(
        r#"select person_id as "id: PersonId", name, password_hash is not null as "has_signed_up!"
           from person
           where email = $1
           for update"#,
        email,
    )
    .fetch_optional(command.db())
    .await?;
    let (id, name, has_signed_up) = if let Some(person) = known {
        (person.id, person.name, person.has_signed_up)
    } else {
        let id = new_id();
        people::insert(&mut command, id, &email, name, false, now).await?;
        (id, name.to_owned(), false)
    };
    sqlx::query!(
        "insert into member (project_id, person_id, role, created_at) values ($1, $2, $3, $4)",
        by.project.0,
        id.0,
        role.word(),
        now,
    )
    .execute(command.db())
    .await
    .on_constraint("member_once", || {
        Error::conflict(
            "member_exists",
            format!("{email} belongs to this project already"),
        )
    })?;
    command.record("member.add", &email, json!({ "after": { "role": role } }));
    command.tell("member", json!({ "email": email }));
    command.commit().await?;
    Ok(Member {
        id,
        email,
        name,
        role,
        created_at: now,
        has_signed_up,
    })
}

/// A one-time link to choose a password with, by the hash of its secret.
#[derive(Clone, Copy, Debug)]
pub struct NewLink<'a> {
    /// SHA-256 of the secret in the address.
    pub token_hash: &'a [u8],
    /// Until when it is good.
    pub expires_at: DateTime<Utc>,
}

/// Keeps the link of somebody who was added a moment ago: the trail says that already.
pub async fn give_link(
    store: &Store,
    by: &Actor,
    person: PersonId,
    link: NewLink<'_>,
    now: DateTime<Utc>,
) -> Result<Member> {
    let (command, member) = keep_link(store, by, person, link, now).await?;
    command.commit().await?;
    Ok(member)
}

/// Keeps a new link for a member who has not used theirs; the older one stops working.
pub async fn invite(
    store: &Store,
    by: &Actor,
    person: PersonId,
    link: NewLink<'_>,
    now: DateTime<Utc>,
) -> Result<Member> {
    let (mut command, member) = keep_link(store, by, person, link, now).await?;
    command.record(
        "member.invite",
        &member.email,
        json!({ "expires_at": link.expires_at }),
    );
    command.tell("member", json!({ "email": member.email }));
    command.commit().await?;
    Ok(member)
}

/// Whoever holds the link becomes the person: it is refused for somebody who has a password, or
/// belongs to another project as well.
async fn keep_link(
    store: &Store,
    by: &Actor,
    person: PersonId,
    link: NewLink<'_>,
    now: DateTime<Utc>,
) -> Result<(Command, Member)> {
    by.may(Permission::Administer)?;
    let mut command = Command::begin(store, "invite_member", by, now).await?;
    let member = sqlx::query_as!(
        Member,
        r#"select person_id as "id: PersonId", email, name, role as "role: Role", member.created_at,
                  password_hash is not null as "has_signed_up!"
           from member
           join person using (person_id)
           where project_id = $1 and person_id = $2
           for update of person"#,
        by.project.0,
        person.0,
    )
    .fetch_optional(command.db())
    .await?
    .ok_or(Error::NotFound("member"))?;
    let n_projects = sqlx::query_scalar!(
        r#"select count(*) as "n!" from member where person_id = $1"#,
        person.0
    )
    .fetch_one(command.db())
    .await?;
    if member.has_signed_up || n_projects != 1 {
        return Err(Error::conflict(
            "has_account",
            format!(
                "{} has an account, or an invitation to another project, and signs in with that",
                member.name
            ),
        ));
    }
    people::write_link(command.db(), link.token_hash, Some(person), link.expires_at).await?;
    Ok((command, member))
}

/// Gives a member another role. A project keeps at least one admin.
pub async fn set_role(
    store: &Store,
    by: &Actor,
    person: PersonId,
    role: Role,
    now: DateTime<Utc>,
) -> Result<()> {
    by.may(Permission::Administer)?;
    let mut command = Command::begin(store, "set_role", by, now).await?;
    let (email, before) = lock(&mut command, by, person).await?;
    if before == Role::Admin && role != Role::Admin {
        keep_an_admin(&mut command, by, person).await?;
    }
    sqlx::query!(
        "update member set role = $3 where project_id = $1 and person_id = $2",
        by.project.0,
        person.0,
        role.word(),
    )
    .execute(command.db())
    .await?;
    command.record(
        "member.role",
        &email,
        json!({ "before": { "role": before }, "after": { "role": role } }),
    );
    command.tell("member", json!({ "email": email }));
    command.commit().await
}

/// Takes somebody out of the project. Their past stays in the audit trail.
pub async fn remove(store: &Store, by: &Actor, person: PersonId, now: DateTime<Utc>) -> Result<()> {
    by.may(Permission::Administer)?;
    let mut command = Command::begin(store, "remove_member", by, now).await?;
    let (email, before) = lock(&mut command, by, person).await?;
    if before == Role::Admin {
        keep_an_admin(&mut command, by, person).await?;
    }
    sqlx::query!(
        "delete from member where project_id = $1 and person_id = $2",
        by.project.0,
        person.0
    )
    .execute(command.db())
    .await?;
    command.record(
        "member.remove",
        &email,
        json!({ "before": { "role": before } }),
    );
    command.tell("member", json!({ "email": email }));
    command.commit().await
}

async fn lock(command: &mut Command, by: &Actor, person: PersonId) -> Result<(String, Role)> {
    // All of a project's admins are locked, so that the last two cannot demote each other at once.
    sqlx::query!(
        "select person_id from member where project_id = $1 and role = 'admin' order by person_id for update",
        by.project.0
    )
    .fetch_all(command.db())
    .await?;
    let row = sqlx::query!(
        r#"select email, role as "role: Role"
           from member
           join person using (person_id)
           where project_id = $1 and person_id = $2
           for update of member"#,
        by.project.0,
        person.0,
    )
    .fetch_optional(command.db())
    .await?
    .ok_or(Error::NotFound("member"))?;
    Ok((row.email, row.role))
}

async fn keep_an_admin(command: &mut Command, by: &Actor, person: PersonId) -> Result<()> {
    let others = sqlx::query_scalar!(
        r#"select count(*) as "n!"
           from member
           where project_id = $1 and role = 'admin' and person_id <> $2"#,
        by.project.0,
        person.0,
    )
    .fetch_one(command.db())
    .await?;
    if others == 0 {
        return Err(Error::conflict(
            "last_admin",
            "a project keeps at least one admin",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use sqlx::PgPool;

    use super::*;
    use crate::testing::{World, at};

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn the_last_two_admins_cannot_demote_each_other_at_once(pool: PgPool) {
        let world = World::new(pool).await;
        let ada = world.member("ada@acme.test", Role::Admin).await;
        let bob = world.member("bob@acme.test", Role::Admin).await;
        let admin = world.actor(Role::Admin);
        for round in 0..10 {
            let demote = |person| set_role(&world.store, &admin, person, Role::Viewer, at(round));
            let (one, two) = tokio::join!(demote(ada), demote(bob));
            assert_eq!(
                u8::from(one.is_ok()) + u8::from(two.is_ok()),
                1,
                "round {round}"
            );
            let demoted = if one.is_ok() { ada } else { bob };
            set_role(&world.store, &admin, demoted, Role::Admin, at(round))
                .await
                .unwrap();
        }
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_member_is_added_once_and_only_by_an_admin(pool: PgPool) {
        let world = World::new(pool).await;
        world.member("ada@acme.test", Role::Viewer).await;
        let again = add(
            &world.store,
            &world.actor(Role::Admin),
            " ADA@acme.test",
            "Ada",
            Role::Editor,
            at(1),
        )
        .await;
        assert!(
            matches!(
                again,
                Err(Error::Conflict {
                    code: "member_exists",
                    ..
                })
            ),
            "{again:?}"
        );
        let approver = add(
            &world.store,
            &world.actor(Role::Approver),
            "b@acme.test",
            "B",
            Role::Editor,
            at(1),
        )
        .await;
        assert!(matches!(approver, Err(Error::Denied(_))), "{approver:?}");
        let wrong = add(
            &world.store,
            &world.actor(Role::Admin),
            "nonsense",
            "B",
            Role::Editor,
            at(1),
        )
        .await;
        assert!(matches!(wrong, Err(Error::Invalid(_))), "{wrong:?}");
    }
}
