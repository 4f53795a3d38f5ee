//! Spans through OTLP over HTTP, written by hand in both encodings: which become events, what is
//! said of the others, and what no body can do.

use std::io::Write as _;

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use chrono::TimeDelta;
use domain::{
    actor::Scope,
    id::PromptId,
    monitor::{Summary, failure::Failure},
};
use flate2::{Compression, write::GzEncoder};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::{AnyValue, KeyValue, any_value::Value as Any},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status},
};
use prost::Message;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{Answer, Client, Proxy, TestApp, TestProject, eventually};

const TRACES: &str = "/v1/traces";
const PROTOBUF: &str = "application/x-protobuf";

async fn post(client: &Client, media: &str, body: Vec<u8>) -> Answer {
    let client = client.clone().with("content-type", media);
    client.send(Method::POST, TRACES, Body::from(body)).await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Any::StringValue(value.to_owned()))
}

fn number(key: &str, value: i64) -> KeyValue {
    attribute(key, Any::IntValue(value))
}

/// A call of `triage` that took 250 ms, a minute ago.
fn call(app: &TestApp, n: u8, attributes: &[KeyValue]) -> Span {
    let start = app.now() - TimeDelta::minutes(1);
    let start = u64::try_from(start.timestamp_nanos_opt().unwrap()).unwrap();
    let mut all = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.prompt.name", "triage"),
    ];
    all.extend_from_slice(attributes);
    Span {
        trace_id: vec![7; 16],
        span_id: vec![n, 0, 0, 0, 0, 0, 0, 9],
        name: "chat".to_owned(),
        start_time_unix_nano: start,
        end_time_unix_nano: start + 250_000_000,
        attributes: all,
        ..Span::default()
    }
}

fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![
                    text("service.name", "shop"),
                    text("deployment.environment.name", "production"),
                ],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

async fn prompt(acme: &TestProject<'_>) -> PromptId {
    acme.prompt("triage").says("one").says("two").create().await;
    let id = sqlx::query_scalar("select prompt_id from prompt where name = 'triage'");
    PromptId(id.fetch_one(&acme.app.pool).await.unwrap())
}

/// What the monitor says of version 2.
async fn summary(acme: &TestProject<'_>, prompt: PromptId) -> Summary {
    let store = &acme.app.state().store;
    while store::events::waiting(store).await.unwrap() > 0 {
        store::events::roll_up(store, acme.app.now()).await.unwrap();
    }
    let (from, to) = (acme.app.now() - TimeDelta::days(8), acme.app.now());
    store::monitor::summary(store, acme.id(), prompt, None, Some(2), from, to)
        .await
        .unwrap()
}

