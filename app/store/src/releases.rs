//! Deployments: what served when, and the commands that change it. A rollback is one call here.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission, Who},
    content::ContentHash,
    id::DeploymentId,
    page::{Listing, PageRequest},
    prompt::{PromptName, check_prose},
    release::{Deployment, DeploymentKind, MAX_REASON, Refusal},
};
use sqlx::types::Json;

use crate::{
    Error, Result, Store, drift,
    place::{Place, find_version},
};

/// A page of deployments, newest first; of one prompt and environment, or of all.
pub async fn list(
    store: &Store,
    by: &Actor,
    prompt: Option<&PromptName>,
    environment: Option<&str>,
    page: &PageRequest,
) -> Result<Listing<Deployment>> {
    by.may(Permission::Read)?;
    let after: Option<uuid::Uuid> = page
        .after()
        .map(str::parse)
        .transpose()
        .map_err(|_| Error::invalid("cursor", "is not one that an earlier page gave"))?;
    let rows = sqlx::query_as!(
        Row,
        r#"select deployment_id as "deployment_id: DeploymentId", prompt.name as "prompt: PromptName",
                  environment.name as environment, version.number as version, former.number as "from_version?",
                  version.content_hash as "content_hash: ContentHash", kind as "kind: DeploymentKind", reason,
                  deployment.by as "by: Json<Who>", deployed_at, n_clients
           from deployment
           join prompt using (prompt_id)
           join environment using (environment_id)
           join version on version.version_id = deployment.version_id
           left join version as former on former.version_id = deployment.from_version_id
           where prompt.project_id = $1
             and ($2::text is null or prompt.name = $2)
             and ($3::text is null or environment.name = $3)
             and ($4::uuid is null or (deployed_at, deployment_id) < (
                 select deployed_at, deployment_id from deployment where deployment_id = $4))
           order by deployed_at desc, deployment_id desc
           limit $5"#,
        by.project.0,
        prompt.map(PromptName::as_str),
        environment,
        after,
        page.fetch(),
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(Listing::of(rows, page, |row| row.deployment_id.to_string()).map(Row::deployment))
}

/// One deployment.
pub async fn find(store: &Store, by: &Actor, id: DeploymentId) -> Result<Option<Deployment>> {
    by.may(Permission::Read)?;
    let row = sqlx::query_as!(
        Row,
        r#"select deployment_id as "deployment_id: DeploymentId", prompt.name as "prompt: PromptName",
                  environment.name as environment, version.number as version, former.number as "from_version?",
                  version.content_hash as "content_hash: ContentHash", kind as "kind: DeploymentKind", reason,
                  deployment.by as "by: Json<Who>", deployed_at, n_clients
           from deployment
           join prompt using (prompt_id)
           join environment using (environment_id)
           join version on version.version_id = deployment.version_id
           left join version as former on former.version_id = deployment.from_version_id
           where prompt.project_id = $1 and deployment_id = $2"#,
        by.project.0,
        id.0,
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(row.map(Row::deployment))
}

/// A version that served an environment, and when it was last put there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Former {
    /// The version.
    pub version: i32,
    /// When it last began to serve.
    pub deployed_at: DateTime<Utc>,
}

/// The versions that ever served, the latest first: where a rollback can go.
pub async fn formers(
    store: &Store,
    by: &Actor,
    prompt: &PromptName,
    environment: &str,
) -> Result<Vec<Former>> {
    by.may(Permission::Read)?;
    let formers = sqlx::query_as!(
        Former,
        r#"select version.number as version, max(deployed_at) as "deployed_at!"
           from deployment
           join prompt using (prompt_id)
           join environment using (environment_id)
           join version using (version_id)
           where prompt.project_id = $1 and prompt.name = $2 and environment.name = $3
           group by version.number
           order by max(deployed_at) desc
           limit 50"#,
        by.project.0,
        prompt.as_str(),
        environment,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(formers)
}

struct Row {
    deployment_id: DeploymentId,
    prompt: PromptName,
    environment: String,
    version: i32,
    from_version: Option<i32>,
    content_hash: ContentHash,
    kind: DeploymentKind,
    reason: String,
    by: Json<Who>,
    deployed_at: DateTime<Utc>,
    n_clients: i32,
}

impl Row {
    fn deployment(self) -> Deployment {
        Deployment {
            deployment_id: self.deployment_id,
            prompt: self.prompt,
            environment: self.environment,
            version: self.version,
            from_version: self.from_version,
            content_hash: self.content_hash,
            kind: self.kind,
            reason: self.reason,
            by: self.by.0,
            deployed_at: self.deployed_at,
            n_clients: self.n_clients,
        }
    }
}

/// What the one who decides saw when deciding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// This deployment served (none: nothing did); anything else now is a conflict.
    Deployment(Option<DeploymentId>),
    /// They did not say: what serves when the command arrives.
    OnArrival,
}

/// Where something is to serve, why, and what was seen there.
#[derive(Clone, Copy, Debug)]
pub struct Release<'a> {
    /// The prompt.
    pub prompt: &'a PromptName,
    /// The environment.
    pub environment: &'a str,
    /// For the audit trail; may be empty except when the glass is broken.
    pub reason: &'a str,
    /// What was seen to serve there.
    pub seen: Seen,
}

