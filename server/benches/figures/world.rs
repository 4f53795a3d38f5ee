//! A server of this process on a loopback port, with a project, a key and a signed-in person.

use std::net::SocketAddr;

use anyhow::Context;
use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Role, Scope},
    content::Content,
    prompt::PromptName,
};
use serde_json::json;
use server::{
    config::{Config, Options},
    sign_in, start,
    state::Clock,
};
use store::{
    Store,
    keys::NewKey,
    releases::{Release, Seen},
    secret::Secret,
};
use tokio::net::TcpListener;

/// The password of the person who looks at pages.
const PASSWORD: &str = "a password for benchmarks";

/// What is measured against.
pub struct World {
    pub store: Store,
    pub clock: Clock,
    pub address: SocketAddr,
    pub actor: Actor,
    pub key: String,
    pub cookie: String,
    pub prompt: PromptName,
}

impl World {
    pub async fn start(url: &str) -> anyhow::Result<Self> {
        let clock = Clock::real();
        let config = Config::load(Options {
            database_url: Some(url.to_owned()),
            data_dir: Some(std::env::temp_dir()),
            ..Options::default()
        })?;
        let store = start::open_store(&config, url).await?;
        store::people::create_project_as_system(&store, "bench", "Bench", clock.now()).await?;
        let actor = store::projects::operator(&store, "bench").await?;
        let secret = Secret::new_key()?;
        let new = NewKey {
            name: "bench".to_owned(),
            scopes: vec![Scope::Admin],
            environments: None,
        };
        store::keys::create(&store, &actor, new, &secret, clock.now()).await?;
        let member = store::members::add(
            &store,
            &actor,
            "pm@bench.test",
            "PM",
            Role::Viewer,
            clock.now(),
        )
        .await?;
        let hash = sign_in::hash_password(PASSWORD.to_owned()).await?;
        store::people::set_password(&store, member.id, &hash).await?;
        let prompt = PromptName::parse("support/triage")?;
        prompt_with_two_releases(&store, &actor, &prompt, clock.now()).await?;

        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let running = start::start(store.clone(), config, clock.clone()).await?;
        tokio::spawn(running.serve(listener, std::future::pending()));
        let cookie = sign_in(address).await?;
        Ok(Self {
            store,
            clock,
            address,
            actor,
            key: secret.reveal().to_owned(),
            cookie,
            prompt,
        })
    }

    /// Rolls production back to whatever served before; for ever back and forth.
    pub async fn roll_back(&self) -> anyhow::Result<()> {
        let release = Release {
            prompt: &self.prompt,
            environment: "production",
            reason: "bench",
            seen: Seen::OnArrival,
        };
        store::releases::roll_back(&self.store, &self.actor, &release, None, self.clock.now())
            .await?;
        Ok(())
    }
}

async fn prompt_with_two_releases(
    store: &Store,
    actor: &Actor,
    prompt: &PromptName,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    store::prompts::create(store, actor, prompt, "", &[], now).await?;
    for number in 1..=2 {
        let content = json!({
            "type": "chat",
            "messages": [
                { "role": "system", "content": format!("Version {number}. {}", "You sort mails by topic and urgency. ".repeat(40)) },
                { "role": "user", "content": "<mail>{{mail}}</mail>" },
            ],
            "variables": [{ "name": "mail", "type": "string", "max_length": 4000 }],
        });
        let content =
            Content::parse("content", content).map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
        store::versions::create(store, actor, prompt, content, "", None, now).await?;
        let release = Release {
            prompt,
            environment: "production",
            reason: "bench",
            seen: Seen::OnArrival,
        };
        store::promotions::request(store, actor, &release, number, now).await?;
    }
    Ok(())
}

async fn sign_in(address: SocketAddr) -> anyhow::Result<String> {
    let body = format!(
        "email=pm%40bench.test&password={}",
        PASSWORD.replace(' ', "+")
    );
    let request = format!(
        "POST /sign-in HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = crate::load::Connection::open(address)
        .await?
        .ask(request.as_bytes())
        .await?;
    let head = String::from_utf8_lossy(&answer.head);
    let cookie = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find_map(|(name, value)| name.eq_ignore_ascii_case("set-cookie").then_some(value))
        .and_then(|value| value.split(';').next())
        .context("signing in gave no cookie")?;
    Ok(cookie.to_owned())
}