fn answered(answer: &Answer) -> (i64, String) {
    assert_eq!(answer.header("content-type"), Some(PROTOBUF));
    let read = ExportTraceServiceResponse::decode(answer.is(200).body.clone()).unwrap();
    read.partial_success.map_or((0, String::new()), |partial| {
        (partial.rejected_spans, partial.error_message)
    })
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn spans_of_calls_become_events_once(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let prompt = prompt(&acme).await;
    let key = acme.key(&[Scope::EventsWrite]).await;
    // Words are kept only where a project asks for samples.
    sqlx::query(
        "insert into sampling (project_id, share, patterns, changed_by, changed_at)
         select project_id, 1, '{}', '{}', $1 from project",
    )
    .bind(app.now())
    .execute(&pool)
    .await
    .unwrap();
    let mut failed = call(
        &app,
        2,
        &[
            text("gen_ai.prompt.version", "v2"),
            text("error.type", "RateLimitError"),
            number("gen_ai.usage.cache_creation.input_tokens", 40),
        ],
    );
    failed.status = Some(Status {
        code: 2,
        message: "try again".to_owned(),
    });
    let mut agent = call(&app, 3, &[number("gen_ai.prompt.version", 2)]);
    agent.attributes[0] = text("gen_ai.operation.name", "invoke_agent");
    let mut database = call(&app, 4, &[]);
    database.attributes.clear();
    let sent = request(vec![
        call(
            &app,
            1,
            &[
                number("gen_ai.prompt.version", 2),
                text("gen_ai.request.model", "claude-sonnet-4-5"),
                text("gen_ai.response.model", "claude-sonnet-4-5-20250929"),
                number("gen_ai.usage.input_tokens", 1_000),
                number("gen_ai.usage.output_tokens", 100),
                number("gen_ai.usage.cache_read.input_tokens", 600),
                number("gen_ai.usage.cache_write.input_tokens", 30),
                attribute("gen_ai.server.time_to_first_token", Any::DoubleValue(0.08)),
                text("user.id", "u1"),
                text("cueline.variables", r#"{"mail":"hello"}"#),
            ],
        ),
        failed,
        agent,
        database,
    ]);
    let bytes = sent.encode_to_vec();
    assert_eq!(
        answered(&post(&key, PROTOBUF, bytes.clone()).await),
        (0, String::new())
    );
    // The same again, packed, and once more as JSON: nothing counts twice.
    let packed = key.clone().with("content-encoding", "gzip");
    answered(&post(&packed, PROTOBUF, gzip(&bytes)).await);
    let text = serde_json::to_vec(&sent).unwrap();
    let answer = post(&packed, "application/json; charset=utf-8", gzip(&text)).await;
    assert_eq!(answer.ok(), json!({}));

    let found = summary(&acme, prompt).await;
    assert_eq!((found.requests, found.errors), (2, 1));
    assert_eq!(found.errors_by_kind[&Failure::RateLimited], 1);
    let tokens = found.tokens;
    assert_eq!((tokens.input, tokens.output), (1_000, 100));
    assert_eq!((tokens.cache_read, tokens.cache_write), (600, 70));
    assert!((found.latency.unwrap().p50 - 250.0).abs() < 2.5);
    assert!((found.ttft.unwrap().p50 - 80.0).abs() < 0.8);
    // 370 tokens at $3, 600 at $0.30, 30 at $3.75 and 100 at $15 a million.
    assert_eq!(found.n_priced, 1);
    assert!(
        (found.cost_usd - 0.002_902_5).abs() < 1e-9,
        "{}",
        found.cost_usd
    );
    let kept: (String, String, String) = sqlx::query_as(
        "select unit, model, (select name from environment where environment_id = event.environment_id)
         from event where unit is not null",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(kept.0, "u1");
    let variables: Value =
        sqlx::query_scalar("select variables from event where variables is not null")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(variables, json!({ "mail": "hello" }));
    assert_eq!(
        (&*kept.1, &*kept.2),
        ("claude-sonnet-4-5-20250929", "production")
    );
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_not_taken_is_said_beside_what_is(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    prompt(&acme).await;
    let key = acme.key(&[Scope::EventsWrite]).await;
    let mut unknown = call(&app, 2, &[]);
    unknown.attributes[1] = text("gen_ai.prompt.name", "nothing");
    let mut backwards = call(&app, 3, &[]);
    backwards.end_time_unix_nano = 1;
    let mut without_id = call(&app, 4, &[]);
    without_id.span_id = vec![0; 8];
    let mut nameless = call(&app, 5, &[]);
    nameless.attributes.truncate(1);
    let mut old = call(&app, 6, &[]);
    old.start_time_unix_nano -= 9 * 86_400 * 1_000_000_000;
    let spans = vec![
        call(&app, 1, &[]),
        unknown,
        backwards,
        without_id,
        nameless,
        old,
        call(&app, 7, &[text("gen_ai.prompt.version", "newest")]),
    ];
    let (rejected, words) =
        answered(&post(&key, PROTOBUF, request(spans.clone()).encode_to_vec()).await);
    assert_eq!(rejected, 5);
    for reason in [
        "there is no such prompt",
        "ends before it starts",
        "needs a trace id, a span id and a start",
        "more than 7 days ago",
        "gen_ai.prompt.version is the number of no version",
        "1 spans of model calls name no prompt",
    ] {
        assert!(words.contains(reason), "{reason}: {words}");
    }
    assert_eq!(app.count("event").await, 1);
    let text = serde_json::to_vec(&request(spans)).unwrap();
    let answer = post(&key, "application/json", text).await.ok();
    // Protobuf's 64-bit integers are text in JSON.
    assert_eq!(answer["partialSuccess"]["rejectedSpans"], "5");
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn refusals_come_as_status_in_the_encoding_that_was_sent(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    prompt(&acme).await;
    let key = acme.key(&[Scope::EventsWrite]).await;
    let body = request(vec![call(&app, 1, &[])]).encode_to_vec();

    let refused = async |client: &Client, media: &str, body: Vec<u8>, status: u16, code: i64| {
        let answer = post(client, media, body).await;
        assert_eq!(answer.status, StatusCode::from_u16(status).unwrap());
        if media == PROTOBUF {
            assert_eq!(answer.header("content-type"), Some(PROTOBUF));
            // Field 1 is the code, as a varint.
            assert_eq!(answer.body[..2], [8, u8::try_from(code).unwrap()]);
        } else {
            let said: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(said["code"], code);
            assert!(!said["message"].as_str().unwrap().is_empty());
        }
    };
    for media in [PROTOBUF, "application/json"] {
        refused(&app.anybody(), media, body.clone(), 401, 16).await;
        let reader = acme.key(&[Scope::PromptsRead]).await;
        refused(&reader, media, body.clone(), 403, 7).await;
        refused(&key, media, b"\xff\xff\xff not OTLP".to_vec(), 400, 3).await;
        let packed = key.clone().with("content-encoding", "gzip");
        refused(&packed, media, b"not gzip".to_vec(), 400, 3).await;
        refused(&key, media, vec![b' '; 17 * 1024 * 1024], 413, 8).await;
        // A hundred kilobytes that unpack to a hundred megabytes.
        let bomb = gzip(&vec![b' '; 100 * 1024 * 1024]);
        assert!(bomb.len() < 200_000);
        refused(&packed, media, bomb, 413, 8).await;
        // Megabytes of spans that hold nothing: gigabytes once they are read.
        let empty = if media == PROTOBUF {
            let spans = [0x12, 0].repeat(1_000_000);
            let mut scope = vec![0x12];
            prost::encoding::encode_varint(spans.len() as u64, &mut scope);
            scope.extend(spans);
            let mut resource = vec![0x0a];
            prost::encoding::encode_varint(scope.len() as u64, &mut resource);
            resource.extend(scope);
            resource
        } else {
            let spans = vec!["{}"; 1_000_000].join(",");
            format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#)
                .into_bytes()
        };
        refused(&key, media, empty, 413, 8).await;
        let brotli = key.clone().with("content-encoding", "br");
        refused(&brotli, media, body.clone(), 415, 3).await;
    }
    refused(&key, "text/plain", body.clone(), 415, 3).await;
    key.get(TRACES).await.is(405);
    assert_eq!(app.count("event").await, 0);
    answered(&post(&key, PROTOBUF, Vec::new()).await);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn exporters_are_told_to_come_back_while_the_database_is_away(pool: PgPool) {
    let proxy = Proxy::to(&pool).await;
    let app = TestApp::start_through(&pool, proxy.way()).await;
    let acme = app.project("acme").await;
    prompt(&acme).await;
    let key = acme.key(&[Scope::EventsWrite]).await;
    let body = request(vec![call(&app, 1, &[])]).encode_to_vec();
    proxy.cut();
    eventually("the loss is noticed", || app.state().serving.is_stale()).await;
    let answer = post(&key, PROTOBUF, body).await;
    assert_eq!(answer.is(503).header("retry-after"), Some("2"));
    app.stop().await;
}