/// Goes back to the version served before, or to one that served at some time. Needs no approval
/// and no gate. One transaction; every server and client hears of it on commit.
pub async fn roll_back(
    store: &Store,
    by: &Actor,
    release: &Release<'_>,
    to_version: Option<i32>,
    now: DateTime<Utc>,
) -> Result<Deployment> {
    by.may_in(Permission::RollBack, release.environment)?;
    let (mut command, place) = Place::open(store, "roll_back", by, release, now).await?;
    let wanted = match to_version {
        None => None,
        Some(number) => Some(find_version(&mut command, place.prompt, number).await?),
    };
    let wanted_served = match &wanted {
        None => false,
        Some(version) => place.ever_served(&mut command, version.id()).await?,
    };
    let target = place.history(wanted_served).rollback_target(to_version)?;
    let version = match wanted {
        Some(version) => version,
        None => find_version(&mut command, place.prompt, target).await?,
    };
    let deployment = place
        .deploy(
            &mut command,
            &version,
            DeploymentKind::Rollback,
            release.reason,
        )
        .await?;
    command.commit().await?;
    Ok(deployment)
}

/// Deploys past the policy. Loud: its own kind, its own action in the audit trail, a reason that must be there.
pub async fn break_glass(
    store: &Store,
    by: &Actor,
    release: &Release<'_>,
    version: i32,
    now: DateTime<Utc>,
) -> Result<Deployment> {
    by.may_in(Permission::BreakGlass, release.environment)?;
    if release.reason.trim().is_empty() {
        return Err(Refusal::ReasonMissing.into());
    }
    let (mut command, place) = Place::open(store, "break_glass", by, release, now).await?;
    let version = find_version(&mut command, place.prompt, version).await?;
    let deployment = place
        .deploy(
            &mut command,
            &version,
            DeploymentKind::BreakGlass,
            release.reason,
        )
        .await?;
    drift::keep_at_release(&mut command, place.prompt, &deployment, None).await?;
    command.commit().await?;
    Ok(deployment)
}

pub(crate) fn check_reason(reason: &str) -> Result<()> {
    check_prose(reason, MAX_REASON).map_err(|message| Error::invalid("reason", message))
}

#[cfg(test)]
mod tests {
    use domain::{actor::Role, release::DeploymentKind};
    use sqlx::PgPool;

    use super::*;
    use crate::testing::{World, at, name};

