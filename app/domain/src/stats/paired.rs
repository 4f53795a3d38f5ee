//! The same cases under two versions: what was lost, what was gained. McNemar's test with the
//! mid-p correction (Fagerland, Lydersen, Laake 2013) and Newcombe's score interval for paired
//! differences (Newcombe 1998, "Improved confidence intervals for the difference between binomial
//! proportions based on paired data", method 10).

use serde::{Deserialize, Serialize};

use super::{Interval, distribution, float, proportion::Sample};

/// Cases by what the baseline and the candidate made of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairs {
    /// Passed before, fail now.
    pub lost: u64,
    /// Failed before, pass now.
    pub gained: u64,
    /// Pass under both.
    pub both_pass: u64,
    /// Fail under both.
    pub both_fail: u64,
}

/// What the pairs say.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// McNemar's exact test, two-sided.
    pub p_exact_two_sided: f64,
    /// Mid-p, one-sided for a regression: small when more was lost than chance explains.
    pub p_mid_one_sided: f64,
    /// Mid-p, two-sided.
    pub p_mid_two_sided: f64,
    /// The candidate's pass rate minus the baseline's, as a proportion; none without cases.
    pub difference: Option<f64>,
    /// Newcombe's score interval of the difference.
    pub interval: Option<Interval>,
}

/// Compares the two versions at level 1 − alpha.
#[must_use]
pub fn compare(pairs: Pairs, alpha: f64) -> Comparison {
    let changed = pairs.lost + pairs.gained;
    let at = distribution::binomial(pairs.lost, changed, 0.5);
    let above = distribution::binomial_above(pairs.lost, changed, 0.5) + 0.5 * at;
    let below = if pairs.lost == 0 {
        0.0
    } else {
        distribution::binomial_up_to(pairs.lost - 1, changed, 0.5)
    } + 0.5 * at;
    let fewer = pairs.lost.min(pairs.gained);
    Comparison {
        p_exact_two_sided: (2.0 * distribution::binomial_up_to(fewer, changed, 0.5)).min(1.0),
        // Many losses make the upper tail small: that is the direction of a regression.
        p_mid_one_sided: above.min(1.0),
        p_mid_two_sided: (2.0 * above.min(below)).min(1.0),
        difference: pairs.difference(),
        interval: pairs.interval(alpha),
    }
}

impl Pairs {
    /// All cases.
    #[must_use]
    pub const fn n(self) -> u64 {
        self.lost + self.gained + self.both_pass + self.both_fail
    }

    /// The candidate's pass rate minus the baseline's.
    #[must_use]
    pub fn difference(self) -> Option<f64> {
        (self.n() > 0).then(|| (float(self.gained) - float(self.lost)) / float(self.n()))
    }

    fn interval(self, alpha: f64) -> Option<Interval> {
        let difference = self.difference()?;
        let n = self.n();
        let rate = |successes: u64| {
            let sample = Sample { successes, n };
            sample.rate().zip(sample.interval(alpha))
        };
        let (p1, one) = rate(self.both_pass + self.lost)?;
        let (p2, two) = rate(self.both_pass + self.gained)?;
        let phi = self.correlation();
        let width = |a: f64, b: f64| (a * a - 2.0 * phi * a * b + b * b).max(0.0).sqrt();
        Some(Interval {
            lower: (difference - width(p2 - two.lower, one.upper - p1)).max(-1.0),
            upper: (difference + width(two.upper - p2, p1 - one.lower)).min(1.0),
        })
    }

    /// The correlation of the two versions' results, with Newcombe's continuity correction.
    fn correlation(self) -> f64 {
        let [a, b, c, d] = [self.both_pass, self.lost, self.gained, self.both_fail].map(float);
        let margins = (a + b) * (c + d) * (a + c) * (b + d);
        if margins <= 0.0 {
            return 0.0;
        }
        let (product, half) = (a * d - b * c, float(self.n()) / 2.0);
        let corrected = if product > half {
            product - half
        } else {
            product.min(0.0)
        };
        corrected / margins.sqrt()
    }
}

