//! What a version is held against is decided when it is released, and never again.

use domain::{gate::GatePolicy, release::DeploymentKind};

use super::*;
use crate::{
    gates::{self, NewGate},
    releases::{self, Release, Seen},
};

/// Asks production's gate about version 1; so many cases fail.
async fn gate(
    world: &World,
    suite: SuiteId,
    policy: GatePolicy,
    n_failing: i32,
    seconds: i64,
) -> RunId {
    let prompt = name("triage");
    let new = NewGate {
        prompt: &prompt,
        subject: Subject::Saved(1),
        suite: Some(suite),
        policy: Some(policy),
    };
    let store = &world.store;
    let run = gates::ask(store, &world.actor(Role::Editor), new, at(seconds))
        .await
        .unwrap();
    end(world, run, n_failing, "fp_1", seconds + 1).await;
    // What serves was run beside it, where no such run was there.
    let beside: Option<Uuid> = sqlx::query_scalar("select run_id from run where status = 'queued'")
        .fetch_optional(&store.pool)
        .await
        .unwrap();
    if let Some(beside) = beside {
        end(world, RunId(beside), 10, "fp_1", seconds + 1).await;
    }
    gates::decide(store, world.project, run, at(seconds + 2))
        .await
        .unwrap();
    run
}

async fn run(world: &World, suite: SuiteId, n_failing: i32, seconds: i64) -> RunId {
    let run = launch(world, "triage", suite, seconds).await;
    end(world, run, n_failing, "fp_1", seconds + 1).await;
    run
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_promotion_is_held_against_the_gate_run_it_was_decided_on(pool: PgPool) {
    let world = World::new(pool).await;
    let suite = prompt(&world, "triage", "local", 60).await;
    let gated = gate(&world, suite, GatePolicy::default(), 4, 5).await;
    // Somebody runs it again before it is promoted: that is not what was decided on.
    run(&world, suite, 0, 10).await;
    world.promote("triage", "production", 1, 20).await.unwrap();
    assert_eq!(detail(&world, 21).await.frozen_run, Some(gated));

    // Neither a better nor a worse run of the same version moves it.
    run(&world, suite, 0, 30).await;
    let found = check(&world, 4, "fp_1", 100).await;
    assert_eq!(found.frozen_run, Some(gated));
    assert_eq!(found.finding.state, State::Healthy);
    run(&world, suite, 30, 200).await;
    gate(&world, suite, GatePolicy::default(), 30, 210).await;
    let found = check(&world, 16, "fp_1", 300).await;
    assert_eq!(found.frozen_run, Some(gated));
    assert_eq!(found.finding.state, State::Drifted);
    assert_eq!(detail(&world, 400).await.frozen_run, Some(gated));
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_version_that_is_promoted_again_is_held_against_what_that_was_decided_on(pool: PgPool) {
    let (world, suite) = promoted(pool).await;
    let first = detail(&world, 20).await.frozen_run;
    save(
        &world,
        "triage",
        "local",
        "Sort again {{mail}} for {{plan}}",
    )
    .await;
    world.promote("triage", "production", 2, 100).await.unwrap();
    let gated = gate(&world, suite, GatePolicy::default(), 2, 110).await;
    // A rollback decides nothing anew.
    let seen = Seen::OnArrival;
    world.roll_back("triage", None, seen, 120).await.unwrap();
    assert_eq!(detail(&world, 121).await.frozen_run, first);
    world.promote("triage", "production", 2, 130).await.unwrap();
    world.promote("triage", "production", 1, 140).await.unwrap();
    assert_eq!(detail(&world, 141).await.frozen_run, Some(gated));

    // It had to come out no worse than the version before: luck that a check allows for.
    let found = check(&world, 2, "fp_1", 200).await;
    let level = found.finding.numbers.unwrap().level;
    let whole = domain::drift::ALARM_LEVEL;
    assert!(
        (level - whole * domain::drift::LUCKY_SHARE).abs() < 1e-12,
        "{level}"
    );
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_gate_with_nothing_to_be_held_against_needs_no_luck(pool: PgPool) {
    let world = World::new(pool).await;
    let suite = prompt(&world, "triage", "local", 60).await;
    gate(&world, suite, GatePolicy::default(), 4, 5).await;
    world.promote("triage", "production", 1, 20).await.unwrap();
    let found = check(&world, 4, "fp_1", 100).await;
    let level = found.finding.numbers.unwrap().level;
    assert!(
        (level - domain::drift::ALARM_LEVEL).abs() < 1e-12,
        "{level}"
    );
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_gate_of_a_part_leaves_the_whole_run_from_before(pool: PgPool) {
    let world = World::new(pool).await;
    let suite = prompt(&world, "triage", "local", 60).await;
    let editor = world.actor(Role::Editor);
    let case = json!({
        "variables": { "mail": "tagged", "plan": "free" }, "expected": "yes", "tags": ["smoke"],
    });
    let tagged = Case::parse(&case, Origin::Manual).unwrap();
    suites::add_cases(&world.store, &editor, suite, &[tagged], at(4))
        .await
        .unwrap();
    let whole = run(&world, suite, 4, 5).await;
    let smoke = GatePolicy {
        tags: vec!["smoke".to_owned()],
        ..GatePolicy::default()
    };
    let admin = world.actor(Role::Admin);
    let (store, prompt) = (&world.store, name("triage"));
    gates::set_rule(store, &admin, &prompt, PRODUCTION, suite, &smoke, at(8))
        .await
        .unwrap();
    gate(&world, suite, smoke, 0, 10).await;
    world.promote("triage", "production", 1, 20).await.unwrap();
    assert_eq!(detail(&world, 21).await.frozen_run, Some(whole));
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn what_stands_in_for_a_run_at_promotion_stays(pool: PgPool) {
    let world = World::new(pool).await;
    let suite = prompt(&world, "triage", "local", 40).await;
    let (store, admin) = (&world.store, world.actor(Role::Admin));
    let prompt = name("triage");
    let release = Release {
        prompt: &prompt,
        environment: PRODUCTION,
        reason: "the gate is down",
        seen: Seen::OnArrival,
    };
    let released = releases::break_glass(store, &admin, &release, 1, at(10)).await;
    assert_eq!(released.unwrap().kind, DeploymentKind::BreakGlass);
    assert_eq!(detail(&world, 11).await.frozen_run, None);
    let first = check(&world, 2, "fp_1", 100).await;
    assert_eq!(first.finding.why, Some(Why::NoFrozenRun));
    // A run that ends later than the check, and says it ended before it: a clock went back.
    let other = launch(&world, "triage", suite, 20).await;
    end(&world, other, 0, "fp_1", 21).await;
    let second = check(&world, 2, "fp_1", 200).await;
    assert_eq!(second.frozen_run, first.run);
    assert_eq!(second.finding.state, State::Healthy);
}
