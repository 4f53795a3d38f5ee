//! A schedule that was checked, and the moments it names. In the hour that a clock skips, a check
//! set for it starts right after the gap; in the hour that comes twice, it starts in the first.

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use sha2::{Digest, Sha256};

use super::{MAX_JITTER_MINUTES, Schedule};
use crate::{field::FieldError, id::PromptId};

/// Checks are whole suites of paid calls: an expression that starts them faster is a slip.
const LEAST_APART: TimeDelta = TimeDelta::hours(1);
/// So many starts are looked at to find those that are too close.
const LOOKED_AT: usize = 100;
const WEEKS: i32 = 8;

/// When a schedule's moments are.
#[derive(Clone, Debug)]
pub struct Timetable {
    cron: Cron,
    zone: Tz,
    jitter_minutes: u32,
}

impl Schedule {
    /// Checks the schedule; every field that is wrong is named.
    pub fn timetable(&self) -> Result<Timetable, Vec<FieldError>> {
        let mut errors = Vec::new();
        let zone: Tz = self.time_zone.parse().unwrap_or_else(|_| {
            let words = "must be an IANA time zone, such as UTC, Europe/Berlin or America/New_York";
            errors.push(FieldError::new("time_zone", words));
            Tz::UTC
        });
        if self.jitter_minutes > MAX_JITTER_MINUTES {
            let words = format!("must be from 0 to {MAX_JITTER_MINUTES} minutes");
            errors.push(FieldError::new("jitter_minutes", words));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        match parser.parse(&self.cron) {
            Ok(cron) => {
                let table = Timetable {
                    cron,
                    zone,
                    jitter_minutes: self.jitter_minutes,
                };
                match table.check() {
                    Ok(()) if errors.is_empty() => return Ok(table),
                    Ok(()) => {}
                    Err(words) => errors.push(FieldError::new("cron", words)),
                }
            }
            Err(error) => errors.push(FieldError::new(
                "cron",
                format!(
                    "must be five fields (minute, hour, day of month, month, day of week): {error}"
                ),
            )),
        }
        Err(errors)
    }
}

impl Timetable {
    fn check(&self) -> Result<(), String> {
        let mut last: Option<DateTime<Tz>> = None;
        for next in self.cron.iter_after(self.start()).take(LOOKED_AT) {
            if last.is_some_and(|last| next - last < LEAST_APART) {
                return Err(
                    "must leave an hour between two checks: each runs the whole suite".to_owned(),
                );
            }
            last = Some(next);
        }
        if last.is_none() {
            return Err("names no moment that ever comes".to_owned());
        }
        Ok(())
    }

    /// Where time tables are looked at from: a rule knows no clock, and these weeks hold no
    /// change of the clock in most places.
    fn start(&self) -> DateTime<Tz> {
        self.zone
            .with_ymd_and_hms(2026, 5, 3, 0, 0, 0)
            .earliest()
            .unwrap_or_else(|| DateTime::UNIX_EPOCH.with_timezone(&self.zone))
    }

