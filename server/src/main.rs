//! `cueline`: parse the command, then one call.

use std::process::ExitCode;

use clap::Parser;
use server::{cli::Cli, postgres};

fn main() -> ExitCode {
    // A child of ours that is to become Postgres never gets further than this.
    postgres::exec_if_asked();
    Cli::parse().run()
}
