//! Drift: what is known of each active prompt, and the checks that find it out. Reads are here;
//! `launch` begins checks, by schedule or because somebody asked; `judge` ends them.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::{
    actor::{Actor, Grant, Permission, Who},
    drift::{
        Check, Ewma, Finding, Standing, State, Why,
        inputs::{self, Counts, Feature, InputDrift},
    },
    id::{DriftCheckId, ProjectId, PromptId, RunId, SuiteId, VersionId},
    prompt::{PRODUCTION, PromptName},
    schedule::Schedule,
};
use sqlx::{PgConnection, Postgres, Transaction, types::Json};

use crate::{Result, Store};

mod baseline;
mod facts;
mod judge;
mod launch;
#[cfg(test)]
mod tests;

pub(crate) use baseline::keep_at_release;
pub use judge::judge_ended;
pub use launch::{ensure_schedules, launch_due, run_now, set_schedule};

/// So many checks are on a chart and in a prompt's history.
const HISTORY: i64 = 60;
/// The window around the promotion, and the one that is now, in days on each side.
const WINDOW_DAYS: i64 = 7;
/// Most prompts on the list.
const MOST_PROMPTS: i64 = 1_000;

/// The one who acts when a schedule says so.
fn watcher(project: ProjectId) -> Actor {
    Actor {
        who: Who::System {
            name: "drift".to_owned(),
        },
        project,
        grant: Grant::Operator,
    }
}

/// A prompt that is looked after.
#[derive(Clone, Debug)]
pub struct Watched {
    /// How it stands.
    pub standing: Standing,
    /// When it is looked after; none for a prompt that never was, such as a snippet.
    pub schedule: Option<Schedule>,
    /// When the next check is due.
    pub next_due: Option<DateTime<Utc>>,
    /// The run of a check that is under way.
    pub running: Option<RunId>,
    /// The last check of the version that serves.
    pub last: Option<Check>,
    /// The chart since the promotion, oldest first.
    pub charts: Vec<(DateTime<Utc>, Ewma)>,
}

/// How the last check left what serves production, and when that was; none where nothing serves.
/// For the head of a prompt's pages, which is read with every change: without the history.
pub async fn last(
    store: &Store,
    by: &Actor,
    prompt: &PromptName,
) -> Result<Option<(State, Option<DateTime<Utc>>)>> {
    by.may(Permission::ReadEvals)?;
    let row = sqlx::query!(
        r#"select last.state as "state?: State", last.checked_at as "checked_at?"
           from prompt
           join version on version.prompt_id = prompt.prompt_id and version.status = 'active'
           left join lateral (
               select state, checked_at
               from drift_check
               where drift_check.prompt_id = version.prompt_id and drift_check.version_id = version.version_id
               order by checked_at desc, check_id desc
               limit 1
           ) as last on true
           where prompt.project_id = $1 and prompt.name = $2"#,
        by.project.0,
        prompt.as_str(),
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(row.map(|row| (row.state.unwrap_or(State::CannotTell), row.checked_at)))
}

/// The prompts that are looked after: those that need somebody first, then by name.
pub async fn list(store: &Store, by: &Actor, state: Option<State>) -> Result<Vec<Watched>> {
    by.may(Permission::ReadEvals)?;
    let mut watched = select(&mut *still(store).await?, by.project, None).await?;
    watched.retain(|one| state.is_none_or(|state| one.standing.state == state));
    watched.sort_by_key(|one| one.standing.state);
    Ok(watched)
}

/// Everything about one prompt.
#[derive(Clone, Debug)]
pub struct Detail {
    /// How it stands and when it is looked after.
    pub watched: Watched,
    /// When the version that serves was first promoted.
    pub promoted_at: DateTime<Utc>,
    /// The suite that checks run.
    pub suite: Option<(SuiteId, String)>,
    /// The run that they are held against.
    pub frozen_run: Option<RunId>,
    /// All checks of the prompt, newest first, with who asked.
    pub checks: Vec<(Check, Who)>,
    /// What its variables are filled with.
    pub inputs: Vec<InputDrift>,
    /// The days around the promotion, and those of now.
    pub windows: Windows,
}

/// Which days are compared; the last day is included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Around the promotion.
    pub before: (NaiveDate, NaiveDate),
    /// Now; none before the first one is over.
    pub after: Option<(NaiveDate, NaiveDate)>,
}

impl Windows {
    fn of(promoted_at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let (promoted, today) = (promoted_at.date_naive(), now.date_naive());
        let days = TimeDelta::days(WINDOW_DAYS);
        let end = promoted + days;
        let first = (end + TimeDelta::days(1)).max(today - days + TimeDelta::days(1));
        Self {
            before: (promoted - days, end),
            after: (first <= today).then_some((first, today)),
        }
    }
}

