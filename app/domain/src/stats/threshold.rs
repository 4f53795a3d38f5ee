//! The risk of a fixed threshold: how often "ship if the observed gain is at least t" ships when
//! there is no difference at all. Exact, from two independent binomials.

use super::{MAX_COUNT, distribution, float};

/// Outcomes less likely than this change no digit of the answer.
const NEGLIGIBLE: f64 = 1e-20;

/// The false-positive rate with `n` units in each arm, the same true rate `baseline` in both, and
/// a threshold as a proportion (0.05 is 5 percentage points); none when it cannot be computed.
#[must_use]
pub fn false_positive_rate(n: u64, baseline: f64, threshold: f64) -> Option<f64> {
    let legal = (1..=MAX_COUNT).contains(&n)
        && (0.0..=1.0).contains(&baseline)
        && (0.0..=1.0).contains(&threshold);
    if !legal {
        return None;
    }
    // A gain of exactly t ships; the product must not miss it by a rounding error.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and n"
    )]
    let least = (float(n) * threshold - 1e-9).ceil().max(0.0) as u64;
    if baseline <= 0.0 || baseline >= 1.0 {
        return Some(if least == 0 { 1.0 } else { 0.0 });
    }
    // From the middle outwards, so that n of 10⁹ costs some hundred thousand terms and no more.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and n"
    )]
    let middle = (float(n) * baseline).round() as u64;
    let odds = baseline / (1.0 - baseline);
    let peak = distribution::binomial(middle, n, baseline);
    let tail = |x: u64| {
        if x == 0 {
            1.0
        } else {
            distribution::binomial_above(x - 1, n, baseline)
        }
    };
    let point = |x: u64| distribution::binomial(x, n, baseline);

    let mut sum = 0.0;
    let (mut weight, mut above) = (peak, tail(middle + least));
    let mut x = middle;
    while x <= n && weight > peak * NEGLIGIBLE {
        sum += weight * above;
        if x == n {
            break;
        }
        above = (above - point(x + least)).max(0.0);
        weight *= float(n - x) / float(x + 1) * odds;
        x += 1;
    }
    (weight, above, x) = (peak, tail(middle + least), middle);
    while x > 0 {
        weight *= float(x) / float(n - x + 1) / odds;
        x -= 1;
        above = (above + point(x + least)).min(1.0);
        if weight <= peak * NEGLIGIBLE {
            break;
        }
        sum += weight * above;
    }
    Some(sum.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(n: u64, baseline: f64, threshold: f64, percent: f64) {
        let found = 100.0 * false_positive_rate(n, baseline, threshold).unwrap();
        assert!((found - percent).abs() <= 0.05, "{found} %");
    }

    #[test]
    fn the_risk_depends_on_the_users_own_numbers() {
        check(50, 0.70, 0.05, 29.3);
        check(500, 0.80, 0.05, 2.6);
    }

    #[test]
    fn small_cases_agree_with_counting_by_hand() {
        // Two coins each: P(X₂ − X₁ ≥ 1) = 4/16 + 1/16.
        let found = false_positive_rate(2, 0.5, 0.5).unwrap();
        assert!((found - 5.0 / 16.0).abs() < 1e-14, "{found}");
        assert!((false_positive_rate(2, 0.5, 0.0).unwrap() - 11.0 / 16.0).abs() < 1e-14);
    }

    #[test]
    fn the_edges_are_no_nonsense() {
        assert_eq!(false_positive_rate(0, 0.5, 0.1), None);
        assert_eq!(false_positive_rate(10, 1.0, 0.1), Some(0.0));
        assert_eq!(false_positive_rate(10, f64::NAN, 0.1), None);
        assert!(false_positive_rate(100_000, 0.3, 0.01).unwrap() < 1e-5);
    }
}
