//! The demo project: what a first look at Cueline shows. Its prompts and their histories are told
//! in `prompts/*.json` and played through the store's own commands with the times they tell, so
//! that trail, deployments and statuses are as real as anybody's. Its clients are real ones, too.

pub mod clients;
mod credentials;
mod drift;
mod evals;
mod experiments;
mod load;
mod player;
mod replay;
mod script;
mod serving;
pub mod traffic;

pub use credentials::{Credentials, Wishes, install};
pub use load::load;

use domain::actor::Role;

/// The project's address.
pub const PROJECT: &str = "demo";
/// The project's name.
pub const PROJECT_NAME: &str = "Acme Support";

/// Somebody who works at Acme.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    /// What they may do; scripts name them by it.
    pub role: Role,
    /// As people call them.
    pub name: &'static str,
    /// Where they sign in with.
    pub email: &'static str,
}

/// The four who sign in, one for every role.
pub const PEOPLE: [Person; 4] = [
    Person {
        role: Role::Admin,
        name: "Marta Oliveira",
        email: "admin@demo.local",
    },
    Person {
        role: Role::Approver,
        name: "Priya Raman",
        email: "approver@demo.local",
    },
    Person {
        role: Role::Editor,
        name: "Jonas Weber",
        email: "editor@demo.local",
    },
    Person {
        role: Role::Viewer,
        name: "Hanna Lindqvist",
        email: "viewer@demo.local",
    },
];

/// A place where models answer. Keys, where one is needed, come from the environment.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// What versions call it.
    pub name: &'static str,
    /// The protocol it speaks.
    pub kind: &'static str,
    /// Its address.
    pub base_url: &'static str,
}

/// Acme's providers. The last one is what `make model` starts.
pub const PROVIDERS: [Endpoint; 3] = [
    Endpoint {
        name: "anthropic",
        kind: "anthropic",
        base_url: "https://api.anthropic.com/v1",
    },
    Endpoint {
        name: "openai",
        kind: "openai",
        base_url: "https://api.openai.com/v1",
    },
    Endpoint {
        name: "local",
        kind: "openai",
        base_url: "http://127.0.0.1:8089/v1",
    },
];

/// An application that follows an environment.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// The name it gives itself.
    pub consumer: &'static str,
    /// What it follows.
    pub environment: &'static str,
    /// How long it takes to put a new version to use: at least and at most, in milliseconds.
    pub takes_ms: (u64, u64),
}

const fn client(consumer: &'static str, environment: &'static str, takes_ms: (u64, u64)) -> Client {
    Client {
        consumer,
        environment,
        takes_ms,
    }
}

/// Everything at Acme that holds a stream open.
pub const CLIENTS: [Client; 14] = [
    client("api-eu-1", "production", (20, 70)),
    client("api-eu-2", "production", (20, 80)),
    client("api-us-1", "production", (30, 120)),
    client("api-us-2", "production", (30, 110)),
    client("worker-1", "production", (60, 210)),
    client("worker-2", "production", (60, 240)),
    client("worker-3", "production", (60, 220)),
    client("mobile-gw-1", "production", (120, 380)),
    client("mobile-gw-2", "production", (140, 400)),
    client("helpdesk-plugin", "production", (90, 300)),
    client("api-staging-1", "staging", (20, 120)),
    client("worker-staging-1", "staging", (60, 260)),
    client("jonas-laptop", "development", (40, 180)),
    client("ci-preview", "development", (50, 200)),
];
