//! What the pages get of the server, each shape one screen or one part of one. `now` comes along,
//! so that the server and the browser tell the same time.

use chrono::{DateTime, Utc};
use domain::{
    actor::Who,
    cache::{budget::CacheSettings, estimate::Estimate},
    content::Content,
    gate::Verdict,
    id::{RunId, SuiteId},
    prompt::{Environment, FullVersion, Prompt, Serving, Version},
};
use serde::{Deserialize, Serialize};

use super::{comparison::Comparison, tree::Folder};
use crate::{monitor::Day, runs::shapes::LastRun};

/// A prompt with how it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// The prompt.
    pub prompt: Prompt,
    /// What the gate said last; none where it was never asked.
    pub gate: Option<LastGate>,
    /// Its last 24 hours in production; none where nobody called.
    pub day: Option<Day>,
}

/// What the gate said last of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastGate {
    /// Of which version.
    pub version: i32,
    /// The run it looked at.
    pub run: RunId,
    /// What it said.
    pub verdict: Verdict,
}

/// The list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ListView {
    /// One page of rows.
    pub prompts: Vec<Listed>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
    /// The environments' names, in the order of columns.
    pub environments: Vec<String>,
    /// All folders that hold prompts.
    pub folders: Vec<Folder>,
    /// All tags, the most used first.
    pub tags: Vec<String>,
    /// The address of this server.
    pub public_url: String,
    /// When this was read.
    pub now: DateTime<Utc>,
}

/// Which prompt an address is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Here {
    /// The project's address.
    pub project: String,
    /// The prompt's name.
    pub name: String,
}

/// A prompt that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The project's address.
    pub project: String,
    /// The prompt's name.
    pub name: String,
    /// The address of this server.
    pub public_url: String,
}

/// The header.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeadView {
    /// The prompt.
    pub prompt: Prompt,
    /// What serves production, with its hash and its clients.
    pub live: Option<Live>,
    /// The suite that a problem with it is reported to; none where it has none.
    pub report_to: Option<SuiteId>,
    /// The address of this server.
    pub public_url: String,
    /// When this was read.
    pub now: DateTime<Utc>,
}

/// What serves production.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Live {
    /// As the prompt lists it.
    pub serving: Serving,
    /// The hash of what serves.
    pub content_hash: String,
    /// Clients connected now.
    pub n_connected: i64,
    /// Those among them that hold what serves.
    pub n_current: i64,
    /// Whether it is still as good as when it was promoted, and when that was checked.
    pub drift: Option<(domain::drift::State, Option<DateTime<Utc>>)>,
}

/// The Versions tab.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VersionsView {
    /// One page of them, newest first.
    pub versions: Vec<Version>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
    /// The chosen one; none if there is no such version.
    pub chosen: Option<FullVersion>,
    /// What serves where.
    pub serving: Vec<Serving>,
    /// The environments, in order.
    pub environments: Vec<Environment>,
    /// Who includes the chosen version.
    pub uses: Vec<Use>,
    /// The version that serves production.
    pub active: Option<i32>,
    /// The last completed runs of these versions, where there are any.
    pub last_runs: Vec<LastRun>,
    /// What changes may cost in cache misses a day, in US dollars.
    pub cache_budget: Option<f64>,
    /// When this was read.
    pub now: DateTime<Utc>,
}

/// A version of another prompt that includes this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// The prompt that does.
    pub prompt: String,
    /// Its version.
    pub number: i32,
    /// The version of ours that it is pinned to.
    pub snippet_number: i32,
    /// Whether it is that prompt's newest.
    pub is_latest: bool,
}

/// The Compare tab.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CompareView {
    /// The newest versions, to choose from.
    pub versions: Vec<Version>,
    /// The two, compared; none if there are not two.
    pub compared: Option<Compared>,
}

/// Two versions and what differs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Compared {
    /// The old side.
    pub from: Version,
    /// The new side.
    pub to: Version,
    /// What differs.
    pub comparison: Comparison,
    /// What the change costs in production's cache misses.
    pub cost: Estimate,
}

/// The Edit tab.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EditView {
    /// The newest version: what a save says it saw. 0 while there is none.
    pub latest: i32,
    /// The version the text is from, if any.
    pub from: Option<i32>,
    /// What was written there, snippets not expanded.
    pub content: Option<Content>,
}

/// What became of a save.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SaveOutcome {
    /// It is saved, under this number.
    Saved(i32),
    /// Somebody saved this version meanwhile; nothing was saved.
    Overtaken(i32),
}

/// The Settings tab.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SettingsView {
    /// What it is for.
    pub description: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Its newest version.
    pub latest: Option<i32>,
    /// What serves where.
    pub serving: Vec<Serving>,
    /// Clients connected to production now.
    pub n_connected: i64,
    /// Who includes it.
    pub uses: Vec<Use>,
    /// What its changes may cost in cache misses.
    pub cache: CacheSettings,
    /// When this was read.
    pub now: DateTime<Utc>,
}

/// Somebody, as rows name them.
pub fn author(by: Option<&Who>) -> Option<String> {
    by.map(|who| who.name().to_owned())
}
