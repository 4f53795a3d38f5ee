//! Sample-ratio mismatch: did the arms get the units they should have? If not, whatever sent units
//! astray may also have made the difference, and no result can be trusted (Fabijan et al. 2019).

use serde::{Deserialize, Serialize};

use super::{distribution, float};

/// Below this p-value the mismatch is no chance.
pub const ALARM: f64 = 0.001;

/// How well the counts fit the weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// Pearson's χ² with one degree of freedom less than there are arms.
    pub chi_square: f64,
    /// The chance of a worse fit if nothing is wrong.
    pub p_value: f64,
    /// Whether to raise the alarm.
    pub alarm: bool,
}

/// Compares counts with weights, which need not add up to 1; none without units, with fewer than
/// two arms, or with a weight that is not positive.
#[must_use]
pub fn check(observed: &[u64], weights: &[f64]) -> Option<Fit> {
    let (total, weight): (u64, f64) = (observed.iter().sum(), weights.iter().sum());
    let legal = observed.len() == weights.len()
        && observed.len() >= 2
        && total > 0
        && weight.is_finite()
        && weights.iter().all(|weight| *weight > 0.0);
    if !legal {
        return None;
    }
    let chi_square: f64 = observed
        .iter()
        .zip(weights)
        .map(|(observed, share)| {
            let expected = float(total) * share / weight;
            (float(*observed) - expected).powi(2) / expected
        })
        .sum();
    let degrees = u32::try_from(observed.len() - 1).map_or(f64::INFINITY, f64::from);
    let p_value = distribution::chi_square_above(chi_square, degrees);
    Some(Fit {
        chi_square,
        p_value,
        alarm: p_value < ALARM,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::testing::printed, *};

    #[test]
    fn mismatches_agree_with_the_reference() {
        let fit = check(&[5_100, 4_900], &[1.0, 1.0]).unwrap();
        printed(fit.p_value, 0.045_500_3, 7);
        assert!(!fit.alarm);
        let fit = check(&[5_170, 4_830], &[0.5, 0.5]).unwrap();
        printed(fit.p_value, 0.000_673_86, 8);
        assert!(fit.alarm);
    }

    #[test]
    fn nonsense_is_no_fit() {
        assert_eq!(check(&[0, 0], &[1.0, 1.0]), None);
        assert_eq!(check(&[1], &[1.0]), None);
        assert_eq!(check(&[1, 2], &[1.0, 0.0]), None);
        assert_eq!(check(&[1, 2], &[1.0]), None);
    }
}
