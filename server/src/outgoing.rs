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
        let [w, x, y, z] = [octets[at], octets[at + 1], octets[at + 2], octets[at + 3]];
        is_public_v4(Ipv4Addr::new(w, x, y, z))
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
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    struct Says(Vec<IpAddr>);

    impl LookUp for Says {
        fn look_up(&self, _: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
            let found = self.0.clone();
            Box::pin(async move { Ok(found) })
        }
    }

    fn saying(allowed: &str, addresses: &[&str]) -> Outgoing {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        Outgoing::looking_up(allowed.parse().unwrap(), Arc::new(Says(addresses))).unwrap()
    }

    async fn post(outgoing: &Outgoing, address: &str) -> Result<Reply, Unsent> {
        let patience = Duration::from_secs(2);
        outgoing
            .post(address, HeaderMap::new(), b"{}".to_vec(), patience, 16)
            .await
    }

    /// Answers every connection with those bytes.
    async fn answering(bytes: &'static [u8]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut heard = [0; 1_024];
                let _ = stream.read(&mut heard).await;
                let _ = stream.write_all(bytes).await;
            }
        });
        port
    }

    #[test]
    fn what_is_reserved_is_not_public_however_it_is_written() {
        let allowed = Allowed::None;
        for text in [
            "127.0.0.1",
            "127.8.9.1",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.254",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "239.255.255.255",
            "255.255.255.255",
            "240.0.0.1",
            "192.0.0.192",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "168.63.129.16",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001:0:1::1",
            "2001:db8::1",
            "fec0::1",
            "3fff::1",
        ] {
            assert!(!allowed.allows(text.parse().unwrap()), "{text}");
        }
        for text in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.32.0.1",
            "198.20.0.1",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::",
        ] {
            assert!(allowed.allows(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn networks_are_opened_one_by_one() {
        let allowed: Allowed = "10.0.0.0/8, 192.168.1.7,fd00::/8".parse().unwrap();
        for (text, is_open) in [
            ("10.2.3.4", true),
            ("::ffff:10.2.3.4", true),
            ("192.168.1.7", true),
            ("192.168.1.8", false),
            ("fd12::1", true),
            ("127.0.0.1", false),
        ] {
            assert_eq!(allowed.allows(text.parse().unwrap()), is_open, "{text}");
        }
        assert_eq!("false".parse(), Ok(Allowed::None));
        assert_eq!("true".parse(), Ok(Allowed::All));
        assert!("10.0.0.0/40".parse::<Allowed>().is_err());
        assert!("localhost".parse::<Allowed>().is_err());
    }

    #[tokio::test]
    async fn numbers_are_refused_in_every_spelling() {
        let outgoing = saying("", &["1.1.1.1"]);
        for host in [
            "127.0.0.1",
            "0x7f.1",
            "0x7f000001",
            "2130706433",
            "017700000001",
            "127.1",
            "0",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "169.254.169.254",
            "[fd00:ec2::254]",
            "[::]",
            "①②⑦.0.0.1",
        ] {
            let answer = post(&outgoing, &format!("http://{host}:9/x")).await;
            assert_eq!(answer, Err(Unsent::Refused(REFUSED.to_owned())), "{host}");
        }
        for address in [
            "ftp://1.1.1.1/",
            "file:///etc/passwd",
            "gopher://x",
            "nonsense",
        ] {
            assert!(
                matches!(post(&outgoing, address).await, Err(Unsent::Refused(_))),
                "{address}"
            );
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_is_refused_when_it_connects() {
        for address in ["127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1"] {
            let answer = post(&saying("", &[address]), "http://innocent.example/").await;
            assert_eq!(
                answer,
                Err(Unsent::Refused(REFUSED.to_owned())),
                "{address}"
            );
        }
        // `localhost` is a name like any other.
        let answer = post(
            &Outgoing::new(Allowed::None).unwrap(),
            "http://localhost:9/",
        )
        .await;
        assert_eq!(answer, Err(Unsent::Refused(REFUSED.to_owned())));
    }

    #[tokio::test]
    async fn an_opened_network_is_called_and_answers_are_cut() {
        let port = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n0123456789012345678901234567890123456789").await;
        let outgoing = saying("127.0.0.0/8", &["127.0.0.1"]);
        let reply = post(&outgoing, &format!("http://innocent.example:{port}/"))
            .await
            .unwrap();
        assert_eq!(
            (reply.status, reply.is_cut, reply.body.len()),
            (200, true, 16)
        );
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        let port = answering(
            b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n",
        )
        .await;
        let outgoing = saying("127.0.0.0/8", &["127.0.0.1"]);
        let reply = post(&outgoing, &format!("http://127.0.0.1:{port}/"))
            .await
            .unwrap();
        assert_eq!(reply.status, 302);
    }

    #[tokio::test]
    async fn who_hangs_is_left_and_who_is_not_there_is_said_without_the_address() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let outgoing = saying("true", &[]);
        let patience = Duration::from_millis(50);
        let address = format!("http://127.0.0.1:{port}/token");
        let answer = outgoing
            .post(&address, HeaderMap::new(), Vec::new(), patience, 16)
            .await;
        assert_eq!(
            answer,
            Err(Unsent::Failed("no answer within 0 s".to_owned()))
        );
        drop(listener);
        let Err(Unsent::Failed(words)) = post(&outgoing, &address).await else {
            panic!("nobody is there");
        };
        assert!(
            words.starts_with("the connection failed") && !words.contains("token"),
            "{words}"
        );
    }
}
