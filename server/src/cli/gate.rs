//! `cueline gate`: what continuous integration asks before a prompt goes on.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Args;
use domain::{gate::Verdict, prompt::PromptName};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use super::{
    client::{Api, Remote},
    files,
    follow::{Follower, Wait},
    report::{Format, Found},
};

/// What to hold against what serves production. Ends with 0 when it passes, 1 when it fails, 2
/// when it could not be found out, 3 when it cannot be told: the run was too small, or broke.
#[derive(Debug, Args)]
pub struct Gate {
    /// The prompt, such as support/triage
    #[arg(value_parser = PromptName::parse)]
    prompt: PromptName,

    /// A prompt's file as `cueline pull` writes it, which need not be saved yet
    #[arg(long, conflicts_with = "version", required_unless_present = "version")]
    file: Option<PathBuf>,

    /// A saved version
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..))]
    version: Option<i32>,

    /// The suite, by name or id [default: the one that is set for production]
    #[arg(long)]
    suite: Option<String>,

    /// `strict`: not below the baseline; `statistical`: no significant loss
    #[arg(long, value_parser = ["strict", "statistical"])]
    mode: Option<String>,

    /// The lowest pass rate, 0 to 1
    #[arg(long)]
    floor: Option<f64>,

    /// The error rate of the test for a loss
    #[arg(long)]
    alpha: Option<f64>,

    /// The drop in pass rate that `statistical` can live with, 0 to 1
    #[arg(long)]
    tolerated_drop: Option<f64>,

    /// Only cases with one of these tags
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,

    /// How the verdict is written
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    #[command(flatten)]
    wait: Wait,

    #[command(flatten)]
    remote: Remote,
}

impl Gate {
    fn question(&self) -> anyhow::Result<Value> {
        let mut body = json!({ "prompt": self.prompt });
        if let Some(version) = self.version {
            body["version"] = json!(version);
        }
        if let Some(path) = &self.file {
            let file = files::read(path)?;
            anyhow::ensure!(
                file.name == self.prompt,
                "{} holds {}, not {}",
                path.display(),
                file.name,
                self.prompt
            );
            body["content"] = json!(file.content().with_context(|| path.display().to_string())?);
        }
        if let Some(suite) = &self.suite {
            body["suite"] = json!(suite);
        }
        let policy = self.policy();
        if !policy.is_empty() {
            body["policy"] = Value::Object(policy);
        }
        Ok(body)
    }

    /// Only what was said: the rest is the server's.
    fn policy(&self) -> Map<String, Value> {
        let mut policy = Map::new();
        if let Some(mode) = &self.mode {
            policy.insert("mode".to_owned(), json!(mode));
        }
        let numbers = [
            ("floor", self.floor),
            ("alpha", self.alpha),
            ("tolerated_drop", self.tolerated_drop),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                policy.insert(name.to_owned(), json!(number));
            }
        }
        if !self.tags.is_empty() {
            policy.insert("tags".to_owned(), json!(self.tags));
        }
        policy
    }
}

/// Asks, waits and says.
pub async fn run(wanted: Gate) -> anyhow::Result<ExitCode> {
    let body = wanted.question()?;
    let api = wanted.remote.api()?;
    let asked: Value = api.post("/gate", &body).await?;
    let id = asked["id"].as_str().context("the server named no gate")?;
    let follower = Follower::new(&api, format!("/gate/{id}"), &wanted.wait);
    let found = follow(&follower).await?;
    let results = match wanted.format {
        Format::Junit => results(&api, id).await?,
        Format::Text | Format::Json | Format::Markdown => Vec::new(),
    };
    let report = Found::read(&found)?;
    print!("{}", report.write(wanted.format, &found, &results)?);
    Ok(match report.verdict {
        Verdict::Pass => ExitCode::SUCCESS,
        Verdict::Fail => ExitCode::from(1),
        Verdict::Inconclusive => ExitCode::from(3),
    })
}

/// Waits for the verdict; a bar says how far it is where somebody looks.
async fn follow(follower: &Follower<'_>) -> anyhow::Result<Value> {
    let bar = bar();
    let found = follower
        .until(|found: &Value| {
            bar.set_length(found["total"].as_u64().unwrap_or_default());
            bar.set_position(found["done"].as_u64().unwrap_or_default());
            !found["verdict"].is_null()
        })
        .await?;
    bar.finish_and_clear();
    Ok(found)
}

/// A bar on the terminal; nothing where standard error is none.
pub fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len} calls, {eta} left") {
        bar.set_style(style);
    }
    bar
}

/// All results of a run.
pub async fn results(api: &Api, run: &str) -> anyhow::Result<Vec<Value>> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/runs/{run}/results?limit=200&cursor={cursor}");
        let mut page: Value = api.get(&path).await?;
        if let Value::Array(items) = page["items"].take() {
            all.extend(items);
        }
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => return Ok(all),
        }
    }
}
