use domain::{
    actor::Role,
    experiment::{ArmCounts, Observed},
    page::PageRequest,
};
use sqlx::PgPool;

use super::*;
use crate::{
    releases::Seen,
    testing::{World, at},
};

mod layers;

/// A prompt with two versions, the first of which serves production.
async fn world(pool: PgPool) -> World {
    let world = World::new(pool).await;
    world.prompt_with_versions("triage", 3).await;
    world.promote("triage", "production", 1, 5).await.unwrap();
    world
}

fn plan(change: Value) -> Plan {
    let mut plan = json!({
        "name": "shorter", "prompt": "triage", "environment": "production", "primary_metric": "resolved",
        "arms": [{ "name": "A", "version": 1 }, { "name": "B", "version": 2 }],
        "guardrails": [{ "metric": "latency_ms", "direction": "lower", "margin": 50 }],
        "baseline": 0.8, "traffic": 0.5,
    });
    for (name, value) in change.as_object().unwrap() {
        plan[name] = value.clone();
    }
    Plan::parse(plan).unwrap()
}

async fn planned(world: &World, change: Value) -> Experiment {
    create(
        &world.store,
        &world.actor(Role::Editor),
        &plan(change),
        at(10),
    )
    .await
    .unwrap()
}

async fn started(world: &World, change: Value) -> Experiment {
    let experiment = planned(world, change).await;
    start(
        &world.store,
        &world.actor(Role::Editor),
        experiment.id,
        at(20),
    )
    .await
    .unwrap()
    .experiment
}

async fn read_back(world: &World, id: ExperimentId) -> Experiment {
    find(&world.store, &world.actor(Role::Viewer), id)
        .await
        .unwrap()
        .unwrap()
}

