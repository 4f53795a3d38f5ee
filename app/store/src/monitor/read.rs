//! Reading roll-ups for pages: one query, added up in every way the page shows.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission},
    id::{EnvironmentId, ProjectId, PromptId},
    monitor::{Point, Summary, bucket::Piece, window::Span},
    prompt::{PRODUCTION, PromptName},
};
use uuid::Uuid;

use super::{
    add::kinds,
    sketch::Sketch,
    sums::{Sums, count, unreadable},
};
use crate::{Result, Store};

/// A row of the roll-ups.
pub(super) struct Row {
    prompt: Uuid,
    version: i32,
    bucket: DateTime<Utc>,
    pub sums: Sums,
}

/// One version's traffic.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionTraffic {
    /// Its number; none where callers named no version.
    pub version: Option<i32>,
    /// Everything.
    pub total: Summary,
    /// By time, without gaps.
    pub points: Vec<Point>,
}

/// A prompt's traffic in a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// Everything.
    pub total: Summary,
    /// By time, without gaps.
    pub points: Vec<Point>,
    /// The same by version, the newest first.
    pub versions: Vec<VersionTraffic>,
}

/// What a prompt did in a span, step by step: altogether and by version.
pub async fn observed(
    store: &Store,
    project: ProjectId,
    prompt: PromptId,
    environment: Option<EnvironmentId>,
    span: Span,
) -> Result<Observed> {
    let piece = Piece {
        resolution: span.resolution,
        from: span.from,
        to: span.to,
    };
    let mut total = Steps::default();
    let mut versions: BTreeMap<i32, Steps> = BTreeMap::new();
    for row in rows(store, project, prompt, environment, None, &[piece]).await? {
        let step = span.step_of(row.bucket);
        total.add(step, &row.sums);
        let version = versions.entry(row.version).or_default();
        version.add(step, &row.sums);
    }
    Ok(Observed {
        points: dense(span, total.steps),
        total: total.all.summary(),
        versions: versions
            .into_iter()
            .rev()
            .map(|(version, traffic)| VersionTraffic {
                version: (version > 0).then_some(version),
                total: traffic.all.summary(),
                points: dense(span, traffic.steps),
            })
            .collect(),
    })
}

/// What several prompts did in production in a span, step by step and altogether; prompts nobody
/// called are left out.
pub async fn traffic(
    store: &Store,
    by: &Actor,
    prompts: &[PromptName],
    span: Span,
) -> Result<HashMap<PromptName, (Summary, Vec<Point>)>> {
    by.may(Permission::Read)?;
    let names: Vec<String> = prompts.iter().map(ToString::to_string).collect();
    let known = sqlx::query!(
        r#"select prompt_id, name as "name: PromptName",
                  (select environment_id from environment
                   where environment.project_id = $1 and environment.name = $3) as production
           from prompt
           where project_id = $1 and name = any($2)"#,
        by.project.0,
        &names,
        PRODUCTION,
    )
    .fetch_all(&store.pool)
    .await?;
    let Some(production) = known.iter().find_map(|row| row.production) else {
        return Ok(HashMap::new());
    };
    let ids: Vec<Uuid> = known.iter().map(|row| row.prompt_id).collect();
    let piece = Piece {
        resolution: span.resolution,
        from: span.from,
        to: span.to,
    };
    let place = Some(EnvironmentId(production));
    let mut found: HashMap<Uuid, Steps> = HashMap::new();
    for row in rows_of(store, by.project, &ids, place, None, &[piece]).await? {
        let steps = found.entry(row.prompt).or_default();
        steps.add(span.step_of(row.bucket), &row.sums);
    }
    Ok(known
        .into_iter()
        .filter_map(|row| {
            let traffic = found.remove(&row.prompt_id)?;
            let points = dense(span, traffic.steps);
            Some((row.name, (traffic.all.summary(), points)))
        })
        .collect())
}

/// A point for each step, also where nothing happened.
fn dense(span: Span, mut sums: BTreeMap<DateTime<Utc>, Sums>) -> Vec<Point> {
    span.steps()
        .map(|at| Point {
            at,
            summary: sums.remove(&at).unwrap_or_default().summary(),
        })
        .collect()
}

/// Sums by time and altogether.
#[derive(Default)]
struct Steps {
    all: Sums,
    steps: BTreeMap<DateTime<Utc>, Sums>,
}

impl Steps {
    fn add(&mut self, at: DateTime<Utc>, sums: &Sums) {
        self.all.merge(sums);
        self.steps.entry(at).or_default().merge(sums);
    }
}

/// The rows of a prompt in these pieces of time.
pub(super) async fn rows(
    store: &Store,
    project: ProjectId,
    prompt: PromptId,
    environment: Option<EnvironmentId>,
    version: Option<i32>,
    pieces: &[Piece],
) -> Result<Vec<Row>> {
    rows_of(store, project, &[prompt.0], environment, version, pieces).await
}

async fn rows_of(
    store: &Store,
    project: ProjectId,
    prompts: &[Uuid],
    environment: Option<EnvironmentId>,
    version: Option<i32>,
    pieces: &[Piece],
) -> Result<Vec<Row>> {
    let resolutions: Vec<String> = pieces
        .iter()
        .map(|piece| piece.resolution.word().to_owned())
        .collect();
    let froms: Vec<DateTime<Utc>> = pieces.iter().map(|piece| piece.from).collect();
    let tos: Vec<DateTime<Utc>> = pieces.iter().map(|piece| piece.to).collect();
    let rows = sqlx::query!(
        "select prompt_id, version, bucket, requests, errors, errors_by_kind, latency_sketch, ttft_sketch,
                input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_usd, n_priced,
                feedback_n, feedback_sum
         from unnest($1::uuid[]) as asked (asked_prompt_id)
         cross join unnest($2::text[], $3::timestamptz[], $4::timestamptz[]) as piece (piece_resolution, since, until)
         join monitor_bucket on prompt_id = asked_prompt_id and resolution = piece_resolution
             and bucket >= since and bucket < until
         where project_id = $5
             and ($6::uuid is null or environment_id = $6)
             and ($7::integer is null or version = $7)",
        prompts,
        &resolutions,
        &froms,
        &tos,
        project.0,
        environment.map(|environment| environment.0),
        version,
    )
    .fetch_all(&store.pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let sums = Sums {
                requests: count(row.requests),
                errors: count(row.errors),
                errors_by_kind: kinds(row.errors_by_kind)?,
                latency: Sketch::from_bytes(&row.latency_sketch).map_err(unreadable)?,
                ttft: Sketch::from_bytes(&row.ttft_sketch).map_err(unreadable)?,
                input_tokens: count(row.input_tokens),
                output_tokens: count(row.output_tokens),
                cache_read_tokens: count(row.cache_read_tokens),
                cache_write_tokens: count(row.cache_write_tokens),
                cost_usd: row.cost_usd,
                n_priced: count(row.n_priced),
                feedback_n: count(row.feedback_n),
                feedback_sum: row.feedback_sum,
            };
            Ok(Row {
                prompt: row.prompt_id,
                version: row.version,
                bucket: row.bucket,
                sums,
            })
        })
        .collect()
}
