//! A stream of events, read as they come.

use std::time::Duration;

use axum::{
    body::{Body, BodyDataStream},
    http::Method,
};
use futures::StreamExt;
use serde_json::Value;

use super::Client;

/// One thing heard on a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// An event.
    Event {
        event: String,
        id: Option<String>,
        data: Value,
    },
    /// A comment, which keeps the connection open.
    Comment,
    /// The stream ended.
    End,
}

/// An open stream.
pub struct Events {
    frames: BodyDataStream,
    buffer: String,
}

impl Events {
    /// Opens a stream; it must be there.
    pub async fn open(client: &Client, path: &str) -> Self {
        let response = client.open(Method::GET, path, Body::empty()).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            frames: response.into_body().into_data_stream(),
            buffer: String::new(),
        }
    }

    /// Whatever comes next.
    pub async fn next(&mut self) -> Heard {
        tokio::time::timeout(Duration::from_secs(20), self.read())
            .await
            .expect("something is heard within twenty seconds")
    }

    async fn read(&mut self) -> Heard {
        loop {
            if let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.buffer = rest;
                return heard(&block);
            }
            match self.frames.next().await {
                Some(frame) => {
                    let frame = frame.unwrap();
                    self.buffer.push_str(std::str::from_utf8(&frame).unwrap());
                }
                None => return Heard::End,
            }
        }
    }

    /// The next event, which must be of this kind: its id and what it says.
    pub async fn expect(&mut self, kind: &str) -> (String, Value) {
        match self.next().await {
            Heard::Event { event, id, data } if event == kind => (id.unwrap_or_default(), data),
            other => panic!("expected {kind}, heard {other:?}"),
        }
    }

    /// Nothing is waiting to be heard.
    pub async fn is_silent(&mut self) -> bool {
        tokio::time::timeout(Duration::from_millis(150), self.read())
            .await
            .is_err()
    }
}

fn heard(block: &str) -> Heard {
    let field = |name: &str| {
        block
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").or(Some("")))
    };
    if block.lines().all(|line| line.starts_with(':')) {
        return Heard::Comment;
    }
    Heard::Event {
        event: field("event").unwrap_or("message").to_owned(),
        id: field("id").map(str::to_owned),
        data: serde_json::from_str(field("data").unwrap_or("null")).unwrap(),
    }
}
