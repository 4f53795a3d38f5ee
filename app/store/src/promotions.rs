//! Requests to serve a version. Where the environment asks for nothing they execute at once;
//! elsewhere they wait for evidence and approvals. Every door calls exactly these commands.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission, Who},
    id::{DeploymentId, KeyId, PromotionId},
    prompt::{PromptName, check_prose},
    release::{
        DeploymentKind, FullPromotion, MAX_REASON, Promotion, PromotionStatus, Refusal, open_status,
    },
};
use serde_json::json;
use sqlx::{PgConnection, types::Json};

use crate::{
    Error, Result, Store,
    error::OnConstraint,
    new_id,
    place::{Place, find_version},
    releases::{Release, Seen},
    tx::Command,
};

mod evidence;
mod read;

use evidence::Decided;
pub use read::{Filter, cannot_approve, find, list, waiting_for};

/// Requests that `version` serve the environment. What the environment's policy asks for and is
/// not there yet, the answer names.
pub async fn request(
    store: &Store,
    by: &Actor,
    release: &Release<'_>,
    version: i32,
    now: DateTime<Utc>,
) -> Result<Promotion> {
    by.may_in(Permission::RequestPromotion, release.environment)?;
    let (mut command, place) = Place::open(store, "request_promotion", by, release, now).await?;
    let target = find_version(&mut command, place.prompt, version).await?;
    place.check_new(&target)?;
    let id: PromotionId = new_id();
    sqlx::query!(
        "insert into promotion
             (promotion_id, prompt_id, environment_id, version_id, reason, status, requested_by, requested_at)
         values ($1, $2, $3, $4, $5, 'waiting', $6, $7)",
        id.0,
        place.prompt.0,
        place.environment_id().0,
        target.id().0,
        release.reason,
        command.author(),
        now,
    )
    .execute(command.db())
    .await
    .on_constraint("promotion_one_open", || {
        Error::conflict(
            "promotion_open",
            format!(
                "version {version} is already asked for in {}: that request is still open",
                release.environment
            ),
        )
    })?;
    place.start_testing(&mut command, &target).await?;
    let decided = evidence::load(command.db(), id, now).await?;
    let mut deployment_id = None;
    let mut status = open_status(&decided.missing);
    if place.policy.asks_for_nothing() {
        let target = find_version(&mut command, place.prompt, version).await?;
        let deployment = place
            .deploy(
                &mut command,
                &target,
                DeploymentKind::Promote,
                release.reason,
            )
            .await?;
        deployment_id = Some(deployment.deployment_id);
        status = PromotionStatus::Executed;
    } else {
        command.record(
            "promotion.request",
            release.prompt.as_str(),
            json!({
                "promotion_id": id, "environment": release.environment, "after": { "version": version },
                "reason": release.reason, "evidence": decided.evidence, "missing": decided.missing,
            }),
        );
    }
    write_status(&mut command, id, status, &decided, deployment_id).await?;
    command.tell("promotion", json!({ "promotion": id, "status": status }));
    command.commit().await?;
    Ok(Promotion {
        id,
        status,
        missing: if deployment_id.is_some() {
            Vec::new()
        } else {
            decided.missing
        },
        prompt: release.prompt.clone(),
        environment: release.environment.to_owned(),
        version,
        reason: release.reason.to_owned(),
        requested_by: by.who.clone(),
        requested_at: now,
        deployment_id,
        execute_at: None,
    })
}

/// A promotion that is to be decided: locked, with what it is decided on.
struct Open {
    command: Command,
    id: PromotionId,
    prompt: PromptName,
    environment: String,
    version: i32,
    decided: Decided,
}