/// One prompt, if it serves production.
pub async fn find(
    store: &Store,
    by: &Actor,
    prompt: &PromptName,
    now: DateTime<Utc>,
) -> Result<Option<Detail>> {
    by.may(Permission::ReadEvals)?;
    let mut db = still(store).await?;
    let Some(watched) = select(&mut db, by.project, Some(prompt)).await?.pop() else {
        return Ok(None);
    };
    let id = watched.standing.prompt_id;
    let Some(active) = facts::active(&mut db, id).await? else {
        return Ok(None);
    };
    let suite = facts::suite(&mut db, &active).await?;
    let frozen_run = match &suite {
        Some((suite, _)) => baseline::find(&mut db, &active, *suite).await?,
        None => None,
    };
    let windows = Windows::of(active.promoted_at, now);
    Ok(Some(Detail {
        watched,
        promoted_at: active.promoted_at,
        suite,
        frozen_run,
        checks: history(&mut db, id).await?,
        inputs: compare_inputs(&mut db, id, windows).await?,
        windows,
    }))
}

/// The database as it is at one moment: a check that ends between two questions is in both answers
/// or in neither.
async fn still(store: &Store) -> Result<Transaction<'static, Postgres>> {
    let begin = "begin isolation level repeatable read, read only";
    Ok(store.pool.begin_with(begin).await?)
}

async fn select(
    db: &mut PgConnection,
    project: ProjectId,
    prompt: Option<&PromptName>,
) -> Result<Vec<Watched>> {
    let rows = sqlx::query!(
        r#"select prompt.prompt_id as "prompt_id: PromptId", prompt.name as "prompt: PromptName",
                  version.version_id as "version_id: VersionId", version.number,
                  version.content -> 'model' is not null as "has_model!",
                  exists (select from suite where suite.prompt_id = prompt.prompt_id) as "has_suite!",
                  cron as "cron?", time_zone as "time_zone?", jitter_minutes as "jitter_minutes?",
                  enabled as "enabled?", next_due as "next_due?",
                  drift_launch.run_id as "running?: RunId"
           from version
           join prompt using (prompt_id)
           left join drift_schedule using (prompt_id)
           left join drift_pending on drift_pending.prompt_id = prompt.prompt_id
           left join drift_launch using (check_id)
           where prompt.project_id = $1 and version.status = 'active'
             and ($2::text is null or prompt.name = $2)
           order by prompt.name
           limit $3"#,
        project.0,
        prompt.map(PromptName::as_str),
        MOST_PROMPTS,
    )
    .fetch_all(&mut *db)
    .await?;
    let mut watched = Vec::with_capacity(rows.len());
    let versions: Vec<uuid::Uuid> = rows.iter().map(|row| row.version_id.0).collect();
    let mut checks = of_versions(db, &versions).await?;
    for row in rows {
        let checks = checks.remove(&row.version_id).unwrap_or_default();
        let charts = checks
            .iter()
            .rev()
            .filter_map(|check| Some((check.checked_at, check.finding.chart?)))
            .collect();
        let last = checks.into_iter().next();
        let unchecked = || {
            Finding::cannot_tell(if !row.has_model {
                Why::NotRunnable {
                    words: "the version names no model, so it is part of others and is looked after with them".to_owned(),
                }
            } else if row.has_suite {
                Why::NotChecked
            } else {
                Why::NoSuite
            })
        };
        let finding = last
            .as_ref()
            .map_or_else(unchecked, |last| last.finding.clone());
        let schedule = match (row.cron, row.time_zone, row.jitter_minutes, row.enabled) {
            (Some(cron), Some(time_zone), Some(jitter), Some(enabled)) => Some(Schedule {
                cron,
                time_zone,
                jitter_minutes: jitter.unsigned_abs(),
                enabled,
            }),
            _ => None,
        };
        watched.push(Watched {
            standing: Standing {
                prompt_id: row.prompt_id,
                prompt: row.prompt,
                environment: PRODUCTION.to_owned(),
                version: row.number,
                state: finding.state,
                reason: finding.sentence,
                checked_at: last.as_ref().map(|last| last.checked_at),
            },
            schedule,
            // Without a suite its moments pass, and nothing is begun.
            next_due: row.next_due.filter(|_| row.has_suite),
            running: row.running,
            last,
            charts,
        });
    }
    Ok(watched)
}

