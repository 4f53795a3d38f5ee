//! The gate: a candidate's run held against a baseline's, judged by a policy once both are there.

mod latest;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::{Actor, Permission, Who},
    content::ContentHash,
    gate::{Ended, GatePolicy, GateVerdict},
    id::{EnvironmentId, ProjectId, PromptId, RunId, SuiteId},
    prompt::{PRODUCTION, PromptName},
    release::MAX_AGE_HOURS,
    run::{RunOptions, RunStatus},
};
use serde_json::json;
use sqlx::types::Json;

use crate::{
    Error, Result, Store, prompts,
    runs::{self, Subject, compare},
    tx::Command,
};

pub use latest::{Failing, Last, failing, last};

/// A gate that was asked.
#[derive(Clone, Debug)]
pub struct Gate {
    /// The candidate's run; it names the gate.
    pub run: RunId,
    /// The prompt.
    pub prompt: PromptName,
    /// The candidate's version; none for content that is not saved.
    pub version: Option<i32>,
    /// The baseline's run and its version; none when nothing serves production yet.
    pub baseline: Option<(RunId, i32)>,
    /// By what it is judged.
    pub policy: GatePolicy,
    /// What was found, once both runs are over.
    pub verdict: Option<GateVerdict>,
    /// When.
    pub decided_at: Option<DateTime<Utc>>,
    /// How far the candidate's and the baseline's runs are.
    pub status: (RunStatus, Option<RunStatus>),
}

/// One gate.
pub async fn find(store: &Store, by: &Actor, run: RunId) -> Result<Option<Gate>> {
    by.may(Permission::ReadEvals)?;
    let row = sqlx::query!(
        r#"select prompt.name as "prompt: PromptName", version.number as "version?",
                  baseline_run_id as "baseline: RunId", served.number as "served?",
                  gate.policy as "policy: Json<GatePolicy>", verdict as "verdict: Json<GateVerdict>", decided_at,
                  run.status as "status: RunStatus", baseline.status as "baseline_status?: RunStatus"
           from gate
           join run on run.run_id = gate.run_id
           join prompt on prompt.prompt_id = run.prompt_id
           left join version on version.version_id = run.version_id
           left join run as baseline on baseline.run_id = baseline_run_id
           left join version as served on served.version_id = baseline_version_id
           where run.project_id = $1 and gate.run_id = $2"#,
        by.project.0,
        run.0,
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(row.map(|row| Gate {
        run,
        prompt: row.prompt,
        version: row.version,
        baseline: row.baseline.zip(row.served),
        policy: row.policy.0,
        verdict: row.verdict.map(|Json(verdict)| verdict),
        decided_at: row.decided_at,
        status: (row.status, row.baseline_status),
    }))
}

/// A prompt's gate in an environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The environment.
    pub environment: String,
    /// The suite that is run.
    pub suite: SuiteId,
    /// Its name.
    pub suite_name: String,
    /// By what the runs are judged.
    pub policy: GatePolicy,
    /// Who set it.
    pub by: Who,
    /// When.
    pub at: DateTime<Utc>,
}

/// The gates of a prompt, in the order of environments.
pub async fn rules(store: &Store, by: &Actor, prompt: &PromptName) -> Result<Vec<Rule>> {
    by.may(Permission::ReadEvals)?;
    let is_there = sqlx::query_scalar!(
        r#"select exists (select from prompt where project_id = $1 and name = $2) as "is_there!""#,
        by.project.0,
        prompt.as_str(),
    )
    .fetch_one(&store.pool)
    .await?;
    if !is_there {
        return Err(Error::NotFound("prompt"));
    }
    let rows = sqlx::query!(
        r#"select environment.name as environment, suite_id as "suite: SuiteId", suite.name as suite_name,
                  gate_policy.policy as "policy: Json<GatePolicy>", by as "by: Json<Who>", at
           from gate_policy
           join prompt using (prompt_id)
           join environment using (environment_id)
           join suite using (suite_id)
           where prompt.project_id = $1 and prompt.name = $2
           order by environment.position"#,
        by.project.0,
        prompt.as_str(),
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Rule {
            environment: row.environment,
            suite: row.suite,
            suite_name: row.suite_name,
            policy: row.policy.0,
            by: row.by.0,
            at: row.at,
        })
        .collect())
}

