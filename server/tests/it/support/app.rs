//! A server of its own for every test: its database, its background tasks, a clock that stands still.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::Router;
use chrono::{DateTime, TimeDelta, Utc};
use domain::id::ProjectId;
use server::{
    config::{Config, LogFormat},
    llm::keys::{EnvironmentKeys, MasterKey},
    outgoing::Allowed,
    start::Running,
    state::{AppState, Clock},
};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use store::Store;

use super::{Client, TestProject};

/// One server process.
pub struct TestApp {
    running: Running,
    router: Router,
    /// The database as its owner sees it, for looking and for tampering.
    pub pool: PgPool,
    now: Arc<Mutex<DateTime<Utc>>>,
}

impl TestApp {
    /// Starts a server on the test's database.
    pub async fn start(pool: &PgPool) -> Self {
        Self::start_through(pool, PgConnectOptions::clone(&pool.connect_options())).await
    }

    /// Starts a server that keeps secrets and may call receivers on this machine.
    pub async fn start_sending(pool: &PgPool) -> Self {
        let config = Config {
            secret_key: Some(MasterKey::parse(&"5a".repeat(32).into()).unwrap()),
            private_webhooks: "127.0.0.1".parse().unwrap(),
            ..config()
        };
        let way = PgConnectOptions::clone(&pool.connect_options());
        Self::start_as(pool, way, config).await
    }

    /// Starts a server that reaches the database by another way.
    pub async fn start_through(pool: &PgPool, way: PgConnectOptions) -> Self {
        Self::start_as(pool, way, config()).await
    }

    async fn start_as(pool: &PgPool, way: PgConnectOptions, config: Config) -> Self {
        let connections = PgPoolOptions::new()
            .max_connections(12)
            .acquire_timeout(Duration::from_secs(3))
            .connect_with(way)
            .await
            .unwrap();
        // Sessions expire by the machine's clock, so this one stands still at the same time.
        let now = Arc::new(Mutex::new(Clock::real().now()));
        let read = Arc::clone(&now);
        let clock = Clock::of(move || *read.lock().unwrap());
        let running = server::start::start(Store::new(connections), config, clock)
            .await
            .unwrap();
        Self {
            router: server::router(running.state.clone()),
            running,
            pool: pool.clone(),
            now,
        }
    }

    /// What requests reach.
    pub fn state(&self) -> &AppState {
        &self.running.state
    }

    /// Everything the server answers.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    pub fn now(&self) -> DateTime<Utc> {
        *self.now.lock().unwrap()
    }

    /// Moves the clock on.
    pub fn advance(&self, by: TimeDelta) {
        *self.now.lock().unwrap() += by;
    }

    /// Somebody without any credential.
    pub fn anybody(&self) -> Client {
        Client::new(self.router(), None)
    }

    /// A project with the three usual environments, where production asks for nothing.
    pub async fn project(&self, slug: &str) -> TestProject<'_> {
        let project = self.guarded_project(slug).await;
        store::environments::set_policy(
            &self.state().store,
            &project.operator,
            "production",
            domain::release::Policy::default(),
            self.now(),
        )
        .await
        .unwrap();
        self.settle(project.id()).await;
        project
    }

    /// A project as people get it: production asks for a gate and an approval.
    pub async fn guarded_project(&self, slug: &str) -> TestProject<'_> {
        let store = &self.state().store;
        store::people::create_project_as_system(store, slug, slug, self.now())
            .await
            .unwrap();
        let operator = store::projects::operator(store, slug).await.unwrap();
        let id = operator.project;
        // Nothing has changed in it yet, so only the poll would find it.
        let environment = store::environments::create(
            store,
            &operator,
            "canary",
            domain::release::Policy::default(),
            self.now(),
        );
        environment.await.unwrap();
        self.settle(id).await;
        TestProject {
            app: self,
            slug: slug.to_owned(),
            operator,
        }
    }

    /// Waits until the snapshot holds everything that was committed in the project.
    pub async fn settle(&self, project: ProjectId) {
        let head = store::serving::sequence(&Store::new(self.pool.clone()), project)
            .await
            .unwrap()
            .unwrap();
        eventually("the snapshot holds what was committed", || {
            let known = self.state().serving.project(project);
            known.is_some_and(|known| known.sequence >= head)
        })
        .await;
    }

    /// Rows of a table, to see that nothing was half-written.
    pub async fn count(&self, table: &str) -> i64 {
        let query = format!("select count(*) from {table}");
        sqlx::query_scalar(sqlx::AssertSqlSafe(query))
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// Rows of every table that commands write.
    pub async fn rows(&self) -> Vec<(&'static str, i64)> {
        let mut rows = Vec::new();
        for table in [
            "prompt",
            "version",
            "version_include",
            "deployment",
            "serving",
            "promotion",
            "environment",
            "member",
            "person",
            "api_key",
            "audit_entry",
            "change",
        ] {
            rows.push((table, self.count(table).await));
        }
        rows
    }

    /// Changes the database behind the server's back.
    pub async fn tamper(&self, sql: &str) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&self.pool)
            .await
            .unwrap();
    }

    /// Ends the server and its tasks. A test that failed before leaves that to the runtime.
    pub async fn stop(self) {
        let Self {
            running, router, ..
        } = self;
        drop(router);
        running.stop().await;
    }

    /// Answers on a port of the loopback device until told to stop.
    pub async fn serve(
        self,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> (SocketAddr, tokio::task::JoinHandle<anyhow::Result<()>>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(self.router);
        (address, tokio::spawn(self.running.serve(listener, stop)))
    }
}

fn config() -> Config {
    Config {
        lease_seconds: 15,
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        public_url: "http://cueline.test".to_owned(),
        database_url: None,
        data_dir: PathBuf::from("/nonexistent"),
        database_connections: 12,
        log_format: LogFormat::Text,
        log: "off".to_owned(),
        client_address_header: None,
        change_days: 7,
        event_retention_days: 90,
        minute_retention_days: 90,
        shutdown_seconds: 2,
        secret_key: None,
        private_webhooks: Allowed::None,
        provider_keys: EnvironmentKeys::default(),
    }
}

/// Waits for what other tasks bring about.
#[track_caller]
pub fn eventually(fact: &str, mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let waiting = async move {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let fact = fact.to_owned();
    async move {
        tokio::time::timeout(Duration::from_secs(15), waiting)
            .await
            .unwrap_or_else(|_| panic!("never happened: {fact}"));
    }
}
