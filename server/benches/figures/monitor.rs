//! Traffic: how long the monitor takes to render with months of roll-ups behind it, and how many
//! spans a second the OTLP door takes in.

use std::time::Instant;

use anyhow::Context;
use chrono::TimeDelta;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::{load::Connection, percentile, print, world::World};

/// Prompts with roll-ups beside the one that is looked at.
const PROMPTS: i32 = 999;
const CONNECTIONS: usize = 8;
/// Spans in a request: what exporters send at once by default.
const SPANS: usize = 512;
const REQUESTS: usize = 20;
const ROUNDS: usize = 4;

/// The monitor's page for each window.
pub async fn measure_page(url: &str, world: &World) -> anyhow::Result<()> {
    let n_rows = seed(url, world).await?;
    for window in ["1h", "24h", "7d", "30d", "90d"] {
        let request = format!(
            "GET /p/bench/prompts/support/triage?tab=monitor&window={window} HTTP/1.1\r\nhost: x\r\naccept: text/html\r\ncookie: {}\r\n\r\n",
            world.cookie
        );
        let mut connection = Connection::open(world.address).await?;
        let mut times = Vec::new();
        for round in 0..60 {
            let start = Instant::now();
            let answer = connection.ask(request.as_bytes()).await?;
            let body = String::from_utf8_lossy(&answer.body);
            anyhow::ensure!(
                answer.head.starts_with(b"HTTP/1.1 200") && body.contains("over the window"),
                "the monitor is empty"
            );
            if round >= 10 {
                times.push(start.elapsed().as_secs_f64() * 1_000.0);
            }
        }
        times.sort_by(f64::total_cmp);
        print(
            &format!(
                "monitor, {window}, {:.1} M rows, median (p95 {:.1} ms)",
                n_rows / 1e6,
                percentile(&times, 0.95)
            ),
            &format!("{:.1} ms", percentile(&times, 0.5)),
            "≤ 50 ms",
        );
    }
    Ok(())
}

/// 90 days of minutes, hours and days for a thousand prompts. The one that is looked at was called in
/// each of its minutes, the others in every tenth: all of all of them would be 130 million rows and
/// more than this machine's disk. The rows come by SQL; what is in them was made by a minute that was
/// reported.
async fn seed(url: &str, world: &World) -> anyhow::Result<f64> {
    spans_in(world, requests(world, 1, 1)).await?;
    while store::events::waiting(&world.store).await? > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let mut db = PgConnection::connect(url).await?;
    let copy = |prompt: &str, resolution: &str, length: &str, n: &str| {
        format!(
            "insert into monitor_bucket
             select made.project_id, {prompt}, made.environment_id, made.version, '{resolution}',
                    date_trunc('{resolution}', now(), 'UTC') - n * interval '{length}',
                    made.requests, made.errors, made.errors_by_kind, made.latency_sketch, made.ttft_sketch,
                    made.input_tokens, made.output_tokens, made.cache_read_tokens, made.cache_write_tokens,
                    made.cost_usd, made.n_priced, made.feedback_n, made.feedback_sum
             from (select * from monitor_bucket
                   join prompt using (project_id, prompt_id)
                   where resolution = 'day' and name = 'support/triage'
                   order by requests desc limit 1) as made,
                  {n}
             on conflict do nothing"
        )
    };
    let all = |n: i32| format!("generate_series(0, {n}) as n");
    // One prompt after the other, as the key has them: the index grows at its end.
    let others = |n: i32, step: i32| {
        format!(
            "(select other, n from generate_series(1, {PROMPTS}) as other,
                                   generate_series(0, {n}, {step}) as n
              order by md5('other' || other)::uuid, n desc) as moment"
        )
    };
    let other = "md5('other' || other)::uuid";
    for statement in [
        copy("made.prompt_id", "minute", "1 minute", &all(90 * 1_440)),
        copy("made.prompt_id", "hour", "1 hour", &all(90 * 24)),
        copy("made.prompt_id", "day", "1 day", &all(90)),
        copy(other, "minute", "1 minute", &others(90 * 1_440, 10)),
        copy(other, "hour", "1 hour", &others(90 * 24, 1)),
        copy(other, "day", "1 day", &others(90, 1)),
    ] {
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut db)
            .await?;
    }
    // What autovacuum would have done over months, and would otherwise do while pages are measured.
    sqlx::query("vacuum (analyze) monitor_bucket")
        .execute(&mut db)
        .await?;
    let n_rows: i64 = sqlx::query_scalar("select count(*) from monitor_bucket")
        .fetch_one(&mut db)
        .await?;
    #[expect(clippy::cast_precision_loss, reason = "millions")]
    let n_rows = n_rows as f64;
    Ok(n_rows)
}

