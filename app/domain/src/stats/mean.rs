//! Two means with unequal variances: Welch's t-test, for guardrails such as latency and cost.
//! One value per unit; many events of a unit are averaged before they come here.

use serde::{Deserialize, Serialize};

use super::{Interval, distribution, float};

/// The mean and spread of a measurement over units.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The mean, in the measurement's unit.
    pub mean: f64,
    /// The sample standard deviation (n − 1), in the same unit.
    pub sd: f64,
    /// Units.
    pub n: u64,
}

/// What two summaries say about each other: treatment minus control, in the measurement's unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Welch's t; none without variance.
    pub t: Option<f64>,
    /// Welch–Satterthwaite degrees of freedom.
    pub df: Option<f64>,
    /// Two-sided.
    pub p_value: Option<f64>,
    /// Treatment mean minus control mean; none when an arm is empty.
    pub difference: Option<f64>,
    /// Its interval at level 1 − alpha.
    pub interval: Option<Interval>,
}

/// Compares two means at level 1 − alpha.
#[must_use]
pub fn compare(control: Summary, treatment: Summary, alpha: f64) -> Comparison {
    let nothing = Comparison {
        t: None,
        df: None,
        p_value: None,
        difference: None,
        interval: None,
    };
    let usable = |summary: Summary| {
        summary.n > 0 && summary.mean.is_finite() && summary.sd.is_finite() && summary.sd >= 0.0
    };
    if !usable(control) || !usable(treatment) {
        return nothing;
    }
    let difference = treatment.mean - control.mean;
    let found = Comparison {
        difference: difference.is_finite().then_some(difference),
        ..nothing
    };
    if control.n < 2 || treatment.n < 2 {
        return found;
    }
    let share = |summary: Summary| summary.sd * summary.sd / float(summary.n);
    let (one, two) = (share(control), share(treatment));
    let variance = one + two;
    if !(variance > 0.0 && variance.is_finite() && difference.is_finite()) {
        return found;
    }
    // As shares of the variance: squares of the variances themselves may over- or underflow.
    let (one, two) = (one / variance, two / variance);
    let degrees =
        1.0 / (one * one / (float(control.n) - 1.0) + two * two / (float(treatment.n) - 1.0));
    let t = difference / variance.sqrt();
    let half =
        distribution::student_critical(alpha, degrees).map(|critical| critical * variance.sqrt());
    Comparison {
        t: t.is_finite().then_some(t),
        df: Some(degrees),
        p_value: distribution::student_two_sided(t, degrees).filter(|p| p.is_finite()),
        interval: half.filter(|half| half.is_finite()).map(|half| Interval {
            lower: difference - half,
            upper: difference + half,
        }),
        ..found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::testing::close, *};

    #[test]
    fn welch_agrees_with_scipy() {
        // scipy.stats.ttest_ind_from_stats(21, 5, 30, 19, 4, 25, equal_var=False)
        let control = Summary {
            mean: 19.0,
            sd: 4.0,
            n: 25,
        };
        let treatment = Summary {
            mean: 21.0,
            sd: 5.0,
            n: 30,
        };
        let found = compare(control, treatment, 0.05);
        close(found.t.unwrap(), 1.647_705_109_143_269_3, 1e-12);
        close(found.df.unwrap(), 52.927_356_974_701_99, 1e-11);
        close(found.p_value.unwrap(), 0.105_338_056_988_401_2, 1e-8);
        close(found.interval.unwrap().upper, 4.434_671_409_648_086, 1e-9);
    }

    #[test]
    fn without_variance_or_units_nothing_is_claimed() {
        let flat = Summary {
            mean: 1.0,
            sd: 0.0,
            n: 10,
        };
        assert_eq!(compare(flat, flat, 0.05).t, None);
        assert_eq!(
            compare(flat, Summary { n: 0, ..flat }, 0.05).difference,
            None
        );
    }

    proptest! {
        #[test]
        fn nothing_is_ever_nan(mean in -1e6..1e6_f64, sd in 0.0..1e6_f64, n in 0..1_000_000_u64, other in -1e6..1e6_f64, m in 0..1_000_000_u64) {
            let found = compare(Summary { mean, sd, n }, Summary { mean: other, sd: sd / 2.0, n: m }, 0.05);
            for number in [found.t, found.df, found.p_value, found.difference].into_iter().flatten() {
                prop_assert!(number.is_finite(), "{found:?}");
            }
        }
    }
}