/// The smallest drop in pass rate that this comparison would have found with the given power,
/// one-sided at `alpha`, if as large a share of cases changes as did here. As a proportion; none
/// without cases. Normal approximation to McNemar's test (Connett, Smith, McHugh 1987).
#[must_use]
pub fn smallest_detectable_drop(pairs: Pairs, alpha: f64, power: f64) -> Option<f64> {
    let n = float(pairs.n());
    if n <= 0.0 {
        return None;
    }
    let (z_alpha, z_power) = (
        distribution::normal_quantile(1.0 - alpha),
        distribution::normal_quantile(power),
    );
    // However little changed here, a drop of δ needs at least a share δ of changed cases.
    let changed = (float(pairs.lost) + float(pairs.gained)) / n;
    let is_found = |drop: f64| {
        let discordant = changed.max(drop);
        let needed = (z_alpha * discordant.sqrt()
            + z_power * (discordant - drop * drop).max(0.0).sqrt())
            / drop;
        needed * needed <= n
    };
    if !is_found(1.0) {
        return Some(1.0);
    }
    let (mut missed, mut found) = (0.0, 1.0);
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
    use proptest::prelude::*;

    use super::{
        super::testing::{close, printed},
        *,
    };

    fn pairs(lost: u64, gained: u64) -> Pairs {
        Pairs {
            lost,
            gained,
            both_pass: 30,
            both_fail: 9,
        }
    }

    #[test]
    fn exact_p_values_agree_with_statsmodels() {
        printed(compare(pairs(2, 9), 0.05).p_exact_two_sided, 0.065_429_7, 7);
        close(compare(pairs(0, 5), 0.05).p_exact_two_sided, 0.0625, 1e-14);
        close(
            compare(pairs(0, 6), 0.05).p_exact_two_sided,
            0.031_25,
            1e-14,
        );
    }

    #[test]
    fn mid_p_points_in_the_direction_of_a_regression() {
        // P(X > 9) + ½ P(X = 9) with X ~ Bin(11, ½): (11 + 1) / 2048 + 55 / 4096.
        close(
            compare(pairs(9, 2), 0.05).p_mid_one_sided,
            12.0 / 2_048.0 + 55.0 / 4_096.0,
            1e-13,
        );
        assert!(compare(pairs(2, 9), 0.05).p_mid_one_sided > 0.95);
        close(
            compare(pairs(9, 2), 0.05).p_mid_two_sided,
            2.0 * (12.0 / 2_048.0 + 55.0 / 4_096.0),
            1e-13,
        );
        close(compare(pairs(0, 0), 0.05).p_mid_one_sided, 0.5, 1e-14);
    }

    #[test]
    fn the_paired_interval_agrees_with_newcombes_example() {
        // Newcombe 1998, paired, table II example (a): 36 12 2 0, method 10: 0.0569 to 0.3404.
        let example = Pairs {
            both_pass: 36,
            lost: 2,
            gained: 12,
            both_fail: 0,
        };
        let interval = compare(example, 0.05).interval.unwrap();
        printed(interval.lower, 0.056_9, 4);
        printed(interval.upper, 0.340_4, 4);
    }

    #[test]
    fn fifty_cases_find_a_drop_of_seventeen_points() {
        let drop = smallest_detectable_drop(
            Pairs {
                lost: 8,
                gained: 0,
                both_pass: 40,
                both_fail: 2,
            },
            0.05,
            0.8,
        )
        .unwrap();
        assert!(drop < 0.17, "{drop}");
        let more = smallest_detectable_drop(
            Pairs {
                lost: 80,
                gained: 0,
                both_pass: 400,
                both_fail: 20,
            },
            0.05,
            0.8,
        )
        .unwrap();
        assert!(more < drop);
    }

    proptest! {
        #[test]
        fn nothing_is_ever_nan(lost in 0..=100_000_u64, gained in 0..=100_000_u64, both_pass in 0..=1_000_000_u64, both_fail in 0..=1_000_000_u64) {
            let pairs = Pairs { lost, gained, both_pass, both_fail };
            let compared = compare(pairs, 0.05);
            for p in [compared.p_exact_two_sided, compared.p_mid_one_sided, compared.p_mid_two_sided] {
                prop_assert!((0.0..=1.0).contains(&p), "{compared:?}");
            }
            if let (Some(difference), Some(interval)) = (compared.difference, compared.interval) {
                prop_assert!(interval.lower <= difference + 1e-12 && difference <= interval.upper + 1e-12, "{compared:?}");
            }
            let drop = smallest_detectable_drop(pairs, 0.05, 0.8);
            prop_assert!(drop.is_none_or(|drop| (0.0..=1.0).contains(&drop)));
        }
    }
}
