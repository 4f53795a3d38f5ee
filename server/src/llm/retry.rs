//! How long to wait before asking again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use super::settings::Retries;

/// What a `Retry-After` asks for, in seconds or as a date. A date is compared with the
/// answer's own `Date`, and with `now` only without one: clocks differ.
pub fn asked_wait(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    // What OpenAI says beside the standard's header, and more precisely.
    let precise = text("retry-after-ms").and_then(|text| text.trim().parse::<f64>().ok());
    if let Some(wait) = precise {
        return Duration::try_from_secs_f64(wait / 1000.0).ok();
    }
    let asked = text(RETRY_AFTER.as_str())?.trim();
    if let Ok(seconds) = asked.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = http_date(asked)?;
    let now = text(DATE.as_str()).and_then(http_date).unwrap_or(now);
    Some((at - now).to_std().unwrap_or(Duration::ZERO))
}

fn http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text)
        .ok()
        .map(|at| at.with_timezone(&Utc))
}

/// The wait after the `n_failed`th failure: somewhere (`jitter`, 0 to 1) below a limit that
/// doubles, so that callers that failed together do not come back together; and never less than
/// the provider asks for, as far as that is heeded.
pub fn wait(retries: &Retries, n_failed: u32, asked: Option<Duration>, jitter: f64) -> Duration {
    let doubled = 2_u32.saturating_pow(n_failed.saturating_sub(1));
    let limit = retries.base.saturating_mul(doubled).min(retries.longest);
    let own = limit.mul_f64(jitter.clamp(0.0, 1.0));
    let asked = asked.unwrap_or_default().min(retries.longest_asked);
    own.max(asked)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn asked(headers: &[(&'static str, &'static str)]) -> Option<Duration> {
        let headers = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        let now = DateTime::from_timestamp(784_111_770, 0).unwrap();
        asked_wait(&headers.collect(), now)
    }

    #[test]
    fn a_wait_is_read_in_every_spelling() {
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(asked(&[("retry-after", "20")]), seconds(20));
        assert_eq!(asked(&[("retry-after", "0")]), seconds(0));
        let date = ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(asked(&[date]), seconds(7));
        let theirs = ("date", "Sun, 06 Nov 1994 08:49:34 GMT");
        assert_eq!(asked(&[date, theirs]), seconds(3));
        let later = ("date", "Sun, 06 Nov 1994 09:00:00 GMT");
        assert_eq!(asked(&[date, later]), seconds(0));
        assert_eq!(
            asked(&[("retry-after", "2"), ("retry-after-ms", "1250")]),
            Some(Duration::from_millis(1250))
        );
        for nonsense in ["soon", "-1", "1e400", "NaN", ""] {
            assert_eq!(asked(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
        assert_eq!(asked(&[]), None);
    }

    #[test]
    fn waits_double_up_to_a_limit_and_heed_the_provider_up_to_another() {
        let retries = Retries {
            tries: 9,
            base: Duration::from_secs(1),
            longest: Duration::from_secs(6),
            longest_asked: Duration::from_mins(1),
        };
        let seconds = |n_failed, asked: Option<u64>, jitter| {
            wait(&retries, n_failed, asked.map(Duration::from_secs), jitter).as_secs_f64()
        };
        let limits: Vec<_> = (1..6).map(|n| seconds(n, None, 1.0)).collect();
        assert_eq!(limits, [1.0, 2.0, 4.0, 6.0, 6.0]);
        assert!((seconds(2, None, 0.25) - 0.5).abs() < 1e-9);
        assert!((seconds(u32::MAX, None, 1.0) - 6.0).abs() < 1e-9);
        assert!((seconds(1, Some(9), 0.5) - 9.0).abs() < 1e-9);
        assert!((seconds(1, Some(9_999), 0.5) - 60.0).abs() < 1e-9);
    }
}
