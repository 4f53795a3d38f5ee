//! The life of a prompt: made, versioned, compared, deployed, fetched, rendered, rolled back.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgPool;

use crate::support::{TestApp, chat, text};

const PROMPT: &str = "/api/v1/prompts/support%2Ftriage";

fn triage(instruction: &str) -> Value {
    chat(
        &[
            ("system", instruction),
            ("user", "<ticket>\n{{ticket}}\n</ticket>"),
        ],
        &json!([{ "name": "ticket", "type": "string", "required": true, "max_length": 200 }]),
    )
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_prompt_is_made_deployed_changed_and_rolled_back(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let key = acme.admin_key().await;

    let made = key
        .post(
            "/api/v1/prompts",
            &json!({ "name": "support/triage", "description": "Sorts tickets", "tags": ["support"] }),
        )
        .await;
    assert_eq!(made.created()["name"], "support/triage");
    assert_eq!(made.header("location"), Some(PROMPT));

    let saved = key
        .post(
            &format!("{PROMPT}/versions"),
            &json!({ "content": triage("Sort the ticket."), "change_description": "First" }),
        )
        .await;
    let first = saved.created();
    assert_eq!(first["number"], 1);
    assert_eq!(first["status"], "draft");
    assert_eq!(first["parent"], Value::Null);
    assert_eq!(first["lint"], json!([]));
    let location = saved.header("location").unwrap();
    assert_eq!(
        key.get(location).await.ok()["content_hash"],
        first["content_hash"]
    );

    let second = key
        .post(
            &format!("{PROMPT}/versions"),
            &json!({ "content": triage("Sort the ticket by urgency."), "change_description": "Urgency", "parent": 1 }),
        )
        .await
        .created();
    assert_eq!(
        (&second["number"], &second["parent"]),
        (&json!(2), &json!(1))
    );

    let diff = key
        .get(&format!("{PROMPT}/versions/1/diff/latest"))
        .await
        .ok();
    assert_eq!(diff["summary"], "1 message");
    assert_eq!(diff["breaks_callers"], false);

    for (version, reason) in [(1, "go live"), (2, "urgency")] {
        let promotion = key
            .post(
                &format!("{PROMPT}/promotions"),
                &json!({ "environment": "production", "version": version, "reason": reason }),
            )
            .await
            .created();
        assert_eq!(promotion["status"], "executed");
        assert_eq!(promotion["missing"], json!([]));
    }
    app.settle(acme.id()).await;

    let resolve = format!("{PROMPT}/resolve?environment=production");
    let resolved = key.get(&resolve).await;
    assert_eq!(resolved.ok()["version"], 2);
    assert_eq!(resolved.ok()["content_hash"], second["content_hash"]);
    assert_eq!(resolved.header("cache-control"), Some("no-cache"));
    let etag = resolved.header("etag").unwrap();
    let again = key.clone().with("if-none-match", etag);
    again.get(&resolve).await.is(304);

    let rolled = key
        .post(
            &format!("{PROMPT}/rollback"),
            &json!({ "environment": "production", "reason": "worse" }),
        )
        .await
        .ok();
    assert_eq!(
        (&rolled["version"], &rolled["from_version"]),
        (&json!(1), &json!(2))
    );
    app.settle(acme.id()).await;
    let resolved = again.get(&resolve).await.ok();
    assert_eq!(resolved["version"], 1);
    assert_eq!(resolved["deployment_id"], rolled["deployment_id"]);
    assert_eq!(resolved["experiment"], Value::Null);

    // Undo is a rollback too.
    let undone = key
        .post(
            &format!("{PROMPT}/rollback"),
            &json!({ "environment": "production" }),
        )
        .await
        .ok();
    assert_eq!(undone["version"], 2);

    let status = |number: i32| {
        let path = format!("{PROMPT}/versions/{number}");
        let key = key.clone();
        async move { key.get(&path).await.ok()["status"].clone() }
    };
    assert_eq!(status(1).await, "deprecated");
    assert_eq!(status(2).await, "active");
    let kinds: Vec<Value> = key.get(&format!("{PROMPT}/deployments")).await.ok()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|deployment| deployment["kind"].clone())
        .collect();
    assert_eq!(kinds, ["rollback", "rollback", "promote", "promote"]);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn anyone_can_recompute_the_hash_from_what_resolve_answers(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let mut content = triage("Sort \u{20ac} \u{1f600} \"quoted\"\n\u{7}é");
    content["model"] =
        json!({ "provider": "openai", "name": "gpt", "temperature": 0.20, "max_tokens": 100 });
    content["tools"] = json!([]);
    content["response_format"] = json!({ "type": "json_schema", "z": 1e21, "a": 1e-6, "n": 1.0 });
    acme.prompt("a")
        .version(content)
        .serves("production", 1)
        .create()
        .await;
    let answer = acme
        .admin_key()
        .await
        .get("/api/v1/prompts/a/resolve")
        .await
        .ok();
    let members = [
        "type",
        "messages",
        "variables",
        "model",
        "tools",
        "response_format",
    ];
    let hashed: serde_json::Map<String, Value> = members
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), answer.get(*name)?.clone())))
        .collect();
    let canonical = serde_json_canonicalizer::to_string(&hashed).unwrap();
    assert_eq!(
        hex::encode(Sha256::digest(canonical)),
        answer["content_hash"]
    );
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn rendering_fills_once_and_lists_everything_that_is_wrong(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let content = json!({
        "type": "chat",
        "messages": [
            { "role": "system", "content": "Answer {{{{literally}}." },
            { "type": "placeholder", "name": "history" },
            { "role": "user", "content": "<t>{{ticket}}</t> {{count}}" },
        ],
        "variables": [
            { "name": "ticket", "type": "string", "required": true, "max_length": 20 },
            { "name": "count", "type": "integer", "required": true, "min": 1 },
        ],
    });
    acme.prompt("a")
        .version(content)
        .serves("production", 1)
        .create()
        .await;
    let key = acme.admin_key().await;
    let path = "/api/v1/prompts/a/render";

    let rendered = key
        .post(
            path,
            &json!({
                "variables": { "ticket": "{{count}} {{x}}", "count": 3 },
                "placeholders": { "history": [{ "role": "user", "content": "{{ticket}}" }] },
            }),
        )
        .await
        .ok();
    assert_eq!(
        rendered["messages"],
        json!([
            { "role": "system", "content": "Answer {{literally}}." },
            { "role": "user", "content": "{{ticket}}" },
            { "role": "user", "content": "<t>{{count}} {{x}}</t> 3" },
        ])
    );
    assert_eq!(rendered["version"], 1);

    let refused = key
        .post(
            path,
            &json!({ "variables": { "count": 0, "ticket": "x".repeat(21), "more": 1 } }),
        )
        .await;
    let problem = refused.problem(422, "render_refused");
    let mut wrong: Vec<(String, String)> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            let word = |name: &str| error[name].as_str().unwrap().to_owned();
            assert!(!word("message").is_empty());
            (word("variable"), word("rule"))
        })
        .collect();
    wrong.sort();
    let names: Vec<&str> = wrong.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["count", "history", "more", "ticket"], "{problem}");

    let by_number = key
        .post(path, &json!({ "version": 1, "variables": { "ticket": "t", "count": 1 }, "placeholders": { "history": [] } }))
        .await
        .ok();
    assert_eq!(by_number["environment"], Value::Null);
    key.post(
        path,
        &json!({ "version": 1, "environment": "staging", "colour": "red" }),
    )
    .await
    .refused(&["version", "colour"]);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_same_content_and_an_old_parent_are_conflicts(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    acme.prompt("a").says("one").create().await;
    let key = acme.admin_key().await;
    let save = |content: Value, parent: Value| {
        let key = key.clone();
        async move {
            key.post(
                "/api/v1/prompts/a/versions",
                &json!({ "content": content, "change_description": "", "parent": parent }),
            )
            .await
        }
    };
    let problem = save(text("one"), Value::Null)
        .await
        .problem(409, "same_content");
    assert!(problem["detail"].as_str().unwrap().contains("version 1"));
    assert_eq!(save(text("two"), json!(1)).await.created()["number"], 2);
    let problem = save(text("three"), json!(1))
        .await
        .problem(409, "version_conflict");
    assert!(problem["detail"].as_str().unwrap().contains("version 2"));
    save(text("three"), json!(9)).await.refused(&["parent"]);
    save(text("three"), json!(-1)).await.refused(&["parent"]);
    save(text("three"), json!(1_u64 << 40))
        .await
        .refused(&["parent"]);
    // Going back to what an older version held is a change like any other.
    assert_eq!(save(text("one"), json!(2)).await.created()["number"], 3);
    assert_eq!(app.count("version").await, 3);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_version_moves_only_along_its_life(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    acme.prompt("a")
        .says("one")
        .says("two")
        .serves("production", 1)
        .create()
        .await;
    let key = acme.admin_key().await;
    let set = |number: &'static str, status: &'static str| {
        let key = key.clone();
        async move {
            key.post(
                &format!("/api/v1/prompts/a/versions/{number}/status"),
                &json!({ "status": status, "reason": "because" }),
            )
            .await
        }
    };
    assert_eq!(set("latest", "testing").await.ok()["status"], "testing");
    set("2", "draft").await.problem(409, "illegal_status_move");
    set("2", "active").await.problem(409, "illegal_status_move");
    set("1", "deprecated")
        .await
        .problem(409, "illegal_status_move");
    assert_eq!(set("2", "deprecated").await.ok()["status"], "deprecated");
    set("3", "testing").await.problem(404, "version_not_found");
    set("2", "retired").await.refused(&["status"]);
    set("x", "testing").await.refused(&["number"]);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_snippet_knows_where_it_is_used(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    acme.prompt("snippets/tone").says("Be kind.").create().await;
    acme.prompt("reply")
        .says("{{> snippets/tone@1}} Answer.")
        .create()
        .await;
    let key = acme.admin_key().await;
    let version = key.get("/api/v1/prompts/reply/versions/latest").await.ok();
    assert_eq!(
        version["content"]["messages"][0]["content"],
        "Be kind. Answer."
    );
    assert_eq!(
        version["source"]["messages"][0]["content"],
        "{{> snippets/tone@1}} Answer."
    );
    let uses = key
        .get("/api/v1/prompts/snippets%2Ftone/used-by")
        .await
        .ok();
    assert_eq!(
        uses["items"],
        json!([{ "prompt": "reply", "version": 1, "pinned": 1, "is_latest": true }])
    );
    app.stop().await;
}
