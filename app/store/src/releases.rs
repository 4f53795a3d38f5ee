//! Deployments: what served when, and the commands that change it. A rollback is one call here.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::{Actor, Permission, Who},
    content::ContentHash,
    id::{DeploymentId, EnvironmentId, PromptId, VersionId},
    lifecycle::Status,
    page::{Listing, PageRequest},
    prompt::{PRODUCTION, PromptName, check_prose},
    release::{Deployment, DeploymentKind, History, MAX_REASON, Policy, Refusal},
};
use serde_json::json;
use sqlx::types::Json;

use crate::{Error, Result, Store, consumers::SILENT_SECONDS, new_id, prompts, tx::Command};

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

/// Goes back to the version served before, or to one that served at some time. Needs no approval
/// and no gate. One transaction; every server and client hears of it on commit.
#[tracing::instrument(skip_all, fields(prompt = %prompt, environment), err(level = "info"))]
pub async fn roll_back(
    store: &Store,
    by: &Actor,
    prompt: &PromptName,
    environment: &str,
    to_version: Option<i32>,
    reason: &str,
    seen: Seen,
    now: DateTime<Utc>,
) -> Result<Deployment> {
    by.may_in(Permission::RollBack, environment)?;
    check_reason(reason)?;
    let seen = on_arrival(store, by, prompt, environment, seen).await?;
    let mut command = Command::begin(store, "roll_back", by, now).await?;
    let place = Place::lock(&mut command, by, prompt, environment).await?;
    place.check_unchanged(seen)?;
    let wanted = match to_version {
        None => None,
        Some(number) => Some(find_version(&mut command, place.prompt, number).await?),
    };
    let wanted_served = match &wanted {
        None => false,
        Some(version) => ever_served(&mut command, &place, version.id).await?,
    };
    let history = History {
        environment,
        current: place
            .current
            .as_ref()
            .map(|current| (current.number, current.previous_number)),
        wanted_served,
    };
    let target = history.rollback_target(to_version)?;
    let version = match wanted {
        Some(version) => version,
        None => find_version(&mut command, place.prompt, target).await?,
    };
    let deployment = deploy(
        &mut command,
        by,
        &place,
        &version,
        DeploymentKind::Rollback,
        reason,
        now,
    )
    .await?;
    command.commit().await?;
    Ok(deployment)
}

