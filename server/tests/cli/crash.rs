//! `kill -9`: what was acknowledged is there afterwards, and nothing is there twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use axum::Json;
use serde_json::{Value, json};

use crate::support::{Api, Demo, Folder, KEY, demo};

/// A model that says again what it hears, after a while; counts what it is asked.
async fn start_echo(n_asked: Arc<AtomicUsize>) -> String {
    let answer = move |Json(body): Json<Value>| {
        n_asked.fetch_add(1, Ordering::SeqCst);
        async move {
            tokio::time::sleep(Duration::from_millis(80)).await;
            let text = body["messages"][0]["content"].clone();
            Json(json!({
                "model": "echo", "usage": { "prompt_tokens": 1, "completion_tokens": 1 },
                "choices": [{ "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }],
            }))
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().fallback(axum::routing::post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

/// `kill -9` at ten moments of a run: each time it goes on where it was, and in the end there is
/// exactly one result for each case.
#[test]
fn a_run_survives_a_server_that_is_killed_again_and_again() {
    const N_CASES: usize = 500;
    let folder = Folder::new("crash");
    let start = || {
        let mut command = demo(&folder.0);
        command
            .env("CUELINE_DEMO_API_KEY", KEY)
            .env("CUELINE_LEASE_SECONDS", "1");
        Demo::start(command)
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let n_asked = Arc::new(AtomicUsize::new(0));
    let provider = runtime.block_on(start_echo(Arc::clone(&n_asked)));

    let mut running = start();
    let run = runtime.block_on(async {
        let api = Api::of(&running);
        api.post("/providers", json!({ "name": "echo", "kind": "openai", "base_url": provider })).await;
        api.post("/prompts", json!({ "name": "crash/echo" })).await;
        let content = json!({
            "type": "text", "messages": [{ "role": "user", "content": "{{text}}" }],
            "variables": [{ "name": "text", "type": "string", "max_length": 100 }],
            "model": { "provider": "echo", "name": "echo" },
        });
        api.post("/prompts/crash%2Fecho/versions", json!({ "content": content })).await;
        let suite = json!({ "name": "crash", "prompt": "crash/echo", "scorers": [{ "type": "equals" }] });
        let suite = api.post("/suites", suite).await;
        let cases: Vec<Value> = (0..N_CASES)
            .map(|n| json!({ "variables": { "text": format!("case {n}") }, "expected": format!("case {n}") }))
            .collect();
        api.post(&format!("/suites/{}/cases", suite["id"].as_str().unwrap()), json!(cases)).await;
        let launch = json!({ "prompt": "crash/echo", "version": 1, "suite": "crash" });
        let run = api.post("/runs", launch).await;
        run["id"].as_str().unwrap().to_owned()
    });

    for _ in 0..10 {
        let moment = Duration::from_millis(100 + rand::random::<u64>() % 500);
        thread::sleep(moment);
        running.child.kill().unwrap();
        running.child.wait().unwrap();
        running = start();
    }

    runtime.block_on(async {
        let api = Api::of(&running);
        let begun = Instant::now();
        let ended = loop {
            let found = api.get(&format!("/runs/{run}")).await;
            if found["status"] == "completed" || begun.elapsed() > Duration::from_mins(1) {
                break found;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        assert_eq!(
            (&ended["status"], &ended["done"]),
            (&json!("completed"), &json!(N_CASES))
        );
        let mut cases = BTreeSet::new();
        let mut cursor = String::new();
        loop {
            let page = api
                .get(&format!("/runs/{run}/results?limit=200&cursor={cursor}"))
                .await;
            for result in page["items"].as_array().unwrap() {
                assert_eq!(result["passed"], true, "{result}");
                assert!(
                    cases.insert(result["case"].to_string()),
                    "{result} is there twice"
                );
            }
            match page["next_cursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        assert_eq!(cases.len(), N_CASES);
    });
    // What was finished is not asked again: only what was out at a kill is.
    let n_asked = n_asked.load(Ordering::SeqCst);
    assert!(
        n_asked <= N_CASES + 10 * 16,
        "{n_asked} calls for {N_CASES} cases"
    );
}

/// Writers that keep sending while the server is killed under them: what was answered with 202 is
/// there afterwards, and what was not counts once when it is sent again.
#[test]
fn no_acknowledged_event_is_lost_when_the_server_is_killed() {
    const N_WRITERS: usize = 4;
    const N_BATCHES: usize = 30;
    let folder = Folder::new("events");
    let start = || {
        let mut command = demo(&folder.0);
        command.env("CUELINE_DEMO_API_KEY", KEY);
        Demo::start(command)
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut running = start();
    let (experiment, before) = runtime.block_on(async {
        let api = Api::of(&running);
        let found = api.get("/experiments?status=running").await;
        let found = found["items"].as_array().unwrap();
        let found = found
            .iter()
            .find(|one| one["name"] == "Shorter subject lines")
            .unwrap();
        let id = found["id"].as_str().unwrap().to_owned();
        (id.clone(), n_units(&api, &id).await)
    });
    let batches: Vec<Value> = (0..N_WRITERS * N_BATCHES)
        .map(|batch| {
            let event = |n: usize| {
                json!({
                    "id": uuid::Uuid::new_v4(), "type": "exposure", "experiment": experiment,
                    "unit": format!("crash-{batch}-{n}"), "arm": "today",
                })
            };
            (0..20).map(event).collect()
        })
        .collect();
    let batches = Arc::new(batches);

    // The address changes with every start.
    let url = Arc::new(std::sync::Mutex::new(running.url()));
    let writers: Vec<_> = (0..N_WRITERS)
        .map(|writer| {
            let (batches, url) = (Arc::clone(&batches), Arc::clone(&url));
            runtime.spawn(async move {
                let http = reqwest::Client::new();
                let mut acknowledged = Vec::new();
                for place in (writer * N_BATCHES)..((writer + 1) * N_BATCHES) {
                    let url = url.lock().unwrap().clone();
                    let request = http
                        .post(format!("{url}/api/v1/events"))
                        .bearer_auth(KEY)
                        .json(&batches[place]);
                    match request.send().await {
                        Ok(answer) if answer.status() == 202 => acknowledged.push(place),
                        Ok(_) | Err(_) => {}
                    }
                    tokio::time::sleep(Duration::from_millis(60)).await;
                }
                acknowledged
            })
        })
        .collect();
    for _ in 0..3 {
        thread::sleep(Duration::from_millis(150 + rand::random::<u64>() % 300));
        running.child.kill().unwrap();
        running.child.wait().unwrap();
        running = start();
        *url.lock().unwrap() = running.url();
    }

    runtime.block_on(async {
        let mut acknowledged = BTreeSet::new();
        for writer in writers {
            acknowledged.extend(writer.await.unwrap());
        }
        assert!(!acknowledged.is_empty() && acknowledged.len() < batches.len());
        let api = Api::of(&running);
        for (place, batch) in batches.iter().enumerate() {
            let again = api.post("/events", batch.clone()).await;
            let n_there = again["duplicates"].as_u64().unwrap();
            assert_eq!(n_there + again["accepted"].as_u64().unwrap(), 20, "{again}");
            // A batch is there whole or not at all, whatever its sender heard.
            assert!(n_there == 0 || n_there == 20, "{again}");
            assert!(
                n_there == 20 || !acknowledged.contains(&place),
                "lost: {again}"
            );
        }
        let begun = Instant::now();
        let expected = before + 20 * u64::try_from(batches.len()).unwrap();
        while n_units(&api, &experiment).await != expected {
            let found = n_units(&api, &experiment).await;
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{found} of {expected}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
}

/// Units in all arms of an experiment.
async fn n_units(api: &Api, experiment: &str) -> u64 {
    let results = api.get(&format!("/experiments/{experiment}/results")).await;
    let arms = results["arms"].as_array().unwrap();
    arms.iter().map(|arm| arm["units"].as_u64().unwrap()).sum()
}
