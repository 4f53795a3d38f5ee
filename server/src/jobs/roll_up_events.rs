//! Events are added up into experiments' results soon after they arrived. Requests ring; what came
//! in through other servers is found by looking. Several servers share the work batch by batch.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use store::events;
use tokio::sync::Notify;

use super::{RETRY, Tools};

/// How often it is looked whether others left something.
const LOOK: Duration = Duration::from_millis(500);
/// After a ring, what follows is waited for: one transaction for many requests.
const GATHER: Duration = Duration::from_millis(100);

/// How often it is counted what was set aside.
const COUNT: Duration = Duration::from_secs(10);

/// Rolls up until the server is told to stop; what is left then is done at the next start.
pub async fn keep_on(tools: Tools, reported: Arc<Notify>) {
    let mut counted_at: Option<Instant> = None;
    loop {
        if counted_at.is_none_or(|at| at.elapsed() >= COUNT) {
            counted_at = Some(Instant::now());
            count_set_aside(&tools).await;
        }
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

/// Says how many batches could not be added up and wait for somebody to look at them.
async fn count_set_aside(tools: &Tools) {
    if let Ok(n_batches) = events::n_set_aside(&tools.store).await {
        let n_batches = u32::try_from(n_batches).unwrap_or(u32::MAX);
        metrics::gauge!("cueline_event_batches_set_aside").set(f64::from(n_batches));
    }
}
