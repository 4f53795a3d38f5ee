//! Which experiments share units, and who may start one: layers, and environments where an
//! approver has to.

use domain::{
    actor::{Role, Scope},
    experiment::{Assignment, Rules},
};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{Client, Events, TestApp, TestProject};

const EXPERIMENTS: &str = "/api/v1/experiments";

fn plan(prompt: &str, change: Value) -> Value {
    let mut plan = json!({
        "name": format!("on {prompt}"), "prompt": prompt, "environment": "production", "primary_metric": "resolved",
        "arms": [{ "name": "A", "version": 1, "weight": 1 }, { "name": "B", "version": 2, "weight": 1 }],
    });
    if let Value::Object(change) = change {
        plan.as_object_mut().unwrap().extend(change);
    }
    plan
}

/// The path of something done to a fresh draft.
async fn planned(client: &Client, plan: &Value) -> impl Fn(&str) -> String + use<> {
    let planned = client.post(EXPERIMENTS, plan).await.created();
    let id = planned["id"].as_str().unwrap().to_owned();
    move |verb| format!("{EXPERIMENTS}/{id}/{verb}")
}

async fn serving(acme: &TestProject<'_>, prompt: &str) {
    let prompt = acme.prompt(prompt).says("one").says("two").says("three");
    prompt
        .serves("production", 3)
        .serves("production", 1)
        .create()
        .await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn experiments_of_a_layer_share_no_unit_at_any_door(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    serving(&acme, "triage").await;
    serving(&acme, "reply").await;
    let key = acme.admin_key().await;
    let bad = json!({ "layer": "a b", "traffic_from": -1 });
    key.post(EXPERIMENTS, &plan("triage", bad))
        .await
        .refused(&["layer", "traffic_from"]);
    key.post(EXPERIMENTS, &plan("triage", json!({ "shared_salt": "x" })))
        .await
        .refused(&["shared_salt"]);

    let first = json!({ "layer": "checkout", "traffic": 0.4 });
    let first = planned(&key, &plan("triage", first)).await;
    let second = json!({ "layer": "checkout", "traffic": 0.4, "traffic_from": 0.3 });
    let overlapping = planned(&key, &plan("reply", second)).await;
    let third = json!({ "layer": "checkout", "traffic": 0.4, "traffic_from": 0.4 });
    let beside = planned(&key, &plan("reply", third)).await;
    key.post(&first("start"), &json!({})).await.ok();
    let refused = key.post(&overlapping("start"), &json!({})).await;
    let refused = refused.problem(409, "layer_taken");
    assert_eq!(
        refused["detail"],
        "in the layer checkout, “on triage” runs on 0 to 40 %, and this experiment would take 30 to 70 %: free \
         is 40 to 100 %"
    );
    let started = key.post(&beside("start"), &json!({})).await.ok();
    assert_eq!(
        (&started["layer"], &started["traffic_from"]),
        (&json!("checkout"), &json!(0.4))
    );
    let more = json!({ "traffic": 0.5 });
    key.post(&first("traffic"), &more)
        .await
        .problem(409, "layer_taken");
    app.settle(acme.id()).await;

    // What the stream says is enough to come to the same.
    let mut events = Events::open(&key, "/api/v1/stream?environment=production").await;
    let (_, snapshot) = events.expect("snapshot").await;
    let rules: Vec<Rules> = serde_json::from_value(snapshot["experiments"].clone()).unwrap();
    assert_eq!(rules.len(), 2);
    assert!(
        rules
            .iter()
            .all(|rules| rules.layer.as_deref() == Some("checkout"))
    );
    let mut n_seen = [0; 3];
    for number in 0..60 {
        let unit = format!("u{number}");
        let mut n_in = 0;
        for rules in &rules {
            let path = format!("/api/v1/prompts/{}/resolve?unit={unit}", rules.prompt);
            let said = key.get(&path).await.ok()["experiment"]["arm"].clone();
            let wanted = match rules.assign(&unit) {
                Assignment::Arm(position) => json!(rules.arms[position].name),
                Assignment::LeftOut => Value::Null,
            };
            assert_eq!(said, wanted, "{unit}");
            n_in += usize::from(!said.is_null());
        }
        n_seen[n_in] += 1;
    }
    assert_eq!(n_seen[2], 0, "nobody is in both");
    assert!(n_seen[0] > 3, "a fifth is the holdout: {n_seen:?}");
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn where_policy_says_so_an_approver_starts_what_nobody_approved(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    serving(&acme, "triage").await;
    let admin = acme.admin_key().await;
    let key = acme
        .key(&[Scope::PromptsRead, Scope::PromotionsRequest])
        .await;
    let (editor, lead) = (
        acme.person(Role::Editor).await,
        acme.person(Role::Approver).await,
    );
    let policy = json!({ "policy": { "approvals": 1, "experiments_need_approver": true } });
    editor
        .patch("/api/v1/environments/production", &policy)
        .await
        .problem(403, "forbidden");
    let changed = admin
        .patch("/api/v1/environments/production", &policy)
        .await;
    assert_eq!(
        changed.ok()["policy"],
        json!({ "gate": false, "approvals": 1, "experiments_need_approver": true })
    );
    let trail = admin
        .get("/api/v1/audit?action=environment.policy")
        .await
        .ok();
    assert_eq!(
        trail["items"][0]["detail"]["after"]["policy"]["experiments_need_approver"],
        true
    );

    let half = json!({ "traffic": 0.5 });
    let path = planned(&editor, &plan("triage", half.clone())).await;
    for (by, needed) in [
        (&editor, "this needs the approver role; yours is editor"),
        (&key, "this needs a signed-in approver, and a key is none"),
        (&admin, "this needs a signed-in approver, and a key is none"),
    ] {
        let refused = by.post(&path("start"), &json!({})).await;
        assert_eq!(
            refused.problem(403, "approver_needed")["detail"],
            format!("v2 was never approved for production and never served it: {needed}")
        );
    }
    lead.post(&path("start"), &json!({})).await.ok();
    let more = json!({ "traffic": 0.9 });
    editor
        .post(&path("traffic"), &more)
        .await
        .problem(403, "approver_needed");
    lead.post(&path("traffic"), &more).await.ok();
    // Ending one takes nobody's leave.
    editor.post(&path("stop"), &json!({})).await.ok();

    // What served before needs nobody.
    let arms = json!({ "arms": [{ "name": "A", "version": 1 }, { "name": "B", "version": 3 }] });
    let path = planned(&key, &plan("triage", arms)).await;
    key.post(&path("start"), &json!({})).await.ok();
    key.post(&path("stop"), &json!({})).await.ok();

    // Nor does what was approved, live or not yet.
    let ask = json!({ "environment": "production", "version": 2 });
    let asked = editor.post("/api/v1/prompts/triage/promotions", &ask).await;
    let id = asked.created()["id"].as_str().unwrap().to_owned();
    let path = planned(&editor, &plan("triage", half)).await;
    editor
        .post(&path("start"), &json!({}))
        .await
        .problem(403, "approver_needed");
    let approved = lead
        .post(&format!("/api/v1/promotions/{id}/approve"), &json!({}))
        .await
        .ok();
    assert_eq!(approved["status"], "approved");
    editor.post(&path("start"), &json!({})).await.ok();
    editor.post(&path("traffic"), &more).await.ok();
    app.stop().await;
}
