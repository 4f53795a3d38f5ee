//! Several servers, and servers that die: a moment of the schedule is taken once.

use super::*;

/// Another server on the same database: nothing is shared but that.
async fn another(pool: &PgPool) -> Store {
    let options = pool.connect_options().as_ref().clone();
    let pool = sqlx::pool::PoolOptions::new().max_connections(4);
    Store::new(pool.connect_with(options).await.unwrap())
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn drift_that_is_due_is_looked_for_by_one_of_two_servers(pool: PgPool) {
    let (world, _) = promoted(pool.clone()).await;
    ensure_schedules(&world.store, at(20)).await.unwrap();
    let servers = [another(&pool).await, another(&pool).await];
    let mut n_launched = 0;
    for _ in 0..6 {
        let watched = detail(&world, 30).await.watched;
        let due = watched.next_due.unwrap();
        let looks = servers.iter().flat_map(|server| {
            std::iter::repeat_with(|| {
                let server = server.clone();
                tokio::spawn(async move { launch_due(&server, due).await.unwrap() })
            })
            .take(3)
        });
        let looks: Vec<_> = looks.collect();
        let mut n = 0;
        for look in looks {
            n += look.await.unwrap();
        }
        assert_eq!(n, 1);
        n_launched += 1;
        assert_eq!(count(&world, "drift_launch").await, n_launched);
        let run = detail(&world, 30).await.watched.running.unwrap();
        end(&world, run, 4, "fp_1", 40).await;
        judge_ended(&world.store, due).await.unwrap();
    }
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn drift_whose_launch_is_broken_off_anywhere_is_launched_once_for_each_moment(pool: PgPool) {
    let (world, _) = promoted(pool.clone()).await;
    ensure_schedules(&world.store, at(20)).await.unwrap();
    let (mut n_broken, mut n_moments) = (0, 0);
    // A look is given up earlier or later, at any of its steps, until one comes to its end.
    for _ in 0..4 {
        let due = detail(&world, 30).await.watched.next_due.unwrap();
        let mut patience = Duration::ZERO;
        loop {
            let server = another(&pool).await;
            let look = tokio::time::timeout(patience, launch_due(&server, due)).await;
            // The server is gone, and what it had begun is rolled back.
            server.pool.close().await;
            if look.is_ok() {
                break;
            }
            n_broken += 1;
            assert!(count(&world, "drift_launch").await <= n_moments + 1);
            patience += Duration::from_micros(700);
        }
        n_moments += 1;
        assert_eq!(launch_due(&world.store, due).await.unwrap(), 0);
        assert_eq!(count(&world, "drift_launch").await, n_moments);
        assert_eq!(count(&world, "drift_pending").await, 1);
        let run = detail(&world, 30).await.watched.running.unwrap();
        end(&world, run, 4, "fp_1", 40).await;
        judge_ended(&world.store, due).await.unwrap();
    }
    assert!(n_broken > 4, "{n_broken}");
    let n_due: i64 = sqlx::query_scalar("select count(distinct due_at) from drift_launch")
        .fetch_one(&world.store.pool)
        .await
        .unwrap();
    assert_eq!(n_due, n_moments);
}
