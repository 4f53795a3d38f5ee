//! Executing promotions: one, or several of a prompt in an environment that are due at the same
//! moment. Those go together, in the order in which they were asked for, in one transaction: the
//! caches are refilled once, and what each was decided on still holds.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission},
    id::{DeploymentId, ProjectId, PromotionId},
    release::{DeploymentKind, Promotion, PromotionStatus, Refusal},
};
use serde_json::json;

use super::{evidence, read, record_cost, terms, write_status};
use crate::{
    Error, Result, Store, drift,
    place::{Place, find_version},
    releases::{Release, Seen},
    tx::Command,
};

/// Promotions of one prompt in one environment whose moment has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Their project.
    pub project: ProjectId,
    /// In the order in which they were asked for.
    pub ids: Vec<PromotionId>,
}

/// Promotions whose moment has come, those that go together in one.
pub async fn due(store: &Store, now: DateTime<Utc>) -> Result<Vec<Due>> {
    let rows = sqlx::query!(
        r#"select project_id as "project: ProjectId",
                  array_agg(promotion_id order by requested_at, promotion_id) as "ids!: Vec<PromotionId>"
           from promotion
           join prompt using (prompt_id)
           where promotion.status in ('waiting', 'approved') and execute_at <= $1
           group by project_id, prompt_id, environment_id
           order by min(execute_at)
           limit 100"#,
        now,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Due {
            project: row.project,
            ids: row.ids,
        })
        .collect())
}

/// Executes what is due together and answers for each what became of it. What cannot be executed
/// holds none of the others up.
pub async fn execute_together(
    store: &Store,
    by: &Actor,
    ids: &[PromotionId],
    now: DateTime<Utc>,
) -> Result<Vec<(PromotionId, Result<()>)>> {
    serve(store, by, ids, false, now).await
}

/// All of the same prompt and environment.
pub(super) async fn serve(
    store: &Store,
    by: &Actor,
    ids: &[PromotionId],
    accepts: bool,
    now: DateTime<Utc>,
) -> Result<Vec<(PromotionId, Result<()>)>> {
    // Looked at first without a lock: a place is locked before its promotions, here as everywhere.
    let mut found = Vec::new();
    for id in ids {
        let full = read::load(store, by, *id, now).await?;
        let promotion = full.ok_or(Error::NotFound("promotion"))?.promotion;
        by.may_in(Permission::RequestPromotion, &promotion.environment)?;
        found.push(promotion);
    }
    let Some(first) = found.first() else {
        return Ok(Vec::new());
    };
    if let ([one], false) = (found.as_slice(), first.status.is_open()) {
        return Err(Refusal::Over(one.status).into());
    }
    let release = release(first);
    let (mut command, _) = Place::open(store, "execute_promotion", by, &release, now).await?;
    // Decided before the first of them changes what serves: what was approved was approved for
    // what serves until then, and what goes at one moment is paid once.
    let mut decided = Vec::new();
    for promotion in &found {
        decided.push(decide(&mut command, promotion, accepts, now).await?);
    }
    let mut answers = Vec::new();
    for (promotion, decided) in found.iter().zip(decided) {
        let done = match decided {
            Err(refusal) => Err(refusal),
            Ok(decided) => {
                // The one before has changed what serves.
                let place = Place::lock(&mut command, by, &release, now).await?;
                execute(&mut command, &place, promotion, &decided).await
            }
        };
        match done {
            Err(error @ (Error::Unavailable(_) | Error::Database(_))) => return Err(error),
            done => answers.push((promotion.id, done)),
        }
    }
    if answers.iter().any(|(_, done)| done.is_ok()) {
        command.commit().await?;
    }
    Ok(answers)
}

fn release(promotion: &Promotion) -> Release<'_> {
    Release {
        prompt: &promotion.prompt,
        environment: &promotion.environment,
        reason: &promotion.reason,
        seen: Seen::OnArrival,
    }
}

/// Whether one of them can be executed; the outer result is for what stops them all.
async fn decide(
    command: &mut Command,
    promotion: &Promotion,
    accepts: bool,
    now: DateTime<Utc>,
) -> Result<Result<evidence::Decided>> {
    let status = sqlx::query_scalar!(
        r#"select status as "status: PromotionStatus" from promotion where promotion_id = $1 for update"#,
        promotion.id.0,
    )
    .fetch_one(command.db())
    .await?;
    if !status.is_open() {
        return Ok(Err(Refusal::Over(status).into()));
    }
    let mut decided = evidence::load(command.db(), promotion.id, now).await?;
    if !decided.missing.is_empty() {
        return Ok(Err(Refusal::Missing {
            environment: promotion.environment.clone(),
            missing: decided.missing,
        }
        .into()));
    }
    match terms::agree_again(command, promotion.id, &mut decided, accepts, now).await {
        Ok(()) => Ok(Ok(decided)),
        Err(refusal @ Error::Invalid(_)) => Ok(Err(refusal)),
        Err(error) => Err(error),
    }
}

/// Makes a version serve, and keeps what drift checks will hold it against.
pub(super) async fn deploy(
    command: &mut Command,
    place: &Place,
    version: i32,
    reason: &str,
    decided: &evidence::Decided,
) -> Result<DeploymentId> {
    let target = find_version(command, place.prompt, version).await?;
    let deployment = place
        .deploy(command, &target, DeploymentKind::Promote, reason)
        .await?;
    drift::keep_at_release(command, place.prompt, &deployment, decided.gate_run()).await?;
    Ok(deployment.deployment_id)
}

async fn execute(
    command: &mut Command,
    place: &Place,
    promotion: &Promotion,
    decided: &evidence::Decided,
) -> Result<()> {
    let (version, reason) = (promotion.version, &promotion.reason);
    let deployment_id = deploy(command, place, version, reason, decided).await?;
    write_status(
        command,
        promotion.id,
        PromotionStatus::Executed,
        decided,
        Some(deployment_id),
    )
    .await?;
    record_cost(command, &promotion.prompt, decided);
    command.record(
        "promotion.execute",
        promotion.prompt.as_str(),
        json!({
            "promotion_id": promotion.id, "environment": promotion.environment, "version": promotion.version,
            "evidence": decided.evidence, "deployment_id": deployment_id,
        }),
    );
    command.tell(
        "promotion",
        json!({ "promotion": promotion.id, "status": "executed" }),
    );
    Ok(())
}
