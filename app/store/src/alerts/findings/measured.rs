//! What applications reported of what serves. Errors and latency are of the version that serves,
//! since its deployment: neither what served before nor another arm of an experiment is its
//! business, and a rule may take it back. Cost is of everything in the window, whoever caused it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    alert::{Kind, Reading, Unit},
    id::{EnvironmentId, ProjectId, PromptId},
    monitor::bucket::{Piece, Resolution, cover},
    prompt::PromptName,
};
use uuid::Uuid;

use super::{Finding, Question};
use crate::{
    Result, Store,
    monitor::{sketch::Sketch, sums::unreadable},
};

/// What serves somewhere.
struct Place {
    project: ProjectId,
    prompt_id: PromptId,
    prompt: PromptName,
    environment_id: EnvironmentId,
    environment: String,
    version: i32,
    deployed_at: DateTime<Utc>,
    /// Versions are compared there, or were in the window.
    has_experiment: bool,
}

/// What was reported of it.
struct Traffic {
    requests: i64,
    errors: i64,
    cost_usd: f64,
    sketches: Vec<Vec<u8>>,
}

pub(super) async fn measured(
    store: &Store,
    question: Question,
    projects: &[Uuid],
    now: DateTime<Utc>,
) -> Result<Vec<Finding>> {
    // Minutes are the finest there is: the one in which the window begins is read whole.
    let span = TimeDelta::minutes(question.window_minutes.into());
    let from = Resolution::Minute.start_of(now - span);
    let places = places(store, projects, from).await?;
    let mut traffic = traffic(store, question.kind, &places, from, now).await?;
    let mut findings = Vec::new();
    for (index, place) in places.into_iter().enumerate() {
        let Some(traffic) = traffic.remove(&index).filter(|found| found.requests > 0) else {
            continue;
        };
        let (reading, sentence) = if traffic.requests < i64::from(question.min_requests) {
            (Reading::Unknown, String::new())
        } else {
            traffic.reading(question, now - from)?
        };
        findings.push(Finding {
            project: place.project,
            subject: format!("{} {}", place.prompt_id, place.environment_id),
            prompt: Some(place.prompt_id),
            environment: Some(place.environment_id),
            title: format!("{} in {}", place.prompt, place.environment),
            reading,
            sentence,
            href: format!("/prompts/{}?tab=monitor", place.prompt),
        });
    }
    Ok(findings)
}

