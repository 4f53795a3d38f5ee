use std::collections::BTreeMap;

use domain::{
    actor::{Grant, Role, Scope, Who},
    experiment::ArmCounts,
    id::{ExperimentId, KeyId},
    monitor::{Call, Kind},
};
use sqlx::PgPool;

use domain::experiment::Observed;

use super::*;
use crate::testing::{World, at};

/// An experiment that runs since `at(0)`, with the arms A and B and the guardrail `latency_ms`.
async fn experiment(world: &World, prompt: &str) -> Uuid {
    world.prompt_with_versions(prompt, 2).await;
    let id = Uuid::now_v7();
    sqlx::query(
        "insert into experiment (experiment_id, project_id, prompt_id, environment_id, name, hypothesis, status, unit,
             traffic, salt, primary_metric, decision, alpha, power, baseline, minimum_effect, planned_units,
             auto_stop_guardrail, auto_stop_srm, by, created_at)
         select $1, project_id, prompt_id, environment_id, 'x', '', 'draft', 'user', 1, 's', 'resolved', 'fixed',
                0.05, 0.8, 0.5, 0.1, 1000, false, false, '{}', $2
         from prompt join environment using (project_id)
         where project_id = $3 and prompt.name = $4 and environment.name = 'production'",
    )
    .bind(id)
    .bind(at(0))
    .bind(world.project.0)
    .bind(prompt)
    .execute(&world.store.pool)
    .await
    .unwrap();
    sqlx::query(
        "insert into experiment_arm (experiment_id, position, name, version_id, weight)
         select $1, number - 1, case number when 1 then 'A' else 'B' end, version_id, 1
         from version join prompt using (prompt_id) where prompt.name = $2 and project_id = $3",
    )
    .bind(id)
    .bind(prompt)
    .bind(world.project.0)
    .execute(&world.store.pool)
    .await
    .unwrap();
    sqlx::query("insert into experiment_guardrail values ($1, 0, 'latency_ms', 'lower', 50)")
        .bind(id)
        .execute(&world.store.pool)
        .await
        .unwrap();
    set_status(world, id, "running").await;
    id
}

async fn set_status(world: &World, experiment: Uuid, status: &str) {
    sqlx::query(
        "update experiment set status = $2, started_at = coalesce(started_at, $3),
             stopped_at = case when $2 = 'stopped' then $3 + interval '1 hour' end
         where experiment_id = $1",
    )
    .bind(experiment)
    .bind(status)
    .bind(at(0))
    .execute(&world.store.pool)
    .await
    .unwrap();
}

fn event(kind: Kind, experiment: Uuid, unit: &str, seconds: i64) -> Event {
    Event {
        id: Uuid::now_v7(),
        kind,
        at: at(seconds),
        prompt: None,
        version: None,
        environment: None,
        unit: Some(unit.to_owned()),
        experiment: Some(experiment),
        arm: None,
        metric: None,
        value: None,
        call: Call::default(),
        variables: None,
        output: None,
    }
}

fn exposure(experiment: Uuid, unit: &str, arm: &str, seconds: i64) -> Event {
    Event {
        arm: Some(arm.to_owned()),
        ..event(Kind::Exposure, experiment, unit, seconds)
    }
}

fn outcome(experiment: Uuid, unit: &str, value: f64, seconds: i64) -> Event {
    Event {
        metric: Some("resolved".to_owned()),
        value: Some(value),
        ..event(Kind::Outcome, experiment, unit, seconds)
    }
}

fn call(experiment: Uuid, unit: &str, latency_ms: f64, seconds: i64) -> Event {
    Event {
        call: Call {
            latency_ms: Some(latency_ms),
            ..Call::default()
        },
        variables: Some(serde_json::json!({ "mail": "über" })),
        ..event(Kind::Generation, experiment, unit, seconds)
    }
}

fn numbered(events: Vec<Event>) -> Vec<(usize, Event)> {
    events.into_iter().enumerate().collect()
}

async fn send(world: &World, events: Vec<Event>) -> Ingested {
    let by = world.actor(Role::Editor);
    ingest(&world.store, &by, &numbered(events), at(9_000))
        .await
        .unwrap()
}

async fn drain(store: &Store) {
    // What a worker held that was cut off is free once its transaction is rolled back.
    while waiting(store).await.unwrap() > 0 {
        roll_up(store, at(9_001)).await.unwrap();
    }
}

