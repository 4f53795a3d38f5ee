//! What changed between the run at promotion and this one, as far as anybody can see: the model
//! behind the name, the judge, the suite, the prompt. A provider may also change a model without a
//! word; then nothing is seen, and that is said.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{content::ContentHash, id::RunId};

/// What is known of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFacts {
    /// The run.
    pub run: RunId,
    /// The suite's revision.
    pub revision: i32,
    /// What was run.
    pub prompt: ContentHash,
    /// Stands for the suite's own scorers and threshold: equal where they are.
    pub scorers: String,
    /// The models that answered, with their fingerprints where the provider gives one.
    pub models: BTreeSet<String>,
    /// The models that judged, each with the hash of its question; empty without judges.
    pub judges: BTreeSet<String>,
    /// Its cases.
    pub n_cases: u64,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// What is not the same as at promotion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = DriftCause))]
pub struct Cause {
    /// `model`, `judge`, `suite`, `scorers` or `prompt`.
    pub what: What,
    /// At promotion.
    pub before: String,
    /// Now.
    pub after: String,
    /// For a person.
    pub sentence: String,
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = DriftCauseKind))]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The model that answered, or what its provider says changes with it.
    Model,
    /// The model that judged, or how it was asked.
    Judge,
    /// Cases were added, changed or removed.
    Suite,
    /// What passing means.
    Scorers,
    /// The prompt itself.
    Prompt,
}

impl What {
    /// As people read it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Model => "Model",
            Self::Judge => "Judge",
            Self::Suite => "Suite",
            Self::Scorers => "Scorers",
            Self::Prompt => "Prompt",
        }
    }
}

/// What differs, what explains most first. None: nothing that can be seen.
pub(super) fn causes(frozen: &RunFacts, run: &RunFacts) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut note = |what, before: String, after: String, sentence: &str| {
        if before != after {
            causes.push(Cause {
                what,
                before,
                after,
                sentence: sentence.to_owned(),
            });
        }
    };
    note(
        What::Prompt,
        frozen.prompt.short().to_owned(),
        run.prompt.short().to_owned(),
        "The prompt's content is not the one that was promoted.",
    );
    note(
        What::Model,
        join(&frozen.models),
        join(&run.models),
        "Another model answered than at promotion: the same name may hide a new one.",
    );
    note(
        What::Judge,
        join(&frozen.judges),
        join(&run.judges),
        "Another judge, or one that was asked differently: part of the change may be its taste.",
    );
    note(
        What::Scorers,
        short(&frozen.scorers),
        short(&run.scorers),
        "The suite's scorers are others: passing does not mean the same.",
    );
    note(
        What::Suite,
        format!("revision {}", frozen.revision),
        format!("revision {}", run.revision),
        "The suite changed meanwhile; only cases that stayed as they were are compared.",
    );
    causes
}

fn join(names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.join(", ")
}

fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}
