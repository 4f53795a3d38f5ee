//! Resolve against a bare axum handler that returns the same bytes.

use std::time::Duration;

use axum::{Router, body::Bytes, http::header, routing::get};
use tokio::net::TcpListener;

use crate::{
    load::{Connection, throughput},
    print,
    world::World,
};

const CONNECTIONS: usize = 8;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);

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
    let body = Bytes::from(answer.body);
    let bare = Router::new().route(
        "/api/v1/prompts/{name}/resolve",
        get(move || async move { ([(header::CONTENT_TYPE, "application/json")], body) }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let bare_address = listener.local_addr()?;
    tokio::spawn(axum::serve(listener, bare).into_future());

    // In turns, so that whatever else the machine does meets both.
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(throughput(bare_address, &request, CONNECTIONS, ROUND).await?);
        ours.push(throughput(world.address, &request, CONNECTIONS, ROUND).await?);
    }
    ours.sort_by(f64::total_cmp);
    theirs.sort_by(f64::total_cmp);
    let (ours, theirs) = (ours[ROUNDS / 2], theirs[ROUNDS / 2]);
    print(
        &format!("resolve, share of a bare handler ({ours:.0} of {theirs:.0} req/s)"),
        &format!("{:.2}", ours / theirs),
        "≥ 0.85",
    );
    Ok(())
}
