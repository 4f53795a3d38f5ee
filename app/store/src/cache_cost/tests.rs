use chrono::{DateTime, TimeDelta, Timelike, Utc};
use domain::{
    actor::{Actor, Grant, Role, Scope, Who},
    cache::{budget::CacheSettings, estimate::Source},
    content::Content,
    id::KeyId,
    release::{Policy, Promotion, PromotionStatus},
};
use serde_json::json;
use sqlx::PgPool;

use super::*;
use crate::{
    promotions::{self, At, Terms},
    releases::{self, Release, Seen},
    testing::{World, at, name},
    versions,
};

/// A chat with a long system prompt that ends in a breakpoint.
fn long(first: &str) -> Content {
    let system = format!(
        "{first} {}",
        "Answer in one short sentence and be kind. ".repeat(600)
    );
    let value = json!({
        "type": "chat",
        "messages": [
            { "role": "system", "content": system, "cache_control": { "type": "ephemeral" } },
            { "role": "user", "content": "Hello" },
        ],
        "model": { "provider": "anthropic", "name": "claude-sonnet-4-6", "max_tokens": 100 },
    });
    Content::parse("content", value).unwrap()
}

/// A prompt of four long versions; the first serves production and staging.
async fn scene(pool: PgPool) -> World {
    let world = World::new(pool).await;
    world.prompt("p").await;
    for words in ["One.", "Two.", "Three.", "Four."] {
        let editor = world.actor(Role::Editor);
        versions::create(
            &world.store,
            &editor,
            &name("p"),
            long(words),
            "",
            None,
            at(2),
        )
        .await
        .unwrap();
    }
    world.promote("p", "production", 1, 10).await.unwrap();
    world.promote("p", "staging", 1, 10).await.unwrap();
    world
}

async fn ask(
    world: &World,
    by: &Actor,
    environment: &str,
    version: i32,
    terms: Terms,
    now: DateTime<Utc>,
) -> Result<Promotion> {
    let prompt = name("p");
    let release = Release {
        prompt: &prompt,
        environment,
        reason: "",
        seen: Seen::OnArrival,
    };
    promotions::request_on(&world.store, by, &release, version, terms, now).await
}

async fn budget_of(world: &World, usd: f64) {
    let wanted = CacheSettings {
        budget_usd_per_day: Some(usd),
        ..CacheSettings::default()
    };
    set(
        &world.store,
        &world.actor(Role::Admin),
        &name("p"),
        wanted,
        at(20),
    )
    .await
    .unwrap();
}

const YES: Terms = Terms {
    accept_cache_cost: true,
    at: At::Once,
    experiment: None,
};

fn refused_field(result: Result<Promotion>) -> String {
    match result {
        Err(Error::Invalid(errors)) => {
            assert_eq!(errors[0].field, "accept_cache_cost");
            errors[0].message.clone()
        }
        other => panic!("{other:?}"),
    }
}

