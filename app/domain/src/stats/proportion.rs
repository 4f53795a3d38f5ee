//! Two independent samples: did the share of successes differ? Pooled z-test; intervals by score
//! methods (Wilson 1927; Newcombe 1998, "Interval estimation for the difference between independent
//! proportions", method 10), never Wald; Fisher's exact test where the z-test is not to be trusted.

use serde::{Deserialize, Serialize};

use super::{Interval, distribution, float};

/// Successes out of so many units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Units with the outcome.
    pub successes: u64,
    /// All units.
    pub n: u64,
}

impl Sample {
    /// The share of successes; none without units.
    #[must_use]
    pub fn rate(self) -> Option<f64> {
        (self.n > 0).then(|| float(self.successes) / float(self.n))
    }

    /// The Wilson score interval of the rate at level 1 − alpha; none without units.
    #[must_use]
    pub fn interval(self, alpha: f64) -> Option<Interval> {
        let rate = self.rate()?;
        let (n, z) = (float(self.n), distribution::critical(alpha));
        let square = z * z;
        let middle = (rate + square / (2.0 * n)) / (1.0 + square / n);
        let half =
            z / (1.0 + square / n) * (rate * (1.0 - rate) / n + square / (4.0 * n * n)).sqrt();
        // At the edges the arithmetic would leave a rounding error where the limit is exact.
        let lower = if self.successes == 0 {
            0.0
        } else {
            (middle - half).max(0.0)
        };
        let upper = if self.successes == self.n {
            1.0
        } else {
            (middle + half).min(1.0)
        };
        Some(Interval { lower, upper })
    }
}

/// Which p-value decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The pooled z-test.
    ZTest,
    /// Fisher's exact test, because an expected cell is below 5.
    FisherExact,
    /// An arm has no units.
    NoData,
}

/// A sample with its rate and interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// The share of successes, 0 to 1.
    pub rate: Option<f64>,
    /// Its Wilson interval.
    pub interval: Option<Interval>,
}

/// What two samples say about each other. Differences are treatment minus control, as proportions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The pooled z statistic; none when no unit or every unit succeeded.
    pub z: Option<f64>,
    /// The two-sided p-value of the z-test, whatever `method` says; Fisher's where there is no z.
    pub p_value: Option<f64>,
    /// Treatment rate minus control rate.
    pub difference: Option<f64>,
    /// Newcombe's hybrid score interval of the difference.
    pub interval: Option<Interval>,
    /// The control arm.
    pub control: Arm,
    /// The treatment arm.
    pub treatment: Arm,
    /// Treatment rate over control rate, minus 1.
    pub relative_lift: Option<f64>,
    /// Its interval by Katz' log risk ratio.
    pub relative_lift_interval: Option<Interval>,
    /// Fisher's exact p-value, where an expected cell is below 5: there it is the one that decides.
    pub fisher_p_value: Option<f64>,
    /// Which test decides.
    pub method: Method,
}

/// Compares two samples at level 1 − alpha.
#[must_use]
pub fn compare(control: Sample, treatment: Sample, alpha: f64) -> Comparison {
    let arm = |sample: Sample| Arm {
        rate: sample.rate(),
        interval: sample.interval(alpha),
    };
    let (left, right) = (arm(control), arm(treatment));
    let z = z_statistic(control, treatment);
    let fisher_p_value = needs_fisher(control, treatment).then(|| fisher(control, treatment));
    let z_p_value = z.map(distribution::normal_two_sided);
    let method = match (left.rate, right.rate) {
        (Some(_), Some(_)) if fisher_p_value.is_some() => Method::FisherExact,
        (Some(_), Some(_)) => Method::ZTest,
        _ => Method::NoData,
    };
    Comparison {
        z,
        p_value: z_p_value.or(fisher_p_value),
        difference: left.rate.zip(right.rate).map(|(left, right)| right - left),
        interval: difference_interval(&left, &right),
        control: left,
        treatment: right,
        relative_lift: relative_lift(&left, &right),
        relative_lift_interval: lift_interval(control, treatment, alpha),
        fisher_p_value,
        method,
    }
}

