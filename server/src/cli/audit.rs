//! `cueline audit`: checking and exporting the trail without trusting the server that wrote it.

use std::{
    io::{BufWriter, ErrorKind, Write},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use domain::id::ProjectId;
use serde_json::json;
use store::{Store, audit, projects};

use super::database::{Database, operator};
use crate::{audit_csv, config::Config};

/// Entries read at once.
const BITE: i64 = 1_000;

/// What to do with the trail.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Check that every entry is there, unchanged and in its place; ends with 1 and names the first
    /// that is not, and with 2 when it could not look.
    Verify(Verify),
    /// Write the whole trail to standard output, oldest first.
    Export(Export),
}

/// What to check.
#[derive(Debug, Args)]
pub struct Verify {
    /// The project's address [default: every project]
    #[arg(long)]
    project: Option<String>,

    /// The number and hash of an entry, as an earlier check printed them: shows whether the chain
    /// was made anew since
    #[arg(long, value_name = "SEQ:HASH", value_parser = parse_anchor)]
    anchor: Option<(i64, String)>,

    #[command(flatten)]
    database: Database,
}

/// What to export.
#[derive(Debug, Args)]
pub struct Export {
    /// The project's address; may be left out where there is only one
    #[arg(long)]
    project: Option<String>,

    /// One JSON object a line, or a table
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,

    #[command(flatten)]
    database: Database,
}

/// How a trail is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One JSON object a line.
    Jsonl,
    /// A table, for spreadsheets.
    Csv,
}

fn parse_anchor(text: &str) -> Result<(i64, String), String> {
    const WRONG: &str = "must be an entry's number, a colon and its hash of 64 hexadecimal digits";
    let (sequence, hash) = text.split_once(':').ok_or(WRONG)?;
    let sequence = sequence.parse().map_err(|_| WRONG)?;
    if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(WRONG.to_owned());
    }
    Ok((sequence, hash.to_lowercase()))
}

/// Does it.
pub fn run(audit: Audit) -> anyhow::Result<ExitCode> {
    match audit {
        Audit::Verify(wanted) => run_verify(wanted),
        Audit::Export(wanted) => run_export(wanted).map(|()| ExitCode::SUCCESS),
    }
}

fn run_verify(wanted: Verify) -> anyhow::Result<ExitCode> {
    wanted
        .database
        .with_store(async move |store: Store, _: Config| {
            let chosen: Vec<(ProjectId, String)> = match (&wanted.project, &wanted.anchor) {
                (None, None) => projects::all(&store).await?,
                // An anchor is of one project: which one must be clear.
                (project, _) => {
                    let by = operator(&store, project.as_deref()).await?;
                    let all = projects::all(&store).await?;
                    all.into_iter()
                        .filter(|(id, _)| *id == by.project)
                        .collect()
                }
            };
            let mut holds = true;
            for (project, slug) in chosen {
                match audit::verify(&store, project, wanted.anchor.clone()).await? {
                    Ok((0, _)) => println!("{slug}: the trail is empty"),
                    Ok((n_entries, hash)) => {
                        println!("{slug}: {n_entries} entries hold; anchor {n_entries}:{hash}");
                    }
                    Err(broken) => {
                        holds = false;
                        eprintln!("{slug}: {broken}");
                    }
                }
            }
            Ok(if holds {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        })
}

fn run_export(wanted: Export) -> anyhow::Result<()> {
    wanted
        .database
        .with_store(async move |store: Store, _: Config| {
            let project = operator(&store, wanted.project.as_deref()).await?.project;
            let mut out = BufWriter::new(std::io::stdout().lock());
            let written = write(&store, project, wanted.format, &mut out).await;
            match written {
                // Whoever reads has enough, as `head` does.
                Err(error)
                    if error
                        .downcast_ref::<std::io::Error>()
                        .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe) =>
                {
                    Ok(())
                }
                written => written.context("the export broke off"),
            }
        })
}

async fn write(
    store: &Store,
    project: ProjectId,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    if format == Format::Csv {
        write!(out, "{}", audit_csv::HEADER)?;
    }
    let mut after = 0;
    loop {
        let entries = audit::oldest_first(store, project, after, BITE).await?;
        let Some(last) = entries.last() else { break };
        after = last.sequence;
        for entry in &entries {
            match format {
                Format::Jsonl => writeln!(out, "{}", json!(entry))?,
                Format::Csv => write!(out, "{}", audit_csv::row(entry))?,
            }
        }
    }
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_a_number_and_a_hash() {
        let hash = "ab".repeat(32);
        assert_eq!(parse_anchor(&format!("7:{hash}")), Ok((7, hash.clone())));
        for wrong in ["", "7", "7:ab", "x:y", &format!("7:{}", "zz".repeat(32))] {
            assert!(parse_anchor(wrong).is_err(), "{wrong}");
        }
    }
}
