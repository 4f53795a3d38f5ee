//! On the server: how traffic reads.

use domain::monitor::{Percentiles, Summary};

use crate::{prompts::words::grouped, runs::words::dollars};

/// What stands where nothing was measured.
pub const NOTHING: &str = "–";

/// A count in few digits: `842`, `12.4 k`, `3.1 M`.
#[expect(clippy::cast_precision_loss, reason = "three digits of it are shown")]
pub fn few(count: u64) -> String {
    match count {
        0..10_000 => grouped(count),
        10_000..1_000_000 => format!("{:.1} k", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} M", count as f64 / 1e6),
        _ => format!("{:.1} G", count as f64 / 1e9),
    }
}

/// A number on an axis, in few digits.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are not below zero"
)]
pub fn few_tick(count: f64) -> String {
    if count.fract() != 0.0 && count < 10.0 {
        return format!("{count:.1}");
    }
    few(count.max(0.0).round() as u64)
}

/// Milliseconds up to a second, then seconds.
pub fn time(ms: f64) -> String {
    if ms < 999.5 {
        format!("{ms:.0} ms")
    } else if ms < 59_950.0 {
        format!("{:.2} s", ms / 1e3)
    } else {
        format!("{:.1} min", ms / 6e4)
    }
}

/// A share, with a digit more where nearly everything is in it.
pub fn share(share: f64) -> String {
    if (0.99..1.0).contains(&share) || (share > 0.0 && share < 0.01) {
        format!("{:.2} %", share * 100.0)
    } else {
        format!("{:.1} %", share * 100.0)
    }
}

/// A share on an axis.
pub fn share_tick(share: f64) -> String {
    let percent = share * 100.0;
    if (percent - percent.round()).abs() < 1e-6 {
        format!("{percent:.0} %")
    } else {
        format!("{percent:.1} %")
    }
}

/// What people gave on average.
pub fn mean(mean: f64) -> String {
    format!("{mean:.2}")
}

/// What may not have been measured.
pub fn maybe(number: Option<f64>, words: fn(f64) -> String) -> String {
    number.map_or_else(|| NOTHING.to_owned(), words)
}

/// One of the percentiles.
pub fn percentile(of: Option<Percentiles>, which: fn(Percentiles) -> f64) -> String {
    maybe(of.map(which), time)
}

/// US dollars for a thousand calls; none where no call's cost is known.
#[expect(clippy::cast_precision_loss, reason = "counts of calls")]
pub fn cost_per_thousand(summary: &Summary) -> Option<f64> {
    let cost = summary.known_cost_usd()?;
    Some(cost / summary.n_priced as f64 * 1_000.0)
}

/// Tokens of a call on average.
#[expect(clippy::cast_precision_loss, reason = "counts of calls")]
pub fn per_call(tokens: u64, summary: &Summary) -> Option<f64> {
    (summary.requests > 0 && tokens > 0).then(|| tokens as f64 / summary.requests as f64)
}

/// How a version compares in one number: `+12 %`, `−3 %`.
pub fn change(left: Option<f64>, right: Option<f64>) -> String {
    match (left, right) {
        (Some(left), Some(right)) if left > 0.0 => {
            let change = (right / left - 1.0) * 100.0;
            match change {
                change if change >= 0.05 => format!("+{change:.1} %"),
                change if change <= -0.05 => format!("−{:.1} %", change.abs()),
                _ => "±0 %".to_owned(),
            }
        }
        _ => NOTHING.to_owned(),
    }
}

/// How two shares compare, in percentage points.
pub fn points(left: Option<f64>, right: Option<f64>) -> String {
    match (left, right) {
        (Some(left), Some(right)) => {
            format!("{} pp", crate::runs::words::signed(right - left))
        }
        _ => NOTHING.to_owned(),
    }
}

/// In one line for a row of a table: `412 requests in 24 h, 99.2 % succeeded, p95 840 ms`.
pub fn day(summary: &Summary) -> String {
    let mut words = format!("{} requests in 24 h", grouped(summary.requests));
    if let Some(rate) = summary.success_rate() {
        words.push_str(&format!(", {} succeeded", share(rate)));
    }
    if let Some(latency) = summary.latency {
        words.push_str(&format!(", p95 {}", time(latency.p95)));
    }
    words
}

/// US dollars, whether much or little.
pub fn cost(cost: f64) -> String {
    if cost >= 1_000.0 {
        format!("${}", few_tick(cost))
    } else {
        dollars(cost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits() {
        assert_eq!(few(9_999), "9,999");
        assert_eq!(few(12_440), "12.4 k");
        assert_eq!(few(3_100_000), "3.1 M");
        assert_eq!(time(840.2), "840 ms");
        assert_eq!(time(1_840.0), "1.84 s");
        assert_eq!(share(0.9962), "99.62 %");
        assert_eq!(share(1.0), "100.0 %");
        assert_eq!(share(0.84), "84.0 %");
        assert_eq!(change(Some(200.0), Some(150.0)), "−25.0 %");
        assert_eq!(change(None, Some(150.0)), NOTHING);
        assert_eq!(points(Some(0.98), Some(0.95)), "−3.0 pp");
    }
}
