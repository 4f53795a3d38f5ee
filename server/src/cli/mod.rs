//! The command line: one binary, `cueline`.

mod client;
mod demo;
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
    /// Run the server with a demo project: prompts with histories, people, connected clients.
    Demo(demo::Demo),
}

impl Cli {
    /// Does what was asked.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Serve(options) => serve::run(options),
            Command::Demo(demo) => demo::run(demo),
        }
    }
}
