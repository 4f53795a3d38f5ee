//! Loads what the serving snapshot holds: everything resolve needs, and nothing else.

use chrono::{DateTime, Utc};
use domain::{
    content::ContentHash,
    experiment::Rules,
    id::{DeploymentId, EnvironmentId, ProjectId},
    prompt::PromptName,
};

use crate::{Result, Store};

/// A version as it serves an environment.
#[derive(Clone, Debug)]
pub struct Served {
    /// The prompt.
    pub prompt: PromptName,
    /// The environment.
    pub environment: String,
    /// The version's number.
    pub version: i32,
    /// Its hash.
    pub content_hash: ContentHash,
    /// Exactly what was saved, as JSON text.
    pub content: String,
    /// The deployment.
    pub deployment_id: DeploymentId,
    /// Since when.
    pub deployed_at: DateTime<Utc>,
}

/// A project's part of the snapshot and how far the change feed had come when it was read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The project.
    pub project: ProjectId,
    /// The last change it includes.
    pub sequence: i64,
    /// Its environments.
    pub environments: Vec<(String, EnvironmentId)>,
    /// The names of its prompts, deployed or not: a missing prompt and an undeployed one are told apart.
    pub prompts: Vec<PromptName>,
    /// What serves.
    pub served: Vec<Served>,
    /// The experiments that run.
    pub experiments: Vec<RunningExperiment>,
}

/// Loads all of a project.
pub async fn load(store: &Store, project: ProjectId) -> Result<Option<Loaded>> {
    // The feed's position is read first: what is committed while the rest is read will be
    // read again, which does no harm; the other order could miss it.
    let Some(sequence) = sequence(store, project).await? else {
        return Ok(None);
    };
    let environments = environments(store, project).await?;
    let prompts = sqlx::query_scalar!(
        r#"select name as "name: PromptName" from prompt where project_id = $1"#,
        project.0
    )
    .fetch_all(&store.pool)
    .await?;
    let served = served(store, project, None).await?;
    let experiments = experiments(store, project).await?;
    Ok(Some(Loaded {
        project,
        sequence,
        environments,
        prompts,
        served,
        experiments,
    }))
}

/// How far a project's change feed has come; none when there is no such project.
pub async fn sequence(store: &Store, project: ProjectId) -> Result<Option<i64>> {
    let sequence = sqlx::query_scalar!(
        "select change_sequence from project_head where project_id = $1",
        project.0
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(sequence)
}

/// A project's environments.
pub async fn environments(
    store: &Store,
    project: ProjectId,
) -> Result<Vec<(String, EnvironmentId)>> {
    let rows = sqlx::query!(
        r#"select name, environment_id as "id: EnvironmentId" from environment where project_id = $1"#,
        project.0,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.id)).collect())
}

/// What serves in a project: all of it, or of the named prompts.
pub async fn served(
    store: &Store,
    project: ProjectId,
    names: Option<&[String]>,
) -> Result<Vec<Served>> {
    let served = sqlx::query_as!(
        Served,
        r#"select prompt.name as "prompt: PromptName", environment.name as environment, version.number as version,
                  version.content_hash as "content_hash: ContentHash", version.content::text as "content!",
                  deployment_id as "deployment_id: DeploymentId", deployed_at
           from serving
           join prompt using (prompt_id)
           join environment using (environment_id)
           join deployment using (deployment_id)
           join version on version.version_id = serving.version_id
           where prompt.project_id = $1 and ($2::text[] is null or prompt.name = any($2))"#,
        project.0,
        names,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(served)
}

/// One version's content as JSON text, for rendering a version that serves nowhere.
pub async fn version(
    store: &Store,
    project: ProjectId,
    prompt: &PromptName,
    number: i32,
) -> Result<Option<(ContentHash, String)>> {
    let row = sqlx::query!(
        r#"select content_hash as "content_hash: ContentHash", content::text as "content!"
           from version
           join prompt using (prompt_id)
           where project_id = $1 and name = $2 and number = $3"#,
        project.0,
        prompt.as_str(),
        number,
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(row.map(|row| (row.content_hash, row.content)))
}

/// An experiment that runs, with its arms ready to serve.
#[derive(Clone, Debug)]
pub struct RunningExperiment {
    /// Who gets which arm.
    pub rules: Rules,
    /// The arms' versions as the environment's present deployment would serve them, in order.
    pub arms: Vec<Served>,
}

/// The experiments that run in a project, where something serves.
pub async fn experiments(store: &Store, project: ProjectId) -> Result<Vec<RunningExperiment>> {
    let mut running = Vec::new();
    for experiment in crate::experiments::running_in(store, project).await? {
        let arms = sqlx::query_as!(
            Served,
            r#"select prompt.name as "prompt: PromptName", environment.name as environment, version.number as version,
                      version.content_hash as "content_hash: ContentHash", version.content::text as "content!",
                      deployment_id as "deployment_id: DeploymentId", deployed_at
               from experiment
               join experiment_arm using (experiment_id)
               join version on version.version_id = experiment_arm.version_id
               join prompt on prompt.prompt_id = experiment.prompt_id
               join environment using (environment_id)
               join serving on serving.prompt_id = experiment.prompt_id
                   and serving.environment_id = experiment.environment_id
               join deployment using (deployment_id)
               where experiment_id = $1
               order by experiment_arm.position"#,
            experiment.id.0,
        )
        .fetch_all(&store.pool)
        .await?;
        if arms.len() == experiment.plan.arms.len() {
            running.push(RunningExperiment {
                rules: experiment.rules(),
                arms,
            });
        }
    }
    Ok(running)
}
