//! Every number a person acts on, computed in one place for server, command line and browser.
//!
//! Inputs are counts; outputs say their units. A value that cannot be computed is `None`, never
//! NaN: callers show it as "no data" with the reason. Reference values from independent
//! implementations are in the tests (statsmodels, R, Newcombe's papers).

pub mod distribution;
pub mod mean;
pub mod multiple;
pub mod paired;
pub mod power;
pub mod proportion;
pub mod sequential;
pub mod simulate;
pub mod srm;
pub mod threshold;

use serde::{Deserialize, Serialize};

/// The largest count that is accepted anywhere: beyond it doubles lose whole units.
pub const MAX_COUNT: u64 = 1_000_000_000;

/// Both ends of an interval, lower first; JSON is `[lower, upper]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 2]", into = "[f64; 2]")]
pub struct Interval {
    /// The lower end.
    pub lower: f64,
    /// The upper end.
    pub upper: f64,
}

impl From<[f64; 2]> for Interval {
    fn from([lower, upper]: [f64; 2]) -> Self {
        Self { lower, upper }
    }
}

impl From<Interval> for [f64; 2] {
    fn from(interval: Interval) -> Self {
        [interval.lower, interval.upper]
    }
}

/// A count as a double; exact up to [`MAX_COUNT`] and far beyond.
#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
pub const fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
pub(crate) mod testing {
    /// Asserts agreement to a relative error.
    #[track_caller]
    pub fn close(actual: f64, expected: f64, relative: f64) {
        let error = (actual - expected).abs() / expected.abs().max(1e-300);
        assert!(
            error <= relative,
            "{actual} is not {expected}: relative error {error:e}"
        );
    }

    /// Asserts agreement with a value that was printed with so many decimals.
    #[track_caller]
    pub fn printed(actual: f64, expected: f64, decimals: i32) {
        assert!(
            (actual - expected).abs() <= 0.5001 * 10_f64.powi(-decimals),
            "{actual} is not {expected}"
        );
    }
}