    async fn two_releases(pool: PgPool) -> World {
        let world = World::new(pool).await;
        world.prompt_with_versions("triage", 3).await;
        world.promote("triage", "production", 1, 10).await.unwrap();
        world.promote("triage", "production", 2, 20).await.unwrap();
        world
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_rollback_returns_to_the_version_served_before_and_undo_comes_back(pool: PgPool) {
        let world = two_releases(pool).await;
        assert_eq!(
            world.statuses("triage").await,
            ["deprecated", "active", "draft"]
        );

        let back = world
            .roll_back("triage", None, Seen::OnArrival, 30)
            .await
            .unwrap();
        assert_eq!(
            (back.version, back.from_version, back.kind),
            (1, Some(2), DeploymentKind::Rollback)
        );
        assert_eq!(
            world.statuses("triage").await,
            ["active", "deprecated", "draft"]
        );

        let undone = world
            .roll_back(
                "triage",
                None,
                Seen::Deployment(Some(back.deployment_id)),
                40,
            )
            .await
            .unwrap();
        assert_eq!((undone.version, undone.from_version), (2, Some(1)));
        assert_eq!(
            world.statuses("triage").await,
            ["deprecated", "active", "draft"]
        );
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_rollback_goes_only_where_production_has_been(pool: PgPool) {
        let world = two_releases(pool).await;
        let refusal = world
            .roll_back("triage", Some(3), Seen::OnArrival, 30)
            .await
            .unwrap_err();
        assert!(
            matches!(
                refusal,
                Error::Release(Refusal::NeverServed { version: 3, .. })
            ),
            "{refusal}"
        );
        let refusal = world
            .roll_back("triage", Some(9), Seen::OnArrival, 30)
            .await
            .unwrap_err();
        assert!(matches!(refusal, Error::NotFound("version")), "{refusal}");
        let refusal = world
            .roll_back("nobody", None, Seen::OnArrival, 30)
            .await
            .unwrap_err();
        assert!(matches!(refusal, Error::NotFound("prompt")), "{refusal}");
        assert_eq!(
            world
                .roll_back("triage", Some(1), Seen::OnArrival, 30)
                .await
                .unwrap()
                .version,
            1
        );
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn of_two_rollbacks_at_once_one_succeeds_and_one_is_overtaken(pool: PgPool) {
        let world = two_releases(pool).await;
        for round in 0..20 {
            let prompt = name("triage");
            let current = list(
                &world.store,
                &world.actor(Role::Viewer),
                Some(&prompt),
                None,
                &PageRequest::first(1),
            )
            .await
            .unwrap();
            // Both engineers look at the same screen and press the same button.
            let seen = Seen::Deployment(Some(current.items[0].deployment_id));
            let (one, two) = tokio::join!(
                world.roll_back("triage", None, seen, 100 + round),
                world.roll_back("triage", None, seen, 100 + round),
            );
            let (done, refused) = if one.is_ok() { (one, two) } else { (two, one) };
            assert!(done.is_ok(), "round {round}");
            assert!(
                matches!(refused, Err(Error::Release(Refusal::Overtaken { .. }))),
                "round {round}: {refused:?}"
            );
        }
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_protected_environment_waits_for_evidence_and_a_viewer_changes_nothing(pool: PgPool) {
        let world = two_releases(pool).await;
        let prompt = name("triage");
        let release = |environment| Release {
            prompt: &prompt,
            environment,
            reason: "",
            seen: Seen::OnArrival,
        };
        let store = &world.store;
        let editor = world.actor(Role::Editor);
        let guarded = domain::release::Policy::guarded();
        let admin = world.actor(Role::Admin);
        crate::environments::set_policy(store, &admin, "production", guarded, at(29))
            .await
            .unwrap();
        let asked = crate::promotions::request(store, &editor, &release("production"), 3, at(30))
            .await
            .unwrap();
        assert_eq!(asked.missing.len(), 2, "{asked:?}");
        let refusal = crate::promotions::execute(store, &editor, asked.id, None, at(30))
            .await
            .unwrap_err();
        assert!(
            matches!(&refusal, Error::Release(Refusal::Missing { .. })),
            "{refusal}"
        );
        crate::promotions::request(store, &editor, &release("staging"), 3, at(31))
            .await
            .unwrap();
        let viewer = world.actor(Role::Viewer);
        let refusal = roll_back(store, &viewer, &release("production"), None, at(32))
            .await
            .unwrap_err();
        assert!(matches!(refusal, Error::Denied(_)), "{refusal}");
        let refusal = break_glass(store, &editor, &release("production"), 3, at(33))
            .await
            .unwrap_err();
        assert!(matches!(refusal, Error::Denied(_)), "{refusal}");
        let approver = world.actor(Role::Approver);
        let refusal = break_glass(store, &approver, &release("production"), 3, at(34))
            .await
            .unwrap_err();
        assert!(matches!(refusal, Error::Invalid(_)), "no reason: {refusal}");
        // A draft that serves staging is being tested; production is untouched.
        assert_eq!(
            world.statuses("triage").await,
            ["deprecated", "active", "testing"]
        );
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn the_database_itself_refuses_a_second_active_version_and_a_changed_one(pool: PgPool) {
        let world = two_releases(pool.clone()).await;
        let constraint = async |sql: &'static str| {
            let error = sqlx::query(sql).execute(&pool).await.unwrap_err();
            error
                .as_database_error()
                .and_then(|error| error.constraint().map(str::to_owned))
        };
        assert_eq!(
            constraint("update version set status = 'active' where number = 1")
                .await
                .as_deref(),
            Some("version_one_active")
        );
        assert_eq!(
            constraint("update version set content = '{}' where number = 1")
                .await
                .as_deref(),
            Some("version_immutable")
        );
        assert_eq!(
            constraint("update version set status = 'draft' where number = 1")
                .await
                .as_deref(),
            Some("version_status_move")
        );
        assert_eq!(
            constraint("delete from version").await.as_deref(),
            Some("version_append_only")
        );
        assert_eq!(
            constraint("update deployment set reason = 'other'")
                .await
                .as_deref(),
            Some("deployment_append_only")
        );
        assert_eq!(
            constraint("delete from audit_entry").await.as_deref(),
            Some("audit_entry_append_only")
        );
        drop(world);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn history_pages_without_gaps_newest_first(pool: PgPool) {
        let world = two_releases(pool).await;
        for round in 0..5 {
            world
                .roll_back("triage", None, Seen::OnArrival, 30 + round)
                .await
                .unwrap();
        }
        let viewer = world.actor(Role::Viewer);
        let mut versions = Vec::new();
        let mut page = PageRequest::first(2);
        loop {
            let listing = list(&world.store, &viewer, None, Some("production"), &page)
                .await
                .unwrap();
            versions.extend(listing.items.iter().map(|deployment| deployment.version));
            match listing.next_cursor {
                Some(cursor) => page = PageRequest::parse(Some("2"), Some(&cursor)).unwrap(),
                None => break,
            }
        }
        assert_eq!(versions, [1, 2, 1, 2, 1, 2, 1]);
    }
}
