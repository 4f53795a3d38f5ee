//! Percentiles that add up: a `DDSketch` promises a relative error, on heavy tails too, and two of
//! them make the one that would have seen both. Means of percentiles would be neither.

use domain::monitor::Percentiles;
use serde::{Deserialize, Serialize};
use sketches_ddsketch::{Config, DDSketch};

/// What is promised is 1 %; the rest is for how ranks are rounded.
const ACCURACY: f64 = 0.008;
/// Enough for fourteen orders of magnitude: nothing ever collapses.
const BINS: u32 = 2_048;
/// Below this, a measurement in milliseconds counts as zero.
const LEAST: f64 = 1e-6;

/// Measurements, as far as percentiles need them.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sketch(DDSketch);

impl Default for Sketch {
    fn default() -> Self {
        Self(DDSketch::new(Config::new(ACCURACY, BINS, LEAST)))
    }
}

impl std::fmt::Debug for Sketch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Sketch").field(&self.0.count()).finish()
    }
}

impl Sketch {
    pub fn add(&mut self, value: f64) {
        self.0.add(value);
    }

    pub fn merge(&mut self, other: &Self) {
        if other.0.count() == 0 {
            return;
        }
        if self.0.count() == 0 {
            self.0 = other.0.clone();
        } else if self.0.merge(&other.0).is_err() {
            // Every sketch has been made with the configuration above: a migration would renew them.
            tracing::error!("sketches of different accuracy cannot be added up");
        }
    }

    /// Three percentiles; none without measurements.
    pub fn percentiles(&self) -> Option<Percentiles> {
        let (min, max) = (self.0.min()?, self.0.max()?);
        // A bin's middle may lie outside what was measured.
        let at = |q: f64| Some(self.0.quantile(q).ok()??.clamp(min, max));
        Some(Percentiles {
            p50: at(0.5)?,
            p95: at(0.95)?,
            p99: at(0.99)?,
        })
    }

    /// As the table keeps it; without measurements nothing.
    pub fn to_bytes(&self) -> Result<Vec<u8>, postcard::Error> {
        if self.0.count() == 0 {
            return Ok(Vec::new());
        }
        postcard::to_allocvec(self)
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, postcard::Error> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        postcard::from_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look drawn by chance and are the same each time.
    struct Dice(u64);

    impl Dice {
        /// Evenly between 0 and 1, both excluded.
        fn throw(&mut self) -> f64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            #[expect(clippy::cast_precision_loss, reason = "53 bits")]
            let share = ((self.0 >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0;
            share
        }

        fn normal(&mut self) -> f64 {
            let (u, v) = (self.throw(), self.throw());
            (-2.0 * u.ln()).sqrt() * (2.0 * std::f64::consts::PI * v).cos()
        }

        fn log_normal(&mut self) -> f64 {
            (6.5 + 1.4 * self.normal()).exp()
        }

        /// With a tail so heavy that it has no variance.
        fn pareto(&mut self) -> f64 {
            80.0 / self.throw().powf(1.0 / 1.2)
        }
    }

    /// Percentiles of the sketch are within 1 % of the sorted values', whether everything went into
    /// one sketch or into many that were written down, read and added up.
    fn check(draw: fn(&mut Dice) -> f64, seed: u64, n: usize) {
        let mut dice = Dice(seed);
        let mut values: Vec<f64> = (0..n).map(|_| draw(&mut dice)).collect();
        let mut one = Sketch::default();
        let mut parts = vec![Sketch::default(); 37];
        for (index, value) in values.iter().enumerate() {
            one.add(*value);
            parts[index % 37].add(*value);
        }
        let mut merged = Sketch::default();
        for part in &parts {
            merged.merge(&Sketch::from_bytes(&part.to_bytes().unwrap()).unwrap());
        }
        values.sort_by(f64::total_cmp);
        let (one, merged) = (one.percentiles().unwrap(), merged.percentiles().unwrap());
        assert_eq!(one, merged, "adding up loses nothing");
        for (q, found) in [(0.5, one.p50), (0.95, one.p95), (0.99, one.p99)] {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a rank"
            )]
            let rank = (q * (n as f64 - 1.0)) as usize;
            let exact = values[rank];
            let error = (found - exact).abs() / exact;
            assert!(error <= 0.01, "{q} of {n}: {found} for {exact}");
        }
    }

    #[test]
    fn percentiles_are_within_one_percent_on_heavy_tails() {
        for seed in 1..=12 {
            for n in [1, 2, 40, 3_000, 60_000] {
                check(Dice::log_normal, seed * 7_919, n);
                check(Dice::pareto, seed * 104_729, n);
            }
        }
    }

    #[test]
    fn extremes_are_taken_and_bytes_stay_small() {
        let mut sketch = Sketch::default();
        assert_eq!(sketch.percentiles(), None);
        assert_eq!(sketch.to_bytes().unwrap(), b"");
        for value in [0.0, 1e-9, 1e12] {
            sketch.add(value);
        }
        assert!(sketch.percentiles().is_some());
        // What a busy minute looks like: a few hundred bytes, mostly bins of one byte.
        let mut dice = Dice(5);
        let mut minute = Sketch::default();
        for _ in 0..600 {
            minute.add(dice.log_normal());
        }
        assert!(minute.to_bytes().unwrap().len() < 900);
    }
}
