//! The command line: one binary, `cueline`.

mod serve;

use clap::{Parser, Subcommand};

use crate::config::Options;

/// A registry and release desk for the prompts that production LLM applications run on.
#[derive(Debug, Parser)]
#[command(name = "cueline", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve(Options),
}

impl Cli {
    /// Does what was asked.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Serve(options) => serve::run(options),
        }
    }
}
