//! A prompt in an environment, locked: the steps that every release shares, whichever command it is.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::{Actor, Who},
    content::ContentHash,
    id::{DeploymentId, EnvironmentId, PromptId, VersionId},
    lifecycle::Status,
    prompt::{PRODUCTION, PromptName},
    release::{Deployment, DeploymentKind, History, Policy, Refusal},
};
use serde_json::json;
use sqlx::types::Json;

use crate::{
    Error, Result, Store,
    consumers::SILENT_SECONDS,
    experiments, new_id, prompts,
    releases::{Release, Seen, check_reason},
    tx::Command,
};

/// A prompt in an environment, locked, with what serves there.
pub(crate) struct Place {
    pub prompt: PromptId,
    pub policy: Policy,
    name: PromptName,
    environment_id: EnvironmentId,
    environment: String,
    current: Option<Current>,
    by: Who,
    now: DateTime<Utc>,
}

struct Current {
    deployment: DeploymentId,
    version: VersionId,
    number: i32,
    previous_number: Option<i32>,
}

impl Place {
    /// Opens the command and locks the place, unless something else serves there than was seen.
    pub async fn open(
        store: &Store,
        name: &'static str,
        by: &Actor,
        release: &Release<'_>,
        now: DateTime<Utc>,
    ) -> Result<(Command, Self)> {
        check_reason(release.reason)?;
        let seen = match release.seen {
            Seen::Deployment(deployment) => deployment,
            Seen::OnArrival => on_arrival(store, by, release).await?,
        };
        let mut command = Command::begin(store, name, by, now).await?;
        let place = Self::lock(&mut command, by, release, now).await?;
        place.check_unchanged(seen)?;
        Ok((command, place))
    }

