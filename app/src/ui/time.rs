//! Times: how long ago, with the exact moment behind it. `now` comes with the loaded data, so that
//! the server and the browser write the same words.

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};
use leptos::prelude::*;

/// How long ago: `<RelativeTime at now/>` says `2 min`; with `has_ago`, `2 min ago`.
#[component]
pub fn RelativeTime(
    /// When it was.
    at: DateTime<Utc>,
    /// When the data was loaded.
    now: DateTime<Utc>,
    /// Whether to say `ago`, for running text.
    #[prop(optional)]
    has_ago: bool,
) -> impl IntoView {
    let words = if has_ago {
        in_a_sentence(at, now)
    } else {
        ago(at, now)
    };
    view! { <time datetime=machine(at) title=exact(at)>{words}</time> }
}

/// The exact moment, as words.
#[component]
pub fn Moment(
    /// When it was.
    at: DateTime<Utc>,
) -> impl IntoView {
    view! { <time datetime=machine(at)>{exact(at)}</time> }
}

/// `2 min`, `18 h`, `3 d`, `5 w`, `2 y`; `now` for less than a second and for the future.
#[must_use]
pub fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let past: TimeDelta = now - at;
    let seconds = past.num_seconds();
    match seconds {
        ..1 => "now".to_owned(),
        1..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        86_400..3_024_000 => format!("{} d", seconds / 86_400),
        3_024_000..31_536_000 => format!("{} w", seconds / 604_800),
        _ => format!("{} y", seconds / 31_536_000),
    }
}

/// The same within a sentence: `2 min ago`, `just now`.
#[must_use]
pub fn in_a_sentence(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let words = ago(at, now);
    if words == "now" {
        "just now".to_owned()
    } else {
        format!("{words} ago")
    }
}

/// `2026-11-22 08:40:12 UTC`. By hand: chrono's formatter weighs more than this page in the browser.
#[must_use]
pub fn exact(at: DateTime<Utc>) -> String {
    format!("{} {} UTC", day(at), clock(at))
}

/// `2026-11-22`.
#[must_use]
pub fn day(at: DateTime<Utc>) -> String {
    format!("{:04}-{:02}-{:02}", at.year(), at.month(), at.day())
}

/// `08:40:12`.
#[must_use]
pub fn clock(at: DateTime<Utc>) -> String {
    format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
}

/// For the `datetime` attribute.
#[must_use]
pub fn machine(at: DateTime<Utc>) -> String {
    format!("{}T{}Z", day(at), clock(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seconds: i64, expected: &str) {
        let now = DateTime::from_timestamp(1_763_800_812, 0).unwrap();
        assert_eq!(ago(now - TimeDelta::seconds(seconds), now), expected);
    }

    #[test]
    fn time_is_told_in_the_largest_whole_unit() {
        check(-5, "now");
        check(0, "now");
        check(12, "12 s");
        check(60, "1 min");
        check(3_599, "59 min");
        check(3_600, "1 h");
        check(86_399, "23 h");
        check(86_400, "1 d");
        check(34 * 86_400, "34 d");
        check(35 * 86_400, "5 w");
        check(366 * 86_400, "1 y");
    }

    #[test]
    fn the_exact_moment_says_its_zone() {
        let at = DateTime::from_timestamp(1_763_800_812, 0).unwrap();
        assert_eq!(exact(at), "2025-11-22 08:40:12 UTC");
        assert_eq!(machine(at), "2025-11-22T08:40:12Z");
        assert_eq!(in_a_sentence(at, at), "just now");
    }
}
