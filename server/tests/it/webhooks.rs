//! Webhooks with receivers of every kind: what is sent can be checked, whoever hangs keeps nobody
//! waiting, and every delivery is accounted for.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::TimeDelta;
use domain::webhook::verify;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::support::{Client, TestApp};

/// A request that a receiver heard.
#[derive(Clone, Debug)]
struct Heard {
    head: String,
    body: String,
}

impl Heard {
    fn header(&self, name: &str) -> &str {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .unwrap_or_default()
    }
}

/// How a receiver behaves.
#[derive(Clone, Copy)]
enum Manner {
    /// It answers with those bytes.
    Answers(&'static str),
    /// It says nothing, ever.
    Hangs,
    /// It goes on for 50 MB.
    Floods,
}

struct Receiver {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
    manner: Arc<Mutex<Manner>>,
}

const YES: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const NO: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 4\r\n\r\noops";

impl Receiver {
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let manner = Arc::new(Mutex::new(manner));
        let (log, how) = (Arc::clone(&heard), Arc::clone(&manner));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, how) = (Arc::clone(&log), Arc::clone(&how));
                tokio::spawn(async move {
                    let _ = receive(stream, &log, &how).await;
                });
            }
        });
        Self {
            address,
            heard,
            manner,
        }
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

async fn receive(
    mut stream: TcpStream,
    log: &Mutex<Vec<Heard>>,
    manner: &Mutex<Manner>,
) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let request = loop {
        let mut chunk = [0; 4_096];
        let n = stream.read(&mut chunk).await?;
        if n == 0 {
            return Ok(());
        }
        bytes.extend_from_slice(&chunk[..n]);
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let heard = Heard {
                head: head.to_owned(),
                body: body.to_owned(),
            };
            let length: usize = heard.header("content-length").parse().unwrap_or(0);
            if body.len() >= length {
                break heard;
            }
        }
    };
    log.lock().unwrap().push(request);
    let manner = *manner.lock().unwrap();
    match manner {
        Manner::Answers(bytes) => stream.write_all(bytes.as_bytes()).await,
        Manner::Hangs => {
            std::future::pending::<()>().await;
            Ok(())
        }
        Manner::Floods => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 50 << 20);
            stream.write_all(head.as_bytes()).await?;
            let piece = vec![b'x'; 64 * 1_024];
            for _ in 0..50 * 16 {
                stream.write_all(&piece).await?;
            }
            Ok(())
        }
    }
}

/// A webhook and its secret.
async fn webhook(admin: &Client, name: &str, url: &str) -> (String, String) {
    let body = json!({ "name": name, "url": url });
    let made = admin.post("/api/v1/webhooks", &body).await.created();
    let of = |member: &str| made[member].as_str().unwrap().to_owned();
    (of("id"), of("secret"))
}

async fn test(admin: &Client, id: &str) -> String {
    let path = format!("/api/v1/webhooks/{id}/test");
    let queued = admin.post(&path, &json!({})).await.accepted();
    queued["delivery_id"].as_str().unwrap().to_owned()
}

async fn log(admin: &Client, id: &str) -> Vec<Value> {
    let path = format!("/api/v1/webhooks/{id}/deliveries");
    let page = admin.get(&path).await.ok();
    page["items"].as_array().unwrap().clone()
}