/// Sets what a prompt's way into an environment is measured by.
pub async fn set_rule(
    store: &Store,
    by: &Actor,
    prompt: &PromptName,
    environment: &str,
    suite: SuiteId,
    policy: &GatePolicy,
    now: DateTime<Utc>,
) -> Result<()> {
    by.may_in(Permission::Administer, environment)?;
    let policy = &GatePolicy {
        suite: None,
        ..policy.clone()
    };
    let mut command = Command::begin(store, "set_gate", by, now).await?;
    let prompt_id = prompts::lock(command.db(), by, prompt).await?;
    let environment_id = sqlx::query_scalar!(
        r#"select environment_id as "id: EnvironmentId" from environment where project_id = $1 and name = $2"#,
        by.project.0,
        environment,
    )
    .fetch_optional(command.db())
    .await?
    .ok_or(Error::NotFound("environment"))?;
    let suite_name = sqlx::query_scalar!(
        "select name from suite where suite_id = $1 and prompt_id = $2",
        suite.0,
        prompt_id.0,
    )
    .fetch_optional(command.db())
    .await?
    .ok_or_else(|| Error::invalid("suite", "is none of this prompt's"))?;
    let before = sqlx::query_scalar!(
        r#"select policy as "policy: Json<GatePolicy>" from gate_policy
           where prompt_id = $1 and environment_id = $2"#,
        prompt_id.0,
        environment_id.0,
    )
    .fetch_optional(command.db())
    .await?
    .map(|Json(policy)| policy);
    let author = command.author();
    sqlx::query!(
        "insert into gate_policy (prompt_id, environment_id, suite_id, policy, by, at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (prompt_id, environment_id) do update
         set suite_id = excluded.suite_id, policy = excluded.policy, by = excluded.by, at = excluded.at",
        prompt_id.0,
        environment_id.0,
        suite.0,
        json!(policy),
        author,
        now,
    )
    .execute(command.db())
    .await?;
    command.record(
        "gate.set",
        prompt.as_str(),
        json!({
            "environment": environment, "suite": suite_name, "before": before, "after": policy,
        }),
    );
    command.tell("gate", json!({ "prompt": prompt }));
    command.commit().await
}

/// A gate to ask.
#[derive(Clone, Debug)]
pub struct NewGate<'a> {
    /// The prompt.
    pub prompt: &'a PromptName,
    /// The candidate.
    pub subject: Subject,
    /// On which suite; without it the one that is set for production.
    pub suite: Option<SuiteId>,
    /// By what it is judged; without it what is set for production, or the default.
    pub policy: Option<GatePolicy>,
}

/// Asks the gate: launches the candidate's run, and the baseline's unless one of the same content
/// on the same revision is there. The baseline is what serves production.
pub async fn ask(store: &Store, by: &Actor, new: NewGate<'_>, now: DateTime<Utc>) -> Result<RunId> {
    by.may(Permission::RunEvals)?;
    let rule = rules(store, by, new.prompt)
        .await?
        .into_iter()
        .find(|rule| rule.environment == PRODUCTION);
    let suite = new
        .suite
        .or(rule.as_ref().map(|rule| rule.suite))
        .ok_or_else(|| Error::invalid("suite", "no suite gates this prompt yet: name one"))?;
    // Which suite it was is written with the runs.
    let policy = GatePolicy {
        suite: None,
        ..new
            .policy
            .or(rule.map(|rule| rule.policy))
            .unwrap_or_default()
    };
    let options = RunOptions {
        tags: policy.tags.clone(),
        repeats: 1,
        ..RunOptions::default()
    };

    let mut command = Command::begin(store, "ask_gate", by, now).await?;
    let prompt = prompts::lock(command.db(), by, new.prompt).await?;
    let candidate = runs::load_subject(&mut command, by, new.prompt, prompt, &new.subject).await?;
    let selection = runs::select_cases(&mut command, by, prompt, suite, &options).await?;
    let served = serving(&mut command, prompt).await?;
    let baseline = match served {
        None => None,
        Some((version, number)) => {
            let subject = Subject::Saved(number);
            let loaded = runs::load_subject(&mut command, by, new.prompt, prompt, &subject).await?;
            let max_age = policy.max_age_hours.unwrap_or(MAX_AGE_HOURS);
            let since = now - TimeDelta::hours(max_age.into());
            let found = reusable(
                &mut command,
                prompt,
                &loaded.hash,
                &selection,
                &options,
                since,
            )
            .await?;
            let run = match found {
                Some(run) => run,
                None => {
                    runs::insert(&mut command, by, prompt, &loaded, &selection, &options, now)
                        .await?
                }
            };
            Some((run, version))
        }
    };
    let run = runs::insert(
        &mut command,
        by,
        prompt,
        &candidate,
        &selection,
        &options,
        now,
    )
    .await?;
    sqlx::query!(
        "insert into gate (run_id, baseline_run_id, baseline_version_id, policy) values ($1, $2, $3, $4)",
        run.0,
        baseline.map(|(run, _)| run.0),
        baseline.map(|(_, version)| version),
        json!(policy),
    )
    .execute(command.db())
    .await?;
    command.commit().await?;
    Ok(run)
}

