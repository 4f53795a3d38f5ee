//! Sends what webhooks are told. Each webhook is told one thing at a time by a task of its own, for
//! a turn: it ends with the first attempt that fails, and after a while in any case, and whoever
//! waited longest is next. So receivers that hang keep no other waiting, not even when there are
//! more of them than turns; what fails is tried again, for a day.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use domain::webhook::{
    self, Attempt, DELIVERY_HEADER, EVENT_HEADER, Outcome, SIGNATURE_HEADER, after,
};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use store::webhooks::queue::{self, Claimed, Due};
use tokio::task::JoinSet;

use super::{RETRY, Tools};
use crate::{
    llm::{
        keys::{self, ExposeSecret},
        retry::asked_wait,
    },
    outgoing::{Reply, Unsent},
};

/// How often it is looked whether something is due.
const LOOK: Duration = Duration::from_millis(500);
/// The most webhooks that are told something at a time.
const MOST: usize = 64;
/// The most of one project among them.
const MOST_PER_PROJECT: i64 = 8;
/// How long a turn lasts, if there is so much to tell; what is out then is waited for.
const TURN: Duration = Duration::from_secs(10);
/// How long a receiver may take, all in all.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a webhook is held without a sign of life: longer than a receiver may take.
const LEASE: TimeDelta = TimeDelta::seconds(30);
/// What is kept of an answer, in bytes: enough to see what the receiver did not like.
const MAX_ANSWER: usize = 500;

/// Delivers until the server is told to stop; what was out then is sent again by the next.
pub async fn keep_on(tools: Tools) {
    let mut tasks = JoinSet::new();
    loop {
        let room = i64::try_from(MOST.saturating_sub(tasks.len())).unwrap_or(0);
        let now = tools.clock.now();
        match queue::claim(&tools.store, room, MOST_PER_PROJECT, LEASE, now).await {
            Ok(claimed) => {
                for webhook in claimed {
                    tasks.spawn(drain(tools.clone(), webhook));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "webhooks wait for the database");
                if tools.rest(None, RETRY).await {
                    break;
                }
            }
        }
        tokio::select! {
            is_over = tools.rest(None, LOOK) => if is_over { break },
            Some(ended) = tasks.join_next() => if let Err(error) = ended {
                tracing::error!(%error, "a webhook's task broke");
            },
        }
    }
    while tasks.join_next().await.is_some() {}
}

/// Sends what is due for one webhook, in order, for a turn, and lets it go.
async fn drain(tools: Tools, claimed: Claimed) {
    let began = Instant::now();
    let done = async {
        let mut rests_until = None;
        while let Some(due) = queue::next(&tools.store, &claimed, LEASE, tools.clock.now()).await? {
            let sent = tokio::select! {
                () = tools.stopping.cancelled() => break,
                sent = send(&tools, &claimed, &due) => sent,
            };
            let is_heard = sent.outcome == Outcome::Delivered;
            rests_until = Some(webhook::rests_until(&sent.outcome, tools.clock.now()));
            finish(&tools, &claimed, &due, sent).await?;
            if !is_heard || began.elapsed() >= TURN {
                break;
            }
        }
        let then = rests_until.unwrap_or_else(|| tools.clock.now());
        queue::release(&tools.store, &claimed, then).await
    };
    if let Err(error) = done.await {
        tracing::warn!(webhook.id = %claimed.webhook, %error, "a webhook waits for the database");
    }
}

/// An attempt, as the log keeps it, and what it came to.
struct Sent {
    attempt: Attempt,
    outcome: Outcome,
}

async fn send(tools: &Tools, webhook: &Claimed, due: &Due) -> Sent {
    let at = tools.clock.now();
    let began = Instant::now();
    let result = post(tools, webhook, due, at.timestamp()).await;
    let mut attempt = Attempt {
        // Counted where it is written down.
        number: 0,
        at,
        duration_ms: i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX),
        status: None,
        error: None,
        answer: None,
    };
    let outcome = match result {
        Ok(reply) => {
            attempt.status = Some(reply.status.into());
            attempt.answer = said(&reply);
            match reply.status {
                200..=299 => Outcome::Delivered,
                300..=399 => {
                    let words = "it leads elsewhere, and redirects are not followed";
                    attempt.error = Some(words.to_owned());
                    Outcome::Failed { asked: None }
                }
                429 | 503 => {
                    let asked = asked_wait(&reply.headers, tools.clock.now());
                    Outcome::Failed {
                        asked: asked.and_then(|wait| TimeDelta::from_std(wait).ok()),
                    }
                }
                _ => Outcome::Failed { asked: None },
            }
        }
        Err(Unsent::Failed(words)) => {
            attempt.error = Some(words);
            Outcome::Failed { asked: None }
        }
        Err(Unsent::Refused(words)) => {
            attempt.error = Some(words.clone());
            Outcome::Refused(words)
        }
    };
    Sent { attempt, outcome }
}

async fn post(tools: &Tools, webhook: &Claimed, due: &Due, unix: i64) -> Result<Reply, Unsent> {
    let config = tools.doors.config();
    let owner = webhook.webhook.0.as_bytes();
    let secret =
        keys::open(config.secret_key.as_ref(), &webhook.sealed_secret, owner).map_err(|_| {
            Unsent::Failed(
                "its secret cannot be opened: CUELINE_SECRET_KEY is not the one it was saved with"
                    .to_owned(),
            )
        })?;
    let body = webhook::body(
        webhook.format,
        &due.happening,
        due.id,
        due.created_at,
        &config.public_url,
    )
    .to_string();
    let signature = webhook::sign(secret.expose_secret(), unix, &body);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in [
        (SIGNATURE_HEADER, signature),
        (DELIVERY_HEADER, due.id.to_string()),
        (EVENT_HEADER, due.happening.word().to_owned()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    tools
        .outgoing
        .post(
            &webhook.url,
            headers,
            body.into_bytes(),
            PATIENCE,
            MAX_ANSWER,
        )
        .await
}

/// What the receiver said, as text that Postgres can keep.
fn said(reply: &Reply) -> Option<String> {
    let text = String::from_utf8_lossy(&reply.body).replace('\0', "");
    let text = text.trim();
    let more = if reply.is_cut { "…" } else { "" };
    (!text.is_empty()).then(|| format!("{text}{more}"))
}

async fn finish(tools: &Tools, webhook: &Claimed, due: &Due, sent: Sent) -> store::Result<()> {
    let now = tools.clock.now();
    let attempt = u32::try_from(due.n_attempts).unwrap_or(0) + 1;
    let next = after(attempt, &sent.outcome, due.created_at, now, rand::random());
    if let webhook::Next::GiveUp(reason) = &next {
        tracing::warn!(webhook.id = %webhook.webhook, delivery.id = %due.id, reason, "a delivery was given up");
    }
    queue::finish(&tools.store, webhook, due, &sent.attempt, &next, now).await
}
