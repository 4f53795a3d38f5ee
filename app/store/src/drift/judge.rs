//! Ending checks: a run that is over gets its verdict, once, and everybody is told.

use chrono::{DateTime, Utc};
use domain::{
    content::ContentHash,
    drift::{self, Evidence, Ewma, Finding, State, Why},
    id::{DriftCheckId, ProjectId, PromptId, RunId, SuiteId, VersionId},
    prompt::{PRODUCTION, PromptName},
    run::RunStatus,
    schedule::Schedule,
};
use serde_json::json;
use sqlx::types::Json;

use super::{
    baseline,
    facts::{self, Active},
    watcher,
};
use crate::{Error, Result, Store, tx::Command};

/// Judges the checks whose runs are over; how many.
#[tracing::instrument(skip_all, err)]
pub async fn judge_ended(store: &Store, now: DateTime<Utc>) -> Result<usize> {
    let ended = sqlx::query!(
        r#"select check_id as "id: DriftCheckId", run.project_id as "project: ProjectId"
           from drift_pending
           join drift_launch using (check_id)
           join run using (run_id)
           where run.status in ('completed', 'failed', 'cancelled')
           limit 100"#,
    )
    .fetch_all(&store.pool)
    .await?;
    let mut n_judged = 0;
    for row in ended {
        match judge_one(store, row.project, row.id, now).await {
            Ok(is_judged) => n_judged += usize::from(is_judged),
            Err(error @ Error::Unavailable(_)) => return Err(error),
            Err(error) => tracing::warn!(check.id = %row.id, %error, "a check was not judged"),
        }
    }
    Ok(n_judged)
}

/// A check whose run is over.
struct Ended {
    run: RunId,
    suite: SuiteId,
    status: RunStatus,
    failure: Option<String>,
    prompt: PromptId,
    /// None where the schedule asked.
    n_asked: Option<u32>,
}

async fn judge_one(
    store: &Store,
    project: ProjectId,
    id: DriftCheckId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let mut command = Command::begin(store, "judge_drift_check", &watcher(project), now).await?;
    // Whoever takes it away judges it; another server waits here, then finds nothing.
    let taken = sqlx::query!("delete from drift_pending where check_id = $1", id.0)
        .execute(command.db())
        .await?;
    if taken.rows_affected() == 0 {
        return Ok(false);
    }
    let (ended, active) = load(&mut command, id).await?;
    let found = baseline::find(command.db(), &active, ended.suite).await?;
    if let (RunStatus::Completed, Some(run)) = (ended.status, found) {
        baseline::keep_at_check(command.db(), &active, ended.suite, run).await?;
    }
    // The run that stands in for the one at promotion says nothing about itself.
    let frozen = found.filter(|found| *found != ended.run);
    let finding = match (ended.status, frozen) {
        (RunStatus::Failed | RunStatus::Queued | RunStatus::Running, _) => {
            let words = ended.failure.unwrap_or_else(|| "it failed".to_owned());
            Finding::cannot_tell(Why::NotEnded { words })
        }
        (RunStatus::Cancelled, _) => Finding::cannot_tell(Why::NotEnded {
            words: "somebody stopped it".to_owned(),
        }),
        (RunStatus::Completed, None) => Finding::cannot_tell(Why::NoFrozenRun),
        (RunStatus::Completed, Some(frozen)) => {
            let evidence = Evidence {
                frozen: facts::of_run(command.db(), frozen).await?,
                is_lucky: facts::is_lucky(command.db(), frozen).await?,
                run: facts::of_run(command.db(), ended.run).await?,
                common: facts::common(command.db(), frozen, ended.run).await?,
                chart: last_chart(&mut command, &active, frozen).await?,
                per_week: per_week(&mut command, ended.prompt).await?,
                n_asked: ended.n_asked,
            };
            drift::judge(&evidence)
        }
    };
    write(&mut command, id, &active, frozen, &finding).await?;
    command.commit().await?;
    Ok(true)
}

