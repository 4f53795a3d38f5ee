//! Every kind fires when it should and is over when it should be.

use domain::{id::EnvironmentId, suite::NewSuite};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::{
    consumers::{self, Applied, Sighting},
    monitor::sketch::Sketch,
    suites,
};

/// An experiment of `triage` in production that raised an alarm.
pub(super) async fn experiment(world: &World, alarm: &str) {
    let id = Uuid::now_v7();
    run(
        world,
        "insert into experiment (experiment_id, project_id, prompt_id, environment_id, name, hypothesis, status, unit,
             traffic, salt, primary_metric, decision, alpha, power, baseline, minimum_effect, planned_units,
             auto_stop_guardrail, auto_stop_srm, by, created_at, started_at, alarm)
         select $1, project_id, prompt_id, environment_id, 'tone', '', 'running', 'user', 1, 's', 'resolved', 'fixed',
                0.05, 0.8, 0.5, 0.1, 1000, false, false, '{}', $2, $2, $3
         from prompt join environment using (project_id)
         where prompt.name = 'triage' and environment.name = 'production'",
        id,
        at(30),
        alarm,
    )
    .await;
    run(
        world,
        "insert into experiment_event (experiment_id, sequence, at, by, what)
         values ($1, 1, $2, '{}', jsonb_build_object('what', 'alarm', 'sentence', $3::text))",
        id,
        at(30),
        "B is worse than allowed.",
    )
    .await;
}

/// A statement with an id, a moment and a word.
async fn run(world: &World, sql: &'static str, id: Uuid, at: DateTime<Utc>, word: &str) {
    sqlx::query(sql)
        .bind(id)
        .bind(at)
        .bind(word)
        .execute(&world.store.pool)
        .await
        .unwrap();
}

/// A drift check of a version that ended in that state.
async fn checked(world: &World, number: i32, state: &str, seconds: i64) {
    let id = Uuid::now_v7();
    for sql in [
        "insert into drift_launch (check_id, project_id, prompt_id, version_id, by, launched_at)
         select $1, project_id, prompt_id, version_id, '{}', $2
         from version join prompt using (prompt_id) where number = $4 and $3 <> ''",
        "insert into drift_check (check_id, project_id, prompt_id, version_id, state, finding, checked_at)
         select $1, project_id, prompt_id, version_id, $3, jsonb_build_object('sentence', 'It is ' || $3), $2
         from version join prompt using (prompt_id) where number = $4",
    ] {
        sqlx::query(sql)
            .bind(id)
            .bind(at(seconds))
            .bind(state)
            .bind(number)
            .execute(&world.store.pool)
            .await
            .unwrap();
    }
}

/// A gate that came to that verdict.
async fn gated(world: &World, verdict: &str, seconds: i64) {
    let id = Uuid::now_v7();
    run(
        world,
        "insert into provider (provider_id, project_id, name, kind, base_url, max_concurrency, created_by, created_at,
                               changed_at)
         select $1, project_id, $3, 'openai', 'http://127.0.0.1:9/v1', 4, '{}', $2, $2 from project",
        id,
        at(seconds),
        &format!("provider-{seconds}"),
    )
    .await;
    run(
        world,
        "insert into run (run_id, project_id, prompt_id, version_id, content, content_hash, suite_id, revision,
                          provider_id, options, status, total, by, created_at, finished_at)
         select $1, suite.project_id, suite.prompt_id, version_id, version.content::json, content_hash, suite_id,
                revision, $1, '{}', 'completed', 0, '{}', $2, $2
         from suite join version using (prompt_id) where number = 2 and $3 <> ''",
        id,
        at(seconds),
        verdict,
    )
    .await;
    run(
        world,
        "insert into gate (run_id, policy, verdict, decided_at)
         values ($1, '{}', jsonb_build_object('verdict', $3::text, 'reasons', jsonb_build_array('12 cases were lost'),
                 'n_cases', 60, 'lost', 12, 'gained', 0, 'must_pass_failed', 0, 'flaky_lost', 0), $2)",
        id,
        at(seconds),
        verdict,
    )
    .await;
}

