//! `cueline serve`: the server itself. A first start prints the link with which the first admin is made.

use anyhow::Context;
use chrono::TimeDelta;
use store::{Store, secret::Secret};
use tokio::net::TcpListener;

use crate::{
    config::{Config, Options},
    start,
    state::Clock,
    telemetry,
};

/// How long the first admin's link works, in hours.
pub const LINK_HOURS: i64 = 24;

/// Runs until told to stop.
pub fn run(options: Options) -> anyhow::Result<()> {
    let mut config = Config::load(options)?;
    telemetry::start_logging(&config)?;
    start::with_database(&config.clone(), async move |url: String| {
        let clock = Clock::real();
        let store = start::open_store(&config, &url).await?;
        let listener = listen(&mut config).await?;
        offer_set_up(&store, &config, &clock).await?;
        let public_url = config.public_url.clone();
        let running = start::start(store, config, clock).await?;
        println!("Cueline is at {public_url}");
        running.serve(listener, start::told_to_stop()).await
    })
}

/// Takes the address, and says it where the port was left to the machine.
pub async fn listen(config: &mut Config) -> anyhow::Result<TcpListener> {
    let asked = config.listen;
    let listener = TcpListener::bind(asked)
        .await
        .with_context(|| format!("cannot listen on {asked}"))?;
    config.listen = listener.local_addr()?;
    if config.public_url == format!("http://{asked}") {
        config.public_url = format!("http://{}", config.listen);
    }
    Ok(listener)
}

/// As long as nobody has an account, every start prints a new link to make the first one.
async fn offer_set_up(store: &Store, config: &Config, clock: &Clock) -> anyhow::Result<()> {
    if !store::people::nobody_yet(store).await? {
        return Ok(());
    }
    let link = Secret::new_link()?;
    let expires_at = clock.now() + TimeDelta::hours(LINK_HOURS);
    store::people::keep_link(store, &link.hash(), None, expires_at).await?;
    println!(
        "Nobody has an account yet. Make the first admin within {LINK_HOURS} hours at\n  {}/set-up/{}",
        config.public_url,
        link.reveal()
    );
    Ok(())
}
