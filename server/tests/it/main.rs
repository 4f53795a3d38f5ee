//! Everything a client, a browser or an operator can see of the server.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper that cannot go on fails the test that called it"
)]

mod life;
mod postgres;
mod support;
