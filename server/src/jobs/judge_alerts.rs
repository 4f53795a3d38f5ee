//! Rules are judged every few seconds, and deployments taken back where a rule says so. One server
//! judges at a time: the store holds the lock.

use std::time::Duration;

use store::alerts;

use super::Tools;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(3);

/// Judges until the server is told to stop.
pub async fn keep_on(tools: Tools) {
    loop {
        if let Err(error) = judge(&tools).await {
            tracing::warn!(%error, "alerts wait for the database");
        }
        if tools.rest(None, LOOK).await {
            return;
        }
    }
}

async fn judge(tools: &Tools) -> store::Result<()> {
    let now = tools.clock.now();
    alerts::judge(&tools.store, now).await?;
    alerts::roll_back_due(&tools.store, now).await?;
    Ok(())
}
