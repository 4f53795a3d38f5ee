//! Beginning checks. A due moment is claimed, moved past now and turned into a run in one
//! transaction: whoever comes second finds it moved, a server that dies leaves it due, and one that
//! slept for three weeks makes up for them with one check.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission},
    drift::{Finding, Why},
    id::{DriftCheckId, ProjectId, PromptId, RunId},
    prompt::PromptName,
    run::RunOptions,
    schedule::Schedule,
};
use serde_json::json;

use super::{
    baseline,
    facts::{self, Active},
    judge, watcher,
};
use crate::{
    Error, Result, Store, new_id, prompts,
    runs::{self, Subject},
    tx::Command,
};

/// Gives every prompt that serves production and can be run its schedule, if it has none: weekly.
pub async fn ensure_schedules(store: &Store, now: DateTime<Utc>) -> Result<()> {
    let rows = sqlx::query!(
        r#"select version.prompt_id as "prompt: PromptId", project_id as "project: ProjectId"
           from version
           join prompt using (prompt_id)
           where status = 'active' and content -> 'model' is not null
             and not exists (select from drift_schedule where drift_schedule.prompt_id = version.prompt_id)
           limit 1000"#,
    )
    .fetch_all(&store.pool)
    .await?;
    let usual = Schedule::default();
    let table = usual.timetable().map_err(Error::Invalid)?;
    for row in rows {
        sqlx::query!(
            "insert into drift_schedule
                 (prompt_id, project_id, cron, time_zone, jitter_minutes, enabled, next_due, changed_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8)
             on conflict do nothing",
            row.prompt.0,
            row.project.0,
            usual.cron,
            usual.time_zone,
            usual.jitter_minutes.cast_signed(),
            usual.enabled,
            table.next_after(now, row.prompt),
            now,
        )
        .execute(&store.pool)
        .await?;
    }
    Ok(())
}

/// Begins the checks that are due; how many.
#[tracing::instrument(skip_all, err)]
pub async fn launch_due(store: &Store, now: DateTime<Utc>) -> Result<usize> {
    let due = sqlx::query!(
        r#"select prompt_id as "prompt: PromptId", project_id as "project: ProjectId"
           from drift_schedule
           where next_due <= $1
           order by next_due
           limit 100"#,
        now,
    )
    .fetch_all(&store.pool)
    .await?;
    let mut n_launched = 0;
    for row in due {
        match launch_one(store, row.project, row.prompt, now).await {
            Ok(is_launched) => n_launched += usize::from(is_launched),
            Err(error @ Error::Unavailable(_)) => return Err(error),
            // One that fails keeps none of the others from theirs; it stays due.
            Err(error) => tracing::warn!(prompt.id = %row.prompt, %error, "a check was not begun"),
        }
    }
    Ok(n_launched)
}

async fn launch_one(
    store: &Store,
    project: ProjectId,
    prompt: PromptId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let by = &watcher(project);
    let mut command = Command::begin(store, "launch_drift_check", by, now).await?;
    let row = sqlx::query!(
        r#"select cron, time_zone, jitter_minutes, enabled, next_due as "due!"
           from drift_schedule
           where prompt_id = $1 and next_due <= $2
           -- Another server is at it: it is in good hands.
           for update skip locked"#,
        prompt.0,
        now,
    )
    .fetch_optional(command.db())
    .await?;
    let Some(row) = row else {
        return Ok(false);
    };
    let schedule = Schedule {
        cron: row.cron,
        time_zone: row.time_zone,
        jitter_minutes: row.jitter_minutes.unsigned_abs(),
        enabled: row.enabled,
    };
    // It was checked when it was set; an expression nobody understands any more stops by itself.
    let next = schedule
        .timetable()
        .ok()
        .filter(|_| schedule.enabled)
        .and_then(|table| table.next_after(now, prompt));
    sqlx::query!(
        "update drift_schedule set next_due = $2 where prompt_id = $1",
        prompt.0,
        next,
    )
    .execute(command.db())
    .await?;
    let mut is_launched = false;
    let active = facts::active(command.db(), prompt).await?;
    if let Some(active) = &active {
        prompts::lock(command.db(), by, &active.name).await?;
    }
    // A check that is under way already answers for this moment, too.
    if let Some(active) = &active
        && !is_pending(&mut command, prompt).await?
    {
        match run_suite(&mut command, by, active, now).await {
            Ok(run) => {
                begin(&mut command, by, active, Some(run), Some(row.due), now).await?;
                is_launched = true;
            }
            // Seen on the page without a check: nothing was tried.
            Err(Error::Conflict {
                code: "no_suite", ..
            }) => {}
            Err(
                error @ (Error::Conflict { .. }
                | Error::Invalid(_)
                | Error::NotFound(_)
                | Error::Denied(_)
                | Error::Release(_)),
            ) => {
                let check = begin(&mut command, by, active, None, Some(row.due), now).await?;
                let why = Why::NotRunnable {
                    words: error.to_string(),
                };
                let finding = Finding::cannot_tell(why);
                judge::write(&mut command, check, active, None, &finding).await?;
                is_launched = true;
            }
            Err(error @ (Error::Unavailable(_) | Error::Database(_))) => return Err(error),
        }
    }
    command.commit().await?;
    Ok(is_launched)
}

