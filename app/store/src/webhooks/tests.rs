//! The queue against a real database: every delivery is accounted for, whoever sends it.

use chrono::TimeDelta;
use domain::{
    actor::Role,
    webhook::{NewWebhook, Next},
};
use sqlx::PgPool;

use super::*;
use crate::testing::{World, at};

const LEASE: TimeDelta = TimeDelta::seconds(30);

async fn webhook(world: &World, name: &str, audit: &[&str]) -> WebhookId {
    let new = NewWebhook {
        name: name.to_owned(),
        url: format!("https://{name}.example/secret-path"),
        format: Format::Json,
        alerts: Vec::new(),
        audit: audit.iter().map(ToString::to_string).collect(),
        enabled: true,
    };
    let admin = world.actor(Role::Admin);
    create(&world.store, &admin, &new, &|_| Ok(vec![1]), at(5))
        .await
        .unwrap()
        .id
}

fn attempt() -> Attempt {
    Attempt {
        number: 0,
        at: at(10),
        duration_ms: 12,
        status: Some(500),
        error: None,
        answer: None,
    }
}

async fn log(world: &World, id: WebhookId) -> Vec<Delivery> {
    let admin = world.actor(Role::Admin);
    deliveries(&world.store, &admin, id, &PageRequest::first(50))
        .await
        .unwrap()
        .items
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn what_a_sender_had_out_when_it_died_is_sent_again_under_the_same_id(pool: PgPool) {
    let world = World::new(pool).await;
    let (store, admin) = (&world.store, world.actor(Role::Admin));
    let (one, other) = (
        webhook(&world, "one", &[]).await,
        webhook(&world, "other", &[]).await,
    );
    let sent = test(store, &admin, one, at(10)).await.unwrap();
    test(store, &admin, other, at(10)).await.unwrap();

    let claimed = queue::claim(store, 1, 9, LEASE, at(11)).await.unwrap();
    assert_eq!(claimed.len(), 1);
    // The one that is held keeps no other waiting, and is not claimed twice.
    let rest = queue::claim(store, 9, 9, LEASE, at(11)).await.unwrap();
    assert_eq!(rest.len(), 1);
    assert_ne!(rest[0].webhook, claimed[0].webhook);
    assert!(
        queue::claim(store, 9, 9, LEASE, at(40))
            .await
            .unwrap()
            .is_empty()
    );

    let mine = claimed
        .iter()
        .chain(&rest)
        .find(|claimed| claimed.webhook == one)
        .unwrap();
    let due = queue::next(store, mine, LEASE, at(11))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(due.id, sent);
    // It dies; the lease runs out.
    let heirs = queue::claim(store, 9, 9, LEASE, at(41)).await.unwrap();
    let heir = heirs.iter().find(|claimed| claimed.webhook == one).unwrap();
    let again = queue::next(store, heir, LEASE, at(41))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(again.id, sent);
    assert!(
        queue::next(store, mine, LEASE, at(41))
            .await
            .unwrap()
            .is_none(),
        "it lost the lease"
    );
    queue::finish(store, heir, &again, &attempt(), &Next::Delivered, at(42))
        .await
        .unwrap();
    // It was not dead, only slow: the log keeps what it did, and the state stays.
    let late = Next::GiveUp("late".to_owned());
    queue::finish(store, mine, &due, &attempt(), &late, at(43))
        .await
        .unwrap();
    let log = log(&world, one).await;
    assert_eq!(log.len(), 1);
    assert_eq!(
        (log[0].state, log[0].attempts.len()),
        (DeliveryState::Delivered, 2)
    );
    queue::release(store, heir, at(44)).await.unwrap();
    assert!(
        queue::claim(store, 9, 9, LEASE, at(100))
            .await
            .unwrap()
            .iter()
            .all(|claimed| claimed.webhook != one),
        "nothing is due"
    );
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_receiver_that_asked_for_a_pause_is_told_nothing_until_somebody_wants_it(pool: PgPool) {
    let world = World::new(pool).await;
    let (store, admin) = (&world.store, world.actor(Role::Admin));
    let id = webhook(&world, "ops", &[]).await;
    test(store, &admin, id, at(10)).await.unwrap();
    let claim = async |second: i64| {
        let found = queue::claim(store, 9, 9, LEASE, at(second)).await;
        found.unwrap().pop()
    };
    let claimed = claim(11).await.unwrap();
    // Something else is due, and waits with it.
    queue::release(store, &claimed, at(40)).await.unwrap();
    assert!(claim(39).await.is_none());
    assert!(claim(40).await.is_some(), "the pause is over");

    assert!(claim(41).await.is_none(), "it is held");
    let claimed = claim(71).await.unwrap();
    queue::release(store, &claimed, at(3_000)).await.unwrap();
    assert!(claim(80).await.is_none());
    test(store, &admin, id, at(80)).await.unwrap();
    assert!(claim(80).await.is_some(), "somebody wants it told now");
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn every_delivery_ends_delivered_or_given_up_and_can_be_repeated_then(pool: PgPool) {
    let world = World::new(pool.clone()).await;
    let (store, admin) = (&world.store, world.actor(Role::Admin));
    let id = webhook(&world, "ops", &[]).await;
    let first = test(store, &admin, id, at(10)).await.unwrap();
    let early = redeliver(store, &admin, id, first, at(11)).await;
    assert!(matches!(
        early,
        Err(Error::Conflict {
            code: "delivery_waiting",
            ..
        })
    ));

    let claimed = queue::claim(store, 9, 9, LEASE, at(11))
        .await
        .unwrap()
        .remove(0);
    let due = queue::next(store, &claimed, LEASE, at(11))
        .await
        .unwrap()
        .unwrap();
    queue::finish(
        store,
        &claimed,
        &due,
        &attempt(),
        &Next::Again(at(60)),
        at(12),
    )
    .await
    .unwrap();
    assert!(
        queue::next(store, &claimed, LEASE, at(59))
            .await
            .unwrap()
            .is_none()
    );
    let due = queue::next(store, &claimed, LEASE, at(60))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(due.n_attempts, 1);
    let given_up = Next::GiveUp("no".to_owned());
    queue::finish(store, &claimed, &due, &attempt(), &given_up, at(61))
        .await
        .unwrap();
    let again = redeliver(store, &admin, id, first, at(70)).await.unwrap();
    remove(store, &admin, id, at(80)).await.unwrap();

    let states: Vec<(String, Option<String>)> =
        sqlx::query_as("select state, reason from delivery order by created_at, delivery_id")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert_eq!(states[0], ("given_up".to_owned(), Some("no".to_owned())));
    assert_eq!(
        states[1],
        (
            "given_up".to_owned(),
            Some("the webhook was removed".to_owned())
        )
    );
    assert_ne!(again, first);
    let changed = sqlx::query("update delivery_attempt set status = 200")
        .execute(&pool)
        .await;
    assert!(changed.is_err(), "attempts are append-only");
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_webhook_hears_of_the_audit_entries_it_asked_for_and_no_others(pool: PgPool) {
    let world = World::new(pool.clone()).await;
    let releases = webhook(&world, "releases", &["deployment"]).await;
    let prompts = webhook(&world, "prompts", &["prompt.create", "version.create"]).await;
    world.prompt_with_versions("triage", 2).await;
    world.promote("triage", "production", 1, 20).await.unwrap();
    let events = |log: Vec<Delivery>| {
        let mut events: Vec<_> = log.into_iter().map(|delivery| delivery.text).collect();
        events.reverse();
        events
    };
    assert_eq!(
        events(log(&world, releases).await),
        ["deployment.promote by the approver: triage"]
    );
    assert_eq!(events(log(&world, prompts).await).len(), 3);
    // The trail is for everybody: it names the host, and never the path or the secret.
    let detail: Vec<String> =
        sqlx::query_scalar("select detail::text from audit_entry where action = 'webhook.create'")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert!(
        detail.iter().all(|detail| !detail.contains("secret-path")),
        "{detail:?}"
    );
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn a_project_has_only_its_share_of_the_turns(pool: PgPool) {
    let world = World::new(pool).await;
    let (store, admin) = (&world.store, world.actor(Role::Admin));
    for name in ["a", "b", "c"] {
        let id = webhook(&world, name, &[]).await;
        test(store, &admin, id, at(10)).await.unwrap();
    }
    let first = queue::claim(store, 9, 2, LEASE, at(11)).await.unwrap();
    assert_eq!(first.len(), 2);
    let more = queue::claim(store, 9, 2, LEASE, at(12)).await.unwrap();
    assert_eq!(more.len(), 0, "held by whichever server");
    // The one that never had a turn is before those that had one.
    for held in &first {
        queue::release(store, held, at(13)).await.unwrap();
    }
    let second = queue::claim(store, 1, 2, LEASE, at(14)).await.unwrap();
    assert!(
        first.iter().all(|held| held.webhook != second[0].webhook),
        "{second:?}"
    );
    // Who died with a turn has it no longer.
    let late = queue::claim(store, 9, 2, LEASE, at(60)).await.unwrap();
    assert_eq!(late.len(), 2);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn what_waits_for_a_webhook_is_given_up_when_it_is_turned_off(pool: PgPool) {
    let world = World::new(pool).await;
    let (store, admin) = (&world.store, world.actor(Role::Admin));
    let id = webhook(&world, "ops", &[]).await;
    test(store, &admin, id, at(10)).await.unwrap();
    let first = log(&world, id).await.remove(0);
    let kept = find(store, &admin, id).await.unwrap();
    let off = NewWebhook {
        name: kept.name,
        url: kept.url,
        format: kept.format,
        alerts: kept.alerts,
        audit: kept.audit,
        enabled: false,
    };
    let changed = change(store, &admin, id, &off, at(20)).await.unwrap();
    assert_eq!(changed.n_waiting, 0);
    let delivery = log(&world, id).await.remove(0);
    assert_eq!(
        (delivery.state, delivery.reason.as_deref()),
        (DeliveryState::GivenUp, Some("the webhook was turned off"))
    );
    let tried = test(store, &admin, id, at(21)).await.map(|_| ());
    let again = redeliver(store, &admin, id, first.id, at(21)).await;
    for refused in [tried, again.map(|_| ())] {
        assert!(matches!(
            refused,
            Err(Error::Conflict {
                code: "webhook_off",
                ..
            })
        ));
    }
    // What was queued in the very moment is given up, too.
    sqlx::query("update delivery set state = 'waiting', finished_at = null")
        .execute(&store.pool)
        .await
        .unwrap();
    queue::upkeep(store, at(30)).await.unwrap();
    assert_eq!(find(store, &admin, id).await.unwrap().n_waiting, 0);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn what_was_told_is_forgotten_after_90_days_and_never_before(pool: PgPool) {
    let world = World::new(pool).await;
    let (store, admin) = (&world.store, world.actor(Role::Admin));
    let id = webhook(&world, "ops", &[]).await;
    // The database's own clock guards the log, so this is about its days.
    let now = sqlx::query_scalar::<_, DateTime<Utc>>("select now()")
        .fetch_one(&store.pool)
        .await
        .unwrap();
    let mut told = Vec::new();
    for days in [200, 91, 88] {
        let then = now - TimeDelta::days(days);
        let delivery = test(store, &admin, id, then).await.unwrap();
        let claimed = queue::claim(store, 1, 1, LEASE, then)
            .await
            .unwrap()
            .remove(0);
        let due = queue::next(store, &claimed, LEASE, then)
            .await
            .unwrap()
            .unwrap();
        let attempt = Attempt {
            at: then,
            ..attempt()
        };
        queue::finish(store, &claimed, &due, &attempt, &Next::Delivered, then)
            .await
            .unwrap();
        queue::release(store, &claimed, then).await.unwrap();
        told.push(delivery);
    }
    // One that is repeated today goes, and what repeats it stays.
    let repeated = redeliver(store, &admin, id, told[0], now).await.unwrap();
    queue::upkeep(store, now).await.unwrap();
    let left: Vec<_> = log(&world, id).await;
    let ids: Vec<_> = left.iter().map(|delivery| delivery.id).collect();
    assert_eq!(ids, [repeated, told[2]]);
    assert_eq!(left[0].redelivers, None);
    assert_eq!(left[1].attempts.len(), 1);
    let shortened = sqlx::query("delete from delivery_attempt")
        .execute(&store.pool)
        .await;
    assert!(shortened.is_err(), "attempts are kept for 90 days");
}