/// Calls of what serves in these minutes that took so long.
async fn took(world: &World, minutes: std::ops::Range<i64>, milliseconds: f64) {
    for minute in minutes {
        let at = at(0) + TimeDelta::minutes(minute);
        calls(world, at, 100, 0).await;
        let mut sketch = Sketch::default();
        for _ in 0..100 {
            sketch.add(milliseconds);
        }
        sqlx::query("update monitor_bucket set latency_sketch = $2 where resolution = 'minute' and bucket = $1")
            .bind(at)
            .bind(sketch.to_bytes().unwrap())
            .execute(&world.store.pool)
            .await
            .unwrap();
    }
}

async fn production(world: &World) -> EnvironmentId {
    let id = sqlx::query_scalar("select environment_id from environment where name = 'production'")
        .fetch_one(&world.store.pool)
        .await
        .unwrap();
    EnvironmentId(id)
}

/// Clients that were seen, under connections named by a number.
async fn seen(world: &World, clients: &[(&str, u128)], seconds: i64) {
    let environment = production(world).await;
    let sightings: Vec<Sighting> = clients
        .iter()
        .map(|(consumer, connection)| Sighting {
            project: world.project,
            environment,
            consumer: (*consumer).to_owned(),
            connection: Uuid::from_u128(*connection),
            at: at(seconds),
            open: true,
        })
        .collect();
    consumers::sighted(&world.store, &sightings).await.unwrap();
}

