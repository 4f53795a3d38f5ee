//! Postgres goes away and comes back: applications notice nothing, people are told.

use std::time::Duration;

use domain::actor::{Role, Scope};
use serde_json::json;
use sqlx::PgPool;

use crate::support::{Events, Proxy, TestApp, eventually};

const RESOLVE: &str = "/api/v1/prompts/a/resolve";

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn applications_are_served_while_the_database_is_away(pool: PgPool) {
    let proxy = Proxy::to(&pool).await;
    let app = TestApp::start_through(&pool, proxy.way()).await;
    let acme = app.project("acme").await;
    acme.prompt("a")
        .says("hello")
        .says("hi")
        .serves("production", 1)
        .serves("production", 2)
        .create()
        .await;
    let (key, person) = (acme.admin_key().await, acme.person(Role::Admin).await);
    let reader = acme.key(&[Scope::PromptsRead]).await;
    let mut events = Events::open(&reader, "/api/v1/stream").await;
    let (_, before) = events.expect("snapshot").await;
    let fresh = reader.get(RESOLVE).await;
    assert_eq!(fresh.header("x-cueline-stale"), None);
    app.anybody().get("/readyz").await.ok();

    proxy.cut();
    eventually("the loss is noticed", || app.state().serving.is_stale()).await;
    let stale = reader.get(RESOLVE).await;
    assert_eq!(stale.ok(), fresh.ok());
    assert_eq!(stale.header("x-cueline-stale"), Some("true"));
    assert_eq!(stale.header("warning"), None);
    assert_eq!(stale.header("etag"), fresh.header("etag"));
    let known = reader
        .clone()
        .with("if-none-match", fresh.header("etag").unwrap());
    assert_eq!(
        known.get(RESOLVE).await.is(304).header("x-cueline-stale"),
        Some("true")
    );
    let rendered = reader.post("/api/v1/prompts/a/render", &json!({})).await;
    assert_eq!(rendered.ok()["messages"][0]["content"], "hi");
    assert_eq!(rendered.header("x-cueline-stale"), Some("true"));
    let mut late = Events::open(&reader, "/api/v1/stream?consumer=late").await;
    assert_eq!(late.expect("snapshot").await.1, before);
    reader
        .post(
            "/api/v1/stream/ack",
            &json!({ "consumer": "late", "deployment_id": fresh.json()["deployment_id"] }),
        )
        .await
        .is(202);

    // Everything else says so at once, and when to come back.
    let roll_back = json!({ "environment": "production" });
    let repeated = key.clone().with("idempotency-key", "one");
    for answer in [
        key.post("/api/v1/prompts/a/rollback", &roll_back).await,
        repeated
            .post("/api/v1/prompts/a/rollback", &roll_back)
            .await,
        key.post("/api/v1/prompts", &json!({ "name": "b" })).await,
        key.get("/api/v1/prompts").await,
        key.get("/api/v1/audit?format=csv").await,
        reader
            .post("/api/v1/prompts/a/render", &json!({ "version": 1 }))
            .await,
        person.get("/api/v1/prompts").await,
    ] {
        let problem = answer.problem(503, "database_unavailable");
        assert_eq!(answer.header("retry-after"), Some("2"));
        assert_eq!(problem["retry_after"], 2);
    }
    key.get("/api/v1/audit/verify")
        .await
        .problem(503, "database_unavailable");
    app.anybody().get("/healthz").await.is(200);
    let ready = app.anybody().get("/readyz").await;
    assert_eq!(
        ready.is(503).json(),
        json!({ "database": false, "migrations": false, "listener": false })
    );

    proxy.mend();
    eventually("it is noticed that it is back", || {
        !app.state().serving.is_stale()
    })
    .await;
    assert_eq!(reader.get(RESOLVE).await.header("x-cueline-stale"), None);
    let rolled = key
        .post("/api/v1/prompts/a/rollback", &roll_back)
        .await
        .ok();
    for events in [&mut events, &mut late] {
        assert_eq!(
            events.expect("deployment").await.1["deployment_id"],
            rolled["deployment_id"]
        );
    }
    assert_eq!(reader.get(RESOLVE).await.ok()["version"], 1);
    person.get("/api/v1/prompts").await.ok();
    // What clients said meanwhile was kept.
    let confirmed = format!(
        "/api/v1/deployments/{}",
        fresh.json()["deployment_id"].as_str().unwrap()
    );
    for _ in 0..400 {
        if key.get(&confirmed).await.ok()["propagation"]["n_confirmed"] == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(
        key.get(&confirmed).await.ok()["propagation"]["n_confirmed"],
        1
    );
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_changed_while_a_server_heard_nothing_is_caught_up_with(pool: PgPool) {
    let proxy = Proxy::to(&pool).await;
    let deaf = TestApp::start_through(&pool, proxy.way()).await;
    let other = TestApp::start(&pool).await;
    let acme = other.project("acme").await;
    acme.prompt("a")
        .says("one")
        .says("two")
        .serves("production", 1)
        .serves("production", 2)
        .create()
        .await;
    let key = acme.admin_key().await;
    deaf.settle(acme.id()).await;
    let mut events = Events::open(&key.at(&deaf), "/api/v1/stream").await;
    events.expect("snapshot").await;

    proxy.cut();
    eventually("the loss is noticed", || deaf.state().serving.is_stale()).await;
    let roll_back = json!({ "environment": "production" });
    let rolled = key
        .post("/api/v1/prompts/a/rollback", &roll_back)
        .await
        .ok();
    let made = key
        .post(
            "/api/v1/keys",
            &json!({ "name": "k", "scopes": ["prompts:read"] }),
        )
        .await
        .created();
    assert_eq!(key.at(&deaf).get(RESOLVE).await.ok()["version"], 2);

    proxy.mend();
    assert_eq!(
        events.expect("deployment").await.1["deployment_id"],
        rolled["deployment_id"]
    );
    deaf.settle(acme.id()).await;
    let bearer = format!("Bearer {}", made["key"].as_str().unwrap());
    let answer = deaf
        .anybody()
        .with("authorization", &bearer)
        .get(RESOLVE)
        .await;
    assert_eq!(answer.ok()["version"], 1);
    drop(acme);
    deaf.stop().await;
    other.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_announcement_that_was_lost_is_made_up_for(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    acme.prompt("a")
        .says("one")
        .says("two")
        .serves("production", 1)
        .serves("production", 2)
        .create()
        .await;
    let key = acme.admin_key().await;
    // A change that nobody announces, as a lost NOTIFY looks like.
    app.tamper(
        "update serving set version_id = previous_version_id;
         insert into change (project_id, sequence, kind, payload, at)
         select project_id, change_sequence + 1, 'deployment', '{\"prompt\":\"a\",\"environment\":\"production\"}', now() from project_head;
         update project_head set change_sequence = change_sequence + 1;",
    )
    .await;
    app.settle(acme.id()).await;
    assert_eq!(key.get(RESOLVE).await.ok()["version"], 1);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_gap_in_the_feed_leads_to_a_whole_snapshot(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    acme.prompt("a")
        .says("one")
        .says("two")
        .serves("production", 1)
        .serves("production", 2)
        .create()
        .await;
    let key = acme.admin_key().await;
    let mut events = Events::open(&key, "/api/v1/stream").await;
    events.expect("snapshot").await;
    app.tamper(
        "update serving set version_id = previous_version_id;
         insert into change (project_id, sequence, kind, payload, at)
         select project_id, change_sequence + 7, 'deployment', '{}', now() from project_head;
         update project_head set change_sequence = change_sequence + 7;",
    )
    .await;
    assert_eq!(
        events.expect("snapshot").await.1["prompts"],
        json!({ "a": 1 })
    );
    assert_eq!(key.get(RESOLVE).await.ok()["version"], 1);
    app.stop().await;
}
