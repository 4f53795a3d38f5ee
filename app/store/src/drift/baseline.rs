//! The run that a version is held against, kept with its deployment: what is run later never moves
//! it. Kept in the transaction that deploys, where a run is there by then, and else by the first
//! check that comes to its end.

use domain::{
    id::{PromptId, RunId, SuiteId, VersionId},
    prompt::PRODUCTION,
    release::Deployment,
};
use sqlx::PgConnection;

use super::facts::{self, Active};
use crate::{Result, tx::Command};

/// Keeps what a new deployment is held against: the gate run that it was decided on. Where there is
/// none, or it ran only part of its suite, it is the last complete run from before. Drift is watched
/// in production only.
pub(crate) async fn keep_at_release(
    command: &mut Command,
    prompt: PromptId,
    deployment: &Deployment,
    gate: Option<(SuiteId, RunId)>,
) -> Result<()> {
    if deployment.environment != PRODUCTION {
        return Ok(());
    }
    let db = command.db();
    let Some(active) = facts::active(&mut *db, prompt).await? else {
        return Ok(());
    };
    let suite = match gate {
        Some((suite, run)) => {
            let options = facts::options(&mut *db, run).await?;
            if options.tags.is_empty() && options.limit.is_none() {
                return keep(db, active.version, suite, run).await;
            }
            Some(suite)
        }
        None => facts::suite(&mut *db, &active).await?.map(|(id, _)| id),
    };
    let Some(suite) = suite else {
        return Ok(());
    };
    match facts::derived(&mut *db, &active, suite).await? {
        Some(run) => keep(db, active.version, suite, run).await,
        None => Ok(()),
    }
}

/// Keeps what an ended check found to hold the version against: the run from before its promotion,
/// or the one that stands in for it. Changes nothing where one is kept.
pub(super) async fn keep_at_check(
    db: &mut PgConnection,
    active: &Active,
    suite: SuiteId,
    run: RunId,
) -> Result<()> {
    if kept(&mut *db, active.version, suite).await?.is_some() {
        return Ok(());
    }
    keep(db, active.version, suite, run).await
}

/// The run that is kept; of several deployments the newest that has one.
async fn kept(db: &mut PgConnection, version: VersionId, suite: SuiteId) -> Result<Option<RunId>> {
    let run = sqlx::query_scalar!(
        r#"select run_id as "id: RunId"
           from drift_baseline
           join deployment using (deployment_id)
           where version_id = $1 and suite_id = $2
           order by deployed_at desc, deployment_id desc
           limit 1"#,
        version.0,
        suite.0,
    )
    .fetch_optional(db)
    .await?;
    Ok(run)
}

/// What checks hold the version against: what is kept, else what would be.
pub(super) async fn find(
    db: &mut PgConnection,
    active: &Active,
    suite: SuiteId,
) -> Result<Option<RunId>> {
    match kept(&mut *db, active.version, suite).await? {
        Some(run) => Ok(Some(run)),
        None => facts::derived(db, active, suite).await,
    }
}

/// With the deployment that released the version: a rollback to it changes nothing.
async fn keep(db: &mut PgConnection, version: VersionId, suite: SuiteId, run: RunId) -> Result<()> {
    sqlx::query!(
        "insert into drift_baseline (deployment_id, suite_id, run_id)
         select deployment_id, $2, $3
         from deployment
         join environment using (environment_id)
         where version_id = $1 and environment.name = $4
         order by kind = 'rollback', deployed_at desc, deployment_id desc
         limit 1
         on conflict on constraint drift_baseline_one do nothing",
        version.0,
        suite.0,
        run.0,
        PRODUCTION,
    )
    .execute(db)
    .await?;
    Ok(())
}
