//! The audit trail: what an entry is, the bytes that are hashed, and the check of the chain.
//!
//! Every entry's hash covers the hash of the one before it, per project, so that an edited,
//! missing or reordered row shows. Somebody who can rewrite the *whole* table can also make a
//! new chain; who needs protection from that keeps the head hash elsewhere and hands it to the
//! check as an anchor.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{actor::Who, id::ProjectId};

/// The hash before the first entry of a project.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One change, as recorded with it in the same transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Entry {
    /// Its place in the project's chain, from 1 without gaps.
    pub sequence: i64,
    /// When it happened, to the microsecond.
    pub at: DateTime<Utc>,
    /// Who did it.
    pub actor: Who,
    /// What was done, as `noun.verb`, such as `deployment.rollback`.
    pub action: String,
    /// What it was done to: a prompt's name, a person's e-mail, an environment.
    pub subject: String,
    /// What changed: `before`, `after`, `reason` and whatever belongs to the action.
    pub detail: Value,
    /// The hash of the entry before.
    pub previous_hash: String,
    /// SHA-256 over [`Entry::canonical`], lower-case hex.
    pub hash: String,
}

impl Entry {
    /// The bytes that are hashed: RFC 8785 canonical JSON of everything but the hash itself.
    pub fn canonical(&self, project: ProjectId) -> String {
        let fields = json!({
            "project": project,
            "sequence": self.sequence,
            "at": self.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            "actor": self.actor,
            "action": self.action,
            "subject": self.subject,
            "detail": self.detail,
            "previous_hash": self.previous_hash,
        });
        // Writing a `Value` into a string cannot fail: its keys are strings and its numbers finite.
        serde_json_canonicalizer::to_string(&fields).unwrap_or_default()
    }

    /// The hash this entry should have.
    #[must_use]
    pub fn computed_hash(&self, project: ProjectId) -> String {
        hex(&Sha256::digest(self.canonical(project).as_bytes()))
    }

    /// Puts the entry behind `previous_hash` and computes its own.
    #[must_use]
    pub fn chained(mut self, project: ProjectId, previous_hash: &str) -> Self {
        previous_hash.clone_into(&mut self.previous_hash);
        self.hash = self.computed_hash(project);
        self
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Where and how a chain is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The row's own hash does not fit what it says.
    #[error("entry {0} was edited: its hash does not fit its content")]
    Edited(i64),
    /// A number was skipped.
    #[error("entry {0} is missing")]
    Missing(i64),
    /// A row stands twice or out of its place.
    #[error("entry {0} is out of place")]
    Reordered(i64),
    /// The row fits itself but not the one before it.
    #[error("entry {0} does not follow the one before it: it or its predecessor was replaced")]
    Unlinked(i64),
    /// Rows at the end are gone, or the anchor is of another chain.
    #[error("the chain ends at entry {ends} but {expected} entries were recorded")]
    Truncated {
        /// The last entry found.
        ends: i64,
        /// The last entry recorded.
        expected: i64,
    },
    /// The last entry is not the one the head or the anchor names.
    #[error("entry {0} does not have the hash that was kept for it")]
    WrongHead(i64),
}

/// Checks a chain row by row, so that a trail of any length needs no memory.
#[derive(Clone, Debug)]
pub struct Check {
    project: ProjectId,
    last: i64,
    last_hash: String,
    anchor: Option<(i64, String)>,
}

impl Check {
    /// Starts at the beginning of a project's chain. The anchor, if one was kept
    /// elsewhere, is the number and hash of an entry.
    #[must_use]
    pub fn new(project: ProjectId, anchor: Option<(i64, String)>) -> Self {
        Self {
            project,
            last: 0,
            last_hash: GENESIS.to_owned(),
            anchor,
        }
    }

    /// The next row, in the order of `sequence`.
    pub fn next(&mut self, entry: &Entry) -> Result<(), Broken> {
        let expected = self.last + 1;
        if entry.sequence < expected {
            return Err(Broken::Reordered(entry.sequence));
        }
        if entry.sequence > expected {
            return Err(Broken::Missing(expected));
        }
        if entry.computed_hash(self.project) != entry.hash {
            return Err(Broken::Edited(entry.sequence));
        }
        if entry.previous_hash != self.last_hash {
            return Err(Broken::Unlinked(entry.sequence));
        }
        if let Some((sequence, hash)) = &self.anchor
            && *sequence == entry.sequence
            && *hash != entry.hash
        {
            return Err(Broken::WrongHead(entry.sequence));
        }
        self.last = entry.sequence;
        self.last_hash.clone_from(&entry.hash);
        Ok(())
    }

