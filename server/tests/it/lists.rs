//! Lists page without gaps and without repeats, whatever happens between two pages.

use std::collections::HashSet;

use chrono::TimeDelta;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{Client, TestApp, text};

/// Reads a list to its end, page by page.
async fn all(client: &Client, path: &str, limit: usize) -> Vec<Value> {
    let separator = if path.contains('?') { '&' } else { '?' };
    let first = format!("/api/v1{path}{separator}limit={limit}");
    let mut items = Vec::new();
    let mut next = first.clone();
    loop {
        let page = client.get(&next).await.ok();
        let rows = page["items"].as_array().unwrap();
        assert!(rows.len() <= limit);
        items.extend(rows.clone());
        match page["next_cursor"].as_str() {
            Some(cursor) => {
                assert_eq!(rows.len(), limit, "{next}");
                next = format!("{first}&cursor={cursor}");
            }
            None => return items,
        }
    }
}

fn names(items: &[Value]) -> Vec<&str> {
    items
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn prompts_are_listed_in_order_without_gaps(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let key = acme.admin_key().await;
    let mut made = Vec::new();
    for n in 0..25 {
        let folder = ["", "support/", "support/eu/", "sales/"][n % 4];
        let name = format!("{folder}{}{n}", ["a", "B", "c-", "Z.", "0"][n % 5]);
        // Three of the same moment, then the clock goes on.
        if n % 3 == 0 {
            app.advance(TimeDelta::milliseconds(1));
        }
        let tag = if n % 2 == 0 { "x" } else { "y" };
        key.post(
            "/api/v1/prompts",
            &json!({ "name": name, "description": format!("about {n}"), "tags": [tag] }),
        )
        .await
        .created();
        made.push(name);
    }
    let mut sorted = made.clone();
    sorted.sort();
    for limit in [1, 4, 25, 26, 200] {
        assert_eq!(
            names(&all(&key, "/prompts", limit).await),
            sorted,
            "{limit}"
        );
        let by_change = all(&key, "/prompts?sort=changed", limit).await;
        let unique: HashSet<&str> = names(&by_change).into_iter().collect();
        assert_eq!(unique.len(), 25, "{limit}");
        assert!(by_change.is_sorted_by(|one, next| one["changed_at"].as_str() >= next["changed_at"].as_str()));
    }
    let matching = |test: &dyn Fn(&str, usize) -> bool| -> Vec<String> {
        let mut names: Vec<String> = made
            .iter()
            .enumerate()
            .filter(|(n, name)| test(name, *n))
            .map(|(_, name)| name.clone())
            .collect();
        names.sort();
        names
    };
    assert_eq!(
        names(&all(&key, "/prompts?folder=support", 3).await),
        matching(&|name, _| name.starts_with("support/"))
    );
    assert_eq!(
        names(&all(&key, "/prompts?folder=support/eu", 3).await),
        matching(&|name, _| name.starts_with("support/eu/"))
    );
    assert_eq!(
        names(&all(&key, "/prompts?tag=x", 3).await),
        matching(&|_, n| n % 2 == 0)
    );
    assert_eq!(
        names(&all(&key, "/prompts?q=ABOUT%207", 3).await),
        matching(&|_, n| n == 7)
    );
    assert_eq!(
        names(&all(&key, "/prompts?q=%25", 3).await),
        Vec::<&str>::new()
    );
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_list_that_grows_while_it_is_read_repeats_nothing(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let key = acme.admin_key().await;
    acme.prompt("a").create().await;
    let save = |n: i32| {
        let key = key.clone();
        async move {
            key.post(
                "/api/v1/prompts/a/versions",
                &json!({ "content": text(&n.to_string()) }),
            )
            .await
            .created()
        }
    };
    for n in 1..=7 {
        save(n).await;
    }
    let first = key.get("/api/v1/prompts/a/versions?limit=3").await.ok();
    save(8).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = key
        .get(&format!(
            "/api/v1/prompts/a/versions?limit=3&cursor={cursor}"
        ))
        .await
        .ok();
    let numbers: Vec<i64> = [&first, &second]
        .into_iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|version| version["number"].as_i64().unwrap())
        .collect();
    assert_eq!(numbers, [7, 6, 5, 4, 3, 2]);
    assert!(
        first["items"][0].get("content").is_none(),
        "lists do not carry contents"
    );
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn deployments_promotions_and_entries_are_listed_without_gaps(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let key = acme.admin_key().await;
    acme.prompt("a").says("one").says("two").create().await;
    acme.prompt("b")
        .says("one")
        .serves("staging", 1)
        .create()
        .await;
    for n in 0..9 {
        let promotion = json!({ "environment": "production", "version": n % 2 + 1 });
        key.post("/api/v1/prompts/a/promotions", &promotion)
            .await
            .created();
        if n % 4 == 0 {
            app.advance(TimeDelta::seconds(1));
        }
    }
    for limit in [1, 2, 9, 10] {
        for (path, id, n) in [
            ("/prompts/a/deployments", "deployment_id", 9),
            ("/prompts/a/promotions", "id", 9),
            ("/deployments", "deployment_id", 10),
            ("/deployments?environment=staging", "deployment_id", 1),
            ("/audit?action=deployment", "sequence", 10),
        ] {
            let items = all(&key, path, limit).await;
            let unique: HashSet<String> = items.iter().map(|item| item[id].to_string()).collect();
            assert_eq!((items.len(), unique.len()), (n, n), "{path} by {limit}");
        }
    }
    let newest = &all(&key, "/prompts/a/deployments", 4).await[0];
    assert_eq!(
        (&newest["version"], &newest["from_version"]),
        (&json!(1), &json!(2))
    );
    key.get("/api/v1/prompts/none/deployments")
        .await
        .problem(404, "prompt_not_found");
    key.get("/api/v1/prompts/none/versions")
        .await
        .problem(404, "prompt_not_found");
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn lists_that_are_answered_whole_page_too(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let key = acme.admin_key().await;
    acme.prompt("p").says("one").create().await;
    for number in 0..2 {
        let body = json!({ "name": format!("p{number}"), "kind": "openai", "base_url": "http://127.0.0.1:9" });
        key.post("/api/v1/providers", &body).await.created();
    }
    for path in [
        "/keys",
        "/members",
        "/providers",
        "/environments",
        "/consumers",
        "/drift",
        "/alert-rules",
        "/webhooks",
        "/prices",
        "/prompts/p/gates",
        "/prompts/p/used-by",
    ] {
        let address = |query: &str| format!("/api/v1{path}?{query}");
        key.get(&address("limit=0")).await.refused(&["limit"]);
        key.get(&address("cursor=!")).await.refused(&["cursor"]);
        let whole = key.get(&address("")).await.ok();
        assert_eq!(whole["next_cursor"], Value::Null, "{path}");
        assert_eq!(
            all(&key, path, 1).await,
            *whole["items"].as_array().unwrap(),
            "{path}"
        );
    }
    app.stop().await;
}
