//! What workers do with runs: claim calls under a lease, hand in results, give back. A lease is
//! a row's, not a transaction's: a worker that dies loses nothing but the calls it had out.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    content::Content,
    id::{CaseId, ProjectId, PromptId, RunId, SuiteId},
    run::{CaseResult, RunOptions, RunStatus},
    suite::{Case, Scorer},
};
use serde_json::json;
use sqlx::types::Json;
use uuid::Uuid;

use super::RUN_CHANNEL;
use crate::{Result, Store};

/// Runs with calls to make, the oldest first.
pub async fn to_do(store: &Store) -> Result<Vec<RunId>> {
    let runs = sqlx::query_scalar!(
        r#"select run_id as "id: RunId" from run
           where status in ('queued', 'running')
           order by created_at
           limit 200"#
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(runs)
}

/// What a worker needs to know of a run; it does not change while the run lasts.
#[derive(Clone, Debug)]
pub struct Job {
    /// The run.
    pub id: RunId,
    /// Whose.
    pub project: ProjectId,
    /// Of which prompt.
    pub prompt: PromptId,
    /// What is run.
    pub content: Content,
    /// On which suite.
    pub suite: SuiteId,
    /// The scorers that apply to every case.
    pub scorers: Vec<Scorer>,
    /// From which score a case passes.
    pub threshold: Option<f64>,
    /// How.
    pub options: RunOptions,
    /// How far it was when it was loaded.
    pub status: RunStatus,
    /// What it cost so far.
    pub cost_usd: Option<f64>,
}

/// Loads a run's job.
pub async fn job(store: &Store, id: RunId) -> Result<Option<Job>> {
    let row = sqlx::query!(
        r#"select project_id as "project: ProjectId", prompt_id as "prompt: PromptId",
                  content as "content: Json<Content>", suite_id as "suite: SuiteId",
                  scorers as "scorers: Json<Vec<Scorer>>", threshold, options as "options: Json<RunOptions>",
                  status as "status: RunStatus", cost_usd
           from run
           join suite_revision using (suite_id, revision)
           where run_id = $1"#,
        id.0,
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(row.map(|row| Job {
        id,
        project: row.project,
        prompt: row.prompt,
        content: row.content.0,
        suite: row.suite,
        scorers: row.scorers.0,
        threshold: row.threshold,
        options: row.options.0,
        status: row.status,
        cost_usd: row.cost_usd,
    }))
}

/// A call that this worker is to make.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The case's id.
    pub id: CaseId,
    /// Which of the repeats.
    pub repeat: i32,
    /// Where the case stands in the suite.
    pub position: i32,
    /// The case as it was at the run's revision.
    pub case: Case,
}

/// Claims up to `limit` open calls of a run for as long as the lease lasts. Calls that others
/// hold are passed over, those whose holder has gone are taken.
pub async fn claim(
    store: &Store,
    run: RunId,
    lease: Uuid,
    limit: i64,
    lasts: Duration,
    now: DateTime<Utc>,
) -> Result<Vec<Claimed>> {
    let until = now + TimeDelta::from_std(lasts).unwrap_or(TimeDelta::seconds(15));
    let rows = sqlx::query!(
        r#"with picked as (
               select case_id, repeat
               from run_result
               join run using (run_id)
               where run_id = $1 and run_result.finished_at is null and run.status in ('queued', 'running')
                 and (lease_until is null or lease_until <= $4)
               order by repeat, position
               limit $3
               for update of run_result skip locked
           ), taken as (
               update run_result
               set lease = $2, lease_until = $5
               from picked
               where run_result.run_id = $1 and run_result.case_id = picked.case_id
                 and run_result.repeat = picked.repeat
               returning run_result.case_id, run_result.repeat, run_result.position
           )
           select taken.case_id as "id: CaseId", taken.repeat, taken.position, body as "case: Json<Case>"
           from taken
           join run on run.run_id = $1
           join suite_case on suite_case.case_id = taken.case_id
             and since <= run.revision and (until is null or until > run.revision)
           order by taken.repeat, taken.position"#,
        run.0,
        lease,
        limit,
        now,
        until,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Claimed {
            id: row.id,
            repeat: row.repeat,
            position: row.position,
            case: row.case.0,
        })
        .collect())
}

/// Goes on holding everything this worker holds.
pub async fn renew(store: &Store, lease: Uuid, lasts: Duration, now: DateTime<Utc>) -> Result<()> {
    let until = now + TimeDelta::from_std(lasts).unwrap_or(TimeDelta::seconds(15));
    sqlx::query!(
        "update run_result set lease_until = $2 where lease = $1 and finished_at is null",
        lease,
        until,
    )
    .execute(&store.pool)
    .await?;
    Ok(())
}

