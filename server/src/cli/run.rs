//! `cueline run`: launches an eval and follows it to its end.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use domain::prompt::PromptName;
use serde_json::{Value, json};

use super::{
    client::Remote,
    follow::{Follower, Wait},
    gate,
};

/// What to run. Ends with 0 when the run is complete, with 1 when it failed or was cancelled, and
/// with 2 when that could not be found out.
#[derive(Debug, Args)]
pub struct Run {
    /// The prompt, such as support/triage
    #[arg(value_parser = PromptName::parse)]
    prompt: PromptName,

    /// The version
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..))]
    version: i32,

    /// The suite, by name or id
    #[arg(long)]
    suite: String,

    /// Only cases with one of these tags
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,

    /// At most so many cases: the smoke subset, or drawn by the seed
    #[arg(long)]
    limit: Option<u32>,

    /// How often each case is run
    #[arg(long, default_value = "1")]
    repeats: u32,

    /// The seed of the draw and of the model
    #[arg(long, default_value = "0")]
    seed: u32,

    /// In US dollars: no further call is made once it is spent
    #[arg(long)]
    budget_usd: Option<f64>,

    #[command(flatten)]
    wait: Wait,

    #[command(flatten)]
    remote: Remote,
}

/// Launches, follows and says what came of it.
pub async fn run(wanted: Run) -> anyhow::Result<ExitCode> {
    let api = wanted.remote.api()?;
    let body = json!({
        "prompt": wanted.prompt, "version": wanted.version, "suite": wanted.suite, "tags": wanted.tags,
        "limit": wanted.limit, "repeats": wanted.repeats, "seed": wanted.seed,
        "budget_usd": wanted.budget_usd,
    });
    let launched: Value = api.post("/runs", &body).await?;
    let id = launched["id"].as_str().context("the server named no run")?;
    let bar = gate::bar();
    let follower = Follower::new(&api, format!("/runs/{id}"), &wanted.wait);
    let run = follower
        .until(|run: &Value| {
            bar.set_length(run["total"].as_u64().unwrap_or_default());
            bar.set_position(run["done"].as_u64().unwrap_or_default());
            !matches!(run["status"].as_str(), Some("queued" | "running"))
        })
        .await?;
    bar.finish_and_clear();
    println!("{}", summary(&run));
    let is_complete = run["status"] == "completed";
    Ok(ExitCode::from(u8::from(!is_complete)))
}

fn summary(run: &Value) -> String {
    let percent = |value: &Value| {
        value.as_f64().map_or_else(
            || "none".to_owned(),
            |share| format!("{:.1} %", share * 100.0),
        )
    };
    let mut words = format!(
        "{}: {} of {} passed ({}, 95 % interval {} to {}), {} errors",
        run["status"].as_str().unwrap_or_default(),
        run["passed"],
        run["done"],
        percent(&run["pass_rate"]),
        percent(&run["interval"][0]),
        percent(&run["interval"][1]),
        run["errors"],
    );
    if let Some(cost) = run["cost_usd"].as_f64() {
        words.push_str(&format!(", ${cost:.4}"));
    }
    if let Some(why) = run["failure"].as_str() {
        words.push_str(&format!("\n{why}"));
    }
    words.push_str(&format!("\n{}", run["url"].as_str().unwrap_or_default()));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_summed_up_in_a_line() {
        let run = json!({
            "status": "completed", "passed": 9, "done": 10, "pass_rate": 0.9, "interval": [0.596, 0.982],
            "errors": 0, "cost_usd": 0.01234, "failure": null, "url": "https://x/p/a/runs/1",
        });
        assert_eq!(
            summary(&run),
            "completed: 9 of 10 passed (90.0 %, 95 % interval 59.6 % to 98.2 %), 0 errors, $0.0123\nhttps://x/p/a/runs/1"
        );
    }
}
