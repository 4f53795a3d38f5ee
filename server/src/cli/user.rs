//! `cueline user`: accounts from the terminal, for when nobody can sign in to make them.

use std::io::BufRead;

use anyhow::{Context, anyhow};
use chrono::TimeDelta;
use clap::{Args, Subcommand};
use domain::{
    actor::Role,
    id::PersonId,
    project::{check_password, parse_email},
};
use store::{Store, members, people, secret::Secret};

use super::{
    database::{Database, operator},
    serve::LINK_HOURS,
};
use crate::{config::Config, sign_in::hash_password, state::Clock};

/// What to do with an account.
#[derive(Debug, Subcommand)]
pub enum User {
    /// Add somebody to a project; prints a one-time link with which they choose a password.
    Add(Add),
    /// Give somebody a new password, or a one-time link to choose one; their sessions end.
    Passwd(Passwd),
}

/// Whom to add.
#[derive(Debug, Args)]
pub struct Add {
    /// Where they sign in with
    email: String,

    /// As people call them [default: what stands before the @]
    #[arg(long)]
    name: Option<String>,

    /// viewer, editor, approver or admin
    #[arg(long, default_value = "viewer")]
    role: Role,

    /// The project's address; may be left out where there is only one
    #[arg(long)]
    project: Option<String>,

    /// Read a password from standard input instead of printing a link
    #[arg(long)]
    password_stdin: bool,

    #[command(flatten)]
    database: Database,
}

/// Whose password.
#[derive(Debug, Args)]
pub struct Passwd {
    /// Where they sign in with
    email: String,

    /// Read the new password from standard input instead of printing a link
    #[arg(long)]
    password_stdin: bool,

    #[command(flatten)]
    database: Database,
}

/// Does it.
pub fn run(user: User) -> anyhow::Result<()> {
    match user {
        User::Add(add) => run_add(add),
        User::Passwd(passwd) => run_passwd(passwd),
    }
}

fn run_add(add: Add) -> anyhow::Result<()> {
    let password = read_password(add.password_stdin)?;
    let email = parse_email(&add.email).map_err(|words| anyhow!("{}: {words}", add.email))?;
    let name = add
        .name
        .unwrap_or_else(|| email.split('@').next().unwrap_or_default().to_owned());
    add.database
        .with_store(async move |store: Store, config: Config| {
            let clock = Clock::real();
            let operator = operator(&store, add.project.as_deref()).await?;
            let member =
                members::add(&store, &operator, &email, &name, add.role, clock.now()).await?;
            eprintln!("{} ({}) is {} now", member.name, member.email, member.role);
            if member.has_signed_up {
                eprintln!("They had an account already and keep their password.");
                return Ok(());
            }
            give(&store, &config, &clock, member.id, password).await
        })
}

fn run_passwd(passwd: Passwd) -> anyhow::Result<()> {
    let password = read_password(passwd.password_stdin)?;
    let email = parse_email(&passwd.email).map_err(|words| anyhow!("{}: {words}", passwd.email))?;
    passwd
        .database
        .with_store(async move |store: Store, config: Config| {
            let person = people::by_email(&store, &email)
                .await?
                .with_context(|| format!("nobody has an account as {email}"))?;
            give(&store, &config, &Clock::real(), person.id, password).await
        })
}

/// Sets the password, or prints a link with which the person chooses one. The link alone goes to
/// standard output, so that scripts can take it.
async fn give(
    store: &Store,
    config: &Config,
    clock: &Clock,
    person: PersonId,
    password: Option<String>,
) -> anyhow::Result<()> {
    if let Some(password) = password {
        let hash = hash_password(password).await?;
        people::set_password(store, person, &hash).await?;
        eprintln!("The password is set; sessions that were open have ended.");
        return Ok(());
    }
    let link = Secret::new_link()?;
    let expires_at = clock.now() + TimeDelta::hours(LINK_HOURS);
    people::keep_link(store, &link.hash(), Some(person), expires_at).await?;
    eprintln!("They choose a password within {LINK_HOURS} hours at");
    println!("{}/set-up/{}", config.public_url, link.reveal());
    Ok(())
}

/// The first line of standard input, checked before anything is written.
fn read_password(wanted: bool) -> anyhow::Result<Option<String>> {
    if !wanted {
        return Ok(None);
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    check_password(&password).map_err(|refusal| anyhow!("{refusal}"))?;
    Ok(Some(password))
}