/// What serves production. A version that names no model cannot be run, so nothing can be held
/// against it: then there is no baseline, and the verdict says so.
async fn serving(command: &mut Command, prompt: PromptId) -> Result<Option<(uuid::Uuid, i32)>> {
    let row = sqlx::query!(
        "select version_id, number from version
         where prompt_id = $1 and status = 'active' and content -> 'model' is not null",
        prompt.0,
    )
    .fetch_optional(command.db())
    .await?;
    Ok(row.map(|row| (row.version_id, row.number)))
}

/// A run of the same content on the same cases that is under way or complete: nothing is paid twice.
/// One that is too old to count as evidence is no baseline either: the model behind a name changes.
async fn reusable(
    command: &mut Command,
    prompt: PromptId,
    hash: &ContentHash,
    selection: &runs::Selection,
    options: &RunOptions,
    since: DateTime<Utc>,
) -> Result<Option<RunId>> {
    let run = sqlx::query_scalar!(
        r#"select run_id as "id: RunId" from run
           where prompt_id = $1 and content_hash = $2 and suite_id = $3 and revision = $4 and options = $5
             and status in ('queued', 'running', 'completed') and errors = 0 and created_at >= $6
           order by created_at desc
           limit 1"#,
        prompt.0,
        hash.as_str(),
        selection.suite.0,
        selection.revision,
        json!(options),
        since,
    )
    .fetch_optional(command.db())
    .await?;
    Ok(run)
}

/// Gates whose runs are over and that nobody has decided yet.
pub async fn undecided(store: &Store) -> Result<Vec<(ProjectId, RunId)>> {
    let rows = sqlx::query!(
        r#"select run.project_id as "project: ProjectId", gate.run_id as "run: RunId"
           from gate
           join run using (run_id)
           left join run as baseline on baseline.run_id = baseline_run_id
           where verdict is null and run.status in ('completed', 'failed', 'cancelled')
             and (baseline.run_id is null or baseline.status in ('completed', 'failed', 'cancelled'))
           limit 100"#
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.project, row.run)).collect())
}

/// Decides a gate whose runs are over; a second decision changes nothing.
pub async fn decide(
    store: &Store,
    project: ProjectId,
    run: RunId,
    now: DateTime<Utc>,
) -> Result<()> {
    let who = Who::System {
        name: "gate".to_owned(),
    };
    let mut command = Command::begin_as(store, "decide_gate", project, who, now).await?;
    let Some(row) = sqlx::query!(
        r#"select gate.policy as "policy: Json<GatePolicy>", baseline_run_id as "baseline: RunId",
                  run.status as "status: RunStatus", run.failure, prompt.name as "prompt: PromptName",
                  baseline.status as "baseline_status?: RunStatus", baseline.failure as baseline_failure
           from gate
           join run using (run_id)
           join prompt using (prompt_id)
           left join run as baseline on baseline.run_id = baseline_run_id
           where gate.run_id = $1 and verdict is null
           for update of gate"#,
        run.0,
    )
    .fetch_optional(command.db())
    .await?
    else {
        return Ok(());
    };
    let found = compare::for_gate(command.db(), row.baseline, run).await?;
    let candidate = Ended {
        status: row.status,
        failure: row.failure,
        n_unanswered: found.n_unanswered.1,
    };
    let baseline = row.baseline_status.map(|status| Ended {
        status,
        failure: row.baseline_failure,
        n_unanswered: found.n_unanswered.0,
    });
    let verdict = domain::gate::judge_ended(
        &row.policy.0,
        &found.pairs,
        &found.answered,
        &candidate,
        baseline.as_ref(),
    );
    sqlx::query!(
        "update gate set verdict = $2, decided_at = $3 where run_id = $1",
        run.0,
        json!(verdict),
        now,
    )
    .execute(command.db())
    .await?;
    command.record(
        "gate.decide",
        row.prompt.as_str(),
        json!({ "run_id": run, "verdict": verdict.verdict, "reasons": verdict.reasons }),
    );
    command.tell("run", json!({ "run": run }));
    command.commit().await
}