async fn result(world: &World, experiment: Uuid) -> Observed {
    drain(&world.store).await;
    observed(&world.store, ExperimentId(experiment))
        .await
        .unwrap()
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn what_was_sent_is_kept_and_counted(pool: PgPool) {
    let world = World::new(pool).await;
    let x = experiment(&world, "triage").await;
    let all = domain::monitor::sampling::Sampling::parse("100", "").unwrap();
    crate::sampling::set(&world.store, &world.actor(Role::Admin), &all, at(0))
        .await
        .unwrap();
    let sent = vec![
        exposure(x, "u1", "A", 10),
        outcome(x, "u1", 1.0, 20),
        exposure(x, "u2", "B", 10),
        outcome(x, "u2", 0.0, 20),
        exposure(x, "u3", "B", 4_000),
        outcome(x, "u3", 1.0, 3_999),
        call(x, "u1", 100.0, 11),
        call(x, "u1", 300.0, 12),
        call(x, "u2", 500.0, 11),
        call(x, "u2", 9_999.0, 9),
    ];
    let n_sent = sent.len();
    let done = send(&world, sent.clone()).await;
    assert_eq!((done.accepted, done.duplicates), (n_sent, 0), "{done:?}");
    // The same again, some of it under way twice.
    let again = sent.iter().chain(&sent[..2]).cloned().collect();
    let done = send(&world, again).await;
    assert_eq!((done.accepted, done.duplicates), (0, n_sent + 2));
    // A retry that was given a new time is still the same event.
    let mut stamped = sent[0].clone();
    stamped.at = at(86_400 * 2);
    assert_eq!(send(&world, vec![stamped]).await.duplicates, 1);

    let found = result(&world, x).await;
    let counts = |units, successes| ArmCounts { units, successes };
    assert_eq!(found.arms, [counts(1, 1), counts(2, 0)]);
    assert_eq!(found.series.len(), 2, "two hours");
    assert_eq!(found.last_event_at, Some(at(4_000)));
    let latency = &found.guardrails[0];
    assert_eq!((latency[0].n, latency[0].mean), (1, 200.0));
    assert_eq!(
        (latency[1].n, latency[1].mean),
        (1, 500.0),
        "not what came before the exposure"
    );

    let kept: (i64, Option<serde_json::Value>, Option<String>) = sqlx::query_as(
        "select count(*), (array_agg(variables) filter (where variables is not null))[1], max(unit) from event",
    )
    .fetch_one(&world.store.pool)
    .await
    .unwrap();
    assert_eq!(kept.0, i64::try_from(n_sent).unwrap());
    assert_eq!(kept.1, Some(serde_json::json!({ "mail": "über" })));
    assert_eq!(kept.2.as_deref(), Some("u3"));
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_bad_row_takes_nobody_along(pool: PgPool) {
    let world = World::new(pool).await;
    let x = experiment(&world, "triage").await;
    world.prompt("other").await;
    let named = |prompt: &str, version: Option<i32>| Event {
        prompt: Some(prompt.to_owned()),
        version,
        experiment: None,
        ..event(Kind::Generation, x, "u", 1)
    };
    let mut elsewhere = exposure(x, "u", "A", 1);
    elsewhere.environment = Some("staging".to_owned());
    let mut about_another = exposure(x, "u", "A", 1);
    about_another.prompt = Some("other".to_owned());
    let mut nowhere = named("triage", Some(1));
    nowhere.environment = Some("moon".to_owned());
    let done = send(
        &world,
        vec![
            exposure(x, "u", "A", 1),
            exposure(x, "u", "C", 1),
            exposure(Uuid::now_v7(), "u", "A", 1),
            named("nothing", None),
            named("triage", Some(3)),
            named("triage", Some(2)),
            elsewhere,
            about_another,
            outcome(x, "u", 0.5, 1),
            exposure(x, "u", "A", -301),
            nowhere,
        ],
    )
    .await;
    assert_eq!(done.accepted, 2);
    let reasons: Vec<(usize, &str)> = done
        .rejected
        .iter()
        .map(|one| (one.index, one.reason.as_str()))
        .collect();
    assert_eq!(
        reasons,
        [
            (1, "arm: the experiment has the arms A, B"),
            (2, "experiment: there is no such experiment"),
            (3, "prompt: there is no such prompt"),
            (4, "version: the prompt has no such version"),
            (6, "environment: the experiment runs in production"),
            (7, "prompt: the experiment is about the prompt triage"),
            (8, "value: must be 0 or 1, for the primary metric"),
            (9, "at: the experiment had not started"),
            (10, "environment: there is no such environment"),
        ]
    );

    set_status(&world, x, "stopped").await;
    let done = send(
        &world,
        vec![outcome(x, "u", 1.0, 3_599), outcome(x, "u", 1.0, 3_601)],
    )
    .await;
    assert_eq!((done.accepted, done.rejected[0].index), (1, 1));
    assert_eq!(
        done.rejected[0].reason,
        "at: the experiment had been stopped"
    );
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_project_sees_only_its_own_and_a_key_its_environments(pool: PgPool) {
    let world = World::new(pool).await;
    let x = experiment(&world, "triage").await;
    let project = crate::people::create_project_as_system(&world.store, "other", "Other", at(0))
        .await
        .unwrap();
    let key = |project, scopes: &[Scope], environments: Option<&str>| Actor {
        who: Who::Key {
            id: KeyId(Uuid::nil()),
            name: "k".to_owned(),
        },
        project,
        grant: Grant::Scopes {
            scopes: scopes.to_vec(),
            environments: environments.map(|name| vec![name.to_owned()]),
        },
    };
    let sent = numbered(vec![exposure(x, "u", "A", 1)]);
    let by = key(project, &[Scope::EventsWrite], None);
    let done = ingest(&world.store, &by, &sent, at(2)).await.unwrap();
    assert_eq!(
        done.rejected[0].reason,
        "experiment: there is no such experiment"
    );
    // An id taken in one project says nothing in another.
    let mut theirs = sent.clone();
    theirs[0].1.experiment = None;
    theirs[0].1.arm = None;
    assert_eq!(
        ingest(&world.store, &by, &theirs, at(2))
            .await
            .unwrap()
            .accepted,
        1
    );

    let by = key(world.project, &[Scope::EventsWrite], Some("staging"));
    let done = ingest(&world.store, &by, &sent, at(2)).await.unwrap();
    assert_eq!(
        done.rejected[0].reason,
        "environment: this key is not bound to the environment production"
    );
    let by = key(world.project, &[Scope::EventsWrite], Some("production"));
    assert_eq!(
        ingest(&world.store, &by, &sent, at(2))
            .await
            .unwrap()
            .accepted,
        1
    );
    let by = key(world.project, &[Scope::PromptsRead], None);
    assert!(ingest(&world.store, &by, &sent, at(2)).await.is_err());
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn old_days_go_and_coming_ones_are_ready(pool: PgPool) {
    let world = World::new(pool).await;
    let x = experiment(&world, "triage").await;
    let day = 86_400;
    send(
        &world,
        vec![exposure(x, "u", "A", 10), exposure(x, "v", "A", 40 * day)],
    )
    .await;
    let count = async || -> (i64, i64) {
        sqlx::query_as("select (select count(*) from event), (select count(*) from event_id)")
            .fetch_one(&world.store.pool)
            .await
            .unwrap()
    };
    assert_eq!(count().await, (2, 2));
    upkeep(&world.store, 30, 90, at(29 * day)).await.unwrap();
    assert_eq!(count().await, (2, 0), "the ids are not needed that long");
    upkeep(&world.store, 30, 90, at(32 * day)).await.unwrap();
    assert_eq!(count().await, (1, 0));
    // What late events may still reach stays, whatever was asked for.
    upkeep(&world.store, 0, 90, at(47 * day)).await.unwrap();
    assert_eq!(count().await, (1, 0));
    upkeep(&world.store, 0, 90, at(50 * day)).await.unwrap();
    assert_eq!(count().await, (0, 0));
    assert_eq!(result(&world, x).await.units(), 2, "results stay");
}

/// Numbers that look drawn by chance and are the same each time.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            let other = usize::try_from(self.throw(end as u64 + 1)).unwrap();
            items.swap(end, other);
        }
    }
}

/// Everything an experiment's result says, recomputed from the raw events in one statement a table
/// that shares nothing with the code under test: by arm and hour units and successes; by arm units,
/// mean and deviation of the latency; units in both arms.
#[derive(Debug, PartialEq)]
struct Recount {
    hours: BTreeMap<(DateTime<Utc>, i16), (i64, i64)>,
    latency: BTreeMap<i16, (i64, f64, f64)>,
    excluded: i64,
}

const UNITS: &str = "with exposed as (
        select unit, min(at) as first, count(distinct arm) as n_arms, min(arm) as arm
        from event where experiment_id = $1 and type = 'exposure' group by unit
    ), unit as (
        select exposed.unit, arm, n_arms, date_trunc('hour', first, 'UTC') as hour,
               exists (select from event where experiment_id = $1 and event.unit = exposed.unit and type = 'outcome'
                       and metric = 'resolved' and value = 1 and at >= first) as succeeded,
               (select avg(latency_ms) from event where experiment_id = $1 and event.unit = exposed.unit
                and latency_ms is not null and at >= first) as latency
        from exposed
    )";

