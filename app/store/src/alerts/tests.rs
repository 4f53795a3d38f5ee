//! The judge against a real database: what fires, what is told, what is taken back.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::Role,
    alert::{Alert, Happened, Kind, NewRule, defaults},
    page::PageRequest,
    release::{DeploymentKind, Policy},
    webhook::{Format, NewWebhook},
};
use sqlx::PgPool;

use super::*;
use crate::{
    promotions,
    releases::{Release, Seen},
    testing::{World, at, name},
    webhooks,
};

mod faults;
mod kinds;
mod measured;

const HOUR: i64 = 3_600;

async fn all(world: &World) -> Vec<Alert> {
    let filter = Filter::default();
    let viewer = world.actor(Role::Viewer);
    list(&world.store, &viewer, &filter, &PageRequest::first(50))
        .await
        .unwrap()
        .items
}

async fn waiting_promotion(world: &World) -> domain::id::PromotionId {
    world.prompt_with_versions("triage", 2).await;
    let admin = world.actor(Role::Admin);
    crate::environments::set_policy(&world.store, &admin, "production", Policy::guarded(), at(5))
        .await
        .unwrap();
    let prompt = name("triage");
    let release = Release {
        prompt: &prompt,
        environment: "production",
        reason: "better",
        seen: Seen::OnArrival,
    };
    promotions::request(
        &world.store,
        &world.actor(Role::Editor),
        &release,
        1,
        at(10),
    )
    .await
    .unwrap()
    .id
}

async fn webhook(world: &World) -> domain::id::WebhookId {
    let new = NewWebhook {
        name: "ops".to_owned(),
        url: "https://ops.example/hook".to_owned(),
        format: Format::Json,
        alerts: Kind::ALL.to_vec(),
        audit: Vec::new(),
        enabled: true,
    };
    let admin = world.actor(Role::Admin);
    webhooks::create(&world.store, &admin, &new, &|_| Ok(vec![1]), at(6))
        .await
        .unwrap()
        .id
}

