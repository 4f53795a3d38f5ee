//! What splitting traffic does to caches: each arm has a prefix of its own, which stays warm only
//! while its share of the traffic calls it often enough.

use serde::{Deserialize, Serialize};

use super::{
    Ttl,
    cost::{Traffic, cold_arm_warning, miss_rate},
};

/// How warm an arm keeps its own prefix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ArmCache {
    /// The arm.
    pub arm: String,
    /// Its share of all requests, from 0 to 1.
    pub share: f64,
    /// For how long its prefix stays warm: the shortest of its breakpoints' times.
    pub ttl: Ttl,
    /// Calls of one key within the time a prefix stays warm: λ·TTL.
    pub calls_per_ttl: f64,
    /// The share of its requests that find the prefix cold: e^(−λ·TTL).
    pub miss_rate: f64,
    /// Said if that is too much.
    pub warning: Option<String>,
}

/// How warm an arm stays with its share of the traffic; none where that cannot be reckoned.
pub fn arm(name: &str, share: f64, traffic: Traffic) -> Option<ArmCache> {
    let own = Traffic {
        requests_per_hour: traffic.requests_per_hour * share,
        ..traffic
    };
    Some(ArmCache {
        arm: name.to_owned(),
        share,
        ttl: own.ttl,
        calls_per_ttl: own.calls_per_ttl(),
        miss_rate: miss_rate(own)?,
        warning: cold_arm_warning(name, own),
    })
}

/// The share of all requests that each weight gets, with this much of the traffic in the
/// experiment. Nothing where the weights make no sense.
pub fn shares(weights: &[f64], share_in: f64) -> Option<Vec<f64>> {
    let whole: f64 = weights.iter().sum();
    let is_sound = whole > 0.0 && whole.is_finite() && weights.iter().all(|weight| *weight >= 0.0);
    is_sound.then(|| {
        weights
            .iter()
            .map(|weight| weight / whole * share_in)
            .collect()
    })
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
            ttl: Ttl::FiveMinutes,
        };
        let shares = shares(&[9.0, 1.0], 1.0).unwrap();
        let (large, small) = (
            arm("A", shares[0], traffic).unwrap(),
            arm("B", shares[1], traffic).unwrap(),
        );
        assert!(large.warning.is_none(), "{large:?}");
        assert!((small.calls_per_ttl - 10.0 / 12.0).abs() < 1e-12);
        assert!((small.miss_rate - (-10.0_f64 / 12.0).exp()).abs() < 1e-12);
        assert_eq!(
            small.warning.as_deref(),
            Some(
                "B does not keep its prompt's prefix warm: 43 % of its requests will write the cache again"
            )
        );
        // Ten calls an hour keep warm what stays warm for an hour.
        let hour = Traffic {
            ttl: Ttl::Hour,
            ..traffic
        };
        let small = arm("B", shares[1], hour).unwrap();
        assert!((small.calls_per_ttl - 10.0).abs() < 1e-12);
        assert!(small.warning.is_none(), "{small:?}");
    }

    #[test]
    fn weights_that_make_no_sense_have_no_shares() {
        assert_eq!(shares(&[1.0, 1.0], 0.5), Some(vec![0.25, 0.25]));
        for weights in [&[][..], &[0.0, 0.0], &[f64::NAN, 1.0], &[-1.0, 3.0]] {
            assert_eq!(shares(weights, 1.0), None, "{weights:?}");
        }
    }
}
