//! Who may do what: every route with every kind of caller. The list of routes is the API's own
//! description, so a route without a row here fails.

mod calls;
mod scene;

use std::collections::BTreeSet;

use axum::{body::Body, http::Method};
use domain::actor::{Role, Scope};
use serde_json::{Value, json};
use sqlx::PgPool;

use self::scene::{Things, plan, scene};
use crate::support::{Answer, Client, TestApp, text};

/// What a route asks for.
#[derive(Clone, Copy)]
struct Row {
    route: &'static str,
    /// The weakest role that may; none: people may not, it takes a key.
    role: Option<Role>,
    /// The scope that suffices, beside `admin`.
    scope: Scope,
    /// What becomes of a key with every right, but bound to another environment.
    bound: Bound,
    /// What somebody of another project gets.
    foreign: Foreign,
    body: fn() -> Value,
}

#[derive(Clone, Copy, PartialEq)]
enum Bound {
    Allowed,
    /// The environment is named as missing.
    Refused,
    /// It belongs to the whole project.
    Unbound,
}

#[derive(Clone, Copy, PartialEq)]
enum Foreign {
    /// It names something: not found.
    NotFound,
    /// It is about the caller's own project.
    Own,
}

use Bound::{Allowed, Refused, Unbound};
use Foreign::{NotFound, Own};
use Role::{Admin, Approver, Editor, Viewer};
use Scope::{DraftsWrite, EvalsRun, PromotionsRequest, PromptsRead};

const fn row(
    route: &'static str,
    role: Role,
    scope: Scope,
    bound: Bound,
    foreign: Foreign,
    body: fn() -> Value,
) -> Row {
    Row {
        route,
        role: Some(role),
        scope,
        bound,
        foreign,
        body,
    }
}

const fn keys_only(
    route: &'static str,
    bound: Bound,
    foreign: Foreign,
    body: fn() -> Value,
) -> Row {
    Row {
        route,
        role: None,
        scope: PromptsRead,
        bound,
        foreign,
        body,
    }
}