async fn told(world: &World, webhook: domain::id::WebhookId) -> Vec<String> {
    let admin = world.actor(Role::Admin);
    let mut told: Vec<_> =
        webhooks::deliveries(&world.store, &admin, webhook, &PageRequest::first(50))
            .await
            .unwrap()
            .items
            .into_iter()
            .map(|delivery| delivery.text)
            .collect();
    told.reverse();
    told
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_project_begins_with_the_rules_that_the_domain_names(pool: PgPool) {
    let world = World::new(pool).await;
    let mut kept: Vec<NewRule> = rules(&world.store, &world.actor(Role::Viewer))
        .await
        .unwrap()
        .into_iter()
        .map(|rule| rule.plan)
        .collect();
    kept.sort_by_key(|rule| rule.kind);
    assert_eq!(kept, defaults());
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_promotion_that_waits_too_long_is_told_once_and_its_end_too(pool: PgPool) {
    let world = World::new(pool).await;
    let promotion = waiting_promotion(&world).await;
    let hook = webhook(&world).await;
    let store = &world.store;

    assert!(!judge(store, at(10 + 23 * HOUR)).await.unwrap());
    assert!(all(&world).await.is_empty());

    // Two servers look at the same moment.
    let fires = at(10 + 24 * HOUR);
    let (one, two) = tokio::join!(judge(store, fires), judge(store, fires));
    assert!(one.unwrap() | two.unwrap());
    judge(store, fires + TimeDelta::seconds(5)).await.unwrap();
    let alerts = all(&world).await;
    assert_eq!(alerts.len(), 1);
    assert!(alerts[0].is_firing);
    assert_eq!(alerts[0].sentence, "The request has waited for 24 h.");
    assert_eq!(
        told(&world, hook).await,
        ["Approval waiting, firing: triage v1 to production"]
    );

    // What still fires is repeated after four hours, unless somebody takes care of it.
    judge(store, fires + TimeDelta::hours(3)).await.unwrap();
    assert_eq!(told(&world, hook).await.len(), 1);
    judge(store, fires + TimeDelta::hours(4)).await.unwrap();
    assert_eq!(
        told(&world, hook).await[1],
        "Approval waiting, still firing: triage v1 to production"
    );
    let editor = world.actor(Role::Editor);
    let id = alerts[0].id;
    acknowledge(
        store,
        &editor,
        id,
        "asking Priya",
        fires + TimeDelta::hours(5),
    )
    .await
    .unwrap();
    let twice = acknowledge(store, &editor, id, "", fires + TimeDelta::hours(5)).await;
    assert!(matches!(
        twice,
        Err(Error::Conflict {
            code: "alert_acknowledged",
            ..
        })
    ));
    let viewer = acknowledge(store, &world.actor(Role::Viewer), id, "", fires).await;
    assert!(matches!(viewer, Err(Error::Denied(_))));
    judge(store, fires + TimeDelta::hours(9)).await.unwrap();
    assert_eq!(told(&world, hook).await.len(), 2);

    promotions::cancel(
        store,
        &editor,
        promotion,
        "no more",
        fires + TimeDelta::hours(9),
    )
    .await
    .unwrap();
    judge(store, fires + TimeDelta::hours(10)).await.unwrap();
    let alerts = all(&world).await;
    assert!(!alerts[0].is_firing);
    assert_eq!(alerts[0].sentence, "It does not wait any more.");
    assert_eq!(
        told(&world, hook).await[2],
        "Approval waiting, resolved: triage v1 to production"
    );
    let words: Vec<_> = history(store, &world.actor(Role::Viewer), id)
        .await
        .unwrap()
        .into_iter()
        .map(|event| match event.what {
            Happened::Raised { .. } => "raised",
            Happened::Resolved { .. } => "resolved",
            Happened::Told { .. } => "told",
            Happened::ToldResolved { .. } => "told resolved",
            Happened::Acknowledged { .. } => "acknowledged",
            Happened::RolledBack { .. } | Happened::NotRolledBack { .. } => "rolled back",
        })
        .collect();
    assert_eq!(
        words,
        [
            "raised",
            "told",
            "told",
            "acknowledged",
            "resolved",
            "told resolved"
        ]
    );
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_rule_that_is_turned_off_or_removed_ends_its_alerts(pool: PgPool) {
    let world = World::new(pool).await;
    waiting_promotion(&world).await;
    let (store, admin) = (&world.store, world.actor(Role::Admin));
    let now = at(10 + 30 * HOUR);
    judge(store, now).await.unwrap();
    assert!(all(&world).await[0].is_firing);
    let rule = rule(&world, Kind::ApprovalWaiting).await;
    assert_eq!(rule.n_firing, 1);
    remove(store, &admin, rule.id, now).await.unwrap();
    judge(store, now).await.unwrap();
    assert_eq!(all(&world).await[0].sentence, "The rule was removed.");
    assert!(!all(&world).await[0].is_firing);
}

/// The project's rule of a kind, to be changed.
async fn rule(world: &World, kind: Kind) -> domain::alert::Rule {
    let viewer = world.actor(Role::Viewer);
    let rules = rules(&world.store, &viewer).await.unwrap();
    rules
        .into_iter()
        .find(|rule| rule.plan.kind == kind)
        .unwrap()
}

async fn write(world: &World, rule: &domain::alert::Rule, seconds: i64) {
    let admin = world.actor(Role::Admin);
    change(&world.store, &admin, rule.id, &rule.plan, at(seconds))
        .await
        .unwrap();
}

/// So many calls of what serves in the minute, so many of them failed.
async fn calls(world: &World, minute: DateTime<Utc>, requests: i64, errors: i64) {
    report(world, 2, minute, requests, errors).await;
}

/// The same of another version, 0 where callers named none; added up as `events::roll_up` does.
/// Each call cost a cent.
async fn report(world: &World, version: i32, at: DateTime<Utc>, requests: i64, errors: i64) {
    sqlx::query(
        "insert into monitor_bucket (project_id, prompt_id, environment_id, version, resolution, bucket, requests,
                                     errors, cost_usd)
         select prompt.project_id, prompt_id, environment_id, $4, resolution, date_trunc(resolution, $1, 'UTC'), $2,
                $3, $2 / 100.0
         from prompt
         join environment on environment.project_id = prompt.project_id and environment.name = 'production'
         cross join unnest(array['minute', 'hour', 'day']) as resolution
         on conflict (prompt_id, resolution, bucket, environment_id, version) do update
         set requests = monitor_bucket.requests + excluded.requests, errors = monitor_bucket.errors + excluded.errors,
             cost_usd = monitor_bucket.cost_usd + excluded.cost_usd",
    )
    .bind(at)
    .bind(requests)
    .bind(errors)
    .bind(version)
    .execute(&world.store.pool)
    .await
    .unwrap();
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_deployment_is_taken_back_once_where_a_rule_says_so_and_never_otherwise(pool: PgPool) {
    let world = World::new(pool).await;
    world.prompt_with_versions("triage", 3).await;
    world.promote("triage", "production", 1, 10).await.unwrap();
    world.promote("triage", "production", 2, 20).await.unwrap();
    let (store, admin) = (&world.store, world.actor(Role::Admin));
    let minutes = |n: i64| at(20) + TimeDelta::minutes(n);
    for minute in 1..=30 {
        calls(&world, minutes(minute), 100, 20).await;
    }
    judge(store, minutes(10)).await.unwrap();
    assert!(all(&world).await.is_empty(), "not for two minutes yet");
    judge(store, minutes(12)).await.unwrap();
    let alerts = all(&world).await;
    assert_eq!(alerts[0].kind, Kind::ErrorRate);
    assert!(
        alerts[0].sentence.contains("20 %"),
        "{}",
        alerts[0].sentence
    );
    // Off by default.
    assert_eq!(roll_back_due(store, minutes(12)).await.unwrap(), 0);

    let mut rule = rule(&world, Kind::ErrorRate).await;
    rule.plan.environment = Some("production".to_owned());
    rule.plan.roll_back = true;
    change(store, &admin, rule.id, &rule.plan, minutes(12))
        .await
        .unwrap();
    let (one, two) = tokio::join!(
        roll_back_due(store, minutes(13)),
        roll_back_due(store, minutes(13))
    );
    assert_eq!(one.unwrap() + two.unwrap(), 1);
    assert_eq!(roll_back_due(store, minutes(14)).await.unwrap(), 0);
    let newest = crate::releases::list(store, &admin, None, None, &PageRequest::first(1))
        .await
        .unwrap()
        .items
        .remove(0);
    assert_eq!((newest.version, newest.kind), (1, DeploymentKind::Rollback));
    assert!(
        newest
            .reason
            .starts_with("Automatic rollback by the alert “Error rate”."),
        "{}",
        newest.reason
    );
    let last = history(store, &admin, alerts[0].id).await.unwrap();
    assert!(
        last.iter()
            .any(|event| matches!(event.what, Happened::RolledBack { version: 1, .. })),
        "{last:?}"
    );
    let (subject, actor, detail): (String, String, serde_json::Value) = sqlx::query_as(
        "select subject, actor ->> 'name', detail from audit_entry where action = 'alert.roll_back'",
    )
    .fetch_one(&store.pool)
    .await
    .unwrap();
    assert_eq!(
        (subject.as_str(), actor.as_str(), &detail["rule"]),
        (
            "triage in production",
            "alerts",
            &serde_json::json!("Error rate")
        )
    );
    assert_eq!(detail["error"], serde_json::Value::Null);

    // What it put there fails just as much, and is left to people: two versions would take turns.
    for minute in 31..=60 {
        report(&world, 1, minutes(minute), 100, 90).await;
    }
    judge(store, minutes(20)).await.unwrap();
    assert!(all(&world).await.iter().all(|alert| !alert.is_firing));
    for minute in [45, 48] {
        judge(store, minutes(minute)).await.unwrap();
    }
    assert!(all(&world).await[0].is_firing);
    assert!(all(&world).await[0].raised_at > newest.deployed_at);
    assert_eq!(roll_back_due(store, minutes(48)).await.unwrap(), 0);
    let n_deployments: i64 = sqlx::query_scalar("select count(*) from deployment")
        .fetch_one(&store.pool)
        .await
        .unwrap();
    assert_eq!(n_deployments, 3);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn what_comes_and_goes_is_one_alert_that_is_not_told_again_and_again(pool: PgPool) {
    let world = World::new(pool).await;
    world.prompt_with_versions("triage", 3).await;
    world.promote("triage", "production", 2, 20).await.unwrap();
    let hook = webhook(&world).await;
    let store = &world.store;
    let mut rule = rule(&world, Kind::ErrorRate).await;
    rule.plan.for_seconds = 0;
    rule.plan.clear_for_seconds = 0;
    rule.plan.window_minutes = 1;
    write(&world, &rule, 30).await;
    for minute in 1..60_i64 {
        let at = at(0) + TimeDelta::minutes(minute);
        calls(&world, at, 100, if minute % 2 == 0 { 50 } else { 0 }).await;
        judge(store, at + TimeDelta::seconds(60)).await.unwrap();
    }
    let alerts = all(&world).await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert!(alerts[0].n_raised > 20);
    let told = told(&world, hook).await;
    let n_firing = told.iter().filter(|text| text.contains("firing")).count();
    assert_eq!(n_firing, 1, "{told:?}");
}