/// What makes a kind fire, or ends it.
async fn set(world: &World, kind: Kind, is_bad: bool) {
    match kind {
        Kind::Drifted if is_bad => checked(world, 2, "drifted", 100).await,
        Kind::Drifted => checked(world, 2, "healthy", 200).await,
        Kind::GateFailed if is_bad => gated(world, "fail", 100).await,
        Kind::GateFailed => gated(world, "pass", 200).await,
        Kind::Guardrail if is_bad => experiment(world, "guardrail_broken").await,
        Kind::Srm if is_bad => experiment(world, "trust_problem").await,
        Kind::Guardrail | Kind::Srm => {
            let stop = "update experiment set status = 'stopped', stopped_at = $1";
            let long_ago = at(0) - TimeDelta::days(2);
            let stopped = sqlx::query(stop).bind(long_ago);
            stopped.execute(&world.store.pool).await.unwrap();
        }
        Kind::LatencyP95 if is_bad => took(world, 1..6, 12_000.0).await,
        Kind::LatencyP95 => took(world, 6..20, 90.0).await,
        // A cent each.
        Kind::CostPerDay if is_bad => calls(world, at(60), 15_000, 0).await,
        Kind::CostPerDay => {
            let forget = sqlx::query("update monitor_bucket set cost_usd = 0.1");
            forget.execute(&world.store.pool).await.unwrap();
        }
        Kind::ErrorRate if is_bad => calls(world, at(60), 100, 60).await,
        Kind::ErrorRate => calls(world, at(900), 9_000, 0).await,
        // These have tests of their own.
        Kind::PropagationStuck | Kind::ApprovalWaiting => {}
    }
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn every_kind_fires_and_is_over(pool: PgPool) {
    let world = World::new(pool).await;
    world.prompt_with_versions("triage", 3).await;
    world.promote("triage", "production", 1, 10).await.unwrap();
    world.promote("triage", "production", 2, 20).await.unwrap();
    let new = json!({ "name": "golden", "prompt": "triage", "scorers": [{ "type": "icontains" }] });
    let (new, editor) = (NewSuite::parse(&new).unwrap(), world.actor(Role::Editor));
    suites::create(&world.store, &editor, &new, at(3))
        .await
        .unwrap();
    let table = [
        (Kind::Drifted, "It is drifted", "It is healthy"),
        (
            Kind::GateFailed,
            "The gate of triage v2 failed: 12 cases were lost.",
            "The gate of triage v2 passed.",
        ),
        (
            Kind::Guardrail,
            "B is worse than allowed.",
            "The experiment is over.",
        ),
        (
            Kind::Srm,
            "B is worse than allowed.",
            "The experiment is over.",
        ),
        (
            Kind::LatencyP95,
            "95 of 100 calls take up to 12000 ms",
            "95 of 100 calls take up to 90 ms",
        ),
        (Kind::CostPerDay, "Its calls cost $15", "Its calls cost $"),
        (
            Kind::ErrorRate,
            "60 of 100 calls failed, 60 %, in 15 min.",
            "0 of 9000 calls failed, 0 %",
        ),
    ];
    let now = at(0) + TimeDelta::minutes(6);
    for (kind, raised, resolved) in table {
        // Only this one, and at once: how long things must last is tested elsewhere.
        sqlx::query("delete from monitor_bucket")
            .execute(&world.store.pool)
            .await
            .unwrap();
        for other in Kind::ALL {
            let mut rule = rule(&world, other).await;
            rule.plan.enabled = other == kind;
            (rule.plan.for_seconds, rule.plan.clear_for_seconds) = (0, 0);
            write(&world, &rule, 40).await;
        }
        judge(&world.store, now).await.unwrap();
        let alerts = all(&world).await;
        assert!(alerts.iter().all(|alert| alert.kind != kind), "{kind:?}");
        set(&world, kind, true).await;
        judge(&world.store, now).await.unwrap();
        let of = |alerts: Vec<Alert>| alerts.into_iter().find(|alert| alert.kind == kind);
        let alert = of(all(&world).await).unwrap_or_else(|| panic!("{kind:?} does not fire"));
        assert!(alert.is_firing, "{kind:?}");
        assert!(alert.sentence.starts_with(raised), "{}", alert.sentence);
        set(&world, kind, false).await;
        // Long enough for slow minutes to be outside the window.
        judge(&world.store, at(0) + TimeDelta::minutes(21))
            .await
            .unwrap();
        let alert = of(all(&world).await).unwrap();
        assert!(!alert.is_firing, "{kind:?}: {}", alert.sentence);
        assert!(alert.sentence.starts_with(resolved), "{}", alert.sentence);
    }
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_client_that_came_back_is_current_and_one_that_is_silent_is_not(pool: PgPool) {
    let world = World::new(pool).await;
    world.prompt_with_versions("triage", 2).await;
    seen(&world, &[("silent", 1), ("restarted", 2)], 15).await;
    world.promote("triage", "production", 1, 20).await.unwrap();
    // One starts anew and gets what serves with the first snapshot; it owes no confirmation.
    seen(&world, &[("silent", 1), ("restarted", 3)], 30).await;
    seen(&world, &[("silent", 1), ("restarted", 3)], 85).await;
    judge(&world.store, at(70)).await.unwrap();
    assert_eq!(all(&world).await.len(), 0, "not for a minute yet");
    judge(&world.store, at(85)).await.unwrap();
    let alerts = all(&world).await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(
        alerts[0].sentence,
        "silent has not confirmed what serves since it was deployed."
    );
    let deployment = sqlx::query_scalar("select deployment_id from serving")
        .fetch_one(&world.store.pool)
        .await
        .unwrap();
    let applied = Applied {
        project: world.project,
        deployment: domain::id::DeploymentId(deployment),
        consumer: "silent".to_owned(),
        at: at(86),
    };
    consumers::applied(&world.store, &[applied]).await.unwrap();
    judge(&world.store, at(87)).await.unwrap();
    assert!(!all(&world).await[0].is_firing);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn drift_of_a_version_is_over_when_another_one_serves(pool: PgPool) {
    let world = World::new(pool).await;
    world.prompt_with_versions("triage", 2).await;
    world.promote("triage", "production", 1, 10).await.unwrap();
    checked(&world, 1, "drifted", 50).await;
    judge(&world.store, at(60)).await.unwrap();
    assert!(all(&world).await[0].is_firing);
    // It is not known yet how the other one stands: that is no reason to go on about the first.
    world.promote("triage", "production", 2, 70).await.unwrap();
    checked(&world, 2, "cannot_tell", 75).await;
    judge(&world.store, at(80)).await.unwrap();
    let alerts = all(&world).await;
    assert_eq!(alerts.len(), 1);
    assert!(!alerts[0].is_firing);
    assert_eq!(alerts[0].sentence, "Another version serves.");
}
