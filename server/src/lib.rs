//! How Cueline runs.

pub mod postgres;
