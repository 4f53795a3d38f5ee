//! Who may let an experiment serve its arms, where the environment's policy asks for an approver.

use domain::{
    actor::{Actor, Permission},
    experiment::Experiment,
    id::ExperimentId,
    release::{Refusal, may_expose},
};
use sqlx::PgConnection;

use crate::{Result, Store, tx::Command};

/// Why `by` may neither start nor ramp the experiment, as far as the policy of its environment
/// goes; none where it asks for nothing or is met.
pub async fn objection(
    store: &Store,
    by: &Actor,
    experiment: &Experiment,
) -> Result<Option<Refusal>> {
    by.may(Permission::ReadExperiments)?;
    let mut db = store.pool.acquire().await?;
    let unapproved = unapproved(&mut db, experiment.id).await?;
    Ok(may_expose(by, &experiment.plan.environment, &unapproved).err())
}

/// Refuses with the same words. The experiment is locked, and so is its prompt: no release of it
/// comes in between.
pub(super) async fn check(
    command: &mut Command,
    by: &Actor,
    experiment: &Experiment,
) -> Result<()> {
    let unapproved = unapproved(command.db(), experiment.id).await?;
    Ok(may_expose(by, &experiment.plan.environment, &unapproved)?)
}

/// The versions of arms that were neither approved for the environment nor served it; none where
/// its policy does not ask.
async fn unapproved(db: &mut PgConnection, id: ExperimentId) -> Result<Vec<i32>> {
    let versions = sqlx::query_scalar!(
        r#"select distinct number
           from experiment
           join environment using (environment_id)
           join experiment_arm using (experiment_id)
           join version using (version_id)
           where experiment_id = $1
             and (environment.policy ->> 'experiments_need_approver')::boolean
             and not exists (select from deployment
                             where deployment.environment_id = experiment.environment_id
                               and deployment.version_id = version.version_id)
             -- What was approved and goes live later counts as well; what was executed served.
             and not exists (select from promotion
                             where promotion.environment_id = experiment.environment_id
                               and promotion.version_id = version.version_id
                               and promotion.status = 'approved')
           order by number"#,
        id.0,
    )
    .fetch_all(db)
    .await?;
    Ok(versions)
}
