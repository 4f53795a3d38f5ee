//! A project with its people, keys and prompts.

use std::sync::LazyLock;

use axum::http::header;
use domain::{
    actor::{Actor, Role, Scope},
    content::Content,
    id::{PersonId, ProjectId},
    prompt::PromptName,
};
use serde_json::{Value, json};
use store::{
    keys::NewKey,
    releases::{Release, Seen},
    secret::Secret,
};
use tokio::sync::OnceCell;

use super::{Client, TestApp};

/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery";

/// A project under test.
pub struct TestProject<'a> {
    pub app: &'a TestApp,
    pub slug: String,
    /// The one at the terminal, who made it.
    pub operator: Actor,
}

impl TestProject<'_> {
    pub fn id(&self) -> ProjectId {
        self.operator.project
    }

    fn store(&self) -> &store::Store {
        &self.app.state().store
    }

    /// A key with these scopes, ready to be used.
    pub async fn key(&self, scopes: &[Scope]) -> Client {
        self.make_key(scopes, None).await
    }

    /// A key with these scopes that may touch one environment only.
    pub async fn bound_key(&self, scopes: &[Scope], environment: &str) -> Client {
        self.make_key(scopes, Some(vec![environment.to_owned()]))
            .await
    }

    async fn make_key(&self, scopes: &[Scope], environments: Option<Vec<String>>) -> Client {
        let secret = Secret::new_key().unwrap();
        let new = NewKey {
            name: "a key".to_owned(),
            scopes: scopes.to_vec(),
            environments,
        };
        store::keys::create(self.store(), &self.operator, new, &secret, self.app.now())
            .await
            .unwrap();
        self.app.settle(self.id()).await;
        let credential = format!("Bearer {}", secret.reveal());
        Client::new(self.app.router(), Some((header::AUTHORIZATION, credential)))
    }

    /// A key that may do everything.
    pub async fn admin_key(&self) -> Client {
        self.key(&[Scope::Admin]).await
    }

    /// A member who has chosen a password.
    pub async fn member(&self, email: &str, role: Role) -> PersonId {
        let store = self.store();
        let member = store::members::add(store, &self.operator, email, email, role, self.app.now())
            .await
            .unwrap();
        store::people::set_password(store, member.id, &password_hash().await)
            .await
            .unwrap();
        member.id
    }

    /// A member who is signed in, through the form.
    pub async fn person(&self, role: Role) -> Client {
        let email = format!("{role}@{}.test", self.slug);
        self.member(&email, role).await;
        sign_in(self.app, &email).await
    }

    /// Begins the description of a prompt.
    pub fn prompt(&self, name: &str) -> PromptBuilder<'_> {
        PromptBuilder {
            project: self,
            name: PromptName::parse(name).unwrap(),
            versions: Vec::new(),
            deployments: Vec::new(),
        }
    }
}

/// Signs in and keeps the cookie.
pub async fn sign_in(app: &TestApp, email: &str) -> Client {
    let answer = app
        .anybody()
        .form("/sign-in", &[("email", email), ("password", PASSWORD)])
        .await;
    assert_eq!(answer.header("location"), Some("/"), "{answer:?}");
    let cookie = answer.header("set-cookie").unwrap();
    let (cookie, _) = cookie.split_once(';').unwrap();
    app.anybody().with("cookie", cookie)
}

/// Hashing is slow by design, so all share one.
async fn password_hash() -> String {
    static HASH: LazyLock<OnceCell<String>> = LazyLock::new(OnceCell::new);
    HASH.get_or_init(|| async {
        server::sign_in::hash_password(PASSWORD.to_owned())
            .await
            .unwrap()
    })
    .await
    .clone()
}

/// A prompt with its versions and what serves where.
pub struct PromptBuilder<'a> {
    project: &'a TestProject<'a>,
    name: PromptName,
    versions: Vec<Value>,
    deployments: Vec<(String, i32)>,
}

impl PromptBuilder<'_> {
    /// One version more.
    pub fn version(mut self, content: Value) -> Self {
        self.versions.push(content);
        self
    }

    /// One version more, holding just this text.
    pub fn says(self, words: &str) -> Self {
        self.version(text(words))
    }

    /// Deploys a version.
    pub fn serves(mut self, environment: &str, version: i32) -> Self {
        self.deployments.push((environment.to_owned(), version));
        self
    }

    /// Makes all of it and waits until it serves.
    pub async fn create(self) {
        let Self {
            project,
            name,
            versions,
            deployments,
        } = self;
        let (store, by, now) = (project.store(), &project.operator, project.app.now());
        store::prompts::create(store, by, &name, "", &[], now)
            .await
            .unwrap();
        for content in versions {
            let content = Content::parse("content", content).unwrap();
            store::versions::create(store, by, &name, content, "", None, now)
                .await
                .unwrap();
        }
        for (environment, version) in deployments {
            let release = Release {
                prompt: &name,
                environment: &environment,
                reason: "",
                seen: Seen::OnArrival,
            };
            store::promotions::request(store, by, &release, version, now)
                .await
                .unwrap();
        }
        project.app.settle(project.id()).await;
    }
}

/// The content of a text prompt without variables.
pub fn text(words: &str) -> Value {
    json!({ "type": "text", "messages": [{ "role": "user", "content": words }] })
}

/// The content of a chat prompt; each message is a role and a template.
pub fn chat(messages: &[(&str, &str)], variables: &Value) -> Value {
    let messages: Vec<Value> = messages
        .iter()
        .map(|(role, content)| json!({ "role": role, "content": content }))
        .collect();
    json!({ "type": "chat", "messages": messages, "variables": variables })
}
