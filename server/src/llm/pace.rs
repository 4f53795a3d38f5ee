//! Whose turn it is: an even spread of requests over the minute, and the pause that a provider
//! asks all callers for. Both drop out cleanly when a caller gives up waiting.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// Callers that waited for the same pause come back within this span.
const SPREAD: Duration = Duration::from_millis(250);

/// Lets one request through at a time, at even distances: within any minute no more than were
/// agreed on, without the burst at its beginning that makes providers say no.
#[derive(Debug)]
pub struct Pace {
    distance: Duration,
    /// Fair: who came first goes first. Held while waiting, so giving up wastes no turn.
    next: tokio::sync::Mutex<Option<Instant>>,
}

impl Pace {
    pub fn per_minute(n_requests: u32) -> Self {
        Self {
            distance: Duration::from_mins(1) / n_requests.max(1),
            next: tokio::sync::Mutex::new(None),
        }
    }

    pub async fn turn(&self) {
        let mut next = self.next.lock().await;
        if let Some(at) = *next {
            sleep_until(at).await;
        }
        *next = Some(Instant::now() + self.distance);
    }
}

/// Nobody asks before it ends.
#[derive(Debug, Default)]
pub struct Pause(Mutex<Option<Instant>>);

impl Pause {
    /// When it ends, while it lasts.
    pub fn until(&self) -> Option<Instant> {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.filter(|until| *until > Instant::now())
    }

    /// Pauses, or goes on pausing: a pause is never cut short.
    pub fn extend(&self, until: Instant) {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *current = (*current).max(Some(until));
    }

    /// Waits for its end, and a little more (`jitter`, 0 to 1), so that not everybody who waited
    /// asks in the same moment.
    pub async fn end(&self, jitter: impl Fn() -> f64) {
        while let Some(until) = self.until() {
            sleep_until(until + SPREAD.mul_f64(jitter().clamp(0.0, 1.0))).await;
        }
    }
}
