//! All of Cueline's SQL, and nothing else. One file per aggregate: reads first, then commands.
//!
//! A command is one transaction and is the service: it locks, asks the domain, writes, and ends
//! with `tx::Command::commit`, which records the audit entry and tells everybody who follows.
//! Pages, REST, compatibility doors, command line and jobs call exactly these functions.
//!
//! To add an aggregate: a migration, a file here named like it, its read model in `domain`,
//! `make prepare` for the checked queries, tests at the bottom of the file.

#![warn(missing_docs)]

use std::time::Duration;

use sqlx::{PgPool, postgres::PgPoolOptions};

pub mod alerts;
pub mod audit;
pub mod cache_cost;
pub mod changes;
pub mod consumers;
pub mod drift;
pub mod environments;
pub mod error;
pub mod events;
pub mod experiments;
pub mod gates;
pub mod idempotency;
pub mod keys;
pub mod members;
pub mod monitor;
pub mod people;
mod place;
pub mod prices;
pub mod projects;
pub mod promotions;
pub mod prompts;
pub mod providers;
pub mod releases;
pub mod runs;
pub mod sampling;
pub mod secret;
pub mod serving;
pub mod sessions;
pub mod suites;
mod tx;
pub mod versions;
pub mod webhooks;

#[cfg(test)]
mod testing;

pub use error::{Error, Result};

/// The migrations, carried in the binary.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// The channel on which commits announce themselves; the payload is `project sequence`.
pub const CHANGE_CHANNEL: &str = "cueline_change";
/// The channel on which clients' confirmations announce themselves; the payload is a project.
pub const CONFIRMATION_CHANNEL: &str = "cueline_confirmation";

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
}

impl Store {
    /// Wraps a pool that somebody else made.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Connects, with at most `connections` at a time.
    pub async fn connect(url: &str, connections: u32) -> Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            // A request that waits longer is better answered with 503 and tried again.
            .acquire_timeout(Duration::from_secs(3))
            .connect(url)
            .await?;
        Ok(Self::new(pool))
    }

    /// Brings the schema up to date; several servers starting at once wait for each other
    /// on the migrator's advisory lock.
    pub async fn migrate(&self) -> Result<(), sqlx::migrate::MigrateError> {
        MIGRATOR.run(&self.pool).await
    }

    /// Whether every migration this binary carries has been applied.
    pub async fn is_migrated(&self) -> Result<bool> {
        // Not a checked query: the migrator makes this table, after the queries were checked.
        let applied: i64 =
            sqlx::query_scalar("select count(*) from _sqlx_migrations where success")
                .fetch_one(&self.pool)
                .await?;
        let carried = MIGRATOR
            .iter()
            .filter(|migration| !migration.migration_type.is_down_migration())
            .count();
        Ok(usize::try_from(applied).unwrap_or_default() >= carried)
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query!("select 1 as one")
            .fetch_one(&self.pool)
            .await?;
        Ok(())
    }

    /// A connection that hears the given channels; it must be asked for again after an error.
    pub async fn listen(&self, channels: &[&str]) -> Result<sqlx::postgres::PgListener> {
        let mut listener = sqlx::postgres::PgListener::connect_with(&self.pool).await?;
        // A lost connection must be seen at once, so that whoever listens catches up after it.
        listener.eager_reconnect(false);
        listener.listen_all(channels.iter().copied()).await?;
        Ok(listener)
    }

    /// Ends all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// A new id. Version 7, so that rows made together lie together.
pub(crate) fn new_id<Id: From<uuid::Uuid>>() -> Id {
    Id::from(uuid::Uuid::now_v7())
}
