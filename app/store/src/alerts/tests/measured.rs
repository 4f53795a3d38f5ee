//! What is measured is blamed on what caused it, and windows of any length are cut where they end.

use super::*;

/// Version 2 serves since `at(20)`, after version 1; its errors take it back at once.
async fn scene(pool: PgPool, window_minutes: i32) -> World {
    let world = World::new(pool).await;
    world.prompt_with_versions("triage", 3).await;
    world.promote("triage", "production", 1, 10).await.unwrap();
    world.promote("triage", "production", 2, 20).await.unwrap();
    let mut rule = rule(&world, Kind::ErrorRate).await;
    rule.plan.environment = Some("production".to_owned());
    rule.plan.roll_back = true;
    rule.plan.for_seconds = 0;
    rule.plan.window_minutes = window_minutes;
    write(&world, &rule, 20).await;
    world
}

async fn kinds(world: &World) -> Vec<Kind> {
    let alerts = all(world).await;
    alerts
        .into_iter()
        .filter(|alert| alert.is_firing)
        .map(|alert| alert.kind)
        .collect()
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_failing_challenger_is_no_reason_to_take_the_control_back(pool: PgPool) {
    let world = scene(pool, 15).await;
    let now = at(20) + TimeDelta::minutes(10);
    for minute in 1..10 {
        let at = at(0) + TimeDelta::minutes(minute);
        report(&world, 2, at, 100, 0).await;
        report(&world, 3, at, 100, 100).await;
        // In the minute of the release most of it is about the version before.
        report(&world, 1, at, 100, 100).await;
    }
    judge(&world.store, now).await.unwrap();
    assert_eq!(kinds(&world).await, []);
    assert_eq!(roll_back_due(&world.store, now).await.unwrap(), 0);

    // What names no version is what serves, as long as nothing is compared.
    super::kinds::experiment(&world, "no alarm").await;
    report(&world, 0, now - TimeDelta::minutes(2), 1_000, 500).await;
    judge(&world.store, now).await.unwrap();
    assert_eq!(kinds(&world).await, []);
    sqlx::query("update experiment set status = 'stopped', stopped_at = $1")
        .bind(at(0) - TimeDelta::days(1))
        .execute(&world.store.pool)
        .await
        .unwrap();
    judge(&world.store, now + TimeDelta::minutes(1))
        .await
        .unwrap();
    assert_eq!(kinds(&world).await, [Kind::ErrorRate]);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_long_window_sees_the_first_hour_after_a_release(pool: PgPool) {
    let world = scene(pool, 240).await;
    for minute in 1..10 {
        let at = at(0) + TimeDelta::minutes(minute);
        report(&world, 2, at, 100, 40).await;
    }
    let now = at(0) + TimeDelta::minutes(10);
    judge(&world.store, now).await.unwrap();
    let alerts = all(&world).await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(alerts[0].sentence, "360 of 900 calls failed, 40 %, in 4 h.");
    assert_eq!(roll_back_due(&world.store, now).await.unwrap(), 1);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_day_of_cost_is_a_whole_day_of_all_versions_and_takes_nothing_back(pool: PgPool) {
    let world = scene(pool, 15).await;
    // Two calls each ten minutes, of the version before and of the one that serves: two cents.
    for ten in 0..200 {
        let at = at(0) + TimeDelta::minutes(10 * ten);
        report(&world, 1, at, 1, 0).await;
        report(&world, 2, at, 1, 0).await;
    }
    let mut cost = rule(&world, Kind::CostPerDay).await;
    cost.plan.threshold = 2.8;
    cost.plan.clear_threshold = 2.0;
    cost.plan.environment = Some("production".to_owned());
    write(&world, &cost, 30).await;
    // As a rule that was made before it was forbidden.
    sqlx::query("update alert_rule set rolls_back = true where kind = 'cost_per_day'")
        .execute(&world.store.pool)
        .await
        .unwrap();
    // Neither here nor a day before does an hour begin.
    let now = at(0) + TimeDelta::hours(30) + TimeDelta::minutes(59);
    judge(&world.store, now).await.unwrap();
    let alerts = all(&world).await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert!((alerts[0].value - 2.88).abs() < 0.03, "{}", alerts[0].value);
    assert_eq!(roll_back_due(&world.store, now).await.unwrap(), 0);
}
