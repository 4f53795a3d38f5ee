//! Experiments through the public door: who gets which version, when that ends, and what is found.

use std::time::Duration;

use domain::{
    actor::Scope,
    experiment::{Arm, Assignment, Slice, assign},
};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{Client, Events, TestApp, TestProject};

/// The traffic of `plan`.
const HALF: Slice = Slice::first(0.5);

const RESOLVE: &str = "/api/v1/prompts/triage/resolve?environment=production";

fn plan() -> Value {
    json!({
        "name": "shorter", "prompt": "triage", "environment": "production", "primary_metric": "resolved",
        "arms": [{ "name": "A", "version": 2, "weight": 1 }, { "name": "B", "version": 3, "weight": 1 }],
        "baseline": 0.8, "traffic": 0.5,
    })
}

async fn prompt(acme: &TestProject<'_>) {
    acme.prompt("triage")
        .says("one")
        .says("two")
        .says("three")
        .serves("production", 1)
        .serves("production", 2)
        .create()
        .await;
}

/// A running experiment: its id.
async fn started(acme: &TestProject<'_>, key: &Client, plan: &Value) -> Value {
    let planned = key.post("/api/v1/experiments", plan).await.created();
    let id = planned["id"].as_str().unwrap();
    let started = key
        .post(&format!("/api/v1/experiments/{id}/start"), &json!({}))
        .await
        .ok();
    assert_eq!(started["status"], "running");
    acme.app.settle(acme.id()).await;
    started
}

