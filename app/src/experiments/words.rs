//! How effects, shares and amounts of experiments read.

use domain::experiment::{Direction, GuardrailResult, GuardrailState, VerdictKind};
#[cfg(feature = "ssr")]
use domain::stats::Interval;

use crate::ui::Tone;

/// What a verdict means, and its word.
pub const fn verdict(kind: VerdictKind) -> (Tone, &'static str) {
    match kind {
        VerdictKind::NotStarted => (Tone::Outline, "not started"),
        VerdictKind::NoData => (Tone::Outline, "no data"),
        VerdictKind::TrustProblem => (Tone::Bad, "do not trust"),
        VerdictKind::GuardrailBroken => (Tone::Bad, "guardrail broken"),
        VerdictKind::TooEarly => (Tone::Info, "too early"),
        VerdictKind::Better => (Tone::Good, "better"),
        VerdictKind::Worse => (Tone::Bad, "worse"),
        VerdictKind::NoDifference => (Tone::Info, "no difference"),
        VerdictKind::StoppedEarly => (Tone::Warn, "stopped early"),
    }
}

/// A difference in percentage points with its sign, without the unit: `+3.1`, `−0.42`.
pub fn bare(difference: f64) -> String {
    let points = difference * 100.0;
    let text = if points.abs() < 0.95 {
        format!("{points:+.2}")
    } else {
        format!("{points:+.1}")
    };
    match text.as_str() {
        "+0.00" | "-0.00" => "0.00".to_owned(),
        _ => text.replace('-', "−"),
    }
}

/// `+3.1 pp`.
pub fn points(difference: f64) -> String {
    format!("{} pp", bare(difference))
}

/// `+1.2 to +5.0 pp`.
#[cfg(feature = "ssr")]
pub fn range(interval: Interval) -> String {
    format!("{} to {} pp", bare(interval.lower), bare(interval.upper))
}

/// `+4.0 %`.
#[cfg(feature = "ssr")]
pub fn lift(lift: f64) -> String {
    format!("{:+.1} %", lift * 100.0).replace('-', "−")
}

/// Few digits, but as many as say something.
pub fn amount(number: f64) -> String {
    let size = number.abs();
    let text = if !(0.000_005..100.0).contains(&size) {
        // What rounds to nothing has no sign either.
        let number = if size < 1.0 { 0.0 } else { number };
        format!("{number:.0}")
    } else if size >= 1.0 {
        format!("{number:.1}")
    } else if size >= 0.01 {
        format!("{number:.3}")
    } else {
        format!("{number:.5}")
    };
    text.replace('-', "−")
}

/// An amount of a metric, with the unit its name says.
pub fn measured(metric: &str, number: f64) -> String {
    let amount = amount(number);
    match metric {
        "error_rate" => format!("{} %", self::amount(number * 100.0)),
        metric if metric.ends_with("_ms") => format!("{amount} ms"),
        metric if metric.ends_with("_usd") => match amount.strip_prefix('−') {
            Some(amount) => format!("−${amount}"),
            None => format!("${amount}"),
        },
        metric if metric.ends_with("_tokens") => format!("{amount} tokens"),
        _ => amount,
    }
}

/// What is said of a guardrail in a chip, and what it means.
pub const fn guardrail(state: GuardrailState) -> (Tone, &'static str) {
    match state {
        GuardrailState::NoData => (Tone::Outline, "too few units"),
        GuardrailState::Open => (Tone::Outline, "open"),
        GuardrailState::Holds => (Tone::Good, "holds"),
        GuardrailState::Broken => (Tone::Bad, "broken"),
    }
}

/// How much worse it may be: `at most 200 ms higher`.
pub fn tolerated(guardrail: &GuardrailResult) -> String {
    let worse = match guardrail.direction {
        Direction::Lower => "higher",
        Direction::Higher => "lower",
    };
    format!(
        "at most {} {worse}",
        measured(&guardrail.metric, guardrail.margin)
    )
}

/// A share: `50 %`, `12.5 %`.
pub fn share(share: f64) -> String {
    let percent = share * 100.0;
    if (percent - percent.round()).abs() < 0.05 {
        format!("{percent:.0} %")
    } else {
        format!("{percent:.1} %")
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn differences_carry_a_sign_and_enough_digits() {
        assert_eq!(points(0.0312), "+3.1 pp");
        assert_eq!(points(-0.0042), "−0.42 pp");
        assert_eq!(points(0.0), "0.00 pp");
        assert_eq!(
            range(Interval {
                lower: -0.012,
                upper: 0.05
            }),
            "−1.2 to +5.0 pp"
        );
    }

    #[test]
    fn amounts_carry_the_metric_s_unit() {
        assert_eq!(measured("latency_ms", 573.2), "573 ms");
        assert_eq!(measured("cost_usd", 0.002), "$0.00200");
        assert_eq!(measured("error_rate", 0.02), "2.0 %");
        assert_eq!(measured("rating", 4.25), "4.2");
        assert_eq!(measured("cost_usd", -0.000_000_1), "$0");
    }
}
