//! Which units take part. Units are drawn on the line from 0 to 1, and an experiment takes a slice
//! of it. In a layer all experiments draw on the same line, so slices that do not overlap share no
//! unit, and what no experiment takes is the holdout.

use serde::{Deserialize, Serialize};

use super::Refusal;
use crate::id::ExperimentId;

/// The longest name of a layer, in characters.
pub const MAX_LAYER: usize = 64;

/// Slices that meet within this touch and do not overlap: 0.1 + 0.2 is a little more than 0.3 in
/// binary fractions, and no unit is drawn in between.
const TOUCHES: f64 = 1e-12;

/// A part of the line that units are drawn on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// Where it begins, 0 or more.
    pub from: f64,
    /// How long it is: the share of all units that it holds.
    pub traffic: f64,
}

impl Slice {
    /// A slice that begins at 0, as it is without a layer.
    #[must_use]
    pub const fn first(traffic: f64) -> Self {
        Self { from: 0.0, traffic }
    }

    /// Where it ends.
    #[must_use]
    pub fn end(self) -> f64 {
        self.from + self.traffic
    }

    /// Whether a unit drawn there takes part: from the beginning on, and before the end.
    #[must_use]
    pub fn holds(self, drawn: f64) -> bool {
        self.from <= drawn && drawn < self.end()
    }

    /// Whether it ends where the line does, or before.
    #[must_use]
    pub fn fits(self) -> bool {
        self.from >= 0.0 && self.end() <= 1.0 + TOUCHES
    }

    /// Whether some unit would be in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.end().min(other.end()) - self.from.max(other.from) > TOUCHES
    }

    /// What is left of the line, in order.
    #[must_use]
    pub fn free(taken: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut taken: Vec<Self> = taken.into_iter().collect();
        taken.sort_by(|one, other| one.from.total_cmp(&other.from));
        // The last one ends the line.
        let end = Self {
            from: 1.0,
            traffic: 0.0,
        };
        taken.push(end);
        let mut free = Vec::new();
        let mut at = 0.0_f64;
        for slice in taken {
            let gap = slice.from - at;
            if gap > TOUCHES {
                free.push(Self {
                    from: at,
                    traffic: gap,
                });
            }
            at = at.max(slice.end());
        }
        free
    }
}

impl std::fmt::Display for Slice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {} %", percent(self.from), percent(self.end()))
    }
}

/// Without the digits that binary fractions leave behind.
fn percent(share: f64) -> f64 {
    (share * 1e8).round() / 1e6
}

/// Slices in words: `0 to 10 % and 40 to 100 %`.
#[must_use]
pub fn slices_in_words(slices: &[Slice]) -> String {
    let words: Vec<String> = slices.iter().map(ToString::to_string).collect();
    match words.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}

/// A running experiment in a layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Occupant {
    /// The experiment.
    pub id: ExperimentId,
    /// As people call it.
    pub name: String,
    /// What it takes.
    pub slice: Slice,
}

/// A layer and what runs in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// As plans name it.
    pub name: String,
    /// What runs, by where it begins.
    pub occupants: Vec<Occupant>,
}

impl Layer {
    /// What no running experiment takes: the holdout, and room for others.
    #[must_use]
    pub fn free(&self) -> Vec<Slice> {
        Slice::free(self.occupants.iter().map(|one| one.slice))
    }

    /// Refuses a slice that shares units with one that is taken, and names whose that is.
    pub fn check_room(&self, wanted: Slice) -> Result<(), Refusal> {
        let in_the_way = self.occupants.iter().find(|one| one.slice.overlaps(wanted));
        match in_the_way {
            None => Ok(()),
            Some(other) => Err(Refusal::LayerTaken {
                layer: self.name.clone(),
                wanted,
                other: other.name.clone(),
                taken: other.slice,
                free: slices_in_words(&self.free()),
            }),
        }
    }
}

/// Whether a layer may be called this.
pub fn check_layer(name: &str) -> Result<(), &'static str> {
    let is_legal = (1..=MAX_LAYER).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    is_legal
        .then_some(())
        .ok_or("must be 1 to 64 letters, digits, `-`, `_` or `.`")
}
