//! When a change disturbs least: the hour of the day in which the fewest requests came, as far as
//! it was observed. Hours are UTC.

use chrono::{DateTime, DurationRound, TimeDelta, Timelike, Utc};
use serde::{Deserialize, Serialize};

/// For how many days back requests are looked at.
pub const DAYS: i64 = 7;

/// An hour to come, or the one that is now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = BatchWindow))]
pub struct Window {
    /// The moment to execute at.
    pub at: DateTime<Utc>,
    /// The hour of the day it is in, from 0 to 23.
    pub hour: u32,
    /// The share of a day's requests that comes in this hour, from 0 to 1.
    pub share: f64,
    /// Requests an hour that are to be expected then.
    pub requests_per_hour: f64,
    /// Over so many days.
    pub days: f64,
}

/// Why there is no quietest hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWindow {
    /// Nothing came.
    #[error(
        "no requests were reported here in the last 7 days, so no hour is known to be quiet: choose a moment"
    )]
    NoTraffic,
    /// Some hours of the day were never seen.
    #[error(
        "requests have been reported here for less than a day, so the quietest hour is not known yet: choose a moment"
    )]
    TooShort,
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let next = (self.hour + 1) % 24;
        let percent = self.share * 100.0;
        let percent = if percent < 0.05 {
            "0".to_owned()
        } else if percent < 10.0 {
            format!("{percent:.1}")
        } else {
            format!("{percent:.0}")
        };
        write!(
            f,
            "{:02}:00–{next:02}:00 UTC, {percent} % of daily traffic",
            self.hour
        )
    }
}

/// The quietest hour of the day, from requests counted by the hour: the next one, or now while it
/// lasts. Of equally quiet hours the one that comes first.
pub fn quietest(hours: &[(DateTime<Utc>, u64)], now: DateTime<Utc>) -> Result<Window, NoWindow> {
    let since = now - TimeDelta::days(DAYS);
    let seen = || {
        hours
            .iter()
            .filter(|(at, n)| *at >= since && *at <= now && *n > 0)
    };
    let first = seen().map(|(at, _)| *at).min().ok_or(NoWindow::NoTraffic)?;
    let hours_seen = (now - first).num_hours();
    if hours_seen < 24 {
        return Err(NoWindow::TooShort);
    }
    let mut by_hour = [0_u64; 24];
    for (at, n) in seen() {
        by_hour[at.hour() as usize % 24] += n;
    }
    let total: u64 = by_hour.iter().sum();
    let this_hour = now.duration_trunc(TimeDelta::hours(1)).unwrap_or(now);
    let begins = |ahead: i64| this_hour + TimeDelta::hours(ahead);
    let ahead = (0..24)
        .min_by_key(|ahead| by_hour[begins(*ahead).hour() as usize % 24])
        .unwrap_or_default();
    let hour = begins(ahead).hour();
    let n = crate::stats::float(by_hour[hour as usize % 24]);
    let days = crate::stats::float(hours_seen.unsigned_abs()) / 24.0;
    Ok(Window {
        at: begins(ahead).max(now),
        hour,
        share: n / crate::stats::float(total),
        requests_per_hour: n / days,
        days,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// A day's requests: many at noon, few at three in the morning.
    fn week(until: DateTime<Utc>) -> Vec<(DateTime<Utc>, u64)> {
        (0..24 * 7)
            .map(|back| {
                let at = until - TimeDelta::hours(back);
                let distance = i64::from(at.hour()) - 3;
                (at, 20 + 10 * distance.unsigned_abs())
            })
            .collect()
    }

    #[test]
    fn the_quietest_hour_is_the_next_one_of_its_kind() {
        let now = at("2026-03-14T12:30:00Z");
        let found = quietest(&week(at("2026-03-14T12:00:00Z")), now).unwrap();
        assert_eq!(found.at, at("2026-03-15T03:00:00Z"));
        assert_eq!(found.to_string(), "03:00–04:00 UTC, 0.8 % of daily traffic");
        let night = at("2026-03-14T03:20:00Z");
        let found = quietest(&week(at("2026-03-14T03:00:00Z")), night).unwrap();
        assert_eq!(found.at, night);
    }

    #[test]
    fn without_a_day_of_traffic_no_hour_is_quiet() {
        let now = at("2026-03-14T12:30:00Z");
        assert_eq!(quietest(&[], now), Err(NoWindow::NoTraffic));
        let short = [(at("2026-03-14T02:00:00Z"), 4)];
        assert_eq!(quietest(&short, now), Err(NoWindow::TooShort));
        let old = [(at("2026-01-01T02:00:00Z"), 4)];
        assert_eq!(quietest(&old, now), Err(NoWindow::NoTraffic));
    }

    #[test]
    fn hours_without_any_request_are_the_quietest_the_nearest_first() {
        let now = at("2026-03-14T12:30:00Z");
        let noon: Vec<_> = (0..3)
            .map(|day| (at("2026-03-14T12:00:00Z") - TimeDelta::days(day), 100))
            .collect();
        let found = quietest(&noon, now).unwrap();
        assert_eq!(found.at, at("2026-03-14T13:00:00Z"));
        assert!(found.share <= 0.0);
        assert!(found.to_string().contains("0 % of daily traffic"));
    }
}
