//! A content's prefix in tokens, and for how long each part of it is written.

use super::Written;
use crate::{
    cache::{Block, FirstChange, Ttl},
    tokens::Tokenizer,
};

/// A content's prefix in tokens.
pub(super) struct Prefix {
    /// Up to the last breakpoint, or all of it.
    pub whole: f64,
    /// The part from the first changed block on, by the time it is written for.
    changed: [(Ttl, f64); 2],
    pub has_breakpoint: bool,
}

impl Prefix {
    pub fn of(blocks: &[Block], change: Option<&FirstChange>, tokenizer: Tokenizer) -> Self {
        let last = blocks.iter().rposition(|block| block.breakpoint.is_some());
        let cached = &blocks[..last.map_or(blocks.len(), |last| last + 1)];
        let from = change.map_or(cached.len(), |change| change.index.min(cached.len()));
        let (mut whole, mut changed) = (0.0, Ttl::ALL.map(|ttl| (ttl, 0.0)));
        // From behind, so that the breakpoint at or behind each block is the one seen last.
        let mut until = Ttl::default();
        for (index, block) in cached.iter().enumerate().rev() {
            until = block.breakpoint.unwrap_or(until);
            let tokens = tokenizer.count(&block.text);
            whole += tokens;
            if index >= from {
                let of_its_time = changed.iter_mut().filter(|(ttl, _)| *ttl == until);
                of_its_time.for_each(|(_, sum)| *sum += tokens);
            }
        }
        Self {
            whole,
            changed,
            has_breakpoint: last.is_some(),
        }
    }

    /// What is written again, in whole tokens.
    pub fn written(&self, scale: f64) -> Vec<Written> {
        let tokens = self.changed.iter().map(|(ttl, tokens)| Written {
            ttl: *ttl,
            tokens: rounded(tokens * scale),
        });
        tokens.filter(|written| written.tokens > 0).collect()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes the nearest whole number that there is, never less than 0"
)]
pub(super) fn rounded(tokens: f64) -> u32 {
    tokens.round() as u32
}
