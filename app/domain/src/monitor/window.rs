//! Windows people look through: the last hour to the last quarter, each in as many steps as a
//! picture can show.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::bucket::Resolution;

/// How far back one looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Window {
    /// The last hour, by the minute.
    Hour,
    /// The last 24 hours, by the hour.
    #[default]
    Day,
    /// The last 7 days, in steps of three hours.
    Week,
    /// The last 30 days.
    Month,
    /// The last 90 days.
    Quarter,
}

/// A stretch of time in equal steps; `to` is outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Which rows are read.
    pub resolution: Resolution,
    /// How long a step is: some rows.
    pub step: TimeDelta,
    /// The first step's start.
    pub from: DateTime<Utc>,
    /// The last step's end.
    pub to: DateTime<Utc>,
}

impl Window {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Hour,
        Self::Day,
        Self::Week,
        Self::Month,
        Self::Quarter,
    ];

    /// The word used in addresses.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
            Self::Quarter => "90d",
        }
    }

    /// What a person calls it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Hour => "1 hour",
            Self::Day => "24 hours",
            Self::Week => "7 days",
            Self::Month => "30 days",
            Self::Quarter => "90 days",
        }
    }

    /// The window a word means; a day where it means none.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        let known = Self::ALL.into_iter().find(|window| window.word() == word);
        known.unwrap_or_default()
    }

    /// The rows a step is made of, and how many there are.
    const fn steps(self) -> (Resolution, i32, i32) {
        match self {
            Self::Hour => (Resolution::Minute, 1, 60),
            Self::Day => (Resolution::Hour, 1, 24),
            Self::Week => (Resolution::Hour, 3, 56),
            Self::Month => (Resolution::Day, 1, 30),
            Self::Quarter => (Resolution::Day, 1, 90),
        }
    }

    /// Until now; the step that is not over is the last one.
    #[must_use]
    pub fn until(self, now: DateTime<Utc>) -> Span {
        let (resolution, n_rows, n_steps) = self.steps();
        let step = resolution.length() * n_rows;
        let seconds = now.timestamp();
        let into = seconds.rem_euclid(step.num_seconds());
        let current = DateTime::from_timestamp(seconds - into, 0).unwrap_or(now);
        let to = current + step;
        Span {
            resolution,
            step,
            from: to - step * n_steps,
            to,
        }
    }
}

impl Span {
    /// The start of the step a moment belongs to.
    #[must_use]
    pub fn step_of(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let into = (at - self.from)
            .num_seconds()
            .rem_euclid(self.step.num_seconds());
        at - TimeDelta::seconds(into)
    }

    /// The steps' starts.
    pub fn steps(self) -> impl Iterator<Item = DateTime<Utc>> {
        std::iter::successors(Some(self.from), move |at| Some(*at + self.step))
            .take_while(move |at| *at < self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_end_with_the_step_that_is_not_over() {
        let now: DateTime<Utc> = "2028-02-29T14:35:20Z".parse().unwrap();
        for (window, n, from, to) in [
            (
                Window::Hour,
                60,
                "2028-02-29T13:36:00Z",
                "2028-02-29T14:36:00Z",
            ),
            (
                Window::Day,
                24,
                "2028-02-28T15:00:00Z",
                "2028-02-29T15:00:00Z",
            ),
            (
                Window::Week,
                56,
                "2028-02-22T15:00:00Z",
                "2028-02-29T15:00:00Z",
            ),
            (
                Window::Month,
                30,
                "2028-01-31T00:00:00Z",
                "2028-03-01T00:00:00Z",
            ),
            (
                Window::Quarter,
                90,
                "2027-12-02T00:00:00Z",
                "2028-03-01T00:00:00Z",
            ),
        ] {
            let span = window.until(now);
            assert_eq!(span.from, from.parse::<DateTime<Utc>>().unwrap());
            assert_eq!(span.to, to.parse::<DateTime<Utc>>().unwrap());
            assert_eq!(span.steps().count(), n);
            assert_eq!(span.step_of(now) + span.step, span.to);
            assert_eq!(Window::from_word(window.word()), window);
        }
        assert_eq!(Window::from_word("1y"), Window::Day);
    }
}