    /// Locks the prompt and reads what serves: no release of this prompt interleaves with another.
    pub async fn lock(
        command: &mut Command,
        by: &Actor,
        release: &Release<'_>,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let prompt = prompts::lock(command.db(), by, release.prompt).await?;
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
            release.environment,
            prompt.0,
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
            prompt,
            policy: row.policy.0,
            name: release.prompt.clone(),
            environment_id: row.environment_id,
            environment: release.environment.to_owned(),
            current,
            by: by.who.clone(),
            now,
        })
    }

    /// The environment's row.
    pub const fn environment_id(&self) -> EnvironmentId {
        self.environment_id
    }

    /// Refuses when another version serves than the one that the cost was reckoned from.
    pub fn check_serves(&self, number: Option<i32>) -> Result<()> {
        match &self.current {
            Some(current) if Some(current.number) != number => Err(Refusal::Overtaken {
                serves: current.number,
                environment: self.environment.clone(),
            }
            .into()),
            Some(_) | None => Ok(()),
        }
    }

    /// Refuses what serves already.
    pub fn check_new(&self, version: &Target) -> Result<()> {
        match &self.current {
            Some(current) if current.version == version.id => Err(Refusal::AlreadyServing {
                version: version.number,
                environment: self.environment.clone(),
            }
            .into()),
            _ => Ok(()),
        }
    }

    /// A draft that is asked for starts testing.
    pub async fn start_testing(&self, command: &mut Command, version: &Target) -> Result<()> {
        if version.status == Status::Draft {
            set_status(command, version.id, version.status.test()?).await?;
        }
        Ok(())
    }

    fn check_unchanged(&self, seen: Option<DeploymentId>) -> Result<()> {
        match &self.current {
            Some(current) if Some(current.deployment) != seen => Err(Refusal::Overtaken {
                serves: current.number,
                environment: self.environment.clone(),
            }
            .into()),
            Some(_) | None => Ok(()),
        }
    }

    /// What the domain needs to know to say where a rollback goes.
    pub fn history(&self, wanted_served: bool) -> History<'_> {
        History {
            environment: &self.environment,
            current: self
                .current
                .as_ref()
                .map(|current| (current.number, current.previous_number)),
            wanted_served,
        }
    }

    /// Whether the version served here at any time.
    pub async fn ever_served(&self, command: &mut Command, version: VersionId) -> Result<bool> {
        let served = sqlx::query_scalar!(
            r#"select exists (
                   select from deployment
                   where environment_id = $1 and prompt_id = $2 and version_id = $3
               ) as "served!""#,
            self.environment_id.0,
            self.prompt.0,
            version.0,
        )
        .fetch_one(command.db())
        .await?;
        Ok(served)
    }

    /// Makes `version` serve: history row, statuses, audit entry and notice stand or fall together.
    pub async fn deploy(
        &self,
        command: &mut Command,
        version: &Target,
        kind: DeploymentKind,
        reason: &str,
    ) -> Result<Deployment> {
        self.check_new(version)?;
        let status = self.move_statuses(command, version).await?;
        let deployment = Deployment {
            deployment_id: new_id(),
            prompt: self.name.clone(),
            environment: self.environment.clone(),
            version: version.number,
            from_version: self.current.as_ref().map(|current| current.number),
            content_hash: version.content_hash.clone(),
            kind,
            reason: reason.to_owned(),
            by: self.by.clone(),
            deployed_at: self.now,
            n_clients: self.count_clients(command).await?,
        };
        self.write(command, &deployment, version.id).await?;
        self.end_experiment(command, &deployment).await?;
        self.say(command, &deployment, status);
        Ok(deployment)
    }

    /// What an experiment here compares with no longer serves: it ends with the same commit.
    async fn end_experiment(&self, command: &mut Command, deployment: &Deployment) -> Result<()> {
        let verb = match deployment.kind {
            DeploymentKind::Promote => "was promoted to",
            DeploymentKind::Rollback => "was rolled back to",
            DeploymentKind::BreakGlass => "was changed, breaking the glass, to",
        };
        let reason = format!("{} {verb} v{}.", self.environment, deployment.version);
        experiments::stop_for_release(command, self.prompt, self.environment_id, &reason).await
    }

    /// A draft that is released starts testing; in production the old version steps down and the
    /// new one becomes active. Answers the released version's status.
    async fn move_statuses(&self, command: &mut Command, version: &Target) -> Result<Status> {
        let mut status = version.status;
        if status == Status::Draft {
            status = status.test()?;
            set_status(command, version.id, status).await?;
        }
        if self.environment != PRODUCTION {
            return Ok(status);
        }
        // The old one first: at no moment are there two.
        sqlx::query!(
            "update version set status = $2 where prompt_id = $1 and status = 'active'",
            self.prompt.0,
            Status::Active.superseded().word(),
        )
        .execute(command.db())
        .await?;
        status = status.activate()?;
        set_status(command, version.id, status).await?;
        Ok(status)
    }

    async fn count_clients(&self, command: &mut Command) -> Result<i32> {
        let n_clients = sqlx::query_scalar!(
            r#"select count(*)::integer as "n!"
               from consumer
               where environment_id = $1 and left_at is null and seen_at > $2"#,
            self.environment_id.0,
            self.silent_since(),
        )
        .fetch_one(command.db())
        .await?;
        Ok(n_clients)
    }

    fn silent_since(&self) -> DateTime<Utc> {
        self.now - TimeDelta::seconds(SILENT_SECONDS)
    }

    async fn write(
        &self,
        command: &mut Command,
        deployment: &Deployment,
        version: VersionId,
    ) -> Result<()> {
        let from = self.current.as_ref().map(|current| current.version.0);
        sqlx::query!(
            "insert into deployment
                 (deployment_id, prompt_id, environment_id, version_id, from_version_id, kind, reason, by,
                  deployed_at, n_clients)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            deployment.deployment_id.0,
            self.prompt.0,
            self.environment_id.0,
            version.0,
            from,
            deployment.kind.word(),
            deployment.reason,
            command.author(),
            deployment.deployed_at,
            deployment.n_clients,
        )
        .execute(command.db())
        .await?;
        // Remembering who was connected at this moment is what makes "n of N confirmed" mean something.
        sqlx::query!(
            "insert into confirmation (deployment_id, consumer)
             select $1, consumer
             from consumer
             where environment_id = $2 and left_at is null and seen_at > $3",
            deployment.deployment_id.0,
            self.environment_id.0,
            self.silent_since(),
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
            self.prompt.0,
            self.environment_id.0,
            deployment.deployment_id.0,
            version.0,
            from,
        )
        .execute(command.db())
        .await?;
        Ok(())
    }

    fn say(&self, command: &mut Command, deployment: &Deployment, status: Status) {
        let action = match deployment.kind {
            DeploymentKind::Promote => "deployment.promote",
            DeploymentKind::Rollback => "deployment.rollback",
            DeploymentKind::BreakGlass => "deployment.break_glass",
        };
        command.record(
            action,
            self.name.as_str(),
            json!({
                "environment": self.environment,
                "before": deployment.from_version.map(|number| json!({ "version": number })),
                "after": {
                    "version": deployment.version,
                    "content_hash": deployment.content_hash,
                    "status": status,
                },
                "reason": deployment.reason,
                "deployment_id": deployment.deployment_id,
            }),
        );
        command.tell(
            "deployment",
            json!({
                "prompt": self.name,
                "environment": self.environment,
                "version": deployment.version,
                "content_hash": deployment.content_hash,
                "kind": deployment.kind,
                "deployment_id": deployment.deployment_id,
                "deployed_at": deployment.deployed_at,
            }),
        );
    }
}

/// What serves right now: two commands that arrive together both see the same, and the second
/// to get the lock finds that it was overtaken.
async fn on_arrival(
    store: &Store,
    by: &Actor,
    release: &Release<'_>,
) -> Result<Option<DeploymentId>> {
    let deployment = sqlx::query_scalar!(
        r#"select deployment_id as "id: DeploymentId"
           from serving
           join prompt using (prompt_id)
           join environment using (environment_id)
           where prompt.project_id = $1 and prompt.name = $2 and environment.name = $3"#,
        by.project.0,
        release.prompt.as_str(),
        release.environment,
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(deployment)
}

/// A version as releases need it.
pub(crate) struct Target {
    id: VersionId,
    number: i32,
    status: Status,
    content_hash: ContentHash,
}

impl Target {
    /// The version.
    pub const fn id(&self) -> VersionId {
        self.id
    }

    /// Where it is in its life.
    pub const fn status(&self) -> Status {
        self.status
    }
}

/// The version with that number.
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

/// Writes a move that the domain has allowed.
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
