//! Events are added up into experiments' results soon after they arrived. Requests ring; what came
//! in through other servers is found by looking. Several servers share the work batch by batch.

use std::{sync::Arc, time::Duration};

use store::events;
use tokio::sync::Notify;

use super::{RETRY, Tools};

/// How often it is looked whether others left something.
const LOOK: Duration = Duration::from_millis(500);
/// After a ring, what follows is waited for: one transaction for many requests.
const GATHER: Duration = Duration::from_millis(100);

/// Rolls up until the server is told to stop; what is left then is done at the next start.
pub async fn keep_on(tools: Tools, reported: Arc<Notify>) {
    loop {
        let is_over = match events::roll_up(&tools.store, tools.clock.now()).await {
            // There may be more.
            Ok(n_batches) if n_batches > 0 => tools.stopping.is_cancelled(),
            Ok(_) => tools.rest(Some(&reported), LOOK).await || tools.rest(None, GATHER).await,
            Err(error) => {
                tracing::warn!(%error, "events wait for the database");
                tools.rest(None, RETRY).await
            }
        };
        if is_over {
            return;
        }
    }
}