async fn resolve(key: &Client, unit: &str) -> Value {
    key.get(&format!("{RESOLVE}&unit={unit}")).await.ok()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn units_get_the_arm_that_anybody_can_compute(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    prompt(&acme).await;
    let key = acme.admin_key().await;
    assert_eq!(resolve(&key, "u1").await["experiment"], Value::Null);
    let experiment = started(&acme, &key, &plan()).await;
    let salt = experiment["salt"].as_str().unwrap();
    let arms: Vec<Arm> = serde_json::from_value(experiment["arms"].clone()).unwrap();

    let mut seen = [0; 3];
    for number in 0..60 {
        let unit = format!("u{number}");
        let found = resolve(&key, &unit).await;
        let said = &found["experiment"];
        assert_eq!(
            (&said["id"], &said["unit"]),
            (&experiment["id"], &json!(unit))
        );
        match assign(salt, None, HALF, &arms, &unit) {
            Assignment::LeftOut => {
                seen[2] += 1;
                assert_eq!(
                    (&said["arm"], &said["reason"]),
                    (&Value::Null, &json!("not in traffic"))
                );
                assert_eq!(found["version"], 2);
            }
            Assignment::Arm(position) => {
                seen[position] += 1;
                assert_eq!(said["arm"], arms[position].name);
                assert_eq!(found["version"], arms[position].version);
                let words = ["two", "three"][position];
                assert_eq!(found["messages"][0]["content"], words);
            }
        }
    }
    assert!(seen.iter().all(|seen| *seen > 3), "{seen:?}");

    // Without a unit: the control, never at random.
    for path in [RESOLVE.to_owned(), format!("{RESOLVE}&unit=")] {
        let found = key.get(&path).await.ok();
        assert_eq!(found["version"], 2);
        assert_eq!(found["experiment"]["arm"], Value::Null);
        assert_eq!(found["experiment"]["reason"], "no unit");
    }

    // Rendering gives the same version, and tags tell units apart.
    let unit = (0..10_000)
        .map(|n| format!("u{n}"))
        .find(|unit| assign(salt, None, HALF, &arms, unit) == Assignment::Arm(1))
        .unwrap();
    let rendered = key
        .post(
            "/api/v1/prompts/triage/render",
            &json!({ "environment": "production", "unit": unit }),
        )
        .await
        .ok();
    assert_eq!(
        (&rendered["version"], &rendered["experiment"]["arm"]),
        (&json!(3), &json!("B"))
    );
    assert_eq!(rendered["messages"][0]["content"], "three");
    let answer = key.get(&format!("{RESOLVE}&unit={unit}")).await;
    let etag = answer.header("etag").unwrap().to_owned();
    assert_eq!(
        key.clone()
            .with("if-none-match", &etag)
            .get(&format!("{RESOLVE}&unit={unit}"))
            .await
            .status,
        304
    );
    let other = key
        .clone()
        .with("if-none-match", &etag)
        .get(&format!("{RESOLVE}&unit=else"))
        .await;
    assert_eq!(other.status, 200);

    // What was resolved was exposed, once for each unit; what was left out was not.
    let mut exposed: std::collections::HashSet<String> = (0..60).map(|n| format!("u{n}")).collect();
    exposed.extend([unit, "else".to_owned()]);
    exposed.retain(|unit| assign(salt, None, HALF, &arms, unit) != Assignment::LeftOut);
    let n_exposed = i64::try_from(exposed.len()).unwrap();
    let detail = format!(
        "/api/v1/experiments/{}/results",
        experiment["id"].as_str().unwrap()
    );
    let mut found = Value::Null;
    for _ in 0..100 {
        found = key.get(&detail).await.ok();
        if found["progress"]["observed"].as_i64() == Some(n_exposed) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(found["progress"]["observed"], n_exposed, "{found}");
    assert_eq!(found["verdict"]["kind"], "too_early");
    assert_eq!(found["arms"][0]["name"], "A");
    assert_eq!(found["excluded_units"], 0);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn stopping_and_rolling_back_end_assignment_and_streams_are_told(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    prompt(&acme).await;
    let key = acme.admin_key().await;
    let reader = acme.key(&[Scope::PromptsRead]).await;
    let mut events = Events::open(&reader, "/api/v1/stream?environment=production").await;
    events.expect("snapshot").await;

    let experiment = started(&acme, &key, &json!({ "traffic": 0.25 }).merged(plan())).await;
    let id = experiment["id"].as_str().unwrap().to_owned();
    let (_, told) = events.expect("experiment").await;
    assert_eq!(
        (&told["experiment"], &told["status"]),
        (&json!(id), &json!("running"))
    );
    assert_eq!(told["rules"]["salt"], experiment["salt"]);
    assert_eq!(told["rules"]["arms"], experiment["arms"]);
    let path = |verb: &str| format!("/api/v1/experiments/{id}/{verb}");
    key.post(&path("traffic"), &json!({ "traffic": 1 }))
        .await
        .ok();
    assert_eq!(events.expect("experiment").await.1["rules"]["traffic"], 1.0);
    let mut late = Events::open(&reader, "/api/v1/stream?environment=production").await;
    assert_eq!(
        late.expect("snapshot").await.1["experiments"][0]["id"],
        id.as_str()
    );

    key.post(&path("stop"), &json!({ "reason": "enough" }))
        .await
        .ok();
    let (_, told) = events.expect("experiment").await;
    assert_eq!(
        (&told["status"], &told["rules"]),
        (&json!("stopped"), &Value::Null)
    );
    assert_eq!(resolve(&key, "u1").await["experiment"], Value::Null);
    // Nothing need be said: then it is what the verdict says.
    let nothing = axum::body::Body::empty();
    let concluded = key
        .send(axum::http::Method::POST, &path("conclude"), nothing)
        .await
        .ok();
    let results = key.get(&path("results")).await.ok();
    assert_eq!(concluded["conclusion"], results["verdict"]["sentence"]);
    assert!(events.is_silent().await);

    started(&acme, &key, &plan()).await;
    events.expect("experiment").await;
    let back = json!({ "environment": "production" });
    key.post("/api/v1/prompts/triage/rollback", &back)
        .await
        .ok();
    // Told with the deployment, by the same commit.
    let mut kinds = Vec::new();
    for _ in 0..2 {
        if let crate::support::Heard::Event { event, .. } = events.next().await {
            kinds.push(event);
        }
    }
    kinds.sort();
    assert_eq!(kinds, ["deployment", "experiment"]);
    let found = resolve(&key, "u1").await;
    assert_eq!(
        (&found["version"], &found["experiment"]),
        (&json!(1), &Value::Null)
    );
    app.stop().await;
}

trait Merged {
    fn merged(self, onto: Value) -> Value;
}

impl Merged for Value {
    fn merged(self, mut onto: Value) -> Value {
        for (name, value) in self.as_object().into_iter().flatten() {
            onto[name] = value.clone();
        }
        onto
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_winner_is_found_by_events_and_the_counts_are_frozen(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    prompt(&acme).await;
    let key = acme.admin_key().await;
    let change = json!({ "traffic": 1, "baseline": 0.5, "minimum_effect": 0.3, "alpha": 0.05 });
    let experiment = started(&acme, &key, &change.merged(plan())).await;
    let id = experiment["id"].as_str().unwrap();
    let planned = experiment["planned_units"].as_u64().unwrap();
    let events: Vec<Value> = (0..planned + 20)
        .flat_map(|number| {
            let (unit, arm) = (format!("u{number}"), if number % 2 == 0 { "A" } else { "B" });
            let event = |kind: &str, more: Value| {
                let base = json!({ "id": uuid::Uuid::new_v4(), "type": kind, "experiment": id, "unit": unit });
                more.merged(base)
            };
            let value = i32::from(if number % 2 == 0 { number % 4 == 0 } else { number % 10 != 1 });
            [
                event("exposure", json!({ "arm": arm })),
                event("outcome", json!({ "metric": "resolved", "value": value })),
            ]
        })
        .collect();
    let answer = key.post("/api/v1/events", &json!(events)).await.accepted();
    assert_eq!(answer["rejected"], json!([]));
    let path = format!("/api/v1/experiments/{id}/detail");
    let mut found = Value::Null;
    for _ in 0..100 {
        found = key.get(&path).await.ok();
        if found["results"]["verdict"]["kind"] == "better" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(found["results"]["verdict"]["kind"], "better", "{found}");
    assert_eq!(found["results"]["verdict"]["arm"], "B");
    assert!(found["results"]["frozen_at"].is_string());
    let story: Vec<&str> = found["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry| entry["what"].as_str())
        .collect();
    assert_eq!(story, ["created", "started", "frozen"]);
    assert_eq!(found["series"].as_array().unwrap().len(), 1);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn bad_plans_and_moves_are_refused_in_words(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    prompt(&acme).await;
    let key = acme.admin_key().await;
    let bad = json!({ "arms": [], "traffic": 2, "alpha": "x" }).merged(plan());
    let refused = key.post("/api/v1/experiments", &bad).await.json();
    assert_eq!(refused["errors"].as_array().unwrap().len(), 3, "{refused}");
    let nowhere = json!({ "environment": "moon" }).merged(plan());
    assert_eq!(key.post("/api/v1/experiments", &nowhere).await.status, 422);

    let first = json!({ "days": 2, "units_per_day": 100 }).merged(plan());
    let experiment = started(&acme, &key, &first).await;
    assert_eq!(
        experiment["warning"]["needed_units"],
        experiment["planned_units"]
    );
    let id = experiment["id"].as_str().unwrap();
    let code = |answer: Value| answer["code"].as_str().unwrap_or_default().to_owned();
    let down = key
        .post(
            &format!("/api/v1/experiments/{id}/traffic"),
            &json!({ "traffic": 0.1 }),
        )
        .await
        .json();
    assert_eq!(code(down), "traffic_only_up");
    let second = key.post("/api/v1/experiments", &plan()).await.created();
    let path = format!(
        "/api/v1/experiments/{}/start",
        second["id"].as_str().unwrap()
    );
    assert_eq!(
        code(key.post(&path, &json!({})).await.json()),
        "experiment_running"
    );
    let listed = key
        .get("/api/v1/experiments?status=running&prompt=triage")
        .await
        .ok();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(key.get("/api/v1/experiments?status=lost").await.status, 422);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn calculators_answer_whoever_is_known(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let key = acme.key(&[Scope::EventsWrite]).await;
    let input =
        json!({ "baseline": 0.8, "effect": 0.05, "alpha": 0.05, "power": 0.8, "weights": [1, 1] });
    let found = key.post("/api/v1/stats/sample-size", &input).await.ok();
    assert_eq!(found["per_arm"], json!([906, 906]));
    let cost = json!({ "requests_per_hour": 10_000, "tokens": 5_120, "distinct_keys": 1, "ttft_ms": 2_000 });
    let given = json!({ "prices": { "write": 3.75, "read": 0.3 } }).merged(cost.clone());
    let found = key.post("/api/v1/stats/cache-cost", &given).await.ok();
    // The figures of the release: $16.00 at worst, $0.1158 expected for one shared prefix.
    assert_eq!(
        format!("{:.4}", found["upper_bound_usd"].as_f64().unwrap()),
        "16.0000"
    );
    assert_eq!(
        format!("{:.4}", found["expected_usd"].as_f64().unwrap()),
        "0.1158"
    );
    let named =
        json!({ "provider": "anthropic", "model": "claude-sonnet-4-6" }).merged(cost.clone());
    assert_eq!(
        key.post("/api/v1/stats/cache-cost", &named).await.ok(),
        found
    );
    let unknown = json!({ "provider": "nobody", "model": "nothing" }).merged(cost);
    assert_eq!(
        key.post("/api/v1/stats/cache-cost", &unknown).await.status,
        422
    );
    assert_eq!(key.post("/api/v1/stats/magic", &input).await.status, 404);
    assert_eq!(
        key.post("/api/v1/stats/ztest", &json!({})).await.status,
        422
    );
    assert_eq!(
        app.anybody()
            .post("/api/v1/stats/holm", &json!({ "p_values": [] }))
            .await
            .status,
        401
    );
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_unit_that_events_could_not_name_is_refused(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    prompt(&acme).await;
    let key = acme.admin_key().await;
    started(&acme, &key, &plan()).await;
    let address = |unit: &str| format!("{RESOLVE}&unit={unit}");
    key.get(&address(&"%C3%A4".repeat(200))).await.ok();
    key.get(&address(&"x".repeat(201))).await.refused(&["unit"]);
    let render = "/api/v1/prompts/triage/render";
    let body = |unit: &str| json!({ "environment": "production", "unit": unit });
    let longest = "ä".repeat(200);
    key.post(render, &body(&longest)).await.ok();
    key.post(render, &body(&format!("{longest}x")))
        .await
        .refused(&["unit"]);
    app.stop().await;
}
