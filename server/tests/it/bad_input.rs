//! Whatever is sent: a clear answer, nothing half-written, never a failure of ours.

use axum::{body::Body, http::Method};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{Answer, Client, TestApp, chat, text};

const VERSIONS: &str = "/api/v1/prompts/a/versions";

async fn post_raw(client: &Client, path: &str, body: impl Into<Body>) -> Answer {
    client.send(Method::POST, path, body.into()).await
}

/// Every route that takes a body, by way of one prompt that is there.
const WITH_BODY: [(&str, &str); 12] = [
    ("POST", "/api/v1/prompts"),
    ("PATCH", "/api/v1/prompts/a"),
    ("POST", "/api/v1/prompts/a/versions"),
    ("POST", "/api/v1/prompts/a/versions/1/status"),
    ("POST", "/api/v1/prompts/a/promotions"),
    ("POST", "/api/v1/prompts/a/rollback"),
    ("POST", "/api/v1/prompts/a/break-glass"),
    ("POST", "/api/v1/prompts/a/render"),
    ("POST", "/api/v1/stream/ack"),
    ("POST", "/api/v1/environments"),
    ("POST", "/api/v1/members"),
    ("POST", "/api/v1/keys"),
];

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_body_that_cannot_be_read_is_refused_everywhere(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    acme.prompt("a")
        .says("one")
        .serves("production", 1)
        .create()
        .await;
    let key = acme.admin_key().await;
    let before = app.rows().await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_object = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    for (method, path) in WITH_BODY {
        let send = |body: Vec<u8>| {
            let key = key.clone();
            async move {
                key.send(method.parse().unwrap(), path, Body::from(body))
                    .await
            }
        };
        send(Vec::new()).await.problem(400, "malformed_request");
        send(b"{".to_vec()).await.problem(400, "malformed_request");
        send(b"\xff\xfe{}".to_vec())
            .await
            .problem(400, "malformed_request");
        send(b"{\"name\":\"\xed\xa0\x80\"}".to_vec())
            .await
            .problem(400, "malformed_request");
        send(br#"{"name":"\ud800"}"#.to_vec())
            .await
            .problem(400, "malformed_request");
        send(deep.clone().into_bytes())
            .await
            .problem(400, "malformed_request");
        send(deep_object.clone().into_bytes())
            .await
            .problem(400, "malformed_request");
        send(b"{\"x\":1e999}".to_vec())
            .await
            .problem(400, "malformed_request");
        for not_an_object in ["[]", "null", "3", "\"text\""] {
            let problem = send(not_an_object.into()).await.problem(422, "invalid");
            assert_eq!(
                problem["errors"][0],
                json!({ "field": "body", "message": "must be an object" })
            );
        }
        send(br#"{"name":"a\u0000b"}"#.to_vec())
            .await
            .refused(&["name"]);
        let problem = send(br#"{"colour":"red"}"#.to_vec())
            .await
            .problem(422, "invalid");
        let unknown = json!({ "field": "colour", "message": "is not a known field" });
        assert!(
            problem["errors"].as_array().unwrap().contains(&unknown),
            "{method} {path}: {problem}"
        );
        send(vec![b' '; 5 * 1024 * 1024])
            .await
            .problem(413, "too_large");
    }
    assert_eq!(app.rows().await, before);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn every_offending_field_is_listed_at_once(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    acme.prompt("a")
        .says("one")
        .serves("production", 1)
        .create()
        .await;
    let key = acme.admin_key().await;
    let before = app.rows().await;

    key.post(
        "/api/v1/prompts",
        &json!({ "description": 3, "tags": ["a", 1], "size": 1 }),
    )
    .await
    .refused(&["name", "description", "tags[1]", "size"]);
    key.post(VERSIONS, &json!({
        "content": {
            "type": "chat",
            "messages": [{ "role": "boss", "content": "{{", "x": 1 }, { "role": "user", "content": "{{missing}}" }],
            "variables": [{ "name": "a b", "type": "text" }, { "name": "long", "type": "string" }],
            "model": { "provider": "openai", "temperature": 3 },
            "colour": "red",
        },
        "parent": "1",
        "change_description": [],
    }))
    .await
    .problem(422, "invalid")["errors"]
        .as_array()
        .inspect(|errors| assert!(errors.len() >= 9, "{errors:?}"))
        .unwrap();
    key.post(
        "/api/v1/prompts/a/promotions",
        &json!({ "version": 1.5, "expected_deployment": "x" }),
    )
    .await
    .refused(&["environment", "version", "expected_deployment"]);
    key.post(
        "/api/v1/prompts/a/rollback",
        &json!({ "to_version": 1_u64 << 33, "reason": 1 }),
    )
    .await
    .refused(&["environment", "to_version", "reason"]);
    key.post(
        "/api/v1/prompts/a/break-glass",
        &json!({ "environment": "production" }),
    )
    .await
    .refused(&["version", "reason"]);
    key.post(
        "/api/v1/prompts/a/break-glass",
        &json!({ "environment": "production", "version": 1, "reason": "  " }),
    )
    .await
    .refused(&["reason"]);
    key.post(
        "/api/v1/members",
        &json!({ "email": "nobody", "name": "", "role": "boss" }),
    )
    .await
    .refused(&["role"]);
    key.post(
        "/api/v1/members",
        &json!({ "email": "nobody", "name": "N", "role": "viewer" }),
    )
    .await
    .refused(&["email"]);
    key.post(
        "/api/v1/keys",
        &json!({ "name": "k", "scopes": ["everything", "admin"], "environments": [1] }),
    )
    .await
    .refused(&["scopes[0]", "environments[0]"]);
    key.post(
        "/api/v1/keys",
        &json!({ "name": "", "scopes": [], "environments": ["mars"] }),
    )
    .await
    .refused(&["name", "scopes", "environments[0]"]);
    key.post(
        "/api/v1/environments",
        &json!({ "name": "qa", "policy": { "gate": 1, "approvals": -1, "x": 1 } }),
    )
    .await
    .refused(&["policy.gate", "policy.approvals", "policy.x"]);
    key.post("/api/v1/environments", &json!({ "name": "latest" }))
        .await
        .refused(&["name"]);
    key.patch(
        "/api/v1/environments/production",
        &json!({ "policy": { "approvals": 11 } }),
    )
    .await
    .refused(&["approvals"]);
    assert_eq!(app.rows().await, before);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn names_that_could_deceive_are_refused(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    acme.prompt("a").says("one").create().await;
    let key = acme.admin_key().await;
    let before = app.rows().await;
    let long = "x".repeat(201);
    for name in [
        "",
        ".",
        "..",
        "../etc/passwd",
        "a/../b",
        "a//b",
        "/a",
        "a/",
        "a b",
        "a%2Fb",
        "smile-😀",
        "abc\u{202e}def",
        "a\u{200b}b",
        "а",
        "a\nb",
        "a\\b",
        "<script>",
        "%00",
        &long,
    ] {
        key.post("/api/v1/prompts", &json!({ "name": name }))
            .await
            .refused(&["name"]);
    }
    key.post("/api/v1/prompts", &json!({ "name": "A" }))
        .await
        .problem(409, "prompt_exists");
    key.post(
        "/api/v1/prompts",
        &json!({ "name": "b", "description": "bell \u{7}", "tags": ["a b"] }),
    )
    .await
    .refused(&["description", "tags"]);
    assert_eq!(app.rows().await, before);

    // In an address such a name is the name of nothing.
    for name in [
        "..%2Fetc",
        "%00",
        "a%00",
        "smile-%F0%9F%98%80",
        "%E2%80%AE",
        "%252e%252e",
        "a%0Ab",
        "%20",
    ] {
        for path in [
            "",
            "/versions",
            "/versions/1",
            "/resolve",
            "/deployments",
            "/used-by",
            "/promotions",
        ] {
            key.get(&format!("/api/v1/prompts/{name}{path}"))
                .await
                .problem(404, "prompt_not_found");
        }
        key.post(
            &format!("/api/v1/prompts/{name}/rollback"),
            &json!({ "environment": "production" }),
        )
        .await
        .problem(404, "prompt_not_found");
    }
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn words_of_any_script_are_kept_as_they_are(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let key = acme.admin_key().await;
    let words = "שלום \u{202e}abc\u{202c} 😀 👩‍👩‍👧 e\u{301} \u{feff} 𝔘𝔫𝔦 \t\r\n \u{e000} \u{10ffff}";
    key.post(
        "/api/v1/prompts",
        &json!({ "name": "a", "description": "שלום 😀 \u{202e}", "tags": ["größe"] }),
    )
    .await
    .created();
    let saved = key
        .post(
            VERSIONS,
            &json!({ "content": text(words), "change_description": "😀\n\u{202e}" }),
        )
        .await
        .created();
    assert_eq!(saved["content"]["messages"][0]["content"], words);
    let rules: Vec<&Value> = saved["lint"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| &finding["rule"])
        .collect();
    assert!(rules.contains(&&json!("invisible_characters")), "{rules:?}");
    let deploy = json!({ "environment": "staging", "version": 1, "reason": "😀\u{202e}" });
    key.post("/api/v1/prompts/a/promotions", &deploy)
        .await
        .created();
    app.settle(acme.id()).await;
    let resolved = key
        .get("/api/v1/prompts/a/resolve?environment=staging")
        .await
        .ok();
    assert_eq!(resolved["messages"][0]["content"], words);
    assert!(
        key.get("/api/v1/audit/verify").await.ok()["ok"]
            .as_bool()
            .unwrap()
    );
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn contents_that_are_too_large_are_refused_and_large_ones_work(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    acme.prompt("a").says("one").create().await;
    let key = acme.admin_key().await;
    let save = |content: Value| {
        let key = key.clone();
        async move {
            key.post(
                VERSIONS,
                &json!({ "content": content, "change_description": "" }),
            )
            .await
        }
    };
    let before = app.rows().await;

    save(text(&"x".repeat(1024 * 1024)))
        .await
        .refused(&["content"]);
    let variables: Vec<Value> = (0..10_000)
        .map(|n| json!({ "name": format!("v{n}"), "type": "string", "max_length": 9 }))
        .collect();
    save(chat(&[("user", "hello")], json!(variables)))
        .await
        .problem(422, "invalid");
    let uses: String = (0..10_000).map(|n| format!("{{{{v{n}}}}}")).collect();
    save(chat(&[("user", &uses)], json!(variables)))
        .await
        .problem(422, "invalid");
    save(chat(&[("user", &uses)], json!([])))
        .await
        .problem(422, "invalid");
    let many: Vec<(&str, &str)> = vec![("user", "x"); 1_001];
    save(chat(&many, json!([]))).await.problem(422, "invalid");
    save(text(&"{{".repeat(499_999)))
        .await
        .problem(422, "invalid");
    let nested = (0..100).fold(json!(1), |inner, _| json!({ "a": inner }));
    let mut content = text("x");
    content["response_format"] = nested;
    let nested = save(content).await;
    assert!([201, 422].contains(&nested.status.as_u16()), "{nested:?}");
    assert_eq!(app.rows().await.len(), before.len());

    let large = "y".repeat(1024 * 1024 - 200);
    let n_versions = app.count("version").await;
    let saved = save(text(&large)).await.created();
    assert_eq!(app.count("version").await, n_versions + 1);
    let number = &saved["number"];
    let diff = key.get(&format!("{VERSIONS}/1/diff/{number}")).await.ok();
    assert_eq!(diff["to"], *number);
    let deploy = json!({ "environment": "staging", "version": number });
    key.post("/api/v1/prompts/a/promotions", &deploy)
        .await
        .created();
    app.settle(acme.id()).await;
    let rendered = key
        .post(
            "/api/v1/prompts/a/render",
            &json!({ "environment": "staging" }),
        )
        .await
        .ok();
    assert_eq!(rendered["messages"][0]["content"], large);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn parameters_that_make_no_sense_are_named(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    acme.prompt("a")
        .says("one")
        .serves("production", 1)
        .create()
        .await;
    let key = acme.admin_key().await;
    let get = |path: &'static str| {
        let key = key.clone();
        async move { key.get(&format!("/api/v1{path}")).await }
    };
    get("/prompts?limit=abc&cursor=zz&sort=size")
        .await
        .refused(&["limit", "cursor", "sort"]);
    get("/prompts?limit=0").await.refused(&["limit"]);
    get("/prompts?limit=201").await.refused(&["limit"]);
    // A cursor of another list.
    get("/prompts?sort=changed&cursor=61")
        .await
        .refused(&["cursor"]);
    get("/prompts/a/versions?cursor=61")
        .await
        .refused(&["cursor"]);
    get("/prompts/a/versions?cursor=3939393939393939393939")
        .await
        .refused(&["cursor"]);
    get("/deployments?cursor=61").await.refused(&["cursor"]);
    get("/prompts/a/promotions?cursor=61")
        .await
        .refused(&["cursor"]);
    get("/audit?cursor=x&from=yesterday&until=2026-13-01&format=xml")
        .await
        .refused(&["from", "until", "format", "cursor"]);
    get("/audit?from=%2B262142-01-01T00:00:00Z")
        .await
        .refused(&["from"]);
    get("/audit?cursor=61").await.refused(&["cursor"]);
    get("/audit/verify?sequence=x")
        .await
        .refused(&["sequence", "hash"]);
    get("/stream?include=everything")
        .await
        .refused(&["include"]);
    get("/stream?consumer=%07").await.refused(&["consumer"]);
    get("/stream?environment=mars")
        .await
        .problem(404, "environment_not_found");
    get("/prompts/a/resolve?environment=mars")
        .await
        .problem(404, "environment_not_found");
    get("/prompts/a/resolve?environment=staging")
        .await
        .problem(404, "not_deployed");
    get("/prompts/b/resolve")
        .await
        .problem(404, "prompt_not_found");

    get("/prompts/a/versions/x").await.refused(&["number"]);
    get("/prompts/a/versions/-1").await.refused(&["number"]);
    get("/prompts/a/versions/1/diff/y")
        .await
        .refused(&["other"]);
    for number in ["0", "2", "99999999999999999999"] {
        key.get(&format!("/api/v1/prompts/a/versions/{number}"))
            .await
            .problem(404, "version_not_found");
    }
    get("/deployments/x")
        .await
        .problem(404, "deployment_not_found");
    key.delete("/api/v1/keys/x")
        .await
        .problem(404, "key_not_found");
    key.delete("/api/v1/members/x")
        .await
        .problem(404, "member_not_found");
    key.patch("/api/v1/environments/Mars", &json!({ "policy": {} }))
        .await
        .problem(404, "environment_not_found");

    for path in [
        "/prompts/%ff",
        "/prompts/%ff/resolve",
        "/prompts/a/versions/%ff",
        "/deployments/%ff",
        "/prompts?q=%ff",
        "/prompts/a/resolve?environment=%ff",
        "/stream?consumer=%ff",
    ] {
        get(path).await.problem(400, "malformed_request");
    }
    for path in [
        "/prompts?q=%00",
        "/prompts?tag=%00",
        "/prompts?folder=%00",
        "/audit?actor=%00",
        "/deployments?environment=%00",
        "/prompts?q=a&q=b",
    ] {
        get(path).await.problem(400, "malformed_request");
    }
    // What looks odd but means something.
    for path in [
        "/prompts?q=%25_'%22%5C&tag=%F0%9F%98%80&folder=..",
        "/prompts?colour=red",
        "/prompts?limit=&cursor=&sort=",
        "/audit?from=2026-01-01&until=2026-01-01T00:00:00+02:00",
    ] {
        get(path).await.ok();
    }
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_wrong_method_or_address_is_a_problem_too(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let key = acme.admin_key().await;
    let wrong = key
        .send(Method::PUT, "/api/v1/prompts", Body::empty())
        .await;
    wrong.problem(405, "method_not_allowed");
    assert_eq!(wrong.header("allow"), Some("GET,HEAD,POST"));
    let wrong = key.delete("/api/v1/prompts/a/resolve").await;
    wrong.problem(405, "method_not_allowed");
    assert_eq!(wrong.header("allow"), Some("GET,HEAD"));
    for path in [
        "/api/v1/nothing",
        "/api/v1/prompts/a/nothing",
        "/api/v1/prompts/a/b/resolve",
        "/api/v1",
        "/api/v2/prompts",
        "/api/v1/prompts/",
    ] {
        key.get(path).await.problem(404, "route_not_found");
        post_raw(&key, path, "{}")
            .await
            .problem(404, "route_not_found");
    }
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn any_content_type_is_read_as_json(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let key = acme.admin_key().await;
    for (index, kind) in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin1",
        "nonsense",
    ]
    .iter()
    .enumerate()
    {
        let client = key.clone().with("content-type", kind);
        client
            .post("/api/v1/prompts", &json!({ "name": format!("p{index}") }))
            .await
            .created();
    }
    app.stop().await;
}
