//! Everything a client, a browser or an operator can see of the server.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper that cannot go on fails the test that called it"
)]

mod audit;
mod authorisation;
mod bad_input;
mod browsers;
mod cache_cost;
mod database_away;
mod drift;
mod evals;
mod events;
mod experiments;
mod idempotency;
mod layers;
mod life;
mod lists;
mod llm_faults;
mod llm_wire;
mod otlp;
mod pages;
mod postgres;
mod promotions;
mod races;
mod streams;
mod support;
mod webhooks;
