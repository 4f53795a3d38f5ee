//! Results on their way to the database: one task for each run writes what has come together
//! since its last write, so that a slow commit makes larger batches and not a queue.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use domain::{id::RunId, run::CaseResult};
use store::{
    Store,
    runs::work::{self, Progress},
};
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

use super::RETRY;
use crate::state::Clock;

/// Most results in one statement.
const BATCH: usize = 256;

/// Where a run stands, as the writer last heard it.
pub struct Standing {
    cost: Mutex<f64>,
    is_over: AtomicBool,
    over: Notify,
}

impl Standing {
    /// With what it cost before.
    pub fn new(cost: Option<f64>) -> Self {
        Self {
            cost: Mutex::new(cost.unwrap_or_default()),
            is_over: AtomicBool::new(false),
            over: Notify::new(),
        }
    }

    /// What it cost so far, in US dollars.
    pub fn cost(&self) -> f64 {
        *self.cost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, progress: &Progress) {
        if let Some(cost) = progress.cost_usd {
            *self.cost.lock().unwrap_or_else(PoisonError::into_inner) = cost;
        }
        if progress.status.is_over() {
            self.is_over.store(true, Ordering::Release);
            self.over.notify_waiters();
        }
    }

    /// Waits until the run is over.
    pub async fn over(&self) {
        let over = self.over.notified();
        if !self.is_over.load(Ordering::Acquire) {
            over.await;
        }
    }
}

/// Who hands in, and for which run.
pub struct HandIn {
    pub store: Store,
    pub clock: Clock,
    pub run: RunId,
    pub lease: Uuid,
}

impl HandIn {
    /// Writes until nobody sends any more and everything is in. What cannot be written now is
    /// written when the database answers again: a result has been paid for.
    pub async fn write(self, mut inbox: mpsc::Receiver<CaseResult>, standing: Arc<Standing>) {
        let mut batch = Vec::with_capacity(BATCH);
        while inbox.recv_many(&mut batch, BATCH).await > 0 {
            if !self.write_batch(&mut batch, &standing).await {
                return;
            }
            batch.clear();
        }
    }

    /// Whether it makes sense to go on.
    async fn write_batch(&self, batch: &mut [CaseResult], standing: &Standing) -> bool {
        let mut is_plain = false;
        loop {
            let now = self.clock.now();
            match work::finish(&self.store, self.run, self.lease, batch, now).await {
                Ok(progress) => {
                    standing.hear(&progress);
                    return true;
                }
                Err(error @ store::Error::Unavailable(_)) => {
                    tracing::warn!(run = %self.run, %error, "results wait for the database");
                    tokio::time::sleep(RETRY).await;
                }
                Err(error) if is_plain => {
                    tracing::error!(run = %self.run, %error, "results cannot be written at all");
                    let why = "the results could not be written down; the log says why";
                    if let Err(error) = work::fail(&self.store, self.run, why, now).await {
                        tracing::error!(run = %self.run, %error, "nor can it be said");
                    }
                    return false;
                }
                Err(error) => {
                    tracing::error!(run = %self.run, %error, "results cannot be written as they are");
                    is_plain = true;
                    batch.iter_mut().for_each(make_plain);
                }
            }
        }
    }
}

/// What the database refuses must be something in the texts: without them it takes the result.
fn make_plain(result: &mut CaseResult) {
    *result = CaseResult {
        output: None,
        tool_calls: None,
        finish_reason: None,
        passed: false,
        score: None,
        scores: Vec::new(),
        error: Some("the answer could not be written down".to_owned()),
        answered_by: None,
        ..result.clone()
    };
}
