//! Always-valid inference: an asymptotic confidence sequence that may be looked at every day
//! (Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, "Time-uniform central limit theory and asymptotic
//! confidence sequences", arXiv 2103.06476; tuned as in GrowthBook's gbstats).

use serde::{Deserialize, Serialize};

use super::{Interval, float, proportion::Sample};

/// The number of units around which the sequence is tightest.
pub const TUNED_FOR: f64 = 5_000.0;

/// What may be said at any moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlwaysValid {
    /// Half the width of the interval, as a proportion.
    pub half_width: f64,
    /// The interval of the difference.
    pub interval: Interval,
    /// The always-valid p-value.
    pub p_value: f64,
}

/// The tuning parameter for a two-sided level.
fn rho(alpha: f64) -> f64 {
    let log = -2.0 * alpha.ln();
    ((log + (log + 1.0).ln()) / TUNED_FOR).sqrt()
}

/// The two-sided confidence sequence of the difference treatment − control; none while the
/// difference has no standard error.
#[must_use]
pub fn difference(control: Sample, treatment: Sample, alpha: f64) -> Option<AlwaysValid> {
    let (left, right) = (control.rate()?, treatment.rate()?);
    let error = standard_error(control, treatment)?;
    of_difference(
        right - left,
        error,
        float(control.n) + float(treatment.n),
        alpha,
    )
}

/// The same for any difference with a standard error, such as one of means, over `n` units in all.
#[must_use]
pub fn of_difference(difference: f64, error: f64, n: f64, alpha: f64) -> Option<AlwaysValid> {
    let usable = error > 0.0
        && error.is_finite()
        && difference.is_finite()
        && n > 0.0
        && alpha > 0.0
        && alpha < 1.0;
    if !usable {
        return None;
    }
    let rho = rho(alpha);
    let scaled = n * rho * rho;
    let half_width = error
        * n.sqrt()
        * (2.0 * (scaled + 1.0) / (n * n * rho * rho) * ((scaled + 1.0).sqrt() / alpha).ln())
            .sqrt();
    // As a logarithm: the e-value itself overflows for large effects.
    let square = difference * difference * n / (error * error);
    let log_e = rho * rho * square / (2.0 * (scaled + 1.0)) - 0.5 * (scaled + 1.0).ln();
    Some(AlwaysValid {
        half_width,
        interval: Interval {
            lower: difference - half_width,
            upper: difference + half_width,
        },
        p_value: (-log_e).exp().min(1.0),
    })
}

/// Half the width of the one-sided sequence, for guardrails.
#[must_use]
pub fn one_sided_half_width(error: f64, n: f64, alpha: f64) -> Option<f64> {
    if !(error > 0.0 && n > 0.0 && alpha > 0.0 && alpha < 0.5) {
        return None;
    }
    let rho = rho(2.0 * alpha);
    let scaled = n * rho * rho;
    let log = ((scaled + 1.0).sqrt() / (2.0 * alpha)).ln_1p();
    Some(error * n.sqrt() * (2.0 * (scaled + 1.0) / (n * n * rho * rho) * log).sqrt())
}

/// The unpooled standard error of the difference; none when it is 0 or an arm is empty.
#[must_use]
pub fn standard_error(control: Sample, treatment: Sample) -> Option<f64> {
    let variance = |sample: Sample| {
        sample
            .rate()
            .map(|rate| rate * (1.0 - rate) / float(sample.n))
    };
    let error = (variance(control)? + variance(treatment)?).sqrt();
    (error > 0.0).then_some(error)
}

#[cfg(test)]
mod tests {
    use super::{super::testing::printed, *};

    #[track_caller]
    fn check(control: (u64, u64), treatment: (u64, u64), half: f64, p: f64, one_sided: f64) {
        let sample = |(successes, n)| Sample { successes, n };
        let (control, treatment) = (sample(control), sample(treatment));
        let found = difference(control, treatment, 0.05).unwrap();
        printed(found.half_width, half, 6);
        printed(found.p_value, p, 6);
        let error = standard_error(control, treatment).unwrap();
        printed(
            one_sided_half_width(error, float(control.n + treatment.n), 0.05).unwrap(),
            one_sided,
            6,
        );
    }

    #[test]
    fn the_confidence_sequence_agrees_with_gbstats() {
        printed(rho(0.05), 0.039_840_07, 8);
        printed(rho(0.1), 0.035_577_69, 8);
        check((800, 1_000), (830, 1_000), 0.054_205, 0.655_726, 0.050_079);
        check(
            (4_000, 5_000),
            (4_150, 5_000),
            0.023_758,
            0.003_636,
            0.021_739,
        );
    }

    #[test]
    fn without_variance_nothing_is_claimed() {
        let all = Sample {
            successes: 10,
            n: 10,
        };
        assert_eq!(difference(all, all, 0.05), None);
        assert_eq!(difference(Sample { successes: 0, n: 0 }, all, 0.05), None);
    }
}