async fn story(world: &World, id: ExperimentId) -> Vec<String> {
    timeline(&world.store, &world.actor(Role::Viewer), id)
        .await
        .unwrap()
        .into_iter()
        .map(|entry| {
            json!(entry.what)["what"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
        .collect()
}

#[track_caller]
fn code<T: std::fmt::Debug>(result: Result<T>) -> &'static str {
    match result.unwrap_err() {
        Error::Conflict { code, .. } => code,
        other => panic!("{other:?}"),
    }
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn what_was_planned_is_read_back(pool: PgPool) {
    let world = world(pool).await;
    let made = planned(
        &world,
        json!({ "hypothesis": "less is more", "days": 14, "units_per_day": 10.5 }),
    )
    .await;
    assert_eq!(read_back(&world, made.id).await, made);
    assert_eq!(made.salt, made.id.to_string());
    assert_eq!(made.planned_units, 1_812);
    let layered = json!({ "layer": "checkout", "traffic": 0.25, "traffic_from": 0.5 });
    let layered = planned(&world, layered).await;
    assert_eq!(read_back(&world, layered.id).await, layered);
    assert_eq!(layered.salt, layered.id.to_string());

    let by = world.actor(Role::Viewer);
    let filter = Filter {
        status: Some(Status::Draft),
        ..Filter::default()
    };
    let first = list(&world.store, &by, &filter, &PageRequest::first(1))
        .await
        .unwrap();
    assert_eq!(first.items[0].id, layered.id);
    let page = PageRequest::parse(Some("1"), first.next_cursor.as_deref()).unwrap();
    let second = list(&world.store, &by, &filter, &page).await.unwrap();
    assert_eq!((second.items[0].id, second.next_cursor), (made.id, None));

    let refused = create(&world.store, &by, &plan(json!({})), at(11)).await;
    assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
    let editor = world.actor(Role::Editor);
    let missing = json!({ "arms": [{ "name": "A", "version": 7 }, { "name": "B", "version": 8 }] });
    let refused = create(&world.store, &editor, &plan(missing), at(11)).await;
    assert!(
        matches!(&refused, Err(Error::Invalid(errors)) if errors.len() == 2),
        "{refused:?}"
    );
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn arms_are_fixed_while_it_runs_and_traffic_only_goes_up(pool: PgPool) {
    let world = world(pool).await;
    let editor = world.actor(Role::Editor);
    let draft = planned(&world, json!({})).await;
    let three = json!({ "arms": [
        { "name": "A", "version": 1 }, { "name": "B", "version": 2 }, { "name": "C", "version": 3 }] });
    let changed = change(&world.store, &editor, draft.id, &plan(three), at(11))
        .await
        .unwrap();
    assert_eq!(read_back(&world, draft.id).await, changed);

    let running = start(&world.store, &editor, draft.id, at(20))
        .await
        .unwrap()
        .experiment;
    assert_eq!(running.status, Status::Running);
    assert_eq!(
        world.statuses("triage").await,
        ["active", "testing", "testing"]
    );
    assert_eq!(
        code(change(&world.store, &editor, draft.id, &plan(json!({})), at(21)).await),
        "experiment_frozen"
    );
    assert_eq!(
        code(start(&world.store, &editor, draft.id, at(21)).await),
        "illegal_experiment_move"
    );
    assert_eq!(
        code(conclude(&world.store, &editor, draft.id, "x", at(21)).await),
        "illegal_experiment_move"
    );
    assert_eq!(
        code(raise_traffic(&world.store, &editor, draft.id, 0.2, at(21)).await),
        "traffic_only_up"
    );
    raise_traffic(&world.store, &editor, draft.id, 0.9, at(22))
        .await
        .unwrap();
    // The database forbids it, too, whoever asks.
    for sql in [
        "update experiment set salt = 'x'",
        "update experiment set layer = 'x'",
        "update experiment set traffic_from = 0.1",
        "update experiment set traffic = 0.1",
        "delete from experiment_arm",
    ] {
        sqlx::query(sql)
            .execute(&world.store.pool)
            .await
            .unwrap_err();
    }

    stop(&world.store, &editor, draft.id, "enough", at(30))
        .await
        .unwrap();
    let done = conclude(&world.store, &editor, draft.id, "B it is", at(40))
        .await
        .unwrap();
    assert_eq!(read_back(&world, draft.id).await, done);
    assert!((done.plan.traffic - 0.9).abs() < 1e-12);
    assert_eq!(
        story(&world, draft.id).await,
        [
            "created",
            "changed",
            "started",
            "traffic_raised",
            "stopped",
            "concluded"
        ]
    );
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn one_runs_for_each_prompt_and_environment_and_its_control_is_what_serves(pool: PgPool) {
    let world = world(pool).await;
    let editor = world.actor(Role::Editor);
    let second = planned(&world, json!({})).await;
    started(&world, json!({})).await;
    assert_eq!(
        code(start(&world.store, &editor, second.id, at(21)).await),
        "experiment_running"
    );

    let other = json!({ "arms": [{ "name": "A", "version": 2 }, { "name": "B", "version": 3 }] });
    let other = planned(&world, other).await;
    assert_eq!(
        code(start(&world.store, &editor, other.id, at(21)).await),
        "control_not_serving"
    );
    let nowhere = planned(&world, json!({ "environment": "staging" })).await;
    assert_eq!(
        code(start(&world.store, &editor, nowhere.id, at(21)).await),
        "not_deployed"
    );
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_release_ends_the_experiment_that_runs_there(pool: PgPool) {
    let world = world(pool).await;
    world.promote("triage", "production", 3, 6).await.unwrap();
    let change = json!({ "arms": [{ "name": "A", "version": 3 }, { "name": "B", "version": 2 }] });
    let experiment = started(&world, change).await;
    world
        .roll_back("triage", None, Seen::OnArrival, 30)
        .await
        .unwrap();
    let after = read_back(&world, experiment.id).await;
    assert_eq!(
        (after.status, after.stopped_at),
        (Status::Stopped, Some(at(30)))
    );
    assert_eq!(
        story(&world, experiment.id).await,
        ["created", "started", "stopped"]
    );
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn counts_are_frozen_once_and_alarms_are_raised_once(pool: PgPool) {
    let world = world(pool).await;
    let editor = world.actor(Role::Editor);
    let counts = |arms: [(u64, u64); 2]| Observed {
        arms: arms
            .map(|(successes, units)| ArmCounts { units, successes })
            .to_vec(),
        ..Observed::default()
    };
    let judge = async |id: ExperimentId, arms, seconds| {
        let experiment = read_back(&world, id).await;
        watch::judge(
            &world.store,
            &editor,
            &experiment,
            &counts(arms),
            at(seconds),
        )
        .await
        .unwrap()
    };
    let experiment = started(&world, json!({})).await;
    assert_eq!(watch::running(&world.store).await.unwrap().len(), 1);
    assert!(!judge(experiment.id, [(10, 20), (11, 20)], 25).await);
    assert!(judge(experiment.id, [(700, 910), (750, 905)], 26).await);
    assert!(!judge(experiment.id, [(800, 1_010), (850, 1_005)], 27).await);
    let frozen = read_back(&world, experiment.id).await.frozen.unwrap();
    assert_eq!((frozen.arms[0].units, frozen.at), (910, at(26)));
    // No switch: an alarm, once, and it runs on.
    assert!(judge(experiment.id, [(800, 2_000), (850, 1_000)], 28).await);
    assert!(!judge(experiment.id, [(800, 2_000), (850, 1_000)], 29).await);
    assert_eq!(
        story(&world, experiment.id).await,
        ["created", "started", "frozen", "alarm"]
    );
    stop(&world.store, &editor, experiment.id, "", at(30))
        .await
        .unwrap();

    let watched = started(&world, json!({ "auto_stop": { "srm": true } })).await;
    assert!(judge(watched.id, [(100, 300), (100, 200)], 40).await);
    assert_eq!(read_back(&world, watched.id).await.status, Status::Stopped);
    assert_eq!(
        story(&world, watched.id).await,
        ["created", "started", "alarm", "stopped"]
    );
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_broken_guardrail_stops_what_was_planned_to_stop(pool: PgPool) {
    let world = world(pool).await;
    let editor = world.actor(Role::Editor);
    let latency = |mean| domain::stats::mean::Summary {
        mean,
        sd: 100.0,
        n: 200,
    };
    let slow = Observed {
        arms: vec![
            ArmCounts {
                units: 200,
                successes: 160,
            };
            2
        ],
        guardrails: vec![vec![latency(500.0), latency(900.0)]],
        ..Observed::default()
    };
    let judge = async |id: ExperimentId, seconds| {
        let experiment = read_back(&world, id).await;
        watch::judge(&world.store, &editor, &experiment, &slow, at(seconds))
            .await
            .unwrap()
    };
    // No switch: an alarm, once, and it runs on.
    let told = started(&world, json!({})).await;
    assert!(judge(told.id, 30).await);
    assert!(!judge(told.id, 31).await);
    assert_eq!(
        story(&world, told.id).await,
        ["created", "started", "alarm"]
    );
    stop(&world.store, &editor, told.id, "", at(32))
        .await
        .unwrap();

    let watched = started(&world, json!({ "auto_stop": { "guardrail": true } })).await;
    assert!(judge(watched.id, 40).await);
    let after = read_back(&world, watched.id).await;
    assert_eq!(
        (after.status, after.stopped_at),
        (Status::Stopped, Some(at(40)))
    );
    assert_eq!(
        story(&world, watched.id).await,
        ["created", "started", "alarm", "stopped"]
    );
    assert!(!judge(watched.id, 41).await, "stopped once");
    let entries: Vec<(String, Value)> = sqlx::query_as(
        "select action, detail from audit_entry
         where detail ->> 'experiment_id' = $1 and action in ('experiment.alarm', 'experiment.stop')
         order by sequence",
    )
    .bind(watched.id.to_string())
    .fetch_all(&world.store.pool)
    .await
    .unwrap();
    let actions: Vec<&str> = entries.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(actions, ["experiment.alarm", "experiment.stop"]);
    assert_eq!(entries[0].1["kind"], "guardrail_broken");
    let reason = entries[1].1["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("Stopped by itself.") && reason.contains("latency_ms"),
        "{reason}"
    );
}
