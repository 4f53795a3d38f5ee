//! The binary as people run it.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that cannot go on fails the test that called it"
)]

mod crash;
mod real_model;
mod story;
mod support;
