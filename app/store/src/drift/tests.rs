//! Checks by schedule, by people, and what they come to.

use std::time::Duration;

use domain::{
    actor::Role,
    content::Content,
    drift::{Why, inputs::Shift},
    monitor::{Call, Event, Kind},
    run::{AnsweredBy, CaseResult, RunOptions},
    suite::{Case, NewSuite, Origin},
};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use super::*;
use crate::{
    Error, events,
    runs::{self, NewRun, Subject, work},
    suites,
    testing::{World, at, name},
    versions,
};

mod baseline;
mod servers;

const DAY: i64 = 86_400;

/// A prompt with a suite of so many cases, whose version 1 is saved and served by nobody.
async fn prompt(world: &World, prompt: &str, provider: &str, n_cases: usize) -> SuiteId {
    sqlx::query(
        "insert into provider (provider_id, project_id, name, kind, base_url, max_concurrency, created_by, created_at, changed_at)
         select gen_random_uuid(), $1, 'local', 'openai', 'http://127.0.0.1:9/v1', 4, '{}', $2, $2
         where not exists (select from provider where project_id = $1)",
    )
    .bind(world.project.0)
    .bind(at(0))
    .execute(&world.store.pool)
    .await
    .unwrap();
    world.prompt(prompt).await;
    save(world, prompt, provider, "Sort {{mail}} for {{plan}}").await;
    let editor = world.actor(Role::Editor);
    let new = json!({ "name": format!("cases of {prompt}"), "prompt": prompt, "scorers": [{ "type": "icontains" }] });
    let suite = suites::create(
        &world.store,
        &editor,
        &NewSuite::parse(&new).unwrap(),
        at(3),
    )
    .await
    .unwrap();
    let cases: Vec<Case> = (0..n_cases)
        .map(|n| {
            let case = json!({ "variables": { "mail": format!("mail {n}"), "plan": "free" }, "expected": "yes" });
            Case::parse(&case, Origin::Manual).unwrap()
        })
        .collect();
    suites::add_cases(&world.store, &editor, suite.id, &cases, at(4))
        .await
        .unwrap();
    suite.id
}

async fn save(world: &World, prompt: &str, provider: &str, words: &str) {
    let content = json!({
        "type": "text", "messages": [{ "role": "user", "content": words }],
        "variables": [
            { "name": "mail", "type": "string", "max_length": 4000 },
            { "name": "plan", "type": "enum", "values": ["free", "pro"] },
        ],
        "model": { "provider": provider, "name": "model-1" },
    });
    let content = Content::parse("content", content).unwrap();
    let editor = world.actor(Role::Editor);
    versions::create(
        &world.store,
        &editor,
        &name(prompt),
        content,
        "a change",
        None,
        at(2),
    )
    .await
    .unwrap();
}

/// Ends a run: the first so many cases fail.
async fn end(world: &World, run: RunId, n_failing: i32, fingerprint: &str, seconds: i64) {
    let lease = Uuid::now_v7();
    let lasts = Duration::from_mins(1);
    let claimed = work::claim(&world.store, run, lease, 1_000, lasts, at(seconds))
        .await
        .unwrap();
    let results: Vec<CaseResult> = claimed
        .into_iter()
        .map(|claimed| CaseResult {
            case: claimed.id,
            repeat: claimed.repeat,
            position: claimed.position,
            output: Some("yes".to_owned()),
            tool_calls: None,
            finish_reason: None,
            passed: claimed.position > n_failing,
            score: None,
            scores: Vec::new(),
            error: None,
            latency_ms: None,
            ttft_ms: None,
            input_tokens: None,
            output_tokens: None,
            cache_read_tokens: None,
            cache_write_tokens: None,
            cost_usd: None,
            answered_by: Some(AnsweredBy {
                model: "model-1".to_owned(),
                fingerprint: Some(fingerprint.to_owned()),
                ..AnsweredBy::default()
            }),
        })
        .collect();
    work::finish(&world.store, run, lease, &results, at(seconds))
        .await
        .unwrap();
}

async fn launch(world: &World, prompt: &str, suite: SuiteId, seconds: i64) -> RunId {
    let prompt = name(prompt);
    let new = NewRun {
        prompt: &prompt,
        subject: Subject::Saved(1),
        suite,
        options: RunOptions {
            repeats: 1,
            ..RunOptions::default()
        },
    };
    runs::launch(&world.store, &world.actor(Role::Editor), &new, at(seconds))
        .await
        .unwrap()
        .id
}

