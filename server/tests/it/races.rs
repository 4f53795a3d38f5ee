//! Two at once: one succeeds, the other is told that it was overtaken.

use std::time::Duration;

use domain::actor::Scope;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{Answer, Client, TestApp, text};

const ROUNDS: i64 = 12;

/// Holds the prompt's row until both requests wait for it, so that they truly meet.
async fn meet(
    pool: &PgPool,
    one: impl Future<Output = Answer>,
    other: impl Future<Output = Answer>,
) -> [Answer; 2] {
    let mut held = pool.begin().await.unwrap();
    sqlx::query("select from prompt where name = 'a' for update")
        .execute(&mut *held)
        .await
        .unwrap();
    let release = async {
        loop {
            let waiting: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_activity
                 where datname = current_database() and wait_event_type = 'Lock'",
            )
            .fetch_one(pool)
            .await
            .unwrap();
            if waiting >= 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        held.rollback().await.unwrap();
    };
    let (one, other, ()) = tokio::join!(one, other, release);
    [one, other]
}

/// One success, one conflict.
#[track_caller]
fn one_won(answers: [Answer; 2], success: u16, code: &str) -> Value {
    let [mut won, mut lost] = answers;
    if won.status == 409 {
        std::mem::swap(&mut won, &mut lost);
    }
    won.is(success);
    lost.problem(409, code);
    won.json()
}

async fn post(client: &Client, path: &str, body: Value) -> Answer {
    client
        .post(&format!("/api/v1/prompts/a/{path}"), &body)
        .await
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn of_two_saves_one_is_kept(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    acme.prompt("a").says("one").create().await;
    let key = acme.admin_key().await;
    for round in 2..2 + ROUNDS {
        let save = |who: &str, parent: Value| {
            let content = text(&format!("{who} {round}"));
            post(
                &key,
                "versions",
                json!({ "content": content, "change_description": who, "parent": parent }),
            )
        };
        // Said or not, both saw the same version.
        let parent = if round % 2 == 0 {
            Value::Null
        } else {
            json!(round - 1)
        };
        let answers = meet(&pool, save("one", parent.clone()), save("other", parent)).await;
        assert_eq!(one_won(answers, 201, "version_conflict")["number"], round);
    }
    assert_eq!(app.count("version").await, 1 + ROUNDS);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn of_two_rollbacks_one_happens(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    acme.prompt("a")
        .says("one")
        .says("two")
        .serves("production", 1)
        .serves("production", 2)
        .create()
        .await;
    let key = acme.key(&[Scope::PromotionsRequest]).await;
    for round in 0..ROUNDS {
        let roll_back = || post(&key, "rollback", json!({ "environment": "production" }));
        let won = one_won(
            meet(&pool, roll_back(), roll_back()).await,
            200,
            "overtaken",
        );
        assert_eq!(won["version"], if round % 2 == 0 { 1 } else { 2 });
    }
    assert_eq!(app.count("deployment").await, 2 + ROUNDS);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn of_two_promotions_one_happens_and_one_version_is_active(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    acme.prompt("a")
        .says("one")
        .says("two")
        .says("three")
        .serves("production", 1)
        .create()
        .await;
    let key = acme.admin_key().await;
    let mut serves = 1;
    for _ in 0..ROUNDS {
        let others: Vec<i64> = (1..=3).filter(|version| *version != serves).collect();
        let promote = |version: i64| {
            post(
                &key,
                "promotions",
                json!({ "environment": "production", "version": version }),
            )
        };
        let won = one_won(
            meet(&pool, promote(others[0]), promote(others[1])).await,
            201,
            "overtaken",
        );
        serves = won["version"].as_i64().unwrap();
        let active: Vec<i32> =
            sqlx::query_scalar("select number from version where status = 'active'")
                .fetch_all(&pool)
                .await
                .unwrap();
        assert_eq!(active, [i32::try_from(serves).unwrap()]);
    }
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_rollback_and_a_promotion_do_not_interleave(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    acme.prompt("a")
        .says("one")
        .says("two")
        .says("three")
        .serves("production", 1)
        .serves("production", 2)
        .create()
        .await;
    let key = acme.admin_key().await;
    for _ in 0..ROUNDS {
        let (promoted, rolled) = {
            let promote = post(
                &key,
                "promotions",
                json!({ "environment": "production", "version": 3 }),
            );
            let roll_back = post(&key, "rollback", json!({ "environment": "production" }));
            let [promoted, rolled] = meet(&pool, promote, roll_back).await;
            (promoted, rolled)
        };
        let statuses = (promoted.status.as_u16(), rolled.status.as_u16());
        assert!(
            [(201, 409), (409, 200)].contains(&statuses),
            "{promoted:?} {rolled:?}"
        );
        // Back to two, so that the next round can begin.
        post(
            &key,
            "promotions",
            json!({ "environment": "production", "version": 1 }),
        )
        .await;
        post(
            &key,
            "promotions",
            json!({ "environment": "production", "version": 2 }),
        )
        .await
        .created();
    }
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn who_decides_on_an_old_picture_is_told(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    acme.prompt("a")
        .says("one")
        .says("two")
        .serves("production", 1)
        .serves("production", 2)
        .create()
        .await;
    let key = acme.admin_key().await;
    let seen = key.get("/api/v1/prompts/a").await.ok()["serving"][0]["deployment_id"].clone();
    let roll_back = || {
        post(
            &key,
            "rollback",
            json!({ "environment": "production", "expected_deployment": seen }),
        )
    };
    roll_back().await.ok();
    let problem = roll_back().await.problem(409, "overtaken");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("now serves version 1")
    );
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn two_prompts_of_one_name_are_one(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let key = acme.admin_key().await;
    for round in 0..ROUNDS {
        let make = |name: String| {
            let key = key.clone();
            async move { key.post("/api/v1/prompts", &json!({ "name": name })).await }
        };
        let answers = tokio::join!(make(format!("p{round}")), make(format!("P{round}")));
        one_won([answers.0, answers.1], 201, "prompt_exists");
    }
    assert_eq!(app.count("prompt").await, ROUNDS);
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_last_two_admins_cannot_leave_at_once(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let key = acme.admin_key().await;
    let role = domain::actor::Role::Admin;
    let (one, other) = (
        acme.member("one@x.test", role).await,
        acme.member("other@x.test", role).await,
    );
    let leave = |id: domain::id::PersonId| {
        let key = key.clone();
        async move { key.delete(&format!("/api/v1/members/{id}")).await }
    };
    let answers = tokio::join!(leave(one), leave(other));
    let statuses = [answers.0.status.as_u16(), answers.1.status.as_u16()];
    assert!([[204, 409], [409, 204]].contains(&statuses), "{statuses:?}");
    assert_eq!(app.count("member").await, 1);
    app.stop().await;
}
