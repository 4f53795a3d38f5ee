//! What goes on when something fails in between, or two do the same.

use super::*;

async fn failing(pool: PgPool) -> World {
    let world = World::new(pool).await;
    world.prompt_with_versions("triage", 3).await;
    world.promote("triage", "production", 2, 20).await.unwrap();
    for minute in 1..=30 {
        calls(&world, at(0) + TimeDelta::minutes(minute), 100, 20).await;
    }
    world
}

async fn n_pending(world: &World) -> i64 {
    sqlx::query_scalar("select count(*) from alert_pending")
        .fetch_one(&world.store.pool)
        .await
        .unwrap()
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_rule_that_is_turned_on_again_waits_anew(pool: PgPool) {
    let world = failing(pool).await;
    let store = &world.store;
    judge(store, at(300)).await.unwrap();
    assert_eq!(n_pending(&world).await, 1, "it must last for two minutes");
    let mut rule = rule(&world, Kind::ErrorRate).await;
    rule.plan.enabled = false;
    write(&world, &rule, 310).await;
    assert_eq!(n_pending(&world).await, 0);
    judge(store, at(500)).await.unwrap();
    rule.plan.enabled = true;
    write(&world, &rule, 900).await;
    judge(store, at(900)).await.unwrap();
    assert!(all(&world).await.is_empty(), "not for two minutes yet");
    judge(store, at(1_020)).await.unwrap();
    assert!(all(&world).await[0].is_firing);

    // Whoever removes one leaves nothing behind either.
    let mut other = super::rule(&world, Kind::LatencyP95).await;
    other.plan.kind = Kind::ErrorRate;
    other.plan.threshold = 0.1;
    other.plan.clear_threshold = 0.1;
    write(&world, &other, 1_030).await;
    judge(store, at(1_031)).await.unwrap();
    assert_eq!(n_pending(&world).await, 1);
    let admin = world.actor(Role::Admin);
    remove(store, &admin, other.id, at(1_040)).await.unwrap();
    assert_eq!(n_pending(&world).await, 0);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn an_alert_that_could_not_be_written_is_raised_at_the_next_look(pool: PgPool) {
    let world = failing(pool).await;
    let store = &world.store;
    judge(store, at(300)).await.unwrap();
    sqlx::raw_sql(
        "create function fail() returns trigger language plpgsql as 'begin raise exception ''no''; end';
         create trigger fail before insert on alert for each row execute function fail();",
    )
    .execute(&store.pool)
    .await
    .unwrap();
    judge(store, at(420)).await.unwrap();
    assert!(all(&world).await.is_empty());
    assert_eq!(n_pending(&world).await, 1, "it has lasted all the time");
    sqlx::query("drop trigger fail on alert")
        .execute(&store.pool)
        .await
        .unwrap();
    judge(store, at(423)).await.unwrap();
    assert!(all(&world).await[0].is_firing);
    assert_eq!(n_pending(&world).await, 0);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn two_who_write_an_alerts_history_wait_for_each_other(pool: PgPool) {
    let world = failing(pool).await;
    let store = &world.store;
    judge(store, at(300)).await.unwrap();
    judge(store, at(420)).await.unwrap();
    let id = all(&world).await[0].id;
    let admin = world.actor(Role::Admin);
    let note = async |note: &str, held: std::time::Duration| {
        let mut command = Command::begin(store, "test", &admin, at(430)).await?;
        let happened = Happened::Acknowledged {
            note: note.to_owned(),
        };
        note_down(&mut command, id, &happened).await?;
        tokio::time::sleep(held).await;
        command.commit().await
    };
    let held = std::time::Duration::from_millis(300);
    let (one, two) = tokio::join!(note("one", held), note("two", held));
    one.unwrap();
    two.unwrap();
    let history = history(store, &admin, id).await.unwrap();
    assert_eq!(history.len(), 3, "{history:?}");
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_rollback_that_cannot_be_noted_down_keeps_no_other_from_theirs(pool: PgPool) {
    let world = World::new(pool).await;
    for prompt in ["one", "other"] {
        world.prompt_with_versions(prompt, 2).await;
        world.promote(prompt, "production", 1, 10).await.unwrap();
        world.promote(prompt, "production", 2, 20).await.unwrap();
    }
    let store = &world.store;
    let mut rule = rule(&world, Kind::ErrorRate).await;
    rule.plan.environment = Some("production".to_owned());
    rule.plan.roll_back = true;
    rule.plan.for_seconds = 0;
    write(&world, &rule, 20).await;
    calls(&world, at(60), 100, 50).await;
    judge(store, at(120)).await.unwrap();
    assert_eq!(all(&world).await.len(), 2);
    // The first one that is noted down fails.
    sqlx::raw_sql(
        "create sequence once;
         create function fail_once() returns trigger language plpgsql as
             'begin if nextval(''once'') = 1 then raise exception ''no''; end if; return new; end';
         create trigger fail_once before insert on alert_event for each row execute function fail_once();",
    )
    .execute(&store.pool)
    .await
    .unwrap();
    assert_eq!(roll_back_due(store, at(121)).await.unwrap(), 1);
    let n: i64 = sqlx::query_scalar("select count(*) from deployment where kind = 'rollback'")
        .fetch_one(&store.pool)
        .await
        .unwrap();
    assert_eq!(n, 2);
}
