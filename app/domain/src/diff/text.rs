//! The difference of two texts: lines first, words only inside lines that changed, so that a
//! megabyte takes no longer than its changes deserve.

use serde::{Deserialize, Serialize};
use similar::{Algorithm, DiffOp, DiffableStr, capture_diff_slices};

/// A stretch of text on one side or both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = DiffSegment))]
pub struct Segment {
    /// Which side it stands on.
    pub op: Op,
    /// The text.
    pub text: String,
}

/// Which side a stretch of text stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = DiffOp))]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// On both.
    Equal,
    /// Only on the old one.
    Delete,
    /// Only on the new one.
    Insert,
}

/// Most words on both sides of a region compared word by word; a larger one is shown as
/// replaced, which is also easier to read.
const MAX_WORDS: usize = 40_000;

/// The texts' difference. Equal and inserted segments joined are the new text, equal and
/// deleted ones the old; deletions stand before the insertions they make room for.
pub fn text_diff(old: &str, new: &str) -> Vec<Segment> {
    let (old_lines, new_lines) = (lines(old), lines(new));
    let mut segments = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, &old_lines, &new_lines) {
        let old_text = old_lines[op.old_range()].concat();
        let new_text = new_lines[op.new_range()].concat();
        match op {
            DiffOp::Equal { .. } => push(&mut segments, Op::Equal, &new_text),
            DiffOp::Delete { .. } | DiffOp::Insert { .. } | DiffOp::Replace { .. } => {
                diff_words(&old_text, &new_text, &mut segments);
            }
        }
    }
    tidy(&segments)
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn diff_words(old: &str, new: &str, segments: &mut Vec<Segment>) {
    let (old_words, new_words) = (old.tokenize_unicode_words(), new.tokenize_unicode_words());
    if old.is_empty() || new.is_empty() || old_words.len() + new_words.len() > MAX_WORDS {
        push(segments, Op::Delete, old);
        push(segments, Op::Insert, new);
        return;
    }
    let ops = capture_diff_slices(Algorithm::Myers, &old_words, &new_words);
    let n_common: usize = ops
        .iter()
        .filter(|op| matches!(op, DiffOp::Equal { .. }))
        .flat_map(|op| &old_words[op.old_range()])
        .filter(|word| word.contains(char::is_alphanumeric))
        .map(|word| word.len())
        .sum();
    // A rewritten sentence shares its "the" and "of" with the old one; picking those out
    // makes confetti, not a comparison.
    if n_common * 6 < old.len().min(new.len()) {
        push(segments, Op::Delete, old);
        push(segments, Op::Insert, new);
        return;
    }
    for op in ops {
        let (old_text, new_text) = (
            old_words[op.old_range()].concat(),
            new_words[op.new_range()].concat(),
        );
        if matches!(op, DiffOp::Equal { .. }) {
            push(segments, Op::Equal, &new_text);
        } else {
            push(segments, Op::Delete, &old_text);
            push(segments, Op::Insert, &new_text);
        }
    }
}

/// Adds text, joining it to a segment of the same side.
fn push(segments: &mut Vec<Segment>, op: Op, text: &str) {
    if text.is_empty() {
        return;
    }
    match segments.last_mut() {
        Some(last) if last.op == op => last.text.push_str(text),
        _ => segments.push(Segment {
            op,
            text: text.to_owned(),
        }),
    }
}

/// Joins changes that only blanks keep apart, and puts deletions before insertions.
fn tidy(segments: &[Segment]) -> Vec<Segment> {
    let mut tidied = Vec::with_capacity(segments.len());
    let (mut deleted, mut inserted) = (String::new(), String::new());
    for (index, segment) in segments.iter().enumerate() {
        match segment.op {
            Op::Delete => deleted.push_str(&segment.text),
            Op::Insert => inserted.push_str(&segment.text),
            Op::Equal => {
                let is_between = index > 0 && index + 1 < segments.len();
                let is_blank = segment.text.chars().all(|c| c.is_whitespace() && c != '\n');
                if is_between && is_blank {
                    deleted.push_str(&segment.text);
                    inserted.push_str(&segment.text);
                } else {
                    push(&mut tidied, Op::Delete, &std::mem::take(&mut deleted));
                    push(&mut tidied, Op::Insert, &std::mem::take(&mut inserted));
                    push(&mut tidied, Op::Equal, &segment.text);
                }
            }
        }
    }
    push(&mut tidied, Op::Delete, &deleted);
    push(&mut tidied, Op::Insert, &inserted);
    tidied
}
