//! What every request can reach, and the only clock.

use std::{ops::Deref, sync::Arc};

use axum::extract::FromRef;
use chrono::{DateTime, SubsecRound, Utc};
use leptos::config::LeptosOptions;
use store::Store;
use tokio_util::sync::CancellationToken;

use crate::{config::Config, jobs::Doors, live::Live, queue::Queues, snapshot::Serving};

/// The time. Everything that asks for it asks here, so that tests can hold it still.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the only clock")]
    pub fn real() -> Self {
        Self(Arc::new(Utc::now))
    }

    /// A clock of the test's own.
    #[must_use]
    pub fn of(read: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The time, to the microsecond: Postgres keeps no more, and hashes cover it.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        (self.0)().trunc_subsecs(6)
    }
}

/// What every request can reach. axum clones it several times for each of them: behind one pointer
/// that is one count each time, and not one for every part (`make bench`, figure `resolve`).
#[derive(Clone)]
pub struct AppState(Arc<Parts>);

impl AppState {
    /// Of its parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.leptos.clone()
    }
}

/// What the state is made of.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// What serves, in memory.
    pub serving: Arc<Serving>,
    /// Who follows.
    pub live: Arc<Live>,
    /// The ways to model providers.
    pub doors: Arc<Doors>,
    /// What is written in batches.
    pub queues: Queues,
    /// The time.
    pub clock: Clock,
    /// What the server runs with.
    pub config: Arc<Config>,
    /// What the pages are built with.
    pub leptos: LeptosOptions,
    /// Ends when the server is told to stop: streams say goodbye then.
    pub stopping: CancellationToken,
    /// Figures for `/metrics`.
    pub metrics: metrics_exporter_prometheus::PrometheusHandle,
}
