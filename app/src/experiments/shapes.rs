//! What the pages of experiments show, as it travels from the server to the browser.

use chrono::{DateTime, Utc};
use domain::experiment::{ExperimentDetail, ExperimentRow, Layer};
use serde::{Deserialize, Serialize};

use super::plan::PlanValues;
use crate::{charts::Chart, costs::Warmth};

/// A page of experiments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExperimentsView {
    /// Newest first.
    pub rows: Vec<ExperimentRow>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
    /// Prompts to filter by.
    pub prompts: Vec<String>,
    /// When this was read.
    pub now: DateTime<Utc>,
}

/// What a plan is made with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanView {
    /// What is filled in, with what was left out filled in by what is known.
    pub values: PlanValues,
    /// Prompts to choose from, while none is chosen.
    pub prompts: Vec<String>,
    /// The prompt's versions, newest first.
    pub versions: Vec<VersionChoice>,
    /// The environments where it serves, and what.
    pub serving: Vec<(String, i32)>,
    /// Units a day as an earlier experiment on this prompt counted them, and its name.
    pub counted: Option<(f64, String)>,
    /// The project's layers, and what runs in them.
    pub layers: Vec<Layer>,
    /// How warm each arm would keep its prefix, as far as it is filled in.
    pub warmth: Option<Warmth>,
}

/// A version to choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionChoice {
    /// Its number.
    pub number: i32,
    /// What it is, in a line.
    pub words: String,
}

/// An experiment's page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExperimentView {
    /// The experiment, its results and its story.
    pub detail: ExperimentDetail,
    /// The effect of each challenger with its interval.
    pub effect: Option<Chart>,
    /// The effect as it was known over time.
    pub over_time: Option<Chart>,
    /// What its environment serves to everybody who does not take part.
    pub serving: Option<Served>,
    /// Whether a version may be deployed there without further evidence.
    pub is_open: bool,
    /// Why whoever looks may neither start it nor raise its traffic, by the environment's policy.
    pub objection: Option<String>,
    /// How warm each arm keeps its prefix, and of which traffic that is said.
    pub warmth: Option<Warmth>,
    /// What changes of the prompt may cost in cache misses a day, in US dollars.
    pub cache_budget: Option<f64>,
    /// What is wrong with its numbers, before it is started.
    pub warning: Option<String>,
    /// The address of this server.
    pub public_url: String,
    /// When this was read.
    pub now: DateTime<Utc>,
}

/// What serves now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// The version.
    pub version: i32,
    /// Since which deployment, so that a change meanwhile is noticed.
    pub deployment: String,
}

/// The Experiments tab of a prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TabView {
    /// Newest first.
    pub rows: Vec<ExperimentRow>,
    /// When this was read.
    pub now: DateTime<Utc>,
}
