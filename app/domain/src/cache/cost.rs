//! What a change costs because prefixes that were warm have to be written again. N requests
//! arrive per time to live, over K keys behind the changed prefix, and T tokens are cached from
//! the first changed block to the last breakpoint. All of it is about one time to live: what is
//! written for five minutes and what is written for an hour are reckoned each for itself.

use serde::{Deserialize, Serialize};

use super::Ttl;
use crate::cost::{PER_TOKENS, Price};

/// Up to which chance of finding its prefix cold an arm counts as warm: λ·TTL ≥ 3.
const MAX_MISS_RATE: f64 = 0.05;

/// Traffic through a changed prefix.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = CacheTraffic))]
pub struct Traffic {
    /// Requests an hour.
    pub requests_per_hour: f64,
    /// Cached tokens from the first changed block to the last breakpoint.
    pub tokens: f64,
    /// Distinct keys behind the changed prefix: 1 for a shared system prompt, else tenants or
    /// conversations.
    pub distinct_keys: f64,
    /// From sending a request to its first token, in milliseconds: requests that arrive
    /// meanwhile miss too.
    pub ttft_ms: f64,
    /// For how long the prefix stays warm.
    #[serde(default)]
    pub ttl: Ttl,
}

impl Traffic {
    /// How often a key is called, per second.
    fn per_key(&self) -> f64 {
        self.requests_per_hour / 3_600.0 / self.distinct_keys
    }

    /// How often a key is called while its prefix stays warm: λ·TTL.
    #[must_use]
    pub fn calls_per_ttl(&self) -> f64 {
        self.per_key() * self.ttl.seconds()
    }
}

/// Cache prices in US dollars per million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = CachePrices))]
pub struct Prices {
    /// Writing for the time to live in question.
    pub write: f64,
    /// Reading.
    pub read: f64,
}

impl Prices {
    /// As a price row says for a time to live; none where it offers none for so long.
    #[must_use]
    pub fn of(price: &Price, ttl: Ttl) -> Option<Self> {
        Some(Self {
            write: ttl.write_price(price)?,
            read: price.read.unwrap_or(price.input),
        })
    }
}

/// What a change costs once, in US dollars.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InvalidationCost {
    /// If every request of one time to live misses.
    pub upper_bound_usd: f64,
    /// What is expected.
    pub expected_usd: f64,
    /// How many prefixes are expected to be written again.
    pub expected_writes: f64,
}

/// Why a change costs nothing through the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Free {
    /// Nothing served before, so nothing is warm.
    NothingServed,
    /// Nothing that is cached changed.
    Unchanged,
    /// The change is behind the last breakpoint.
    BehindLastBreakpoint,
    /// The whole prefix is too short for the model to cache.
    UnderMinimum {
        /// The shortest prefix it caches, in tokens.
        minimum: u32,
    },
    /// The model caches nothing.
    NoCache,
}

impl std::fmt::Display for Free {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NothingServed => f.write_str("nothing served here before, so nothing is cached"),
            Self::Unchanged => f.write_str("nothing that is cached changed"),
            Self::BehindLastBreakpoint => f.write_str(
                "the change is behind the last cache breakpoint: the prefix before it stays warm",
            ),
            Self::UnderMinimum { minimum } => write!(
                f,
                "the prefix is shorter than {minimum} tokens, so this model never cached it"
            ),
            Self::NoCache => f.write_str("this model caches nothing"),
        }
    }
}

/// Whether a change costs nothing, and why. `prefix_tokens` is the whole prefix up to the last
/// breakpoint, `minimum` the price row's.
pub fn free(
    change: Option<&super::FirstChange>,
    prefix_tokens: f64,
    minimum: Option<u32>,
) -> Option<Free> {
    let Some(change) = change else {
        return Some(Free::Unchanged);
    };
    if change.chars_to_last_breakpoint == Some(0) {
        return Some(Free::BehindLastBreakpoint);
    }
    match minimum {
        None => Some(Free::NoCache),
        Some(minimum) if prefix_tokens < f64::from(minimum) => Some(Free::UnderMinimum { minimum }),
        Some(_) => None,
    }
}

