//! Cueline's rules: what a prompt is, what may happen to it, who may do it.
//!
//! Invariants of this crate: no IO, no clock, no randomness; the same code runs
//! in the server and in the browser. Time and ids are arguments. Refusals are
//! small enums whose `Display` a person can read.

pub mod id;
pub mod page;
pub mod field;

pub mod actor;

pub mod content;
pub mod template;
pub mod variable;
pub mod lint;
pub mod prompt;
pub mod diff;
pub mod cache;

pub mod lifecycle;
pub mod release;
pub mod audit;
pub mod project;
