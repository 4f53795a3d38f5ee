//! Planning: how many units, what effect can be found, how sure (Fleiss, Levin, Paik 2003, 4.2,
//! without continuity correction).

use serde::{Deserialize, Serialize};

use super::distribution;

/// What an experiment is to find.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The control's rate, 0 to 1.
    pub baseline: f64,
    /// The challenger's rate minus the control's, as a proportion; either sign.
    pub effect: f64,
    /// Two-sided error rate.
    pub alpha: f64,
    /// The chance to find the effect if it is there.
    pub power: f64,
    /// Shares of the arms, control first; they need not add up to 1.
    pub weights: Vec<f64>,
}

/// Units needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleSize {
    /// In the order of the weights.
    pub per_arm: Vec<u64>,
    /// All together.
    pub total: u64,
}

impl Plan {
    /// The units needed in each arm so that every challenger is compared with the planned power;
    /// none when no number of units would do.
    #[must_use]
    pub fn sample_size(&self) -> Option<SampleSize> {
        let (control, challengers) = self.weights.split_first()?;
        let p2 = self.baseline + self.effect;
        let legal = (0.0..=1.0).contains(&self.baseline)
            && (0.0..=1.0).contains(&p2)
            && self.effect != 0.0
            && self.alpha > 0.0
            && self.alpha < 1.0
            && self.power > 0.0
            && self.power < 1.0
            && !challengers.is_empty()
            && self
                .weights
                .iter()
                .all(|weight| *weight > 0.0 && weight.is_finite());
        if !legal {
            return None;
        }
        let needed = challengers
            .iter()
            .map(|weight| {
                control_units(self.baseline, p2, weight / control, self.alpha, self.power)
            })
            .fold(0.0, f64::max);
        let per_arm: Option<Vec<u64>> = self
            .weights
            .iter()
            .map(|weight| units(needed * weight / control))
            .collect();
        let per_arm = per_arm?;
        Some(SampleSize {
            total: per_arm.iter().sum(),
            per_arm,
        })
    }
}

impl Plan {
    /// The chance that so many units in all find the effect with the weakest challenger.
    #[must_use]
    pub fn power_with(&self, total: u64) -> Option<f64> {
        self.sample_size()?;
        let (control, challengers) = self.weights.split_first()?;
        let sum: f64 = self.weights.iter().sum();
        let n = super::float(total) * control / sum;
        let (p1, p2) = (self.baseline, self.baseline + self.effect);
        challengers
            .iter()
            .map(|weight| {
                let ratio = weight / control;
                let mean = (p1 + ratio * p2) / (1.0 + ratio);
                let under_null = (mean * (1.0 - mean) * (1.0 + 1.0 / ratio)).sqrt();
                let under_effect = (p1 * (1.0 - p1) + p2 * (1.0 - p2) / ratio).sqrt();
                let z = (self.effect.abs() * n.sqrt()
                    - distribution::critical(self.alpha) * under_null)
                    / under_effect;
                // Both ends without any spread: every unit shows the effect.
                if z.is_nan() {
                    1.0
                } else {
                    distribution::normal_below(z)
                }
            })
            .reduce(f64::min)
    }

    /// The units at which the always-valid interval leaves 0 out with the planned
    /// power if it is looked at then. Looking earlier as well can only find the effect earlier.
    #[must_use]
    pub fn sequential_sample_size(&self) -> Option<SampleSize> {
        // Checks the plan, and is where the search starts: sequential never needs fewer.
        let fixed = self.sample_size()?;
        let (control, challengers) = self.weights.split_first()?;
        let mut scale = 1.0_f64;
        let least = super::float(*fixed.per_arm.first()?);
        for weight in challengers {
            let is_enough = |scale: f64| {
                self.is_found_sequentially(least * scale, least * scale * weight / control)
            };
            let (mut missed, mut found) = (scale / 2.0, scale);
            while !is_enough(found) {
                (missed, found) = (found, found * 2.0);
                if found > 1e6 {
                    return None;
                }
            }
            for _ in 0..50 {
                let middle = 0.5 * (missed + found);
                if is_enough(middle) {
                    found = middle;
                } else {
                    missed = middle;
                }
            }
            scale = scale.max(found);
        }
        let per_arm: Option<Vec<u64>> = self
            .weights
            .iter()
            .map(|weight| units(least * scale * weight / control))
            .collect();
        let per_arm = per_arm?;
        Some(SampleSize {
            total: per_arm.iter().sum(),
            per_arm,
        })
    }

