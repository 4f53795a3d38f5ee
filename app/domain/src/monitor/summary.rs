//! What a stretch of traffic adds up to: the shape pages, alerts and costs read. Sums come from
//! roll-ups; percentiles from sketches, within 1 % of the exact ones.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::failure::Failure;

/// Three percentiles of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Percentiles {
    /// Half are below.
    pub p50: f64,
    /// 95 of 100 are below.
    pub p95: f64,
    /// 99 of 100 are below.
    pub p99: f64,
}

/// Tokens, summed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = MonitorTokens))]
pub struct Tokens {
    /// Read, those from and to the cache among them.
    pub input: u64,
    /// Written.
    pub output: u64,
    /// Read from the provider's cache.
    pub cache_read: u64,
    /// Written to the provider's cache.
    pub cache_write: u64,
}

impl Tokens {
    /// The share of input that came from the cache; none without input. Some clients leave cached
    /// tokens out of their input: it is never less than what went through the cache.
    #[must_use]
    pub fn cache_hit_share(self) -> Option<f64> {
        let input = self.input.max(self.cache_read + self.cache_write);
        (input > 0).then(|| crate::stats::float(self.cache_read) / crate::stats::float(input))
    }
}

/// What people said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Feedback {
    /// How many said something.
    pub n: u64,
    /// The sum of what they gave.
    pub sum: f64,
}

impl Feedback {
    /// What they gave on average.
    #[must_use]
    pub fn mean(self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / crate::stats::float(self.n))
    }
}

/// Traffic, summed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = TrafficSummary))]
pub struct Summary {
    /// Calls of the model.
    pub requests: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Failures by kind; they add up to `errors`.
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, u64>))]
    pub errors_by_kind: BTreeMap<Failure, u64>,
    /// Until the last token, in milliseconds; none where nothing was measured.
    pub latency: Option<Percentiles>,
    /// Until the first token, in milliseconds.
    pub ttft: Option<Percentiles>,
    /// Tokens.
    pub tokens: Tokens,
    /// US dollars, of the calls whose cost is known.
    pub cost_usd: f64,
    /// How many calls the cost is known of.
    pub n_priced: u64,
    /// Feedback.
    pub feedback: Feedback,
}

impl Summary {
    /// The share of calls that failed; none without calls.
    #[must_use]
    pub fn error_rate(&self) -> Option<f64> {
        (self.requests > 0)
            .then(|| crate::stats::float(self.errors) / crate::stats::float(self.requests))
    }

    /// The share of calls that did not fail; none without calls.
    #[must_use]
    pub fn success_rate(&self) -> Option<f64> {
        self.error_rate().map(|rate| 1.0 - rate)
    }

    /// US dollars, none where no call's cost is known: unknown is not 0.
    #[must_use]
    pub fn known_cost_usd(&self) -> Option<f64> {
        (self.n_priced > 0).then_some(self.cost_usd)
    }

    /// Whether nothing was reported at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.requests == 0 && self.feedback.n == 0
    }
}

/// A minute, an hour or a day of traffic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// When it begins.
    pub at: DateTime<Utc>,
    /// What happened until the next.
    pub summary: Summary,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_exist_where_something_happened() {
        let mut summary = Summary::default();
        assert_eq!(
            (summary.error_rate(), summary.known_cost_usd()),
            (None, None)
        );
        assert!(summary.is_empty());
        summary.requests = 8;
        summary.errors = 2;
        assert_eq!(summary.error_rate(), Some(0.25));
        assert_eq!(summary.success_rate(), Some(0.75));
        summary.n_priced = 1;
        assert_eq!(summary.known_cost_usd(), Some(0.0));
        summary.feedback = Feedback { n: 4, sum: 3.0 };
        assert_eq!(summary.feedback.mean(), Some(0.75));
    }

    #[test]
    fn the_cache_share_holds_whether_clients_count_cached_input_or_not() {
        let tokens = Tokens {
            input: 1_000,
            output: 5,
            cache_read: 800,
            cache_write: 100,
        };
        assert_eq!(tokens.cache_hit_share(), Some(0.8));
        let left_out = Tokens {
            input: 10,
            ..tokens
        };
        assert_eq!(left_out.cache_hit_share(), Some(800.0 / 900.0));
        assert_eq!(Tokens::default().cache_hit_share(), None);
    }
}
