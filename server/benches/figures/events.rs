//! Events in and results out: how fast batches are taken in beside raw COPY of the same rows, and
//! how long a result takes with 10⁵, 10⁶ and 10⁷ events behind it.

use std::{sync::Arc, time::Instant};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{experiment::Plan, id::ExperimentId, monitor::Event};
use futures::StreamExt;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row};
use store::{Store, events, experiments};

use crate::{load::Connection, percentile, print, world::World};

const CONNECTIONS: usize = 8;
const BATCH: usize = 1_000;
/// Batches of each connection in one round.
const BATCHES: usize = 12;
const ROUNDS: usize = 4;

/// An experiment on a prompt of its own, that has been running for a month.
async fn experiment(world: &World, name: &str) -> anyhow::Result<ExperimentId> {
    let began = world.clock.now() - TimeDelta::days(30);
    world.release_twice(name).await?;
    let plan = json!({
        "name": name, "prompt": name, "environment": "production", "traffic": 1, "unit": "user",
        "arms": [{ "name": "A", "version": 2, "weight": 1 }, { "name": "B", "version": 1, "weight": 1 }],
        "primary_metric": "resolved", "decision": "sequential", "alpha": 0.05, "power": 0.8,
        "baseline": 0.6, "minimum_effect": 0.02,
        "guardrails": [{ "metric": "latency_ms", "direction": "lower", "margin": 50 }],
    });
    let plan = Plan::parse(plan).map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
    let made = experiments::create(&world.store, &world.actor, &plan, began).await?;
    experiments::start(&world.store, &world.actor, made.id, began).await?;
    Ok(made.id)
}

