//! Which message became which. Equal messages hold the two lists together; what lies between
//! them is paired by role and by how many words two messages share.

use std::collections::HashSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::text::{Op, Segment, text_diff};
use crate::content::{ChatMessage, Message, canonical};

/// One message of either side, or one that became another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MessageDiff {
    /// What happened to it.
    pub change: MessageChange,
    /// Its place in the old content, from 0.
    pub old_index: Option<usize>,
    /// Its place in the new content, from 0.
    pub new_index: Option<usize>,
    /// Its role there, or `placeholder` and its name.
    pub old_role: Option<String>,
    /// Its role here, or `placeholder` and its name.
    pub new_role: Option<String>,
    /// The text's difference.
    pub segments: Vec<Segment>,
    /// Other members that differ, such as `cache_control`.
    pub members: Vec<String>,
}

/// What happened to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum MessageChange {
    /// Nothing; it may stand elsewhere.
    Same,
    /// Its text, role or another member.
    Changed,
    /// It is new.
    Added,
    /// It is gone.
    Removed,
}

impl MessageDiff {
    /// The role a person should read: the new one where there is one.
    pub fn role(&self) -> &str {
        self.new_role
            .as_deref()
            .or(self.old_role.as_deref())
            .unwrap_or_default()
    }
}

/// Above this many pairs, messages are paired in order of their roles only.
const MAX_PAIRS: usize = 40_000;

/// Words looked at to tell how alike two messages are.
const MAX_WORDS: usize = 500;

/// Messages of another role are the same message only when nearly all words agree.
const ALIKE_PERMILLE: usize = 600;

pub(super) fn align(old: &[Message], new: &[Message]) -> Vec<MessageDiff> {
    let old_keys: Vec<String> = old.iter().map(canonical).collect();
    let new_keys: Vec<String> = new.iter().map(canonical).collect();
    let mut aligned = Vec::with_capacity(old.len().max(new.len()));
    // Deletions and insertions next to each other make one gap.
    let (mut old_at, mut new_at) = (0, 0);
    for op in capture_diff_slices(Algorithm::Myers, &old_keys, &new_keys) {
        if let DiffOp::Equal {
            old_index,
            new_index,
            len,
        } = op
        {
            fill_gap(old, old_at..old_index, new, new_at..new_index, &mut aligned);
            for offset in 0..len {
                let (before, after) = (old_index + offset, new_index + offset);
                aligned.push(both((before, &old[before]), (after, &new[after])));
            }
            (old_at, new_at) = (old_index + len, new_index + len);
        }
    }
    fill_gap(old, old_at..old.len(), new, new_at..new.len(), &mut aligned);
    aligned
}

fn fill_gap(
    old: &[Message],
    old_gap: Range<usize>,
    new: &[Message],
    new_gap: Range<usize>,
    aligned: &mut Vec<MessageDiff>,
) {
    let pairs = pairs(&old[old_gap.clone()], &new[new_gap.clone()]);
    let (mut old_at, mut new_at) = (old_gap.start, new_gap.start);
    let ends = (old_gap.len(), new_gap.len());
    for (old_offset, new_offset) in pairs.into_iter().chain([ends]) {
        let (old_next, new_next) = (old_gap.start + old_offset, new_gap.start + new_offset);
        aligned.extend((old_at..old_next).map(|index| removed(index, &old[index])));
        aligned.extend((new_at..new_next).map(|index| added(index, &new[index])));
        if (old_offset, new_offset) != ends {
            aligned.push(both((old_next, &old[old_next]), (new_next, &new[new_next])));
        }
        (old_at, new_at) = (old_next + 1, new_next + 1);
    }
}

