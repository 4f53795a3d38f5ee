//! From a configuration to a running server, and back down in order.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use leptos::config::LeptosOptions;
use store::Store;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    assets,
    config::Config,
    jobs::{self, Doors},
    live::{self, Live},
    outgoing::Outgoing,
    postgres::Cluster,
    queue,
    snapshot::{self, Serving},
    state::{AppState, Clock, Parts},
    telemetry,
};

/// How often uses of keys are written down.
const NOTE_USES: Duration = Duration::from_secs(30);
/// How often what has expired is removed.
const CLEAN_UP: Duration = Duration::from_hours(1);

/// Runs `work` with the address of a database: the one configured, or an embedded cluster that is
/// started first and stopped last. Must be called from the main thread, outside the runtime.
pub fn with_database<T: Send>(
    config: &Config,
    work: impl AsyncFnOnce(String) -> anyhow::Result<T> + Send,
) -> anyhow::Result<T> {
    let run = |url: String| -> anyhow::Result<T> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        runtime.block_on(work(url))
    };
    match &config.database_url {
        Some(url) => run(url.clone()),
        None => start_cluster(&config.data_dir)?.keep_alive_during(run)?,
    }
}

fn start_cluster(data_dir: &Path) -> anyhow::Result<Cluster> {
    Cluster::start(data_dir).with_context(|| {
        format!(
            "the embedded Postgres does not start below {}; set DATABASE_URL to use another one",
            data_dir.display()
        )
    })
}

/// Connects and brings the schema up to date.
pub async fn open_store(config: &Config, url: &str) -> anyhow::Result<Store> {
    let store = Store::connect(url, config.database_connections)
        .await
        .context("cannot connect to the database")?;
    store
        .migrate()
        .await
        .context("cannot bring the database's schema up to date")?;
    Ok(store)
}

/// A server's background tasks and what requests reach.
pub struct Running {
    /// What requests reach.
    pub state: AppState,
    tasks: Vec<JoinHandle<()>>,
}

/// Loads the snapshot and starts the background tasks.
pub async fn start(store: Store, config: Config, clock: Clock) -> anyhow::Result<Running> {
    let serving = Arc::new(Serving::default());
    serving
        .load(&store)
        .await
        .context("cannot load what serves")?;
    let live = Arc::new(Live::default());
    let (queues, inbox) = queue::queues();
    let stopping = CancellationToken::new();
    let leptos = LeptosOptions::builder()
        .output_name("cueline")
        .site_root("target/site")
        .site_pkg_dir(assets::pkg_dir())
        .site_addr(config.listen)
        .build();
    let config = Arc::new(config);
    let doors = Arc::new(Doors::new(Arc::clone(&config), clock.clone()));
    let outgoing = Outgoing::new(config.private_webhooks.clone()).map_err(anyhow::Error::msg)?;
    let state = AppState::new(Parts {
        store,
        serving,
        live,
        queues,
        clock,
        config,
        doors,
        leptos,
        stopping,
        metrics: telemetry::start_metrics()?,
    });
    let mut tasks = vec![
        tokio::spawn(live::keep_up(
            state.store.clone(),
            Arc::clone(&state.serving),
            Arc::clone(&state.live),
            state.stopping.clone(),
        )),
        tokio::spawn(inbox.write(state.store.clone(), state.clock.clone())),
        tokio::spawn(keep_house(state.clone())),
    ];
    tasks.extend(jobs::start(
        &state.store,
        &state.clock,
        &state.config,
        &state.doors,
        &outgoing,
        &state.live.work,
        &state.live.events,
        &state.stopping,
    ));
    Ok(Running { state, tasks })
}

impl Running {
    /// Answers requests until told to stop; then streams say goodbye and open requests finish.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let stopping = self.state.stopping.clone();
        let patience = Duration::from_secs(self.state.config.shutdown_seconds);
        let app =
            crate::router(self.state.clone()).into_make_service_with_connect_info::<SocketAddr>();
        let stopped = stopping.clone();
        let server = axum::serve(listener, app).with_graceful_shutdown(async move {
            stop.await;
            stopped.cancel();
        });
        tokio::select! {
            ended = server.into_future() => ended?,
            () = async { stopping.cancelled().await; tokio::time::sleep(patience).await } => {
                tracing::warn!("some requests did not finish in time and were cut off");
            }
        }
        self.stop().await;
        Ok(())
    }

    /// Ends the background tasks, once what they hold is written, and closes the database.
    pub async fn stop(self) {
        self.state.stopping.cancel();
        let Self { state, tasks } = self;
        let store = state.store.clone();
        // The queue's writer ends when nobody can put anything in any more.
        drop(state);
        for task in tasks {
            if tokio::time::timeout(Duration::from_secs(2), task)
                .await
                .is_err()
            {
                tracing::warn!("a background task did not end in time");
            }
        }
        store.close().await;
    }
}

/// What happens now and then: uses of keys are written down, what has expired is removed.
async fn keep_house(state: AppState) {
    let mut note = tokio::time::interval(NOTE_USES);
    let mut clean = tokio::time::interval(CLEAN_UP);
    loop {
        tokio::select! {
            () = state.stopping.cancelled() => {
                note_uses(&state).await;
                return;
            }
            _ = note.tick() => note_uses(&state).await,
            _ = clean.tick() => clean_up(&state).await,
        }
    }
}

async fn note_uses(state: &AppState) {
    let used = snapshot::take_uses(&state.serving.now());
    if used.is_empty() {
        return;
    }
    if let Err(error) = store::keys::used(&state.store, &used, state.clock.now()).await {
        tracing::warn!(%error, "uses of keys could not be written down");
    }
}

async fn clean_up(state: &AppState) {
    let now = state.clock.now();
    let days = chrono::TimeDelta::days(i64::from(state.config.change_days));
    let done = async {
        store::sessions::delete_expired(&state.store, now).await?;
        store::changes::forget(&state.store, now - days).await
    };
    if let Err(error) = done.await {
        tracing::warn!(%error, "what has expired could not be removed");
    }
    let (days, minutes) = (
        state.config.event_retention_days,
        state.config.minute_retention_days,
    );
    if let Err(error) = store::events::upkeep(&state.store, days, minutes, now).await {
        tracing::warn!(%error, "the days of events could not be looked after");
    }
    if let Err(error) = store::webhooks::queue::upkeep(&state.store, now).await {
        tracing::warn!(%error, "old deliveries could not be forgotten");
    }
}

/// Ends on SIGINT or SIGTERM.
pub async fn told_to_stop() {
    let interrupt = tokio::signal::ctrl_c();
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(error) => {
                tracing::error!(%error, "SIGTERM cannot be heard");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        _ = interrupt => {}
        () = terminate => {}
    }
    tracing::info!("told to stop");
}
