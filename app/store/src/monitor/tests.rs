use std::collections::BTreeMap;

use domain::{
    actor::Role,
    monitor::{Call, Event, Kind, failure::Failure, window::Window},
};
use sqlx::PgPool;
use uuid::Uuid;

use super::*;
use crate::{
    events::{ingest, roll_up, upkeep, waiting},
    testing::{World, at},
};

fn call(prompt: &str, version: Option<i32>, latency_ms: f64, seconds: i64) -> Event {
    Event {
        id: Uuid::now_v7(),
        kind: Kind::Generation,
        at: at(seconds),
        prompt: Some(prompt.to_owned()),
        version,
        environment: Some("production".to_owned()),
        unit: None,
        experiment: None,
        arm: None,
        metric: None,
        value: None,
        call: Call {
            latency_ms: Some(latency_ms),
            ..Call::default()
        },
        variables: None,
        output: None,
    }
}

fn failed(prompt: &str, error: &str, seconds: i64) -> Event {
    let mut event = call(prompt, Some(1), 10.0, seconds);
    event.call.error = Some(error.to_owned());
    event
}

async fn send(world: &World, events: &[Event], now: DateTime<Utc>) -> crate::events::Ingested {
    let numbered: Vec<(usize, Event)> = events.iter().cloned().enumerate().collect();
    ingest(&world.store, &world.actor(Role::Editor), &numbered, now)
        .await
        .unwrap()
}

async fn drain(world: &World) {
    while waiting(&world.store).await.unwrap() > 0 {
        roll_up(&world.store, at(0)).await.unwrap();
    }
}

async fn id_of(world: &World, prompt: &str) -> PromptId {
    let id: Uuid = sqlx::query_scalar("select prompt_id from prompt where name = $1")
        .bind(prompt)
        .fetch_one(&world.store.pool)
        .await
        .unwrap();
    PromptId(id)
}