impl Open {
    /// Opens the command. Refused when the promotion is over, or when `seen` names other evidence.
    async fn lock(
        store: &Store,
        name: &'static str,
        by: &Actor,
        id: PromotionId,
        seen: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let mut command = Command::begin(store, name, by, now).await?;
        let row = sqlx::query!(
            r#"select promotion.status as "status: PromotionStatus", prompt.name as "prompt: PromptName",
                      environment.name as environment, version.number as version
               from promotion
               join prompt using (prompt_id)
               join environment using (environment_id)
               join version using (version_id)
               where prompt.project_id = $1 and promotion_id = $2
               for update of promotion"#,
            by.project.0,
            id.0,
        )
        .fetch_optional(command.db())
        .await?
        .ok_or(Error::NotFound("promotion"))?;
        if !row.status.is_open() {
            return Err(Refusal::Over(row.status).into());
        }
        let decided = evidence::load(command.db(), id, now).await?;
        if seen.is_some_and(|seen| seen != decided.evidence.hash()) {
            return Err(Refusal::OtherEvidence.into());
        }
        Ok(Self {
            command,
            id,
            prompt: row.prompt,
            environment: row.environment,
            version: row.version,
            decided,
        })
    }

    async fn settle(
        &mut self,
        by: &Actor,
        status: PromotionStatus,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let author = self.command.author();
        sqlx::query!(
            "update promotion
             set status = $2, settled_by = $3, settled_at = $4, settled_reason = $5, evidence = $6, execute_at = null
             where promotion_id = $1",
            self.id.0,
            status.word(),
            author,
            now,
            reason,
            json!(self.decided.evidence),
        )
        .execute(self.command.db())
        .await?;
        let action = match status {
            PromotionStatus::Rejected => "promotion.reject",
            _ => "promotion.cancel",
        };
        self.record(action, json!({ "reason": reason, "by_role": by.role() }));
        self.command.tell(
            "promotion",
            json!({ "promotion": self.id, "status": status }),
        );
        Ok(())
    }

    fn record(&mut self, action: &'static str, mut detail: serde_json::Value) {
        detail["promotion_id"] = json!(self.id);
        detail["environment"] = json!(self.environment);
        detail["version"] = json!(self.version);
        detail["evidence"] = json!(self.decided.evidence);
        self.command.record(action, self.prompt.as_str(), detail);
    }
}

/// Approves. `seen` is the hash of the evidence that was looked at.
pub async fn approve(
    store: &Store,
    by: &Actor,
    id: PromotionId,
    comment: &str,
    seen: Option<&str>,
    now: DateTime<Utc>,
) -> Result<FullPromotion> {
    check_comment(comment)?;
    let mut open = Open::lock(store, "approve_promotion", by, id, seen, now).await?;
    open.check_may_approve(by).await?;
    let Some(by_id) = by.who.id() else {
        return Err(Refusal::NotAPerson.into());
    };
    let author = open.command.author();
    let inserted = sqlx::query!(
        "insert into approval (promotion_id, by_id, by, evidence, evidence_hash, comment, at)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict on constraint approval_once do nothing",
        id.0,
        by_id,
        author,
        json!(open.decided.evidence),
        open.decided.evidence.hash(),
        comment,
        now,
    )
    .execute(open.command.db())
    .await?;
    if inserted.rows_affected() == 0 {
        return Err(Error::conflict(
            "approved_already",
            "you have approved this already",
        ));
    }
    open.decided = evidence::load(open.command.db(), id, now).await?;
    let status = open_status(&open.decided.missing);
    write_status(&mut open.command, id, status, &open.decided, None).await?;
    let missing = open.decided.missing.clone();
    open.record(
        "promotion.approve",
        json!({ "comment": comment, "missing": missing }),
    );
    open.command
        .tell("promotion", json!({ "promotion": id, "status": status }));
    open.command.commit().await?;
    read_back(store, by, id, now).await
}