/// A prompt whose version 1 was run on 60 cases, 4 of which failed, and promoted.
async fn promoted(pool: PgPool) -> (World, SuiteId) {
    let world = World::new(pool).await;
    let suite = prompt(&world, "triage", "local", 60).await;
    let run = launch(&world, "triage", suite, 5).await;
    end(&world, run, 4, "fp_1", 6).await;
    world.promote("triage", "production", 1, 10).await.unwrap();
    (world, suite)
}

async fn check(world: &World, n_failing: i32, fingerprint: &str, seconds: i64) -> Check {
    let editor = world.actor(Role::Editor);
    let (_, run) = run_now(&world.store, &editor, &name("triage"), at(seconds))
        .await
        .unwrap();
    end(world, run, n_failing, fingerprint, seconds + 1).await;
    assert_eq!(judge_ended(&world.store, at(seconds + 2)).await.unwrap(), 1);
    detail(world, seconds + 3).await.checks.remove(0).0
}

async fn detail(world: &World, seconds: i64) -> Detail {
    let viewer = world.actor(Role::Viewer);
    find(&world.store, &viewer, &name("triage"), at(seconds))
        .await
        .unwrap()
        .unwrap()
}

async fn standings(world: &World) -> Vec<Standing> {
    let viewer = world.actor(Role::Viewer);
    let watched = list(&world.store, &viewer, None).await.unwrap();
    watched.into_iter().map(|one| one.standing).collect()
}