/// The check's run, and the version it was launched for, whichever serves by now.
async fn load(command: &mut Command, id: DriftCheckId) -> Result<(Ended, Active)> {
    let row = sqlx::query!(
        r#"select run.run_id as "run: RunId", run.suite_id as "suite: SuiteId", run.status as "status: RunStatus",
                  run.failure, prompt.prompt_id as "prompt: PromptId", prompt.name as "name: PromptName",
                  version.version_id as "version: VersionId", version.number, version.content_hash as "content_hash: ContentHash",
                  (select min(deployed_at) from deployment
                   join environment using (environment_id)
                   where deployment.version_id = version.version_id and environment.name = $2)
                      as "promoted_at!",
                  drift_launch.due_at is null as "is_asked!",
                  (select count(*) from drift_launch as other
                   where other.prompt_id = drift_launch.prompt_id and other.due_at is null and other.run_id is not null
                     and other.launched_at < drift_launch.launched_at
                     and other.launched_at > drift_launch.launched_at - interval '7 days') as "n_before!"
           from drift_launch
           join run using (run_id)
           join prompt on prompt.prompt_id = drift_launch.prompt_id
           join version on version.version_id = drift_launch.version_id
           where check_id = $1"#,
        id.0,
        PRODUCTION,
    )
    .fetch_one(command.db())
    .await?;
    Ok((
        Ended {
            run: row.run,
            suite: row.suite,
            status: row.status,
            failure: row.failure,
            prompt: row.prompt,
            n_asked: row
                .is_asked
                .then(|| u32::try_from(row.n_before).unwrap_or(u32::MAX)),
        },
        Active {
            prompt: row.prompt,
            name: row.name,
            version: row.version,
            number: row.number,
            content_hash: row.content_hash,
            promoted_at: row.promoted_at,
        },
    ))
}

/// The chart as the last check against the same frozen run left it.
async fn last_chart(command: &mut Command, active: &Active, frozen: RunId) -> Result<Option<Ewma>> {
    let chart = sqlx::query_scalar!(
        r#"select finding -> 'chart' as "chart!: Json<Ewma>"
           from drift_check
           where prompt_id = $1 and version_id = $2 and frozen_run_id = $3
             and jsonb_typeof(finding -> 'chart') = 'object'
           order by checked_at desc, check_id desc
           limit 1"#,
        active.prompt.0,
        active.version.0,
        frozen.0,
    )
    .fetch_optional(command.db())
    .await?;
    Ok(chart.map(|Json(chart)| chart))
}

/// How many checks a week has by its schedule; 0 where it is off.
async fn per_week(command: &mut Command, prompt: PromptId) -> Result<f64> {
    let row = sqlx::query!(
        "select cron, time_zone from drift_schedule where prompt_id = $1 and enabled",
        prompt.0,
    )
    .fetch_optional(command.db())
    .await?;
    let table = row.and_then(|row| {
        let schedule = Schedule {
            cron: row.cron,
            time_zone: row.time_zone,
            ..Schedule::default()
        };
        schedule.timetable().ok()
    });
    Ok(table.map_or(0.0, |table| table.per_week()))
}

/// Writes what a check came to, and tells.
pub(super) async fn write(
    command: &mut Command,
    id: DriftCheckId,
    active: &Active,
    frozen: Option<RunId>,
    finding: &Finding,
) -> Result<()> {
    let now = command.now();
    sqlx::query!(
        "insert into drift_check
             (check_id, project_id, prompt_id, version_id, frozen_run_id, state, finding, checked_at)
         select $1, project_id, $2, $3, $4, $5, $6, $7
         from drift_launch
         where check_id = $1",
        id.0,
        active.prompt.0,
        active.version.0,
        frozen.map(|run| run.0),
        finding.state.word(),
        json!(finding),
        now,
    )
    .execute(command.db())
    .await?;
    if finding.state == State::Drifted {
        tracing::warn!(check.id = %id, "a prompt is worse than when it was promoted");
    }
    command.record(
        "drift.check",
        active.name.as_str(),
        json!({
            "check_id": id, "version": active.number, "state": finding.state, "sentence": finding.sentence,
            "frozen_run_id": frozen,
        }),
    );
    command.tell(
        "drift",
        json!({ "prompt": active.name, "state": finding.state }),
    );
    Ok(())
}