fn nothing() -> Value {
    Value::Null
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    keys_only("GET /prompts/{name}/resolve", Refused, NotFound, nothing),
    keys_only("POST /prompts/{name}/render", Refused, NotFound, || json!({})),
    keys_only("GET /stream", Refused, Own, nothing),
    // Of a deployment that is nowhere; keys of other environments: see `streams`.
    keys_only("POST /stream/ack", Allowed, NotFound, || json!({ "consumer": "c", "deployment_id": uuid::Uuid::nil() })),
    // What may not be touched is rejected row by row.
    Row { route: "POST /events", role: None, scope: Scope::EventsWrite, bound: Allowed, foreign: Own, body: || json!([]) },

    row("GET /prompts", Viewer, PromptsRead, Allowed, Own, nothing),
    row("POST /prompts", Editor, DraftsWrite, Allowed, Own, || json!({ "name": format!("p{}", uuid::Uuid::new_v4().simple()) })),
    row("GET /prompts/{name}", Viewer, PromptsRead, Allowed, NotFound, nothing),
    row("PATCH /prompts/{name}", Editor, DraftsWrite, Allowed, NotFound, || json!({ "description": "better" })),
    row("GET /prompts/{name}/versions", Viewer, PromptsRead, Allowed, NotFound, nothing),
    row("POST /prompts/{name}/versions", Editor, DraftsWrite, Allowed, NotFound, || json!({ "content": text(&uuid::Uuid::new_v4().to_string()) })),
    row("GET /prompts/{name}/versions/{number}", Viewer, PromptsRead, Allowed, NotFound, nothing),
    row("GET /prompts/{name}/versions/{number}/diff/{other}", Viewer, PromptsRead, Allowed, NotFound, nothing),
    row("POST /prompts/{name}/versions/{number}/status", Editor, DraftsWrite, Allowed, NotFound, || json!({ "status": "testing" })),
    row("GET /prompts/{name}/used-by", Viewer, PromptsRead, Allowed, NotFound, nothing),
    row("GET /prompts/{name}/promotions", Viewer, PromptsRead, Allowed, NotFound, nothing),
    // To an environment that asks for nothing; production has a test of its own.
    row("POST /prompts/{name}/promotions", Editor, PromotionsRequest, Refused, NotFound, || json!({ "environment": "staging", "version": 1 })),
    row("GET /prompts/{name}/deployments", Viewer, PromptsRead, Allowed, NotFound, nothing),
    row("POST /prompts/{name}/rollback", Editor, PromotionsRequest, Refused, NotFound, || json!({ "environment": "production" })),
    row("POST /prompts/{name}/break-glass", Approver, Scope::Admin, Refused, NotFound, || json!({ "environment": "production", "version": 1, "reason": "fire" })),
    row("GET /deployments", Viewer, PromptsRead, Allowed, Own, nothing),
    row("GET /deployments/{id}", Viewer, PromptsRead, Allowed, NotFound, nothing),
    row("GET /consumers", Viewer, PromptsRead, Allowed, Own, nothing),
    row("GET /environments", Viewer, PromptsRead, Allowed, Own, nothing),
    row("POST /environments", Admin, Scope::Admin, Unbound, Own, || json!({ "name": "qa" })),
    row("PATCH /environments/{name}", Admin, Scope::Admin, Refused, Own, || json!({ "policy": { "gate": false } })),
    row("GET /prices", Viewer, PromptsRead, Allowed, Own, nothing),
    row("POST /prices", Admin, Scope::Admin, Unbound, Own, || json!({ "provider": "ours", "model": uuid::Uuid::new_v4(), "input": 1, "output": 2, "valid_from": "2026-01-01T00:00:00Z" })),
    row("GET /prompts/{name}/cache-cost", Viewer, PromptsRead, Allowed, NotFound, nothing),
    row("GET /prompts/{name}/cache-budget", Viewer, PromptsRead, Allowed, NotFound, nothing),
    row("PUT /prompts/{name}/cache-budget", Admin, Scope::Admin, Unbound, NotFound, || json!({ "budget_usd_per_day": 1.5 })),
    row("GET /promotions", Viewer, PromptsRead, Allowed, Own, nothing),
    row("GET /promotions/{id}", Viewer, PromptsRead, Allowed, NotFound, nothing),
    row("POST /promotions/{id}/comments", Viewer, PromptsRead, Allowed, NotFound, || json!({ "text": "why?" })),
    row("POST /promotions/{id}/cancel", Editor, PromotionsRequest, Refused, NotFound, nothing),
    row("GET /providers", Viewer, EvalsRun, Allowed, Own, nothing),
    row("POST /providers", Admin, Scope::Admin, Unbound, Own, || json!({ "name": "p", "kind": "openai", "base_url": "http://127.0.0.1:9" })),
    row("GET /suites", Viewer, EvalsRun, Allowed, Own, nothing),
    row("POST /suites", Editor, EvalsRun, Allowed, NotFound, || json!({ "name": uuid::Uuid::new_v4(), "prompt": "support/triage" })),
    row("GET /suites/{id}", Viewer, EvalsRun, Allowed, NotFound, nothing),
    row("PATCH /suites/{id}", Editor, EvalsRun, Allowed, NotFound, || json!({ "scorers": [{ "type": "equals" }] })),
    row("GET /suites/{id}/revisions", Viewer, EvalsRun, Allowed, NotFound, nothing),
    row("GET /suites/{id}/export", Viewer, EvalsRun, Allowed, NotFound, nothing),
    row("GET /suites/{id}/cases", Viewer, EvalsRun, Allowed, NotFound, nothing),
    row("POST /suites/{id}/cases", Editor, EvalsRun, Allowed, NotFound, || json!([{ "variables": {}, "expected": "x" }])),
    row("PUT /suites/{id}/cases/{case}", Editor, EvalsRun, Allowed, NotFound, || json!({ "variables": {}, "expected": "y" })),
    row("GET /runs", Viewer, EvalsRun, Allowed, Own, nothing),
    row("POST /runs", Editor, EvalsRun, Allowed, NotFound, || json!({ "prompt": "support/triage", "version": 4, "suite": "golden" })),
    row("GET /runs/{id}", Viewer, EvalsRun, Allowed, NotFound, nothing),
    row("GET /runs/{id}/results", Viewer, EvalsRun, Allowed, NotFound, nothing),
    row("GET /runs/{id}/compare/{other}", Viewer, EvalsRun, Allowed, NotFound, nothing),
    row("POST /runs/{id}/cancel", Editor, EvalsRun, Allowed, NotFound, nothing),
    row("POST /gate", Editor, EvalsRun, Allowed, NotFound, || json!({ "prompt": "support/triage", "version": 4, "suite": "golden" })),
    row("GET /gate/{id}", Viewer, EvalsRun, Allowed, NotFound, nothing),
    row("GET /prompts/{name}/gates", Viewer, EvalsRun, Allowed, NotFound, nothing),
    row("PUT /prompts/{name}/gates/{environment}", Admin, Scope::Admin, Refused, NotFound, || json!({ "suite": "golden" })),
    row("GET /drift", Viewer, EvalsRun, Allowed, Own, nothing),
    row("GET /prompts/{name}/drift", Viewer, EvalsRun, Allowed, NotFound, nothing),
    row("PUT /prompts/{name}/drift/schedule", Editor, EvalsRun, Allowed, NotFound, || json!({ "cron": "0 4 * * 2" })),
    row("POST /prompts/{name}/drift/checks", Editor, EvalsRun, Allowed, NotFound, nothing),
    row("GET /experiments", Viewer, PromptsRead, Allowed, Own, nothing),
    row("POST /experiments", Editor, PromotionsRequest, Refused, NotFound, plan),
    row("GET /experiments/{id}", Viewer, PromptsRead, Allowed, NotFound, nothing),
    row("PUT /experiments/{id}", Editor, PromotionsRequest, Refused, NotFound, plan),
    row("POST /experiments/{id}/traffic", Editor, PromotionsRequest, Refused, NotFound, || json!({ "traffic": 1 })),
    // The first caller who may starts and stops it; the others are told that it is not to be.
    row("POST /experiments/{id}/start", Editor, PromotionsRequest, Refused, NotFound, nothing),
    row("POST /experiments/{id}/stop", Editor, PromotionsRequest, Refused, NotFound, nothing),
    row("POST /experiments/{id}/conclude", Editor, PromotionsRequest, Refused, NotFound, || json!({ "conclusion": "B" })),
    row("GET /experiments/{id}/results", Viewer, PromptsRead, Allowed, NotFound, nothing),
    row("GET /experiments/{id}/detail", Viewer, PromptsRead, Allowed, NotFound, nothing),
    row("GET /alerts", Viewer, PromptsRead, Allowed, Own, nothing),
    row("GET /alerts/{id}", Viewer, PromptsRead, Allowed, NotFound, nothing),
    row("POST /alerts/{id}/acknowledge", Editor, PromotionsRequest, Allowed, NotFound, nothing),
    row("GET /alert-rules", Viewer, PromptsRead, Allowed, Own, nothing),
    row("POST /alert-rules", Admin, Scope::Admin, Unbound, Own, || json!({ "name": uuid::Uuid::new_v4(), "kind": "srm" })),
    row("PUT /alert-rules/{id}", Admin, Scope::Admin, Unbound, NotFound, || json!({ "name": "Error rate", "kind": "error_rate" })),
    row("GET /webhooks", Admin, Scope::Admin, Unbound, Own, nothing),
    row("POST /webhooks", Admin, Scope::Admin, Unbound, Own, || json!({ "name": uuid::Uuid::new_v4(), "url": "https://hooks.test/" })),
    row("PUT /webhooks/{id}", Admin, Scope::Admin, Unbound, NotFound, || json!({ "name": "hook", "url": "https://hooks.test/" })),
    row("POST /webhooks/{id}/test", Admin, Scope::Admin, Unbound, NotFound, nothing),
    row("POST /webhooks/{id}/secret", Admin, Scope::Admin, Unbound, NotFound, nothing),
    row("GET /webhooks/{id}/deliveries", Admin, Scope::Admin, Unbound, NotFound, nothing),
    row("GET /members", Viewer, Scope::Admin, Allowed, Own, nothing),
    row("POST /members", Admin, Scope::Admin, Unbound, Own, || json!({ "email": format!("{}@x.test", uuid::Uuid::new_v4().simple()), "name": "N", "role": "viewer" })),
    row("PATCH /members/{id}", Admin, Scope::Admin, Unbound, NotFound, || json!({ "role": "editor" })),
    row("POST /members/{id}/set-up-link", Admin, Scope::Admin, Unbound, NotFound, nothing),
    row("DELETE /members/{id}", Admin, Scope::Admin, Unbound, NotFound, nothing),
    row("GET /keys", Viewer, Scope::Admin, Allowed, Own, nothing),
    row("POST /keys", Admin, Scope::Admin, Unbound, Own, || json!({ "name": "k", "scopes": ["prompts:read"] })),
    row("DELETE /keys/{id}", Admin, Scope::Admin, Unbound, NotFound, nothing),
    row("GET /audit", Viewer, Scope::Admin, Allowed, Own, nothing),
];