    /// The prompt's own delay, always the same.
    fn delay(&self, prompt: PromptId) -> TimeDelta {
        let digest = Sha256::digest(prompt.0.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        let seconds = u64::from_be_bytes(first) % (u64::from(self.jitter_minutes) * 60 + 1);
        TimeDelta::seconds(seconds.cast_signed())
    }

    /// The next start after `now`, whatever was missed before.
    #[must_use]
    pub fn next_after(&self, now: DateTime<Utc>, prompt: PromptId) -> Option<DateTime<Utc>> {
        let delay = self.delay(prompt);
        let from = (now - delay).with_timezone(&self.zone);
        let next = self.cron.find_next_occurrence(&from, false).ok()?;
        Some(next.with_timezone(&Utc) + delay)
    }

    /// How many checks a week has, at least 1: what the alarm's level is shared among.
    #[must_use]
    pub fn per_week(&self) -> f64 {
        let (start, mut n) = (self.start(), 0_u32);
        let end = start + TimeDelta::weeks(i64::from(WEEKS));
        for next in self.cron.iter_after(start) {
            if next >= end {
                break;
            }
            n += 1;
        }
        (f64::from(n) / f64::from(WEEKS)).max(1.0)
    }

    /// The expression in English, such as "At 03:00, on Monday."
    #[must_use]
    pub fn words(&self) -> String {
        self.cron.describe()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn schedule(cron: &str, zone: &str) -> Schedule {
        Schedule {
            cron: cron.to_owned(),
            time_zone: zone.to_owned(),
            jitter_minutes: 0,
            enabled: true,
        }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[track_caller]
    fn starts(cron: &str, zone: &str, after: &str, expected: &[&str]) {
        let table = schedule(cron, zone).timetable().unwrap();
        let mut now = at(after);
        for expected in expected {
            now = table.next_after(now, PromptId(Uuid::nil())).unwrap();
            assert_eq!(now, at(expected));
        }
    }

    #[test]
    fn a_week_is_a_week() {
        starts(
            "0 3 * * 1",
            "UTC",
            "2026-11-22T20:00:00Z",
            &["2026-11-23T03:00:00Z", "2026-11-30T03:00:00Z"],
        );
    }

    #[test]
    fn in_the_hour_that_is_skipped_it_starts_after_the_gap_once() {
        // On 29 March 2026 clocks in Berlin go from 02:00 to 03:00 (UTC+1 to UTC+2).
        starts(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00:00Z",
            &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
        );
    }

    #[test]
    fn in_the_hour_that_comes_twice_it_starts_once() {
        // On 25 October 2026 clocks in Berlin go from 03:00 back to 02:00.
        starts(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        );
    }

    #[test]
    fn the_wall_clock_stays_when_the_offset_changes() {
        starts(
            "0 9 * * 1",
            "America/New_York",
            "2026-03-02T15:00:00Z",
            &["2026-03-09T13:00:00Z", "2026-03-16T13:00:00Z"],
        );
        starts(
            "0 9 * * 1",
            "America/New_York",
            "2026-02-24T15:00:00Z",
            &["2026-03-02T14:00:00Z", "2026-03-09T13:00:00Z"],
        );
    }

    #[test]
    fn the_leap_day_comes_every_four_years() {
        starts(
            "0 6 29 2 *",
            "UTC",
            "2026-11-22T00:00:00Z",
            &["2028-02-29T06:00:00Z", "2032-02-29T06:00:00Z"],
        );
    }

    #[test]
    fn what_was_missed_for_three_weeks_is_not_made_up_for() {
        let table = schedule("0 3 * * 1", "UTC").timetable().unwrap();
        let woken = at("2026-12-16T10:00:00Z");
        assert_eq!(
            table.next_after(woken, PromptId(Uuid::nil())),
            Some(at("2026-12-21T03:00:00Z"))
        );
    }

    #[test]
    fn a_prompts_delay_is_its_own_and_stays() {
        let table = Schedule::default().timetable().unwrap();
        let now = at("2026-11-22T20:00:00Z");
        let starts: std::collections::BTreeSet<_> = (0..50_u128)
            .map(|n| table.next_after(now, PromptId(Uuid::from_u128(n))).unwrap())
            .collect();
        assert!(starts.len() > 45, "spread over the two hours: {starts:?}");
        let (first, last) = (at("2026-11-23T03:00:00Z"), at("2026-11-23T05:00:00Z"));
        assert!(starts.iter().all(|start| (first..=last).contains(start)));
        let prompt = PromptId(Uuid::from_u128(7));
        let one = table.next_after(now, prompt).unwrap();
        assert_eq!(
            table.next_after(one - TimeDelta::seconds(1), prompt),
            Some(one)
        );
        // Never the same moment again.
        assert_eq!(
            table.next_after(one, prompt),
            Some(one + TimeDelta::weeks(1))
        );
    }

    #[test]
    fn slips_are_named() {
        let fields = |schedule: Schedule| -> Vec<String> {
            let errors = schedule.timetable().unwrap_err();
            errors.into_iter().map(|error| error.field).collect()
        };
        assert_eq!(fields(schedule("* * * * *", "UTC")), ["cron"]);
        assert_eq!(fields(schedule("0 3 30 2 *", "UTC")), ["cron"]);
        assert_eq!(fields(schedule("0 0 3 * * 1", "UTC")), ["cron"]);
        assert_eq!(
            fields(schedule("soon", "Mars/Olympus")),
            ["time_zone", "cron"]
        );
    }

    #[test]
    fn the_checks_of_a_week_are_counted() {
        let per_week = |cron| {
            schedule(cron, "Europe/Berlin")
                .timetable()
                .unwrap()
                .per_week()
        };
        assert!((per_week("0 3 * * 1") - 1.0).abs() < 0.01);
        assert!((per_week("0 3 * * *") - 7.0).abs() < 0.2);
        assert!((per_week("0 3 1 * *") - 1.0).abs() < 0.01);
    }
}
