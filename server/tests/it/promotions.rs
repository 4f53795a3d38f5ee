//! Promotions into a protected environment: evidence, approvals, and who may not give them.

use chrono::TimeDelta;
use domain::actor::{Role, Scope};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{
    Client, TestApp, TestProject,
    evals::{self, content},
};

const ASK: &str = "/api/v1/prompts/p/promotions";

fn path(promotion: &Value, verb: &str) -> String {
    let id = promotion["id"].as_str().unwrap();
    format!("/api/v1/promotions/{id}{verb}")
}

/// A guarded project with a prompt of three versions, of which the first serves production.
async fn scene<'a>(app: &'a TestApp, provider: &str) -> (TestProject<'a>, Client) {
    let acme = app.guarded_project("acme").await;
    let prompt = acme.prompt("p");
    prompt
        .version(content("echo"))
        .version(content("echo it"))
        .version(content("deny"))
        .create()
        .await;
    let admin = acme.admin_key().await;
    evals::provider(&admin, provider).await;
    let body = json!({ "name": "golden", "prompt": "p", "scorers": [{ "type": "equals" }] });
    let suite = admin.post("/api/v1/suites", &body).await.created();
    evals::add(&admin, suite["id"].as_str().unwrap(), &evals::echoes(12)).await;
    let first = json!({ "environment": "production", "version": 1, "reason": "the first" });
    admin
        .post("/api/v1/prompts/p/break-glass", &first)
        .await
        .ok();
    (acme, admin)
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_promotion_needs_a_passed_gate_and_somebody_elses_approval(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let provider = evals::echo().await;
    let (acme, admin) = scene(&app, &provider.url()).await;
    let (editor, lead) = (
        acme.person(Role::Editor).await,
        acme.person(Role::Approver).await,
    );

    let ask = json!({ "environment": "production", "version": 2, "reason": "shorter" });
    let asked = editor.post(ASK, &ask).await.created();
    assert_eq!(asked["status"], "waiting");
    assert_eq!(asked["missing"].as_array().unwrap().len(), 2, "{asked}");
    editor.post(ASK, &ask).await.problem(409, "promotion_open");
    let refused = editor
        .post(&path(&asked, "/execute"), &json!({}))
        .await
        .problem(403, "environment_protected");
    assert_eq!(refused["errors"].as_array().unwrap().len(), 2);
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("passed gate run"),
        "{refused}"
    );

    let found = evals::gate(
        &admin,
        &json!({ "prompt": "p", "version": 2, "suite": "golden" }),
    )
    .await;
    assert_eq!(found["verdict"], "pass");
    editor
        .post(&path(&asked, "/approve"), &json!({}))
        .await
        .problem(403, "forbidden");
    let seen = lead.get(&path(&asked, "")).await.ok();
    assert_eq!(seen["evidence"]["gate"]["verdict"], "pass");
    let stale = json!({ "evidence": "0000" });
    lead.post(&path(&asked, "/approve"), &stale)
        .await
        .problem(409, "other_evidence");
    let looked = json!({ "comment": "good", "evidence": seen["evidence_hash"] });
    let approved = lead.post(&path(&asked, "/approve"), &looked).await.ok();
    assert_eq!(
        (&approved["status"], &approved["missing"]),
        (&json!("approved"), &json!([]))
    );
    lead.post(&path(&asked, "/approve"), &looked)
        .await
        .problem(409, "approved_already");

    let done = editor
        .post(&path(&asked, "/execute"), &json!({}))
        .await
        .ok();
    assert_eq!(done["status"], "executed");
    let prompt = admin.get("/api/v1/prompts/p").await.ok();
    assert_eq!(prompt["active_version"], 2);
    for verb in ["/approve", "/execute", "/cancel"] {
        lead.post(&path(&asked, verb), &json!({}))
            .await
            .problem(409, "promotion_over");
    }
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn nobody_approves_their_own_work_by_any_door(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let provider = evals::echo().await;
    let (acme, admin) = scene(&app, &provider.url()).await;
    let policy = json!({ "policy": { "gate": false, "approvals": 1 } });
    admin
        .patch("/api/v1/environments/production", &policy)
        .await
        .ok();
    let (lead, boss) = (
        acme.person(Role::Approver).await,
        acme.person(Role::Admin).await,
    );

    // Asked for by themselves.
    let ask = json!({ "environment": "production", "version": 2 });
    let asked = lead.post(ASK, &ask).await.created();
    let refused = lead
        .post(&path(&asked, "/approve"), &json!({}))
        .await
        .problem(403, "own_work");
    assert!(
        refused["detail"].as_str().unwrap().contains("asked for"),
        "{refused}"
    );
    lead.post(&path(&asked, "/reject"), &json!({ "reason": "no" }))
        .await
        .problem(403, "own_work");

    // Written by themselves, asked for by somebody else.
    let new = json!({ "content": content("echo, written by the lead") });
    let version = lead
        .post("/api/v1/prompts/p/versions", &new)
        .await
        .created();
    let ask = json!({ "environment": "production", "version": version["number"] });
    let other = boss.post(ASK, &ask).await.created();
    lead.post(&path(&other, "/approve"), &json!({}))
        .await
        .problem(403, "own_work");

    // Keys approve nothing, whatever their scopes, and whoever made one is behind it.
    for scope in Scope::ALL {
        let key = acme.key(&[scope]).await;
        key.post(&path(&other, "/approve"), &json!({}))
            .await
            .problem(403, "not_a_person");
        key.post(&path(&other, "/reject"), &json!({ "reason": "no" }))
            .await
            .problem(403, "not_a_person");
    }
    let made = boss
        .post(
            "/api/v1/keys",
            &json!({ "name": "ci", "scopes": ["admin"] }),
        )
        .await
        .created();
    app.settle(acme.id()).await;
    let bearer = format!("Bearer {}", made["key"].as_str().unwrap());
    let machine = app.anybody().with("authorization", &bearer);
    let new = json!({ "content": content("echo, written by the boss's key") });
    let version = machine
        .post("/api/v1/prompts/p/versions", &new)
        .await
        .created();
    let ask = json!({ "environment": "production", "version": version["number"] });
    let by_key = machine.post(ASK, &ask).await.created();
    boss.post(&path(&by_key, "/approve"), &json!({}))
        .await
        .problem(403, "own_work");
    lead.post(&path(&by_key, "/approve"), &json!({})).await.ok();
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn other_evidence_begins_the_approvals_again(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let provider = evals::echo().await;
    let (acme, admin) = scene(&app, &provider.url()).await;
    let lead = acme.person(Role::Approver).await;
    let gate = json!({ "prompt": "p", "version": 2, "suite": "golden" });
    evals::gate(&admin, &gate).await;
    let ask = json!({ "environment": "production", "version": 2 });
    let asked = admin.post(ASK, &ask).await.created();
    lead.post(&path(&asked, "/approve"), &json!({})).await.ok();

    // A newer version is saved.
    let new = json!({ "content": content("newer") });
    admin
        .post("/api/v1/prompts/p/versions", &new)
        .await
        .created();
    let now = lead.get(&path(&asked, "")).await.ok();
    assert_eq!(
        (&now["status"], &now["approvals"][0]["counts"]),
        (&json!("waiting"), &json!(false))
    );
    admin
        .post(&path(&asked, "/execute"), &json!({}))
        .await
        .problem(403, "environment_protected");
    lead.post(
        &path(&asked, "/approve"),
        &json!({ "comment": "still good" }),
    )
    .await
    .ok();

    // The suite changes: the gate's run is of an older revision.
    let suite = now["evidence"]["gate"]["suite"].as_str().unwrap();
    evals::add(&admin, suite, &evals::echoes(1)).await;
    let now = lead.get(&path(&asked, "")).await.ok();
    assert!(
        now["missing"][0].as_str().unwrap().contains("revision"),
        "{now}"
    );
    evals::gate(&admin, &gate).await;
    lead.post(&path(&asked, "/approve"), &json!({})).await.ok();

    // The run grows old.
    app.advance(TimeDelta::days(8));
    let refused = admin
        .post(&path(&asked, "/execute"), &json!({}))
        .await
        .problem(403, "environment_protected");
    assert!(
        refused["detail"].as_str().unwrap().contains("older than"),
        "{refused}"
    );
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_lenient_policy_of_ones_own_is_no_evidence(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let provider = evals::echo().await;
    let (_acme, admin) = scene(&app, &provider.url()).await;
    let lenient = json!({ "mode": "statistical", "alpha": 0.000_001, "tolerated_drop": 1.0, "must_pass": false });
    let body = json!({ "prompt": "p", "version": 3, "suite": "golden", "policy": lenient });
    let found = evals::gate(&admin, &body).await;
    let ask = json!({ "environment": "production", "version": 3 });
    let asked = admin.post(ASK, &ask).await.created();
    assert!(
        asked["missing"][0]
            .as_str()
            .unwrap()
            .contains("passed gate run"),
        "{found} {asked}"
    );
    let one = admin.get(&path(&asked, "")).await.ok();
    assert_eq!(one["evidence"]["gate"], Value::Null);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_approved_promotion_can_wait_for_its_moment(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let provider = evals::echo().await;
    let (acme, admin) = scene(&app, &provider.url()).await;
    let policy = json!({ "policy": { "gate": false, "approvals": 1 } });
    admin
        .patch("/api/v1/environments/production", &policy)
        .await
        .ok();
    let lead = acme.person(Role::Approver).await;
    let asked = admin
        .post(ASK, &json!({ "environment": "production", "version": 2 }))
        .await
        .created();
    let at = json!({ "at": (app.now() + TimeDelta::hours(1)).to_rfc3339() });
    admin
        .post(&path(&asked, "/execute"), &at)
        .await
        .problem(403, "environment_protected");
    lead.post(&path(&asked, "/approve"), &json!({})).await.ok();
    let scheduled = admin.post(&path(&asked, "/execute"), &at).await.ok();
    assert_eq!(scheduled["status"], "approved");
    assert!(scheduled["execute_at"].is_string());
    app.advance(TimeDelta::hours(2));
    let route = format!("/promotions/{}", asked["id"].as_str().unwrap());
    let done = evals::finished(&admin, &route, |found| found["status"] == "executed").await;
    assert_eq!(done["settled_by"]["name"], "schedule");
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_rejection_needs_a_reason_and_ends_it(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let provider = evals::echo().await;
    let (acme, admin) = scene(&app, &provider.url()).await;
    let (viewer, lead) = (
        acme.person(Role::Viewer).await,
        acme.person(Role::Approver).await,
    );
    let ask = json!({ "environment": "production", "version": 3 });
    let asked = admin.post(ASK, &ask).await.created();
    let said = viewer
        .post(
            &path(&asked, "/comments"),
            &json!({ "text": "It only ever says no." }),
        )
        .await
        .created();
    assert_eq!(said["comments"][0]["text"], "It only ever says no.");
    viewer
        .post(&path(&asked, "/reject"), &json!({ "reason": "x" }))
        .await
        .problem(403, "forbidden");
    lead.post(&path(&asked, "/reject"), &json!({}))
        .await
        .refused(&["reason"]);
    let over = lead
        .post(
            &path(&asked, "/reject"),
            &json!({ "reason": "it denies everything" }),
        )
        .await
        .ok();
    assert_eq!(
        (&over["status"], &over["settled_reason"]),
        (&json!("rejected"), &json!("it denies everything"))
    );
    let open = admin.get("/api/v1/promotions?status=open").await.ok();
    assert_eq!(open["items"], json!([]));
    // It can be asked for again.
    admin.post(ASK, &ask).await.created();
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn without_a_rule_only_the_largest_suite_is_evidence(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let provider = evals::echo().await;
    let (acme, admin) = scene(&app, &provider.url()).await;
    let editor = acme.person(Role::Editor).await;
    evals::suite(&admin, "p", "tiny").await;
    let ask = json!({ "environment": "production", "version": 2 });
    let asked = editor.post(ASK, &ask).await.created();

    let gate = |suite: &str| json!({ "prompt": "p", "version": 2, "suite": suite });
    let tiny = evals::gate(&admin, &gate("tiny")).await;
    assert_eq!(tiny["verdict"], "pass");
    let found = editor.get(&path(&asked, "")).await.ok();
    assert_eq!(found["evidence"]["gate"], Value::Null);
    assert_eq!(
        found["missing"][0],
        "a passed gate run on this content with the suite golden, the prompt's largest"
    );

    evals::gate(&admin, &gate("golden")).await;
    let found = editor.get(&path(&asked, "")).await.ok();
    assert_eq!(found["evidence"]["gate"]["suite_name"], "golden");
    assert_eq!(found["evidence"]["gate"]["n_cases"], 12);
    assert_eq!(found["missing"].as_array().unwrap().len(), 1, "{found}");
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_experiment_is_frozen_as_evidence(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let provider = evals::echo().await;
    let (acme, admin) = scene(&app, &provider.url()).await;
    acme.prompt("other").says("one").create().await;
    let plan = |prompt: &str, second: i32| {
        json!({
            "name": "shorter", "prompt": prompt, "environment": "production", "primary_metric": "resolved",
            "arms": [{ "name": "A", "version": 1 }, { "name": "B", "version": second }],
        })
    };
    let planned = admin
        .post("/api/v1/experiments", &plan("p", 2))
        .await
        .created();
    let ask = |version: i32, experiment: &Value| json!({ "environment": "production", "version": version, "experiment": experiment });
    let id = &planned["id"];
    // Not an arm, not there, somebody else's.
    admin.post(ASK, &ask(3, id)).await.refused(&["experiment"]);
    let nowhere = json!(uuid::Uuid::nil());
    admin
        .post(ASK, &ask(2, &nowhere))
        .await
        .refused(&["experiment"]);
    let rival = app.guarded_project("rival").await;
    rival
        .prompt("p")
        .version(content("echo"))
        .version(content("echo it"))
        .create()
        .await;
    let theirs = rival.admin_key().await;
    theirs.post(ASK, &ask(2, id)).await.refused(&["experiment"]);

    let without = admin
        .post(ASK, &json!({ "environment": "production", "version": 3 }))
        .await
        .created();
    let without = admin.get(&path(&without, "")).await.ok();
    assert_eq!(without["evidence"].get("experiment"), None);

    let asked = admin.post(ASK, &ask(2, id)).await.created();
    let found = admin.get(&path(&asked, "")).await.ok();
    let frozen = &found["evidence"]["experiment"];
    assert_eq!((&frozen["id"], &frozen["arm"]), (id, &json!("B")));
    assert_eq!(frozen["name"], "shorter");
    assert_eq!(frozen["verdict"]["kind"], "not_started");
    assert!(!frozen["verdict"]["sentence"].as_str().unwrap().is_empty());
    assert_eq!(frozen["arms"].as_array().unwrap().len(), 2);
    assert_eq!(frozen["comparison"]["arm"], "B");
    // What it comes to afterwards changes nothing.
    admin
        .post(
            &format!("/api/v1/experiments/{}/start", id.as_str().unwrap()),
            &json!({}),
        )
        .await
        .ok();
    let later = admin.get(&path(&asked, "")).await.ok();
    assert_eq!(&later["evidence"]["experiment"], frozen);
    assert_eq!(later["evidence_hash"], found["evidence_hash"]);
    app.stop().await;
}