/// Rejects, with a reason. The author of the version or the one who asked cancels instead.
pub async fn reject(
    store: &Store,
    by: &Actor,
    id: PromotionId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<FullPromotion> {
    check_comment(reason)?;
    let mut open = Open::lock(store, "reject_promotion", by, id, None, now).await?;
    open.check_may_approve(by).await?;
    if reason.trim().is_empty() {
        return Err(Error::invalid("reason", "a rejection needs a reason"));
    }
    open.settle(by, PromotionStatus::Rejected, reason, now)
        .await?;
    open.command.commit().await?;
    read_back(store, by, id, now).await
}

/// Takes the request back.
pub async fn cancel(
    store: &Store,
    by: &Actor,
    id: PromotionId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<FullPromotion> {
    check_comment(reason)?;
    let mut open = Open::lock(store, "cancel_promotion", by, id, None, now).await?;
    by.may_in(Permission::RequestPromotion, &open.environment)?;
    open.settle(by, PromotionStatus::Cancelled, reason, now)
        .await?;
    open.command.commit().await?;
    read_back(store, by, id, now).await
}

/// Says something about it.
pub async fn comment(
    store: &Store,
    by: &Actor,
    id: PromotionId,
    text: &str,
    now: DateTime<Utc>,
) -> Result<FullPromotion> {
    by.may(Permission::Read)?;
    check_comment(text)?;
    if text.trim().is_empty() {
        return Err(Error::invalid("text", "must say something"));
    }
    let mut command = Command::begin(store, "comment_promotion", by, now).await?;
    let author = command.author();
    let prompt = sqlx::query_scalar!(
        r#"with said as (
               insert into promotion_comment (comment_id, promotion_id, by, text, at)
               select $3, promotion_id, $4, $5, $6
               from promotion join prompt using (prompt_id)
               where project_id = $1 and promotion_id = $2
               returning promotion_id
           )
           select prompt.name from said join promotion using (promotion_id) join prompt using (prompt_id)"#,
        by.project.0,
        id.0,
        new_id::<uuid::Uuid>(),
        author,
        text,
        now,
    )
    .fetch_optional(command.db())
    .await?
    .ok_or(Error::NotFound("promotion"))?;
    command.record(
        "promotion.comment",
        prompt,
        json!({ "promotion_id": id, "comment": text }),
    );
    command.tell("promotion", json!({ "promotion": id }));
    command.commit().await?;
    read_back(store, by, id, now).await
}

/// Executes what is approved: now, or at a moment to come. Refused with what is missing.
pub async fn execute(
    store: &Store,
    by: &Actor,
    id: PromotionId,
    at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<FullPromotion> {
    if at.is_some_and(|at| at > now + chrono::TimeDelta::days(90)) {
        return Err(Error::invalid("at", "must be within the next 90 days"));
    }
    if let Some(at) = at.filter(|at| *at > now) {
        schedule(store, by, id, at, now).await?;
    } else {
        serve(store, by, id, now).await?;
    }
    read_back(store, by, id, now).await
}

async fn schedule(
    store: &Store,
    by: &Actor,
    id: PromotionId,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut open = Open::lock(store, "schedule_promotion", by, id, None, now).await?;
    by.may_in(Permission::RequestPromotion, &open.environment)?;
    open.check_complete()?;
    sqlx::query!(
        "update promotion set execute_at = $2 where promotion_id = $1",
        id.0,
        at
    )
    .execute(open.command.db())
    .await?;
    open.record("promotion.schedule", json!({ "at": at }));
    open.command.tell("promotion", json!({ "promotion": id }));
    open.command.commit().await
}

impl Open {
    async fn check_may_approve(&mut self, by: &Actor) -> Result<()> {
        let db = self.command.db();
        match read::refusal(db, by, &self.environment, &self.decided).await? {
            Some(refusal) => Err(refusal.into()),
            None => Ok(()),
        }
    }

    fn check_complete(&self) -> Result<()> {
        if self.decided.missing.is_empty() {
            return Ok(());
        }
        Err(Refusal::Missing {
            environment: self.environment.clone(),
            missing: self.decided.missing.clone(),
        }
        .into())
    }
}

async fn serve(store: &Store, by: &Actor, id: PromotionId, now: DateTime<Utc>) -> Result<()> {
    // Looked at first without a lock: a place is locked before its promotions, here as everywhere.
    let found = read::load(store, by, id, now)
        .await?
        .ok_or(Error::NotFound("promotion"))?;
    let promotion = found.promotion;
    by.may_in(Permission::RequestPromotion, &promotion.environment)?;
    if !promotion.status.is_open() {
        return Err(Refusal::Over(promotion.status).into());
    }
    let release = Release {
        prompt: &promotion.prompt,
        environment: &promotion.environment,
        reason: &promotion.reason,
        seen: Seen::OnArrival,
    };
    let (mut command, place) = Place::open(store, "execute_promotion", by, &release, now).await?;
    let status = sqlx::query_scalar!(
        r#"select status as "status: PromotionStatus" from promotion where promotion_id = $1 for update"#,
        id.0,
    )
    .fetch_one(command.db())
    .await?;
    if !status.is_open() {
        return Err(Refusal::Over(status).into());
    }
    let decided = evidence::load(command.db(), id, now).await?;
    if !decided.missing.is_empty() {
        return Err(Refusal::Missing {
            environment: promotion.environment.clone(),
            missing: decided.missing,
        }
        .into());
    }
    let target = find_version(&mut command, place.prompt, promotion.version).await?;
    let deployment = place
        .deploy(
            &mut command,
            &target,
            DeploymentKind::Promote,
            &promotion.reason,
        )
        .await?;
    write_status(
        &mut command,
        id,
        PromotionStatus::Executed,
        &decided,
        Some(deployment.deployment_id),
    )
    .await?;
    command.record(
        "promotion.execute",
        promotion.prompt.as_str(),
        json!({
            "promotion_id": id, "environment": promotion.environment, "version": promotion.version,
            "evidence": decided.evidence, "deployment_id": deployment.deployment_id,
        }),
    );
    command.tell(
        "promotion",
        json!({ "promotion": id, "status": "executed" }),
    );
    command.commit().await
}

/// Promotions whose moment has come, with their project and who scheduled them.
pub async fn due(
    store: &Store,
    now: DateTime<Utc>,
) -> Result<Vec<(domain::id::ProjectId, PromotionId)>> {
    let rows = sqlx::query!(
        r#"select project_id as "project: domain::id::ProjectId", promotion_id as "id: PromotionId"
           from promotion
           join prompt using (prompt_id)
           where promotion.status in ('waiting', 'approved') and execute_at <= $1
           order by execute_at
           limit 100"#,
        now,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.project, row.id)).collect())
}

