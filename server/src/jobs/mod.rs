//! What happens without a request: eval runs, gates that can be decided, promotions whose moment
//! has come, events to be counted, prompts to be looked after, alerts to be judged and told. Work lies in
//! Postgres and is held by leases, so several processes share it and none
//! loses it.

mod call_case;
mod check_drift;
mod decide_gates;
mod deliver_webhooks;
mod doors;
mod execute_promotions;
mod grade;
mod hand_in;
mod judge_alerts;
mod judge_experiments;
mod roll_up_events;
mod run_evals;

use std::{sync::Arc, time::Duration};

use store::Store;
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{config::Config, outgoing::Outgoing, state::Clock};

pub use doors::Doors;

/// How often it is looked whether there is work, in case nobody said so.
const LOOK: Duration = Duration::from_secs(1);
/// After a failure of the database, this long until the next try.
const RETRY: Duration = Duration::from_millis(500);

/// What every job needs.
#[derive(Clone)]
struct Tools {
    store: Store,
    clock: Clock,
    doors: Arc<Doors>,
    outgoing: Outgoing,
    stopping: CancellationToken,
}

/// Starts the jobs. `wake` is rung when runs or promotions changed, `reported` when events came in.
#[must_use]
pub fn start(
    store: &Store,
    clock: &Clock,
    config: &Arc<Config>,
    doors: &Arc<Doors>,
    outgoing: &Outgoing,
    wake: &Arc<Notify>,
    reported: &Arc<Notify>,
    stopping: &CancellationToken,
) -> Vec<JoinHandle<()>> {
    let tools = Tools {
        store: store.clone(),
        clock: clock.clone(),
        doors: Arc::clone(doors),
        outgoing: outgoing.clone(),
        stopping: stopping.clone(),
    };
    let decided = Arc::new(Notify::new());
    let lease = Duration::from_secs(config.lease_seconds);
    vec![
        tokio::spawn(run_evals::keep_on(
            tools.clone(),
            lease,
            Arc::clone(wake),
            Arc::clone(&decided),
        )),
        tokio::spawn(decide_gates::keep_on(tools.clone(), decided)),
        tokio::spawn(judge_experiments::keep_on(tools.clone())),
        tokio::spawn(judge_alerts::keep_on(tools.clone())),
        tokio::spawn(deliver_webhooks::keep_on(tools.clone())),
        tokio::spawn(check_drift::keep_on(tools.clone())),
        tokio::spawn(execute_promotions::keep_on(tools.clone())),
        tokio::spawn(roll_up_events::keep_on(tools, Arc::clone(reported))),
    ]
}

impl Tools {
    /// Waits until rung, or for so long; true when the server is told to stop.
    async fn rest(&self, wake: Option<&Notify>, at_most: Duration) -> bool {
        let rung = async {
            match wake {
                Some(wake) => wake.notified().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.stopping.cancelled() => true,
            () = rung => false,
            () = tokio::time::sleep(at_most) => false,
        }
    }
}