/// The last checks of these versions, newest first.
async fn of_versions(
    db: &mut PgConnection,
    versions: &[uuid::Uuid],
) -> Result<std::collections::HashMap<VersionId, Vec<Check>>> {
    let rows = sqlx::query_as!(
        CheckRow,
        r#"select found.check_id as "id: DriftCheckId", found.version_id as "version_id: VersionId",
                  version.number as version, found.finding as "finding: Json<Finding>",
                  run.suite_id as "suite?: SuiteId", drift_launch.run_id as "run?: RunId",
                  found.frozen_run_id as "frozen_run?: RunId", due_at as "due_at?", found.checked_at,
                  by as "by: Json<Who>"
           from unnest($1::uuid[]) as wanted (version_id)
           join version on version.version_id = wanted.version_id
           cross join lateral (
               select check_id, version_id, finding, frozen_run_id, checked_at
               from drift_check
               where drift_check.prompt_id = version.prompt_id and drift_check.version_id = version.version_id
               order by checked_at desc, check_id desc
               limit $2
           ) as found
           join drift_launch using (check_id)
           left join lateral (select suite_id from run where run.run_id = drift_launch.run_id) as run on true
           order by found.checked_at desc, found.check_id desc"#,
        versions,
        HISTORY,
    )
    .fetch_all(db)
    .await?;
    let mut checks = std::collections::HashMap::<_, Vec<Check>>::new();
    for row in rows {
        checks.entry(row.version_id).or_default().push(row.check());
    }
    Ok(checks)
}

/// The last checks of a prompt, of whichever version, newest first; with who asked.
async fn history(db: &mut PgConnection, prompt: PromptId) -> Result<Vec<(Check, Who)>> {
    let rows = sqlx::query_as!(
        CheckRow,
        r#"select drift_check.check_id as "id: DriftCheckId", drift_check.version_id as "version_id: VersionId",
                  version.number as version, finding as "finding: Json<Finding>", run.suite_id as "suite?: SuiteId",
                  drift_launch.run_id as "run?: RunId", frozen_run_id as "frozen_run?: RunId",
                  due_at as "due_at?", checked_at, drift_launch.by as "by: Json<Who>"
           from drift_check
           join drift_launch using (check_id)
           join version on version.version_id = drift_check.version_id
           left join run on run.run_id = drift_launch.run_id
           where drift_check.prompt_id = $1
           order by checked_at desc, drift_check.check_id desc
           limit $2"#,
        prompt.0,
        HISTORY,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let by = row.by.0.clone();
            (row.check(), by)
        })
        .collect())
}

struct CheckRow {
    id: DriftCheckId,
    version_id: VersionId,
    version: i32,
    finding: Json<Finding>,
    suite: Option<SuiteId>,
    run: Option<RunId>,
    frozen_run: Option<RunId>,
    due_at: Option<DateTime<Utc>>,
    checked_at: DateTime<Utc>,
    by: Json<Who>,
}

impl CheckRow {
    fn check(self) -> Check {
        Check {
            id: self.id,
            version: self.version,
            finding: self.finding.0,
            suite: self.suite,
            run: self.run,
            frozen_run: self.frozen_run,
            due_at: self.due_at,
            checked_at: self.checked_at,
        }
    }
}

/// What the variables are filled with, now against the days around the promotion.
async fn compare_inputs(
    db: &mut PgConnection,
    prompt: PromptId,
    windows: Windows,
) -> Result<Vec<InputDrift>> {
    let after = windows.after;
    let rows = sqlx::query!(
        r#"select variable, feature, bin,
                  coalesce(sum(n) filter (where day between $2 and $3), 0)::bigint as "before!",
                  coalesce(sum(n) filter (where day between $4 and $5), 0)::bigint as "after!"
           from input_day
           where prompt_id = $1 and (day between $2 and $3 or day between $4 and $5)
           group by variable, feature, bin
           order by variable, feature, bin"#,
        prompt.0,
        windows.before.0,
        windows.before.1,
        after.map(|(first, _)| first),
        after.map(|(_, last)| last),
    )
    .fetch_all(db)
    .await?;
    let mut features = std::collections::BTreeMap::<(String, Feature), (Counts, Counts)>::new();
    for row in rows {
        let Some(feature) = Feature::from_word(&row.feature) else {
            continue;
        };
        let (before, after) = features.entry((row.variable, feature)).or_default();
        for (counts, n) in [(before, row.before), (after, row.after)] {
            if n > 0 {
                counts.insert(row.bin.clone(), n.unsigned_abs());
            }
        }
    }
    Ok(features
        .into_iter()
        .map(|((variable, feature), (before, after))| {
            inputs::compare(&variable, feature, &before, &after)
        })
        .collect())
}
