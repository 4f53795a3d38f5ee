//! The audit trail: one entry for everything done, and a chain that shows tampering.

use domain::actor::{Role, Scope};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{Client, TestApp, text};

/// The trail, oldest first.
async fn trail(client: &Client) -> Vec<Value> {
    let mut entries = Vec::new();
    let mut path = "/api/v1/audit?limit=200".to_owned();
    loop {
        let page = client.get(&path).await.ok();
        entries.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/api/v1/audit?limit=200&cursor={cursor}");
    }
    entries.reverse();
    entries
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn everything_done_leaves_one_entry_with_who_did_it(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let key = acme.admin_key().await;
    let person = acme.person(Role::Admin).await;
    let target = acme.member("target@acme.test", Role::Viewer).await;
    let version = |words: &str| json!({ "content": text(words), "change_description": words });
    let at = |version: i32| json!({ "environment": "production", "version": version, "reason": "because" });
    let steps: Vec<(&Client, &str, String, Value, &str, &str)> = vec![
        (
            &person,
            "POST",
            "/prompts".into(),
            json!({ "name": "a" }),
            "prompt.create",
            "a",
        ),
        (
            &key,
            "PATCH",
            "/prompts/a".into(),
            json!({ "description": "better" }),
            "prompt.describe",
            "a",
        ),
        (
            &key,
            "POST",
            "/prompts/a/versions".into(),
            version("one"),
            "version.create",
            "a",
        ),
        (
            &person,
            "POST",
            "/prompts/a/versions".into(),
            version("two"),
            "version.create",
            "a",
        ),
        (
            &person,
            "POST",
            "/prompts/a/versions/2/status".into(),
            json!({ "status": "testing" }),
            "version.status",
            "a",
        ),
        (
            &key,
            "POST",
            "/prompts/a/promotions".into(),
            at(1),
            "deployment.promote",
            "a",
        ),
        (
            &person,
            "POST",
            "/prompts/a/break-glass".into(),
            at(2),
            "deployment.break_glass",
            "a",
        ),
        (
            &person,
            "POST",
            "/prompts/a/rollback".into(),
            json!({ "environment": "production", "reason": "worse" }),
            "deployment.rollback",
            "a",
        ),
        (
            &person,
            "POST",
            "/environments".into(),
            json!({ "name": "qa" }),
            "environment.create",
            "qa",
        ),
        (
            &key,
            "PATCH",
            "/environments/qa".into(),
            json!({ "policy": { "approvals": 1 } }),
            "environment.policy",
            "qa",
        ),
        (
            &person,
            "POST",
            "/members".into(),
            json!({ "email": "new@acme.test", "name": "New", "role": "editor" }),
            "member.add",
            "new@acme.test",
        ),
        (
            &person,
            "PATCH",
            format!("/members/{target}"),
            json!({ "role": "editor" }),
            "member.role",
            "target@acme.test",
        ),
        (
            &person,
            "DELETE",
            format!("/members/{target}"),
            Value::Null,
            "member.remove",
            "target@acme.test",
        ),
        (
            &person,
            "POST",
            "/keys".into(),
            json!({ "name": "ci", "scopes": ["evals:run"] }),
            "key.create",
            "ci",
        ),
    ];
    for (client, method, path, body, action, subject) in steps {
        let before = app.count("audit_entry").await;
        let path = format!("/api/v1{path}");
        let answer = match method {
            "POST" => client.post(&path, &body).await,
            "PATCH" => client.patch(&path, &body).await,
            _ => client.delete(&path).await,
        };
        assert!(answer.status.is_success(), "{action}: {answer:?}");
        assert_eq!(app.count("audit_entry").await, before + 1, "{action}");
        let entry = key.get("/api/v1/audit?limit=1").await.ok()["items"][0].clone();
        assert_eq!(
            (&entry["action"], &entry["subject"]),
            (&json!(action), &json!(subject))
        );
        let who = client.get("/api/v1/me").await.ok();
        assert_eq!(
            (&entry["actor"]["kind"], &entry["actor"]["id"]),
            (&who["kind"], &who["id"]),
            "{action}"
        );
    }
    let made = trail(&key).await.last().unwrap().clone();
    assert!(
        !made
            .to_string()
            .contains(key.credential().trim_start_matches("Bearer "))
    );
    let sequence: Vec<i64> = trail(&key)
        .await
        .iter()
        .map(|entry| entry["sequence"].as_i64().unwrap())
        .collect();
    assert_eq!(
        sequence,
        (1..=i64::try_from(sequence.len()).unwrap()).collect::<Vec<_>>()
    );

    // What was refused leaves nothing.
    let before = app.rows().await;
    let reader = acme.key(&[Scope::PromptsRead]).await;
    let after_key = app.rows().await;
    assert_ne!(before, after_key);
    reader
        .post(
            "/api/v1/prompts/a/rollback",
            &json!({ "environment": "production" }),
        )
        .await
        .is(403);
    key.post("/api/v1/prompts/a/versions", &version("two "))
        .await
        .created();
    let saved = app.rows().await;
    key.post("/api/v1/prompts/a/versions", &version("two "))
        .await
        .is(409);
    key.post("/api/v1/prompts/a/promotions", &at(99))
        .await
        .problem(404, "version_not_found");
    key.post(
        "/api/v1/prompts/a/promotions",
        &json!({ "environment": "mars", "version": 1 }),
    )
    .await
    .problem(404, "environment_not_found");
    assert_eq!(app.rows().await, saved);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_trail_is_filtered_by_who_what_and_when(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let key = acme.admin_key().await;
    let morning = app.now();
    acme.prompt("a")
        .says("one")
        .serves("production", 1)
        .create()
        .await;
    app.advance(chrono::TimeDelta::hours(2));
    let person = acme.person(Role::Editor).await;
    person
        .post("/api/v1/prompts", &json!({ "name": "b" }))
        .await
        .created();
    let n = |query: String| {
        let key = key.clone();
        async move {
            key.get(&format!("/api/v1/audit?{query}")).await.ok()["items"]
                .as_array()
                .unwrap()
                .len()
        }
    };
    let noon = (morning + chrono::TimeDelta::hours(1))
        .to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    assert_eq!(n("prompt=a".into()).await, 3);
    assert_eq!(n("subject=a&action=deployment".into()).await, 1);
    assert_eq!(n("action=prompt.create".into()).await, 2);
    assert_eq!(n("actor=EDITOR".into()).await, 1);
    assert_eq!(n(format!("from={noon}")).await, 2);
    assert_eq!(n(format!("from={noon}&action=prompt")).await, 1);
    assert_eq!(n(format!("until={noon}&action=prompt")).await, 1);
    assert_eq!(n("subject=nothing".into()).await, 0);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn tampering_is_found_and_named(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let key = acme.admin_key().await;
    for name in ["a", "b", "c", "d", "e"] {
        key.post("/api/v1/prompts", &json!({ "name": name }))
            .await
            .created();
    }
    let verify = || async { key.get("/api/v1/audit/verify").await.ok() };
    let whole = verify().await;
    let n = whole["entries"].as_i64().unwrap();
    assert_eq!(
        (&whole["ok"], n),
        (&json!(true), app.count("audit_entry").await)
    );
    let kept = trail(&key).await;
    assert_eq!(whole["head"], kept.last().unwrap()["hash"]);

    // Not even the database's owner changes it by accident.
    for sql in [
        "update audit_entry set subject = 'x' where sequence = 3",
        "delete from audit_entry where sequence = 3",
        "truncate audit_entry",
        "update version set content = '{}' where number = 1",
        "delete from deployment",
    ] {
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&pool).await;
        let rows = done.map(|done| done.rows_affected());
        assert!(!matches!(rows, Ok(1..)), "{sql}");
    }

    let cases: [(&str, &str, i64); 8] = [
        (
            "update audit_entry set subject = 'x' where sequence = 4",
            "edited",
            4,
        ),
        (
            "update audit_entry set detail = detail || '{\"reason\":\"\"}' where sequence = 5",
            "edited",
            5,
        ),
        (
            "update audit_entry set at = at - interval '1 day' where sequence = 1",
            "edited",
            1,
        ),
        (
            "update audit_entry set actor = jsonb_set(actor, '{name}', '\"nobody\"') where sequence = 2",
            "edited",
            2,
        ),
        ("delete from audit_entry where sequence = 3", "missing", 3),
        (
            "delete from audit_entry where sequence = (select max(sequence) from audit_entry)",
            "truncated",
            n,
        ),
        (
            "update audit_entry set sequence = -1 where sequence = 4;
             update audit_entry set sequence = 4 where sequence = 5;
             update audit_entry set sequence = 5 where sequence = -1",
            "edited",
            4,
        ),
        (
            "update project_head set audit_hash = repeat('a', 64)",
            "wrong_head",
            n,
        ),
    ];
    for (sql, problem, at) in cases {
        app.tamper(&format!(
            "create table kept as table audit_entry; create table kept_head as table project_head;
             alter table audit_entry disable trigger all; {sql}"
        ))
        .await;
        let found = verify().await;
        assert_eq!(
            (&found["ok"], &found["problem"], &found["broken_at"]),
            (&json!(false), &json!(problem), &json!(at)),
            "{sql}: {found}"
        );
        assert!(
            found["message"].as_str().unwrap().contains(&at.to_string()) || problem == "truncated",
            "{found}"
        );
        app.tamper(
            "delete from audit_entry; insert into audit_entry table kept; drop table kept;
             update project_head set audit_hash = kept_head.audit_hash from kept_head; drop table kept_head;
             alter table audit_entry enable trigger all",
        )
        .await;
        assert_eq!(verify().await, whole, "{sql}");
    }

    // Somebody who makes a whole new chain is caught by a hash that was kept elsewhere.
    let anchor =
        |sequence: i64, hash: &str| format!("/api/v1/audit/verify?sequence={sequence}&hash={hash}");
    let hash = kept[2]["hash"].as_str().unwrap();
    assert_eq!(key.get(&anchor(3, hash)).await.ok()["ok"], true);
    let other = key.get(&anchor(3, &"b".repeat(64))).await.ok();
    assert_eq!(
        (&other["ok"], &other["broken_at"]),
        (&json!(false), &json!(3))
    );
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_whole_filtered_trail_can_be_taken_away(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let key = acme.admin_key().await;
    for n in 0..230 {
        let (store, by) = (&app.state().store, &acme.operator);
        let name = domain::prompt::PromptName::parse(&format!("p{n:03}")).unwrap();
        store::prompts::create(store, by, &name, "a \"quoted\", line", &[], app.now())
            .await
            .unwrap();
    }
    let formula = json!({ "name": "=HYPERLINK(\"http://evil\")", "scopes": ["prompts:read"] });
    key.post("/api/v1/keys", &formula).await.created();
    let total = usize::try_from(app.count("audit_entry").await).unwrap();

    let csv = key.get("/api/v1/audit?format=csv&limit=10").await;
    assert_eq!(
        csv.is(200).header("content-type"),
        Some("text/csv; charset=utf-8")
    );
    assert_eq!(
        csv.header("content-disposition"),
        Some("attachment; filename=\"audit.csv\"")
    );
    let lines: Vec<&str> = csv.text().split("\r\n").collect();
    assert_eq!(
        lines[0],
        "sequence,at,actor_kind,actor_id,actor,action,subject,detail,previous_hash,hash"
    );
    assert_eq!(lines.len(), total + 2);
    assert!(
        lines[1].contains(",key.create,\"'=HYPERLINK(\"\"http://evil\"\")\","),
        "{}",
        lines[1]
    );

    let jsonl = key.get("/api/v1/audit?format=jsonl").await;
    assert_eq!(jsonl.header("content-type"), Some("application/jsonl"));
    let entries: Vec<Value> = jsonl
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut expected = trail(&key).await;
    expected.reverse();
    assert_eq!(entries, expected);

    let accepted = key
        .clone()
        .with("accept", "text/csv")
        .get("/api/v1/audit?action=key&actor=a%20key")
        .await;
    assert_eq!(accepted.is(200).text().lines().count(), 2);
    let accepted = key
        .clone()
        .with("accept", "application/x-ndjson")
        .get("/api/v1/audit?subject=p007")
        .await;
    assert_eq!(accepted.text().lines().count(), 1);
    assert_eq!(accepted.header("vary"), Some("accept"));
    app.stop().await;
}