/// Pairs of indices, rising on both sides, that are alike most in total.
fn pairs(old: &[Message], new: &[Message]) -> Vec<(usize, usize)> {
    if old.len().saturating_mul(new.len()) > MAX_PAIRS {
        return pairs_by_role(old, new);
    }
    let old_words: Vec<HashSet<&str>> = old.iter().map(words).collect();
    let new_words: Vec<HashSet<&str>> = new.iter().map(words).collect();
    let width = new.len() + 1;
    let mut scores = vec![0_usize; (old.len() + 1) * width];
    let mut best = vec![0_usize; (old.len() + 1) * width];
    for (i, before) in old.iter().enumerate().rev() {
        for (j, after) in new.iter().enumerate().rev() {
            let at = i * width + j;
            scores[at] = score(before, &old_words[i], after, &new_words[j]);
            let paired = if scores[at] > 0 {
                scores[at] + best[at + width + 1]
            } else {
                0
            };
            best[at] = paired.max(best[at + width]).max(best[at + 1]);
        }
    }
    let mut pairs = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < old.len() && j < new.len() {
        let at = i * width + j;
        if scores[at] > 0 && best[at] == scores[at] + best[at + width + 1] {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if best[at] == best[at + width] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

fn pairs_by_role(old: &[Message], new: &[Message]) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    let mut j = 0;
    for (i, before) in old.iter().enumerate() {
        let is_match = |after: &Message| chat(before).is_some() && role(before) == role(after);
        if let Some(offset) = new[j..].iter().position(is_match) {
            pairs.push((i, j + offset));
            j += offset + 1;
        }
        if j == new.len() {
            break;
        }
    }
    pairs
}

/// Zero for two that are never the same message. A message of the same role always counts
/// for something: a rewritten one is still the same message.
fn score(
    old: &Message,
    old_words: &HashSet<&str>,
    new: &Message,
    new_words: &HashSet<&str>,
) -> usize {
    let (Some(before), Some(after)) = (chat(old), chat(new)) else {
        return 0;
    };
    let n_common = old_words.intersection(new_words).count();
    let permille = 2_000 * n_common / (old_words.len() + new_words.len()).max(1);
    match before.role == after.role {
        true => 100 + permille,
        false if permille >= ALIKE_PERMILLE => permille,
        false => 0,
    }
}

fn words(message: &Message) -> HashSet<&str> {
    let text = chat(message).map_or("", |message| message.content.as_str());
    text.split_whitespace().take(MAX_WORDS).collect()
}

fn chat(message: &Message) -> Option<&ChatMessage> {
    match message {
        Message::Chat(message) => Some(message),
        Message::Placeholder(_) => None,
    }
}

fn role(message: &Message) -> String {
    match message {
        Message::Chat(message) => message.role.to_string(),
        Message::Placeholder(placeholder) => format!("placeholder {}", placeholder.name),
    }
}

fn both((old_index, old): (usize, &Message), (new_index, new): (usize, &Message)) -> MessageDiff {
    let (segments, members) = match (chat(old), chat(new)) {
        (Some(old), Some(new)) => (text_diff(&old.content, &new.content), members(old, new)),
        _ => (Vec::new(), Vec::new()),
    };
    let (old_role, new_role) = (role(old), role(new));
    let is_same = old_role == new_role
        && members.is_empty()
        && segments.iter().all(|segment| segment.op == Op::Equal);
    MessageDiff {
        change: if is_same {
            MessageChange::Same
        } else {
            MessageChange::Changed
        },
        old_index: Some(old_index),
        new_index: Some(new_index),
        old_role: Some(old_role),
        new_role: Some(new_role),
        segments,
        members,
    }
}

fn removed(index: usize, message: &Message) -> MessageDiff {
    MessageDiff {
        change: MessageChange::Removed,
        old_index: Some(index),
        new_index: None,
        old_role: Some(role(message)),
        new_role: None,
        segments: chat(message).map_or_else(Vec::new, |message| text_diff(&message.content, "")),
        members: Vec::new(),
    }
}

fn added(index: usize, message: &Message) -> MessageDiff {
    MessageDiff {
        change: MessageChange::Added,
        old_index: None,
        new_index: Some(index),
        old_role: None,
        new_role: Some(role(message)),
        segments: chat(message).map_or_else(Vec::new, |message| text_diff("", &message.content)),
        members: Vec::new(),
    }
}

fn members(old: &ChatMessage, new: &ChatMessage) -> Vec<String> {
    let differs = [
        ("name", old.name != new.name),
        ("tool_call_id", old.tool_call_id != new.tool_call_id),
        (
            "tool_calls",
            canonical(&old.tool_calls) != canonical(&new.tool_calls),
        ),
        (
            "cache_control",
            canonical(&old.cache_control) != canonical(&new.cache_control),
        ),
    ];
    differs
        .into_iter()
        .filter(|(_, differs)| *differs)
        .map(|(name, _)| name.to_owned())
        .collect()
}
