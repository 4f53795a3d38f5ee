//! How long the server takes to render the prompt list with 10,000 prompts.

use std::time::Instant;

use crate::{load::Connection, percentile, print, seed::PROMPTS, world::World};

pub async fn measure(world: &World) -> anyhow::Result<()> {
    let request = format!(
        "GET /p/bench/prompts HTTP/1.1\r\nhost: x\r\naccept: text/html\r\ncookie: {}\r\n\r\n",
        world.cookie
    );
    let mut connection = Connection::open(world.address).await?;
    let mut times = Vec::new();
    for round in 0..60 {
        let start = Instant::now();
        let answer = connection.ask(request.as_bytes()).await?;
        anyhow::ensure!(
            answer.head.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&answer.head)
        );
        anyhow::ensure!(
            String::from_utf8_lossy(&answer.body).contains("team-"),
            "the list is empty"
        );
        // The first few warm caches and connections.
        if round >= 10 {
            times.push(start.elapsed().as_secs_f64() * 1_000.0);
        }
    }
    times.sort_by(f64::total_cmp);
    print(
        &format!(
            "prompt list with {PROMPTS} prompts, rendered, median (p95 {:.1} ms)",
            percentile(&times, 0.95)
        ),
        &format!("{:.1} ms", percentile(&times, 0.5)),
        "≤ 30 ms",
    );
    Ok(())
}
