//! What applications that hold a stream open hear, and what becomes of their confirmations.

use std::time::Duration;

use domain::actor::Scope;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use crate::support::{Client, Events, Heard, TestApp, TestProject};

const STREAM: &str = "/api/v1/stream?environment=production";

async fn two_versions(acme: &TestProject<'_>) {
    acme.prompt("support/triage")
        .says("one")
        .says("two")
        .serves("production", 1)
        .serves("production", 2)
        .create()
        .await;
}

async fn roll_back(key: &Client) -> Value {
    key.post(
        "/api/v1/prompts/support%2Ftriage/rollback",
        &json!({ "environment": "production" }),
    )
    .await
    .ok()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stream_begins_with_everything_and_tells_every_deployment(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    two_versions(&acme).await;
    acme.prompt("other")
        .says("x")
        .serves("staging", 1)
        .create()
        .await;
    let key = acme.admin_key().await;
    let reader = acme.bound_key(&[Scope::PromptsRead], "production").await;

    let mut events = Events::open(&reader, STREAM).await;
    let (_, snapshot) = events.expect("snapshot").await;
    assert_eq!(
        snapshot,
        json!({ "environment": "production", "prompts": { "support/triage": 2 } })
    );

    let rolled = roll_back(&key).await;
    let (id, deployment) = events.expect("deployment").await;
    assert_eq!(
        deployment,
        json!({
            "prompt": "support/triage",
            "environment": "production",
            "version": 1,
            "content_hash": rolled["content_hash"],
            "kind": "rollback",
            "deployment_id": rolled["deployment_id"],
            "deployed_at": rolled["deployed_at"],
        })
    );
    assert!(!id.is_empty());

    // Other environments, drafts and people are none of its business.
    key.post(
        "/api/v1/prompts/support%2Ftriage/promotions",
        &json!({ "environment": "staging", "version": 1 }),
    )
    .await
    .created();
    key.post("/api/v1/prompts", &json!({ "name": "new" }))
        .await
        .created();
    assert!(events.is_silent().await);

    // A key bound to production follows nothing else.
    reader
        .get("/api/v1/stream?environment=staging")
        .await
        .problem(403, "forbidden");
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stream_goes_on_where_it_broke_off(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    two_versions(&acme).await;
    let key = acme.admin_key().await;

    let mut events = Events::open(&key, STREAM).await;
    events.expect("snapshot").await;
    roll_back(&key).await;
    let (seen, _) = events.expect("deployment").await;
    drop(events);

    let missed = [roll_back(&key).await, roll_back(&key).await];
    app.settle(acme.id()).await;
    let resumed = key.clone().with("last-event-id", &seen);
    let mut events = Events::open(&resumed, STREAM).await;
    for deployment in &missed {
        let (_, heard) = events.expect("deployment").await;
        assert_eq!(heard["deployment_id"], deployment["deployment_id"]);
    }
    let live = roll_back(&key).await;
    let (last, heard) = events.expect("deployment").await;
    assert_eq!(heard["deployment_id"], live["deployment_id"]);
    assert!(events.is_silent().await);

    // Nothing missed, nothing said again.
    let mut events = Events::open(&key.clone().with("last-event-id", &last), STREAM).await;
    assert!(events.is_silent().await);
    let live = roll_back(&key).await;
    assert_eq!(
        events.expect("deployment").await.1["deployment_id"],
        live["deployment_id"]
    );

    // What cannot be resumed starts with everything.
    for id in ["999999", "nonsense", "-1"] {
        let mut events = Events::open(&key.clone().with("last-event-id", id), STREAM).await;
        events.expect("snapshot").await;
    }
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn nothing_is_lost_between_resuming_and_listening(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    two_versions(&acme).await;
    let key = acme.admin_key().await;
    let mut seen = {
        let mut events = Events::open(&key, STREAM).await;
        events.expect("snapshot").await.0
    };
    // Streams that open at the very moment something is deployed.
    for round in 0..40 {
        let resumed = key.clone().with("last-event-id", &seen);
        let open = async {
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            Events::open(&resumed, STREAM).await
        };
        let (rolled, mut events) = tokio::join!(roll_back(&key), open);
        let (id, heard) = match events.next().await {
            Heard::Event { id, data, .. } => (id.unwrap(), data),
            other => panic!("{other:?}"),
        };
        let version = heard
            .get("version")
            .unwrap_or(&heard["prompts"]["support/triage"]);
        assert_eq!(*version, rolled["version"], "round {round}: {heard}");
        seen = id;
    }
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stream_can_carry_whole_prompts(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    two_versions(&acme).await;
    let key = acme.admin_key().await;
    let resolve = "/api/v1/prompts/support%2Ftriage/resolve";

    let mut events = Events::open(&key, &format!("{STREAM}&include=content")).await;
    let (_, snapshot) = events.expect("snapshot").await;
    assert_eq!(snapshot["prompts"], json!({ "support/triage": 2 }));
    assert_eq!(
        snapshot["contents"]["support/triage"],
        key.get(resolve).await.ok()
    );

    roll_back(&key).await;
    let (_, deployment) = events.expect("deployment").await;
    assert_eq!(deployment["content"], key.get(resolve).await.ok());
    assert_eq!(deployment["content"]["messages"][0]["content"], "one");
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_content_of_every_arm_comes_along_where_content_is_asked_for(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    two_versions(&acme).await;
    let key = acme.admin_key().await;
    let with_content = format!("{STREAM}&include=content");
    let mut events = Events::open(&key, &with_content).await;
    let mut plain = Events::open(&key, STREAM).await;
    for stream in [&mut events, &mut plain] {
        stream.expect("snapshot").await;
    }
    let plan = json!({
        "name": "shorter", "prompt": "support/triage", "environment": "production", "primary_metric": "resolved",
        "arms": [{ "name": "A", "version": 2 }, { "name": "B", "version": 1 }], "traffic": 0.5,
    });
    let planned = key.post("/api/v1/experiments", &plan).await.created();
    let path = |verb: &str| {
        let id = planned["id"].as_str().unwrap();
        format!("/api/v1/experiments/{id}/{verb}")
    };
    key.post(&path("start"), &json!({})).await.ok();

    // Each arm's content is what a resolve answers for a unit that is in it.
    let arm = |rules: &Value, index: usize| rules["arms"][index]["content"].clone();
    let says = |content: &Value| content["messages"][0]["content"].clone();
    let (_, told) = events.expect("experiment").await;
    let rules = &told["rules"];
    assert_eq!(
        [says(&arm(rules, 0)), says(&arm(rules, 1))],
        [json!("two"), json!("one")]
    );
    assert_eq!(arm(rules, 1)["version"], 1);
    let assigned: domain::experiment::Rules = serde_json::from_value(rules.clone()).unwrap();
    let unit = (0..1_000)
        .map(|number| format!("u{number}"))
        .find(|unit| assigned.assign(unit) == domain::experiment::Assignment::Arm(1))
        .unwrap();
    let resolve = format!("/api/v1/prompts/support%2Ftriage/resolve?unit={unit}");
    let mut resolved = key.get(&resolve).await.ok();
    resolved["experiment"] = Value::Null;
    assert_eq!(arm(rules, 1), resolved);

    // A later change, and a stream that opens later, bring them as well; others never see them.
    key.post(&path("traffic"), &json!({ "traffic": 1 }))
        .await
        .ok();
    let (_, told) = events.expect("experiment").await;
    assert_eq!(told["rules"]["traffic"], 1.0);
    assert_eq!(arm(&told["rules"], 1), resolved);
    let (_, snapshot) = Events::open(&key, &with_content)
        .await
        .expect("snapshot")
        .await;
    assert_eq!(arm(&snapshot["experiments"][0], 1), resolved);
    for _ in 0..2 {
        let (_, told) = plain.expect("experiment").await;
        assert_eq!(arm(&told["rules"], 0), Value::Null);
    }
    let (_, snapshot) = Events::open(&key, STREAM).await.expect("snapshot").await;
    assert_eq!(arm(&snapshot["experiments"][0], 0), Value::Null);

    key.post(&path("stop"), &json!({})).await.ok();
    let (_, told) = events.expect("experiment").await;
    assert_eq!(told["rules"], Value::Null);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn confirmations_show_how_far_a_deployment_has_come(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    two_versions(&acme).await;
    let key = acme.admin_key().await;
    let mut streams = Vec::new();
    for consumer in ["web-1", "web-2", "idle"] {
        let mut events = Events::open(&key, &format!("{STREAM}&consumer={consumer}")).await;
        events.expect("snapshot").await;
        streams.push(events);
    }
    // A stream without a name is not counted.
    let mut nameless = Events::open(&key, STREAM).await;
    nameless.expect("snapshot").await;
    let connected = || async {
        key.get("/api/v1/consumers").await.ok()["items"]
            .as_array()
            .unwrap()
            .len()
    };
    wait_for("three are connected", || async { connected().await == 3 }).await;

    let rolled = roll_back(&key).await;
    let id = rolled["deployment_id"].as_str().unwrap();
    assert_eq!(rolled["n_clients"], 3);
    let reached = || async {
        key.get(&format!("/api/v1/deployments/{id}")).await.ok()["propagation"].clone()
    };
    let propagation = reached().await;
    assert_eq!(propagation["n_clients"], 3);
    assert_eq!(propagation["n_confirmed"], 0);
    assert_eq!(
        (&propagation["slowest_ms"], &propagation["complete"]),
        (&Value::Null, &json!(false))
    );

    let ack = |consumer: &'static str| {
        let key = key.clone();
        let body = json!({ "consumer": consumer, "deployment_id": id });
        async move {
            key.post("/api/v1/stream/ack", &body).await.is(202);
        }
    };
    app.advance(chrono::TimeDelta::milliseconds(120));
    ack("web-1").await;
    wait_for("one has confirmed", || async {
        reached().await["n_confirmed"] == 1
    })
    .await;
    app.advance(chrono::TimeDelta::milliseconds(80));
    ack("web-2").await;
    // A second word of the same client changes nothing.
    ack("web-1").await;
    wait_for("two have confirmed", || async {
        reached().await["n_confirmed"] == 2
    })
    .await;
    let propagation = reached().await;
    assert_eq!(
        (&propagation["n_clients"], &propagation["slowest_ms"]),
        (&json!(3), &json!(200))
    );
    assert_eq!(propagation["complete"], false);

    // The one that is gone is not waited for.
    drop(streams.pop());
    wait_for("two are connected", || async { connected().await == 2 }).await;
    let propagation = reached().await;
    assert_eq!(propagation["complete"], true);
    let lags: Vec<(&str, &Value)> = propagation["clients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|client| (client["consumer"].as_str().unwrap(), &client["lag_ms"]))
        .collect();
    assert_eq!(
        lags,
        [
            ("idle", &Value::Null),
            ("web-2", &json!(200)),
            ("web-1", &json!(120))
        ]
    );

    // A word about what is not there, is somebody else's, or is another environment's.
    let rival = app.project("rival").await.admin_key().await;
    rival
        .post(
            "/api/v1/stream/ack",
            &json!({ "consumer": "spy", "deployment_id": id }),
        )
        .await
        .problem(404, "deployment_not_found");
    let elsewhere = acme.bound_key(&[Scope::PromptsRead], "canary").await;
    elsewhere
        .post(
            "/api/v1/stream/ack",
            &json!({ "consumer": "spy", "deployment_id": id }),
        )
        .await
        .problem(403, "forbidden");
    key.post(
        "/api/v1/stream/ack",
        &json!({ "consumer": "x", "deployment_id": uuid::Uuid::nil() }),
    )
    .await
    .problem(404, "deployment_not_found");
    ack("late").await;
    wait_for("the late one has confirmed", || async {
        reached().await["n_confirmed"] == 3
    })
    .await;
    assert!(!reached().await.to_string().contains("spy"));
    app.stop().await;
}

async fn wait_for<F: Future<Output = bool>>(fact: &str, mut holds: impl FnMut() -> F) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), waiting)
        .await
        .unwrap_or_else(|_| panic!("never happened: {fact}"));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn two_servers_on_one_database_tell_the_same(pool: PgPool) {
    let (one, other) = (TestApp::start(&pool).await, TestApp::start(&pool).await);
    let acme = one.project("acme").await;
    two_versions(&acme).await;
    let key = acme.admin_key().await;
    other.settle(acme.id()).await;
    let there = key.at(&other);

    let mut here_events = Events::open(&key, STREAM).await;
    let mut there_events = Events::open(&there, STREAM).await;
    assert_eq!(
        here_events.expect("snapshot").await,
        there_events.expect("snapshot").await
    );
    for client in [&key, &there] {
        let rolled = roll_back(client).await;
        let (heard_here, heard_there) = (
            here_events.expect("deployment").await,
            there_events.expect("deployment").await,
        );
        assert_eq!(heard_here, heard_there);
        assert_eq!(heard_here.1["deployment_id"], rolled["deployment_id"]);
        let resolve = "/api/v1/prompts/support%2Ftriage/resolve";
        let (answer_here, answer_there) = (key.get(resolve).await, there.get(resolve).await);
        assert_eq!(answer_here.ok(), answer_there.ok());
        assert_eq!(answer_here.header("etag"), answer_there.header("etag"));
    }

    // A stream goes on at the other server.
    let (seen, _) = {
        roll_back(&key).await;
        there_events.expect("deployment").await;
        here_events.expect("deployment").await
    };
    drop(here_events);
    let rolled = roll_back(&key).await;
    there_events.expect("deployment").await;
    let mut resumed = Events::open(&there.clone().with("last-event-id", &seen), STREAM).await;
    assert_eq!(
        resumed.expect("deployment").await.1["deployment_id"],
        rolled["deployment_id"]
    );

    // New keys and revoked ones are known to both.
    let made = there
        .post(
            "/api/v1/keys",
            &json!({ "name": "k", "scopes": ["prompts:read"] }),
        )
        .await
        .created();
    one.settle(acme.id()).await;
    let bearer = format!("Bearer {}", made["key"].as_str().unwrap());
    one.anybody()
        .with("authorization", &bearer)
        .get("/api/v1/prompts")
        .await
        .ok();
    drop(acme);
    other.stop().await;
    one.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_revoked_key_hears_nothing_more(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    two_versions(&acme).await;
    let key = acme.admin_key().await;
    let made = key
        .post(
            "/api/v1/keys",
            &json!({ "name": "k", "scopes": ["prompts:read"] }),
        )
        .await
        .created();
    app.settle(acme.id()).await;
    let leaked = app.anybody().with(
        "authorization",
        &format!("Bearer {}", made["key"].as_str().unwrap()),
    );
    let mut events = Events::open(&leaked, STREAM).await;
    events.expect("snapshot").await;
    let mut others = Events::open(&key, STREAM).await;
    others.expect("snapshot").await;

    key.delete(&format!("/api/v1/keys/{}", made["id"].as_str().unwrap()))
        .await
        .is(204);
    assert_eq!(events.next().await, Heard::End);
    roll_back(&key).await;
    others.expect("deployment").await;
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn silence_is_broken_by_a_comment(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let key = acme.admin_key().await;
    let mut events = Events::open(&key, STREAM).await;
    events.expect("snapshot").await;
    let heard = tokio::time::timeout(Duration::from_secs(15), events.next()).await;
    assert_eq!(heard.unwrap(), Heard::Comment);
    app.stop().await;
}

async fn connected(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from consumer where left_at is null")
        .fetch_one(pool)
        .await
        .unwrap()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_server_that_stops_says_goodbye_over_the_wire(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    two_versions(&acme).await;
    let bearer = acme.admin_key().await.credential();
    drop(acme);
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let (address, server) = app
        .serve(async {
            stopped.await.unwrap();
        })
        .await;

    let mut connection = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET {STREAM}&consumer=web HTTP/1.1\r\nHost: cueline.test\r\nAuthorization: {bearer}\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut lines = BufReader::new(connection).lines();
    let mut heard = Vec::new();
    let mut stop = Some(stop);
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.starts_with("event: ") {
            heard.push(line);
            if let Some(stop) = stop.take() {
                wait_for("the client is known", || async {
                    connected(&pool).await == 1
                })
                .await;
                stop.send(()).unwrap();
            }
        }
    }
    assert_eq!(heard, ["event: snapshot", "event: goodbye"]);
    server.await.unwrap().unwrap();
    assert_eq!(
        connected(&pool).await,
        0,
        "its goodbye was written before the server ended"
    );
}
