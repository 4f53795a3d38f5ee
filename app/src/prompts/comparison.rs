//! Two versions compared, ready to be drawn: worked out on the server, so that the browser
//! needs no code for it. Lines come from the word-level difference of `domain::diff`.

use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
mod build;
#[cfg(feature = "ssr")]
mod lines;

#[cfg(feature = "ssr")]
pub use build::compare;

/// Everything the Compare tab shows of two contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// Nothing differs.
    pub is_same: bool,
    /// Text became chat, or the other way round.
    pub kind: Option<Setting>,
    /// Messages, unchanged ones left out.
    pub messages: Vec<MessagePart>,
    /// How many messages are the same on both sides.
    pub n_same: u32,
    /// Words only on the new side.
    pub words_in: u32,
    /// Words only on the old side.
    pub words_out: u32,
    /// Variables and placeholders that differ; those that break callers first.
    pub variables: Vec<VariableRow>,
    /// The same variables are only listed otherwise.
    pub is_rearranged: bool,
    /// Every setting of the model that either side has.
    pub model: Vec<Setting>,
    /// Tools, if they differ.
    pub tools: Option<Vec<Line>>,
    /// The response format, if it differs.
    pub response_format: Option<Vec<Line>>,
    /// What providers have cached.
    pub cache: Cache,
}

impl Comparison {
    /// Those that may be refused by the new version.
    pub fn broken(&self) -> impl Iterator<Item = &VariableRow> {
        self.variables.iter().filter(|row| row.breaks_callers)
    }
}

/// A setting with both its values; the same on both sides if they are equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// What it is called.
    pub name: String,
    /// What it was.
    pub old: Option<String>,
    /// What it is.
    pub new: Option<String>,
}

/// One message that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessagePart {
    /// Its role now, or the one it had.
    pub role: String,
    /// The role it had, if that differs.
    pub old_role: Option<String>,
    /// `message 3`, `message 2 → 3`, `message 3, added`.
    pub place: String,
    /// Members beside the text that differ.
    pub members: Vec<String>,
    /// Words only on the new side.
    pub words_in: u32,
    /// Words only on the old side.
    pub words_out: u32,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// One line of a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Which side it stands on.
    pub side: Side,
    /// Its number on the old side.
    pub old: Option<u32>,
    /// Its number on the new side.
    pub new: Option<u32>,
    /// Its text, cut where it changes.
    pub spans: Vec<Span>,
}

/// Which side a line stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// On both.
    Both,
    /// Only on the new one.
    In,
    /// Only on the old one.
    Out,
    /// Lines left out, in words.
    Gap,
}

/// A stretch of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Whether the other side has something else here.
    pub is_changed: bool,
    /// The text.
    pub text: String,
}

/// A variable or placeholder that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariableRow {
    /// Its name.
    pub name: String,
    /// Whether it is a place for messages.
    pub is_placeholder: bool,
    /// Whether a caller that worked before may be refused now.
    pub breaks_callers: bool,
    /// What happened to it.
    pub change: String,
    /// What it was.
    pub old: Option<String>,
    /// What it is.
    pub new: Option<String>,
    /// Why callers break, one sentence each.
    pub why: Vec<String>,
}

/// The blocks that providers cache, from the first one on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cache {
    /// The blocks of the new version; long runs of the same state in one.
    pub blocks: Vec<CacheBlock>,
    /// Whether the provider's cache breaks somewhere.
    pub is_broken: bool,
    /// Characters before the first change.
    pub unchanged: u32,
    /// All characters of the new version.
    pub total: u32,
    /// Whether a variable stands before the change.
    pub is_behind_variable: bool,
}

/// One block, or several alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheBlock {
    /// What a person calls it.
    pub label: String,
    /// Whether it stays warm.
    pub state: BlockState,
    /// Its share of the whole, from 1 to 4.
    pub share: u8,
}

/// What becomes of a cached block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BlockState {
    /// It stays warm.
    Kept,
    /// It is the first that changes.
    First,
    /// It stands behind a change, and is written again.
    After,
}

impl BlockState {
    /// The word in `data-state`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::First => "first",
            Self::After => "after",
        }
    }

    /// What it means.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::First => "changes first",
            Self::After => "written again",
        }
    }
}