fn z_statistic(control: Sample, treatment: Sample) -> Option<f64> {
    let (left, right) = (control.rate()?, treatment.rate()?);
    let (n_left, n_right) = (float(control.n), float(treatment.n));
    let pooled = (float(control.successes) + float(treatment.successes)) / (n_left + n_right);
    let error = (pooled * (1.0 - pooled) * (1.0 / n_left + 1.0 / n_right)).sqrt();
    (error > 0.0).then(|| (right - left) / error)
}

fn difference_interval(left: &Arm, right: &Arm) -> Option<Interval> {
    let (p1, p2) = (left.rate?, right.rate?);
    let (one, two) = (left.interval?, right.interval?);
    let difference = p2 - p1;
    Some(Interval {
        lower: difference - (p2 - two.lower).hypot(one.upper - p1),
        upper: difference + (two.upper - p2).hypot(p1 - one.lower),
    })
}

fn relative_lift(left: &Arm, right: &Arm) -> Option<f64> {
    let (left, right) = (left.rate?, right.rate?);
    (left > 0.0).then(|| right / left - 1.0)
}

/// Katz et al. 1978: normal on the logarithm of the risk ratio.
fn lift_interval(control: Sample, treatment: Sample, alpha: f64) -> Option<Interval> {
    let (left, right) = (control.rate()?, treatment.rate()?);
    if control.successes == 0 || treatment.successes == 0 {
        return None;
    }
    let error = ((1.0 - left) / float(control.successes)
        + (1.0 - right) / float(treatment.successes))
    .sqrt();
    let (middle, half) = ((right / left).ln(), distribution::critical(alpha) * error);
    Some(Interval {
        lower: (middle - half).exp_m1(),
        upper: (middle + half).exp_m1(),
    })
}

/// Whether an expected cell of the 2 × 2 table is below 5.
fn needs_fisher(control: Sample, treatment: Sample) -> bool {
    let total = float(control.n) + float(treatment.n);
    if control.n == 0 || treatment.n == 0 {
        return false;
    }
    let successes = float(control.successes) + float(treatment.successes);
    let rarer = successes.min(total - successes);
    float(control.n.min(treatment.n)) * rarer / total < 5.0
}