async fn count(world: &World, table: &'static str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {table}")))
        .fetch_one(&world.store.pool)
        .await
        .unwrap()
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn drift_is_found_against_the_run_at_promotion(pool: PgPool) {
    let (world, _) = promoted(pool).await;
    let before = standings(&world).await;
    assert_eq!(
        (before[0].state, before[0].checked_at),
        (State::CannotTell, None)
    );

    let same = check(&world, 4, "fp_1", 100).await;
    assert_eq!(
        same.finding.state,
        State::Healthy,
        "{}",
        same.finding.sentence
    );
    assert!(same.finding.causes.is_empty());

    let worse = check(&world, 16, "fp_2", 200).await;
    assert_eq!(
        worse.finding.state,
        State::Drifted,
        "{}",
        worse.finding.sentence
    );
    let numbers = worse.finding.numbers.unwrap();
    assert_eq!((numbers.lost, numbers.gained, numbers.n_cases), (12, 0, 60));
    let causes: Vec<_> = worse
        .finding
        .causes
        .iter()
        .map(|cause| cause.after.as_str())
        .collect();
    assert_eq!(causes, ["model-1 (fp_2)"]);
    assert_eq!(worse.finding.chart.unwrap().n_th, 2);

    let after = standings(&world).await;
    assert_eq!(after[0].state, State::Drifted);
    assert_eq!(after[0].prompt.as_str(), "triage");
    let found = detail(&world, 300).await;
    assert_eq!(found.watched.charts.len(), 2);
    assert_eq!(found.frozen_run, worse.frozen_run);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn drift_checks_never_become_what_they_are_held_against(pool: PgPool) {
    let (world, _) = promoted(pool).await;
    let first = check(&world, 16, "fp_1", 100).await;
    // Another version serves for a while, then the first one is rolled back to.
    save(
        &world,
        "triage",
        "local",
        "Sort again {{mail}} for {{plan}}",
    )
    .await;
    world.promote("triage", "production", 2, 200).await.unwrap();
    world
        .roll_back("triage", None, crate::releases::Seen::OnArrival, 300)
        .await
        .unwrap();
    let second = check(&world, 16, "fp_1", 400).await;
    assert_eq!(second.frozen_run, first.frozen_run);
    assert_eq!(second.finding.state, State::Drifted);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn drift_without_a_run_at_promotion_starts_with_the_first_check(pool: PgPool) {
    let world = World::new(pool).await;
    prompt(&world, "triage", "local", 40).await;
    world.promote("triage", "production", 1, 10).await.unwrap();
    let first = check(&world, 2, "fp_1", 100).await;
    assert_eq!(first.finding.why, Some(Why::NoFrozenRun));
    let second = check(&world, 2, "fp_1", 200).await;
    assert_eq!(second.finding.state, State::Healthy);
    assert_eq!(second.frozen_run, first.run);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn drift_compares_only_cases_that_stayed_as_they_were(pool: PgPool) {
    let (world, suite) = promoted(pool).await;
    let editor = world.actor(Role::Editor);
    let case = json!({ "variables": { "mail": "more", "plan": "pro" }, "expected": "yes" });
    let case = Case::parse(&case, Origin::Manual).unwrap();
    suites::add_cases(&world.store, &editor, suite, &[case], at(50))
        .await
        .unwrap();
    let found = check(&world, 4, "fp_1", 100).await;
    let numbers = found.finding.numbers.as_ref().unwrap();
    assert_eq!((numbers.n_cases, numbers.n_run), (60, 61));
    assert!(
        found
            .finding
            .sentence
            .contains("Only cases that both runs have"),
        "{}",
        found.finding.sentence
    );
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn drift_is_looked_for_once_after_three_weeks_asleep_and_by_one_server(pool: PgPool) {
    let (world, _) = promoted(pool).await;
    let store = &world.store;
    ensure_schedules(store, at(20)).await.unwrap();
    let due = detail(&world, 30).await.watched.next_due.unwrap();
    assert_eq!(
        launch_due(store, due - TimeDelta::seconds(1))
            .await
            .unwrap(),
        0
    );
    // Nobody was there for three weeks; then two servers start at the same moment.
    let woken = due + TimeDelta::weeks(3) + TimeDelta::hours(5);
    let (one, two) = tokio::join!(launch_due(store, woken), launch_due(store, woken));
    assert_eq!(one.unwrap() + two.unwrap(), 1);
    assert_eq!(count(&world, "drift_launch").await, 1);
    let watched = detail(&world, 30).await.watched;
    assert!(watched.next_due.unwrap() > woken);
    assert!(watched.next_due.unwrap() < woken + TimeDelta::weeks(1));
    assert_eq!(launch_due(store, woken).await.unwrap(), 0);
    // The next moment comes while the check is still under way: it answers for both.
    let next = watched.next_due.unwrap();
    assert_eq!(launch_due(store, next).await.unwrap(), 0);
    assert_eq!(count(&world, "drift_launch").await, 1);

    end(&world, watched.running.unwrap(), 4, "fp_1", 40).await;
    let (one, two) = tokio::join!(judge_ended(store, next), judge_ended(store, next));
    assert_eq!(one.unwrap() + two.unwrap(), 1);
    assert_eq!(count(&world, "drift_check").await, 1);
    let (check, who) = detail(&world, 50).await.checks.remove(0);
    assert_eq!((check.due_at, who.name()), (Some(due), "drift"));
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn drift_servers_race_for_many_prompts_and_take_each_once(pool: PgPool) {
    let world = World::new(pool).await;
    for n in 0..8 {
        let prompt_name = format!("prompt-{n}");
        prompt(&world, &prompt_name, "local", 3).await;
        world
            .promote(&prompt_name, "production", 1, 10)
            .await
            .unwrap();
    }
    ensure_schedules(&world.store, at(20)).await.unwrap();
    let now = at(20 + 8 * DAY);
    let store = &world.store;
    let (a, b, c) = tokio::join!(
        launch_due(store, now),
        launch_due(store, now),
        launch_due(store, now)
    );
    assert_eq!(a.unwrap() + b.unwrap() + c.unwrap(), 8);
    assert_eq!(count(&world, "drift_launch").await, 8);
    assert_eq!(count(&world, "run").await, 8);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn drift_that_cannot_be_looked_for_says_why(pool: PgPool) {
    let world = World::new(pool).await;
    prompt(&world, "triage", "nowhere", 3).await;
    world.promote("triage", "production", 1, 10).await.unwrap();
    ensure_schedules(&world.store, at(20)).await.unwrap();
    assert_eq!(launch_due(&world.store, at(8 * DAY)).await.unwrap(), 1);
    let (check, _) = detail(&world, 9 * DAY).await.checks.remove(0);
    assert_eq!(check.finding.state, State::CannotTell);
    assert!(
        check.finding.sentence.contains("no provider named nowhere"),
        "{}",
        check.finding.sentence
    );
    let editor = world.actor(Role::Editor);
    let refused = run_now(&world.store, &editor, &name("triage"), at(100)).await;
    assert!(matches!(
        refused,
        Err(Error::Conflict {
            code: "provider_not_configured",
            ..
        })
    ));
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn drift_of_a_cancelled_run_cannot_be_told(pool: PgPool) {
    let (world, _) = promoted(pool).await;
    let editor = world.actor(Role::Editor);
    let prompt = name("triage");
    let (_, run) = run_now(&world.store, &editor, &prompt, at(100))
        .await
        .unwrap();
    let twice = run_now(&world.store, &editor, &prompt, at(101)).await;
    assert!(matches!(
        twice,
        Err(Error::Conflict {
            code: "check_running",
            ..
        })
    ));
    runs::cancel(&world.store, &editor, run, at(102))
        .await
        .unwrap();
    judge_ended(&world.store, at(103)).await.unwrap();
    let (check, _) = detail(&world, 104).await.checks.remove(0);
    assert!(matches!(check.finding.why, Some(Why::NotEnded { .. })));
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_drift_schedule_is_set_by_editors_and_read_back(pool: PgPool) {
    let (world, _) = promoted(pool).await;
    let prompt = name("triage");
    let schedule = Schedule {
        cron: "30 2 * * *".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        jitter_minutes: 0,
        enabled: true,
    };
    let viewer = world.actor(Role::Viewer);
    let refused = set_schedule(&world.store, &viewer, &prompt, &schedule, at(20)).await;
    assert!(matches!(refused, Err(Error::Denied(_))));
    let editor = world.actor(Role::Editor);
    let wrong = Schedule {
        cron: "* * * * *".to_owned(),
        ..schedule.clone()
    };
    let refused = set_schedule(&world.store, &editor, &prompt, &wrong, at(20)).await;
    assert!(matches!(refused, Err(Error::Invalid(_))));
    let next = set_schedule(&world.store, &editor, &prompt, &schedule, at(20))
        .await
        .unwrap();
    let watched = detail(&world, 30).await.watched;
    assert_eq!(
        (watched.schedule.unwrap(), watched.next_due),
        (schedule.clone(), next)
    );
    let off = Schedule {
        enabled: false,
        ..schedule
    };
    let next = set_schedule(&world.store, &editor, &prompt, &off, at(40))
        .await
        .unwrap();
    assert_eq!(next, None);
    assert_eq!(launch_due(&world.store, at(30 * DAY)).await.unwrap(), 0);
}

fn call(n: u128, mail: &str, plan: &str, seconds: i64) -> Event {
    Event {
        id: Uuid::from_u128(n),
        kind: Kind::Generation,
        at: at(seconds),
        prompt: Some("triage".to_owned()),
        version: Some(1),
        environment: Some("production".to_owned()),
        unit: None,
        experiment: None,
        arm: None,
        metric: None,
        value: None,
        call: Call::default(),
        variables: Some(json!({ "mail": mail, "plan": plan })),
        output: None,
    }
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn input_drift_is_counted_once_however_often_events_come(pool: PgPool) {
    let (world, _) = promoted(pool).await;
    let store = &world.store;
    let editor = world.actor(Role::Editor);
    let english = "Hello, my parcel has still not arrived although it was sent two weeks ago.";
    let german = "Guten Tag, mein Paket ist leider noch immer nicht angekommen, obwohl es längst verschickt wurde.";
    let then: Vec<(usize, Event)> = (0..300)
        .map(|n| (n, call(n as u128, english, "free", DAY)))
        .collect();
    let now: Vec<(usize, Event)> = (0..300)
        .map(|n| {
            let text = if n % 2 == 0 { english } else { german };
            (n, call(n as u128 + 1_000, text, "pro", 20 * DAY))
        })
        .collect();
    for batch in [&then, &now, &then, &now] {
        events::ingest(store, &editor, batch, at(20 * DAY))
            .await
            .unwrap();
    }
    let (one, two) = tokio::join!(
        events::roll_up(store, at(20 * DAY)),
        events::roll_up(store, at(20 * DAY))
    );
    // Two batches, each waiting for its inputs and for its calls to be added up.
    assert_eq!(one.unwrap() + two.unwrap(), 4);
    assert_eq!(events::roll_up(store, at(20 * DAY)).await.unwrap(), 0);

    let found = detail(&world, 20 * DAY).await;
    let of = |variable: &str, feature: Feature| {
        found
            .inputs
            .iter()
            .find(|one| one.variable == variable && one.feature == feature)
            .unwrap()
    };
    let plan = of("plan", Feature::Category);
    assert_eq!(
        (plan.n_before, plan.n_after, plan.shift),
        (300, 300, Shift::Shifted)
    );
    let language = of("mail", Feature::Language);
    assert_eq!(language.shift, Shift::Shifted, "{language:?}");
    assert!(
        language
            .bins
            .iter()
            .any(|bin| bin.label == "German" && bin.after > 0.4)
    );
    assert_eq!(of("mail", Feature::Missing).shift, Shift::Stable);
}

#[test]
fn windows_of_input_drift_never_overlap() {
    let day = |n: i64| at(n * DAY).date_naive();
    let fresh = Windows::of(at(0), at(5 * DAY));
    assert_eq!((fresh.before, fresh.after), ((day(-7), day(7)), None));
    let young = Windows::of(at(0), at(9 * DAY));
    assert_eq!(young.after, Some((day(8), day(9))));
    let old = Windows::of(at(0), at(60 * DAY));
    assert_eq!(old.after, Some((day(54), day(60))));
}
