//! Reading what came of a run, case by case.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission},
    id::{CaseId, RunId},
    page::{Listing, PageRequest},
    run::{AnsweredBy, CaseResult},
    scoring::Score,
    suite::Case,
};
use serde_json::Value;
use sqlx::types::Json;

use crate::{Error, Result, Store};

/// Which results to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Which {
    /// All that are there.
    #[default]
    All,
    /// Those that passed.
    Passed,
    /// Those that did not, errors included.
    Failed,
    /// Those without an output.
    Errors,
}

impl Which {
    /// The word in an address.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Errors => "errors",
        }
    }
}

/// A result with the case it answers.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The case as it was.
    pub case: Case,
    /// What came of it.
    pub result: CaseResult,
}

/// A page of results in the order of the suite; of all cases, or of one.
pub async fn list(
    store: &Store,
    by: &Actor,
    run: RunId,
    which: Which,
    case: Option<CaseId>,
    page: &PageRequest,
) -> Result<Listing<Answer>> {
    by.may(Permission::ReadEvals)?;
    let after = page
        .after()
        .map(|cursor| {
            let (position, repeat) = cursor.split_once('-')?;
            Some((position.parse::<i32>().ok()?, repeat.parse::<i32>().ok()?))
        })
        .map(|found| {
            found.ok_or_else(|| Error::invalid("cursor", "is not one that an earlier page gave"))
        })
        .transpose()?;
    let case = case.map(|case| vec![case.0]);
    let answers = select(
        store,
        by,
        run,
        which,
        case.as_deref(),
        after,
        Some(page.fetch()),
    )
    .await?;
    if answers.is_empty() && super::find(store, by, run).await?.is_none() {
        return Err(Error::NotFound("run"));
    }
    Ok(Listing::of(answers, page, |answer: &Answer| {
        format!("{}-{}", answer.result.position, answer.result.repeat)
    }))
}

/// The results of some cases, every repeat of them, in the order of the suite: what a page of
/// another list needs.
pub async fn of_cases(
    store: &Store,
    by: &Actor,
    run: RunId,
    cases: &[CaseId],
) -> Result<Vec<Answer>> {
    by.may(Permission::Read)?;
    let cases: Vec<_> = cases.iter().map(|case| case.0).collect();
    select(store, by, run, Which::All, Some(&cases), None, None).await
}

async fn select(
    store: &Store,
    by: &Actor,
    run: RunId,
    which: Which,
    cases: Option<&[uuid::Uuid]>,
    after: Option<(i32, i32)>,
    limit: Option<i64>,
) -> Result<Vec<Answer>> {
    let rows = sqlx::query!(
        r#"select case_id as "id: CaseId", repeat, run_result.position, output,
                  tool_calls as "tool_calls: Json<Vec<Value>>", finish_reason, run_result.passed as "passed!", score,
                  scores as "scores: Json<Vec<Score>>", error, latency_ms, ttft_ms, input_tokens, output_tokens,
                  cache_read_tokens, cache_write_tokens, run_result.cost_usd,
                  answered_by as "answered_by: Json<AnsweredBy>", body as "body: Json<Case>"
           from run_result
           join run using (run_id)
           join suite_case using (case_id)
           where project_id = $1 and run_id = $2 and run_result.finished_at is not null
             and since <= run.revision and (until is null or until > run.revision)
             and case $3 when 'passed' then run_result.passed when 'failed' then not run_result.passed
                         when 'errors' then error is not null else true end
             and ($4::uuid[] is null or case_id = any ($4))
             and ($5::integer is null or (run_result.position, repeat) > ($5, $6))
           order by run_result.position, repeat
           limit $7"#,
        by.project.0,
        run.0,
        which.word(),
        cases,
        after.map(|(position, _)| position),
        after.map(|(_, repeat)| repeat),
        limit,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Answer {
            case: row.body.0,
            result: CaseResult {
                case: row.id,
                repeat: row.repeat,
                position: row.position,
                output: row.output,
                tool_calls: row.tool_calls.map(|Json(calls)| calls),
                finish_reason: row.finish_reason,
                passed: row.passed,
                score: row.score,
                scores: row.scores.map(|Json(scores)| scores).unwrap_or_default(),
                error: row.error,
                latency_ms: row.latency_ms,
                ttft_ms: row.ttft_ms,
                input_tokens: row.input_tokens,
                output_tokens: row.output_tokens,
                cache_read_tokens: row.cache_read_tokens,
                cache_write_tokens: row.cache_write_tokens,
                cost_usd: row.cost_usd,
                answered_by: row.answered_by.map(|Json(answered)| answered),
            },
        })
        .collect())
}

/// What the answers of a run took together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// Tokens read.
    pub input_tokens: Option<i64>,
    /// Tokens written.
    pub output_tokens: Option<i64>,
    /// Tokens read that came from the provider's cache.
    pub cache_read_tokens: Option<i64>,
    /// The median time of a call, in milliseconds.
    pub median_latency_ms: Option<f64>,
    /// Results that arrived since the moment asked about.
    pub n_since: i64,
}

/// What the answers of a run took together, and how many arrived since a moment.
pub async fn totals(store: &Store, by: &Actor, run: RunId, since: DateTime<Utc>) -> Result<Totals> {
    by.may(Permission::Read)?;
    let totals = sqlx::query_as!(
        Totals,
        r#"select sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens,
                  sum(cache_read_tokens) as cache_read_tokens,
                  percentile_cont(0.5) within group (order by latency_ms) as median_latency_ms,
                  count(*) filter (where run_result.finished_at > $3) as "n_since!"
           from run_result
           join run using (run_id)
           where project_id = $1 and run_id = $2"#,
        by.project.0,
        run.0,
        since,
    )
    .fetch_one(&store.pool)
    .await?;
    Ok(totals)
}
