//! Addresses in every spelling, names that lie, receivers that misbehave.

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
    let port = answering(
        b"HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n0123456789012345678901234567890123456789",
    )
    .await;
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