async fn recount(world: &World, experiment: Uuid) -> Recount {
    let pool = &world.store.pool;
    let hours: Vec<(DateTime<Utc>, i16, i64, i64)> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{UNITS} select hour, arm, count(*), count(*) filter (where succeeded) from unit where n_arms = 1 group by hour, arm"
    )))
    .bind(experiment)
    .fetch_all(pool)
    .await
    .unwrap();
    let latency: Vec<(i16, i64, f64, f64)> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{UNITS} select arm, count(latency), avg(latency), coalesce(stddev_samp(latency), 0) from unit
         where n_arms = 1 and latency is not null group by arm"
    )))
    .bind(experiment)
    .fetch_all(pool)
    .await
    .unwrap();
    let (excluded,): (i64,) = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{UNITS} select count(*) from unit where n_arms > 1"
    )))
    .bind(experiment)
    .fetch_one(pool)
    .await
    .unwrap();
    Recount {
        hours: hours
            .into_iter()
            .map(|(hour, arm, units, successes)| ((hour, arm), (units, successes)))
            .collect(),
        latency: latency
            .into_iter()
            .map(|(arm, n, mean, sd)| (arm, (n, mean, sd)))
            .collect(),
        excluded,
    }
}

/// What was rolled up agrees with the raw events, to the last unit.
async fn assert_exact(world: &World, experiment: Uuid) {
    let found = result(world, experiment).await;
    let raw = recount(world, experiment).await;
    let mut hours = BTreeMap::new();
    for bucket in &found.series {
        for (arm, counts) in (0_i16..).zip(&bucket.arms) {
            if counts.units > 0 {
                let counts = (counts.units.cast_signed(), counts.successes.cast_signed());
                hours.insert((bucket.at, arm), counts);
            }
        }
    }
    assert_eq!(hours, raw.hours);
    assert_eq!(found.excluded.cast_signed(), raw.excluded);
    for (arm, latency) in (0_i16..).zip(&found.guardrails[0]) {
        let (n, mean, sd) = raw.latency.get(&arm).copied().unwrap_or_default();
        assert_eq!(latency.n.cast_signed(), n, "arm {arm}");
        assert!((latency.mean - mean).abs() <= 1e-9 * mean.abs().max(1.0));
        assert!((latency.sd - sd).abs() <= 1e-6 * sd.abs().max(1.0));
    }
}