/// Waits until the newest delivery looks like that.
async fn until(admin: &Client, id: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let waiting = async {
        loop {
            if let Some(newest) = log(admin, id).await.into_iter().next()
                && holds(&newest)
            {
                return newest;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting)
        .await
        .expect("the delivery never came to that")
}

fn n_attempts(delivery: &Value) -> usize {
    delivery["attempts"].as_array().unwrap().len()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_sent_is_signed_and_the_secret_is_shown_once(pool: PgPool) {
    let app = TestApp::start_sending(&pool).await;
    let acme = app.project("acme").await;
    let admin = acme.admin_key().await;
    let receiver = Receiver::start(Manner::Answers(YES)).await;
    let url = format!("http://{}/hook?token=abc", receiver.address);
    let (id, secret) = webhook(&admin, "ops", &url).await;
    let delivery = test(&admin, &id).await;
    let done = until(&admin, &id, |delivery| delivery["state"] == "delivered").await;
    assert_eq!(done["attempts"][0]["status"], 204);

    let heard = receiver.heard().remove(0);
    assert!(
        heard.head.starts_with("POST /hook?token=abc "),
        "{}",
        heard.head
    );
    assert_eq!(heard.header("x-cueline-delivery"), delivery);
    assert_eq!(heard.header("x-cueline-event"), "test");
    assert_eq!(heard.header("content-type"), "application/json");
    let (signature, now) = (heard.header("x-cueline-signature"), app.now().timestamp());
    assert_eq!(verify(&secret, signature, &heard.body, now, 300), Ok(()));
    let body: Value = serde_json::from_str(&heard.body).unwrap();
    assert_eq!(
        (&body["type"], &body["id"]),
        (&json!("test"), &json!(delivery))
    );

    // Neither in lists, nor in the trail, nor in the database as it is.
    let list = admin.get("/api/v1/webhooks").await.ok().to_string();
    let trail = admin.get("/api/v1/audit").await.ok().to_string();
    assert!(!list.contains(&secret) && !trail.contains(&secret));
    assert!(!trail.contains("token=abc"), "{trail}");
    let sealed: Vec<u8> = sqlx::query_scalar("select sealed_secret from webhook")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains(&secret));

    // A new one signs from then on.
    let path = format!("/api/v1/webhooks/{id}/secret");
    let renewed = admin.post(&path, &json!({})).await.ok();
    let renewed = renewed["secret"].as_str().unwrap();
    assert_ne!(renewed, secret);
    let again = format!("/api/v1/webhooks/{id}/deliveries/{delivery}/redeliver");
    admin.post(&again, &json!({})).await.accepted();
    let done = until(&admin, &id, |newest| {
        newest["redelivers"] == json!(delivery) && newest["state"] == "delivered"
    })
    .await;
    let heard = receiver.heard().remove(1);
    assert_eq!(json!(heard.header("x-cueline-delivery")), done["id"]);
    let signature = heard.header("x-cueline-signature");
    assert_eq!(verify(renewed, signature, &heard.body, now, 300), Ok(()));
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn who_hangs_floods_redirects_or_is_private_keeps_nobody_waiting(pool: PgPool) {
    let app = TestApp::start_sending(&pool).await;
    let acme = app.project("acme").await;
    let admin = acme.admin_key().await;
    let (hangs, floods) = (
        Receiver::start(Manner::Hangs).await,
        Receiver::start(Manner::Floods).await,
    );
    let redirects = Receiver::start(Manner::Answers(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n",
    ))
    .await;
    let fine = Receiver::start(Manner::Answers(YES)).await;
    let mut ids = Vec::new();
    for (name, address) in [
        ("hangs", hangs.address),
        ("floods", floods.address),
        ("redirects", redirects.address),
        ("fine", fine.address),
    ] {
        let (id, _) = webhook(&admin, name, &format!("http://{address}/")).await;
        ids.push(id);
    }
    for (name, url) in [
        ("metadata", "http://169.254.169.254/latest/meta-data"),
        ("loopback six", "http://[::1]:9/"),
        ("mapped", "http://[::ffff:10.0.0.1]/"),
        ("hexadecimal", "http://0x0a.1/"),
        ("name", "http://localhost.localdomain.invalid/"),
    ] {
        let (id, _) = webhook(&admin, name, url).await;
        ids.push(id);
    }
    // Several wait behind the one that hangs; all others have theirs long before it is over.
    for id in &ids {
        test(&admin, id).await;
    }
    for _ in 0..3 {
        test(&admin, &ids[0]).await;
    }
    let began = std::time::Instant::now();
    until(&admin, &ids[3], |delivery| delivery["state"] == "delivered").await;
    let flood = until(&admin, &ids[1], |delivery| delivery["state"] == "delivered").await;
    assert!(flood["attempts"][0]["answer"].as_str().unwrap().len() < 600);
    let redirect = until(&admin, &ids[2], |delivery| n_attempts(delivery) == 1).await;
    assert_eq!(redirect["state"], "waiting");
    assert_eq!(redirect["attempts"][0]["status"], 307);
    for id in &ids[4..8] {
        let refused = until(&admin, id, |delivery| delivery["state"] == "given_up").await;
        let reason = refused["reason"].as_str().unwrap();
        assert!(reason.contains("private address"), "{reason}");
        assert_eq!(refused["attempts"][0]["status"], Value::Null);
    }
    until(&admin, &ids[8], |delivery| n_attempts(delivery) == 1).await;
    assert!(
        began.elapsed() < Duration::from_secs(9),
        "{:?}",
        began.elapsed()
    );
    let hanging = log(&admin, &ids[0]).await;
    assert_eq!(hanging.len(), 4);
    assert!(
        hanging
            .iter()
            .all(|delivery| delivery["state"] == "waiting")
    );
    assert_eq!(hangs.heard().len(), 1, "one at a time");
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_project_whose_receivers_all_hang_keeps_no_other_waiting(pool: PgPool) {
    let app = TestApp::start_sending(&pool).await;
    let (acme, beta) = (app.project("acme").await, app.project("beta").await);
    let quiet = app.project("quiet").await;
    let hangs = Receiver::start(Manner::Hangs).await;
    let fine = Receiver::start(Manner::Answers(YES)).await;
    // More than are told at a time, and each with more to tell.
    for project in [&acme, &beta] {
        let admin = project.admin_key().await;
        for n in 0..34 {
            let url = format!("http://{}/{n}", hangs.address);
            let (id, _) = webhook(&admin, &format!("hangs {n}"), &url).await;
            for _ in 0..2 {
                test(&admin, &id).await;
            }
        }
    }
    let heard = async {
        while hangs.heard().len() < 16 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), heard)
        .await
        .expect("they are told");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(hangs.heard().len(), 16, "eight of each project at a time");

    let admin = quiet.admin_key().await;
    let (id, _) = webhook(&admin, "fine", &format!("http://{}/", fine.address)).await;
    test(&admin, &id).await;
    let began = std::time::Instant::now();
    until(&admin, &id, |delivery| delivery["state"] == "delivered").await;
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );

    // A turn ends with the first attempt that fails: others of the project are next, and what
    // waits behind it is not tried before.
    let next = async {
        while hangs.heard().len() < 32 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), next)
        .await
        .expect("turns end");
    let paths: std::collections::BTreeSet<_> = hangs
        .heard()
        .iter()
        .map(|heard| heard.head.lines().next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(paths.len(), 16, "each of both projects once: {paths:?}");
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_receiver_says_when_it_wants_to_be_told_again(pool: PgPool) {
    let app = TestApp::start_sending(&pool).await;
    let acme = app.project("acme").await;
    let admin = acme.admin_key().await;
    for (name, answer, pause) in [
        (
            "busy",
            "HTTP/1.1 429 Too Many Requests\r\nretry-after: 600\r\ncontent-length: 0\r\n\r\n",
            600..=600,
        ),
        (
            "down for a week",
            "HTTP/1.1 503 Service Unavailable\r\nretry-after: 604800\r\ncontent-length: 0\r\n\r\n",
            7_200..=7_200,
        ),
        (
            "in a hurry",
            "HTTP/1.1 503 Service Unavailable\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n",
            8..=12,
        ),
        (
            "by a date",
            "HTTP/1.1 429 Too Many Requests\r\ndate: Sun, 06 Nov 1994 08:00:00 GMT\r\n\
             retry-after: Sun, 06 Nov 1994 08:05:00 GMT\r\ncontent-length: 0\r\n\r\n",
            300..=300,
        ),
        // Whoever failed in another way is told again by the schedule.
        (
            "broken",
            "HTTP/1.1 500 Internal Server Error\r\nretry-after: 600\r\ncontent-length: 0\r\n\r\n",
            8..=12,
        ),
    ] {
        let receiver = Receiver::start(Manner::Answers(answer)).await;
        let (id, _) = webhook(&admin, name, &format!("http://{}/", receiver.address)).await;
        test(&admin, &id).await;
        let tried = until(&admin, &id, |delivery| n_attempts(delivery) == 1).await;
        assert_eq!(tried["state"], "waiting", "{name}");
        let due: chrono::DateTime<chrono::Utc> = tried["due_at"].as_str().unwrap().parse().unwrap();
        let seconds = (due - app.now()).num_seconds();
        assert!(pause.contains(&seconds), "{name}: {seconds} s");
    }
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_hour_of_500_delays_a_delivery_and_a_day_of_it_gives_it_up(pool: PgPool) {
    let app = TestApp::start_sending(&pool).await;
    let acme = app.project("acme").await;
    let admin = acme.admin_key().await;
    let receiver = Receiver::start(Manner::Answers(NO)).await;
    let (id, _) = webhook(&admin, "ops", &format!("http://{}/", receiver.address)).await;
    let first = test(&admin, &id).await;
    let mut n = 1;
    let began = app.now();
    while app.now() - began < TimeDelta::hours(1) {
        let tried = until(&admin, &id, |delivery| n_attempts(delivery) == n).await;
        assert_eq!(tried["state"], "waiting");
        let due: chrono::DateTime<chrono::Utc> = tried["due_at"].as_str().unwrap().parse().unwrap();
        app.advance(due - app.now());
        n += 1;
    }
    *receiver.manner.lock().unwrap() = Manner::Answers(YES);
    let done = until(&admin, &id, |delivery| delivery["state"] == "delivered").await;
    assert!((7..=11).contains(&n_attempts(&done)), "{done}");
    assert_eq!(done["attempts"][0]["answer"], "oops");
    // The same id each time: a receiver that was told twice can tell.
    let ids: std::collections::BTreeSet<_> = receiver
        .heard()
        .iter()
        .map(|heard| heard.header("x-cueline-delivery").to_owned())
        .collect();
    assert_eq!(ids.into_iter().collect::<Vec<_>>(), [first]);

    *receiver.manner.lock().unwrap() = Manner::Answers(NO);
    test(&admin, &id).await;
    let given_up = loop {
        let now = app.now();
        let tried = until(&admin, &id, |delivery| {
            let at = |attempt: &Value| {
                attempt["at"]
                    .as_str()
                    .unwrap()
                    .parse::<chrono::DateTime<chrono::Utc>>()
                    .unwrap()
            };
            let attempts = delivery["attempts"].as_array().unwrap();
            attempts.last().is_some_and(|last| at(last) >= now) || delivery["state"] == "given_up"
        })
        .await;
        if tried["state"] == "given_up" {
            break tried;
        }
        let due: chrono::DateTime<chrono::Utc> = tried["due_at"].as_str().unwrap().parse().unwrap();
        app.advance(due - app.now() + TimeDelta::milliseconds(1));
    };
    assert!(
        given_up["reason"]
            .as_str()
            .unwrap()
            .starts_with("not delivered in 24 hours")
    );
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_rule_fires_and_its_webhook_is_told(pool: PgPool) {
    let app = TestApp::start_sending(&pool).await;
    let acme = app.guarded_project("acme").await;
    let admin = acme.admin_key().await;
    acme.prompt("support/triage").says("one").create().await;
    let receiver = Receiver::start(Manner::Answers(YES)).await;
    let body = json!({ "name": "chat", "url": format!("http://{}/", receiver.address), "format": "slack",
                       "alerts": ["approval_waiting"] });
    let made = admin.post("/api/v1/webhooks", &body).await.created();
    let id = made["id"].as_str().unwrap();
    let ask = json!({ "environment": "production", "version": 1 });
    admin
        .post("/api/v1/prompts/support%2Ftriage/promotions", &ask)
        .await
        .created();
    app.advance(TimeDelta::hours(25));
    until(&admin, id, |delivery| delivery["state"] == "delivered").await;
    let body: Value = serde_json::from_str(&receiver.heard()[0].body).unwrap();
    assert_eq!(
        body["text"],
        "Approval waiting, firing: support/triage v1 to production"
    );
    assert!(body["blocks"].as_array().unwrap().len() > 1);

    let alerts = admin.get("/api/v1/alerts?state=firing").await.ok();
    let alert = alerts["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/alerts/{alert}");
    let shown = admin.get(&path).await.ok();
    assert_eq!(shown["history"][0]["what"], "raised");
    let path = format!("{path}/acknowledge");
    let note = json!({ "note": "on it" });
    let cared = admin.post(&path, &note).await.ok();
    assert!(cared["acknowledged_at"].is_string());
    admin
        .post(&path, &note)
        .await
        .problem(409, "alert_acknowledged");
    app.stop().await;
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn without_a_key_to_seal_with_no_webhook_is_kept(pool: PgPool) {
    let app = TestApp::start(&pool).await;
    let acme = app.project("acme").await;
    let admin = acme.admin_key().await;
    let body = json!({ "name": "ops", "url": "https://ops.example/" });
    let answer = admin.post("/api/v1/webhooks", &body).await;
    assert_eq!(answer.status, 422);
    assert!(
        answer.json()["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("CUELINE_SECRET_KEY")
    );
    assert_eq!(app.count("webhook").await, 0);
    app.stop().await;
}