    /// The end of the trail; `head` is what the project remembers as its last entry.
    pub fn finish(self, head: (i64, &str)) -> Result<(i64, String), Broken> {
        let expected = self
            .anchor
            .as_ref()
            .map_or(head.0, |(sequence, _)| head.0.max(*sequence));
        if self.last != expected {
            return Err(Broken::Truncated {
                ends: self.last,
                expected,
            });
        }
        if self.last_hash != head.1 {
            return Err(Broken::WrongHead(self.last));
        }
        Ok((self.last, self.last_hash))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const PROJECT: ProjectId = ProjectId(Uuid::nil());

    fn chain(length: i64) -> Vec<Entry> {
        let mut previous = GENESIS.to_owned();
        (1..=length)
            .map(|sequence| {
                let entry = Entry {
                    sequence,
                    at: DateTime::from_timestamp(1_700_000_000 + sequence, 123_456_000).unwrap(),
                    actor: Who::System {
                        name: "test".into(),
                    },
                    action: "prompt.create".into(),
                    subject: format!("p{sequence}"),
                    detail: json!({"n": sequence, "half": 0.5}),
                    previous_hash: String::new(),
                    hash: String::new(),
                }
                .chained(PROJECT, &previous);
                previous.clone_from(&entry.hash);
                entry
            })
            .collect()
    }

    fn verify(entries: &[Entry], head: (i64, &str)) -> Result<(i64, String), Broken> {
        let mut check = Check::new(PROJECT, None);
        for entry in entries {
            check.next(entry)?;
        }
        check.finish(head)
    }

    #[test]
    fn an_untouched_chain_holds() {
        let entries = chain(5);
        assert!(verify(&entries, (5, &entries[4].hash)).is_ok());
        assert_eq!(verify(&[], (0, GENESIS)), Ok((0, GENESIS.to_owned())));
    }

    #[test]
    fn an_edited_row_is_named() {
        let mut entries = chain(5);
        let head = entries[4].hash.clone();
        entries[2].detail = json!({"n": 99});
        assert_eq!(verify(&entries, (5, &head)), Err(Broken::Edited(3)));
    }

    #[test]
    fn a_missing_row_is_named() {
        let mut entries = chain(5);
        let head = entries[4].hash.clone();
        entries.remove(2);
        assert_eq!(verify(&entries, (5, &head)), Err(Broken::Missing(3)));
        assert_eq!(
            verify(&chain(4), (5, &head)),
            Err(Broken::Truncated {
                ends: 4,
                expected: 5
            })
        );
    }

    #[test]
    fn reordered_rows_are_named() {
        let mut entries = chain(5);
        let head = entries[4].hash.clone();
        // Somebody swaps the content of two rows and keeps the numbers in order.
        entries.swap(1, 2);
        (entries[1].sequence, entries[2].sequence) = (2, 3);
        assert_eq!(verify(&entries, (5, &head)), Err(Broken::Edited(2)));
        entries.swap(3, 4);
        entries[1] = chain(5)[1].clone();
        entries[2] = chain(5)[2].clone();
        assert_eq!(verify(&entries, (5, &head)), Err(Broken::Missing(4)));
    }

    #[test]
    fn a_rehashed_row_does_not_fit_its_successor() {
        let mut entries = chain(5);
        let head = entries[4].hash.clone();
        entries[2].detail = json!({"n": 99});
        entries[2].hash = entries[2].computed_hash(PROJECT);
        assert_eq!(verify(&entries, (5, &head)), Err(Broken::Unlinked(4)));
    }

    #[test]
    fn a_kept_anchor_shows_a_chain_that_was_made_anew() {
        let entries = chain(5);
        let mut check = Check::new(PROJECT, Some((3, GENESIS.to_owned())));
        assert!(check.next(&entries[0]).is_ok());
        assert!(check.next(&entries[1]).is_ok());
        assert_eq!(check.next(&entries[2]), Err(Broken::WrongHead(3)));
    }
}
