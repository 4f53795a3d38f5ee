//! What the server does to running experiments by itself: freezes the counts when the planned
//! sample is reached, raises an alarm once, and stops what was planned to stop by itself.

use domain::{
    experiment::{
        ArmCounts, Decision, Experiment, Frozen, Happening, Observed, Results, Status, VerdictKind,
    },
    id::ProjectId,
};
use serde_json::json;
use sqlx::types::Json;

use super::{Actor, DateTime, ExperimentId, Utc, note, open, read, stop_locked, tell};
use crate::{Result, Store};

/// The experiments that run, in all projects.
pub async fn running(store: &Store) -> Result<Vec<(ProjectId, Experiment)>> {
    let ids = sqlx::query!(
        r#"select project_id as "project: ProjectId", experiment_id as "id: ExperimentId"
           from experiment
           where status = 'running'"#,
    )
    .fetch_all(&store.pool)
    .await?;
    let mut db = store.pool.acquire().await?;
    let mut running = Vec::with_capacity(ids.len());
    for row in ids {
        if let Some(experiment) = read::one(&mut db, row.id).await? {
            running.push((row.project, experiment));
        }
    }
    Ok(running)
}

/// Judges one running experiment by what was counted. Answers whether anything was done. Looked
/// at without a lock first: nearly every second there is nothing to do.
pub async fn judge(
    store: &Store,
    by: &Actor,
    experiment: &Experiment,
    observed: &Observed,
    now: DateTime<Utc>,
) -> Result<bool> {
    let mut is_done = false;
    let is_due = experiment.plan.decision == Decision::Fixed
        && experiment.frozen.is_none()
        && observed.units() >= experiment.planned_units;
    if is_due {
        is_done |= freeze(store, by, experiment.id, &observed.arms, now).await?;
    }
    let verdict = Results::of(experiment, observed, now).verdict;
    let stops = match verdict.kind {
        VerdictKind::TrustProblem => experiment.plan.auto_stop.srm,
        VerdictKind::GuardrailBroken => experiment.plan.auto_stop.guardrail,
        VerdictKind::NotStarted
        | VerdictKind::NoData
        | VerdictKind::TooEarly
        | VerdictKind::Better
        | VerdictKind::Worse
        | VerdictKind::NoDifference
        | VerdictKind::StoppedEarly => return Ok(is_done),
    };
    is_done |= alarm(
        store,
        by,
        experiment.id,
        verdict.kind,
        &verdict.sentence,
        stops,
        now,
    )
    .await?;
    Ok(is_done)
}

/// Freezes the counts that the fixed rule decides on. Done once; whoever comes later does nothing.
async fn freeze(
    store: &Store,
    by: &Actor,
    id: ExperimentId,
    arms: &[ArmCounts],
    now: DateTime<Utc>,
) -> Result<bool> {
    let (mut command, experiment) = open(store, "freeze_experiment", by, id, now).await?;
    if experiment.frozen.is_some() || experiment.status != Status::Running {
        return Ok(false);
    }
    let frozen = Frozen {
        at: now,
        arms: arms.to_vec(),
    };
    sqlx::query!(
        "update experiment set frozen = $2 where experiment_id = $1",
        id.0,
        Json(&frozen) as _,
    )
    .execute(command.db())
    .await?;
    let units = arms.iter().map(|arm| arm.units).sum();
    note(&mut command, id, &Happening::Frozen { units }).await?;
    command.record(
        "experiment.freeze",
        experiment.plan.name.as_str(),
        json!({ "experiment_id": id, "after": frozen }),
    );
    tell(&mut command, &experiment, None);
    command.commit().await?;
    Ok(true)
}

/// Raises an alarm once for each kind, and stops the experiment if it was planned to.
async fn alarm(
    store: &Store,
    by: &Actor,
    id: ExperimentId,
    kind: VerdictKind,
    sentence: &str,
    stops: bool,
    now: DateTime<Utc>,
) -> Result<bool> {
    let known = sqlx::query_scalar!(
        "select alarm from experiment where experiment_id = $1",
        id.0
    )
    .fetch_one(&store.pool)
    .await?;
    let is_known = known.as_deref() == Some(kind.word());
    if is_known && !stops {
        return Ok(false);
    }
    let (mut command, experiment) = open(store, "alarm_experiment", by, id, now).await?;
    if experiment.status != Status::Running {
        return Ok(false);
    }
    if !is_known {
        sqlx::query!(
            "update experiment set alarm = $2 where experiment_id = $1",
            id.0,
            kind.word(),
        )
        .execute(command.db())
        .await?;
        let happening = Happening::Alarm {
            sentence: sentence.to_owned(),
        };
        note(&mut command, id, &happening).await?;
        command.record(
            "experiment.alarm",
            experiment.plan.name.as_str(),
            json!({ "experiment_id": id, "kind": kind, "sentence": sentence }),
        );
    }
    tracing::warn!(experiment.id = %id, stops, "an experiment raised an alarm: {sentence}");
    if stops {
        let reason = format!("Stopped by itself. {sentence}");
        stop_locked(&mut command, experiment, &reason).await?;
    } else {
        tell(&mut command, &experiment, None);
    }
    command.commit().await?;
    Ok(true)
}
