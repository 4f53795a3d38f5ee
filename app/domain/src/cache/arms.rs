//! What splitting traffic does to caches: each arm has a prefix of its own, which stays warm only
//! while its share of the traffic calls it often enough.

use serde::{Deserialize, Serialize};

use super::cost::{TTL_SECONDS, Traffic, cold_arm_warning, miss_rate};

/// How warm an arm keeps its own prefix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ArmCache {
    /// The arm.
    pub arm: String,
    /// Its share of all requests, from 0 to 1.
    pub share: f64,
    /// Calls of one key within the time a prefix stays warm: λ·TTL.
    pub calls_per_ttl: f64,
    /// The share of its requests that find the prefix cold: e^(−λ·TTL).
    pub miss_rate: f64,
    /// Said if that is too much.
    pub warning: Option<String>,
}

/// How warm each arm stays, with this much of the traffic in the experiment. Nothing where that
/// cannot be reckoned.
pub fn arms(arms: &[(String, f64)], share_in: f64, traffic: Traffic) -> Vec<ArmCache> {
    let whole: f64 = arms.iter().map(|(_, weight)| weight).sum();
    if whole <= 0.0 || !whole.is_finite() {
        return Vec::new();
    }
    arms.iter()
        .filter_map(|(arm, weight)| {
            let share = weight / whole * share_in;
            let missed = miss_rate(traffic.requests_per_hour * share, traffic.distinct_keys)?;
            Some(ArmCache {
                arm: arm.clone(),
                share,
                calls_per_ttl: traffic.requests_per_hour * share / 3_600.0 * TTL_SECONDS
                    / traffic.distinct_keys,
                miss_rate: missed,
                warning: cold_arm_warning(arm, share, traffic),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arm_with_a_small_share_goes_cold_first() {
        let traffic = Traffic {
            requests_per_hour: 100.0,
            tokens: 5_120.0,
            distinct_keys: 1.0,
            ttft_ms: 2_000.0,
        };
        let weights = [("A".to_owned(), 9.0), ("B".to_owned(), 1.0)];
        let found = arms(&weights, 1.0, traffic);
        assert!(found[0].warning.is_none(), "{found:?}");
        assert!((found[1].calls_per_ttl - 10.0 / 12.0).abs() < 1e-12);
        assert!((found[1].miss_rate - (-10.0_f64 / 12.0).exp()).abs() < 1e-12);
        assert_eq!(
            found[1].warning.as_deref(),
            Some(
                "B does not keep its prompt's prefix warm: 43 % of its requests will write the cache again"
            )
        );
        assert!(arms(&[], 1.0, traffic).is_empty());
    }
}
