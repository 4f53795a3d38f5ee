//! What a check is judged by, read from runs that never change: so the run at promotion, once it is
//! known which one that is, is frozen without a copy of it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::{
    content::ContentHash,
    drift::{RunFacts, Seen},
    gate::majority,
    id::{CaseId, PromptId, RunId, SuiteId, VersionId},
    prompt::{PRODUCTION, PromptName},
    run::RunOptions,
};
use sqlx::{PgConnection, types::Json};

use crate::{Error, Result};

/// The version of a prompt that serves production.
pub(super) struct Active {
    pub prompt: PromptId,
    pub name: PromptName,
    pub version: VersionId,
    pub number: i32,
    pub content_hash: ContentHash,
    /// When it was first released to production: a rollback to it later changes nothing.
    pub promoted_at: DateTime<Utc>,
}

pub(super) async fn active(db: &mut PgConnection, prompt: PromptId) -> Result<Option<Active>> {
    let active = sqlx::query_as!(
        Active,
        r#"select prompt.prompt_id as "prompt: PromptId", prompt.name as "name: PromptName",
                  version.version_id as "version: VersionId", number,
                  content_hash as "content_hash: ContentHash", min(deployed_at) as "promoted_at!"
           from version
           join prompt using (prompt_id)
           join environment on environment.project_id = prompt.project_id and environment.name = $2
           join deployment on deployment.version_id = version.version_id
             and deployment.environment_id = environment.environment_id
           where version.prompt_id = $1 and version.status = 'active'
           group by prompt.prompt_id, version.version_id"#,
        prompt.0,
        PRODUCTION,
    )
    .fetch_optional(db)
    .await?;
    Ok(active)
}

/// The suite that checks run: production's gate, else what the version was last run on before it
/// was promoted, else the prompt's largest.
pub(super) async fn suite(
    db: &mut PgConnection,
    active: &Active,
) -> Result<Option<(SuiteId, String)>> {
    let suite = sqlx::query!(
        r#"select suite_id as "id: SuiteId", name
           from suite
           where prompt_id = $1
           order by exists (
                        select from gate_policy
                        join environment using (environment_id)
                        where gate_policy.suite_id = suite.suite_id and gate_policy.prompt_id = $1
                          and environment.name = $4
                    ) desc,
                    (select max(finished_at) from run
                     where run.suite_id = suite.suite_id and run.prompt_id = $1 and content_hash = $2
                       and status = 'completed' and finished_at <= $3) desc nulls last,
                    n_cases desc, suite_id
           limit 1"#,
        active.prompt.0,
        active.content_hash.as_str(),
        active.promoted_at,
        PRODUCTION,
    )
    .fetch_optional(db)
    .await?;
    Ok(suite.map(|suite| (suite.id, suite.name)))
}

/// The run at promotion where none is kept: the last complete one of this content from before it, of
/// the whole suite if there is one. Without any, the first one after it stands in.
pub(super) async fn derived(
    db: &mut PgConnection,
    active: &Active,
    suite: SuiteId,
) -> Result<Option<RunId>> {
    let run = sqlx::query_scalar!(
        r#"select run_id as "id: RunId"
           from run
           where prompt_id = $1 and content_hash = $2 and suite_id = $3 and status = 'completed'
           order by finished_at <= $4 desc,
                    -- What a check itself launched never counts as evidence from before.
                    finished_at <= $4 and exists (select from drift_launch where drift_launch.run_id = run.run_id),
                    coalesce(jsonb_array_length(options -> 'tags'), 0) = 0 and options -> 'limit' is null desc,
                    case when finished_at <= $4 then -extract(epoch from finished_at)
                         else extract(epoch from finished_at) end,
                    run_id
           limit 1"#,
        active.prompt.0,
        active.content_hash.as_str(),
        suite.0,
        active.promoted_at,
    )
    .fetch_optional(db)
    .await?;
    Ok(run)
}

