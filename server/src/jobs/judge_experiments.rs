//! Running experiments are judged each second: counts are frozen when the planned sample is
//! reached, alarms are raised, and what was planned to stop by itself is stopped.

use std::time::Duration;

use domain::{
    actor::{Actor, Grant, Who},
    experiment::Experiment,
    id::ProjectId,
};
use store::experiments::watch;

use super::Tools;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);

/// Judges what runs until the server is told to stop.
pub async fn keep_on(tools: Tools) {
    loop {
        if let Err(error) = judge_all(&tools).await {
            tracing::warn!(%error, "experiments wait for the database");
        }
        if tools.rest(None, LOOK).await {
            return;
        }
    }
}

async fn judge_all(tools: &Tools) -> store::Result<()> {
    for (project, experiment) in watch::running(&tools.store).await? {
        match judge(tools, project, &experiment).await {
            Ok(()) => {}
            Err(error @ store::Error::Unavailable(_)) => return Err(error),
            // One that cannot be judged keeps none of the others from it. Somebody may have
            // stopped it a moment ago.
            Err(error) => {
                tracing::warn!(experiment.id = %experiment.id, %error, "an experiment was not judged");
            }
        }
    }
    Ok(())
}

async fn judge(tools: &Tools, project: ProjectId, experiment: &Experiment) -> store::Result<()> {
    let watcher = Actor {
        who: Who::System {
            name: "watch".to_owned(),
        },
        project,
        grant: Grant::Operator,
    };
    let observed = store::events::observed(&tools.store, experiment.id).await?;
    let now = tools.clock.now();
    watch::judge(&tools.store, &watcher, experiment, &observed, now).await?;
    Ok(())
}
