//! `cueline rollback`: one command at three in the morning, and the proof that everybody has it.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use clap::Args;
use domain::prompt::{PRODUCTION, PromptName};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::client::{Api, Remote, prompt};

/// How long clients are waited for.
const FOLLOW: Duration = Duration::from_secs(10);
/// How often the server is asked how far it has come.
const PAUSE: Duration = Duration::from_millis(150);

/// What to roll back.
#[derive(Debug, Args)]
pub struct Rollback {
    /// The prompt, such as support/triage
    #[arg(value_parser = PromptName::parse)]
    prompt: PromptName,

    /// Where
    #[arg(long, default_value = PRODUCTION)]
    environment: String,

    /// A version that served there before [default: the one that served last]
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(i32).range(1..))]
    to: Option<i32>,

    /// Why, for the audit trail
    #[arg(long, default_value = "")]
    reason: String,

    #[command(flatten)]
    remote: Remote,
}

/// What the server answers to a rollback.
#[derive(Deserialize)]
struct Deployment {
    #[serde(rename = "deployment_id")]
    id: String,
    version: i32,
    from_version: Option<i32>,
    n_clients: usize,
}

/// How far a deployment has come.
#[derive(Deserialize)]
struct Reached {
    propagation: Propagation,
}

#[derive(Default, Deserialize)]
struct Propagation {
    n_clients: usize,
    n_confirmed: usize,
    complete: bool,
    slowest_ms: Option<i64>,
    clients: Vec<Client>,
}

#[derive(Deserialize)]
struct Client {
    consumer: String,
    confirmed_at: Option<String>,
    connected: bool,
}

/// Does it. Once the server has answered, production is rolled back whatever follows.
pub async fn run(wanted: Rollback) -> anyhow::Result<()> {
    let api = wanted.remote.api()?;
    let body = json!({
        "environment": wanted.environment,
        "to_version": wanted.to,
        "reason": wanted.reason,
    });
    let path = format!("{}/rollback", prompt(&wanted.prompt));
    let deployment: Deployment = api.post(&path, &body).await?;
    let from = deployment
        .from_version
        .map(|version| format!("v{version} → "));
    println!(
        "{}v{} for {} in {}",
        from.unwrap_or_default(),
        deployment.version,
        clients(deployment.n_clients),
        wanted.environment
    );
    if let Err(error) = follow(&api, &deployment.id).await {
        eprintln!("It is rolled back, but who has it cannot be followed: {error:#}");
    }
    Ok(())
}

/// Watches until every client that can answer has it.
async fn follow(api: &Api, deployment: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    let shows = std::io::stderr().is_terminal();
    loop {
        let Reached { propagation } = api.get(&format!("/deployments/{deployment}")).await?;
        if shows {
            eprint!("\r{}", progress(&propagation));
            std::io::stderr().flush()?;
        }
        if propagation.complete || begun.elapsed() > FOLLOW {
            if shows {
                // Over the progress, which is longer than nothing.
                eprint!("\r\x1b[K");
            }
            println!("{}", outcome(&propagation));
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn clients(n_clients: usize) -> String {
    match n_clients {
        1 => "1 client".to_owned(),
        n_clients => format!("{n_clients} clients"),
    }
}

fn progress(propagation: &Propagation) -> String {
    const WIDTH: usize = 24;
    let done = (WIDTH * propagation.n_confirmed)
        .checked_div(propagation.n_clients)
        .unwrap_or(WIDTH);
    format!(
        "{}{} {}/{} confirmed",
        "█".repeat(done),
        "░".repeat(WIDTH - done),
        propagation.n_confirmed,
        propagation.n_clients
    )
}

fn outcome(propagation: &Propagation) -> String {
    if propagation.n_clients == 0 {
        return "No client is connected; whoever connects gets it.".to_owned();
    }
    let mut words = format!(
        "{} of {} confirmed",
        propagation.n_confirmed,
        clients(propagation.n_clients)
    );
    if let Some(slowest) = propagation.slowest_ms {
        words = format!("{words}, the slowest after {slowest} ms");
    }
    let (waiting, gone): (Vec<&Client>, Vec<&Client>) = propagation
        .clients
        .iter()
        .filter(|client| client.confirmed_at.is_none())
        .partition(|client| client.connected);
    for (what, missing) in [
        ("Not confirmed", waiting),
        ("Gone before they could confirm", gone),
    ] {
        if !missing.is_empty() {
            let names: Vec<&str> = missing
                .iter()
                .map(|client| client.consumer.as_str())
                .collect();
            words = format!("{words}\n{what}: {}", names.join(", "));
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(consumer: &str, confirmed: bool, connected: bool) -> Client {
        Client {
            consumer: consumer.to_owned(),
            confirmed_at: confirmed.then(|| "2026-03-14T09:26:53Z".to_owned()),
            connected,
        }
    }

    #[test]
    fn who_is_missing_is_named() {
        let propagation = Propagation {
            n_clients: 3,
            n_confirmed: 1,
            complete: false,
            slowest_ms: Some(212),
            clients: vec![
                client("api-1", true, true),
                client("api-2", false, true),
                client("api-3", false, false),
            ],
        };
        assert_eq!(
            outcome(&propagation),
            "1 of 3 clients confirmed, the slowest after 212 ms\n\
             Not confirmed: api-2\nGone before they could confirm: api-3"
        );
        assert!(progress(&propagation).ends_with("░ 1/3 confirmed"));
        assert!(outcome(&Propagation::default()).starts_with("No client"));
        assert!(progress(&Propagation::default()).ends_with("█ 0/0 confirmed"));
    }
}
