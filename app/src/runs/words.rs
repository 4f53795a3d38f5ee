//! How rates, differences, times and costs read.

use domain::{gate::GatePolicy, gate::Mode, stats::Interval};

/// `84.0 %`.
pub fn percent(rate: f64) -> String {
    format!("{:.1} %", rate * 100.0)
}

/// `71.4 to 92.1 %`.
pub fn interval(interval: Interval) -> String {
    format!(
        "{:.1} to {:.1} %",
        interval.lower * 100.0,
        interval.upper * 100.0
    )
}

/// A difference in percentage points with its sign: `+8.0`, `−2.1`.
pub fn signed(difference: f64) -> String {
    let points = difference * 100.0;
    let sign = match points {
        points if points > 0.049 => "+",
        points if points < -0.049 => "−",
        _ => "±",
    };
    format!("{sign}{:.1}", points.abs())
}

/// Few digits, but never a false zero.
pub fn p_value(p: f64) -> String {
    if p < 0.0001 {
        "< 0.0001".to_owned()
    } else if p < 0.01 {
        format!("{p:.4}")
    } else {
        format!("{p:.2}")
    }
}

/// US dollars: cents, or as many digits as a single call needs.
pub fn dollars(cost: f64) -> String {
    if cost == 0.0 {
        "$0".to_owned()
    } else if cost < 0.000_05 {
        "< $0.0001".to_owned()
    } else if cost < 0.1 {
        format!("${cost:.4}")
    } else {
        format!("${cost:.2}")
    }
}

/// Milliseconds, or seconds where those are many.
pub fn latency(ms: f64) -> String {
    if ms < 9_999.5 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.1} s", ms / 1_000.0)
    }
}

/// `12 s`, `3 min 4 s`, `1 h 2 min`.
pub fn duration(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{} s", seconds.max(0)),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// What a policy asks, a sentence each.
pub fn policy(policy: &GatePolicy) -> Vec<String> {
    let mut sentences = vec![match policy.mode {
        Mode::Strict => {
            "Strict: not one case fewer passes than with what serves production.".to_owned()
        }
        Mode::Statistical => format!(
            "Statistical: no loss that is significant at α = {}, on a run that can see a drop of {:.0} pp.",
            policy.alpha,
            policy.tolerated_drop * 100.0
        ),
    }];
    if let Some(floor) = policy.floor {
        sentences.push(format!("At least {} pass.", percent(floor)));
    }
    if policy.must_pass {
        sentences.push("No must-pass case fails.".to_owned());
    }
    if !policy.tags.is_empty() {
        sentences.push(format!("Only cases tagged {}.", policy.tags.join(" or ")));
    }
    if let Some(hours) = policy.max_age_hours {
        sentences.push(format!("Runs older than {hours} h do not count."));
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_carry_their_sign() {
        assert_eq!(signed(0.08), "+8.0");
        assert_eq!(signed(-0.0214), "−2.1");
        assert_eq!(signed(0.0), "±0.0");
    }

    #[test]
    fn costs_are_never_rounded_to_nothing() {
        assert_eq!(dollars(0.0), "$0");
        assert_eq!(dollars(0.000_001), "< $0.0001");
        assert_eq!(dollars(0.0123), "$0.0123");
        assert_eq!(dollars(12.345), "$12.35");
    }

    #[test]
    fn times_are_said_in_the_units_people_use() {
        assert_eq!(latency(212.4), "212 ms");
        assert_eq!(latency(12_345.0), "12.3 s");
        assert_eq!(duration(12), "12 s");
        assert_eq!(duration(184), "3 min 4 s");
        assert_eq!(duration(3_720), "1 h 2 min");
    }

    #[test]
    fn a_policy_reads_as_sentences() {
        let strict = GatePolicy {
            floor: Some(0.8),
            ..GatePolicy::default()
        };
        assert_eq!(
            policy(&strict),
            [
                "Strict: not one case fewer passes than with what serves production.",
                "At least 80.0 % pass.",
                "No must-pass case fails."
            ]
        );
    }
}
