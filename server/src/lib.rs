//! How Cueline runs.

pub mod assets;
pub mod postgres;
