//! Reading and writing files of cases: CSV, JSONL and promptfoo's configuration. One bad row
//! never rejects its neighbours, and nothing is dropped without a word: a row is read, rejected
//! with its reason, or noted.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Case, MAX_CASES, Origin, Scorer, check_expected};
use crate::field::FieldError;

mod csv;
mod jsonl;
mod promptfoo;
mod short;

/// Largest file, in bytes.
pub const MAX_FILE: usize = 50 * 1024 * 1024;

/// How a file of cases is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = CaseFormat))]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A heading and a row for each case. Every column is a variable, but `expected`, `tags`
    /// (with commas), `__expected…` (promptfoo's short scorers), `__tags`, `__must_pass`,
    /// `__note` and `__description`, `__metadata:…` (a tag), `__scorers` and `__placeholders`
    /// (JSON). Holds variables and `expected` as text only; all cases have all variables.
    Csv,
    /// A case as JSON on each line, or one JSON array of them. Holds everything but the origin.
    Jsonl,
    /// `promptfooconfig.yaml`. Holds everything but the origin; what promptfoo does not know
    /// (tags, `must_pass`, `expected`, placeholders) is in the test's `metadata`.
    Promptfoo,
}

impl Format {
    /// The word used in requests.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Promptfoo => "promptfoo",
        }
    }
}

/// What a file holds. Nothing is stored yet: this is also the preview.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Imported {
    /// The cases that were read, each with its row from 0 on.
    pub cases: Vec<(usize, Case)>,
    /// The rows that were not, in order.
    pub rejected: Vec<Rejected>,
    /// Scorers for the whole suite (promptfoo's `defaultTest.assert`).
    pub scorers: Vec<Scorer>,
    /// What was ignored or read differently, once each.
    pub notes: Vec<String>,
}

/// A row that was not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = RejectedCase))]
pub struct Rejected {
    /// The row, from 0 on, the heading not counted; 0 for the whole file.
    pub index: usize,
    /// Why, naming the field.
    pub reason: String,
}

impl Imported {
    fn reject(&mut self, index: usize, reason: impl Into<String>) {
        self.rejected.push(Rejected {
            index,
            reason: reason.into(),
        });
    }

    /// Rejects the cases that the scorers of their suite leave no way to keep: see [`check_expected`].
    #[must_use]
    pub fn held_against(mut self, suite: &[Scorer]) -> Self {
        for (index, case) in std::mem::take(&mut self.cases) {
            match check_expected(suite, &case) {
                Ok(()) => self.cases.push((index, case)),
                Err(error) => self.reject(index, error.to_string()),
            }
        }
        self.rejected.sort_by_key(|row| row.index);
        self
    }

    fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    fn add(&mut self, index: usize, case: Result<Case, String>) {
        match case {
            _ if index >= MAX_CASES => {
                if index == MAX_CASES {
                    self.reject(
                        index,
                        format!("at most {MAX_CASES} cases are read at once; the rest is left out"),
                    );
                }
            }
            Ok(case) => self.cases.push((index, case)),
            Err(reason) => self.reject(index, reason),
        }
    }
}

/// Reads a file of cases. A file that cannot be read at all is one rejected row 0.
pub fn read(format: Format, text: &str) -> Imported {
    let mut imported = Imported::default();
    if text.len() > MAX_FILE {
        imported.reject(
            0,
            format!(
                "the file has {} bytes; at most {MAX_FILE} are allowed",
                text.len()
            ),
        );
        return imported;
    }
    // Spreadsheets begin their files with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match format {
        Format::Csv => csv::read(text, &mut imported),
        Format::Jsonl => jsonl::read(text, &mut imported),
        Format::Promptfoo => promptfoo::read(text, &mut imported),
    }
    imported
}

/// Writes cases so that [`read`] reads the same, as far as the format can hold them: see
/// [`Format`].
pub fn write(format: Format, cases: &[Case]) -> String {
    match format {
        Format::Csv => csv::write(cases),
        Format::Jsonl => jsonl::write(cases),
        Format::Promptfoo => promptfoo::write(cases),
    }
}

/// A scorer that is left out, because it runs code of its author.
fn is_code(word: &str) -> bool {
    matches!(
        word.trim_start_matches("not-"),
        "javascript" | "python" | "ruby"
    )
}

fn code_note(word: &str) -> String {
    format!(
        "`{word}` scorers are left out: no user code runs in the server; a webhook scorer can take their place"
    )
}

/// Reads a case that was put together from a row.
fn case_of(members: Map<String, Value>) -> Result<Case, String> {
    Case::parse(&Value::Object(members), Origin::Import).map_err(|errors| in_words(&errors))
}

fn in_words(errors: &[FieldError]) -> String {
    errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

/// Takes `key: value` for a tag, if it makes one.
fn tag_of(key: &str, value: &str) -> Option<String> {
    let tag = format!("{}:{}", key.trim(), value.trim()).replace(' ', "-");
    crate::prompt::check_tags(std::slice::from_ref(&tag))
        .ok()
        .map(|()| tag)
}

/// A case's own members as JSON.
fn submitted(case: &Case) -> Map<String, Value> {
    match case.to_submitted() {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests;