/// Deploys past the policy. Loud: its own kind, its own action in the audit trail, a reason that must be there.
pub async fn break_glass(
    store: &Store,
    by: &Actor,
    prompt: &PromptName,
    environment: &str,
    version: i32,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Deployment> {
    by.may_in(Permission::BreakGlass, environment)?;
    check_reason(reason)?;
    if reason.trim().is_empty() {
        return Err(Refusal::ReasonMissing.into());
    }
    let seen = on_arrival(store, by, prompt, environment, Seen::OnArrival).await?;
    let mut command = Command::begin(store, "break_glass", by, now).await?;
    let place = Place::lock(&mut command, by, prompt, environment).await?;
    place.check_unchanged(seen)?;
    let version = find_version(&mut command, place.prompt, version).await?;
    let deployment = deploy(
        &mut command,
        by,
        &place,
        &version,
        DeploymentKind::BreakGlass,
        reason,
        now,
    )
    .await?;
    command.commit().await?;
    Ok(deployment)
}

pub(crate) fn check_reason(reason: &str) -> Result<()> {
    check_prose(reason, MAX_REASON).map_err(|message| Error::invalid("reason", message))
}

/// What serves right now: two commands that arrive together both see the same, and the second
/// to get the lock finds that it was overtaken.
pub(crate) async fn on_arrival(
    store: &Store,
    by: &Actor,
    prompt: &PromptName,
    environment: &str,
    seen: Seen,
) -> Result<Option<DeploymentId>> {
    match seen {
        Seen::Deployment(deployment) => Ok(deployment),
        Seen::OnArrival => {
            let deployment = sqlx::query_scalar!(
                r#"select deployment_id as "id: DeploymentId"
                   from serving
                   join prompt using (prompt_id)
                   join environment using (environment_id)
                   where prompt.project_id = $1 and prompt.name = $2 and environment.name = $3"#,
                by.project.0,
                prompt.as_str(),
                environment,
            )
            .fetch_optional(&store.pool)
            .await?;
            Ok(deployment)
        }
    }
}

/// A prompt in an environment, locked, with what serves there.
pub(crate) struct Place {
    pub prompt: PromptId,
    name: PromptName,
    environment_id: EnvironmentId,
    environment: String,
    pub policy: Policy,
    current: Option<Current>,
}

struct Current {
    deployment: DeploymentId,
    version: VersionId,
    number: i32,
    previous_number: Option<i32>,
}

impl Place {
    /// Locks the prompt and reads what serves: no release of this prompt interleaves with another.
    pub async fn lock(
        command: &mut Command,
        by: &Actor,
        prompt: &PromptName,
        environment: &str,
    ) -> Result<Self> {
        let prompt_id = prompts::lock(command.db(), by, prompt).await?;
        let row = sqlx::query!(
            r#"select environment.environment_id as "environment_id: EnvironmentId", policy as "policy: Json<Policy>",
                      deployment_id as "deployment?: DeploymentId", serving.version_id as "version?: VersionId",
                      version.number as "number?", previous.number as "previous_number?"
               from environment
               left join serving
                   on serving.environment_id = environment.environment_id and serving.prompt_id = $3
               left join version using (version_id)
               left join version as previous on previous.version_id = serving.previous_version_id
               where environment.project_id = $1 and environment.name = $2"#,
            by.project.0,
            environment,
            prompt_id.0,
        )
        .fetch_optional(command.db())
        .await?
        .ok_or(Error::NotFound("environment"))?;
        let current = match (row.deployment, row.version, row.number) {
            (Some(deployment), Some(version), Some(number)) => Some(Current {
                deployment,
                version,
                number,
                previous_number: row.previous_number,
            }),
            _ => None,
        };
        Ok(Self {
            prompt: prompt_id,
            name: prompt.clone(),
            environment_id: row.environment_id,
            environment: environment.to_owned(),
            policy: row.policy.0,
            current,
        })
    }

    /// Refuses when something else serves than what was seen.
    pub fn check_unchanged(&self, seen: Option<DeploymentId>) -> Result<()> {
        match &self.current {
            Some(current) if Some(current.deployment) != seen => Err(Refusal::Overtaken {
                serves: current.number,
                environment: self.environment.clone(),
            }
            .into()),
            Some(_) | None => Ok(()),
        }
    }
}

/// A version as releases need it.
pub(crate) struct Target {
    pub id: VersionId,
    number: i32,
    status: Status,
    content_hash: ContentHash,
}

pub(crate) async fn find_version(
    command: &mut Command,
    prompt: PromptId,
    number: i32,
) -> Result<Target> {
    sqlx::query_as!(
        Target,
        r#"select version_id as "id: VersionId", number, status as "status: Status",
                  content_hash as "content_hash: ContentHash"
           from version
           where prompt_id = $1 and number = $2"#,
        prompt.0,
        number,
    )
    .fetch_optional(command.db())
    .await?
    .ok_or(Error::NotFound("version"))
}

async fn ever_served(command: &mut Command, place: &Place, version: VersionId) -> Result<bool> {
    let served = sqlx::query_scalar!(
        r#"select exists (
               select from deployment
               where environment_id = $1 and prompt_id = $2 and version_id = $3
           ) as "served!""#,
        place.environment_id.0,
        place.prompt.0,
        version.0,
    )
    .fetch_one(command.db())
    .await?;
    Ok(served)
}

