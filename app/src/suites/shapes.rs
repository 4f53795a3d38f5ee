//! What the suites' pages show, as it comes from the server.

use chrono::{DateTime, Utc};
use domain::{
    id::{CaseId, SuiteId},
    page::Listing,
    suite::{KeptCase, Origin, Scorer, Suite, SuiteRevision},
};
use serde::{Deserialize, Serialize};

use crate::prompts::words::written;

/// Which suite, as its address says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Here {
    /// The project.
    pub project: String,
    /// The suite's id, as it was written.
    pub id: String,
}

/// A suite that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The project.
    pub project: String,
    /// The suite.
    pub id: SuiteId,
}

/// A page of suites.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SuitesView {
    /// By name.
    pub suites: Listing<Suite>,
    /// When they were read.
    pub now: DateTime<Utc>,
}

/// A suite.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SuiteView {
    /// The suite.
    pub suite: Suite,
    /// When it was read.
    pub now: DateTime<Utc>,
}

/// A case as a row: cut to what fits, because a case may hold a megabyte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseLine {
    /// Where it stands.
    pub position: i32,
    /// The variables in one line.
    pub variables: String,
    /// What is expected, in one line.
    pub expected: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// How many scorers it has of its own.
    pub n_scorers: usize,
    /// Where it comes from.
    pub origin: Origin,
    /// What it is about.
    pub note: String,
}

/// A page of cases.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CasesView {
    /// In their order.
    pub cases: Listing<CaseLine>,
    /// How many the suite holds now.
    pub n_cases: i32,
}

/// A page of revisions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RevisionsView {
    /// Newest first.
    pub revisions: Listing<SuiteRevision>,
    /// When they were read.
    pub now: DateTime<Utc>,
}

/// One variable of a case that is being written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariableField {
    /// The name templates use.
    pub name: String,
    /// What stands there now.
    pub text: String,
    /// The type the prompt declares; none: it does not declare this one.
    pub kind: Option<String>,
    /// Whether callers must send it.
    pub is_required: bool,
}

/// What one needs to write a case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CaseView {
    /// The suite, for its number of cases and revision.
    pub suite: Suite,
    /// The case; none: a new one.
    pub kept: Option<KeptCase>,
    /// What the prompt's newest version declares, and what the case holds besides.
    pub variables: Vec<VariableField>,
    /// Whether it is shown as it was at an earlier revision.
    pub is_past: bool,
    /// Whether a problem is being reported.
    pub is_report: bool,
}

/// A case as it is submitted: texts, as forms have them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "a form has a box for each")]
pub struct CaseForm {
    /// The values by name.
    #[serde(default)]
    pub variables: std::collections::BTreeMap<String, String>,
    /// More variables as a JSON object.
    #[serde(default)]
    pub more: String,
    /// What is expected.
    #[serde(default)]
    pub expected: String,
    /// Whether it reports a problem; of a new case only.
    #[serde(default)]
    pub is_report: bool,
    /// Whether that is JSON rather than text.
    #[serde(default)]
    pub expected_is_json: bool,
    /// With commas between them; without the two that have a box.
    #[serde(default)]
    pub tags: String,
    /// Whether it is one of the smoke subset.
    #[serde(default)]
    pub smoke: bool,
    /// Whether losing it alone fails a gate.
    #[serde(default)]
    pub must_pass: bool,
    /// What it is about.
    #[serde(default)]
    pub note: String,
    /// The messages of placeholders, as a JSON object of lists.
    #[serde(default)]
    pub placeholders: String,
    /// Its own scorers, as a JSON list.
    #[serde(default)]
    pub scorers: String,
}

/// Which case was changed, as the person saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The case.
    pub id: CaseId,
    /// Where it stands.
    pub position: i32,
    /// The revision since which it was so.
    pub since: i32,
}

/// A scorer as it is submitted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScorerRow {
    /// The type; empty: the row is not used.
    #[serde(default)]
    pub kind: String,
    /// Whether it is inverted.
    #[serde(default)]
    pub not: bool,
    /// What it compares with.
    #[serde(default)]
    pub value: String,
    /// What stood there as JSON before: untouched, it stays what it was.
    #[serde(default)]
    pub was: String,
    /// From where, or up to where, it passes.
    #[serde(default)]
    pub threshold: String,
    /// Its share in the score.
    #[serde(default)]
    pub weight: String,
}

impl ScorerRow {
    /// A scorer as it stands in its row.
    pub fn of(scorer: &Scorer) -> Self {
        let number =
            |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
        let value = scorer.value.as_ref();
        Self {
            kind: scorer.kind.word().to_owned(),
            not: scorer.not,
            value: value.map(written).unwrap_or_default(),
            was: value.map(ToString::to_string).unwrap_or_default(),
            threshold: number(scorer.threshold),
            weight: number(scorer.weight),
        }
    }
}

/// What a file holds, before anything is added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// How many cases would be added.
    pub n_cases: usize,
    /// The first of them.
    pub first: Vec<CaseLine>,
    /// How many rows cannot be read.
    pub n_rejected: usize,
    /// The first of them, counted from 1, with why; row 0 is the whole file.
    pub rejected: Vec<(usize, String)>,
    /// Whether the file as a whole cannot be read.
    pub is_unreadable: bool,
    /// What the file says and does not apply here.
    pub notes: Vec<String>,
    /// Scorers for the whole suite, in words.
    pub scorers: Vec<String>,
    /// How many cases the suite would hold.
    pub n_after: usize,
}

/// What came of a change, for the one line that says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// In words.
    pub words: String,
}
