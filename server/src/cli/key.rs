//! `cueline key`: API keys from the terminal.

use clap::{Args, Subcommand};
use domain::actor::Scope;
use store::{
    Store,
    keys::{self, NewKey},
    secret::Secret,
};

use super::database::{Database, operator};
use crate::{config::Config, state::Clock};

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Make a key and print it; it is not shown again.
    Create(Create),
}

/// Which key.
#[derive(Debug, Args)]
pub struct Create {
    /// The project's address; may be left out where there is only one
    #[arg(long)]
    project: Option<String>,

    /// What it is for, as people will read it
    #[arg(long)]
    name: String,

    /// What it may be used for: prompts:read, events:write, evals:run, drafts:write,
    /// promotions:request or admin; several with commas or by repeating the option
    #[arg(long = "scope", required = true, value_delimiter = ',')]
    scopes: Vec<Scope>,

    /// The only environments it may touch [default: all]
    #[arg(long = "environment", value_delimiter = ',')]
    environments: Vec<String>,

    #[command(flatten)]
    database: Database,
}

/// Does it. The key alone goes to standard output, so that scripts can take it.
pub fn run(key: Key) -> anyhow::Result<()> {
    let Key::Create(create) = key;
    create
        .database
        .with_store(async move |store: Store, _: Config| {
            let operator = operator(&store, create.project.as_deref()).await?;
            let secret = Secret::new_key()?;
            let new = NewKey {
                name: create.name,
                scopes: create.scopes,
                environments: (!create.environments.is_empty()).then_some(create.environments),
            };
            let key = keys::create(&store, &operator, new, &secret, Clock::real().now()).await?;
            eprintln!("The key {:?}, shown this once:", key.name);
            println!("{}", secret.reveal());
            Ok(())
        })
}
