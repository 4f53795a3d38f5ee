//! When an alert fires and when it is over. It takes more to begin than to go on, and both take
//! their time: what trembles around a threshold raises one alert, not many.

use chrono::{DateTime, TimeDelta, Utc};

/// What was read of a subject.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    /// A value; higher is worse.
    At(f64),
    /// It cannot be told: what is not known neither raises an alert nor ends one.
    Unknown,
    /// There is no such subject any more, or nobody watches it: nothing is left to be alarmed about.
    Gone,
}

/// From when on it is too much, and from when on it is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hysteresis {
    /// At or above this it is too much.
    pub raise_at: f64,
    /// Below this it is over; never above `raise_at`.
    pub clear_at: f64,
    /// For how long it must be too much, without a break.
    pub raise_after: TimeDelta,
    /// For how long it must be below, without a break.
    pub clear_after: TimeDelta,
}

/// Where one subject of a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing is the matter.
    Quiet,
    /// Too much, not for long enough yet.
    Pending {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// People should look.
    Firing {
        /// Since when it has read below what clears it, if it does.
        below_since: Option<DateTime<Utc>>,
    },
}

/// What a reading brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Nothing people would see.
    Stays,
    /// It begins to fire.
    Raised,
    /// It is over.
    Resolved,
}

impl State {
    /// Whether people should look.
    #[must_use]
    pub const fn is_firing(self) -> bool {
        matches!(self, Self::Firing { .. })
    }

    /// The state after a reading.
    #[must_use]
    pub fn step(self, rule: &Hysteresis, reading: Reading, now: DateTime<Utc>) -> (Self, Move) {
        match self {
            Self::Quiet => rise(now, rule, reading, now),
            Self::Pending { since } => rise(since, rule, reading, now),
            Self::Firing { below_since } => match reading {
                Reading::Gone => (Self::Quiet, Move::Resolved),
                Reading::At(value) if value < rule.clear_at => {
                    let since = below_since.unwrap_or(now);
                    if now - since >= rule.clear_after {
                        (Self::Quiet, Move::Resolved)
                    } else {
                        let below_since = Some(since);
                        (Self::Firing { below_since }, Move::Stays)
                    }
                }
                Reading::At(_) | Reading::Unknown => {
                    (Self::Firing { below_since: None }, Move::Stays)
                }
            },
        }
    }
}

fn rise(
    since: DateTime<Utc>,
    rule: &Hysteresis,
    reading: Reading,
    now: DateTime<Utc>,
) -> (State, Move) {
    match reading {
        Reading::At(value) if value >= rule.raise_at => {
            if now - since >= rule.raise_after {
                (State::Firing { below_since: None }, Move::Raised)
            } else {
                (State::Pending { since }, Move::Stays)
            }
        }
        Reading::At(_) | Reading::Unknown | Reading::Gone => (State::Quiet, Move::Stays),
    }
}
