//! Cueline's rules: what a prompt is, what may happen to it, who may do it.
//!
//! Invariants of this crate: no IO, no clock, no randomness; the same code runs
//! in the server and in the browser. Time and ids are arguments. Refusals are
//! small enums whose `Display` a person can read.

#![warn(missing_docs)]

pub mod field;
pub mod id;
pub mod page;

pub mod actor;

pub mod cache;
pub mod content;
pub mod diff;
pub mod lint;
pub mod prompt;
pub mod template;
pub mod variable;

pub mod audit;
pub mod lifecycle;
pub mod project;

pub mod advisor;
pub mod calculator;
pub mod release;
pub mod stats;

pub mod suite;

pub mod scoring;

pub mod gate;

pub mod cost;
pub mod provider;
pub mod run;
pub mod tokens;

pub mod experiment;

pub mod monitor;

pub mod alert;
pub mod drift;
pub mod schedule;
pub mod webhook;
