//! What every request can reach, and the only clock.

use std::sync::Arc;

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

/// What every request can reach. Cheap to clone.
#[derive(Clone, FromRef)]
pub struct AppState {
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
