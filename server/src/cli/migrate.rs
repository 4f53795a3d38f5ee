//! `cueline migrate`: brings the schema up to date without starting a server.

use anyhow::Context;
use clap::Args;
use store::Store;

use super::database::Database;
use crate::config::Config;

/// Which database.
#[derive(Debug, Args)]
pub struct Migrate {
    #[command(flatten)]
    database: Database,
}

/// Does it.
pub fn run(migrate: Migrate) -> anyhow::Result<()> {
    migrate
        .database
        .with_any_store(async |store: Store, _: Config| {
            store
                .migrate()
                .await
                .context("cannot bring the database's schema up to date")?;
            println!("The schema is up to date.");
            Ok(())
        })
}