/// A batch as applications send it: a third each are exposures, calls and outcomes.
fn batch(experiment: ExperimentId, number: usize, size: usize, now: DateTime<Utc>) -> String {
    let rows: Vec<String> = (0..size)
        .map(|row| {
            let place_in_all = number * size + row;
            let (unit, which) = (place_in_all / 3, place_in_all % 3);
            let at = now - TimeDelta::seconds(i64::try_from(unit % 500_000).unwrap_or_default());
            let place = format!(
                r#""id":"{}","experiment":"{experiment}","unit":"user-{unit}","at":"{}""#,
                uuid::Uuid::new_v4(),
                at.to_rfc3339(),
            );
            let arm = if unit % 2 == 0 { "A" } else { "B" };
            match which {
                0 => format!(r#"{{{place},"type":"exposure","arm":"{arm}"}}"#),
                1 => format!(
                    r#"{{{place},"type":"generation","arm":"{arm}","latency_ms":{},"ttft_ms":140,"input_tokens":812,"output_tokens":97,"cache_read_tokens":512,"cost_usd":0.0039,"model":"claude-sonnet-4-6"}}"#,
                    700 + unit % 400,
                ),
                _ => format!(
                    r#"{{{place},"type":"outcome","metric":"resolved","value":{}}}"#,
                    u8::from(unit % 5 < 3),
                ),
            }
        })
        .collect();
    format!("[{}]", rows.join(","))
}

/// Rows a second through the public door, through the store alone, and through raw COPY.
pub async fn measure_ingestion(url: &str, world: &World) -> anyhow::Result<()> {
    let experiment = experiment(world, "bench/ingestion").await?;
    let n_rows = CONNECTIONS * BATCHES * BATCH;
    let (mut http, mut ours) = (Vec::new(), Vec::new());
    let (mut keyed, mut bare) = (Vec::new(), Vec::new());
    // In turns, so that whatever else the machine does meets all of them. The first round warms up.
    for round in 0..=ROUNDS {
        let now = world.clock.now();
        let bodies = |part: usize| -> Vec<Vec<String>> {
            let first = (round * 2 + part) * CONNECTIONS * BATCHES;
            (0..CONNECTIONS)
                .map(|connection| {
                    (0..BATCHES)
                        .map(|at| batch(experiment, first + connection * BATCHES + at, BATCH, now))
                        .collect()
                })
                .collect()
        };
        let by_http = through_the_door(world, bodies(0)).await?;
        drained(&world.store).await?;
        let mark: DateTime<Utc> = now + TimeDelta::milliseconds(1);
        let by_store = through_the_store(world, bodies(1), mark).await?;
        drained(&world.store).await?;
        let with_key = through_copy(
            url,
            mark,
            "alter table bench_copy add primary key (event_id)",
        )
        .await?;
        let without = through_copy(url, mark, "").await?;
        if round > 0 {
            http.push(by_http);
            ours.push(by_store);
            keyed.push(with_key);
            bare.push(without);
        }
    }
    let rate = |seconds: &mut Vec<f64>| {
        seconds.sort_by(f64::total_cmp);
        #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
        let n_rows = n_rows as f64;
        n_rows / percentile(seconds, 0.5)
    };
    let (http, ours) = (rate(&mut http), rate(&mut ours));
    let (keyed, bare) = (rate(&mut keyed), rate(&mut bare));
    print(
        &format!("events in, share of COPY with their key ({ours:.0} of {keyed:.0} rows/s)"),
        &format!("{:.2}", ours / keyed),
        "≥ 0.50",
    );
    print(
        &format!("the same, share of COPY without any key ({bare:.0} rows/s)"),
        &format!("{:.2}", ours / bare),
        "",
    );
    print(
        &format!("the same as JSON over HTTP, of COPY with the key ({http:.0} rows/s)"),
        &format!("{:.2}", http / keyed),
        "",
    );
    Ok(())
}

/// Waits until everything is rolled up, so that the next measurement has the machine to itself.
async fn drained(store: &Store) -> anyhow::Result<()> {
    while events::waiting(store).await? > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Runs one task for each connection and waits for all; seconds.
async fn timed<T, R>(parts: Vec<T>, work: impl Fn(T) -> R) -> anyhow::Result<f64>
where
    R: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let begun = Instant::now();
    let tasks: Vec<_> = parts
        .into_iter()
        .map(|part| tokio::spawn(work(part)))
        .collect();
    for task in tasks {
        task.await.context("a writer died")??;
    }
    Ok(begun.elapsed().as_secs_f64())
}

async fn through_the_door(world: &World, bodies: Vec<Vec<String>>) -> anyhow::Result<f64> {
    let (address, key) = (world.address, world.key.clone());
    let requests: Vec<Vec<String>> = bodies
        .into_iter()
        .map(|bodies| {
            let request = |body: String| {
                format!(
                    "POST /api/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
                     content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                )
            };
            bodies.into_iter().map(request).collect()
        })
        .collect();
    timed(requests, move |requests: Vec<String>| async move {
        let mut connection = Connection::open(address).await?;
        for request in requests {
            let answer = connection.ask(request.as_bytes()).await?;
            let body = String::from_utf8_lossy(&answer.body);
            anyhow::ensure!(body.contains("\"accepted\":1000"), "{body}");
        }
        Ok(())
    })
    .await
}

async fn through_the_store(
    world: &World,
    bodies: Vec<Vec<String>>,
    now: DateTime<Utc>,
) -> anyhow::Result<f64> {
    let parts: Vec<Vec<Vec<(usize, Event)>>> = bodies
        .iter()
        .map(|bodies| bodies.iter().map(|body| parsed(body, now)).collect())
        .collect::<anyhow::Result<_>>()?;
    let (store, actor) = (world.store.clone(), Arc::new(world.actor.clone()));
    timed(parts, move |batches: Vec<Vec<(usize, Event)>>| {
        let (store, actor) = (store.clone(), Arc::clone(&actor));
        async move {
            for batch in batches {
                let done = events::ingest(&store, &actor, &batch, now).await?;
                anyhow::ensure!(done.accepted == BATCH, "{done:?}");
            }
            Ok(())
        }
    })
    .await
}

fn parsed(body: &str, now: DateTime<Utc>) -> anyhow::Result<Vec<(usize, Event)>> {
    let rows = domain::monitor::rows(body)?;
    let events = rows
        .into_iter()
        .map(|row| Event::parse(row, now).map(|event| (0, event)));
    Ok(events.collect::<Result<_, _>>()?)
}

/// The rows that were received at that moment, as binary COPY, a transaction for each batch, into a
/// table that is otherwise empty and has no index but the one that may be made.
async fn through_copy(
    url: &str,
    received_at: DateTime<Utc>,
    index: &'static str,
) -> anyhow::Result<f64> {
    let mut db = PgConnection::connect(url).await?;
    sqlx::raw_sql("drop table if exists bench_numbered; drop table if exists bench_copy; create table bench_copy (like event)")
        .execute(&mut db)
        .await?;
    sqlx::raw_sql(index).execute(&mut db).await?;
    sqlx::query(
        "create table bench_numbered as
         select (row_number() over ())::integer - 1 as n, event.* from event where received_at = $1",
    )
    .bind(received_at)
    .execute(&mut db)
    .await?;
    sqlx::raw_sql("alter table bench_numbered add primary key (n)")
        .execute(&mut db)
        .await?;
    let mut parts = Vec::new();
    for connection in 0..CONNECTIONS {
        let mut batches = Vec::new();
        for at in 0..BATCHES {
            let first = (connection * BATCHES + at) * BATCH;
            let statement = format!(
                "copy (select {COLUMNS} from bench_numbered where n >= {first} and n < {}) to stdout (format binary)",
                first + BATCH
            );
            let mut rows = db.copy_out_raw(&statement).await?;
            let mut bytes = Vec::new();
            while let Some(part) = rows.next().await {
                bytes.extend_from_slice(&part?);
            }
            batches.push(bytes);
        }
        parts.push((PgConnection::connect(url).await?, batches));
    }
    let seconds = timed(
        parts,
        |(mut db, batches): (PgConnection, Vec<Vec<u8>>)| async move {
            for batch in batches {
                let mut tx = db.begin().await?;
                let statement = format!("copy bench_copy ({COLUMNS}) from stdin (format binary)");
                let mut copy = tx.copy_in_raw(&statement).await?;
                copy.send(batch).await?;
                copy.finish().await?;
                tx.commit().await?;
            }
            Ok(())
        },
    )
    .await?;
    let count: i64 = sqlx::query_scalar("select count(*) from bench_copy")
        .fetch_one(&mut db)
        .await?;
    anyhow::ensure!(
        usize::try_from(count)? == CONNECTIONS * BATCHES * BATCH,
        "{count} rows were copied"
    );
    Ok(seconds)
}

const COLUMNS: &str = "project_id, event_id, at, received_at, type, prompt_id, version, environment_id, unit, \
     experiment_id, arm, metric, value, latency_ms, ttft_ms, input_tokens, output_tokens, cache_read_tokens, \
     cache_write_tokens, cost_usd, model, error, variables, output";

/// How long the server takes for a result, and that it does not grow with the events.
pub async fn measure_results(url: &str, world: &World) -> anyhow::Result<()> {
    let experiment = experiment(world, "bench/results").await?;
    let mut db = PgConnection::connect(url).await?;
    let mut n_there = 0;
    for n_events in [100_000, 1_000_000, 10_000_000] {
        if n_events <= 100_000 {
            // All the way through the product.
            for number in 0..n_events / BATCH {
                let now = world.clock.now();
                let body = batch(experiment, number, BATCH, now);
                events::ingest(&world.store, &world.actor, &parsed(&body, now)?, now).await?;
            }
            drained(&world.store).await?;
        } else {
            // Hours through the product; the same rows, written by one statement a table.
            let days = (0..31).map(|day| world.clock.now() - TimeDelta::days(day));
            events::prepare_days(&world.store, days).await?;
            seed(&mut db, experiment, n_there / 3, n_events / 3).await?;
        }
        n_there = n_events;
        let n_units: i64 = sqlx::query("select sum(units)::bigint as n from experiment_rollup where experiment_id = $1 and metric = '' and arm >= 0")
            .bind(experiment.0)
            .fetch_one(&mut db)
            .await?
            .get("n");
        let times = ask(world, experiment).await?;
        print(
            &format!(
                "result with {n_events} events, {n_units} units, median (p95 {:.1} ms)",
                percentile(&times, 0.95)
            ),
            &format!("{:.1} ms", percentile(&times, 0.5)),
            "≤ 50 ms",
        );
    }
    Ok(())
}

/// Milliseconds that the public interface takes for the whole result.
async fn ask(world: &World, experiment: ExperimentId) -> anyhow::Result<Vec<f64>> {
    let request = format!(
        "GET /api/v1/experiments/{experiment}/results HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
        world.key
    );
    let mut connection = Connection::open(world.address).await?;
    let mut times = Vec::new();
    for round in 0..60 {
        let begun = Instant::now();
        let answer = connection.ask(request.as_bytes()).await?;
        anyhow::ensure!(
            answer.head.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&answer.body)
        );
        // The first few warm caches and connections.
        if round >= 10 {
            times.push(begun.elapsed().as_secs_f64() * 1_000.0);
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// Three events for each unit from one number to another, over a month, and their roll-ups, as the
/// product would have left them.
async fn seed(
    db: &mut PgConnection,
    experiment: ExperimentId,
    from: usize,
    to: usize,
) -> anyhow::Result<()> {
    let made = format!(
        "select 'seeded-' || n as unit, (n % 2)::smallint as arm, now() - n % 2500000 * interval '1 second' as at,
                n % 5 < 3 as succeeded, 700 + n % 400 as latency
         from generate_series({from}, {to} - 1) as n"
    );
    let statements = [
        format!(
            "insert into event (project_id, event_id, at, received_at, type, prompt_id, environment_id, unit, experiment_id,
                 arm, metric, value, latency_ms)
             select project_id, gen_random_uuid(), made.at, now(), kind, prompt_id, environment_id, made.unit, experiment_id,
                    arm, case kind when 'outcome' then 'resolved' end, case kind when 'outcome' then succeeded::integer end,
                    case kind when 'generation' then latency end
             from ({made}) as made, experiment, unnest(array['exposure', 'generation', 'outcome']) as kind
             where experiment_id = '{experiment}'"
        ),
        format!(
            "insert into experiment_unit (experiment_id, unit, arms, first_exposed_at, succeeded_at, readings)
             select '{experiment}', unit, 1 << arm, at, case when succeeded then at end,
                    jsonb_build_object('latency_ms', jsonb_build_array(1, latency))
             from ({made}) as made"
        ),
        format!(
            "insert into experiment_rollup (experiment_id, arm, metric, hour, units, successes, sum, sum_squares)
             select '{experiment}', arm, metric, date_trunc('hour', at), count(*),
                    count(*) filter (where succeeded and metric = ''),
                    sum(case when metric = '' then 0 else latency end),
                    sum(case when metric = '' then 0 else latency * latency end)
             from ({made}) as made, unnest(array['', 'latency_ms']) as metric
             group by arm, metric, date_trunc('hour', at)
             on conflict (experiment_id, arm, metric, hour) do update
             set units = experiment_rollup.units + excluded.units,
                 successes = experiment_rollup.successes + excluded.successes,
                 sum = experiment_rollup.sum + excluded.sum,
                 sum_squares = experiment_rollup.sum_squares + excluded.sum_squares"
        ),
        "analyze".to_owned(),
    ];
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}
