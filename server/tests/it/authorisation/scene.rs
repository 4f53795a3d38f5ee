//! What the routes are tried on: one of everything.

use domain::{
    actor::Role,
    webhook::{Format, NewWebhook},
};
use serde_json::{Value, json};

use crate::support::{Client, TestProject, evals};

/// Things the routes' addresses name.
pub struct Things {
    pub deployment: String,
    pub member: String,
    pub key: String,
    pub promotion: String,
    pub suite: String,
    pub case: String,
    pub run: String,
    pub experiment: String,
    pub alert: String,
    pub rule: String,
    pub webhook: String,
    /// A call that was kept.
    pub sample: String,
    /// What the promotion's evidence is known by.
    pub evidence: String,
}

impl Things {
    /// Each by its name here.
    pub fn by_name(&self) -> [(&'static str, &str); 13] {
        [
            ("deployment", &self.deployment),
            ("member", &self.member),
            ("key", &self.key),
            ("promotion", &self.promotion),
            ("suite", &self.suite),
            ("case", &self.case),
            ("run", &self.run),
            ("experiment", &self.experiment),
            ("alert", &self.alert),
            ("rule", &self.rule),
            ("webhook", &self.webhook),
            ("sample", &self.sample),
            ("evidence", &self.evidence),
        ]
    }
}

pub fn plan() -> Value {
    json!({
        "name": "shorter", "prompt": "support/triage", "environment": "production", "primary_metric": "resolved",
        "arms": [{ "name": "A", "version": 2 }, { "name": "B", "version": 3 }],
    })
}

pub async fn scene(acme: &TestProject<'_>) -> Things {
    acme.prompt("support/triage")
        .says("one")
        .says("two")
        .says("three")
        .version(evals::content("four"))
        .serves("production", 1)
        .serves("production", 2)
        .create()
        .await;
    let admin = acme.admin_key().await;
    let deployments = admin.get("/api/v1/deployments").await.ok();
    // Asks for more than anybody gives here, so that it stays open. Its name makes a key that is
    // bound elsewhere miss what the other routes' environment is called.
    let guarded = json!({ "policy": { "approvals": 9 } });
    admin
        .patch("/api/v1/environments/production", &guarded)
        .await
        .ok();
    let ask = json!({ "environment": "production", "version": 3 });
    let asked = admin
        .post("/api/v1/prompts/support%2Ftriage/promotions", &ask)
        .await
        .created();
    let open = json!({ "policy": {} });
    admin
        .patch("/api/v1/environments/production", &open)
        .await
        .ok();
    let (suite, case) = evals::suite(&admin, "support/triage", "golden").await;
    evals::provider(&admin, "http://127.0.0.1:9").await;
    let body = json!({ "prompt": "support/triage", "version": 4, "suite": suite });
    let run = admin.post("/api/v1/gate", &body).await.accepted();
    let planned = admin.post("/api/v1/experiments", &plan()).await.created();
    let (rule, alert) = alert(acme, &admin).await;
    let sample = kept(acme, run["id"].as_str().unwrap(), &case).await;
    let promotion = asked["id"].as_str().unwrap().to_owned();
    let review = admin
        .get(&format!("/api/v1/promotions/{promotion}"))
        .await
        .ok();
    let hook = NewWebhook {
        name: "hook".to_owned(),
        url: "https://hooks.test/".to_owned(),
        format: Format::Json,
        alerts: Vec::new(),
        audit: Vec::new(),
        enabled: true,
    };
    let (store, now) = (&acme.app.state().store, acme.app.now());
    let webhook = store::webhooks::create(store, &acme.operator, &hook, &|_| Ok(vec![1]), now)
        .await
        .unwrap();
    Things {
        alert: alert.to_string(),
        rule,
        webhook: webhook.id.to_string(),
        experiment: planned["id"].as_str().unwrap().to_owned(),
        sample: sample.to_string(),
        evidence: review["evidence_hash"].as_str().unwrap().to_owned(),
        promotion,
        run: run["id"].as_str().unwrap().to_owned(),
        suite,
        case,
        deployment: deployments["items"][0]["deployment_id"]
            .as_str()
            .unwrap()
            .to_owned(),
        member: acme
            .member("target@acme.test", Role::Viewer)
            .await
            .to_string(),
        key: {
            let body = json!({ "name": "target", "scopes": ["events:write"] });
            let made = admin.post("/api/v1/keys", &body).await.created();
            made["id"].as_str().unwrap().to_owned()
        },
    }
}

/// A rule, and an alert of it.
async fn alert(acme: &TestProject<'_>, admin: &Client) -> (String, uuid::Uuid) {
    let rules = admin.get("/api/v1/alert-rules").await.ok();
    let rule = rules["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|rule| rule["kind"] == "error_rate")
        .unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let alert = uuid::Uuid::new_v4();
    sqlx::query(
        "insert into alert (alert_id, project_id, rule_id, subject, title, sentence, href, value, first_raised_at, raised_at)
         select $1, project_id, rule_id, 'x', 'x', 'x', '/', 1, now(), now() from alert_rule where rule_id = $2::uuid",
    )
    .bind(alert)
    .bind(&rule)
    .execute(&acme.app.pool)
    .await
    .unwrap();
    (rule, alert)
}

/// A call that was kept; and one more answer to the case, beside the one that nobody will ever give.
async fn kept(acme: &TestProject<'_>, run: &str, case: &str) -> uuid::Uuid {
    let sample = uuid::Uuid::new_v4();
    sqlx::query(
        "insert into sample (sample_id, project_id, prompt_id, at, variables, output)
         select $1, project_id, prompt_id, now(), '{}', 'yes' from prompt where name = 'support/triage'",
    )
    .bind(sample)
    .execute(&acme.app.pool)
    .await
    .unwrap();
    sqlx::query(
        "insert into run_result (run_id, case_id, repeat, position, finished_at, passed, score, output, scores)
         values ($1::uuid, $2::uuid, 9, 1, now(), false, 0, 'no', '[]')",
    )
    .bind(run)
    .bind(case)
    .execute(&acme.app.pool)
    .await
    .unwrap();
    sample
}
