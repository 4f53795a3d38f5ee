//! Gates whose runs are over get their verdict.

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;

use super::Tools;

/// How often it is looked, in case another process ended a run.
const LOOK: Duration = Duration::from_secs(2);

/// Decides what can be decided until the server is told to stop.
pub async fn keep_on(tools: Tools, wake: Arc<Notify>) {
    loop {
        if let Err(error) = decide_all(&tools).await {
            tracing::warn!(%error, "gates wait for the database");
        }
        if tools.rest(Some(&wake), LOOK).await {
            return;
        }
    }
}

async fn decide_all(tools: &Tools) -> store::Result<()> {
    for (project, run) in store::gates::undecided(&tools.store).await? {
        store::gates::decide(&tools.store, project, run, tools.clock.now()).await?;
    }
    Ok(())
}
