//! The closed form against arrivals drawn one by one: a Poisson stream over K keys, each of which
//! misses until its prefix was written once and its first token came back.

use super::{InvalidationCost, Prices, Traffic, Ttl, invalidation_cost, rollback_cost};

/// Prefixes written in one time to live after a change, on average over as many windows as it
/// takes to see this many.
const WRITES: u32 = 60_000;
/// The most windows.
const MOST_WINDOWS: u32 = 20_000;

fn exponential(rng: &mut fastrand::Rng, rate: f64) -> f64 {
    -(1.0 - rng.f64()).ln() / rate
}

fn mean_writes(rng: &mut fastrand::Rng, n: f64, keys: usize, ttft: f64, ttl: Ttl) -> f64 {
    let ttl = ttl.seconds();
    let rate = n / ttl;
    let (mut written, mut windows) = (0_u32, 0_u32);
    while written < WRITES && windows < MOST_WINDOWS {
        windows += 1;
        let mut warm_from = vec![f64::INFINITY; keys];
        let (mut n_cold, mut last) = (keys, 0.0_f64);
        let mut at = exponential(rng, rate);
        while at < ttl && (n_cold > 0 || at < last) {
            let key = rng.usize(0..keys);
            if at < warm_from[key] {
                written += 1;
                if warm_from[key].is_infinite() {
                    warm_from[key] = at + ttft;
                    last = last.max(at + ttft);
                    n_cold -= 1;
                }
            }
            at += exponential(rng, rate);
        }
    }
    f64::from(written) / f64::from(windows)
}

/// With `n` requests in one time to live.
fn closed_form(n: f64, keys: f64, ttft: f64, ttl: Ttl) -> Traffic {
    Traffic {
        requests_per_hour: n * 3_600.0 / ttl.seconds(),
        tokens: 1_000_000.0,
        distinct_keys: keys,
        ttft_ms: ttft * 1_000.0,
        ttl,
    }
}

const PRICES: Prices = Prices {
    write: 1.0,
    read: 0.0,
};

#[test]
fn drawn_arrivals_agree_with_the_closed_form_within_three_percent() {
    let mut rng = fastrand::Rng::with_seed(20_261_122);
    let mut off = Vec::new();
    for ttl in Ttl::ALL {
        for keys in [1_u16, 7, 60, 800, 5_000] {
            for n in [8.0, 90.0, 833.0, 4_000.0] {
                for ttft in [0.4, 2.0, 4.0] {
                    let traffic = closed_form(n, f64::from(keys), ttft, ttl);
                    let InvalidationCost {
                        expected_writes, ..
                    } = invalidation_cost(traffic, PRICES).unwrap();
                    let found = mean_writes(&mut rng, n, usize::from(keys), ttft, ttl);
                    let error = found / expected_writes - 1.0;
                    if error.abs() > 0.03 {
                        off.push(format!(
                            "{}, K {keys}, N {n}, TTFT {ttft} s: {found:.3} drawn, {expected_writes:.3} expected",
                            ttl.words()
                        ));
                    }
                }
            }
        }
    }
    assert!(off.is_empty(), "{off:#?}");
}

/// Keys that were warm when the change came, are cold `seconds` later, and are called again before
/// another time to live is over.
fn mean_cooled(rng: &mut fastrand::Rng, n: f64, keys: u32, seconds: f64, ttl: Ttl) -> f64 {
    let ttl = ttl.seconds();
    let per_key = n / ttl / f64::from(keys);
    let mut cooled = 0_u32;
    let rounds = (4_000_000 / keys).min(40_000);
    for _ in 0..rounds {
        for _ in 0..keys {
            // Looking back from the change to the key's last call.
            let since_last = exponential(rng, per_key);
            let was_warm = since_last < ttl;
            let is_warm = since_last + seconds < ttl;
            let next = exponential(rng, per_key);
            if was_warm && !is_warm && next < ttl {
                cooled += 1;
            }
        }
    }
    f64::from(cooled) / f64::from(rounds)
}

#[test]
fn drawn_rollbacks_agree_with_the_closed_form_within_three_percent() {
    use Ttl::{FiveMinutes, Hour};

    let mut rng = fastrand::Rng::with_seed(7);
    for (keys, n, seconds, ttl) in [
        (100, 100.0, 30.0, FiveMinutes),
        (100, 300.0, 120.0, FiveMinutes),
        (1_000, 833.0, 60.0, FiveMinutes),
        (1_000, 200.0, 250.0, FiveMinutes),
        (100, 100.0, 600.0, Hour),
        (1_000, 833.0, 1_800.0, Hour),
        (1_000, 200.0, 3_000.0, Hour),
    ] {
        let traffic = closed_form(n, f64::from(keys), 0.0, ttl);
        let expected = rollback_cost(traffic, PRICES, seconds)
            .unwrap()
            .expected_writes;
        let found = mean_cooled(&mut rng, n, keys, seconds, ttl);
        assert!(
            (found / expected - 1.0).abs() < 0.03,
            "{}, K {keys}, N {n}, {seconds} s: {found} drawn, {expected} expected",
            ttl.words()
        );
    }
}