/// Makes `version` serve: history row, statuses, audit entry and notice stand or fall together.
pub(crate) async fn deploy(
    command: &mut Command,
    by: &Actor,
    place: &Place,
    version: &Target,
    kind: DeploymentKind,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Deployment> {
    if let Some(current) = &place.current
        && current.version == version.id
    {
        return Err(Refusal::AlreadyServing {
            version: version.number,
            environment: place.environment.clone(),
        }
        .into());
    }
    let status = move_statuses(command, place, version).await?;

    let id: DeploymentId = new_id();
    let from = place.current.as_ref();
    // Remembering who was connected at this moment is what makes "n of N confirmed" mean something.
    let n_clients = sqlx::query_scalar!(
        r#"select count(*)::integer as "n!"
           from consumer
           where environment_id = $1 and left_at is null and seen_at > $2"#,
        place.environment_id.0,
        now - TimeDelta::seconds(SILENT_SECONDS),
    )
    .fetch_one(command.db())
    .await?;
    sqlx::query!(
        "insert into deployment
             (deployment_id, prompt_id, environment_id, version_id, from_version_id, kind, reason, by,
              deployed_at, n_clients)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        id.0,
        place.prompt.0,
        place.environment_id.0,
        version.id.0,
        from.map(|current| current.version.0),
        kind.word(),
        reason,
        command.author(),
        now,
        n_clients,
    )
    .execute(command.db())
    .await?;
    sqlx::query!(
        "insert into confirmation (deployment_id, consumer)
         select $1, consumer
         from consumer
         where environment_id = $2 and left_at is null and seen_at > $3",
        id.0,
        place.environment_id.0,
        now - TimeDelta::seconds(SILENT_SECONDS),
    )
    .execute(command.db())
    .await?;
    sqlx::query!(
        "insert into serving (prompt_id, environment_id, deployment_id, version_id, previous_version_id)
         values ($1, $2, $3, $4, $5)
         on conflict on constraint serving_one_version do update
         set deployment_id = excluded.deployment_id,
             version_id = excluded.version_id,
             previous_version_id = excluded.previous_version_id",
        place.prompt.0,
        place.environment_id.0,
        id.0,
        version.id.0,
        from.map(|current| current.version.0),
    )
    .execute(command.db())
    .await?;

    let deployment = Deployment {
        deployment_id: id,
        prompt: place.name.clone(),
        environment: place.environment.clone(),
        version: version.number,
        from_version: from.map(|current| current.number),
        content_hash: version.content_hash.clone(),
        kind,
        reason: reason.to_owned(),
        by: by.who.clone(),
        deployed_at: now,
        n_clients,
    };
    let action = match kind {
        DeploymentKind::Promote => "deployment.promote",
        DeploymentKind::Rollback => "deployment.rollback",
        DeploymentKind::BreakGlass => "deployment.break_glass",
    };
    command.record(
        action,
        place.name.as_str(),
        json!({
            "environment": place.environment,
            "before": from.map(|current| json!({ "version": current.number })),
            "after": { "version": version.number, "content_hash": version.content_hash, "status": status },
            "reason": reason,
            "deployment_id": id,
        }),
    );
    command.tell(
        "deployment",
        json!({
            "prompt": place.name,
            "environment": place.environment,
            "version": version.number,
            "content_hash": version.content_hash,
            "kind": kind,
            "deployment_id": id,
            "deployed_at": now,
        }),
    );
    Ok(deployment)
}

/// A draft that is released starts testing; in production the old version steps down and the
/// new one becomes active. Answers the released version's status.
async fn move_statuses(command: &mut Command, place: &Place, version: &Target) -> Result<Status> {
    let mut status = version.status;
    if status == Status::Draft {
        status = status.test()?;
        set_status(command, version.id, status).await?;
    }
    if place.environment != PRODUCTION {
        return Ok(status);
    }
    // The old one first: at no moment are there two.
    sqlx::query!(
        "update version set status = $2 where prompt_id = $1 and status = 'active'",
        place.prompt.0,
        Status::Active.superseded().word(),
    )
    .execute(command.db())
    .await?;
    status = status.activate()?;
    set_status(command, version.id, status).await?;
    Ok(status)
}

pub(crate) async fn set_status(
    command: &mut Command,
    version: VersionId,
    status: Status,
) -> Result<()> {
    sqlx::query!(
        "update version set status = $2 where version_id = $1",
        version.0,
        status.word()
    )
    .execute(command.db())
    .await?;
    Ok(())
}
