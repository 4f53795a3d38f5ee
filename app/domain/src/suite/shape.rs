//! Suites and cases as they are kept.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Case, Scorer};
use crate::{
    actor::Who,
    id::{CaseId, SuiteId},
    prompt::PromptName,
};

/// A suite as it is now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Suite {
    /// The suite.
    pub id: SuiteId,
    /// What people call it.
    pub name: String,
    /// The prompt it is for.
    pub prompt: PromptName,
    /// Rises with every change.
    pub revision: i32,
    /// How many cases it holds.
    pub n_cases: i32,
    /// Scorers that apply to every case.
    pub scorers: Vec<Scorer>,
    /// From which weighted score a case passes; without it every scorer that counts must pass.
    pub threshold: Option<f64>,
    /// Who created it.
    pub by: Who,
    /// When it last changed.
    pub changed_at: DateTime<Utc>,
}

/// A case of a suite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeptCase {
    /// The case; an edit keeps it.
    pub id: CaseId,
    /// Where it stands.
    pub position: i32,
    /// The revision since which it is as it is.
    pub since: i32,
    /// What it holds.
    #[serde(flatten)]
    pub case: Case,
}

/// What one change of a suite did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SuiteRevision {
    /// Its number.
    pub revision: i32,
    /// How many cases the suite held then.
    pub n_cases: i32,
    /// What changed, in words.
    pub what: String,
    /// Who changed it.
    pub by: Who,
    /// When.
    pub at: DateTime<Utc>,
}
