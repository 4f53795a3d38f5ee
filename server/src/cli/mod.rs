//! The command line: one binary, `cueline`. Three kinds of commands: those that run a server, those
//! of the operator, who has the database, and those of a client, who has a key and goes through
//! the API like everybody else.

mod audit;
mod client;
mod database;
mod demo;
mod files;
mod follow;
mod gate;
mod key;
mod migrate;
mod pull;
mod push;
mod report;
mod rollback;
mod run;
mod serve;
mod stats;
mod user;

use std::process::ExitCode;

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
    /// Bring the database's schema up to date; `serve` does it by itself.
    Migrate(migrate::Migrate),
    /// Add people and set their passwords, with the database at hand.
    #[command(subcommand)]
    User(user::User),
    /// Make API keys, with the database at hand.
    #[command(subcommand)]
    Key(key::Key),
    /// Check or export the audit trail, with the database at hand.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Hold a version or a file against what serves production: 0 pass, 1 fail, 3 inconclusive.
    Gate(gate::Gate),
    /// Launch an eval run and follow it, through the API.
    Run(run::Run),
    /// Go back to the version that served before, through the API.
    Rollback(rollback::Rollback),
    /// Write every prompt's newest version into a folder, through the API.
    Pull(pull::Pull),
    /// Save what was changed in a folder as new versions, through the API.
    Push(push::Push),
    /// The calculators: sample size, z-test, threshold risk and others; asks no server.
    Stats(stats::Stats),
}

impl Cli {
    /// Does what was asked. Client commands end with 1 where the server refused, and with 2 where
    /// something else went wrong.
    pub fn run(self) -> ExitCode {
        let done = match self.command {
            Command::Serve(options) => serve::run(options).map(success),
            Command::Demo(wanted) => demo::run(wanted).map(success),
            Command::Migrate(wanted) => migrate::run(wanted).map(success),
            Command::User(wanted) => user::run(wanted).map(success),
            Command::Key(wanted) => key::run(wanted).map(success),
            Command::Stats(wanted) => stats::run(wanted).map(success),
            // 1 is a trail that does not hold: what stands in the way of looking is something else.
            Command::Audit(wanted) => return client::concluded(audit::run(wanted)),
            Command::Gate(wanted) => return client::conclude(gate::run(wanted)),
            Command::Run(wanted) => return client::conclude(run::run(wanted)),
            Command::Rollback(wanted) => return client::run(rollback::run(wanted)),
            Command::Pull(wanted) => return client::run(pull::run(wanted)),
            Command::Push(wanted) => return client::run(push::run(wanted)),
        };
        done.unwrap_or_else(|error| {
            eprintln!("cueline: {error:#}");
            ExitCode::FAILURE
        })
    }
}

fn success((): ()) -> ExitCode {
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serve_says_every_option_with_its_variable() {
        let mut command = Cli::command();
        let serve = command.find_subcommand_mut("serve").unwrap();
        for option in serve.get_arguments().filter(|option| !option.is_hide_set()) {
            if ["help", "version"].contains(&option.get_id().as_str()) {
                continue;
            }
            assert!(option.get_env().is_some(), "{}", option.get_id());
            assert!(option.get_help().is_some(), "{}", option.get_id());
        }
    }

    #[test]
    fn a_rollback_needs_no_more_than_a_prompt() {
        assert!(Cli::try_parse_from(["cueline", "rollback", "support/triage"]).is_ok());
        assert!(Cli::try_parse_from(["cueline", "rollback"]).is_err());
        assert!(Cli::try_parse_from(["cueline", "rollback", "a", "--to", "0"]).is_err());
        assert!(Cli::try_parse_from(["cueline", "rollback", "../a"]).is_err());
    }

    #[test]
    fn scopes_and_roles_are_known_words() {
        let key = |scope| {
            Cli::try_parse_from(["cueline", "key", "create", "--name", "a", "--scope", scope])
        };
        assert!(key("prompts:read,events:write").is_ok());
        assert!(key("prompts:write").is_err());
        let user = |role| Cli::try_parse_from(["cueline", "user", "add", "a@b.c", "--role", role]);
        assert!(user("approver").is_ok());
        assert!(user("owner").is_err());
    }
}
