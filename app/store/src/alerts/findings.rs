//! What is read of the world for the rules: one statement for each kind, for all projects at once;
//! what applications reported is in `measured`. A subject that is not found any more is gone, and
//! its alert over.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    alert::{Kind, Reading, Unit},
    drift::State,
    gate::{GateVerdict, Verdict},
    id::{EnvironmentId, ExperimentId, ProjectId, PromotionId, PromptId, RunId},
    prompt::{PRODUCTION, PromptName},
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{Result, Store, consumers::SILENT_SECONDS};

mod measured;

use measured::measured;

/// A failed gate that nobody took up for so long is history.
const GATE_DAYS: i64 = 7;
/// An experiment that stopped by itself is said to have for so long.
const STOPPED_HOURS: i64 = 24;

/// Something that may be too much.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Where.
    pub project: ProjectId,
    /// What it is about; the same for as long as it is the same.
    pub subject: String,
    /// The prompt.
    pub prompt: Option<PromptId>,
    /// The environment.
    pub environment: Option<EnvironmentId>,
    /// In a few words.
    pub title: String,
    /// What was read.
    pub reading: Reading,
    /// What is the matter, in a sentence.
    pub sentence: String,
    /// The page where something can be done about it, within the project.
    pub href: String,
}

/// What is read for rules of one kind that measure alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Question {
    pub kind: Kind,
    pub window_minutes: i32,
    pub min_requests: i32,
}

/// Asks for all projects with such a rule.
pub(super) async fn ask(
    store: &Store,
    question: Question,
    projects: &[Uuid],
    now: DateTime<Utc>,
) -> Result<Vec<Finding>> {
    if projects.is_empty() {
        return Ok(Vec::new());
    }
    match question.kind {
        Kind::Drifted => drifted(store, projects).await,
        Kind::GateFailed => gates(store, projects, now).await,
        Kind::Guardrail => experiments(store, "guardrail_broken", now).await,
        Kind::Srm => experiments(store, "trust_problem", now).await,
        Kind::PropagationStuck => propagation(store, now).await,
        Kind::ApprovalWaiting => approvals(store, now).await,
        Kind::ErrorRate | Kind::LatencyP95 | Kind::CostPerDay => {
            measured(store, question, projects, now).await
        }
    }
}

/// Why an alert is over whose subject is gone.
pub(super) fn gone(kind: Kind) -> &'static str {
    match kind {
        Kind::Drifted => "Another version serves.",
        Kind::GateFailed => "Nothing was gated since for a week.",
        Kind::Guardrail | Kind::Srm => "The experiment is over.",
        Kind::PropagationStuck => "Another version serves, or every client has confirmed.",
        Kind::ApprovalWaiting => "It does not wait any more.",
        Kind::ErrorRate | Kind::LatencyP95 | Kind::CostPerDay => "No calls are reported any more.",
    }
}

/// The newest gate of each prompt, if it is of this week. One that could not tell ends nothing.
async fn gates(store: &Store, projects: &[Uuid], now: DateTime<Utc>) -> Result<Vec<Finding>> {
    let rows = sqlx::query!(
        r#"select distinct on (run.prompt_id)
                  run.project_id as "project: ProjectId", run.prompt_id as "prompt_id: PromptId",
                  prompt.name as "prompt: PromptName", run.run_id as "run: RunId", version.number as "number?",
                  verdict as "verdict!: Json<GateVerdict>"
           from gate
           join run using (run_id)
           join prompt on prompt.prompt_id = run.prompt_id
           left join version on version.version_id = run.version_id
           where verdict is not null and decided_at > $1 and run.project_id = any($2)
           order by run.prompt_id, decided_at desc"#,
        now - TimeDelta::days(GATE_DAYS),
        projects,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let verdict = row.verdict.0;
            let what = match row.number {
                Some(number) => format!("{} v{number}", row.prompt),
                None => format!("{}, content that is not saved", row.prompt),
            };
            let reason = verdict
                .reasons
                .first()
                .map_or("no reason is given", String::as_str);
            Finding {
                project: row.project,
                subject: row.prompt.to_string(),
                prompt: Some(row.prompt_id),
                environment: None,
                sentence: match verdict.verdict {
                    Verdict::Fail => format!("The gate of {what} failed: {reason}."),
                    Verdict::Pass => format!("The gate of {what} passed."),
                    Verdict::Inconclusive => format!("The gate of {what} could not tell."),
                },
                reading: match verdict.verdict {
                    Verdict::Fail => Reading::At(1.0),
                    Verdict::Pass => Reading::At(0.0),
                    Verdict::Inconclusive => Reading::Unknown,
                },
                title: what,
                href: format!("/runs/{}", row.run),
            }
        })
        .collect())
}

/// The alarms that experiments raised. One that stopped for it counts for a day.
async fn experiments(store: &Store, alarm: &str, now: DateTime<Utc>) -> Result<Vec<Finding>> {
    let rows = sqlx::query!(
        r#"select experiment.project_id as "project: ProjectId", experiment_id as "id: ExperimentId",
                  experiment.name, experiment.prompt_id as "prompt_id: PromptId", prompt.name as "prompt: PromptName",
                  experiment.environment_id as "environment_id: EnvironmentId", environment.name as environment,
                  (select what ->> 'sentence' from experiment_event
                   where experiment_event.experiment_id = experiment.experiment_id and what ->> 'what' = 'alarm'
                   order by sequence desc
                   limit 1) as sentence
           from experiment
           join prompt using (prompt_id)
           join environment using (environment_id)
           where alarm = $1 and (status = 'running' or (status = 'stopped' and stopped_at > $2))"#,
        alarm,
        now - TimeDelta::hours(STOPPED_HOURS),
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Finding {
            project: row.project,
            subject: row.id.to_string(),
            prompt: Some(row.prompt_id),
            environment: Some(row.environment_id),
            title: format!("{}: {} in {}", row.name, row.prompt, row.environment),
            reading: Reading::At(1.0),
            sentence: row
                .sentence
                .unwrap_or_else(|| "The experiment raised an alarm.".to_owned()),
            href: format!("/experiments/{}", row.id),
        })
        .collect())
}

