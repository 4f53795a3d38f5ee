//! The applications of the demo: real clients of the public interface, each with a stream of its
//! own over loopback, that put every deployment to use, confirm it, and resolve now and then.

use std::time::Duration;

use anyhow::{Context, ensure};
use futures::StreamExt;
use rand::seq::IteratorRandom;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{CLIENTS, Client};
use crate::sign_in::percent_encoded;

/// How soon a client comes back after its stream ended, at least and at most, in milliseconds.
const COME_BACK_MS: (u64, u64) = (200, 1_500);
/// How long a client is busy between two looks at a prompt, at least and at most, in milliseconds.
const BUSY_MS: (u64, u64) = (2_000, 15_000);

/// How the clients reach the server.
#[derive(Clone)]
pub struct Door {
    /// Sends the key with every request.
    pub http: reqwest::Client,
    /// The server's address, without a last `/`.
    pub url: String,
}

/// Starts all of them; they end when the server does.
pub fn start(door: &Door, stopping: &CancellationToken) {
    for client in CLIENTS {
        let (door, stopping) = (door.clone(), stopping.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = work(&door, client) => {}
            }
        });
    }
}

async fn work(door: &Door, client: Client) {
    loop {
        if let Err(error) = follow(door, client).await {
            tracing::debug!(
                client = client.consumer,
                error = format!("{error:#}"),
                "a demo client lost its stream"
            );
        }
        pause(COME_BACK_MS).await;
    }
}

async fn pause((least, most): (u64, u64)) {
    tokio::time::sleep(Duration::from_millis(rand::random_range(least..=most))).await;
}

/// Holds one stream until it ends.
async fn follow(door: &Door, client: Client) -> anyhow::Result<()> {
    let response = door
        .http
        .get(format!(
            "{}/api/v1/stream?environment={}&consumer={}",
            door.url, client.environment, client.consumer
        ))
        .send()
        .await?
        .error_for_status()?;
    let mut bytes = response.bytes_stream();
    let mut events = Events::default();
    let mut prompts = Vec::new();
    loop {
        tokio::select! {
            chunk = bytes.next() => {
                events.push(&chunk.context("the server closed the stream")??);
                while let Some(event) = events.next() {
                    take(door, client, &event, &mut prompts).await?;
                }
            }
            () = pause(BUSY_MS) => {
                let prompt = prompts.iter().choose(&mut rand::rng()).cloned();
                if let Some(prompt) = prompt {
                    resolve(door, client, &prompt).await?;
                }
            }
        }
    }
}

async fn take(
    door: &Door,
    client: Client,
    event: &Event,
    prompts: &mut Vec<String>,
) -> anyhow::Result<()> {
    match event.kind.as_str() {
        "snapshot" => {
            if let Some(served) = event.data["prompts"].as_object() {
                *prompts = served.keys().cloned().collect();
            }
        }
        "deployment" => {
            let prompt = event.data["prompt"].as_str().context("which prompt?")?;
            if !prompts.iter().any(|known| known == prompt) {
                prompts.push(prompt.to_owned());
            }
            resolve(door, client, prompt).await?;
            pause(client.takes_ms).await;
            let word = json!({
                "consumer": client.consumer,
                "deployment_id": event.data["deployment_id"],
            });
            door.http
                .post(format!("{}/api/v1/stream/ack", door.url))
                .json(&word)
                .send()
                .await?
                .error_for_status()?;
        }
        _ => {}
    }
    Ok(())
}

async fn resolve(door: &Door, client: Client, prompt: &str) -> anyhow::Result<()> {
    let name = percent_encoded(prompt).replace('/', "%2F");
    let answer: Value = door
        .http
        .get(format!(
            "{}/api/v1/prompts/{name}/resolve?environment={}",
            door.url, client.environment
        ))
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    ensure!(answer["name"] == prompt, "that was another prompt");
    Ok(())
}

/// A message of the stream.
#[derive(Debug, PartialEq)]
struct Event {
    kind: String,
    data: Value,
}

/// Puts messages together from the bytes as they arrive.
#[derive(Default)]
struct Events {
    bytes: Vec<u8>,
}

impl Events {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message; comments and others without JSON are left out.
    fn next(&mut self) -> Option<Event> {
        loop {
            let end = self.bytes.windows(2).position(|pair| pair == b"\n\n")?;
            let text: Vec<u8> = self.bytes.drain(..end + 2).collect();
            let text = String::from_utf8_lossy(&text);
            let field = |name: &str| {
                text.lines()
                    .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                    .map(str::trim_start)
            };
            let data = field("data").and_then(|data| serde_json::from_str(data).ok());
            if let (Some(kind), Some(data)) = (field("event"), data) {
                return Some(Event {
                    kind: kind.to_owned(),
                    data,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_put_together_from_any_pieces() {
        let stream = b":\n\nevent: snapshot\nid: 7\ndata: {\"prompts\":{\"a/b\":3}}\n\n: beat\n\nevent: deployment\ndata: {\"prompt\":\"a/b\"}\n\n";
        for size in [1, 3, 1_000] {
            let mut events = Events::default();
            let mut seen = Vec::new();
            for piece in stream.chunks(size) {
                events.push(piece);
                while let Some(event) = events.next() {
                    seen.push(event);
                }
            }
            let kinds: Vec<&str> = seen.iter().map(|event| event.kind.as_str()).collect();
            assert_eq!(kinds, ["snapshot", "deployment"]);
            assert_eq!(seen[0].data["prompts"]["a/b"], 3);
        }
    }
}
