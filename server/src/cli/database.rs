//! What operator commands share: the way to the database, also while a server runs on it, and the
//! project they act in.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use domain::actor::Actor;
use store::{Store, projects};

use crate::{
    config::{Config, Options},
    postgres, start, telemetry,
};

/// Where the database is; the same variables and `cueline.toml` as for `cueline serve`.
#[derive(Debug, Args)]
pub struct Database {
    /// Postgres; without it the embedded one below the data directory, running or not
    #[arg(
        long = "database-url",
        value_name = "DATABASE_URL",
        env = "DATABASE_URL",
        hide_env_values = true
    )]
    url: Option<String>,

    /// Where the embedded Postgres keeps its data; the demo's is `demo` below it
    /// [default: the platform's data directory]
    #[arg(long, env = "CUELINE_DATA_DIR")]
    data_dir: Option<PathBuf>,

    /// The server's address, for links [default: http:// and the listen address]
    #[arg(long, env = "CUELINE_PUBLIC_URL")]
    public_url: Option<String>,

    /// Only for the default of the address.
    #[arg(long, env = "CUELINE_LISTEN", hide = true)]
    listen: Option<SocketAddr>,
}

impl Database {
    /// Runs `work` on a database whose schema is this program's.
    pub fn with_store<T: Send>(
        self,
        work: impl AsyncFnOnce(Store, Config) -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T> {
        self.with_any_store(async move |store: Store, config: Config| {
            // A database nobody has migrated yet has no table that could answer.
            if !store.is_migrated().await.unwrap_or(false) {
                bail!("the database's schema is not this program's: run `cueline migrate` first");
            }
            work(store, config).await
        })
    }

    /// Runs `work` on the database as it is.
    pub fn with_any_store<T: Send>(
        self,
        work: impl AsyncFnOnce(Store, Config) -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T> {
        let mut config = Config::load(Options {
            database_url: self.url,
            data_dir: self.data_dir,
            public_url: self.public_url,
            listen: self.listen,
            // What is printed is the command's answer: logs only where something is wrong.
            log: Some("warn".to_owned()),
            ..Options::default()
        })?;
        telemetry::start_logging(&config)?;
        if config.database_url.is_none() {
            config.database_url = postgres::url_of_running(&config.data_dir);
        }
        start::with_database(&config.clone(), async move |url: String| {
            let store = Store::connect(&url, 4)
                .await
                .context("cannot connect to the database")?;
            let done = work(store.clone(), config).await;
            store.close().await;
            done
        })
    }
}

/// The operator in the project with that address, or in the only one there is.
pub async fn operator(store: &Store, project: Option<&str>) -> anyhow::Result<Actor> {
    let slug = match project {
        Some(slug) => slug.to_owned(),
        None => match projects::all(store).await?.as_slice() {
            [(_, slug)] => slug.clone(),
            [] => {
                bail!("there is no project yet: start `cueline serve` and open the link it prints")
            }
            several => {
                let slugs: Vec<&str> = several.iter().map(|(_, slug)| slug.as_str()).collect();
                bail!("say which project with --project: {}", slugs.join(", "))
            }
        },
    };
    projects::operator(store, &slug)
        .await
        .with_context(|| format!("project {slug}"))
}