/// Rows that do not fit on the scheme: whoever is known may ask.
const ANY_CREDENTIAL: [&str; 2] = ["GET /me", "POST /stats/{calculator}"];
/// What people decide about each other's work, and what needs their decision first: see `promotions`.
const OF_PEOPLE: [&str; 3] = [
    "POST /promotions/{id}/approve",
    "POST /promotions/{id}/reject",
    "POST /promotions/{id}/execute",
];
/// What takes something away that other rows need: the same as what changes it.
const LIKE_CHANGES: [&str; 1] = ["DELETE /suites/{id}/cases/{case}"];
/// The same as `PUT /webhooks/{id}`.
const LIKE_WEBHOOKS: [&str; 3] = [
    "POST /webhooks/{id}/deliveries/{delivery}/redeliver",
    "DELETE /webhooks/{id}",
    "DELETE /alert-rules/{id}",
];
/// The same as `GET /audit`.
const LIKE_AUDIT: [&str; 1] = ["GET /audit/verify"];

fn rows() -> impl Iterator<Item = Row> {
    let verify = LIKE_AUDIT
        .into_iter()
        .map(|route| row(route, Viewer, Scope::Admin, Allowed, Own, nothing));
    let changes = LIKE_CHANGES
        .into_iter()
        .map(|route| row(route, Editor, EvalsRun, Allowed, NotFound, nothing));
    let webhooks = LIKE_WEBHOOKS
        .into_iter()
        .map(|route| row(route, Admin, Scope::Admin, Unbound, NotFound, nothing));
    ROWS.iter()
        .copied()
        .chain(verify)
        .chain(changes)
        .chain(webhooks)
}

