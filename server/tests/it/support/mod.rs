//! What the tests of the product stand on: a server on a database of its own, people and keys,
//! and clients that read as what they do.

mod app;
mod bad_provider;
mod client;
pub mod evals;
pub mod experiments;
mod project;
mod proxy;
mod stream;

pub use app::{TestApp, eventually};
pub use bad_provider::{Act, BadProvider};
pub use client::{Answer, Client};
pub use project::{PASSWORD, TestProject, chat, sign_in, text};
pub use proxy::Proxy;
pub use stream::{Events, Heard};
