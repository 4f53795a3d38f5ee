//! Requests to serve a version. Where the environment asks for nothing they execute at once;
//! elsewhere they wait for evidence and approvals. Every door calls exactly these commands.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission, Who},
    id::{DeploymentId, KeyId, PromotionId},
    prompt::{PromptName, check_prose},
    release::{FullPromotion, MAX_REASON, Promotion, PromotionStatus, Refusal, open_status},
};
use serde_json::json;
use sqlx::{PgConnection, types::Json};

use crate::{
    Error, Result, Store, cache_cost,
    error::OnConstraint,
    new_id,
    place::{Place, find_version},
    releases::Release,
    tx::Command,
};

mod evidence;
mod read;
mod terms;
mod together;

use evidence::Decided;
pub use read::{Filter, cannot_approve, find, list, waiting_for};
pub use terms::{At, Terms, objection, quietest};
pub use together::{Due, due, execute_together};

/// Requests that `version` serve the environment. What the environment's policy asks for and is
/// not there yet, the answer names.
pub async fn request(
    store: &Store,
    by: &Actor,
    release: &Release<'_>,
    version: i32,
    now: DateTime<Utc>,
) -> Result<Promotion> {
    request_on(store, by, release, version, Terms::default(), now).await
}

/// The same on terms: with a yes to what it costs, or for a moment to come. Refused when it costs
/// more than the prompt's budget and nobody said yes.
pub async fn request_on(
    store: &Store,
    by: &Actor,
    release: &Release<'_>,
    version: i32,
    terms: Terms,
    now: DateTime<Utc>,
) -> Result<Promotion> {
    by.may_in(Permission::RequestPromotion, release.environment)?;
    terms.check(now)?;
    // Reckoned before anything is locked; the lock then finds out whether it is still about what serves.
    let (name, place) = (release.prompt, release.environment);
    let reckoned = cache_cost::of_release(store, by.project, name, place, version, now).await?;
    let experiment = match terms.experiment {
        Some(id) => Some(terms::experiment_of(store, by, id, name, version, now).await?),
        None => None,
    };
    let window = match terms.at {
        At::Quietest => Some(terms::window_of(store, by.project, name, place, now).await?),
        At::Once | At::Moment(_) => None,
    };
    let (mut command, place) = Place::open(store, "request_promotion", by, release, now).await?;
    let target = find_version(&mut command, place.prompt, version).await?;
    place.check_new(&target)?;
    let cost = match reckoned {
        None => None,
        Some((serves, estimate)) => {
            place.check_serves(serves)?;
            let accepted = terms.accept_cache_cost;
            Some(terms::agreed(&mut command, place.prompt, estimate, accepted, now).await?)
        }
    };
    let id: PromotionId = new_id();
    sqlx::query!(
        "insert into promotion
             (promotion_id, prompt_id, environment_id, version_id, reason, status, requested_by, requested_at, cache_cost,
              experiment)
         values ($1, $2, $3, $4, $5, 'waiting', $6, $7, $8, $9)",
        id.0,
        place.prompt.0,
        place.environment_id().0,
        target.id().0,
        release.reason,
        command.author(),
        now,
        cost.map(|cost| json!(cost)),
        experiment.map(|experiment| json!(experiment)),
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
    let moment = terms::write_moment(&mut command, id, terms.at, window, now).await?;
    let decided = evidence::load(command.db(), id, now).await?;
    let mut deployment_id = None;
    let mut status = open_status(&decided.missing);
    if place.policy.asks_for_nothing() && moment.is_none() {
        let reason = release.reason;
        let deployed = together::deploy(&mut command, &place, version, reason, &decided).await?;
        deployment_id = Some(deployed);
        status = PromotionStatus::Executed;
        record_cost(&mut command, release.prompt, &decided);
    } else {
        command.record(
            "promotion.request",
            release.prompt.as_str(),
            json!({
                "promotion_id": id, "environment": release.environment, "after": { "version": version },
                "reason": release.reason, "evidence": decided.evidence, "missing": decided.missing,
                "at": moment.as_ref().map(|moment| moment.at), "window": moment.as_ref().and_then(|moment| moment.note.as_ref()),
            }),
        );
    }
    write_status(&mut command, id, status, &decided, deployment_id).await?;
    command.tell("promotion", json!({ "promotion": id, "status": status }));
    command.commit().await?;
    let (execute_at, execute_note) = moment.map(|moment| (moment.at, moment.note)).unzip();
    Ok(Promotion {
        id,
        status,
        missing: decided.missing,
        prompt: release.prompt.clone(),
        environment: release.environment.to_owned(),
        version,
        reason: release.reason.to_owned(),
        requested_by: by.who.clone(),
        requested_at: now,
        deployment_id,
        execute_at,
        execute_note: execute_note.flatten(),
    })
}

/// Somebody said that it may cost more than the prompt's budget: that is not to be lost where the
/// deployment's own entry is the only one.
fn record_cost(command: &mut Command, prompt: &PromptName, decided: &Decided) {
    if let Some(cost) = decided
        .evidence
        .cache_cost
        .as_ref()
        .filter(|cost| cost.accepted)
    {
        command.record(
            "promotion.accept_cost",
            prompt.as_str(),
            json!({ "cache_cost": cost }),
        );
    }
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
    // The quietest hour is worked out when everything is there, and before anything is locked.
    let window = terms::window_waited_for(store, by.project, id, now).await?;
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
    let window = window.filter(|_| status == PromotionStatus::Approved);
    let note = window.as_ref().map(ToString::to_string);
    if let Some(window) = window {
        terms::write_moment(&mut open.command, id, At::Quietest, Some(window), now).await?;
    }
    open.record(
        "promotion.approve",
        json!({ "comment": comment, "missing": missing, "window": note }),
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
    let terms = Terms {
        at: at.map_or(At::Once, At::Moment),
        ..Terms::default()
    };
    execute_on(store, by, id, terms, now).await
}

/// The same on terms: in the quietest hour, or with a yes to what it costs.
pub async fn execute_on(
    store: &Store,
    by: &Actor,
    id: PromotionId,
    terms: Terms,
    now: DateTime<Utc>,
) -> Result<FullPromotion> {
    terms.check(now)?;
    let is_later = match terms.at {
        At::Once => false,
        At::Moment(at) => at > now,
        At::Quietest => true,
    };
    if is_later {
        schedule(store, by, id, terms, now).await?;
    } else {
        together::serve(store, by, &[id], terms.accept_cache_cost, now)
            .await?
            .pop()
            .map_or(Ok(()), |(_, done)| done)?;
    }
    read_back(store, by, id, now).await
}

async fn schedule(
    store: &Store,
    by: &Actor,
    id: PromotionId,
    terms: Terms,
    now: DateTime<Utc>,
) -> Result<()> {
    let window = match terms.at {
        At::Quietest => Some(terms::window_for(store, by.project, id, now).await?),
        At::Once | At::Moment(_) => None,
    };
    let mut open = Open::lock(store, "schedule_promotion", by, id, None, now).await?;
    by.may_in(Permission::RequestPromotion, &open.environment)?;
    open.check_complete()?;
    open.agree(terms.accept_cache_cost, now).await?;
    let moment = terms::write_moment(&mut open.command, id, terms.at, window, now).await?;
    open.record(
        "promotion.schedule",
        json!({
            "at": moment.as_ref().map(|moment| moment.at),
            "window": moment.as_ref().and_then(|moment| moment.note.as_ref()),
        }),
    );
    open.command.tell("promotion", json!({ "promotion": id }));
    open.command.commit().await
}

impl Open {
    /// Looks at the budget again: it, and what else was spent, may have changed meanwhile.
    async fn agree(&mut self, accepts: bool, now: DateTime<Utc>) -> Result<()> {
        terms::agree_again(&mut self.command, self.id, &mut self.decided, accepts, now).await
    }

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

/// Gives up the moment of a promotion that could not be executed then.
pub async fn unschedule(store: &Store, id: PromotionId) -> Result<()> {
    sqlx::query!(
        "update promotion set execute_at = null, execute_window = null, execute_note = null where promotion_id = $1",
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
             execute_at = case when $5 then null else execute_at end,
             execute_note = case when $5 then null else execute_note end
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
