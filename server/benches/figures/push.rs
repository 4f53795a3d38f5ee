//! A rollback: the server's own work, and how long until the last of 1,000 clients was told.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
};

use crate::{load::Connection, percentile, print, world::World};

const CLIENTS: usize = 1_000;
const ROUNDS: usize = 20;

/// The whole command, commit included, with nobody connected.
pub async fn measure_rollback(world: &World) -> anyhow::Result<()> {
    let mut times = Vec::new();
    for _ in 0..100 {
        let start = Instant::now();
        world.roll_back().await?;
        times.push(start.elapsed().as_secs_f64() * 1_000.0);
    }
    times.sort_by(f64::total_cmp);
    print(
        &format!(
            "rollback, server work with commit, median of 100 (p95 {:.1} ms)",
            percentile(&times, 0.95)
        ),
        &format!("{:.1} ms", percentile(&times, 0.5)),
        "≤ 10 ms",
    );
    Ok(())
}

/// From the commit to the last client that reads it from its socket.
pub async fn measure_push(world: &World) -> anyhow::Result<()> {
    let (told, mut hears) = mpsc::unbounded_channel::<Instant>();
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let mut stream = Connection::open(world.address).await?.into_stream();
        let request = format!(
            "GET /api/v1/stream?environment=production&consumer=bench-{number} HTTP/1.1\r\nhost: x\r\n\
             authorization: Bearer {}\r\n\r\n",
            world.key
        );
        stream.write_all(request.as_bytes()).await?;
        let told = told.clone();
        clients.push(tokio::spawn(async move {
            let mut buffer = vec![0; 4 * 1024];
            while let Ok(n) = stream.read(&mut buffer).await {
                if n == 0
                    || String::from_utf8_lossy(&buffer[..n]).contains("event: deployment")
                        && told.send(Instant::now()).is_err()
                {
                    return;
                }
            }
        }));
    }
    // Everybody has the snapshot before the first rollback.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (mut last, mut all) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        world.roll_back().await?;
        let committed = Instant::now();
        let mut lags = Vec::with_capacity(CLIENTS);
        while lags.len() < CLIENTS {
            let at = tokio::time::timeout(Duration::from_secs(10), hears.recv()).await?;
            let at = at.ok_or_else(|| anyhow::anyhow!("all clients left"))?;
            lags.push(at.saturating_duration_since(committed).as_secs_f64() * 1_000.0);
        }
        lags.sort_by(f64::total_cmp);
        last.push(lags[CLIENTS - 1]);
        all.extend(lags);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    clients.iter().for_each(tokio::task::JoinHandle::abort);
    last.sort_by(f64::total_cmp);
    all.sort_by(f64::total_cmp);
    print(
        &format!(
            "rollback → last of {CLIENTS} clients told, p99 of {ROUNDS} (median client {:.0} ms)",
            percentile(&all, 0.5)
        ),
        &format!("{:.0} ms", percentile(&last, 0.99)),
        "≤ 250 ms",
    );
    Ok(())
}