/// What a change costs: the upper bound N·T·write, and the expectation W·T·(write − read) with
/// W = K(1 − e^(−N/K)) + Λ·TTFT writes, Λ requests a second; never more than the bound, which a
/// first token slower than the time to live would exceed. None where an input is negative or not
/// finite, or there is no key.
pub fn invalidation_cost(traffic: Traffic, prices: Prices) -> Option<InvalidationCost> {
    let inputs = [
        traffic.requests_per_hour,
        traffic.tokens,
        traffic.ttft_ms,
        prices.write,
        prices.read,
    ];
    let is_sound = |input: f64| input.is_finite() && input >= 0.0;
    if !inputs.into_iter().all(is_sound)
        || !is_sound(traffic.distinct_keys)
        || traffic.distinct_keys <= 0.0
    {
        return None;
    }
    let per_second = traffic.requests_per_hour / 3_600.0;
    let per_ttl = per_second * traffic.ttl.seconds();
    let keys = traffic.distinct_keys;
    // −(e^(−x) − 1) keeps its digits where x is small: many keys, each seldom used.
    let first_of_each = -keys * (-per_ttl / keys).exp_m1();
    let expected_writes = first_of_each + per_second * traffic.ttft_ms / 1_000.0;
    let tokens = traffic.tokens / PER_TOKENS;
    let upper_bound_usd = per_ttl * tokens * prices.write;
    let expected_usd = expected_writes * tokens * (prices.write - prices.read).max(0.0);
    Some(InvalidationCost {
        upper_bound_usd,
        expected_usd: expected_usd.min(upper_bound_usd),
        expected_writes,
    })
}

/// What going back costs, `seconds_ago` seconds after a change. A key's old prefix is still warm if
/// it was used within the time to live before now, which after those seconds is so unless its last
/// call came too early before the change: K·(e^(−λ(TTL−s)) − e^(−λ·TTL)) keys cooled down
/// meanwhile, and each is written again by its next call. After the time to live everything is
/// cold, and it costs what any change costs.
pub fn rollback_cost(
    traffic: Traffic,
    prices: Prices,
    seconds_ago: f64,
) -> Option<InvalidationCost> {
    let cost = invalidation_cost(traffic, prices)?;
    let seconds = seconds_ago.max(0.0);
    let ttl = traffic.ttl.seconds();
    if seconds >= ttl || !seconds.is_finite() {
        return Some(cost);
    }
    let (keys, per_key) = (traffic.distinct_keys, traffic.per_key());
    let cooled = (-per_key * (ttl - seconds)).exp() - (-per_key * ttl).exp();
    let expected_writes = keys * cooled * -(-per_key * ttl).exp_m1();
    let tokens = traffic.tokens / PER_TOKENS;
    let expected_usd = expected_writes * tokens * (prices.write - prices.read).max(0.0);
    Some(InvalidationCost {
        expected_usd: expected_usd.min(cost.expected_usd),
        expected_writes: expected_writes.min(cost.expected_writes),
        ..cost
    })
}

/// The chance that a request finds its key's prefix cold, e^(−λ·TTL), with λ requests a second
/// for each key. None where that cannot be computed.
pub fn miss_rate(traffic: Traffic) -> Option<f64> {
    let is_sound = traffic.requests_per_hour.is_finite()
        && traffic.requests_per_hour >= 0.0
        && traffic.distinct_keys.is_finite()
        && traffic.distinct_keys > 0.0;
    is_sound.then(|| (-traffic.calls_per_ttl()).exp())
}

/// What to tell whoever splits traffic: a sentence for an arm that gets this traffic and does not
/// keep its own prefix warm. None while it does.
pub fn cold_arm_warning(arm: &str, traffic: Traffic) -> Option<String> {
    let missed = miss_rate(traffic)?;
    (missed > MAX_MISS_RATE).then(|| {
        format!(
            "{arm} does not keep its prompt's prefix warm: {:.0} % of its requests will write the cache again",
            missed * 100.0
        )
    })
}

