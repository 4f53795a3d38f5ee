//! Ticks of an axis of time: whole minutes, hours or days, in UTC.

use chrono::{DateTime, Datelike, Timelike};

use super::paper::multiples;

const MINUTE: f64 = 60.0;
const HOUR: f64 = 3_600.0;
const DAY: f64 = 86_400.0;

/// Whole minutes, hours or days over a range, and how far apart they are.
pub fn moments(from: f64, to: f64, wanted: f64) -> (Vec<f64>, f64) {
    let rough = (to - from) / wanted;
    let step = [5.0, 10.0, 15.0, 30.0]
        .map(|minutes| minutes * MINUTE)
        .into_iter()
        .chain([1.0, 2.0, 3.0, 6.0, 12.0].map(|hours| hours * HOUR))
        .chain([1.0, 2.0, 7.0, 14.0, 28.0, 56.0].map(|days| days * DAY))
        .find(|step| *step >= rough)
        .unwrap_or(112.0 * DAY);
    (multiples(from, to, step), step)
}

/// `Nov 18`, or with the hour where days are not enough.
pub fn moment(seconds: f64, step: f64) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    #[expect(clippy::cast_possible_truncation, reason = "moments are whole seconds")]
    let Some(at) = DateTime::from_timestamp(seconds as i64, 0) else {
        return String::new();
    };
    let month = MONTHS
        .get(at.month0() as usize)
        .copied()
        .unwrap_or_default();
    if step >= DAY || (step > 0.0 && at.hour() == 0 && at.minute() == 0) {
        format!("{month} {}", at.day())
    } else if step > 0.0 {
        format!("{:02}:{:02}", at.hour(), at.minute())
    } else {
        format!(
            "{month} {}, {:02}:{:02} UTC",
            at.day(),
            at.hour(),
            at.minute()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_whole() {
        let (_, step) = moments(DAY - 10.0, 8.0 * DAY, 7.0);
        assert!((step - 2.0 * DAY).abs() < 1e-9);
        assert_eq!(moment(0.0, DAY), "Jan 1");
        assert_eq!(moment(6.0 * HOUR, HOUR), "06:00");
    }
}
