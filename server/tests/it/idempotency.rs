//! A mutation that names itself has its effect once, however often it is sent.

use domain::actor::{Role, Scope};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{TestApp, text};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_retry_gets_the_same_answer_and_has_no_effect(pool: PgPool) {
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
    let named = key.clone().with("idempotency-key", "deploy-7f3a");
    let (path, body) = (
        "/api/v1/prompts/a/rollback",
        json!({ "environment": "production" }),
    );

    let first = named.post(path, &body).await;
    assert_eq!(first.header("idempotency-replayed"), None);
    let before = app.rows().await;
    for _ in 0..3 {
        let again = named.post(path, &body).await;
        assert_eq!(again.ok(), first.ok());
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!(again.header("content-type"), first.header("content-type"));
        assert_eq!(again.header("x-content-type-options"), Some("nosniff"));
    }
    assert_eq!(app.rows().await, before);

    // Another body, another address, another method: another request.
    named
        .post(path, &json!({ "environment": "staging" }))
        .await
        .problem(422, "idempotency_mismatch");
    named
        .post("/api/v1/prompts/a/promotions", &body)
        .await
        .problem(422, "idempotency_mismatch");
    named
        .delete("/api/v1/keys/x")
        .await
        .problem(422, "idempotency_mismatch");
    // Reading is never held up by it.
    named.get("/api/v1/prompts").await.ok();

    // Another caller may choose the same word.
    let other = acme
        .key(&[Scope::PromotionsRequest])
        .await
        .with("idempotency-key", "deploy-7f3a");
    assert_eq!(other.post(path, &body).await.ok()["version"], 2);

    // A day later the word is free again.
    app.advance(chrono::TimeDelta::hours(25));
    let later = named.post(path, &body).await;
    assert_eq!(later.ok()["version"], 1);
    assert_eq!(later.header("idempotency-replayed"), None);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn location_and_refusals_are_given_again_too(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let key = acme.admin_key().await;
    let named = |word: &str| key.clone().with("idempotency-key", word);
    let made = named("make")
        .post("/api/v1/prompts", &json!({ "name": "a/b" }))
        .await;
    let again = named("make")
        .post("/api/v1/prompts", &json!({ "name": "a/b" }))
        .await;
    assert_eq!(
        (again.created(), again.header("location")),
        (made.created(), Some("/api/v1/prompts/a%2Fb"))
    );
    let save = json!({ "content": text("one"), "change_description": "" });
    let versions = "/api/v1/prompts/a%2Fb/versions";
    named("save").post(versions, &save).await.created();
    named("save-again")
        .post(versions, &save)
        .await
        .problem(409, "same_content");
    let refused = named("save-again").post(versions, &save).await;
    refused.problem(409, "same_content");
    assert_eq!(refused.header("idempotency-replayed"), Some("true"));

    // Turned away at the door is not an answer: a right that was given meanwhile counts.
    let person = acme.member("p@acme.test", Role::Viewer).await;
    let viewer = crate::support::sign_in(&app, "p@acme.test")
        .await
        .with("idempotency-key", "door");
    viewer
        .post("/api/v1/prompts", &json!({ "name": "c" }))
        .await
        .is(403);
    key.patch(
        &format!("/api/v1/members/{person}"),
        &json!({ "role": "editor" }),
    )
    .await
    .ok();
    viewer
        .post("/api/v1/prompts", &json!({ "name": "c" }))
        .await
        .created();
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn secrets_are_shown_once_and_kept_nowhere(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let named = |word: &str| {
        let word = word.to_owned();
        let acme = &acme;
        async move { acme.admin_key().await.with("idempotency-key", &word) }
    };
    let client = named("k").await;
    let body = json!({ "name": "ci", "scopes": ["prompts:read"] });
    let made = client.post("/api/v1/keys", &body).await.created();
    let mut again = client.post("/api/v1/keys", &body).await.created();
    assert_eq!(again["key"], Value::Null);
    again["key"] = made["key"].clone();
    assert_eq!(again, made);

    let body = json!({ "email": "new@acme.test", "name": "New", "role": "viewer" });
    let added = client
        .with("idempotency-key", "m")
        .post("/api/v1/members", &body)
        .await
        .created();
    let secrets = [
        made["key"].as_str().unwrap(),
        added["set_up_link"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap(),
    ];
    for secret in secrets {
        assert!(secret.len() >= 64);
        for table in [
            "api_key",
            "set_up_link",
            "idempotency",
            "audit_entry",
            "change",
            "person",
        ] {
            let query =
                format!("select count(*) from {table} as kept where strpos(kept::text, $1) > 0");
            let rows: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(query))
                .bind(secret)
                .fetch_one(&pool)
                .await
                .unwrap();
            assert_eq!(rows, 0, "{table}");
        }
        let bodies: Vec<Vec<u8>> =
            sqlx::query_scalar("select body from idempotency where body is not null")
                .fetch_all(&pool)
                .await
                .unwrap();
        assert_eq!(bodies.len(), 2);
        assert!(
            bodies
                .iter()
                .all(|body| !String::from_utf8_lossy(body).contains(secret))
        );
    }
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn of_two_at_once_one_runs(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let key = acme.admin_key().await.with("idempotency-key", "once");
    // What the first is doing takes as long as somebody holds the head of the project.
    let mut held = pool.begin().await.unwrap();
    sqlx::query("select from project_head for update")
        .execute(&mut *held)
        .await
        .unwrap();
    let body = json!({ "name": "a" });
    let second = async {
        while app.count("idempotency").await == 0 {
            tokio::task::yield_now().await;
        }
        let answer = key.post("/api/v1/prompts", &body).await;
        held.rollback().await.unwrap();
        answer
    };
    let (first, second) = tokio::join!(key.post("/api/v1/prompts", &body), second);
    second.problem(409, "idempotency_running");
    assert_eq!(second.header("retry-after"), Some("1"));
    first.created();
    assert_eq!(
        key.post("/api/v1/prompts", &body).await.created(),
        first.created()
    );
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_was_begun_is_finished_when_the_client_goes_away(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let key = acme.admin_key().await.with("idempotency-key", "impatient");
    let mut held = pool.begin().await.unwrap();
    sqlx::query("select from project_head for update")
        .execute(&mut *held)
        .await
        .unwrap();
    let body = json!({ "name": "a" });
    {
        let request = key.post("/api/v1/prompts", &body);
        tokio::select! {
            _ = request => panic!("it cannot be answered yet"),
            () = async {
                while app.count("idempotency").await == 0 {
                    tokio::task::yield_now().await;
                }
            } => {}
        }
    }
    held.rollback().await.unwrap();
    let answer = loop {
        let answer = key.post("/api/v1/prompts", &body).await;
        if answer.status != 409 {
            break answer;
        }
    };
    answer.created();
    assert_eq!(answer.header("idempotency-replayed"), Some("true"));
    assert_eq!(app.count("prompt").await, 1);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_word_nobody_can_read_is_refused(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let key = acme.admin_key().await;
    for word in ["", &"x".repeat(256)] {
        key.clone()
            .with("idempotency-key", word)
            .post("/api/v1/prompts", &json!({ "name": "a" }))
            .await
            .refused(&["idempotency-key"]);
    }
    app.anybody()
        .with("idempotency-key", "x")
        .post("/api/v1/prompts", &json!({ "name": "a" }))
        .await
        .problem(401, "unauthorized");
    assert_eq!(app.count("prompt").await, 0);
    assert_eq!(app.count("idempotency").await, 0);
    app.stop().await;
}