/// Gives back what this worker holds of a run and has not finished, or of all runs.
pub async fn give_back(store: &Store, lease: Uuid, run: Option<RunId>) -> Result<()> {
    sqlx::query!(
        "update run_result set lease = null, lease_until = null
         where lease = $1 and finished_at is null and ($2::uuid is null or run_id = $2)",
        lease,
        run.map(|run| run.0),
    )
    .execute(&store.pool)
    .await?;
    Ok(())
}

/// Where a run stands after results were handed in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// How far it is.
    pub status: RunStatus,
    /// Calls with a result.
    pub done: i32,
    /// Calls to make.
    pub total: i32,
    /// What it cost so far.
    pub cost_usd: Option<f64>,
    /// Results that counted: one that somebody else had handed in already does not.
    pub n_kept: i64,
}

/// Hands in results of a run that this worker holds, in one transaction. The last one completes the run.
pub async fn finish(
    store: &Store,
    run: RunId,
    lease: Uuid,
    results: &[CaseResult],
    now: DateTime<Utc>,
) -> Result<Progress> {
    let mut tx = store.pool.begin().await?;
    let kept = sqlx::query!(
        r#"with given as (
               select * from jsonb_to_recordset($3) as given (
                   "case" uuid, repeat integer, output text, tool_calls jsonb, finish_reason text, passed boolean,
                   score double precision, scores jsonb, error text, latency_ms double precision,
                   ttft_ms double precision, input_tokens integer, output_tokens integer,
                   cache_read_tokens integer, cache_write_tokens integer, cost_usd double precision,
                   answered_by jsonb)
           ), kept as (
               update run_result
               set lease = null, lease_until = null, finished_at = $4, output = given.output,
                   tool_calls = given.tool_calls, finish_reason = given.finish_reason, passed = given.passed,
                   score = given.score, scores = given.scores, error = given.error,
                   latency_ms = given.latency_ms, ttft_ms = given.ttft_ms, input_tokens = given.input_tokens,
                   output_tokens = given.output_tokens, cache_read_tokens = given.cache_read_tokens,
                   cache_write_tokens = given.cache_write_tokens, cost_usd = given.cost_usd,
                   answered_by = given.answered_by
               from given
               where run_id = $1 and case_id = given."case" and run_result.repeat = given.repeat
                 and lease = $2 and finished_at is null
               returning run_result.passed, run_result.error, run_result.cost_usd
           )
           select count(*) as "n!", count(*) filter (where passed) as "passed!",
                  count(*) filter (where error is not null) as "errors!", sum(cost_usd) as cost
           from kept"#,
        run.0,
        lease,
        json!(results),
        now,
    )
    .fetch_one(&mut *tx)
    .await?;
    let row = sqlx::query!(
        r#"update run
           set done = done + $2, passed = passed + $3, errors = errors + $4, failed = failed + $5,
               cost_usd = case when $6::double precision is null then cost_usd else coalesce(cost_usd, 0) + $6 end,
               started_at = coalesce(started_at, $7),
               status = case when status not in ('queued', 'running') then status
                             when done + $2 >= total then 'completed' else 'running' end,
               finished_at = case when status in ('queued', 'running') and done + $2 >= total then $7
                                  else finished_at end
           where run_id = $1
           returning project_id, status as "status: RunStatus", done, total, cost_usd"#,
        run.0,
        count(kept.n),
        count(kept.passed),
        count(kept.errors),
        count(kept.n - kept.passed - kept.errors),
        kept.cost,
        now,
    )
    .fetch_one(&mut *tx)
    .await?;
    sqlx::query!(
        "select pg_notify($1, $2)",
        RUN_CHANNEL,
        format!("{} {run}", row.project_id)
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Progress {
        status: row.status,
        done: row.done,
        total: row.total,
        cost_usd: row.cost_usd,
        n_kept: kept.n,
    })
}

fn count(n: i64) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// Ends a run that cannot go on, and says why. Results that are there stay.
pub async fn fail(store: &Store, run: RunId, why: &str, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        r#"with failed as (
               update run set status = 'failed', failure = $2, finished_at = $3
               where run_id = $1 and status in ('queued', 'running')
               returning project_id
           )
           select pg_notify($4, project_id || ' ' || $1::text) from failed"#,
        run.0,
        why,
        now,
        RUN_CHANNEL,
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(())
}