/// Events of a few units, so that everything happens: late exposures, both arms, outcomes before
/// exposures, units that were never exposed.
fn history(dice: &mut Dice, experiments: &[Uuid], n_events: usize) -> Vec<Event> {
    (0..n_events)
        .map(|_| {
            let which = usize::try_from(dice.throw(experiments.len() as u64)).unwrap();
            let x = experiments[which];
            let unit = format!("unit-{}", dice.throw(120));
            let seconds = i64::try_from(dice.throw(5 * 3_600)).unwrap();
            match dice.throw(10) {
                0..4 => {
                    // Nearly always the same arm.
                    let odd = unit.len() % 2 == 1;
                    let arm = if odd == (dice.throw(25) == 0) {
                        "A"
                    } else {
                        "B"
                    };
                    exposure(x, &unit, arm, seconds)
                }
                4..7 => outcome(x, &unit, f64::from(u8::from(dice.throw(3) > 0)), seconds),
                _ => {
                    let latency = u32::try_from(dice.throw(4_000)).unwrap();
                    call(x, &unit, f64::from(latency) / 8.0, seconds)
                }
            }
        })
        .collect()
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn the_sums_agree_with_the_raw_events_whatever_order_they_came_in(pool: PgPool) {
    let world = World::new(pool).await;
    let x = [
        experiment(&world, "one").await,
        experiment(&world, "two").await,
    ];
    for seed in 1..=3 {
        let mut dice = Dice(seed * 7_919);
        let events = history(&mut dice, &x, 1_200);
        // Each event twice or three times, in any order, in batches of any size.
        let mut sent: Vec<Event> = events
            .iter()
            .chain(&events)
            .chain(&events[..400])
            .cloned()
            .collect();
        dice.shuffle(&mut sent);
        let mut batches: Vec<Vec<Event>> = Vec::new();
        while !sent.is_empty() {
            let n = usize::try_from(dice.throw(90) + 1).unwrap().min(sent.len());
            batches.push(sent.split_off(sent.len() - n));
        }
        // Four writers and three workers at once.
        let n_accepted = std::sync::atomic::AtomicUsize::new(0);
        let quarters: Vec<&[Vec<Event>]> = batches.chunks(batches.len().div_ceil(4)).collect();
        let write = async |batches: &[Vec<Event>]| {
            for batch in batches {
                let done = send(&world, batch.clone()).await;
                assert!(done.rejected.is_empty());
                n_accepted.fetch_add(done.accepted, std::sync::atomic::Ordering::Relaxed);
            }
        };
        let work = async || {
            for _ in 0..40 {
                roll_up(&world.store, at(9_001)).await.unwrap();
            }
        };
        tokio::join!(
            write(quarters[0]),
            write(quarters[1]),
            write(quarters[2]),
            write(quarters[3]),
            work(),
            work(),
            work(),
        );
        assert_eq!(n_accepted.into_inner(), events.len(), "each counts once");
        for x in x {
            assert_exact(&world, x).await;
        }
    }
    // It was a history worth the test.
    let found = result(&world, x[0]).await;
    assert!(found.excluded > 0 && found.units() > 50 && found.arms[0].successes > 0);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_worker_that_dies_counts_nothing_and_loses_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let x = experiment(&world, "triage").await;
    send(
        &world,
        vec![exposure(x, "u", "A", 1), outcome(x, "u", 1.0, 2)],
    )
    .await;
    // Cut off in the middle: the transaction is never committed.
    for millis in [0, 1, 2, 3, 5] {
        let worker = roll_up(&world.store, at(3));
        let _ = tokio::time::timeout(std::time::Duration::from_millis(millis), worker).await;
    }
    let found = result(&world, x).await;
    assert_eq!(
        found.arms[0],
        ArmCounts {
            units: 1,
            successes: 1
        }
    );
    assert_exact(&world, x).await;
    assert_eq!(waiting(&world.store).await.unwrap(), 0);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_batch_that_cannot_be_added_up_holds_up_nobody_else(pool: PgPool) {
    let world = World::new(pool).await;
    let good = experiment(&world, "triage").await;
    let bad = experiment(&world, "other").await;
    send(&world, vec![exposure(good, "u1", "A", 1)]).await;
    // Longer than an index takes, and no two parts of it alike.
    let mut state = 1_u64;
    let unit: String = (0..20_000)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            char::from(b'!' + u8::try_from((state >> 33) % 90).unwrap())
        })
        .collect();
    send(&world, vec![exposure(bad, &unit, "A", 1)]).await;
    send(&world, vec![exposure(good, "u2", "B", 2)]).await;

    while roll_up(&world.store, at(3)).await.unwrap() > 0 {}
    let units = async |experiment: Uuid| {
        sqlx::query_scalar::<_, i64>(
            "select count(*) from experiment_unit where experiment_id = $1",
        )
        .bind(experiment)
        .fetch_one(&world.store.pool)
        .await
        .unwrap()
    };
    assert_eq!((units(good).await, units(bad).await), (2, 0));
    assert_eq!(waiting(&world.store).await.unwrap(), 0);
    assert_eq!(n_set_aside(&world.store).await.unwrap(), 1);
    let why: String =
        sqlx::query_scalar("select set_aside from event_batch where set_aside is not null")
            .fetch_one(&world.store.pool)
            .await
            .unwrap();
    assert!(why.contains("index row"), "{why}");
}