/// Fisher's exact test, two-sided: the sum of all tables at most as likely as the one observed.
/// Weights run by recurrence from the likeliest table, so no factorial loses digits.
fn fisher(control: Sample, treatment: Sample) -> f64 {
    let (n1, n2) = (control.n, treatment.n);
    let k = control.successes + treatment.successes;
    let (least, most) = (k.saturating_sub(n2), k.min(n1));
    // w(x+1) / w(x) of the hypergeometric distribution of the control's successes.
    let ratio = |x: u64| float(k - x) * float(n1 - x) / (float(x + 1) * float(n2 + x + 1 - k));
    let mode = ((float(k) + 1.0) * (float(n1) + 1.0) / (float(n1) + float(n2) + 2.0)).floor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between two counts"
    )]
    let mode = (mode as u64).clamp(least, most);

    let mut weights = Vec::new();
    let mut weight = 1.0;
    for x in mode..=most {
        weights.push((x, weight));
        if x == most || weight < 1e-320 {
            break;
        }
        weight *= ratio(x);
    }
    weight = 1.0;
    for x in (least..mode).rev() {
        weight /= ratio(x);
        if weight < 1e-320 {
            break;
        }
        weights.push((x, weight));
    }
    let observed = weights
        .iter()
        .find(|(x, _)| *x == control.successes)
        .map_or(0.0, |(_, weight)| *weight);
    let sum = |limit: f64| {
        weights
            .iter()
            .map(|(_, weight)| *weight)
            .filter(|weight| *weight <= limit)
            .sum::<f64>()
    };
    // The same tolerance as R's: tables as likely as the observed one count however they round.
    (sum(observed * (1.0 + 1e-7)) / sum(f64::INFINITY)).min(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{
            MAX_COUNT,
            testing::{close, printed},
        },
        *,
    };

    #[track_caller]
    fn check(control: (u64, u64), treatment: (u64, u64), z: f64, p: f64, interval: [f64; 2]) {
        let sample = |(successes, n)| Sample { successes, n };
        let compared = compare(sample(control), sample(treatment), 0.05);
        printed(compared.z.unwrap(), z, 6);
        printed(distribution::normal_two_sided(compared.z.unwrap()), p, 8);
        let found = compared.interval.unwrap();
        printed(found.lower, interval[0], 6);
        printed(found.upper, interval[1], 6);
    }

    #[test]
    fn z_tests_and_newcombe_intervals_agree_with_the_reference() {
        check(
            (40, 50),
            (45, 50),
            1.400_280,
            0.161_429_46,
            [-0.043_432, 0.242_097],
        );
        check(
            (800, 1_000),
            (830, 1_000),
            1.727_594,
            0.084_061_11,
            [-0.004_058, 0.064_002],
        );
        check(
            (7_900, 10_000),
            (8_050, 10_000),
            2.639_359,
            0.008_306_31,
            [0.003_861, 0.026_135],
        );
        check(
            (0, 50),
            (3, 50),
            1.758_631,
            0.078_640_18,
            [-0.021_496, 0.162_171],
        );
    }

    #[test]
    fn wilson_intervals_agree_with_the_reference() {
        let interval = Sample {
            successes: 40,
            n: 50,
        }
        .interval(0.05)
        .unwrap();
        printed(interval.lower, 0.669_629, 6);
        printed(interval.upper, 0.887_562, 6);
        let interval = Sample {
            successes: 45,
            n: 50,
        }
        .interval(0.05)
        .unwrap();
        printed(interval.lower, 0.786_398, 6);
        printed(interval.upper, 0.956_524, 6);
    }

    #[test]
    fn fisher_stands_in_where_cells_are_small_and_agrees_with_r() {
        // R: fisher.test(matrix(c(0, 50, 3, 47), 2))$p.value
        let compared = compare(
            Sample {
                successes: 0,
                n: 50,
            },
            Sample {
                successes: 3,
                n: 50,
            },
            0.05,
        );
        assert_eq!(compared.method, Method::FisherExact);
        close(
            compared.fisher_p_value.unwrap(),
            0.242_424_242_424_242_4,
            1e-12,
        );
        // R: fisher.test(matrix(c(3, 1, 1, 3), 2))$p.value (the lady tasting tea)
        let tea = compare(
            Sample { successes: 3, n: 4 },
            Sample { successes: 1, n: 4 },
            0.05,
        );
        close(tea.fisher_p_value.unwrap(), 0.485_714_285_714_285_7, 1e-12);
        assert_eq!(
            compare(
                Sample {
                    successes: 40,
                    n: 50
                },
                Sample {
                    successes: 45,
                    n: 50
                },
                0.05
            )
            .method,
            Method::ZTest
        );
    }

    #[test]
    fn an_empty_arm_is_no_data() {
        let compared = compare(
            Sample { successes: 0, n: 0 },
            Sample {
                successes: 3,
                n: 50,
            },
            0.05,
        );
        assert_eq!(
            (compared.method, compared.p_value, compared.difference),
            (Method::NoData, None, None)
        );
    }

    fn sample() -> impl Strategy<Value = Sample> {
        prop_oneof![0..=100_u64, 0..=MAX_COUNT]
            .prop_flat_map(|n| (0..=n, Just(n)))
            .prop_map(|(successes, n)| Sample { successes, n })
    }

    proptest! {
        #[test]
        fn nothing_is_ever_nan(control in sample(), treatment in sample(), alpha in 1e-6..0.5_f64) {
            let compared = compare(control, treatment, alpha);
            let numbers = [
                compared.z, compared.p_value, compared.difference, compared.relative_lift, compared.fisher_p_value,
                compared.control.rate, compared.treatment.rate,
                compared.interval.map(|interval| interval.lower), compared.interval.map(|interval| interval.upper),
                compared.relative_lift_interval.map(|interval| interval.lower),
                compared.relative_lift_interval.map(|interval| interval.upper),
            ];
            for number in numbers.into_iter().flatten() {
                prop_assert!(number.is_finite(), "{compared:?}");
            }
            for p in [compared.p_value, compared.fisher_p_value].into_iter().flatten() {
                prop_assert!((0.0..=1.0).contains(&p), "{compared:?}");
            }
            if let (Some(difference), Some(interval)) = (compared.difference, compared.interval) {
                prop_assert!(interval.lower <= difference && difference <= interval.upper, "{compared:?}");
            }
        }
    }
}
