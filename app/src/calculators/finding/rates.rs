//! Two rates: asked once, or looked at any time.

use super::{Answer, Finding, Number, nothing, number, p_is};
use crate::{
    runs::words::{p_value, percent, signed},
    ui::Tone,
};
use domain::stats::Interval;

pub fn compare(answer: Answer, alpha: f64) -> Finding {
    let (Some(difference), Some(interval)) =
        (answer.number("/difference"), answer.interval("/interval"))
    else {
        return nothing(answer);
    };
    let level = level(alpha);
    let p = answer.number("/p_value");
    let is_fisher = answer.0["method"] == "fisher_exact";
    let test = if is_fisher {
        "Fisher’s exact test, because a cell expects fewer than 5"
    } else {
        "two-sided, pooled z-test"
    };
    let is_found = p.is_some_and(|p| p < alpha);
    let direction = if difference < 0.0 { "lower" } else { "higher" };
    let judgement = match p {
        Some(p) if is_found => format!(
            "Chance alone would seldom do that: {} is below {}.",
            p_is(p),
            percent(alpha)
        ),
        Some(p) => format!(
            "Chance alone may have done that: {} is not below {}.",
            p_is(p),
            percent(alpha)
        ),
        None => answer.reason(),
    };
    let tone = match (is_found, difference < 0.0) {
        (false, _) => Tone::Info,
        (true, false) => Tone::Good,
        (true, true) => Tone::Bad,
    };
    let lift = answer.number("/relative_lift");
    let lift_note = answer.interval("/relative_lift_interval").map_or_else(
        || "needs a success in both arms".to_owned(),
        |lift| {
            format!(
                "{level} interval {} to {} % (Katz)",
                signed(lift.lower),
                signed(lift.upper)
            )
        },
    );
    Finding {
        tone,
        sentence: format!(
            "The challenger’s rate is {:.1} pp {direction}, {level} interval {}. {judgement} It holds if asked once, at the planned end.",
            difference.abs() * 100.0,
            points(interval),
        ),
        numbers: vec![
            arm("Control", answer, "/control", &level),
            arm("Challenger", answer, "/treatment", &level),
            number("p-value", p.map(p_value), test),
            number(
                "z",
                answer
                    .number("/z")
                    .map(|z| format!("{z:.3}").replace('-', "−")),
                "standard errors from no difference",
            ),
            number(
                "Relative lift",
                lift.map(|lift| format!("{} %", signed(lift))),
                lift_note,
            ),
        ],
    }
}

pub fn always_valid(answer: Answer, alpha: f64) -> Finding {
    let Some(difference) = answer.number("/difference") else {
        return nothing(answer);
    };
    let level = level(alpha);
    let interval = answer.interval("/sequential/interval");
    let p = answer.number("/sequential/p_value");
    let (tone, judgement) = match interval {
        Some(interval) if interval.lower > 0.0 => (
            Tone::Good,
            "0 is outside: the challenger is better, and this may be said today.".to_owned(),
        ),
        Some(interval) if interval.upper < 0.0 => (
            Tone::Bad,
            "0 is outside: the challenger is worse, and this may be said today.".to_owned(),
        ),
        Some(_) => (
            Tone::Info,
            "0 is inside: too early to say. Looking again tomorrow costs nothing.".to_owned(),
        ),
        None => (Tone::Warn, answer.reason()),
    };
    let fixed = answer
        .interval("/interval")
        .map_or_else(String::new, points);
    let shown = interval.map_or_else(|| "no interval yet".to_owned(), points);
    Finding {
        tone,
        sentence: format!(
            "The difference is {} pp, always-valid {level} interval {shown}. {judgement}",
            signed(difference),
        ),
        numbers: vec![
            number(
                "Always-valid interval",
                interval.map(points),
                "true at every look at once",
            ),
            number(
                "Always-valid p-value",
                p.map(p_value),
                "may be read at any time",
            ),
            number(
                "Fixed-horizon interval",
                Some(fixed),
                "true only if looked at once",
            ),
            arm("Control", answer, "/control", &level),
            arm("Challenger", answer, "/treatment", &level),
        ],
    }
}

fn arm(label: &'static str, answer: Answer, path: &str, level: &str) -> Number {
    let note = answer.interval(&format!("{path}/interval")).map_or_else(
        || "no units".to_owned(),
        |interval| {
            format!(
                "{level} interval {:.1} to {:.1} %",
                interval.lower * 100.0,
                interval.upper * 100.0
            )
        },
    );
    number(
        label,
        answer.number(&format!("{path}/rate")).map(percent),
        note,
    )
}

/// `95 %`, of the intervals.
fn level(alpha: f64) -> String {
    let level = format!("{:.2}", (1.0 - alpha) * 100.0);
    format!("{} %", level.trim_end_matches('0').trim_end_matches('.'))
}

/// `−0.4 to +6.4 pp`.
fn points(interval: Interval) -> String {
    format!(
        "{} to {} pp",
        signed(interval.lower),
        signed(interval.upper)
    )
}