/// How a run was asked for.
pub(super) async fn options(db: &mut PgConnection, run: RunId) -> Result<RunOptions> {
    let options = sqlx::query_scalar!(
        r#"select options as "options: Json<RunOptions>" from run where run_id = $1"#,
        run.0,
    )
    .fetch_one(db)
    .await?;
    Ok(options.0)
}

/// Whether a strict gate let a run pass because it came out no worse than another one.
pub(super) async fn is_lucky(db: &mut PgConnection, run: RunId) -> Result<bool> {
    let is_lucky = sqlx::query_scalar!(
        r#"select exists (
               select from gate
               where run_id = $1 and baseline_run_id is not null
                 and policy ->> 'mode' = 'strict' and verdict ->> 'verdict' = 'pass'
           ) as "is_lucky!""#,
        run.0,
    )
    .fetch_one(db)
    .await?;
    Ok(is_lucky)
}

/// What is known of a run as a whole.
pub(super) async fn of_run(db: &mut PgConnection, run: RunId) -> Result<RunFacts> {
    let row = sqlx::query!(
        r#"select revision, content_hash as "prompt: ContentHash", finished_at,
                  encode(sha256(convert_to(suite_revision.scorers::text || ' ' || coalesce(threshold::text, ''), 'UTF8')), 'hex')
                      as "scorers!",
                  (select count(distinct case_id) from run_result where run_result.run_id = run.run_id) as "n_cases!"
           from run
           join suite_revision using (suite_id, revision)
           where run_id = $1"#,
        run.0,
    )
    .fetch_optional(&mut *db)
    .await?
    .ok_or(Error::NotFound("run"))?;
    let models = sqlx::query_scalar!(
        r#"select distinct (answered_by ->> 'model') || coalesce(' (' || (answered_by ->> 'fingerprint') || ')', '')
                      as "model!"
           from run_result
           where run_id = $1 and answered_by is not null"#,
        run.0,
    )
    .fetch_all(&mut *db)
    .await?;
    let judges = sqlx::query_scalar!(
        r#"select distinct (given.score -> 'judge' ->> 'model') || ', asked as '
                      || left(given.score -> 'judge' ->> 'prompt_hash', 12) as "judge!"
           from run_result
           cross join jsonb_array_elements(scores) as given (score)
           where run_id = $1 and jsonb_typeof(scores) = 'array' and given.score -> 'judge' is not null"#,
        run.0,
    )
    .fetch_all(&mut *db)
    .await?;
    Ok(RunFacts {
        run,
        revision: row.revision,
        prompt: row.prompt,
        scorers: row.scorers,
        models: models.into_iter().collect(),
        judges: judges.into_iter().collect(),
        n_cases: row.n_cases.unsigned_abs(),
        finished_at: row.finished_at,
    })
}

/// The cases that both runs had in the same words, and what each made of them.
pub(super) async fn common(
    db: &mut PgConnection,
    frozen: RunId,
    run: RunId,
) -> Result<Vec<(Seen, Seen)>> {
    let before = seen(&mut *db, frozen).await?;
    let after = seen(db, run).await?;
    Ok(after
        .into_iter()
        .filter_map(|(case, now)| Some((*before.get(&case)?, now)))
        .collect())
}

/// By case and the revision since when it reads as it does.
async fn seen(db: &mut PgConnection, run: RunId) -> Result<HashMap<(CaseId, i32), Seen>> {
    let rows = sqlx::query!(
        r#"select case_id as "id: CaseId", since,
                  array_agg(coalesce(run_result.passed, false)) as "passes!",
                  bool_or(run_result.error is not null) as "has_error!"
           from run_result
           join run using (run_id)
           join suite_case using (case_id)
           where run_id = $1 and since <= run.revision and (until is null or until > run.revision)
           group by case_id, since"#,
        run.0,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let seen = if row.has_error {
                Seen::Error
            } else if majority(&row.passes).0 {
                Seen::Passed
            } else {
                Seen::Failed
            };
            ((row.id, row.since), seen)
        })
        .collect())
}
