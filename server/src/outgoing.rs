//! The one way to addresses that people of a project gave: webhooks and webhook scorers. Whoever
//! may name an address must not reach through this server what only this server reaches, so
//! private addresses are refused where the connection is made: names are looked up here and what
//! they say is filtered, numbers are looked at before, and nothing leads elsewhere.

use std::{
    error::Error as _,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, future::BoxFuture};
use ipnet::IpNet;
use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header::HeaderMap,
    redirect,
};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// What people read when an address is refused.
const REFUSED: &str = "it is a private address, which this server does not call; \
     CUELINE_ALLOW_PRIVATE_WEBHOOKS opens the networks that it may";

/// The private networks that may be called all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Allowed {
    /// None: what a server on the internet wants.
    #[default]
    None,
    /// These.
    Networks(Vec<IpNet>),
    /// All: for machines on which everybody may reach everything anyway.
    All,
}

/// What was given says no networks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "CUELINE_ALLOW_PRIVATE_WEBHOOKS must be true, false or networks such as 10.0.0.0/8,192.168.1.7: {0}"
)]
pub struct NotNetworks(String);

impl FromStr for Allowed {
    type Err = NotNetworks;

    fn from_str(text: &str) -> Result<Self, NotNetworks> {
        match text.trim() {
            "" | "false" | "0" | "no" => return Ok(Self::None),
            "true" | "1" | "yes" => return Ok(Self::All),
            _ => {}
        }
        let networks = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        networks
            .map(|part| {
                let single = || part.parse::<IpAddr>().map(IpNet::from);
                part.parse::<IpNet>()
                    .or_else(|_| single())
                    .map_err(|_| NotNetworks(part.to_owned()))
            })
            .collect::<Result<_, _>>()
            .map(Self::Networks)
    }
}

impl Allowed {
    /// Whether that address may be called.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        // `::ffff:127.0.0.1` is 127.0.0.1, however it is written.
        let address = address.to_canonical();
        is_public(address)
            || match self {
                Self::None => false,
                Self::All => true,
                Self::Networks(networks) => {
                    networks.iter().any(|network| network.contains(&address))
                }
            }
    }
}

/// Whether everybody on the internet may call it. What is reserved for anything else is not.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        // 169.254.169.254, where clouds tell machines their secrets, among them.
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        // Carrier-grade NAT.
        || (a == 100 && (64..128).contains(&b))
        // Protocol assignments, 6to4 relays, benchmarks.
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        // Azure tells its machines their secrets at an address that looks public.
        || address == Ipv4Addr::new(168, 63, 129, 16);
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let octets = address.octets();
    let embedded = |at: usize| {
        let part = [octets[at], octets[at + 1], octets[at + 2], octets[at + 3]];
        is_public_v4(Ipv4Addr::from(part))
    };
    match (a, b) {
        // NAT64 and 6to4 lead to the IPv4 address in them.
        (0x64, 0xff9b) => address.segments()[2..6] == [0; 4] && embedded(12),
        (0x2002, _) => embedded(2),
        // Teredo, benchmarks, ORCHID, documentation.
        (0x2001, 0..=0x1ff | 0xdb8) | (0x3fff, _) => false,
        // All that is given out for the internet begins with 001.
        (a, _) => a & 0xe000 == 0x2000,
    }
}

