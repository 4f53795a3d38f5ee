//! On what terms a promotion is asked for or executed: a yes to what it costs in cache misses, and
//! the moment. Both are checked here for every door.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::{Actor, Permission},
    cache::{budget::CacheEvidence, estimate::Estimate},
    id::{EnvironmentId, ExperimentId, ProjectId, PromotionId, PromptId},
    prompt::PromptName,
    release::{ExperimentEvidence, window::Window},
};
use serde_json::json;
use sqlx::types::Json;

use super::evidence::Decided;
use crate::{Error, Result, Store, cache_cost, experiments, tx::Command};

/// How far ahead a promotion can be set.
const FARTHEST: TimeDelta = TimeDelta::days(90);

/// What is agreed to beside the release itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// It may cost more than the prompt's cache budget.
    pub accept_cache_cost: bool,
    /// When.
    pub at: At,
    /// The experiment that speaks for the version: what it comes to is frozen with the request.
    pub experiment: Option<ExperimentId>,
}

/// When a promotion is to be executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum At {
    /// As soon as nothing is missing and somebody says so.
    #[default]
    Once,
    /// At a moment.
    Moment(DateTime<Utc>),
    /// In the hour of the day in which the fewest requests come.
    Quietest,
}

impl Terms {
    pub(super) fn check(self, now: DateTime<Utc>) -> Result<()> {
        match self.at {
            At::Moment(at) if at > now + FARTHEST => {
                Err(Error::invalid("at", "must be within the next 90 days"))
            }
            At::Once | At::Moment(_) | At::Quietest => Ok(()),
        }
    }
}

/// What the experiment comes to now, for the arm that is this version.
pub(super) async fn experiment_of(
    store: &Store,
    by: &Actor,
    id: ExperimentId,
    prompt: &PromptName,
    version: i32,
    now: DateTime<Utc>,
) -> Result<ExperimentEvidence> {
    let refused = |why: &str| Error::invalid("experiment", why);
    let Some(experiment) = experiments::find(store, by, id).await? else {
        return Err(refused("is none of this project's"));
    };
    let plan = &experiment.plan;
    if plan.prompt != *prompt {
        return Err(refused("is about another prompt"));
    }
    let Some(arm) = plan.arms.iter().find(|arm| arm.version == version) else {
        return Err(refused("has no arm with this version"));
    };
    let results = experiments::results(store, by, id, now).await?;
    Ok(ExperimentEvidence::of(
        id,
        &plan.name,
        &plan.primary_metric,
        &arm.name,
        results,
        now,
    ))
}

/// When it is to be executed, and why then.
pub(super) struct Moment {
    pub at: DateTime<Utc>,
    pub note: Option<String>,
}

/// Freezes the cost with the budget as it is; refused when it goes over it and nobody said yes.
pub(super) async fn agreed(
    command: &mut Command,
    prompt: PromptId,
    estimate: Estimate,
    accepted: bool,
    now: DateTime<Utc>,
) -> Result<CacheEvidence> {
    let (budget_usd, spent_usd) = cache_cost::budget(command.db(), prompt, now).await?;
    let cost = CacheEvidence {
        estimate,
        budget_usd,
        spent_usd,
        accepted,
        at: now,
    }
    .rounded();
    check(&cost)?;
    Ok(cost)
}

fn check(cost: &CacheEvidence) -> Result<()> {
    match cost.objection() {
        Some(words) => Err(Error::invalid("accept_cache_cost", words)),
        None => Ok(()),
    }
}

/// The same for a promotion that waited: its cost stays as it was reckoned, the budget and what else
/// was spent are those of now.
pub(super) async fn agree_again(
    command: &mut Command,
    id: PromotionId,
    decided: &mut Decided,
    accepts: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(cost) = &mut decided.evidence.cache_cost else {
        return Ok(());
    };
    let (budget_usd, spent_usd) = cache_cost::budget(command.db(), decided.prompt, now).await?;
    let mut renewed = CacheEvidence {
        budget_usd,
        spent_usd,
        ..cost.clone()
    };
    renewed.accepted |= accepts;
    let renewed = renewed.rounded();
    check(&renewed)?;
    *cost = renewed;
    sqlx::query!(
        "update promotion set cache_cost = $2 where promotion_id = $1",
        id.0,
        json!(cost),
    )
    .execute(command.db())
    .await?;
    Ok(())
}

