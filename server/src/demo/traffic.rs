//! Live traffic for the demo's experiments, through the public interface only: visitors come, the
//! prompt is resolved for each, and what came of it is reported, as an application would.

use std::time::Duration;

use anyhow::Context;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    clients::Door,
    experiments::{self, Behaviour, ORDINARY},
};
use crate::sign_in::percent_encoded;

/// Between two groups of visitors, at least and at most, in milliseconds.
const PAUSE_MS: (u64, u64) = (400, 1_200);
/// So often it is asked which experiments run.
const ASK_AGAIN: u32 = 15;
/// Most visitors of one experiment at a time.
const MOST_VISITORS: usize = 3;

/// Starts it; it ends when the server does.
pub fn start(door: Door, stopping: &CancellationToken) {
    let stopping = stopping.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = stopping.cancelled() => {}
            () = keep_on(&door) => {}
        }
    });
}

async fn keep_on(door: &Door) {
    let mut dice = StdRng::from_os_rng();
    loop {
        if let Err(error) = some_rounds(door, &mut dice).await {
            let error = format!("{error:#}");
            tracing::debug!(error, "the demo's visitors were turned away");
        }
        tokio::time::sleep(Duration::from_millis(
            dice.random_range(PAUSE_MS.0..=PAUSE_MS.1),
        ))
        .await;
    }
}

async fn some_rounds(door: &Door, dice: &mut StdRng) -> anyhow::Result<()> {
    let running: Value = door
        .http
        .get(format!(
            "{}/api/v1/experiments?status=running&limit=200",
            door.url
        ))
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    let running = running["items"].as_array().context("which experiments?")?;
    for _ in 0..ASK_AGAIN {
        for experiment in running {
            for _ in 0..dice.random_range(0..=MOST_VISITORS) {
                visit(door, experiment, dice).await?;
            }
        }
        tokio::time::sleep(Duration::from_millis(
            dice.random_range(PAUSE_MS.0..=PAUSE_MS.1),
        ))
        .await;
    }
    Ok(())
}

/// One visitor. The server notes the exposure by itself when it resolves for a unit.
async fn visit(door: &Door, experiment: &Value, dice: &mut StdRng) -> anyhow::Result<()> {
    let text = |name: &str| {
        experiment[name]
            .as_str()
            .context("an incomplete experiment")
    };
    let (prompt, environment) = (text("prompt")?, text("environment")?);
    let unit = format!("visitor-{:08x}", dice.random::<u32>());
    let name = percent_encoded(prompt).replace('/', "%2F");
    let served: Value = door
        .http
        .get(format!(
            "{}/api/v1/prompts/{name}/resolve?environment={environment}&unit={unit}",
            door.url
        ))
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    let Some(arm) = served["experiment"]["arm"].as_str() else {
        // It ended meanwhile, or this visitor does not take part.
        return Ok(());
    };
    let Behaviour {
        rates, latency_ms, ..
    } = experiments::TALES
        .iter()
        .find(|tale| experiment["name"] == tale.name)
        .map_or(ORDINARY, |tale| tale.behaviour);
    let is_control = experiment["arms"][0]["name"] == arm;
    let which = usize::from(!is_control);
    let call = experiments::call(latency_ms[which], dice);
    let place = json!({
        "prompt": prompt, "version": served["version"], "environment": environment,
        "experiment": experiment["id"], "arm": arm, "unit": unit,
    });
    let events = json!([
        with(
            &place,
            json!({
                "id": Uuid::new_v4(), "type": "generation", "latency_ms": call.latency_ms, "ttft_ms": call.ttft_ms,
                "input_tokens": call.input_tokens, "output_tokens": call.output_tokens,
                "cache_read_tokens": call.cache_read_tokens, "cost_usd": call.cost_usd,
                "model": call.model, "error": call.error,
            })
        ),
        with(
            &place,
            json!({
                "id": Uuid::new_v4(), "type": "outcome", "metric": experiment["primary_metric"],
                "value": u8::from(dice.random_bool(rates[which])),
            })
        ),
    ]);
    door.http
        .post(format!("{}/api/v1/events", door.url))
        .json(&events)
        .send()
        .await?
        .error_for_status()?;
    Ok(())
}

/// Both objects' members.
fn with(place: &Value, more: Value) -> Value {
    let mut all = place.clone();
    if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
        all.extend(more);
    }
    all
}