async fn all(world: &World, prompt: PromptId, from: i64, to: i64) -> Summary {
    summary(
        &world.store,
        world.project,
        prompt,
        None,
        None,
        at(from),
        at(to),
    )
    .await
    .unwrap()
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn what_was_reported_is_summed(pool: PgPool) {
    let world = World::new(pool).await;
    world.prompt_with_versions("triage", 2).await;
    let prompt = id_of(&world, "triage").await;
    let mut events = vec![
        call("triage", Some(1), 100.0, 0),
        call("triage", Some(2), 300.0, 61),
        failed("triage", "429", 62),
        failed("triage", "timeout", 3_700),
        call("triage", None, 50.0, 90_000),
    ];
    events[0].call.input_tokens = Some(1_000);
    events[0].call.cache_read_tokens = Some(600);
    events[0].call.output_tokens = Some(20);
    events[0].call.cost_usd = Some(0.25);
    events[1].call.ttft_ms = Some(40.0);
    events[4].environment = Some("staging".to_owned());
    events.push(Event {
        kind: Kind::Feedback,
        value: Some(0.5),
        ..call("triage", Some(2), 0.0, 63)
    });
    assert_eq!(send(&world, &events, at(90_010)).await.accepted, 6);
    drain(&world).await;

    let found = all(&world, prompt, 0, 100_000).await;
    assert_eq!((found.requests, found.errors), (5, 2));
    let kinds = BTreeMap::from([(Failure::Timeout, 1), (Failure::RateLimited, 1)]);
    assert_eq!(found.errors_by_kind, kinds);
    assert_eq!((found.tokens.input, found.tokens.cache_read), (1_000, 600));
    assert_eq!((found.cost_usd, found.n_priced), (0.25, 1));
    assert_eq!((found.feedback.n, found.feedback.sum), (1, 0.5));
    assert!((found.ttft.unwrap().p99 - 40.0).abs() < 0.4);

    assert_eq!(all(&world, prompt, 0, 60).await.requests, 1);
    assert_eq!(all(&world, prompt, 60, 3_600).await.requests, 2);
    let of = async |environment: &str, version| {
        let id: Uuid = sqlx::query_scalar("select environment_id from environment where name = $1")
            .bind(environment)
            .fetch_one(&world.store.pool)
            .await
            .unwrap();
        let (environment, to) = (Some(EnvironmentId(id)), at(100_000));
        summary(
            &world.store,
            world.project,
            prompt,
            environment,
            version,
            at(0),
            to,
        )
        .await
        .unwrap()
        .requests
    };
    assert_eq!(of("staging", None).await, 1);
    assert_eq!(of("production", None).await, 4);
    assert_eq!(of("production", Some(2)).await, 1);
    // Another project's eyes see nothing.
    let nobody = ProjectId(Uuid::nil());
    let theirs = summary(&world.store, nobody, prompt, None, None, at(0), at(9_999)).await;
    assert!(theirs.unwrap().is_empty());

    let hours = hourly(&world.store, prompt, None, at(0), at(7_200))
        .await
        .unwrap();
    let counts: Vec<u64> = hours.iter().map(|(_, n)| *n).collect();
    assert_eq!(counts, [3, 1]);

    let span = Window::Day.until(at(4 * 3_600 - 1));
    let seen = observed(&world.store, world.project, prompt, None, span)
        .await
        .unwrap();
    assert_eq!(seen.points.len(), 24);
    assert_eq!(seen.points[20].summary.requests, 3);
    assert_eq!(seen.total.requests, 4);
    let versions: Vec<(Option<i32>, u64)> = seen
        .versions
        .iter()
        .map(|traffic| (traffic.version, traffic.total.requests))
        .collect();
    assert_eq!(versions, [(Some(2), 1), (Some(1), 3)]);
    let name = crate::testing::name("triage");
    let reader = world.actor(Role::Viewer);
    let each = traffic(&world.store, &reader, std::slice::from_ref(&name), span)
        .await
        .unwrap();
    assert_eq!((each[&name].0.requests, each[&name].1.len()), (4, 24));
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn an_unreported_cost_comes_from_the_price_table(pool: PgPool) {
    let world = World::new(pool).await;
    world.prompt_with_versions("triage", 1).await;
    let prompt = id_of(&world, "triage").await;
    let tokens = |model: &str| {
        let mut event = call("triage", Some(1), 10.0, 1);
        event.call.model = Some(model.to_owned());
        event.call.input_tokens = Some(11_000);
        event.call.cache_read_tokens = Some(10_000);
        event.call.output_tokens = Some(1_000);
        event
    };
    let events = [tokens("claude-sonnet-4-5-20250929"), tokens("mine")];
    send(&world, &events, at(2)).await;
    drain(&world).await;
    let found = all(&world, prompt, 0, 60).await;
    assert_eq!((found.requests, found.n_priced), (2, 1));
    // 1,000 tokens at $3, 10,000 at $0.30 and 1,000 at $15 a million.
    assert!((found.cost_usd - 0.021).abs() < 1e-12, "{}", found.cost_usd);
}

/// Everything but the sketches, recounted from the raw events by SQL that shares nothing with the
/// code under test.
async fn recount(
    world: &World,
    trunc: &str,
) -> Vec<(Uuid, i32, DateTime<Utc>, i64, i64, i64, f64)> {
    sqlx::query_as(
        "select prompt_id, coalesce(version, 0), date_trunc($1, at, 'UTC'),
                count(*) filter (where type = 'generation'),
                count(*) filter (where type = 'generation' and error is not null),
                coalesce(sum(output_tokens) filter (where type = 'generation'), 0)::bigint,
                coalesce(sum(value) filter (where type = 'feedback'), 0)
         from event
         where type in ('generation', 'feedback')
         group by 1, 2, 3 order by 1, 2, 3",
    )
    .bind(trunc)
    .fetch_all(&world.store.pool)
    .await
    .unwrap()
}

async fn rolled_up(
    world: &World,
    resolution: &str,
) -> Vec<(Uuid, i32, DateTime<Utc>, i64, i64, i64, f64)> {
    sqlx::query_as(
        "select prompt_id, version, bucket, requests, errors, output_tokens, feedback_sum
         from monitor_bucket where resolution = $1 order by 1, 2, 3",
    )
    .bind(resolution)
    .fetch_all(&world.store.pool)
    .await
    .unwrap()
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn each_event_counts_once_whatever_happens(pool: PgPool) {
    let world = World::new(pool).await;
    world.prompt_with_versions("one", 2).await;
    world.prompt_with_versions("two", 2).await;
    let mut seed = 88_172_645_463_325_252_u64;
    let mut throw = move |sides: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % sides
    };
    let mut events: Vec<Event> = (0..1_500_u32)
        .map(|n| {
            let prompt = if throw(3) == 0 { "one" } else { "two" };
            let version = [Some(1), Some(2), None][usize::try_from(throw(3)).unwrap()];
            // Some are days late, some at the edges of minutes.
            let seconds = i64::try_from(throw(2 * 86_400)).unwrap() / 60 * 60;
            let mut event = call(prompt, version, f64::from(n) + 1.0, seconds);
            event.call.output_tokens = Some(i64::from(n % 7));
            if throw(9) == 0 {
                event.call.error = Some("500".to_owned());
            }
            if throw(5) == 0 {
                event.kind = Kind::Feedback;
                event.value = Some(1.0);
            }
            event
        })
        .collect();
    // Each again, in another order and in other batches.
    let again: Vec<Event> = events.iter().rev().step_by(2).cloned().collect();
    events.extend(again);
    let now = at(2 * 86_400);
    let batches: Vec<&[Event]> = events.chunks(70).collect();
    let half = batches.len() / 2;
    let write = async |batches: &[&[Event]]| {
        for batch in batches {
            assert!(send(&world, batch, now).await.rejected.is_empty());
        }
    };
    let work = async || {
        for millis in [1, 400, 2, 400, 3, 400, 5, 400] {
            // Some workers die in the middle: the transaction is never committed.
            let worker = roll_up(&world.store, now);
            let _ = tokio::time::timeout(std::time::Duration::from_millis(millis), worker).await;
        }
    };
    tokio::join!(
        write(&batches[..half]),
        write(&batches[half..]),
        work(),
        work(),
        work()
    );
    drain(&world).await;
    for resolution in ["minute", "hour", "day"] {
        let raw = recount(&world, resolution).await;
        assert!(raw.len() > 8);
        assert_eq!(rolled_up(&world, resolution).await, raw, "{resolution}");
    }
    // The sketches have seen each call once, too.
    let prompt = id_of(&world, "two").await;
    let found = all(&world, prompt, 0, 3 * 86_400).await;
    let exact: (f64, f64) = sqlx::query_as(
        "select percentile_disc(0.5) within group (order by latency_ms),
                percentile_disc(0.99) within group (order by latency_ms)
         from event where prompt_id = $1 and type = 'generation'",
    )
    .bind(prompt.0)
    .fetch_one(&world.store.pool)
    .await
    .unwrap();
    let latency = found.latency.unwrap();
    assert!((latency.p50 / exact.0 - 1.0).abs() < 0.02);
    assert!((latency.p99 / exact.1 - 1.0).abs() < 0.02);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn minutes_go_and_hours_stay(pool: PgPool) {
    let world = World::new(pool).await;
    world.prompt_with_versions("triage", 1).await;
    let prompt = id_of(&world, "triage").await;
    send(&world, &[call("triage", Some(1), 5.0, 0)], at(1)).await;
    drain(&world).await;
    let day = 86_400;
    upkeep(&world.store, 90, 90, at(89 * day)).await.unwrap();
    assert_eq!(rolled_up(&world, "minute").await.len(), 1);
    upkeep(&world.store, 90, 90, at(91 * day)).await.unwrap();
    assert_eq!(rolled_up(&world, "minute").await.len(), 0);
    assert_eq!(all(&world, prompt, -7_200, 7_200).await.requests, 1);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn samples_are_kept_only_when_asked_and_never_with_what_is_taken_out(pool: PgPool) {
    use domain::monitor::sampling::Sampling;

    let world = World::new(pool).await;
    world.prompt_with_versions("triage", 1).await;
    let said = || {
        let mut event = call("triage", Some(1), 5.0, 1);
        event.variables = Some(serde_json::json!({ "mail": "from anna@acme.example" }));
        event.output = Some("Dear anna@acme.example".to_owned());
        event.call.error = Some("refused: anna@acme.example is no greeting".to_owned());
        event
    };
    let (name, reader) = (crate::testing::name("triage"), world.actor(Role::Viewer));
    let kept = async || {
        let listed = crate::sampling::list(&world.store, &reader, &name, Some("production"), 10);
        listed.await.unwrap()
    };
    send(&world, &[said()], at(2)).await;
    assert_eq!(kept().await, [], "off by default");

    let sampling = Sampling::parse("100", "[\\w.]+@[\\w.]+").unwrap();
    let approver = world.actor(Role::Approver);
    let refused = crate::sampling::set(&world.store, &approver, &sampling, at(3)).await;
    assert!(refused.is_err());
    crate::sampling::set(&world.store, &world.actor(Role::Admin), &sampling, at(3))
        .await
        .unwrap();
    let again = said();
    send(
        &world,
        &[again.clone(), again, call("triage", Some(1), 5.0, 1)],
        at(4),
    )
    .await;
    let found = kept().await;
    assert_eq!(found.len(), 1, "once, and only what says something");
    assert_eq!(found[0].output.as_deref(), Some("Dear [redacted]"));
    let variables = Some(serde_json::json!({ "mail": "from [redacted]" }));
    assert_eq!(found[0].variables, variables);
    let one = crate::sampling::get(&world.store, &reader, found[0].id);
    assert_eq!(one.await.unwrap(), found[0]);
    assert_eq!(
        found[0].error.as_deref(),
        Some("refused: [redacted] is no greeting")
    );
    let raw: Vec<(Option<String>, Option<serde_json::Value>, Option<String>)> = sqlx::query_as(
        "select output, variables, error from event where at >= $1 order by received_at",
    )
    .bind(at(0))
    .fetch_all(&world.store.pool)
    .await
    .unwrap();
    assert_eq!(
        (&raw[0].0, &raw[0].1),
        (&None, &None),
        "off keeps no words at all"
    );
    assert!(!format!("{:?}", &raw[1..]).contains('@'));
    upkeep(&world.store, 90, 90, at(100 * 86_400))
        .await
        .unwrap();
    assert_eq!(kept().await, []);
}
