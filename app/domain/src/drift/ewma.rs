//! An exponentially weighted moving average of pass rates (Roberts 1959), with the exact limits of
//! each point instead of those that are reached in the end. It averages differences to the frozen
//! rate over the same cases, so a case that joins or leaves the suite does not move it.

use serde::{Deserialize, Serialize};

/// The weight of the newest check.
const LAMBDA: f64 = 0.2;
/// Limits lie so many standard deviations from the centre.
const WIDTH: f64 = 3.0;

/// The chart after a check.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = DriftChart))]
pub struct Ewma {
    /// Which check this is since the promotion, from 1.
    pub n_th: u32,
    /// The frozen rate.
    pub centre: f64,
    /// The average's distance from it.
    pub deviation: f64,
    /// The variance of that distance while nothing changes.
    pub variance: f64,
}

impl Ewma {
    /// Before the first check.
    pub(super) const fn begin(centre: f64) -> Self {
        Self {
            n_th: 0,
            centre,
            deviation: 0.0,
            variance: 0.0,
        }
    }

    /// Takes in a check: its pass rate minus the frozen one over the same `n` cases, of which
    /// `frozen_passed` passed at promotion.
    pub(super) fn next(self, difference: f64, frozen_passed: u64, n: u64) -> Self {
        let size = super::float(n.max(1));
        let rate = if frozen_passed == 0 || frozen_passed == n {
            // All or none: a variance of 0 would make an alarm of a single case. Agresti and
            // Coull's rate instead, with two passes and two failures more.
            (super::float(frozen_passed) + 2.0) / (size + 4.0)
        } else {
            super::float(frozen_passed) / size
        };
        let kept = 1.0 - LAMBDA;
        // With the same cases each time this is σ²·λ/(2−λ)·(1−(1−λ)^2t), step by step.
        let variance = kept * kept * self.variance + LAMBDA * LAMBDA * rate * (1.0 - rate) / size;
        Self {
            n_th: self.n_th + 1,
            centre: self.centre,
            deviation: kept * self.deviation + LAMBDA * difference,
            variance,
        }
    }

    /// The average, as a pass rate.
    #[must_use]
    pub fn value(&self) -> f64 {
        (self.centre + self.deviation).clamp(0.0, 1.0)
    }

    /// Below it chance is no good explanation.
    #[must_use]
    pub fn lower(&self) -> f64 {
        (self.centre - self.half_width()).max(0.0)
    }

    /// Above it the prompt has become better than it was.
    #[must_use]
    pub fn upper(&self) -> f64 {
        (self.centre + self.half_width()).min(1.0)
    }

    /// Whether the average has left the limits downwards.
    #[must_use]
    pub fn is_low(&self) -> bool {
        self.deviation < -self.half_width()
    }

    fn half_width(&self) -> f64 {
        WIDTH * self.variance.sqrt()
    }
}