#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PRICES: Prices = Prices {
        write: 3.75,
        read: 0.3,
    };

    fn traffic(distinct_keys: f64) -> Traffic {
        Traffic {
            requests_per_hour: 10_000.0,
            tokens: 5_120.0,
            distinct_keys,
            ttft_ms: 2_000.0,
            ttl: Ttl::FiveMinutes,
        }
    }

    fn hourly(traffic: Traffic) -> Traffic {
        Traffic {
            ttl: Ttl::Hour,
            ..traffic
        }
    }

    #[track_caller]
    fn printed(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }

    #[test]
    fn the_references_figures_come_out() {
        // The contract prints ≈ $0.11 and ≈ $14.17; its formula gives these digits.
        let one = invalidation_cost(traffic(1.0), PRICES).unwrap();
        printed(one.upper_bound_usd, 16.00);
        // One write for the key, and 5.56 requests that arrive before its first token.
        printed(one.expected_writes, 6.555_556);
        printed(one.expected_usd, 0.115_797);
        let many = invalidation_cost(traffic(10_000.0), PRICES).unwrap();
        printed(many.expected_usd, 14.221_488);
    }

    #[test]
    fn arms_with_little_traffic_are_warned_about() {
        assert_eq!(cold_arm_warning("B", traffic(1.0)), None);
        let little = Traffic {
            requests_per_hour: 1_000.0,
            ..traffic(100.0)
        };
        let warning = cold_arm_warning("B", little).unwrap();
        assert!(warning.contains("43 %"), "{warning}");
        // Ten calls of each key in an hour keep warm what stays warm for an hour.
        assert_eq!(cold_arm_warning("B", hourly(little)), None);
        let rate = |requests_per_hour, keys| {
            miss_rate(Traffic {
                requests_per_hour,
                ..traffic(keys)
            })
        };
        assert_eq!(rate(0.0, 1.0), Some(1.0));
        assert_eq!(rate(1.0, 0.0), None);
    }

    #[test]
    fn an_hour_has_twelve_times_the_requests_and_a_price_of_its_own() {
        let dear = Prices {
            write: 6.0,
            ..PRICES
        };
        let one = invalidation_cost(hourly(traffic(1.0)), dear).unwrap();
        // 10,000 requests, 5,120 tokens, $6 a million.
        printed(one.upper_bound_usd, 307.2);
        // The same 6.56 writes: one key, and what arrives before its first token.
        printed(one.expected_writes, 6.555_556);
        printed(one.expected_usd, 6.555_556 * 5_120.0 * 5.7 / 1e6);
        let many = invalidation_cost(hourly(traffic(10_000.0)), dear).unwrap();
        // Of 10,000 keys 63 % are called within the hour.
        printed(
            many.expected_writes,
            10_000.0 * (1.0 - (-1.0_f64).exp()) + 5.555_556,
        );
    }

    #[test]
    fn a_row_without_a_price_for_an_hour_has_none() {
        let mut price = Price {
            provider: "anthropic".to_owned(),
            model: "sonnet".to_owned(),
            input: 3.0,
            write_5m: None,
            write_1h: Some(6.0),
            read: None,
            output: 15.0,
            min_cacheable_tokens: None,
            valid_from: chrono::DateTime::UNIX_EPOCH,
        };
        let of = |price: &Price, ttl| Prices::of(price, ttl).map(|found| (found.write, found.read));
        assert_eq!(of(&price, Ttl::FiveMinutes), Some((3.0, 3.0)));
        assert_eq!(of(&price, Ttl::Hour), Some((6.0, 3.0)));
        price.write_1h = None;
        assert_eq!(of(&price, Ttl::Hour), None);
    }

    #[test]
    fn a_quick_rollback_is_free() {
        let soon = rollback_cost(traffic(10.0), PRICES, 60.0).unwrap();
        assert!(soon.expected_usd < 1e-9, "{soon:?}");
        // Ten thousand conversations: some of them cooled in the minute.
        let some = rollback_cost(traffic(10_000.0), PRICES, 60.0).unwrap();
        let all = invalidation_cost(traffic(10_000.0), PRICES).unwrap();
        assert!(some.expected_usd > 0.0 && some.expected_usd < all.expected_usd / 5.0);
        assert_eq!(
            rollback_cost(traffic(10.0), PRICES, 600.0),
            invalidation_cost(traffic(10.0), PRICES)
        );
        // Where a prefix stays warm for an hour, ten minutes are soon.
        let soon = rollback_cost(hourly(traffic(10.0)), PRICES, 600.0).unwrap();
        assert!(soon.expected_usd < 1e-9, "{soon:?}");
        assert_eq!(
            rollback_cost(hourly(traffic(10.0)), PRICES, 3_600.0),
            invalidation_cost(hourly(traffic(10.0)), PRICES)
        );
    }

    #[test]
    fn what_costs_nothing_says_why() {
        let change = |chars_to_last_breakpoint| super::super::FirstChange {
            index: 0,
            label: "message 1 (system)".to_owned(),
            unchanged_chars: 0,
            chars_to_last_breakpoint,
            behind_variable: false,
        };
        assert_eq!(free(None, 5_000.0, Some(1_024)), Some(Free::Unchanged));
        assert_eq!(
            free(Some(&change(Some(0))), 5_000.0, Some(1_024)),
            Some(Free::BehindLastBreakpoint)
        );
        assert_eq!(
            free(Some(&change(None)), 500.0, Some(1_024)),
            Some(Free::UnderMinimum { minimum: 1_024 })
        );
        assert_eq!(
            free(Some(&change(Some(9))), 5_000.0, None),
            Some(Free::NoCache)
        );
        assert_eq!(free(Some(&change(Some(9))), 5_000.0, Some(1_024)), None);
    }

    proptest! {
        #[test]
        fn the_expectation_stays_below_the_bound(
            requests_per_hour in 0.0..1e9_f64, tokens in 0.0..1e6_f64, distinct_keys in 1e-3..1e9_f64, ttft_ms in 0.0..1e5_f64,
            ttl in proptest::sample::select(Ttl::ALL.to_vec()),
        ) {
            let traffic = Traffic { requests_per_hour, tokens, distinct_keys, ttft_ms, ttl };
            let cost = invalidation_cost(traffic, PRICES).unwrap();
            prop_assert!(cost.expected_usd >= 0.0 && cost.expected_usd <= cost.upper_bound_usd * (1.0 + 1e-12), "{cost:?}");
        }
    }
}