impl Row {
    async fn send(&self, client: &Client, things: &Things) -> Answer {
        let (method, path) = self.route.split_once(' ').unwrap();
        let path = path
            .replace("/environments/{name}", "/environments/production")
            .replace(
                "/deployments/{id}",
                &format!("/deployments/{}", things.deployment),
            )
            .replace("/members/{id}", &format!("/members/{}", things.member))
            .replace("/keys/{id}", &format!("/keys/{}", things.key))
            .replace(
                "/promotions/{id}",
                &format!("/promotions/{}", things.promotion),
            )
            .replace("/suites/{id}", &format!("/suites/{}", things.suite))
            .replace("/cases/{case}", &format!("/cases/{}", things.case))
            .replace("/runs/{id}", &format!("/runs/{}", things.run))
            .replace(
                "/experiments/{id}",
                &format!("/experiments/{}", things.experiment),
            )
            .replace("/alerts/{id}", &format!("/alerts/{}", things.alert))
            .replace(
                "/alert-rules/{id}",
                &format!("/alert-rules/{}", things.rule),
            )
            .replace("/webhooks/{id}", &format!("/webhooks/{}", things.webhook))
            .replace("{delivery}", &uuid::Uuid::nil().to_string())
            .replace("/compare/{other}", &format!("/compare/{}", things.run))
            .replace("/gate/{id}", &format!("/gate/{}", things.run))
            .replace("/gates/{environment}", "/gates/production")
            .replace("{name}", "support%2Ftriage")
            .replace("{number}", "3")
            .replace("{other}", "1");
        let method: Method = method.parse().unwrap();
        let path = format!("/api/v1{path}");
        if path.ends_with("/stream") {
            return head_only(client, method, &path).await;
        }
        let body = match (self.body)() {
            Value::Null => Body::empty(),
            body => Body::from(body.to_string()),
        };
        client.send(method, &path, body).await
    }
}

