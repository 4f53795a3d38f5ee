//! The browser's door: every server function with every role. The list is what is registered, so a
//! function without a row here fails.

use std::collections::BTreeSet;

use axum::{
    body::Body,
    http::{Method, header},
};
use domain::actor::Role;
use leptos::server_fn::axum::server_fn_paths;
use sqlx::PgPool;

use super::{
    compare, is_allowed,
    scene::{Things, scene},
};
use crate::support::{Answer, Client, TestApp};
use Role::{Admin, Approver, Editor, Viewer};

/// A function, and what is asked of it: a form's fields with `&` between them. Words in braces are
/// things of the scene.
type Row = (&'static str, Role, &'static str);

/// Functions that are about a project: the weakest role that may. The order is of a kind: what
/// takes something away comes after what needs it.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("add_sample", Editor, "sample={sample}&suite={suite}"),
    ("load_alert", Viewer, "id={alert}"),
    ("load_alerts", Viewer, "is_all=true"),
    ("mark_read", Viewer, "until=2026-01-01T00:00:00Z"),
    ("acknowledge", Editor, "alert={alert}"),
    ("load_home", Viewer, ""),
    ("load_queue", Viewer, "is_all=true"),
    ("load_review", Viewer, "id={promotion}"),
    ("comment", Viewer, "id={promotion}&text=why"),
    ("approve", Approver, "id={promotion}&comment=&evidence={evidence}"),
    ("reject", Approver, "id={promotion}&reason=no"),
    ("execute", Editor, "id={promotion}"),
    ("cancel", Editor, "id={promotion}"),
    ("load_trail", Viewer, "wanted[actor]="),
    ("load_offer", Viewer, ""),
    ("load_entry", Viewer, "sequence=1"),
    ("check_chain", Viewer, ""),
    ("load_prices", Viewer, ""),
    ("load_drift", Viewer, ""),
    ("load_drift_of", Viewer, "name=support/triage"),
    ("run_drift_check", Editor, "prompt=support/triage"),
    ("set_drift_schedule", Editor, "prompt=support/triage&cron=0 4 * * 2&time_zone=UTC&jitter_minutes=5"),
    ("load_experiments", Viewer, "query[status]="),
    ("load_experiments_of", Viewer, "name=support/triage"),
    ("load_experiment", Viewer, "id={experiment}"),
    ("load_plan", Viewer, "values[prompt]=support/triage"),
    ("save_draft", Editor, "plan[name]=n&plan[prompt]=support/triage&plan[environment]=production&plan[primary_metric]=m&plan[unit]=user&plan[decision]=fixed\
        &plan[arms][0][name]=A&plan[arms][0][version]=1&plan[arms][0][weight]=1\
        &plan[arms][1][name]=B&plan[arms][1][version]=2&plan[arms][1][weight]=1"),
    ("raise_traffic", Editor, "experiment={experiment}&traffic=100"),
    ("start_experiment", Editor, "experiment={experiment}"),
    ("stop_experiment", Editor, "experiment={experiment}"),
    ("conclude_experiment", Editor, "experiment={experiment}&conclusion=B"),
    ("ship_arm", Editor, "experiment={experiment}&arm=B&seen="),
    ("find_prompts", Viewer, "words=tri"),
    ("count_waiting", Viewer, ""),
    ("read_overview", Viewer, ""),
    ("load_monitor", Viewer, "name=support/triage&query[window]="),
    ("set_sampling", Admin, "share=0&patterns="),
    ("load_prompts", Viewer, "query[search]="),
    ("load_head", Viewer, "name=support/triage"),
    ("load_versions", Viewer, "name=support/triage&cursor="),
    ("load_comparison", Viewer, "name=support/triage"),
    ("load_edit", Viewer, "name=support/triage"),
    ("load_settings", Viewer, "name=support/triage"),
    ("create_prompt", Editor, "name=fresh&description=&tags=&kind=text"),
    ("describe_prompt", Editor, "name=support/triage&description=d&tags="),
    ("set_cache_settings", Admin, "name=support/triage"),
    ("set_status", Editor, "name=support/triage&number=3&to=testing"),
    ("promote", Editor, "name=support/triage&number=1&place=staging@&reason="),
    ("save_version", Editor, r#"{"project":"acme","name":"support/triage","content":"{\"type\":\"text\",\"messages\":[{\"role\":\"user\",\"content\":\"five\"}]}","change_description":"","parent":4}"#),
    ("roll_back_view", Viewer, "name=support/triage&environment="),
    ("roll_back_to", Editor, "name=support/triage&environment=production&to_version=1&expected={deployment}&reason="),
    ("read_arrival", Viewer, "id={deployment}"),
    ("read_releases", Viewer, "name=support/triage"),
    ("load_runs", Viewer, "query[status]="),
    ("load_run", Viewer, "id={run}&query[cursor]="),
    ("launch_eval", Editor, "prompt=support/triage&version=4&suite={suite}"),
    ("report_case", Editor, "run={run}&case={case}&expected=no"),
    ("cancel_run", Editor, "run={run}"),
    ("load_evals", Viewer, "name=support/triage"),
    ("set_gate", Admin, "prompt=support/triage&environment=production&suite={suite}&mode=strict"),
    ("load_rules", Viewer, ""),
    ("save_rule", Admin, "rule[name]=r&rule[kind]=srm"),
    ("remove_rule", Admin, "rule={rule}"),
    ("load_webhooks", Admin, ""),
    ("load_webhook", Admin, "id={webhook}"),
    ("save_webhook", Admin, "webhook[name]=w&webhook[url]=https://hooks.test/&webhook[format]=json"),
    ("renew_secret", Admin, "webhook={webhook}"),
    ("test_webhook", Admin, "webhook={webhook}"),
    ("redeliver", Admin, "webhook={webhook}&delivery=00000000-0000-0000-0000-000000000000"),
    ("remove_webhook", Admin, "webhook={webhook}"),
    ("load_members", Viewer, ""),
    ("add_member", Admin, "email=new@acme.test&name=N&role=viewer"),
    ("renew_link", Admin, "person={member}"),
    ("set_role", Admin, "person={member}&role=editor"),
    ("remove_member", Admin, "person={member}"),
    ("load_keys", Viewer, ""),
    ("create_key", Admin, "name=k&scopes[0]=prompts:read"),
    ("revoke_key", Admin, "key={key}"),
    ("load_environments", Viewer, ""),
    ("create_environment", Admin, "name=qa"),
    ("set_policy", Admin, "name=staging&policy[gate]=true"),
    ("load_providers", Viewer, ""),
    ("save_provider", Admin, "name=p&kind=openai&base_url=http://127.0.0.1:9"),
    ("add_price", Admin, "provider=ours&model=m&input=1&output=2&valid_from=2026-01-01"),
    ("load_suites", Viewer, "prompt=&cursor="),
    ("load_prompt_names", Viewer, ""),
    ("load_suite", Viewer, "here[project]=acme&here[id]={suite}"),
    ("load_cases", Viewer, "here[project]=acme&here[id]={suite}&query[tag]="),
    ("load_case", Viewer, "here[project]=acme&here[id]={suite}&opened=New"),
    ("load_revisions", Viewer, "here[project]=acme&here[id]={suite}&cursor="),
    ("create_suite", Editor, "name=fresh&prompt=support/triage&scorer=equals"),
    ("save_case", Editor, "suite={suite}&form[expected]=x&form[more]={}"),
    ("set_scorers", Editor, "suite={suite}&scorers[0][kind]=equals"),
    // It adds nothing: it says what a file would.
    ("preview_cases", Viewer, r#"{"project":"acme","suite":"{suite}","format":"csv","text":"expected\nx"}"#),
    ("import_cases", Editor, "suite={suite}&format=csv&text=expected%0Ax"),
    ("remove_case", Editor, "suite={suite}&seen[id]={case}&seen[position]=1&seen[since]=1"),
];

/// What is about no project: whoever is signed in.
const OF_ANYBODY: &[(&str, &str)] = &[("my_projects", "")];

/// What needs other words than these to be allowed; tests of their own say who may.
const ELSEWHERE: [&str; 2] = ["create_project", "invitation"];

/// The address of each function of that name; addresses end in a number that changes with the code.
fn addresses(name: &str) -> Vec<(&'static str, Method)> {
    server_fn_paths()
        .filter(|(path, _)| name_of(path) == name)
        .collect()
}

fn name_of(path: &str) -> &str {
    path.trim_start_matches("/rpc/")
        .trim_end_matches(|last: char| last.is_ascii_digit())
}

async fn call(client: &Client, things: &Things, (name, _, asked): Row) -> Vec<Answer> {
    let mut asked = asked.to_owned();
    for (word, thing) in things.by_name() {
        asked = asked.replace(&format!("{{{word}}}"), thing);
    }
    let is_json = asked.starts_with('{');
    if !is_json {
        asked = format!("project=acme&{}", asked.replace(' ', "+"));
    }
    let kind = if is_json {
        "application/json"
    } else {
        "application/x-www-form-urlencoded"
    };
    let client = client
        .clone()
        .with(header::CONTENT_TYPE.as_str(), kind)
        .with(header::ACCEPT.as_str(), "application/json");
    let mut answers = Vec::new();
    for (path, method) in addresses(name) {
        let body = Body::from(asked.clone());
        answers.push(client.send(method, path, body).await);
    }
    answers
}

/// Calls every function; `expected` says with which status it is refused, if it is.
async fn walk(who: &str, client: &Client, things: &Things, expected: impl Fn(&Row) -> Option<u16>) {
    let mut found = Vec::new();
    for row in ROWS {
        for answer in call(client, things, *row).await {
            let said = String::from_utf8_lossy(&answer.body);
            let fits = match expected(row) {
                // What cannot be read says nothing of who may.
                None => is_allowed(&answer) && !said.contains("cannot be read"),
                Some(status) => answer.status == status,
            };
            if !fits {
                found.push(format!("  {}: {} {said}", row.0, answer.status));
            }
        }
    }
    compare(who, &found);
}

#[test]
fn every_function_has_a_row() {
    let registered: BTreeSet<&str> = server_fn_paths().map(|(path, _)| name_of(path)).collect();
    let listed: BTreeSet<&str> = ROWS
        .iter()
        .map(|(name, ..)| *name)
        .chain(OF_ANYBODY.iter().map(|(name, _)| *name))
        .chain(ELSEWHERE)
        .collect();
    assert_eq!(registered, listed);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn in_the_browser_people_may_what_their_role_may(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let things = scene(&acme).await;
    for held in Role::ALL {
        let person = acme.person(held).await;
        walk(held.word(), &person, &things, |(_, role, _)| {
            (held < *role).then_some(403)
        })
        .await;
    }
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn in_the_browser_nobody_and_strangers_may_nothing(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let things = scene(&acme).await;
    let stranger = app.project("rival").await.person(Admin).await;
    let key = acme.admin_key().await;
    let before = app.rows().await;
    walk("nobody", &app.anybody(), &things, |_| Some(401)).await;
    // A key is for programs: it is no session.
    walk("a key", &key, &things, |_| Some(401)).await;
    for (name, asked) in OF_ANYBODY {
        for answer in call(&app.anybody(), &things, (*name, Viewer, *asked)).await {
            answer.is(401);
        }
    }
    walk("a rival's admin", &stranger, &things, |_| Some(404)).await;
    assert_eq!(app.rows().await, before);
    app.stop().await;
}
