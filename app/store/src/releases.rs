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
    Error, Result, Store,
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
    command.commit().await?;
    Ok(deployment)
}

pub(crate) fn check_reason(reason: &str) -> Result<()> {
    check_prose(reason, MAX_REASON).map_err(|message| Error::invalid("reason", message))
}
