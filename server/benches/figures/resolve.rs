//! Resolve against a bare axum handler that returns the same bytes, those of the head too.

use std::time::Duration;

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue},
    routing::get,
};
use tokio::net::TcpListener;

use crate::{
    load::{Connection, throughput},
    print,
    world::World,
};

const CONNECTIONS: usize = 8;
const TURNS: usize = 15;
const TURN: Duration = Duration::from_secs(1);

pub async fn measure(world: &World) -> anyhow::Result<()> {
    let request = format!(
        "GET /api/v1/prompts/support%2Ftriage/resolve?environment=production HTTP/1.1\r\nhost: x\r\n\
         authorization: Bearer {}\r\n\r\n",
        world.key
    );
    let answer = Connection::open(world.address)
        .await?
        .ask(request.as_bytes())
        .await?;
    let headers = copied(&answer.head)?;
    let body = Bytes::from(answer.body);
    let bare = Router::new().route(
        "/api/v1/prompts/{name}/resolve",
        get(move || async move { (headers, body) }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let bare_address = listener.local_addr()?;
    tokio::spawn(axum::serve(listener, bare).into_future());

    let same = Connection::open(bare_address)
        .await?
        .ask(request.as_bytes())
        .await?;
    anyhow::ensure!(
        copied(&same.head)? == copied(&answer.head)?,
        "the bare handler answers something else"
    );

    // In turns, and each turn compared with its neighbour: machines get faster and slower meanwhile.
    let mut turns = Vec::new();
    for _ in 0..TURNS {
        let theirs = throughput(bare_address, &request, CONNECTIONS, TURN).await?;
        let ours = throughput(world.address, &request, CONNECTIONS, TURN).await?;
        turns.push((ours / theirs, ours, theirs));
    }
    turns.sort_by(|left, right| left.0.total_cmp(&right.0));
    let (share, ours, theirs) = turns[TURNS / 2];
    print(
        &format!("resolve, share of a bare handler ({ours:.0} of {theirs:.0} req/s)"),
        &format!("{share:.2}"),
        "≥ 0.85",
    );
    Ok(())
}

/// The headers of an answer that a handler sets; hyper adds the others.
fn copied(head: &[u8]) -> anyhow::Result<HeaderMap> {
    let lines = std::str::from_utf8(head)?.lines().skip(1);
    lines
        .filter_map(|line| line.split_once(": "))
        .filter(|(name, _)| !["content-length", "date"].contains(name))
        .map(|(name, value)| Ok((HeaderName::try_from(name)?, HeaderValue::try_from(value)?)))
        .collect()
}
