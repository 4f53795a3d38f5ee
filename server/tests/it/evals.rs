//! Suites, runs and the gate, against a provider of the tests' own.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use domain::actor::Scope;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{
    Act, BadProvider, Client, TestApp,
    evals::{self, content},
};

/// Puts version 1 of the scene's prompt into production.
async fn release_the_first(admin: &Client) {
    let promote = json!({ "environment": "production", "version": 1 });
    admin
        .post("/api/v1/prompts/p/promotions", &promote)
        .await
        .created();
}

/// A prompt `p` whose versions say this, a provider, and a suite `golden` with so many cases.
async fn scene(
    app: &TestApp,
    provider: &BadProvider,
    versions: &[&str],
    n_cases: usize,
) -> (Client, String) {
    let acme = app.project("acme").await;
    let mut prompt = acme.prompt("p");
    for words in versions {
        prompt = prompt.version(content(words));
    }
    prompt.create().await;
    let admin = acme.admin_key().await;
    evals::provider(&admin, &provider.url()).await;
    let body = json!({ "name": "golden", "prompt": "p", "scorers": [{ "type": "equals" }] });
    let suite = admin.post("/api/v1/suites", &body).await.created();
    let suite = suite["id"].as_str().unwrap().to_owned();
    if n_cases > 0 {
        evals::add(&admin, &suite, &evals::echoes(n_cases)).await;
    }
    (admin, suite)
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_judge_that_nobody_can_ask_is_refused_before_anything_runs(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let provider = evals::echo().await;
    let (admin, suite) = scene(&app, &provider, &["echo"], 1).await;
    let body =
        |judge: Value| json!({ "prompt": "p", "version": 1, "suite": suite, "judge": judge });
    let refused = admin
        .post(
            "/api/v1/runs",
            &body(json!({ "provider": "nobody", "model": "m" })),
        )
        .await
        .problem(409, "provider_not_configured");
    assert!(refused["detail"].as_str().unwrap().contains("nobody"));
    let halved = body(json!({ "provider": "test" }));
    admin
        .post("/api/v1/runs", &halved)
        .await
        .problem(422, "invalid");
    assert_eq!(admin.get("/api/v1/runs").await.ok()["items"], json!([]));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_run_answers_every_case_once(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let provider = evals::echo().await;
    let (admin, suite) = scene(&app, &provider, &["echo", "deny"], 60).await;

    let body = json!({ "prompt": "p", "version": 1, "suite": "golden" });
    let run = evals::run(&admin, &body).await;
    assert_eq!(run["status"], "completed");
    assert_eq!(
        (&run["total"], &run["done"], &run["passed"]),
        (&json!(60), &json!(60), &json!(60))
    );
    assert_eq!(run["pass_rate"], 1.0);
    assert_eq!(run["revision"], 2);
    let results = evals::results(&admin, &run).await;
    let cases: BTreeSet<&str> = results
        .iter()
        .map(|result| result["case"].as_str().unwrap())
        .collect();
    assert_eq!((results.len(), cases.len()), (60, 60));
    assert_eq!(results[7]["output"], "case 7");
    assert_eq!(results[7]["scores"][0]["type"], "equals");
    assert_eq!(results[7]["input_tokens"], 12);
    assert_eq!(results[7]["answered_by"]["fingerprint"], "fp_1");
    // Evals are asked at temperature 0, and the draft is tested by it.
    assert_eq!(provider.questions()[0].body["temperature"], 0.0);
    let version = admin.get("/api/v1/prompts/p/versions/1").await.ok();
    assert_eq!(version["status"], "testing");

    // A worse version, each case three times, on some of the cases.
    let body = json!({ "prompt": "p", "version": 2, "suite": suite, "limit": 10, "repeats": 3, "seed": 4 });
    let worse = evals::run(&admin, &body).await;
    assert_eq!(
        (&worse["total"], &worse["failed"]),
        (&json!(30), &json!(30))
    );
    let compared = admin
        .get(&format!(
            "/api/v1/runs/{}/compare/{}?change=lost",
            worse["id"].as_str().unwrap(),
            run["id"].as_str().unwrap()
        ))
        .await
        .ok();
    assert_eq!(compared["lost"], 10);
    assert_eq!(compared["cases"]["items"].as_array().unwrap().len(), 10);
    assert_eq!(compared["verdict"], "fail");
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_gate_passes_the_better_and_fails_the_poorer(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let provider = evals::echo().await;
    let (admin, _) = scene(&app, &provider, &["echo", "deny", "please echo"], 50).await;
    release_the_first(&admin).await;

    let poor = evals::gate(
        &admin,
        &json!({ "prompt": "p", "version": 2, "suite": "golden" }),
    )
    .await;
    assert_eq!(
        (&poor["verdict"], &poor["lost"]),
        (&json!("fail"), &json!(50))
    );
    assert_eq!(poor["baseline_version"], 1);
    assert!(poor["p_value"].as_f64().unwrap() < 1e-9, "{poor}");
    assert!(poor["run_url"].as_str().unwrap().contains("/p/acme/runs/"));

    // The baseline's run is there: only the candidate is paid for.
    let n_asked = provider.questions().len();
    let better = evals::gate(
        &admin,
        &json!({ "prompt": "p", "version": 3, "suite": "golden" }),
    )
    .await;
    assert_eq!(
        (&better["verdict"], &better["pass_rate"]),
        (&json!("pass"), &json!(1.0))
    );
    assert_eq!(provider.questions().len(), n_asked + 50);
    assert_eq!(better["baseline_run_id"], poor["baseline_run_id"]);

    // A pull request's content need not be saved.
    let before = app.count("version").await;
    let body = json!({ "prompt": "p", "content": content("will not"), "suite": "golden" });
    let unsaved = evals::gate(&admin, &body).await;
    assert_eq!(
        (&unsaved["verdict"], &unsaved["version"]),
        (&json!("fail"), &Value::Null)
    );
    assert_eq!(app.count("version").await, before);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn whoever_cancels_the_baseline_gets_no_verdict(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let provider = BadProvider::start(|_, question| {
        let instructions = question.body["messages"][0]["content"].to_string();
        let answer = Act::completion(&evals::echoed(&question.body));
        if instructions.contains("slow") {
            answer.after(Duration::from_mins(1))
        } else {
            answer
        }
    })
    .await;
    let (admin, _) = scene(&app, &provider, &["slow echo", "echo"], 5).await;
    release_the_first(&admin).await;

    let body = json!({ "prompt": "p", "version": 2, "suite": "golden" });
    let asked = admin.post("/api/v1/gate", &body).await.accepted();
    let baseline = asked["baseline_run_id"].as_str().unwrap();
    admin
        .post(&format!("/api/v1/runs/{baseline}/cancel"), &json!({}))
        .await
        .ok();
    let path = format!("/gate/{}", asked["id"].as_str().unwrap());
    let found = evals::finished(&admin, &path, |gate| !gate["verdict"].is_null()).await;
    assert_eq!(found["verdict"], "inconclusive", "{found}");
    assert!(
        found["reasons"][0]
            .as_str()
            .unwrap()
            .starts_with("the baseline's run is cancelled"),
        "{found}"
    );
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_provider_that_is_away_fails_no_candidate(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let provider = BadProvider::start(|_, question| {
        let instructions = question.body["messages"][0]["content"].to_string();
        if instructions.contains("away") {
            Act::json(401, &json!({ "error": "who are you?" }))
        } else {
            Act::completion(&evals::echoed(&question.body))
        }
    })
    .await;
    let (admin, _) = scene(&app, &provider, &["echo", "away"], 2).await;
    release_the_first(&admin).await;
    let body = json!({ "prompt": "p", "version": 2, "suite": "golden" });
    let found = evals::gate(&admin, &body).await;
    assert_eq!(found["verdict"], "inconclusive", "{found}");
    assert!(
        found["reasons"][0]
            .as_str()
            .unwrap()
            .contains("no answer to 2 of 2 cases"),
        "{found}"
    );
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_baseline_older_than_evidence_may_be_is_run_again(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let provider = evals::echo().await;
    let (admin, _) = scene(&app, &provider, &["echo", "please echo"], 3).await;
    release_the_first(&admin).await;
    let body = json!({ "prompt": "p", "version": 2, "suite": "golden" });
    let first = evals::gate(&admin, &body).await;
    app.advance(TimeDelta::days(6));
    let second = evals::gate(&admin, &body).await;
    assert_eq!(second["baseline_run_id"], first["baseline_run_id"]);
    app.advance(TimeDelta::days(2));
    let third = evals::gate(&admin, &body).await;
    assert_ne!(third["baseline_run_id"], first["baseline_run_id"]);
    let short =
        json!({ "prompt": "p", "version": 2, "suite": "golden", "policy": { "max_age_hours": 1 } });
    app.advance(TimeDelta::hours(2));
    let fourth = evals::gate(&admin, &short).await;
    assert_ne!(fourth["baseline_run_id"], third["baseline_run_id"]);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_statistical_gate_says_when_the_run_was_too_small(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let provider = evals::echo().await;
    let (admin, _) = scene(&app, &provider, &["echo", "echo too"], 5).await;
    release_the_first(&admin).await;
    let policy = json!({ "mode": "statistical", "tolerated_drop": 0.05 });
    let body = json!({ "prompt": "p", "version": 2, "suite": "golden", "policy": policy });
    let found = evals::gate(&admin, &body).await;
    assert_eq!(found["verdict"], "inconclusive", "{found}");
    assert!(found["smallest_detectable_drop"].as_f64().unwrap() > 0.05);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_run_is_cancelled_within_a_second(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let provider = BadProvider::always(Act::completion("late").after(Duration::from_mins(1))).await;
    let (admin, _) = scene(&app, &provider, &["echo"], 200).await;
    let body = json!({ "prompt": "p", "version": 1, "suite": "golden" });
    let run = admin.post("/api/v1/runs", &body).await.accepted();
    let path = format!("/api/v1/runs/{}", run["id"].as_str().unwrap());
    crate::support::eventually("calls are under way", || provider.n_at_most() == 16).await;

    let begun = Instant::now();
    let cancelled = admin.post(&format!("{path}/cancel"), &json!({})).await.ok();
    assert_eq!(cancelled["status"], "cancelled");
    crate::support::eventually("everybody hangs up", || provider.n_hung_up() >= 16).await;
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    admin
        .post(&format!("{path}/cancel"), &json!({}))
        .await
        .problem(409, "run_over");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(provider.questions().len(), 16, "nobody is asked any more");
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn whatever_the_provider_does_every_case_ends(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acts = [
        Act::Reset,
        Act::ResetInBody,
        Act::CutBody,
        Act::json(500, &json!({ "error": "broken" })),
        Act::json(200, &json!({ "unexpected": true })),
        Act::Huge("application/json", 50 * 1024 * 1024),
        Act::Answer {
            status: 200,
            headers: vec![("content-type", "text/html".to_owned())],
            body: b"<html>".to_vec(),
        },
        Act::Answer {
            status: 200,
            headers: vec![("content-type", "application/json".to_owned())],
            body: b"{\"choices\": [{".to_vec(),
        },
        Act::completion("nul \0 and \u{202e} and 🦀"),
        Act::completion("fine"),
    ];
    let provider = BadProvider::start(move |_, question| {
        let text = question.body["messages"][1]["content"]
            .as_str()
            .unwrap_or_default();
        let number: usize = text.trim_start_matches("case ").parse().unwrap_or_default();
        acts[number % acts.len()].clone()
    })
    .await;
    let (admin, _) = scene(&app, &provider, &["echo"], 20).await;
    let run = evals::run(
        &admin,
        &json!({ "prompt": "p", "version": 1, "suite": "golden" }),
    )
    .await;
    assert_eq!(
        (&run["status"], &run["done"]),
        (&json!("completed"), &json!(20)),
        "{run}"
    );
    let results = evals::results(&admin, &run).await;
    for (number, result) in results.iter().enumerate() {
        let is_answered = number % 10 >= 8;
        assert_eq!(
            result["error"].is_null(),
            is_answered,
            "case {number}: {result}"
        );
        assert_eq!(
            result["output"].is_string(),
            is_answered,
            "case {number}: {result}"
        );
        assert_eq!(result["passed"], false);
    }
    assert_eq!(run["errors"], 16);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_storm_of_429_is_waited_out(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let provider = BadProvider::start(|number, question| {
        if number < 20 {
            Act::too_many("1")
        } else {
            Act::completion(&evals::echoed(&question.body))
        }
    })
    .await;
    let (admin, _) = scene(&app, &provider, &["echo"], 30).await;
    let run = evals::run(
        &admin,
        &json!({ "prompt": "p", "version": 1, "suite": "golden" }),
    )
    .await;
    assert_eq!(
        (&run["status"], &run["passed"]),
        (&json!("completed"), &json!(30)),
        "{run}"
    );
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn two_servers_share_a_run_and_nothing_is_done_twice(pool: PgPool) {
    let one = TestApp::start(&pool).await;
    let other = TestApp::start(&pool).await;
    let provider = BadProvider::start(|_, question| {
        Act::completion(&evals::echoed(&question.body)).after(Duration::from_millis(5))
    })
    .await;
    let (admin, _) = scene(&one, &provider, &["echo"], 300).await;
    let run = evals::run(
        &admin,
        &json!({ "prompt": "p", "version": 1, "suite": "golden" }),
    )
    .await;
    assert_eq!((&run["done"], &run["passed"]), (&json!(300), &json!(300)));
    assert_eq!(provider.questions().len(), 300);
    one.stop().await;
    other.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_cannot_be_run_is_said_beforehand(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    acme.prompt("p")
        .says("no model")
        .version(content("echo"))
        .create()
        .await;
    acme.prompt("q").says("other").create().await;
    let admin = acme.admin_key().await;
    let body = json!({ "name": "golden", "prompt": "p", "scorers": [{ "type": "equals" }] });
    let suite = admin.post("/api/v1/suites", &body).await.created();
    admin
        .post("/api/v1/suites", &body)
        .await
        .problem(409, "suite_exists");
    let launch = |prompt: &str, version: i32| json!({ "prompt": prompt, "version": version, "suite": "golden" });
    let post = async |body: &Value| admin.post("/api/v1/runs", body).await;
    post(&launch("p", 1)).await.problem(409, "no_model");
    post(&launch("p", 2))
        .await
        .problem(409, "provider_not_configured");
    evals::provider(&admin, "http://127.0.0.1:9").await;
    post(&launch("p", 2)).await.problem(409, "no_cases");
    evals::add(&admin, suite["id"].as_str().unwrap(), &evals::echoes(1)).await;
    post(&launch("p", 9))
        .await
        .problem(404, "version_not_found");
    post(&launch("q", 1)).await.problem(409, "no_model");
    post(&json!({ "prompt": "p", "version": 2, "suite": "nothing" }))
        .await
        .problem(404, "suite_not_found");
    post(&json!({ "prompt": "p", "version": 2, "suite": "golden", "tags": ["rare"] }))
        .await
        .problem(409, "no_cases");
    post(&json!({ "version": 0, "repeats": 0, "limit": -1, "budget_usd": -2, "seed": -1, "more": 1 }))
        .await
        .refused(&["prompt", "suite", "limit", "repeats", "seed", "budget_usd", "more"]);
    assert_eq!(app.count("run").await, 0);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn cases_are_imported_row_by_row_and_revisions_stay(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let provider = evals::echo().await;
    let (admin, suite) = scene(&app, &provider, &["echo"], 0).await;
    let path = format!("/api/v1/suites/{suite}/cases");
    let csv = "text,__expected,__tags\nhello,equals: hello,smoke\nbroken,regex: (,\nworld,world,\n";
    let csv_client = admin.clone().with("content-type", "text/csv");
    let read = async |query: &str| {
        let address = format!("{path}{query}");
        let body = axum::body::Body::from(csv);
        csv_client
            .send(axum::http::Method::POST, &address, body)
            .await
    };
    let preview = read("?preview=true").await.ok();
    assert_eq!(
        (&preview["added"], &preview["revision"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(preview["rejected"][0]["index"], 1);
    let added = read("").await.ok();
    assert_eq!(
        (&added["added"], &added["revision"]),
        (&json!(2), &json!(2))
    );
    let smoke = admin.get(&format!("{path}?tag=smoke")).await.ok();
    assert_eq!(smoke["items"].as_array().unwrap().len(), 1);
    assert_eq!(smoke["items"][0]["origin"], "import");

    let case = added["ids"][0].as_str().unwrap();
    let new = json!({ "variables": { "text": "bye" }, "expected": "bye" });
    let changed = admin
        .put(&format!("{path}/{case}?since=2"), &new)
        .await
        .ok();
    assert_eq!(changed["revision"], 3);
    admin
        .put(&format!("{path}/{case}?since=2"), &new)
        .await
        .problem(409, "case_conflict");
    admin.delete(&format!("{path}/{case}")).await.ok();
    admin
        .delete(&format!("{path}/{case}"))
        .await
        .problem(404, "case_not_found");
    let now = admin.get(&path).await.ok();
    assert_eq!(now["items"].as_array().unwrap().len(), 1);
    let before = admin.get(&format!("{path}?revision=2")).await.ok();
    assert_eq!(before["items"][0]["variables"]["text"], "hello");

    let exported = admin
        .get(&format!("/api/v1/suites/{suite}/export?format=csv"))
        .await;
    assert!(exported.text().contains("world"), "{}", exported.text());
    // Cases may hold what people wrote: a key that fetches prompts does not see them.
    let reader = app.project("other").await.key(&[Scope::PromptsRead]).await;
    reader.get(&path).await.is(403);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_case_that_a_pairwise_judge_has_nothing_for_is_refused_when_it_is_saved(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    acme.prompt("p").says("hello").create().await;
    let admin = acme.admin_key().await;
    let body = json!({ "name": "pairs", "prompt": "p", "scorers": [{ "type": "pairwise" }] });
    let suite = admin.post("/api/v1/suites", &body).await.created();
    let suite = suite["id"].as_str().unwrap();
    let path = format!("/api/v1/suites/{suite}/cases");

    // Row by row: what has something to compare with is kept.
    let rows = json!([
        { "variables": {} }, { "variables": {}, "expected": "hi" }, { "expected": 7 },
        { "variables": {}, "expected": "ho", "tags": 1 },
    ]);
    let reason = "expected: is required: the scorer pairwise compares the output with it";
    for query in ["?preview=true", ""] {
        let found = admin.post(&format!("{path}{query}"), &rows).await.ok();
        assert_eq!(found["added"], 2);
        let rejected = found["rejected"].as_array().unwrap();
        let indexes: Vec<&Value> = rejected.iter().map(|row| &row["index"]).collect();
        assert_eq!(indexes, [0, 3]);
        assert_eq!(rejected[0]["reason"], reason);
    }
    let kept = admin.get(&path).await.ok();
    let case = kept["items"][0]["id"].as_str().unwrap();
    admin
        .put(&format!("{path}/{case}"), &json!({ "variables": {} }))
        .await
        .refused(&["expected"]);

    // Nor are scorers set that the cases leave nothing for.
    let scorers = |word: &str| json!({ "scorers": [{ "type": word }] });
    let address = format!("/api/v1/suites/{suite}");
    admin.patch(&address, &scorers("is-json")).await.ok();
    let added = admin.post(&path, &json!([{ "variables": {} }])).await.ok();
    assert_eq!(added["added"], 1);
    let refused = admin.patch(&address, &scorers("pairwise")).await;
    let refused = refused.refused(&["scorers"]);
    let said = refused["errors"][0]["message"].as_str().unwrap();
    assert!(said.ends_with("and case 3 expects nothing"), "{said}");
    app.stop().await;
}