/// Spans a second through the door, each batch on disk before its answer.
pub async fn measure_spans(world: &World) -> anyhow::Result<()> {
    let mut rates = Vec::new();
    // The first round warms up.
    for round in 0..=ROUNDS {
        let requests = requests(world, CONNECTIONS, REQUESTS);
        let seconds = spans_in(world, requests).await?;
        while store::events::waiting(&world.store).await? > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        if round > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a count of spans")]
            let n_spans = (CONNECTIONS * REQUESTS * SPANS) as f64;
            rates.push(n_spans / seconds);
        }
    }
    rates.sort_by(f64::total_cmp);
    print(
        "OTLP spans in, a second, on disk before the answer",
        &format!("{:.0}", percentile(&rates, 0.5)),
        "≥ 20,000",
    );
    Ok(())
}

/// What each connection sends.
fn requests(world: &World, n_connections: usize, n_requests: usize) -> Vec<Vec<Vec<u8>>> {
    (0..n_connections)
        .map(|_| (0..n_requests).map(|_| request(world)).collect())
        .collect()
}

fn request(world: &World) -> Vec<u8> {
    let text = |key: &str, value: &str| attribute(key, Value::StringValue(value.to_owned()));
    let number = |key: &str, value: i64| attribute(key, Value::IntValue(value));
    let trace = uuid::Uuid::new_v4();
    let now = world.clock.now() - TimeDelta::seconds(30);
    let start = u64::try_from(now.timestamp_nanos_opt().unwrap_or_default()).unwrap_or_default();
    let spans = (1_u64..)
        .take(SPANS)
        .map(|n| Span {
            trace_id: trace.as_bytes().to_vec(),
            span_id: n.to_be_bytes().to_vec(),
            name: "chat claude-sonnet-4-6".to_owned(),
            start_time_unix_nano: start,
            end_time_unix_nano: start + 200_000_000 + n * n % 977 * 3_000_000,
            attributes: vec![
                text("gen_ai.operation.name", "chat"),
                text("gen_ai.provider.name", "anthropic"),
                text("gen_ai.prompt.name", "support/triage"),
                number("gen_ai.prompt.version", 2),
                text("gen_ai.request.model", "claude-sonnet-4-6"),
                text("gen_ai.response.model", "claude-sonnet-4-6"),
                number("gen_ai.usage.input_tokens", 1_200),
                number("gen_ai.usage.output_tokens", 90),
                number("gen_ai.usage.cache_read.input_tokens", 800),
                attribute(
                    "gen_ai.server.time_to_first_token",
                    Value::DoubleValue(0.12),
                ),
                text("user.id", "user-1"),
            ],
            ..Span::default()
        })
        .collect();
    let body = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![text("deployment.environment.name", "production")],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
    .encode_to_vec();
    let mut request = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        world.key,
        body.len()
    )
    .into_bytes();
    request.extend(body);
    request
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// Sends them over a connection each; seconds.
async fn spans_in(world: &World, requests: Vec<Vec<Vec<u8>>>) -> anyhow::Result<f64> {
    let address = world.address;
    let begun = Instant::now();
    let tasks: Vec<_> = requests
        .into_iter()
        .map(|requests| {
            tokio::spawn(async move {
                let mut connection = Connection::open(address).await?;
                for request in requests {
                    let answer = connection.ask(&request).await?;
                    // Without a partial success the answer is empty.
                    anyhow::ensure!(
                        answer.head.starts_with(b"HTTP/1.1 200") && answer.body.is_empty(),
                        "{}",
                        String::from_utf8_lossy(&answer.body)
                    );
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await.context("an exporter died")??;
    }
    Ok(begun.elapsed().as_secs_f64())
}