/// Looks a name up; tests have one of their own.
pub trait LookUp: Send + Sync {
    /// The addresses of a name.
    fn look_up(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// As the system does it.
struct System;

impl LookUp for System {
    fn look_up(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// A name that leads to private addresses only.
#[derive(Debug, thiserror::Error)]
#[error("{REFUSED}")]
struct Private;

struct Guarded {
    allowed: Arc<Allowed>,
    system: Arc<dyn LookUp>,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (allowed, system) = (Arc::clone(&self.allowed), Arc::clone(&self.system));
        Box::pin(async move {
            let found = system.look_up(name.as_str().to_owned()).await?;
            let open: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| allowed.allows(*address))
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            if open.is_empty() {
                return Err(Private.into());
            }
            Ok(Box::new(open.into_iter()) as Addrs)
        })
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, or its beginning.
    pub body: Vec<u8>,
    /// Whether there was more than was read.
    pub is_cut: bool,
}

/// Why nothing came back, in words that hold no address: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// It is an address that is never called.
    #[error("{0}")]
    Refused(String),
    /// The connection, the time or the protocol failed.
    #[error("{0}")]
    Failed(String),
}

/// Posts to where people say. Cheap to clone.
#[derive(Clone)]
pub struct Outgoing {
    client: Client,
    allowed: Arc<Allowed>,
}

impl Outgoing {
    /// One that may also call those networks.
    pub fn new(allowed: Allowed) -> Result<Self, String> {
        Self::looking_up(allowed, Arc::new(System))
    }

    /// The same with another way to look names up.
    pub fn looking_up(allowed: Allowed, system: Arc<dyn LookUp>) -> Result<Self, String> {
        // Refused only where one is installed already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let allowed = Arc::new(allowed);
        let client = Client::builder()
            .user_agent(concat!("cueline/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .redirect(redirect::Policy::none())
            // A proxy would look names up where nobody filters them.
            .no_proxy()
            // Connections are not kept: receivers are called now and then.
            .pool_max_idle_per_host(0)
            .dns_resolver(Arc::new(Guarded {
                allowed: Arc::clone(&allowed),
                system,
            }))
            .build()
            .map_err(|error| format!("nothing can be sent: {error}"))?;
        Ok(Self { client, allowed })
    }

    /// Posts, and reads at most so many bytes of what comes back, all in at most so long.
    pub async fn post(
        &self,
        address: &str,
        headers: HeaderMap,
        body: Vec<u8>,
        at_most: Duration,
        max_bytes: usize,
    ) -> Result<Reply, Unsent> {
        let url = self.check(address)?;
        let request = self.client.post(url).headers(headers).body(body);
        let asking = async {
            let response = request.send().await.map_err(|error| unsent(&error))?;
            let status = response.status().as_u16();
            let headers = response.headers().clone();
            let mut chunks = response.bytes_stream();
            let mut body = Vec::new();
            let mut is_cut = false;
            while let Some(chunk) = chunks.next().await {
                body.extend_from_slice(&chunk.map_err(|error| unsent(&error))?);
                if body.len() > max_bytes {
                    body.truncate(max_bytes);
                    is_cut = true;
                    break;
                }
            }
            Ok(Reply {
                status,
                headers,
                body,
                is_cut,
            })
        };
        tokio::time::timeout(at_most, asking)
            .await
            .unwrap_or_else(|_| {
                let words = format!("no answer within {} s", at_most.as_secs());
                Err(Unsent::Failed(words))
            })
    }

    /// Numbers are never looked up, so the filter of names would not see them. `Url` has read them
    /// as the connection will, be they written as 0x7f.1 or 2130706433.
    fn check(&self, address: &str) -> Result<Url, Unsent> {
        let refused = |words: &str| Unsent::Refused(words.to_owned());
        let url: Url = address
            .parse()
            .map_err(|_| refused("it is not an address"))?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(refused("only http:// and https:// are called"));
        }
        let host = url.host_str().ok_or_else(|| refused("it names no host"))?;
        let number = host.trim_start_matches('[').trim_end_matches(']');
        match number.parse::<IpAddr>() {
            Ok(address) if !self.allowed.allows(address) => Err(refused(REFUSED)),
            Ok(_) | Err(_) => Ok(url),
        }
    }
}

fn unsent(error: &reqwest::Error) -> Unsent {
    let mut cause = error.source();
    let mut words = String::new();
    while let Some(deeper) = cause {
        if deeper.is::<Private>() {
            return Unsent::Refused(REFUSED.to_owned());
        }
        words = deeper.to_string();
        cause = deeper.source();
    }
    let stage = if error.is_connect() {
        "the connection failed"
    } else {
        "no answer came"
    };
    // The innermost cause says what happened; the outer ones name the address.
    Unsent::Failed(if words.is_empty() {
        stage.to_owned()
    } else {
        format!("{stage}: {words}")
    })
}

#[cfg(test)]
mod tests;
