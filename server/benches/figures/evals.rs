//! How long a run of 1,000 cases takes, 32 at a time, with a provider that takes 20 ms to answer:
//! what storing every result costs beside the bare calls.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context;
use axum::{Json, Router, routing};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{load::Connection, percentile, print, world::World};

const CASES: usize = 1_000;
const AT_ONCE: usize = 32;
const DELAY: Duration = Duration::from_millis(20);
/// The first warms up.
const ROUNDS: usize = 6;

pub async fn measure(world: &World) -> anyhow::Result<()> {
    let provider = start_provider().await?;
    let suite = prepare(world, provider).await?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    // In turns, so that whatever else the machine does meets both.
    for round in 0..ROUNDS {
        let run = one_run(world, &suite).await?;
        let loop_alone = one_loop(provider).await?;
        if round > 0 {
            ours.push(run);
            bare.push(loop_alone);
        }
    }
    ours.sort_by(f64::total_cmp);
    bare.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let ideal = CASES as f64 / AT_ONCE as f64 * DELAY.as_secs_f64();
    let (ours, bare) = (percentile(&ours, 0.5), percentile(&bare, 0.5));
    print(
        &format!("eval run of {CASES} cases, launch to end, of the ideal {ideal:.3} s"),
        &format!("{:.2}", ours / ideal),
        "≤ 1.15",
    );
    print(
        "the same calls in a bare loop, of the ideal",
        &format!("{:.2}", bare / ideal),
        "",
    );
    Ok(())
}

/// Answers every completion with "yes" after the delay.
async fn start_provider() -> anyhow::Result<SocketAddr> {
    let answer = || async {
        tokio::time::sleep(DELAY).await;
        Json(json!({
            "id": "1", "object": "chat.completion", "model": "small-1", "system_fingerprint": "fp_1",
            "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": "yes" } }],
            "usage": { "prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 13 },
        }))
    };
    let router = Router::new().route("/v1/chat/completions", routing::post(answer));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// A provider, a prompt and a suite of so many cases; the suite's id.
async fn prepare(world: &World, provider: SocketAddr) -> anyhow::Result<String> {
    let new = json!({
        "name": "bench", "kind": "openai", "base_url": format!("http://{provider}/v1"),
        "max_concurrency": AT_ONCE,
    });
    ask(world, "POST", "/api/v1/providers", &new).await?;
    let new = json!({ "name": "bench/evals", "description": "", "tags": [] });
    ask(world, "POST", "/api/v1/prompts", &new).await?;
    let content = json!({
        "type": "chat",
        "messages": [{ "role": "user", "content": "Is this spam? <mail>{{mail}}</mail>" }],
        "variables": [{ "name": "mail", "type": "string", "max_length": 4000 }],
        "model": { "provider": "bench", "name": "small-1", "max_tokens": 8 },
    });
    let new = json!({ "content": content, "change_description": "First." });
    ask(
        world,
        "POST",
        "/api/v1/prompts/bench%2Fevals/versions",
        &new,
    )
    .await?;
    let new =
        json!({ "name": "bench", "prompt": "bench/evals", "scorers": [{ "type": "equals" }] });
    let suite = ask(world, "POST", "/api/v1/suites", &new).await?;
    let suite = suite["id"]
        .as_str()
        .context("the suite has no id")?
        .to_owned();
    let cases: Value = (0..CASES)
        .map(|number| json!({ "variables": { "mail": format!("mail {number}") }, "expected": "yes" }))
        .collect();
    ask(
        world,
        "POST",
        &format!("/api/v1/suites/{suite}/cases"),
        &cases,
    )
    .await?;
    Ok(suite)
}

/// Seconds from asking for a run to its end, as the server writes it down.
async fn one_run(world: &World, suite: &str) -> anyhow::Result<f64> {
    let began = world.clock.now();
    let new = json!({ "prompt": "bench/evals", "version": 1, "suite": suite });
    let run = ask(world, "POST", "/api/v1/runs", &new).await?;
    let path = format!(
        "/api/v1/runs/{}",
        run["id"].as_str().context("the run has no id")?
    );
    loop {
        // Seldom enough that looking costs the run nothing.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let run = ask(world, "GET", &path, &Value::Null).await?;
        if run["status"] == "completed" {
            anyhow::ensure!(run["passed"] == CASES, "not everything passed: {run}");
            let ended: chrono::DateTime<chrono::Utc> =
                serde_json::from_value(run["finished_at"].clone())?;
            return Ok((ended - began).as_seconds_f64());
        }
        anyhow::ensure!(
            run["status"] == "running" || run["status"] == "queued",
            "the run ended as {run}"
        );
    }
}

/// Seconds for the same calls with nothing around them.
async fn one_loop(provider: SocketAddr) -> anyhow::Result<f64> {
    let client = reqwest::Client::new();
    let url = format!("http://{provider}/v1/chat/completions");
    let began = Instant::now();
    let mut calls = futures::stream::iter(0..CASES)
        .map(|number| {
            let body = json!({
                "model": "small-1", "max_tokens": 8, "temperature": 0,
                "messages": [{ "role": "user", "content": format!("Is this spam? <mail>mail {number}</mail>") }],
            });
            let request = client.post(&url).json(&body);
            async move { request.send().await?.error_for_status()?.bytes().await }
        })
        .buffer_unordered(AT_ONCE);
    while let Some(answer) = calls.next().await {
        answer?;
    }
    Ok(began.elapsed().as_secs_f64())
}

async fn ask(world: &World, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        world.key,
        body.len()
    );
    let answer = Connection::open(world.address)
        .await?
        .ask(request.as_bytes())
        .await?;
    let text = String::from_utf8_lossy(&answer.body);
    anyhow::ensure!(
        answer.head.starts_with(b"HTTP/1.1 2"),
        "{method} {path}: {}{text}",
        String::from_utf8_lossy(&answer.head)
    );
    serde_json::from_slice(&answer.body).with_context(|| format!("{method} {path}: {text}"))
}
