//! A verdict in words.

use super::{GateVerdict, Verdict, cases, percent, points};

/// One sentence for people, such as a comment on a pull request's first line.
pub fn sentence(verdict: &GateVerdict) -> String {
    let word = match verdict.verdict {
        Verdict::Pass => "Passed",
        Verdict::Fail => "Failed",
        Verdict::Inconclusive => "Undecided",
    };
    let why = verdict.reasons.first().map_or("", String::as_str);
    format!("{word}: {why}.")
}

/// The numbers behind a verdict, whatever it is.
pub(super) fn context(found: &GateVerdict, n_compared: u64) -> Vec<String> {
    let mut reasons = Vec::new();
    if let (Some(rate), Some(interval)) = (found.pass_rate, found.interval) {
        let n = found.n_cases;
        reasons.push(format!(
            "{} of {n} {} pass ({} to {})",
            percent(rate),
            cases(n),
            percent(interval.lower),
            percent(interval.upper)
        ));
    }
    match (
        found.baseline_pass_rate,
        found.difference,
        found.difference_interval,
    ) {
        (Some(baseline), Some(difference), Some(interval)) => {
            let plus = if difference > 0.0 { "+" } else { "" };
            reasons.push(format!(
                "the baseline passes {}: a difference of {plus}{} ({} to {}), {} lost and {} gained",
                percent(baseline),
                points(difference),
                points(interval.lower),
                points(interval.upper),
                found.lost,
                found.gained
            ));
        }
        _ if found.n_cases > 0 => reasons.push(
            "there is no baseline to compare with: only the floor and the must-pass cases count"
                .to_owned(),
        ),
        _ => {}
    }
    if let Some(drop) = found.smallest_detectable_drop {
        reasons.push(format!(
            "the smallest drop this run could have seen is {}",
            points(drop)
        ));
    }
    if n_compared > 0 && n_compared < found.n_cases {
        let n_new = found.n_cases - n_compared;
        reasons.push(format!(
            "{n_new} {} not run by the baseline count for the pass rate only",
            cases(n_new)
        ));
    }
    if found.flaky_lost > 0 {
        reasons.push(format!(
            "{} of the {} lost are flaky: the baseline does not agree with itself on them",
            found.flaky_lost, found.lost
        ));
    }
    reasons
}

/// Few digits, but never a false zero.
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.0001 {
        "below 0.0001".to_owned()
    } else {
        format!("{p:.4}")
    }
}
