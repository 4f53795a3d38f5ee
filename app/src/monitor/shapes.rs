//! What the monitor shows, ready to be shown: the browser computes nothing.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::charts::Chart;

/// The whole tab.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MonitorView {
    /// What is asked for, with what was left out filled in.
    pub query: super::links::Query,
    /// The project's environments.
    pub environments: Vec<String>,
    /// Versions with traffic in the window, the newest first.
    pub versions: Vec<i32>,
    /// The numbers that matter.
    pub tiles: Vec<Tile>,
    /// The pictures.
    pub pictures: Vec<Picture>,
    /// Each version's numbers.
    pub by_version: Vec<VersionRow>,
    /// Two versions side by side, when asked for.
    pub pair: Option<Pair>,
    /// Failures by kind, the most frequent first.
    pub failures: Vec<FailureRow>,
    /// What was released and tried meanwhile, the newest first.
    pub happenings: Vec<Happening>,
    /// What is kept of calls.
    pub sampling: Sampling,
    /// The last calls that were kept.
    pub samples: Vec<SampleRow>,
    /// Where they can be added.
    pub suites: Vec<SuiteChoice>,
    /// When the window begins.
    pub from: DateTime<Utc>,
    /// When this was read.
    pub now: DateTime<Utc>,
    /// Whether nothing was reported in the window.
    pub is_empty: bool,
}

/// A number in the strip on top.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tile {
    /// What it is.
    pub label: String,
    /// The number.
    pub value: String,
    /// Its unit.
    pub unit: String,
    /// What stands below it.
    pub note: String,
    /// `bad` or `warn` where it is.
    pub tone: Option<String>,
}

/// What a picture is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Topic {
    /// Calls and failures.
    Requests,
    /// The share that did not fail.
    Success,
    /// Until the last token.
    Latency,
    /// Until the first token.
    FirstToken,
    /// Tokens.
    Tokens,
    /// US dollars.
    Cost,
    /// The share of input that came from the cache.
    Cache,
    /// What people said.
    Feedback,
}

impl Topic {
    /// What its ids begin with.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Success => "success",
            Self::Latency => "latency",
            Self::FirstToken => "first-token",
            Self::Tokens => "tokens",
            Self::Cost => "cost",
            Self::Cache => "cache",
            Self::Feedback => "feedback",
        }
    }

    /// What it is called.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Requests => "Requests",
            Self::Success => "Success rate",
            Self::Latency => "Latency",
            Self::FirstToken => "Time to first token",
            Self::Tokens => "Tokens",
            Self::Cost => "Cost",
            Self::Cache => "Cache hits",
            Self::Feedback => "Feedback",
        }
    }

    /// What its table's numbers are.
    pub const fn numbers(self) -> &'static str {
        match self {
            Self::Requests => "requests over time",
            Self::Success => "the success rate over time",
            Self::Latency => "the latency over time",
            Self::FirstToken => "the time to the first token over time",
            Self::Tokens => "tokens over time",
            Self::Cost => "the cost over time",
            Self::Cache => "the share of cached input over time",
            Self::Feedback => "feedback over time",
        }
    }
}

/// A picture and what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// What it is about.
    pub topic: Topic,
    /// The picture.
    pub chart: Chart,
}

/// A version's numbers in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRow {
    /// Its number; none where callers named no version.
    pub version: Option<i32>,
    /// In the order of [`VERSION_COLUMNS`].
    pub cells: Vec<String>,
}

/// What is said of each version.
pub const VERSION_COLUMNS: [&str; 7] = [
    "Requests",
    "Success",
    "p50",
    "p95",
    "First token p95",
    "Cost per 1,000",
    "Feedback",
];

/// Two versions side by side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The version on the left.
    pub version: i32,
    /// The one on the right.
    pub beside: i32,
    /// What is compared: its name, left, right, and the change from left to right.
    pub rows: Vec<[String; 4]>,
}

/// Failures of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRow {
    /// What a person calls it.
    pub words: String,
    /// How many.
    pub n: String,
    /// Their share of all calls.
    pub share: String,
}

/// What is kept of calls, as it is typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampling {
    /// The share in percent; `0`: nothing.
    pub share: String,
    /// Patterns, one a line.
    pub patterns: String,
}

/// A call that was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleRow {
    /// It.
    pub id: String,
    /// The version that was called, in words.
    pub version: String,
    /// When.
    pub at: DateTime<Utc>,
    /// What the prompt was filled with, as JSON; may be empty.
    pub variables: String,
    /// What the model wrote; may be empty.
    pub output: String,
    /// Why it failed.
    pub error: Option<String>,
}

/// A suite of the prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuiteChoice {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// Something that happened meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    /// When.
    pub at: DateTime<Utc>,
    /// The word above its line in the pictures.
    pub word: String,
    /// What it was.
    pub sentence: String,
    /// Where it was.
    pub environment: String,
    /// Where there is more about it.
    pub href: String,
}
