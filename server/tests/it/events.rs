//! Events through the public door: what is taken, what is not and why, and that results follow.

use axum::{body::Body, http::Method};
use chrono::TimeDelta;
use domain::{actor::Scope, id::ExperimentId};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::support::{Answer, Client, TestApp, TestProject, experiments};

const EVENTS: &str = "/api/v1/events";

async fn post(client: &Client, body: impl Into<Body>) -> Answer {
    client.send(Method::POST, EVENTS, body.into()).await
}

/// An experiment that runs on `triage` in production, with the arms A and B.
async fn running(acme: &TestProject<'_>) -> Uuid {
    acme.prompt("triage")
        .says("one")
        .says("two")
        .serves("production", 1)
        .create()
        .await;
    experiments::running(acme, "triage").await
}

fn exposure(x: Uuid, unit: &str, arm: &str) -> Value {
    json!({ "id": Uuid::new_v4(), "type": "exposure", "experiment": x, "unit": unit, "arm": arm })
}

fn outcome(x: Uuid, unit: &str) -> Value {
    json!({ "id": Uuid::new_v4(), "type": "outcome", "experiment": x, "unit": unit, "metric": "resolved", "value": 1 })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;

    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn bad_rows_are_rejected_with_their_reason_and_the_rest_is_kept(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let x = running(&acme).await;
    let key = acme.key(&[Scope::EventsWrite]).await;
    let id = Uuid::new_v4();
    let ahead = app.now() + TimeDelta::hours(1);
    let body = format!(
        "[{good},{good},{{\"id\":\"{id}\",\"type\":\"outcome\",\"value\":NaN}},{{\"id\":\"{id}\",\"value\":1e999}},7,{ahead},{arm},{unknown},{last}]",
        good = exposure(x, "u1", "A"),
        ahead = json!({ "id": id, "type": "generation", "prompt": "triage", "at": ahead }),
        arm = exposure(x, "u1", "C"),
        unknown = json!({ "id": id, "type": "generation", "prompt": "nothing" }),
        last = outcome(x, "u1"),
    );
    let answer = post(&key, body).await.accepted();
    assert_eq!(
        (&answer["accepted"], &answer["duplicates"]),
        (&json!(2), &json!(1))
    );
    let rejected: Vec<(u64, &str)> = answer["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let reason = one["reason"].as_str().unwrap();
            (
                one["index"].as_u64().unwrap(),
                // Where in the row the JSON ends being JSON is serde_json's business.
                reason.split_once(": expected").map_or(reason, |(is, _)| is),
            )
        })
        .collect();
    assert_eq!(
        rejected,
        [
            (2, "is not JSON"),
            (3, "is not JSON: number out of range at line 1 column 58"),
            (4, "must be a JSON object"),
            (5, "at: lies in the future"),
            (6, "arm: the experiment has the arms A, B"),
            (7, "prompt: there is no such prompt"),
        ]
    );
    assert_eq!(app.count("event").await, 2);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn lines_work_like_an_array_and_limits_hold(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let x = running(&acme).await;
    let key = acme.key(&[Scope::EventsWrite]).await;
    let lines = format!("{}\n{{\n\n{}\n", exposure(x, "u1", "A"), outcome(x, "u1"));
    let answer = post(&key, lines.clone()).await.accepted();
    assert_eq!(answer["accepted"], 2);
    assert_eq!(answer["rejected"][0]["index"], 1);
    let answer = post(&key, lines).await.accepted();
    assert_eq!(
        (&answer["accepted"], &answer["duplicates"]),
        (&json!(0), &json!(2))
    );

    let before = app.count("event").await;
    let row = exposure(x, "u2", "A").to_string();
    let many = format!("[{}]", vec![row.as_str(); 10_001].join(","));
    post(&key, many).await.problem(413, "too_large");
    post(&key, vec![b' '; 5 * 1024 * 1024 + 1])
        .await
        .problem(413, "too_large");
    for malformed in ["", "[{}", "[{},]", "[{}] x"] {
        post(&key, malformed)
            .await
            .problem(400, "malformed_request");
    }
    post(&key, b"\xff".to_vec())
        .await
        .problem(400, "malformed_request");
    let packed = key.clone().with("content-encoding", "gzip");
    post(&packed, "[]").await.problem(400, "malformed_request");
    // A few kilobytes that unpack to more than a request may hold.
    post(&packed, gzip(&vec![b' '; 5 * 1024 * 1024 + 1]))
        .await
        .problem(413, "too_large");
    let otherwise = key.clone().with("content-encoding", "br");
    post(&otherwise, "[]")
        .await
        .problem(415, "encoding_not_supported");
    assert_eq!(app.count("event").await, before);
    post(&key, "[]").await.accepted();
    let answer = post(&packed, gzip(format!("[{row}]").as_bytes())).await;
    assert_eq!(answer.accepted()["accepted"], 1);
    let reader = acme.key(&[Scope::PromptsRead]).await;
    post(&reader, "[]").await.problem(403, "forbidden");
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn results_and_pages_follow_within_a_second(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let x = running(&acme).await;
    let key = acme.key(&[Scope::EventsWrite]).await;
    let mut heard = app.state().live.follow(acme.id(), None).receiver;
    let begun = std::time::Instant::now();
    let sent: Vec<Value> = (0..40)
        .flat_map(|n| {
            let unit = format!("u{n}");
            let arm = if n % 2 == 0 { "A" } else { "B" };
            [outcome(x, &unit), exposure(x, &unit, arm)]
        })
        .collect();
    key.post(EVENTS, &json!(sent)).await.accepted();
    loop {
        let message = tokio::time::timeout(std::time::Duration::from_secs(5), heard.recv());
        if matches!(
            *message.await.unwrap().unwrap(),
            server::live::Message::Results
        ) {
            break;
        }
    }
    let took = begun.elapsed();
    let found = store::events::observed(&app.state().store, ExperimentId(x))
        .await
        .unwrap();
    assert_eq!((found.units(), found.arms[1].successes), (40, 20));
    // Debug builds on busy machines are given some room.
    assert!(took.as_millis() < 2_500, "{took:?}");
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn another_project_is_unknown(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let x = running(&acme).await;
    let other = app.project("other").await;
    let key = other.key(&[Scope::EventsWrite]).await;
    let prompt = json!({ "id": Uuid::new_v4(), "type": "generation", "prompt": "triage" });
    let answer = key
        .post(EVENTS, &json!([exposure(x, "u", "A"), prompt]))
        .await
        .accepted();
    assert_eq!(answer["accepted"], 0);
    let reason = |index: usize| answer["rejected"][index]["reason"].as_str().unwrap();
    assert_eq!(reason(0), "experiment: there is no such experiment");
    assert_eq!(reason(1), "prompt: there is no such prompt");
    app.stop().await;
}