    /// Whether so many units leave 0 out of the always-valid interval with the planned power.
    fn is_found_sequentially(&self, control: f64, treatment: f64) -> bool {
        let (p1, p2) = (self.baseline, self.baseline + self.effect);
        let error = (p1 * (1.0 - p1) / control + p2 * (1.0 - p2) / treatment).sqrt();
        let z_power = distribution::normal_quantile(self.power);
        super::sequential::of_difference(self.effect, error, control + treatment, self.alpha)
            .is_some_and(|found| self.effect.abs() >= found.half_width + z_power * error)
    }
}

/// Units of the control when the challenger gets `ratio` times as many.
fn control_units(p1: f64, p2: f64, ratio: f64, alpha: f64, power: f64) -> f64 {
    let mean = (p1 + ratio * p2) / (1.0 + ratio);
    let z_alpha = distribution::critical(alpha);
    let z_power = distribution::normal_quantile(power);
    let under_null = (mean * (1.0 - mean) * (1.0 + 1.0 / ratio)).sqrt();
    let under_effect = (p1 * (1.0 - p1) + p2 * (1.0 - p2) / ratio).sqrt();
    let root = (z_alpha * under_null + z_power * under_effect) / (p2 - p1);
    root * root
}

/// Rounded up; none beyond what could ever be counted. A rounding error of the last digit does
/// not cost a unit.
fn units(needed: f64) -> Option<u64> {
    let rounded = (needed * (1.0 - 1e-12)).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be a count"
    )]
    (rounded.is_finite() && rounded < 1e15).then(|| (rounded as u64).max(1))
}

/// The smallest increase over the baseline that `n` units in each of two arms find with the
/// given power; none when even a rise to 1 is not found.
#[must_use]
pub fn minimum_detectable_effect(baseline: f64, n: u64, alpha: f64, power: f64) -> Option<f64> {
    let is_found = |effect: f64| {
        let plan = Plan {
            baseline,
            effect,
            alpha,
            power,
            weights: vec![1.0, 1.0],
        };
        plan.sample_size().is_some_and(|size| size.per_arm[0] <= n)
    };
    let most = 1.0 - baseline;
    if !is_found(most) {
        return None;
    }
    let (mut missed, mut found) = (0.0, most);
    for _ in 0..60 {
        let middle = 0.5 * (missed + found);
        if is_found(middle) {
            found = middle;
        } else {
            missed = middle;
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(baseline: f64, target: f64, expected: u64) {
        let plan = Plan {
            baseline,
            effect: target - baseline,
            alpha: 0.05,
            power: 0.8,
            weights: vec![1.0, 1.0],
        };
        assert_eq!(plan.sample_size().unwrap().per_arm, [expected, expected]);
    }

    #[test]
    fn sample_sizes_agree_with_the_reference() {
        check(0.80, 0.85, 906);
        check(0.80, 0.83, 2_629);
        check(0.80, 0.90, 199);
    }

    #[test]
    fn unequal_weights_cost_units() {
        let plan = |weights: Vec<f64>| Plan {
            baseline: 0.8,
            effect: 0.05,
            alpha: 0.05,
            power: 0.8,
            weights,
        };
        let equal = plan(vec![0.5, 0.5]).sample_size().unwrap();
        let uneven = plan(vec![0.9, 0.1]).sample_size().unwrap();
        assert!(uneven.total > 2 * equal.total);
        assert_eq!(uneven.per_arm[0].div_ceil(9).abs_diff(uneven.per_arm[1]), 0);
        assert_eq!(plan(vec![1.0]).sample_size(), None);
        assert_eq!(
            Plan {
                effect: 0.0,
                ..plan(vec![1.0, 1.0])
            }
            .sample_size(),
            None
        );
        assert_eq!(
            Plan {
                effect: 0.5,
                ..plan(vec![1.0, 1.0])
            }
            .sample_size(),
            None
        );
    }

    #[test]
    fn the_detectable_effect_is_the_inverse() {
        let effect = minimum_detectable_effect(0.8, 906, 0.05, 0.8).unwrap();
        assert!((0.0499..0.0501).contains(&effect), "{effect}");
        assert_eq!(minimum_detectable_effect(0.8, 2, 0.05, 0.8), None);
    }
}
