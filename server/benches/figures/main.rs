//! The figures that the product promises, each measured against something on this machine in the
//! same run: machines differ, ratios stay. `make bench` runs it; arguments choose some of them.

mod evals;
mod events;
mod load;
mod memory;
mod pages;
mod push;
mod resolve;
mod seed;
mod size;
mod world;

use std::path::Path;

use anyhow::Context;
use server::postgres::{self, Cluster};

const ALL: [&str; 9] = [
    "size",
    "resolve",
    "rollback",
    "push",
    "evals",
    "ingestion",
    "results",
    "pages",
    "memory",
];

fn main() -> anyhow::Result<()> {
    postgres::exec_if_asked();
    // cargo adds `--bench`; `cargo test --benches` must not run minutes of load.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let wanted: Vec<&str> = ALL
        .into_iter()
        .filter(|name| {
            arguments.iter().all(|argument| argument.starts_with("--"))
                || arguments.iter().any(|argument| argument == name)
        })
        .collect();

    let folder = std::env::temp_dir().join(format!("cueline-bench-{}", std::process::id()));
    let cluster = Cluster::start_through(env!("CARGO_BIN_EXE_cueline").into(), &folder)
        .context("the embedded Postgres does not start")?;
    let done = cluster
        .keep_alive_during(|url| tokio::runtime::Runtime::new()?.block_on(run(&wanted, &url)));
    std::fs::remove_dir_all(&folder)?;
    done?
}

async fn run(wanted: &[&str], url: &str) -> anyhow::Result<()> {
    println!("{:<58} {:>12} {:>12}", "figure", "measured", "aim");
    if wanted.contains(&"size") {
        size::measure(Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../target/site"
        )))?;
    }
    let world = world::World::start(url).await?;
    if wanted.contains(&"resolve") {
        resolve::measure(&world).await?;
    }
    if wanted.contains(&"rollback") {
        push::measure_rollback(&world).await?;
    }
    if wanted.contains(&"push") {
        push::measure_push(&world).await?;
    }
    if wanted.contains(&"evals") {
        evals::measure(&world).await?;
    }
    if wanted.contains(&"ingestion") {
        events::measure_ingestion(url, &world).await?;
    }
    if wanted.contains(&"results") {
        events::measure_results(url, &world).await?;
    }
    if wanted.iter().any(|name| ["pages", "memory"].contains(name)) {
        seed::many_prompts(url, &world).await?;
    }
    if wanted.contains(&"pages") {
        pages::measure(&world).await?;
    }
    if wanted.contains(&"memory") {
        memory::measure(url, &world).await?;
    }
    Ok(())
}

/// One line of the table.
pub fn print(figure: &str, measured: &str, aim: &str) {
    println!("{figure:<58} {measured:>12} {aim:>12}");
}

/// The value below which the share of all lies.
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index"
    )]
    let at = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len()) - 1;
    sorted[at]
}
