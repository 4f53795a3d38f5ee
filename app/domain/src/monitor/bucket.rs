//! Minutes, hours and days, in UTC: how far a moment is rolled up, and which rows cover a stretch
//! of time with the fewest reads.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// How long a row's time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type))]
#[cfg_attr(feature = "sqlx", sqlx(type_name = "text", rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// A day, in UTC.
    Day,
    /// An hour.
    Hour,
    /// A minute.
    Minute,
}

impl Resolution {
    /// All of them, in the order of their words: the order in which rows are locked.
    pub const ALL: [Self; 3] = [Self::Day, Self::Hour, Self::Minute];

    /// The word used in the database.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Minute => "minute",
        }
    }

    /// How many seconds a row covers.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Day => 86_400,
            Self::Hour => 3_600,
            Self::Minute => 60,
        }
    }

    /// How long a row's time is.
    #[must_use]
    pub const fn length(self) -> TimeDelta {
        TimeDelta::seconds(self.seconds())
    }

    /// The start of the row a moment belongs to.
    #[must_use]
    pub fn start_of(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let seconds = at.timestamp();
        let into = seconds.rem_euclid(self.seconds());
        DateTime::from_timestamp(seconds - into, 0).unwrap_or(at)
    }

    /// The first start of a row that is not before the moment.
    fn start_from(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let start = self.start_of(at);
        if start < at {
            start + self.length()
        } else {
            start
        }
    }
}

/// A stretch of time to be read at one resolution; `to` is outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which rows.
    pub resolution: Resolution,
    /// From the row that starts here.
    pub from: DateTime<Utc>,
    /// To the row that starts here, without it.
    pub to: DateTime<Utc>,
}

/// The rows that cover from..to: whole days by their days, the rest by hours, the edges by minutes.
/// A minute that is touched is read whole. No two pieces overlap.
#[must_use]
pub fn cover(from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(5);
    let from = Resolution::Minute.start_of(from);
    let to = Resolution::Minute.start_from(to);
    fill(&mut pieces, &Resolution::ALL, from, to);
    pieces
}

/// Covers from..to by the coarsest rows that fit, and what is left before and behind by finer ones.
fn fill(pieces: &mut Vec<Piece>, by: &[Resolution], from: DateTime<Utc>, to: DateTime<Utc>) {
    let Some((coarsest, finer)) = by.split_first() else {
        return;
    };
    if from >= to {
        return;
    }
    let (first, last) = (coarsest.start_from(from), coarsest.start_of(to));
    if first >= last {
        return fill(pieces, finer, from, to);
    }
    fill(pieces, finer, from, first);
    pieces.push(Piece {
        resolution: *coarsest,
        from: first,
        to: last,
    });
    fill(pieces, finer, last, to);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn moments_belong_to_their_row() {
        let at = time("2028-02-29T23:59:59.5Z");
        assert_eq!(
            Resolution::Minute.start_of(at),
            time("2028-02-29T23:59:00Z")
        );
        assert_eq!(Resolution::Hour.start_of(at), time("2028-02-29T23:00:00Z"));
        assert_eq!(Resolution::Day.start_of(at), time("2028-02-29T00:00:00Z"));
        let before_1970 = time("1969-12-31T23:59:30Z");
        assert_eq!(
            Resolution::Hour.start_of(before_1970),
            time("1969-12-31T23:00:00Z")
        );
    }

    #[test]
    fn whole_days_are_read_as_days() {
        let pieces = cover(time("2026-03-01T22:30:00Z"), time("2026-03-04T01:00:30Z"));
        let found: Vec<(&str, String, String)> = pieces
            .iter()
            .map(|piece| {
                let text = |at: DateTime<Utc>| at.format("%d %H:%M").to_string();
                (piece.resolution.word(), text(piece.from), text(piece.to))
            })
            .collect();
        let piece = |word, from: &str, to: &str| (word, from.to_owned(), to.to_owned());
        assert_eq!(
            found,
            [
                piece("minute", "01 22:30", "01 23:00"),
                piece("hour", "01 23:00", "02 00:00"),
                piece("day", "02 00:00", "04 00:00"),
                piece("hour", "04 00:00", "04 01:00"),
                piece("minute", "04 01:00", "04 01:01"),
            ]
        );
        let at = time("2026-03-01T22:30:00Z");
        assert_eq!(cover(at, at), []);
    }

    proptest! {
        #[test]
        fn every_minute_is_read_once(start in 0_i64..300_000, length in 0_i64..400_000) {
            let at = |seconds: i64| DateTime::from_timestamp(1_772_000_000 + seconds, 0).unwrap();
            let (from, to) = (at(start), at(start + length));
            let pieces = cover(from, to);
            let seconds: i64 = pieces.iter().map(|piece| (piece.to - piece.from).num_seconds()).sum();
            let (first, last) = (Resolution::Minute.start_of(from), Resolution::Minute.start_from(to));
            prop_assert_eq!(seconds, (last - first).num_seconds());
            for piece in &pieces {
                prop_assert_eq!(piece.from, piece.resolution.start_of(piece.from));
                prop_assert_eq!(piece.to, piece.resolution.start_of(piece.to));
                prop_assert!(piece.from < piece.to);
            }
            for pair in pieces.windows(2) {
                prop_assert_eq!(pair[0].to, pair[1].from);
            }
        }
    }
}