/// A stream has no end, so its body is not waited for.
async fn head_only(client: &Client, method: Method, path: &str) -> Answer {
    let response = client.open(method, path, Body::empty()).await;
    if response.status() == 200 {
        return Answer::without_body(path, response.status());
    }
    client.get(path).await
}

/// What one caller may and may not, all routes in one list, so that a failure shows all that differs.
#[track_caller]
fn compare(who: &str, found: &[String]) {
    assert!(found.is_empty(), "{who}:\n{}", found.join("\n"));
}

fn is_allowed(answer: &Answer) -> bool {
    answer.status.as_u16() < 500 && !matches!(answer.status.as_u16(), 401 | 403)
}

fn missing(answer: &Answer) -> Value {
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    answer.json()["errors"][0].clone()
}

/// Sends every row; `expected` says what is missing, if anything is.
async fn walk(
    who: &str,
    client: &Client,
    things: &Things,
    expected: impl Fn(&Row) -> Option<(u16, Value)>,
) {
    let mut found = Vec::new();
    for row in rows() {
        let answer = row.send(client, things).await;
        let fits = match expected(&row) {
            None => is_allowed(&answer),
            Some((401, _)) => {
                answer.status == 401 && answer.header("www-authenticate") == Some("Bearer")
            }
            Some((status, lacks)) => {
                answer.status == status && (lacks.is_null() || missing(&answer) == lacks)
            }
        };
        if !fits {
            found.push(format!(
                "  {}: {} {}",
                row.route,
                answer.status,
                String::from_utf8_lossy(&answer.body)
            ));
        }
    }
    compare(who, &found);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn every_route_has_a_row(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let described: BTreeSet<String> = app.anybody().get("/api/openapi.json").await.ok()["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, operations)| {
            let path = path.strip_prefix("/api/v1").unwrap().to_owned();
            operations
                .as_object()
                .unwrap()
                .keys()
                .map(move |method| format!("{} {path}", method.to_uppercase()))
                .collect::<Vec<_>>()
        })
        .collect();
    let listed: BTreeSet<String> = rows()
        .map(|row| row.route.to_owned())
        .chain(ANY_CREDENTIAL.map(str::to_owned))
        .chain(OF_PEOPLE.map(str::to_owned))
        .collect();
    assert_eq!(described, listed);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn people_may_what_their_role_may(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let things = scene(&acme).await;
    for held in Role::ALL {
        let person = acme.person(held).await;
        walk(&format!("{held}"), &person, &things, |row| match row.role {
            None => Some((401, Value::Null)),
            Some(needed) if held >= needed => None,
            Some(needed) => Some((403, json!({ "missing": "role", "role": needed }))),
        })
        .await;
        let me = person.get("/api/v1/me").await.ok();
        assert_eq!((&me["role"], &me["scopes"]), (&json!(held), &Value::Null));
        assert_eq!(me["project"]["slug"], "acme");
    }
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn keys_may_what_their_scopes_say(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let things = scene(&acme).await;
    for scope in Scope::ALL {
        let key = acme.key(&[scope]).await;
        walk(scope.word(), &key, &things, |row| {
            let is_enough = scope == row.scope || scope == Scope::Admin;
            (!is_enough).then(|| (403, json!({ "missing": "scope", "scope": row.scope })))
        })
        .await;
        let me = key.get("/api/v1/me").await.ok();
        assert_eq!(
            (&me["role"], &me["scopes"]),
            (&Value::Null, &json!([scope]))
        );
    }
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_key_bound_to_another_environment_touches_no_other(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let things = scene(&acme).await;
    let key = acme.bound_key(&[Scope::Admin], "development").await;
    walk("bound to development", &key, &things, |row| {
        match row.bound {
            Allowed => None,
            Unbound => Some((403, json!({ "missing": "unbound_key" }))),
            Refused => {
                let environment = if row.route.ends_with("/promotions") {
                    "staging"
                } else {
                    "production"
                };
                Some((
                    403,
                    json!({ "missing": "environment", "environment": environment }),
                ))
            }
        }
    })
    .await;
    let resolved = key
        .get("/api/v1/prompts/support%2Ftriage/resolve?environment=development")
        .await;
    resolved.problem(404, "not_deployed");
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn without_a_credential_that_works_nothing_is_answered(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let things = scene(&acme).await;
    let admin = acme.admin_key().await;
    let body = json!({ "name": "short-lived", "scopes": ["admin"] });
    let made = admin.post("/api/v1/keys", &body).await.created();
    app.settle(acme.id()).await;
    let bearer = |key: &str| {
        app.anybody()
            .with("authorization", &format!("Bearer {key}"))
    };
    let revoked = bearer(made["key"].as_str().unwrap());
    revoked.get("/api/v1/me").await.ok();
    let path = format!("/api/v1/keys/{}", made["id"].as_str().unwrap());
    admin.delete(&path).await.is(204);
    admin.delete(&path).await.problem(404, "key_not_found");
    app.settle(acme.id()).await;

    let callers = [
        ("nobody", app.anybody()),
        ("a revoked key", revoked),
        ("a made-up key", bearer("clk_0000")),
        (
            "a hash is not a key",
            bearer(&hex::encode(store::secret::hash("x"))),
        ),
        (
            "another scheme",
            app.anybody().with("authorization", "Basic YTpi"),
        ),
        (
            "a made-up session",
            app.anybody()
                .with("cookie", "cueline_session=AAAAAAAAAAAAAAAAAAAAAA"),
        ),
    ];
    for (who, client) in callers {
        walk(who, &client, &things, |_| Some((401, Value::Null))).await;
        client.get("/api/v1/me").await.problem(401, "unauthorized");
    }
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn nothing_of_another_project_can_be_seen_or_touched(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let things = scene(&acme).await;
    let rival = app.project("rival").await;
    let (key, person) = (rival.admin_key().await, rival.person(Admin).await);
    let before = app.count("deployment").await;
    for (who, client) in [("a rival's key", &key), ("a rival's admin", &person)] {
        walk(who, client, &things, |row| match (row.role, row.foreign) {
            (None, _) if who.ends_with("admin") => Some((401, Value::Null)),
            (_, NotFound) => Some((404, Value::Null)),
            (_, Own) => None,
        })
        .await;
    }
    assert_eq!(app.count("deployment").await, before);
    for list in ["prompts", "deployments", "consumers"] {
        let items = key.get(&format!("/api/v1/{list}")).await.ok()["items"].clone();
        assert!(!items.to_string().contains("triage"), "{list}: {items}");
    }

    // Naming the other project does not open it.
    let intruder = person.clone().with("x-cueline-project", "acme");
    for row in rows().filter(|row| row.role.is_some()) {
        row.send(&intruder, &things)
            .await
            .problem(404, "project_not_found");
    }
    person
        .get("/api/v1/prompts?project=acme")
        .await
        .problem(404, "project_not_found");
    app.stop().await;
}
