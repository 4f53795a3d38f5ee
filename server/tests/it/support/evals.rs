//! What eval tests are made of: a prompt with a model, a suite of cases, a provider, a run.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Act, BadProvider, Client};

/// A content that classifies a text with the model of the provider `test`.
pub fn content(words: &str) -> Value {
    json!({
        "type": "chat",
        "messages": [
            { "role": "system", "content": words },
            { "role": "user", "content": "{{text}}" },
        ],
        "variables": [{ "name": "text", "type": "string", "max_length": 10_000, "default": "nothing" }],
        "model": { "provider": "test", "name": "small-1", "max_tokens": 8 },
    })
}

/// Saves a provider named `test` at that address.
pub async fn provider(client: &Client, url: &str) {
    let body = json!({ "name": "test", "kind": "openai", "base_url": url, "max_concurrency": 16 });
    client.post("/api/v1/providers", &body).await.created();
}

/// A suite with one case; their ids.
pub async fn suite(client: &Client, prompt: &str, name: &str) -> (String, String) {
    let body = json!({ "name": name, "prompt": prompt, "scorers": [{ "type": "equals" }] });
    let suite = client.post("/api/v1/suites", &body).await.created();
    let id = suite["id"].as_str().unwrap().to_owned();
    let added = add(
        client,
        &id,
        &json!([{ "variables": { "text": "yes" }, "expected": "yes" }]),
    )
    .await;
    (id, added["ids"][0].as_str().unwrap().to_owned())
}

/// Adds cases to a suite.
pub async fn add(client: &Client, suite: &str, cases: &Value) -> Value {
    client
        .post(&format!("/api/v1/suites/{suite}/cases"), cases)
        .await
        .ok()
}

/// So many cases that expect to hear their own text again.
pub fn echoes(n_cases: usize) -> Value {
    (0..n_cases)
        .map(|n| json!({ "variables": { "text": format!("case {n}") }, "expected": format!("case {n}") }))
        .collect()
}

/// A provider that says what it was told last, when the instructions are to `echo`, and "no" otherwise.
pub async fn echo() -> BadProvider {
    BadProvider::start(|_, question| Act::completion(&echoed(&question.body))).await
}

/// What [`echo`] answers to a request.
pub fn echoed(body: &Value) -> String {
    let text = |index: usize| {
        body["messages"][index]["content"]
            .as_str()
            .unwrap_or_default()
    };
    if text(0).contains("echo") {
        text(1).to_owned()
    } else {
        "no".to_owned()
    }
}

/// Asks until it is over, for at most half a minute.
pub async fn finished(client: &Client, path: &str, is_over: impl Fn(&Value) -> bool) -> Value {
    let path = format!("/api/v1{path}");
    for _ in 0..1_500 {
        let found = client.get(&path).await.ok();
        if is_over(&found) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{path} does not end: {}", client.get(&path).await.text());
}

/// Launches a run and waits for its end.
pub async fn run(client: &Client, body: &Value) -> Value {
    let run = client.post("/api/v1/runs", body).await.accepted();
    ended(client, &run).await
}

/// Waits for a run's end.
pub async fn ended(client: &Client, run: &Value) -> Value {
    let path = format!("/runs/{}", run["id"].as_str().unwrap());
    finished(client, &path, |run| {
        !["queued", "running"].contains(&run["status"].as_str().unwrap())
    })
    .await
}

/// Asks the gate and waits for the verdict.
pub async fn gate(client: &Client, body: &Value) -> Value {
    let gate = client.post("/api/v1/gate", body).await.accepted();
    let path = format!("/gate/{}", gate["id"].as_str().unwrap());
    finished(client, &path, |gate| !gate["verdict"].is_null()).await
}

/// All results of a run, in the order of the suite.
pub async fn results(client: &Client, run: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let id = run["id"].as_str().unwrap();
        let page = client
            .get(&format!(
                "/api/v1/runs/{id}/results?limit=200&cursor={cursor}"
            ))
            .await
            .ok();
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => return all,
        }
    }
}