/// What serves, where a client that was told of it and is still there has not confirmed.
async fn propagation(store: &Store, now: DateTime<Utc>) -> Result<Vec<Finding>> {
    let rows = sqlx::query!(
        r#"select prompt.project_id as "project: ProjectId", serving.prompt_id as "prompt_id: PromptId",
                  prompt.name as "prompt: PromptName", serving.environment_id as "environment_id: EnvironmentId",
                  environment.name as environment, version.number, serving.deployment_id, deployed_at,
                  count(*) as "n_missing!", min(confirmation.consumer) as "consumer!"
           from serving
           join deployment using (deployment_id)
           join confirmation using (deployment_id)
           join consumer on consumer.environment_id = serving.environment_id
               and consumer.consumer = confirmation.consumer
           join prompt on prompt.prompt_id = serving.prompt_id
           join environment on environment.environment_id = serving.environment_id
           join version on version.version_id = serving.version_id
           where confirmed_at is null and left_at is null and seen_at > $1
             -- Whoever connected later got it with the first snapshot, and owes no confirmation.
             and connected_at < deployed_at
           group by prompt.project_id, serving.prompt_id, prompt.name, serving.environment_id, environment.name,
                    version.number, serving.deployment_id, deployed_at"#,
        now - TimeDelta::seconds(SILENT_SECONDS),
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let seconds = whole(now - row.deployed_at, 1);
            let who = match row.n_missing {
                1 => format!("{} has", row.consumer),
                n => format!("{} and {} more clients have", row.consumer, n - 1),
            };
            Finding {
                project: row.project,
                subject: row.deployment_id.to_string(),
                prompt: Some(row.prompt_id),
                environment: Some(row.environment_id),
                title: format!("{} v{} in {}", row.prompt, row.number, row.environment),
                reading: Reading::At(seconds),
                // Without the seconds, which would be others every time it is looked.
                sentence: format!("{who} not confirmed what serves since it was deployed."),
                href: format!("/deployments/{}", row.deployment_id),
            }
        })
        .collect())
}

/// Promotions that people have to decide.
async fn approvals(store: &Store, now: DateTime<Utc>) -> Result<Vec<Finding>> {
    let rows = sqlx::query!(
        r#"select prompt.project_id as "project: ProjectId", promotion_id as "id: PromotionId",
                  promotion.prompt_id as "prompt_id: PromptId", prompt.name as "prompt: PromptName",
                  promotion.environment_id as "environment_id: EnvironmentId", environment.name as environment,
                  version.number, requested_at
           from promotion
           join prompt using (prompt_id)
           join environment using (environment_id)
           join version using (version_id)
           where promotion.status = 'waiting'"#,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let hours = whole(now - row.requested_at, 3_600);
            Finding {
                project: row.project,
                subject: row.id.to_string(),
                prompt: Some(row.prompt_id),
                environment: Some(row.environment_id),
                title: format!("{} v{} to {}", row.prompt, row.number, row.environment),
                reading: Reading::At(hours),
                sentence: format!(
                    "The request has waited for {}.",
                    Unit::Hours.words(hours.floor())
                ),
                href: format!("/approvals/{}", row.id),
            }
        })
        .collect())
}

/// How the last drift checks left what serves. What cannot be told ends nothing.
async fn drifted(store: &Store, projects: &[Uuid]) -> Result<Vec<Finding>> {
    // Read every few seconds: the newest check of each, and not the history that pages show.
    let rows = sqlx::query!(
        r#"select prompt.project_id as "project: ProjectId", prompt.prompt_id as "prompt_id: PromptId",
                  prompt.name as "prompt: PromptName", version.number,
                  environment.environment_id as "environment_id: EnvironmentId", environment.name as environment,
                  last.state as "state: State", last.sentence as "sentence!"
           from prompt
           join version on version.prompt_id = prompt.prompt_id and version.status = 'active'
           join environment on environment.project_id = prompt.project_id and environment.name = $2
           cross join lateral (
               select state, finding ->> 'sentence' as sentence
               from drift_check
               where drift_check.prompt_id = version.prompt_id and drift_check.version_id = version.version_id
               order by checked_at desc, check_id desc
               limit 1
           ) as last
           where prompt.project_id = any($1)"#,
        projects,
        PRODUCTION,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Finding {
            project: row.project,
            // Another version is another matter: what the one before it had is over.
            subject: format!("{} v{}", row.prompt_id, row.number),
            prompt: Some(row.prompt_id),
            environment: Some(row.environment_id),
            title: format!("{} v{} in {}", row.prompt, row.number, row.environment),
            reading: match row.state {
                State::Drifted => Reading::At(1.0),
                State::Watch | State::Healthy => Reading::At(0.0),
                State::CannotTell => Reading::Unknown,
            },
            sentence: row.sentence,
            href: format!("/drift/{}", row.prompt),
        })
        .collect())
}

/// How often `unit` seconds went by, with what is left over as a fraction.
#[expect(clippy::cast_precision_loss, reason = "seconds since a deployment")]
fn whole(span: TimeDelta, unit: i64) -> f64 {
    span.num_seconds().max(0) as f64 / unit as f64
}
