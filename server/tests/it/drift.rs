//! Drift from end to end: the server checks what serves, against a provider of the tests' own.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{
    Act, BadProvider, Client, TestApp,
    evals::{self, content, echoed},
};

/// A prompt `p` whose version 1 was run on 40 cases and serves production.
async fn scene(app: &TestApp, provider: &BadProvider) -> Client {
    let acme = app.project("acme").await;
    acme.prompt("p").version(content("echo")).create().await;
    let admin = acme.admin_key().await;
    evals::provider(&admin, &provider.url()).await;
    let body = json!({ "name": "golden", "prompt": "p", "scorers": [{ "type": "equals" }] });
    let suite = admin.post("/api/v1/suites", &body).await.created();
    evals::add(&admin, suite["id"].as_str().unwrap(), &evals::echoes(40)).await;
    let body = json!({ "prompt": "p", "version": 1, "suite": "golden" });
    evals::run(&admin, &body).await;
    let open = json!({ "policy": {} });
    admin
        .patch("/api/v1/environments/production", &open)
        .await
        .ok();
    let ask = json!({ "environment": "production", "version": 1 });
    admin
        .post("/api/v1/prompts/p/promotions", &ask)
        .await
        .created();
    admin
}

/// Runs a check and waits for its verdict; the prompt's drift then.
async fn check(admin: &Client) -> Value {
    let before = admin.get("/api/v1/prompts/p/drift").await.ok();
    let n_before = before["checks"].as_array().unwrap().len();
    let begun = admin
        .post("/api/v1/prompts/p/drift/checks", &json!({}))
        .await
        .accepted();
    assert!(begun["run"].is_string() && begun["url"].is_string());
    evals::finished(admin, "/prompts/p/drift", |drift| {
        drift["checks"].as_array().unwrap().len() > n_before
    })
    .await
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn drift_is_found_by_running_what_serves_again(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let is_worse = Arc::new(AtomicBool::new(false));
    let worse = Arc::clone(&is_worse);
    let provider = BadProvider::start(move |_, question| {
        let answer = echoed(&question.body);
        // Every third case, once the model behind the name is another.
        if worse.load(Ordering::Relaxed) && answer.ends_with(['3', '6', '9']) {
            return Act::completion("something else");
        }
        Act::completion(&answer)
    })
    .await;
    let admin = scene(&app, &provider).await;

    let fresh = admin.get("/api/v1/prompts/p/drift").await.ok();
    assert_eq!(fresh["state"], "cannot_tell");
    assert!(fresh["frozen_run"].is_string());

    let healthy = check(&admin).await;
    assert_eq!(healthy["state"], "healthy", "{healthy}");
    assert_eq!(healthy["checks"][0]["numbers"]["n_cases"], 40);
    assert_eq!(
        provider.questions().last().unwrap().body["temperature"],
        0.0
    );

    is_worse.store(true, Ordering::Relaxed);
    let drifted = check(&admin).await;
    assert_eq!(drifted["state"], "drifted", "{drifted}");
    assert_eq!(drifted["checks"][0]["numbers"]["lost"], 12);
    assert_eq!(
        drifted["checks"][0]["frozen_run"],
        healthy["checks"][0]["frozen_run"]
    );
    let all = admin.get("/api/v1/drift?state=drifted").await.ok();
    assert_eq!(all["items"][0]["prompt"], "p");
    assert!(
        all["items"][0]["reason"]
            .as_str()
            .unwrap()
            .starts_with("Worse than at promotion")
    );
    let none = admin.get("/api/v1/drift?state=healthy").await.ok();
    assert_eq!(none["items"], json!([]));
    // It is in the trail, and what a check runs is not what a version was released on.
    let trail = admin.get("/api/v1/audit?action=drift.check").await.ok();
    assert_eq!(trail["items"].as_array().unwrap().len(), 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_drift_schedule_is_set_and_its_mistakes_are_named(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let provider = evals::echo().await;
    let admin = scene(&app, &provider).await;
    let path = "/api/v1/prompts/p/drift/schedule";
    let wrong = json!({ "cron": "* * * * *", "time_zone": "Mars", "jitter_minutes": 5 });
    let refused = admin.put(path, &wrong).await;
    assert_eq!(refused.status, 422);
    let fields: Vec<String> = refused.json()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(fields, ["time_zone", "cron"]);
    let right = json!({ "cron": "30 2 * * 1", "time_zone": "Europe/Berlin", "jitter_minutes": 0 });
    let set = admin.put(path, &right).await.ok();
    assert!(set["next_due"].is_string());
    let shown = admin.get("/api/v1/prompts/p/drift").await.ok();
    assert_eq!(shown["schedule"]["time_zone"], "Europe/Berlin");
    assert_eq!(shown["next_due"], set["next_due"]);
}
