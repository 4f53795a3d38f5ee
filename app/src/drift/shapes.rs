//! What the pages of drift show, as it comes from the server.

use chrono::{DateTime, Utc};
use domain::{
    drift::{Check, Standing, inputs::InputDrift},
    schedule::Schedule,
};
use serde::{Deserialize, Serialize};

use crate::charts::Chart;

/// The list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DriftView {
    /// What needs somebody first.
    pub rows: Vec<DriftRow>,
    /// When this was read.
    pub now: DateTime<Utc>,
}

/// A prompt on the list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DriftRow {
    /// How it stands.
    pub standing: Standing,
    /// When the next check is due.
    pub next_due: Option<DateTime<Utc>>,
    /// Whether a check is under way.
    pub is_running: bool,
    /// The running average, small.
    pub spark: Option<Spark>,
}

/// A small drawing: shapes in a box of 120 by 32.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spark {
    /// What it shows, in words.
    pub label: String,
    /// Between the limits.
    pub band: String,
    /// The frozen rate.
    pub centre: String,
    /// The average.
    pub line: String,
    /// Its last point.
    pub dot: (String, String),
}

/// One prompt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DetailView {
    /// How it stands.
    pub standing: Standing,
    /// When it was promoted.
    pub promoted_at: DateTime<Utc>,
    /// The suite that is run: its id and its name.
    pub suite: Option<(String, String)>,
    /// The run that checks are held against.
    pub frozen_run: Option<String>,
    /// The run of a check that is under way.
    pub running: Option<String>,
    /// When it is looked after.
    pub schedule: Schedule,
    /// The same in English, and the checks it makes of a week.
    pub schedule_words: String,
    /// When the next check is due.
    pub next_due: Option<DateTime<Utc>>,
    /// The checks of the version that serves.
    pub chart: Option<Chart>,
    /// The last check of the version that serves.
    pub last: Option<Check>,
    /// All checks of the prompt, newest first, each with who asked and whether it was a person.
    pub checks: Vec<(Check, String, String)>,
    /// What the variables are filled with.
    pub inputs: Vec<InputDrift>,
    /// Which days are compared.
    pub windows: String,
    /// When this was read.
    pub now: DateTime<Utc>,
}
