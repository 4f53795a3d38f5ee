//! What a server of its own process needs with 10,000 prompts × 20 versions in the database.

use std::{
    net::SocketAddr,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::Context;

use crate::{
    load::{Connection, throughput},
    print,
    seed::PROMPTS,
    world::World,
};

pub async fn measure(url: &str, world: &World) -> anyhow::Result<()> {
    let address: SocketAddr = "127.0.0.1:21899".parse()?;
    let mut child = Command::new(env!("CARGO_BIN_EXE_cueline"))
        .args(["serve", "--listen", &address.to_string()])
        .env("DATABASE_URL", url)
        .env("CUELINE_LOG", "warn")
        .stdout(Stdio::null())
        .spawn()?;
    let measured = after_traffic(world, address, child.id()).await;
    child.kill()?;
    child.wait()?;
    let mebibytes = measured?;
    print(
        &format!("memory with {PROMPTS} prompts × 20 versions, after traffic"),
        &format!("{mebibytes} MB"),
        "≤ 150 MB",
    );
    Ok(())
}

async fn after_traffic(world: &World, address: SocketAddr, process: u32) -> anyhow::Result<u64> {
    for _ in 0..100 {
        if Connection::open(address).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let resolve = format!(
        "GET /api/v1/prompts/team-1%2Fprompt-1/resolve HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
        world.key
    );
    throughput(address, &resolve, 8, Duration::from_secs(2)).await?;
    let page = format!(
        "GET /p/bench/prompts HTTP/1.1\r\nhost: x\r\ncookie: {}\r\n\r\n",
        world.cookie
    );
    throughput(address, &page, 4, Duration::from_secs(2)).await?;
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let kibibytes: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().split(' ').next())
        .context("no VmRSS")?
        .parse()?;
    Ok(kibibytes / 1_024)
}