/// Requests by the hour: 10 at three in the morning, 100 in every other hour of the last days.
async fn report(world: &World, pool: &PgPool, environment: &str, until: DateTime<Utc>) {
    for back in 0..72 {
        let hour = until - TimeDelta::hours(back);
        let hour = hour
            .with_minute(0)
            .and_then(|hour| hour.with_second(0))
            .unwrap();
        let requests = if hour.hour() == 3 { 10 } else { 100 };
        for resolution in ["minute", "hour"] {
            sqlx::query(
                "insert into monitor_bucket
                     (project_id, prompt_id, environment_id, version, resolution, bucket, requests, cache_read_tokens)
                 select $1, prompt_id, environment_id, 1, $3, $4, $5, $5 * 6000
                 from prompt join environment using (project_id)
                 where prompt.project_id = $1 and environment.name = $2",
            )
            .bind(world.project.0)
            .bind(environment)
            .bind(resolution)
            .bind(hour)
            .bind(requests)
            .execute(pool)
            .await
            .unwrap();
        }
    }
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn what_a_change_costs_is_frozen_with_the_request(pool: PgPool) {
    let world = scene(pool).await;
    let lead = world.actor(Role::Approver);
    let asked = ask(&world, &lead, "production", 2, Terms::default(), at(30))
        .await
        .unwrap();
    let full = promotions::find(&world.store, &lead, asked.id, at(31))
        .await
        .unwrap()
        .unwrap();
    let cost = full.evidence.cache_cost.unwrap();
    let numbers = cost.estimate.cost.unwrap();
    assert!(
        numbers.expected_usd > 0.05 && numbers.upper_bound_usd > 10.0,
        "{cost:?}"
    );
    assert_eq!(
        cost.estimate.first_changed.as_deref(),
        Some("message 1 (system)")
    );
    assert_eq!(
        cost.estimate.inputs.requests_per_hour.source,
        Source::Assumed
    );
    assert_eq!((cost.budget_usd, cost.accepted), (None, false));
    // The first version costs nothing: nothing was cached.
    let viewer = world.actor(Role::Viewer);
    let prompt = name("p");
    let first = of_change(
        &world.store,
        &viewer,
        &prompt,
        "development",
        (None, 1),
        Given::default(),
        at(32),
    );
    assert!(
        first
            .await
            .unwrap()
            .free
            .unwrap()
            .contains("nothing served")
    );
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn what_goes_over_the_budget_takes_a_yes_from_everybody_keys_included(pool: PgPool) {
    let world = scene(pool).await;
    budget_of(&world, 0.01).await;
    let lead = world.actor(Role::Approver);
    let key = Actor {
        who: Who::Key {
            id: KeyId(uuid::Uuid::from_u128(77)),
            name: "ci".to_owned(),
        },
        grant: Grant::Scopes {
            scopes: vec![Scope::PromotionsRequest],
            environments: None,
        },
        ..lead.clone()
    };
    for by in [&lead, &key] {
        let words = refused_field(ask(&world, by, "production", 2, Terms::default(), at(30)).await);
        assert!(words.contains("budget is $0.01 a day"), "{words}");
    }
    let done = ask(&world, &key, "production", 2, YES, at(30))
        .await
        .unwrap();
    assert_eq!(done.status, PromotionStatus::Executed);
    let full = promotions::find(&world.store, &lead, done.id, at(31))
        .await
        .unwrap()
        .unwrap();
    assert!(full.evidence.cache_cost.unwrap().accepted);
    let entry: serde_json::Value =
        sqlx::query_scalar("select detail from audit_entry where action = 'promotion.accept_cost'")
            .fetch_one(&world.store.pool)
            .await
            .unwrap();
    assert_eq!(entry["cache_cost"]["budget_usd"], 0.01);
    let verified = crate::audit::verify(&world.store, world.project, None).await;
    assert!(verified.unwrap().is_ok());
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_day_has_one_budget_however_many_ask_at_once(pool: PgPool) {
    let world = scene(pool).await;
    let lead = world.actor(Role::Approver);
    let prompt = name("p");
    let one = of_change(
        &world.store,
        &lead,
        &prompt,
        "production",
        (None, 2),
        Given::default(),
        at(25),
    );
    let one = one.await.unwrap().expected_usd().unwrap();
    budget_of(&world, one * 1.5).await;
    let (here, there) = tokio::join!(
        ask(&world, &lead, "production", 2, Terms::default(), at(30)),
        ask(&world, &lead, "staging", 2, Terms::default(), at(30)),
    );
    let (done, refused) = if here.is_ok() {
        (here, there)
    } else {
        (there, here)
    };
    assert!(done.is_ok(), "{done:?}");
    assert!(refused_field(refused).contains("in the last 24 hours"));
    // A day later there is room again.
    let day = at(30) + TimeDelta::hours(25);
    assert!(
        ask(&world, &lead, "production", 3, Terms::default(), day)
            .await
            .is_ok()
    );
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_promotion_that_waited_meets_the_budget_of_the_day_it_goes(pool: PgPool) {
    let world = scene(pool).await;
    let (admin, lead) = (world.actor(Role::Admin), world.actor(Role::Approver));
    let policy = Policy {
        gate: false,
        approvals: 1,
        ..Policy::default()
    };
    crate::environments::set_policy(&world.store, &admin, "production", policy, at(21))
        .await
        .unwrap();
    let editor = world.actor(Role::Editor);
    let asked = ask(&world, &editor, "production", 2, Terms::default(), at(30))
        .await
        .unwrap();
    // The editor wrote the version and asked for it: somebody else approves.
    promotions::approve(&world.store, &lead, asked.id, "", None, at(31))
        .await
        .unwrap();
    budget_of(&world, 0.01).await;
    let refused = promotions::execute(&world.store, &editor, asked.id, None, at(40)).await;
    assert!(
        matches!(&refused, Err(Error::Invalid(errors)) if errors[0].field == "accept_cache_cost"),
        "{refused:?}"
    );
    let done = promotions::execute_on(&world.store, &editor, asked.id, YES, at(41))
        .await
        .unwrap();
    assert_eq!(done.promotion.status, PromotionStatus::Executed);
    assert!(done.evidence.cache_cost.unwrap().accepted);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn traffic_is_what_was_observed_before_what_is_set(pool: PgPool) {
    let world = scene(pool.clone()).await;
    let viewer = world.actor(Role::Viewer);
    let wanted = CacheSettings {
        requests_per_hour: Some(500.0),
        distinct_keys: Some(40.0),
        ..CacheSettings::default()
    };
    set(
        &world.store,
        &world.actor(Role::Admin),
        &name("p"),
        wanted,
        at(20),
    )
    .await
    .unwrap();
    let found = async || {
        let (inputs, _) = of_arms(
            &world.store,
            &viewer,
            &name("p"),
            "production",
            &[],
            Given::default(),
            at(100),
        )
        .await
        .unwrap();
        inputs
    };
    let before = found().await;
    assert_eq!(before.requests_per_hour.source, Source::Prompt);
    assert_eq!(
        (before.distinct_keys.value, before.distinct_keys.source),
        (40.0, Source::Prompt)
    );
    assert_eq!(before.ttft_ms.source, Source::Assumed);
    report(&world, &pool, "production", at(100)).await;
    let after = found().await;
    assert_eq!(after.requests_per_hour.source, Source::Observed);
    assert!(
        (after.requests_per_hour.value - 96.25).abs() < 5.0,
        "{after:?}"
    );
    // The reported cached tokens correct the estimate.
    let prompt = name("p");
    let change = of_change(
        &world.store,
        &viewer,
        &prompt,
        "production",
        (None, 2),
        Given::default(),
        at(100),
    );
    let change = change.await.unwrap();
    assert!(change.tokens_measured, "{change:?}");
    assert!((change.prefix_tokens.abs_diff(6_000)) < 50, "{change:?}");
    let editor = world.actor(Role::Editor);
    let refused = set(&world.store, &editor, &name("p"), wanted, at(20)).await;
    assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
    let bad = CacheSettings {
        distinct_keys: Some(0.0),
        ..wanted
    };
    let refused = set(
        &world.store,
        &world.actor(Role::Admin),
        &name("p"),
        bad,
        at(20),
    )
    .await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn promotions_wait_for_the_quietest_hour_and_go_together_in_order(pool: PgPool) {
    let world = scene(pool.clone()).await;
    let lead = world.actor(Role::Approver);
    let quietest = Terms {
        at: At::Quietest,
        ..Terms::default()
    };
    let refused = ask(&world, &lead, "production", 2, quietest, at(100)).await;
    assert!(
        matches!(
            refused,
            Err(Error::Conflict {
                code: "no_quietest_hour",
                ..
            })
        ),
        "{refused:?}"
    );
    report(&world, &pool, "production", at(100)).await;
    let two = ask(&world, &lead, "production", 2, quietest, at(100))
        .await
        .unwrap();
    let three = ask(&world, &lead, "production", 3, quietest, at(101))
        .await
        .unwrap();
    let moment = two.execute_at.unwrap();
    assert_eq!((moment.hour(), two.execute_at), (3, three.execute_at));
    assert_eq!(two.status, PromotionStatus::Approved);
    assert!(
        two.execute_note
            .as_deref()
            .unwrap()
            .starts_with("03:00–04:00 UTC, 0.4 %"),
        "{two:?}"
    );
    assert!(
        promotions::due(&world.store, at(102))
            .await
            .unwrap()
            .is_empty()
    );

    // There is money for one of them, and at one moment one is all they cost.
    let full = promotions::find(&world.store, &lead, two.id, at(102))
        .await
        .unwrap()
        .unwrap();
    let cost = full.evidence.cache_cost.unwrap();
    budget_of(&world, cost.estimate.expected_usd().unwrap() * 1.5).await;

    let due = promotions::due(&world.store, moment).await.unwrap();
    assert_eq!(due.len(), 1, "one window");
    assert_eq!(due[0].ids, [two.id, three.id]);
    let done = promotions::execute_together(&world.store, &lead, &due[0].ids, moment)
        .await
        .unwrap();
    assert!(done.iter().all(|(_, done)| done.is_ok()), "{done:?}");
    let page = domain::page::PageRequest::first(10);
    let prompt = name("p");
    let history = releases::list(
        &world.store,
        &lead,
        Some(&prompt),
        Some("production"),
        &page,
    );
    let numbers: Vec<_> = history
        .await
        .unwrap()
        .items
        .iter()
        .map(|one| (one.from_version, one.version))
        .collect();
    assert_eq!(numbers, [(Some(2), 3), (Some(1), 2), (None, 1)]);
    assert_eq!(
        world.statuses("p").await,
        ["deprecated", "deprecated", "active", "draft"]
    );
    // Both went at one moment, so the day paid for one.
    let (_, spent) = {
        let mut db = pool.acquire().await.unwrap();
        let id: uuid::Uuid = sqlx::query_scalar("select prompt_id from prompt")
            .fetch_one(&pool)
            .await
            .unwrap();
        budget(&mut db, PromptId(id), moment).await.unwrap()
    };
    let one = promotions::find(&world.store, &lead, two.id, moment)
        .await
        .unwrap()
        .unwrap();
    let one = one
        .evidence
        .cache_cost
        .unwrap()
        .estimate
        .expected_usd()
        .unwrap();
    assert!((spent - one).abs() < one * 0.01, "{spent} {one}");
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn approvals_hold_for_all_that_go_in_one_window(pool: PgPool) {
    let world = scene(pool.clone()).await;
    let (admin, lead, editor) = (
        world.actor(Role::Admin),
        world.actor(Role::Approver),
        world.actor(Role::Editor),
    );
    let policy = Policy {
        gate: false,
        approvals: 1,
        ..Policy::default()
    };
    crate::environments::set_policy(&world.store, &admin, "production", policy, at(21))
        .await
        .unwrap();
    report(&world, &pool, "production", at(100)).await;
    let quietest = Terms {
        at: At::Quietest,
        ..Terms::default()
    };
    let mut ids = Vec::new();
    for version in [2, 3] {
        let asked = ask(&world, &editor, "production", version, quietest, at(100))
            .await
            .unwrap();
        ids.push(asked.id);
    }
    let waits = ask(&world, &editor, "production", 4, quietest, at(100))
        .await
        .unwrap();
    let mut moment = None;
    for id in &ids {
        let approved = promotions::approve(&world.store, &lead, *id, "", None, at(110))
            .await
            .unwrap();
        assert_eq!(approved.promotion.status, PromotionStatus::Approved);
        moment = approved.promotion.execute_at;
    }
    let moment = moment.unwrap();
    let all = [ids[0], waits.id, ids[1]];
    let done = promotions::execute_together(&world.store, &lead, &all, moment)
        .await
        .unwrap();
    let went: Vec<bool> = done.iter().map(|(_, done)| done.is_ok()).collect();
    assert_eq!(went, [true, false, true], "{done:?}");
    // Twice at once: the second finds it over.
    let again = promotions::execute_together(&world.store, &lead, &ids, moment)
        .await
        .unwrap();
    assert!(again.iter().all(|(_, done)| done.is_err()));
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn going_back_at_once_is_free_and_later_it_is_not(pool: PgPool) {
    let world = scene(pool).await;
    world.promote("p", "production", 2, 1_000).await.unwrap();
    let viewer = world.actor(Role::Viewer);
    let back = async |seconds| {
        let found = of_rollback(
            &world.store,
            &viewer,
            &name("p"),
            "production",
            1,
            Given::default(),
            at(seconds),
        )
        .await;
        found.unwrap().expected_usd().unwrap()
    };
    assert!(back(1_030).await < 1e-6);
    assert!(back(5_000).await > 0.05);
    let given = Given {
        requests_per_hour: Some(2_000.0),
        ..Given::default()
    };
    let (store, prompt) = (&world.store, name("p"));
    let entered = of_rollback(store, &viewer, &prompt, "production", 1, given, at(5_000)).await;
    let inputs = entered.unwrap().inputs;
    assert_eq!(inputs.requests_per_hour.source, Source::Given);
    let nowhere = Given::default();
    let refused = of_rollback(store, &viewer, &prompt, "production", 9, nowhere, at(5)).await;
    assert!(
        matches!(refused, Err(Error::NotFound("version"))),
        "{refused:?}"
    );
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn each_arm_pays_for_its_share_and_the_control_for_nothing(pool: PgPool) {
    let world = scene(pool).await;
    let viewer = world.actor(Role::Viewer);
    let arms = [(Some(1), 0.5), (Some(2), 0.5), (None, 0.5), (Some(99), 0.5)];
    let (inputs, found) = of_arms(
        &world.store,
        &viewer,
        &name("p"),
        "production",
        &arms,
        Given::default(),
        at(30),
    )
    .await
    .unwrap();
    assert_eq!(inputs.requests_per_hour.source, Source::Assumed);
    let [control, challenger, unnamed, missing] = &found[..] else {
        panic!("{found:?}")
    };
    assert!(control.estimate.as_ref().unwrap().free.is_some());
    let whole = of_change(
        &world.store,
        &viewer,
        &name("p"),
        "production",
        (None, 2),
        Given::default(),
        at(30),
    )
    .await
    .unwrap();
    let worst = |estimate: &Estimate| estimate.cost.unwrap().upper_bound_usd;
    let half = worst(challenger.estimate.as_ref().unwrap());
    assert!((half * 2.0 - worst(&whole)).abs() < 1e-9, "{half}");
    assert_eq!(challenger.never_cached, None);
    assert!(unnamed.estimate.is_none() && missing.estimate.is_none());
}