/// Begins a check because somebody asks; the run.
pub async fn run_now(
    store: &Store,
    by: &Actor,
    prompt: &PromptName,
    now: DateTime<Utc>,
) -> Result<(DriftCheckId, RunId)> {
    by.may(Permission::RunEvals)?;
    let mut command = Command::begin(store, "run_drift_check", by, now).await?;
    let id = prompts::lock(command.db(), by, prompt).await?;
    let Some(active) = facts::active(command.db(), id).await? else {
        return Err(Error::conflict(
            "not_active",
            format!("no version of {prompt} serves production, so there is nothing to look after"),
        ));
    };
    if is_pending(&mut command, id).await? {
        return Err(Error::conflict(
            "check_running",
            format!("a check of {prompt} is under way: its verdict comes when the run ends"),
        ));
    }
    let run = run_suite(&mut command, by, &active, now).await?;
    let check = begin(&mut command, by, &active, Some(run), None, now).await?;
    command.tell("drift", json!({ "prompt": prompt }));
    command.commit().await?;
    Ok((check, run))
}

async fn is_pending(command: &mut Command, prompt: PromptId) -> Result<bool> {
    let is_pending = sqlx::query_scalar!(
        r#"select exists (select from drift_pending where prompt_id = $1) as "is_pending!""#,
        prompt.0,
    )
    .fetch_one(command.db())
    .await?;
    Ok(is_pending)
}

/// Launches the whole suite on the active version, by the steps that people's runs are made of;
/// evals run at temperature 0. The seed, the repeats and the judge are those of the frozen run.
async fn run_suite(
    command: &mut Command,
    by: &Actor,
    active: &Active,
    now: DateTime<Utc>,
) -> Result<RunId> {
    let Some((suite, _)) = facts::suite(command.db(), active).await? else {
        return Err(Error::conflict(
            "no_suite",
            format!(
                "{} has no suite yet: make one with cases first",
                active.name
            ),
        ));
    };
    let before = match baseline::find(command.db(), active, suite).await? {
        Some(run) => facts::options(command.db(), run).await?,
        None => RunOptions {
            repeats: 1,
            ..RunOptions::default()
        },
    };
    let options = RunOptions {
        tags: Vec::new(),
        limit: None,
        budget_usd: None,
        ..before
    };
    let subject = Subject::Saved(active.number);
    let loaded = runs::load_subject(command, by, &active.name, active.prompt, &subject).await?;
    let selection = runs::select_cases(command, by, active.prompt, suite, &options).await?;
    runs::insert(
        command,
        by,
        active.prompt,
        &loaded,
        &selection,
        &options,
        now,
    )
    .await
}

async fn begin(
    command: &mut Command,
    by: &Actor,
    active: &Active,
    run: Option<RunId>,
    due_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<DriftCheckId> {
    let id: DriftCheckId = new_id();
    let author = command.author();
    sqlx::query!(
        "insert into drift_launch (check_id, project_id, prompt_id, version_id, due_at, run_id, by, launched_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        id.0,
        by.project.0,
        active.prompt.0,
        active.version.0,
        due_at,
        run.map(|run| run.0),
        author,
        now,
    )
    .execute(command.db())
    .await?;
    if run.is_some() {
        sqlx::query!(
            "insert into drift_pending (check_id, prompt_id) values ($1, $2)",
            id.0,
            active.prompt.0,
        )
        .execute(command.db())
        .await?;
    }
    Ok(id)
}

/// Sets when a prompt is looked after; the moment that is next.
pub async fn set_schedule(
    store: &Store,
    by: &Actor,
    prompt: &PromptName,
    schedule: &Schedule,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    by.may(Permission::RunEvals)?;
    let table = schedule.timetable().map_err(Error::Invalid)?;
    let mut command = Command::begin(store, "set_drift_schedule", by, now).await?;
    // The prompt is not locked: whoever launches holds the schedule and waits for the prompt.
    let id = sqlx::query_scalar!(
        r#"select prompt_id as "id: PromptId" from prompt where project_id = $1 and name = $2"#,
        by.project.0,
        prompt.as_str(),
    )
    .fetch_optional(command.db())
    .await?
    .ok_or(Error::NotFound("prompt"))?;
    let before = sqlx::query!(
        "select cron, time_zone, jitter_minutes, enabled from drift_schedule where prompt_id = $1 for update",
        id.0,
    )
    .fetch_optional(command.db())
    .await?
    .map(|row| Schedule {
        cron: row.cron,
        time_zone: row.time_zone,
        jitter_minutes: row.jitter_minutes.unsigned_abs(),
        enabled: row.enabled,
    });
    let next_due = table.next_after(now, id).filter(|_| schedule.enabled);
    let author = command.author();
    sqlx::query!(
        "insert into drift_schedule
             (prompt_id, project_id, cron, time_zone, jitter_minutes, enabled, next_due, changed_by, changed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (prompt_id) do update
         set cron = excluded.cron, time_zone = excluded.time_zone, jitter_minutes = excluded.jitter_minutes,
             enabled = excluded.enabled, next_due = excluded.next_due, changed_by = excluded.changed_by,
             changed_at = excluded.changed_at",
        id.0,
        by.project.0,
        schedule.cron,
        schedule.time_zone,
        schedule.jitter_minutes.cast_signed(),
        schedule.enabled,
        next_due,
        author,
        now,
    )
    .execute(command.db())
    .await?;
    command.record(
        "drift.schedule",
        prompt.as_str(),
        json!({ "before": before, "after": schedule, "next_due": next_due }),
    );
    command.tell("drift", json!({ "prompt": prompt }));
    command.commit().await?;
    Ok(next_due)
}