async fn places(store: &Store, projects: &[Uuid], from: DateTime<Utc>) -> Result<Vec<Place>> {
    let places = sqlx::query_as!(
        Place,
        r#"select prompt.project_id as "project: ProjectId", serving.prompt_id as "prompt_id: PromptId",
                  prompt.name as "prompt: PromptName", serving.environment_id as "environment_id: EnvironmentId",
                  environment.name as environment, version.number as version, deployed_at,
                  exists (select from experiment
                          where experiment.prompt_id = serving.prompt_id
                            and experiment.environment_id = serving.environment_id
                            and started_at is not null and (stopped_at is null or stopped_at > $2))
                      as "has_experiment!"
           from serving
           join deployment using (deployment_id)
           join prompt on prompt.prompt_id = serving.prompt_id
           join environment on environment.environment_id = serving.environment_id
           join version on version.version_id = serving.version_id
           where prompt.project_id = any($1)"#,
        projects,
        from,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(places)
}

/// What was reported of each of them, by its number in the list.
async fn traffic(
    store: &Store,
    kind: Kind,
    places: &[Place],
    from: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<BTreeMap<usize, Traffic>> {
    let is_all = kind == Kind::CostPerDay;
    let mut asked: Vec<(i64, &Place, Piece)> = Vec::new();
    for (index, place) in (0_i64..).zip(places) {
        // The minute of the deployment belongs to both: calls that name no version cannot be told apart.
        let minute = Resolution::Minute.length() - TimeDelta::microseconds(1);
        let since = Resolution::Minute.start_of(place.deployed_at + minute);
        let from = if is_all { from } else { from.max(since) };
        asked.extend(
            cover(from, now)
                .into_iter()
                .map(|piece| (index, place, piece)),
        );
    }
    let indexes: Vec<i64> = asked.iter().map(|(index, ..)| *index).collect();
    let prompts: Vec<Uuid> = asked
        .iter()
        .map(|(_, place, _)| place.prompt_id.0)
        .collect();
    let environments: Vec<Uuid> = asked
        .iter()
        .map(|(_, place, _)| place.environment_id.0)
        .collect();
    let versions: Vec<i32> = asked.iter().map(|(_, place, _)| place.version).collect();
    // Who named no version got what serves, unless it was an experiment that chose.
    let namelesses: Vec<i32> = asked
        .iter()
        .map(|(_, place, _)| {
            if place.has_experiment {
                place.version
            } else {
                0
            }
        })
        .collect();
    let resolutions: Vec<String> = asked
        .iter()
        .map(|(_, _, piece)| piece.resolution.word().to_owned())
        .collect();
    let froms: Vec<DateTime<Utc>> = asked.iter().map(|(_, _, piece)| piece.from).collect();
    let tos: Vec<DateTime<Utc>> = asked.iter().map(|(_, _, piece)| piece.to).collect();
    let rows = sqlx::query!(
        r#"select index as "index!", sum(requests)::bigint as "requests!", sum(errors)::bigint as "errors!",
                  sum(cost_usd) as "cost_usd!",
                  coalesce(array_agg(latency_sketch) filter (where $10 and latency_sketch <> ''), '{}')
                      as "sketches!: Vec<Vec<u8>>"
           from unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::integer[], $5::integer[], $6::text[],
                       $7::timestamptz[], $8::timestamptz[])
                as asked (index, prompt, environment, serves, nameless, piece, since, until)
           join monitor_bucket on prompt_id = prompt and resolution = piece and bucket >= since and bucket < until
               and environment_id = environment and ($9 or version = serves or version = nameless)
           group by index"#,
        &indexes,
        &prompts,
        &environments,
        &versions,
        &namelesses,
        &resolutions,
        &froms,
        &tos,
        is_all,
        kind == Kind::LatencyP95,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let traffic = Traffic {
                requests: row.requests,
                errors: row.errors,
                cost_usd: row.cost_usd,
                sketches: row.sketches,
            };
            Some((usize::try_from(row.index).ok()?, traffic))
        })
        .collect())
}

impl Traffic {
    /// What it says of a window, and the sentence about it; `read` is how much time was read.
    fn reading(&self, question: Question, read: TimeDelta) -> Result<(Reading, String)> {
        let all = window(question.window_minutes);
        Ok(match question.kind {
            Kind::LatencyP95 => {
                let mut latency = Sketch::default();
                for bytes in &self.sketches {
                    latency.merge(&Sketch::from_bytes(bytes).map_err(unreadable)?);
                }
                let Some(percentiles) = latency.percentiles() else {
                    return Ok((Reading::Unknown, String::new()));
                };
                let words = Unit::Milliseconds.words(percentiles.p95);
                let n = self.requests;
                (
                    Reading::At(percentiles.p95),
                    format!("95 of 100 calls take up to {words}; {n} calls in {all}."),
                )
            }
            Kind::CostPerDay => {
                let a_day = self.cost_usd * 86_400.0 / read.as_seconds_f64();
                let (day, sum) = (Unit::Usd.words(a_day), Unit::Usd.words(self.cost_usd));
                let sentence = format!("Its calls cost {day} a day; {sum} in {all}.");
                (Reading::At(a_day), sentence)
            }
            _ => {
                #[expect(clippy::cast_precision_loss, reason = "counts of calls in a window")]
                let share = self.errors as f64 / self.requests as f64;
                let (errors, requests) = (self.errors, self.requests);
                let words = Unit::Share.words(share);
                (
                    Reading::At(share),
                    format!("{errors} of {requests} calls failed, {words}, in {all}."),
                )
            }
        })
    }
}

fn window(minutes: i32) -> String {
    match minutes {
        1_440 => "a day".to_owned(),
        minutes if minutes % 60 == 0 => format!("{} h", minutes / 60),
        minutes => format!("{minutes} min"),
    }
}
