//! What a change costs in cache misses, by the API: the estimate, the budget that it is held
//! against at every door, the quietest hour, and prices that are only ever added.

use chrono::{TimeDelta, Timelike};
use domain::actor::{Role, Scope};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{Client, TestApp, TestProject, evals};

const ASK: &str = "/api/v1/prompts/p/promotions";

/// A chat with a long system prompt that ends in a breakpoint.
fn long(first: &str) -> Value {
    let system = format!(
        "{first} {}",
        "Answer in one short sentence and be kind. ".repeat(600)
    );
    json!({
        "type": "chat",
        "messages": [
            { "role": "system", "content": system, "cache_control": { "type": "ephemeral" } },
            { "role": "user", "content": "Hello" },
        ],
        "model": { "provider": "anthropic", "name": "claude-sonnet-4-6", "max_tokens": 100 },
    })
}

/// The same with a breakpoint for an hour.
fn hourly(first: &str) -> Value {
    let mut content = long(first);
    content["messages"][0]["cache_control"]["ttl"] = json!("1h");
    content
}

/// An open project with a prompt of three long versions, of which the first serves production.
async fn scene(app: &TestApp) -> (TestProject<'_>, Client) {
    let acme = app.project("acme").await;
    acme.prompt("p")
        .version(long("One."))
        .version(long("Two."))
        .version(long("Three."))
        .serves("production", 1)
        .create()
        .await;
    let admin = acme.admin_key().await;
    (acme, admin)
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_estimate_says_what_changes_first_and_where_its_inputs_come_from(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let (acme, _) = scene(&app).await;
    let reader = acme.key(&[Scope::PromptsRead]).await;
    let found = reader
        .get("/api/v1/prompts/p/cache-cost?to=2&requests_per_hour=1200&ttft_ms=1000")
        .await
        .ok();
    assert_eq!(found["first_changed"], "message 1 (system)");
    assert_eq!(
        found["inputs"]["requests_per_hour"],
        json!({ "value": 1200.0, "source": "given" })
    );
    assert_eq!(found["inputs"]["distinct_keys"]["source"], "assumed");
    assert!(found["cost"]["expected_usd"].as_f64().unwrap() > 0.0);
    let newest = reader.get("/api/v1/prompts/p/cache-cost").await.ok();
    assert_eq!(newest["inputs"]["requests_per_hour"]["value"], 10_000.0);
    let same = reader
        .get("/api/v1/prompts/p/cache-cost?from=2&to=2")
        .await
        .ok();
    assert_eq!(same["cost"]["upper_bound_usd"], 0.0);
    assert!(
        same["free"]
            .as_str()
            .unwrap()
            .contains("nothing that is cached")
    );
    for (query, code) in [
        ("to=9", "version_not_found"),
        ("environment=nowhere", "environment_not_found"),
    ] {
        let path = format!("/api/v1/prompts/p/cache-cost?{query}");
        reader.get(&path).await.problem(404, code);
    }
    reader
        .get("/api/v1/prompts/p/cache-cost?distinct_keys=0&ttft_ms=soon&to=x")
        .await
        .refused(&["distinct_keys", "ttft_ms", "to"]);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_budget_asks_every_door_for_a_yes_and_keeps_it(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let (acme, admin) = scene(&app).await;
    let budget = json!({ "budget_usd_per_day": 0.02 });
    let path = "/api/v1/prompts/p/cache-budget";
    let set = admin.put(path, &budget).await.ok();
    assert_eq!(set["budget_usd_per_day"], 0.02);
    assert_eq!(admin.get(path).await.ok(), set);
    admin
        .put(
            path,
            &json!({ "budget_usd_per_day": -1, "distinct_keys": 0 }),
        )
        .await
        .refused(&["budget_usd_per_day", "distinct_keys"]);
    let ask = json!({ "environment": "production", "version": 2 });
    let key = acme.key(&[Scope::PromotionsRequest]).await;
    let lead = acme.person(Role::Approver).await;
    for client in [&key, &lead, &admin] {
        let refused = client.post(ASK, &ask).await.refused(&["accept_cache_cost"]);
        let words = refused["errors"][0]["message"].as_str().unwrap();
        assert!(
            words.contains("budget is $0.02 a day") && words.contains("expected to cost $0."),
            "{words}"
        );
    }
    let yes = json!({ "environment": "production", "version": 2, "accept_cache_cost": true });
    let done = key.post(ASK, &yes).await.created();
    assert_eq!(done["status"], "executed");
    let id = done["id"].as_str().unwrap();
    let full = admin.get(&format!("/api/v1/promotions/{id}")).await.ok();
    let cost = &full["evidence"]["cache_cost"];
    assert_eq!(
        (&cost["accepted"], &cost["budget_usd"]),
        (&json!(true), &json!(0.02))
    );
    assert!(cost["cost"]["upper_bound_usd"].as_f64().unwrap() > 10.0);
    let trail = admin.get("/api/v1/audit?limit=5").await.ok();
    let actions: Vec<&str> = trail["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    assert!(actions.contains(&"promotion.accept_cost"), "{actions:?}");
    assert_eq!(admin.get("/api/v1/audit/verify").await.ok()["ok"], true);
    // Going back never waits for a budget.
    let back = json!({ "environment": "production" });
    lead.post("/api/v1/prompts/p/rollback", &back).await.ok();
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_promotion_waits_for_the_quietest_hour(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let (_acme, admin) = scene(&app).await;
    let ask = json!({ "environment": "production", "version": 2, "at": "quietest" });
    admin.post(ASK, &ask).await.problem(409, "no_quietest_hour");
    let odd = json!({ "environment": "production", "version": 2, "at": "soon" });
    admin.post(ASK, &odd).await.refused(&["at"]);
    // Two days of traffic, the quietest hour of which lies three hours ahead.
    let quiet = (app.now() + TimeDelta::hours(3)).hour();
    for back in 1..48 {
        let at = app.now() - TimeDelta::hours(back);
        let requests = if at.hour() == quiet { 1 } else { 50 };
        sqlx::query(
            "insert into monitor_bucket (project_id, prompt_id, environment_id, version, resolution, bucket, requests)
             select project_id, prompt_id, environment_id, 1, 'hour', date_trunc('hour', $1::timestamptz), $2
             from prompt join environment using (project_id)
             where prompt.name = 'p' and environment.name = 'production'",
        )
        .bind(at)
        .bind(requests)
        .execute(&pool)
        .await
        .unwrap();
    }
    let waits = admin.post(ASK, &ask).await.created();
    assert_eq!(waits["status"], "approved");
    let note = waits["execute_note"].as_str().unwrap();
    assert!(note.starts_with(&format!("{quiet:02}:00–")), "{note}");
    let three = json!({ "environment": "production", "version": 3 });
    let other = json!({ "environment": "production", "version": 3, "at": "quietest" });
    let together = admin.post(ASK, &other).await.created();
    assert_eq!(together["execute_at"], waits["execute_at"]);
    admin.post(ASK, &three).await.problem(409, "promotion_open");
    app.advance(TimeDelta::hours(3));
    let route = format!("/promotions/{}", together["id"].as_str().unwrap());
    evals::finished(&admin, &route, |found| found["status"] == "executed").await;
    let history = admin.get("/api/v1/deployments").await.ok();
    let versions: Vec<&Value> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["version"])
        .collect();
    assert_eq!(versions, [&json!(3), &json!(2), &json!(1)]);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn prices_are_added_by_admins_and_never_changed(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let (acme, admin) = scene(&app).await;
    let list = admin.get("/api/v1/prices").await.ok();
    let names: Vec<&str> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["model"].as_str().unwrap())
        .collect();
    for model in ["claude-sonnet-4-6", "gpt-5", "gemini-2.5-pro"] {
        assert!(names.contains(&model), "{model}");
    }
    let new = json!({
        "provider": "anthropic", "model": "claude-sonnet-4-6", "input": 2.4, "write_5m": 3.0, "read": 0.24,
        "output": 12.0, "min_cacheable_tokens": 1024, "valid_from": "2026-03-01T00:00:00Z",
    });
    let editor = acme.person(Role::Editor).await;
    editor
        .post("/api/v1/prices", &new)
        .await
        .problem(403, "forbidden");
    let added = admin.post("/api/v1/prices", &new).await.created();
    assert_eq!(
        (&added["is_own"], &added["write_5m"]),
        (&json!(true), &json!(3.0))
    );
    admin
        .post("/api/v1/prices", &new)
        .await
        .problem(409, "price_not_newest");
    let broken = json!({ "provider": "x", "input": -1, "valid_from": "soon" });
    admin.post("/api/v1/prices", &broken).await.refused(&[
        "model",
        "input",
        "output",
        "valid_from",
    ]);
    // That row names no price for an hour: null with a reason, and never a guess.
    let hour = json!({
        "requests_per_hour": 10_000, "tokens": 5_120, "distinct_keys": 1, "ttft_ms": 2_000,
        "provider": "anthropic", "model": "claude-sonnet-4-6", "ttl": "1h",
    });
    let ours = admin.post("/api/v1/stats/cache-cost", &hour).await.ok();
    assert_eq!(ours["expected_usd"], Value::Null);
    assert_eq!(
        ours["reason"],
        "this model has no price for writing the cache for 1 hour"
    );
    // The calculator of this project reckons with it; another project's does not.
    let cost = json!({
        "requests_per_hour": 10_000, "tokens": 5_120, "distinct_keys": 1, "ttft_ms": 2_000,
        "provider": "anthropic", "model": "claude-sonnet-4-6",
    });
    let ours = admin.post("/api/v1/stats/cache-cost", &cost).await.ok();
    assert_eq!(
        format!("{:.2}", ours["upper_bound_usd"].as_f64().unwrap()),
        "12.80"
    );
    let globex = app.project("globex").await;
    let theirs = globex.admin_key().await;
    let found = theirs.post("/api/v1/stats/cache-cost", &cost).await.ok();
    assert_eq!(
        format!("{:.2}", found["upper_bound_usd"].as_f64().unwrap()),
        "16.00"
    );
    let found = theirs.post("/api/v1/stats/cache-cost", &hour).await.ok();
    assert_eq!(
        format!("{:.2}", found["upper_bound_usd"].as_f64().unwrap()),
        "307.20"
    );
    let mut wrong = hour.clone();
    wrong["ttl"] = json!("2h");
    let refused = theirs.post("/api/v1/stats/cache-cost", &wrong).await;
    refused.refused(&["ttl"]);
    let listed = theirs.get("/api/v1/prices").await.ok();
    assert!(
        listed["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["is_own"] == false)
    );
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_breakpoint_for_an_hour_has_its_own_price_and_time(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    acme.prompt("p")
        .version(long("One."))
        .version(long("Two."))
        .serves("production", 1)
        .create()
        .await;
    acme.prompt("q")
        .version(hourly("One."))
        .version(hourly("Two."))
        .serves("production", 1)
        .create()
        .await;
    let reader = acme.key(&[Scope::PromptsRead]).await;
    let of = async |prompt: &str| {
        let path = format!("/api/v1/prompts/{prompt}/cache-cost?to=2");
        reader.get(&path).await.ok()
    };
    let (short, hour) = (of("p").await, of("q").await);
    assert_eq!(short["written"][0]["ttl"], "5m");
    assert_eq!(
        hour["written"],
        json!([{ "ttl": "1h", "tokens": short["tokens"] }])
    );
    assert_eq!(hour["prices"], json!({ "write": 6.0, "read": 0.3 }));
    let usd = |found: &Value, member: &str| found["cost"][member].as_f64().unwrap();
    // Twelve times the requests at 6.00 instead of 3.75.
    let worst = usd(&hour, "upper_bound_usd") / usd(&short, "upper_bound_usd");
    assert!((worst - 12.0 * 6.0 / 3.75).abs() < 1e-9, "{worst}");
    // One key is written as often, at 5.70 instead of 3.45 more than it is read.
    let expected = usd(&hour, "expected_usd") / usd(&short, "expected_usd");
    assert!((expected - 5.7 / 3.45).abs() < 1e-9, "{expected}");

    // What is served says it as it was saved: the provider is to read it.
    let served = reader
        .get("/api/v1/prompts/q/resolve?environment=production")
        .await
        .ok();
    assert_eq!(
        served["messages"][0]["cache_control"],
        json!({ "type": "ephemeral", "ttl": "1h" })
    );
    app.stop().await;
}