/// Gives up the moment of a promotion that could not be executed then.
pub async fn unschedule(store: &Store, id: PromotionId) -> Result<()> {
    sqlx::query!(
        "update promotion set execute_at = null where promotion_id = $1",
        id.0
    )
    .execute(&store.pool)
    .await?;
    Ok(())
}

async fn write_status(
    command: &mut Command,
    id: PromotionId,
    status: PromotionStatus,
    decided: &Decided,
    deployment: Option<DeploymentId>,
) -> Result<()> {
    let author = command.author();
    let is_over = !status.is_open();
    sqlx::query!(
        "update promotion
         set status = $2, evidence = $3, deployment_id = $4,
             settled_by = case when $5 then $6::jsonb end, settled_at = case when $5 then $7::timestamptz end,
             execute_at = case when $5 then null else execute_at end
         where promotion_id = $1",
        id.0,
        status.word(),
        json!(decided.evidence),
        deployment.map(|deployment| deployment.0),
        is_over,
        author,
        command.now(),
    )
    .execute(command.db())
    .await?;
    Ok(())
}

/// Who asked and who wrote: with a key also whoever made the key.
async fn makers(db: &mut PgConnection, decided: &Decided) -> Result<(Vec<Who>, Vec<Who>)> {
    Ok((
        with_maker(&mut *db, &decided.requester).await?,
        with_maker(db, &decided.author).await?,
    ))
}

async fn with_maker(db: &mut PgConnection, who: &Who) -> Result<Vec<Who>> {
    let mut whos = vec![who.clone()];
    if let Who::Key { id: KeyId(id), .. } = who {
        let maker = sqlx::query_scalar!(
            r#"select created_by as "by: Json<Who>" from api_key where key_id = $1"#,
            id
        )
        .fetch_optional(db)
        .await?;
        whos.extend(maker.map(|Json(maker)| maker));
    }
    Ok(whos)
}

fn check_comment(text: &str) -> Result<()> {
    check_prose(text, MAX_REASON).map_err(|message| Error::invalid("comment", message))
}

async fn read_back(
    store: &Store,
    by: &Actor,
    id: PromotionId,
    now: DateTime<Utc>,
) -> Result<FullPromotion> {
    read::load(store, by, id, now)
        .await?
        .ok_or(Error::NotFound("promotion"))
}
