//! `cueline demo`: the server with a project in it that is worth a look, and with clients connected.

use std::{io::Write, net::SocketAddr};

use anyhow::ensure;
use clap::Args;

use super::{client, serve};
use crate::{
    config::{Config, Options},
    demo::{self, Credentials, Wishes, clients::Door},
    llm::keys::MasterKey,
    start,
    state::Clock,
    telemetry,
};

/// What `cueline demo` can be told: all that `cueline serve` can, and a little more.
#[derive(Debug, Args)]
pub struct Demo {
    #[command(flatten)]
    options: Options,

    /// Everybody's password [default: a random one, kept in the data directory]
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "CUELINE_DEMO_PASSWORD",
        hide_env_values = true
    )]
    password: Option<String>,

    /// An API key with every scope [default: a random one, kept in the data directory]
    #[arg(
        long,
        value_name = "KEY",
        env = "CUELINE_DEMO_API_KEY",
        hide_env_values = true
    )]
    api_key: Option<String>,

    /// Let visitors come to the experiments that run, so that their pages move
    #[arg(long)]
    traffic: bool,

    /// Listen on an address that other machines reach, although the sign-ins are printed
    #[arg(long)]
    expose: bool,
}

/// Runs until told to stop.
pub fn run(demo: Demo) -> anyhow::Result<()> {
    let mut config = Config::load(demo.options)?;
    ensure!(
        config.listen.ip().is_loopback() || demo.expose,
        "the demo's sign-ins are printed, so it listens on this machine only; \
         to listen on {} all the same, add --expose",
        config.listen
    );
    // Below the data directory of `serve`, so that the two never share a database.
    config.data_dir = config.data_dir.join("demo");
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let wishes = Wishes {
        password: given(demo.password),
        api_key: given(demo.api_key),
    };
    telemetry::start_logging(&config)?;
    start::with_database(&config.clone(), async move |url: String| {
        let clock = Clock::real();
        let store = start::open_store(&config, &url).await?;
        let listener = serve::listen(&mut config).await?;
        let address = listener.local_addr()?;
        let operator = demo::load(&store, clock.now()).await?;
        let credentials =
            demo::install(&store, &operator, &wishes, &config.data_dir, clock.now()).await?;
        if config.secret_key.is_none() {
            let key = credentials.secret_key.clone().into();
            config.secret_key = Some(MasterKey::parse(&key)?);
        }
        let door = Door {
            http: client::http(&credentials.clients_key)?,
            url: format!("http://{}", on_this_machine(address)),
        };
        let visitors = demo.traffic.then(|| client::http(&credentials.api_key));
        let visitors = visitors.transpose()?.map(|http| Door {
            http,
            url: door.url.clone(),
        });
        let public_url = config.public_url.clone();
        let running = start::start(store, config, clock).await?;
        demo::clients::start(&door, &running.state.stopping);
        if let Some(visitors) = visitors {
            demo::traffic::start(visitors, &running.state.stopping);
        }
        say(&public_url, &credentials)?;
        running.serve(listener, start::told_to_stop()).await
    })
}

/// Where a client on this machine reaches what listens there.
fn on_this_machine(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let loopback: std::net::IpAddr = if address.is_ipv4() {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        };
        address.set_ip(loopback);
    }
    address
}

fn say(url: &str, credentials: &Credentials) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n  Cueline's demo is at  {url}\n")?;
    for person in demo::PEOPLE.iter().rev() {
        writeln!(out, "  {:<21} {}", person.email, person.role.meaning())?;
    }
    writeln!(out, "\n  password  {}", credentials.password)?;
    writeln!(out, "  API key   {}\n", credentials.api_key)?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_on_this_machine_reach_a_server_that_listens_everywhere() {
        let check = |listens: &str, reached: &str| {
            assert_eq!(
                on_this_machine(listens.parse().unwrap()).to_string(),
                reached
            );
        };
        check("0.0.0.0:80", "127.0.0.1:80");
        check("[::]:80", "[::1]:80");
        check("127.0.0.1:3000", "127.0.0.1:3000");
    }
}