/// Writes when it is to be executed. For the quietest hour nothing but the wish is written as long
/// as something is missing: a moment that passes before the approval comes would help nobody.
pub(super) async fn write_moment(
    command: &mut Command,
    id: PromotionId,
    at: At,
    window: Option<Window>,
    now: DateTime<Utc>,
) -> Result<Option<Moment>> {
    let (moment, waits_for) = match (at, window) {
        (At::Once, _) => return Ok(None),
        (At::Moment(at), _) if at <= now => return Ok(None),
        (At::Moment(at), _) => (Some(Moment { at, note: None }), None),
        (At::Quietest, window) => {
            let moment = window.map(|window| Moment {
                at: window.at,
                note: Some(window.to_string()),
            });
            (moment, Some("quietest"))
        }
    };
    sqlx::query!(
        "update promotion set execute_at = $2, execute_note = $3, execute_window = $4 where promotion_id = $1",
        id.0,
        moment.as_ref().map(|moment| moment.at),
        moment.as_ref().and_then(|moment| moment.note.as_deref()),
        waits_for,
    )
    .execute(command.db())
    .await?;
    Ok(moment)
}

/// The quietest hour of a prompt in an environment.
pub(super) async fn window_of(
    store: &Store,
    project: ProjectId,
    prompt: &PromptName,
    environment: &str,
    now: DateTime<Utc>,
) -> Result<Window> {
    let place = sqlx::query!(
        r#"select prompt_id as "prompt: PromptId", environment_id as "environment: EnvironmentId"
           from prompt join environment using (project_id)
           where project_id = $1 and prompt.name = $2 and environment.name = $3"#,
        project.0,
        prompt.as_str(),
        environment,
    )
    .fetch_optional(&store.pool)
    .await?
    .ok_or(Error::NotFound("prompt"))?;
    cache_cost::quietest(store, place.prompt, place.environment, now).await
}

/// The quietest hour for a promotion.
pub(super) async fn window_for(
    store: &Store,
    project: ProjectId,
    id: PromotionId,
    now: DateTime<Utc>,
) -> Result<Window> {
    let place = sqlx::query!(
        r#"select prompt_id as "prompt: PromptId", environment_id as "environment: EnvironmentId"
           from promotion join prompt using (prompt_id)
           where project_id = $1 and promotion_id = $2"#,
        project.0,
        id.0,
    )
    .fetch_optional(&store.pool)
    .await?
    .ok_or(Error::NotFound("promotion"))?;
    cache_cost::quietest(store, place.prompt, place.environment, now).await
}

/// The quietest hour that a promotion could wait for.
pub async fn quietest(
    store: &Store,
    by: &Actor,
    id: PromotionId,
    now: DateTime<Utc>,
) -> Result<Window> {
    by.may(Permission::Read)?;
    window_for(store, by.project, id, now).await
}

/// Why executing it now would take a yes to what it costs; nothing where it would not.
pub async fn objection(
    store: &Store,
    by: &Actor,
    id: PromotionId,
    now: DateTime<Utc>,
) -> Result<Option<String>> {
    by.may(Permission::Read)?;
    let row = sqlx::query!(
        r#"select prompt_id as "prompt: PromptId", cache_cost as "cost: Json<CacheEvidence>"
           from promotion join prompt using (prompt_id)
           where project_id = $1 and promotion_id = $2"#,
        by.project.0,
        id.0,
    )
    .fetch_optional(&store.pool)
    .await?
    .ok_or(Error::NotFound("promotion"))?;
    let Some(Json(cost)) = row.cost else {
        return Ok(None);
    };
    let mut db = store.pool.acquire().await?;
    let (budget_usd, spent_usd) = cache_cost::budget(&mut db, row.prompt, now).await?;
    let cost = CacheEvidence {
        budget_usd,
        spent_usd,
        ..cost
    };
    Ok(cost.objection())
}

/// The same if it was asked to wait for it. Traffic that has no quietest hour any more is no reason
/// to refuse an approval: somebody then chooses a moment.
pub(super) async fn window_waited_for(
    store: &Store,
    project: ProjectId,
    id: PromotionId,
    now: DateTime<Utc>,
) -> Result<Option<Window>> {
    let waits = sqlx::query_scalar!(
        r#"select execute_window = 'quietest' as "waits"
           from promotion join prompt using (prompt_id)
           where project_id = $1 and promotion_id = $2"#,
        project.0,
        id.0,
    )
    .fetch_optional(&store.pool)
    .await?
    .flatten();
    if waits != Some(true) {
        return Ok(None);
    }
    match window_for(store, project, id, now).await {
        Ok(window) => Ok(Some(window)),
        Err(Error::Conflict { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
