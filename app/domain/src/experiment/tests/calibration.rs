//! Does the verdict keep its promise? Seeded simulations of whole experiments, looked at daily.

use super::*;
use crate::stats::{
    power,
    proportion::{self, Sample},
};

const DAYS: u64 = 28;

/// Runs one experiment for 28 days and answers the first verdict that names a winner or loser.
fn call(
    experiment: &mut Experiment,
    daily: [Binomial; 2],
    n_daily: u64,
    rng: &mut fastrand::Rng,
) -> Option<VerdictKind> {
    experiment.frozen = None;
    let mut arms = [ArmCounts::default(); 2];
    for day in 1..=DAYS {
        for (arm, binomial) in arms.iter_mut().zip(daily) {
            arm.units += n_daily;
            arm.successes += binomial.draw(rng.f64());
        }
        let now = at(i64::try_from(day).unwrap());
        let observed = Observed {
            arms: arms.to_vec(),
            ..Observed::default()
        };
        if experiment.frozen.is_none() && observed.units() >= experiment.planned_units {
            experiment.frozen = Some(Frozen {
                at: now,
                arms: arms.to_vec(),
            });
        }
        let kind = Results::of(experiment, &observed, now).verdict.kind;
        if matches!(kind, VerdictKind::Better | VerdictKind::Worse) {
            return Some(kind);
        }
    }
    None
}

/// The share of experiments that are called, with rates as given.
fn share_called(
    experiment: &mut Experiment,
    rates: [f64; 2],
    n_daily: u64,
    tests: u32,
    seed: u64,
) -> f64 {
    let daily = rates.map(|rate| Binomial::new(n_daily, rate));
    let mut rng = fastrand::Rng::with_seed(seed);
    let called = (0..tests)
        .filter(|_| call(experiment, daily, n_daily, &mut rng).is_some())
        .count();
    f64::from(u32::try_from(called).unwrap()) / f64::from(tests)
}

/// Three standard errors of a share.
fn noise(share: f64, tests: u32) -> f64 {
    3.0 * (share * (1.0 - share) / f64::from(tests)).sqrt()
}

#[test]
fn an_a_a_test_looked_at_daily_is_called_no_more_often_than_alpha() {
    const TESTS: u32 = 1_500;
    for (baseline, n_daily) in [(0.8, 50), (0.05, 200)] {
        for decision in ["fixed", "sequential"] {
            let mut experiment = running(
                json!({ "decision": decision, "baseline": baseline, "minimum_effect": 0.04 }),
            );
            let called = share_called(&mut experiment, [baseline; 2], n_daily, TESTS, 11);
            assert!(
                called <= 0.05 + noise(0.05, TESTS),
                "{decision} {baseline}: {called}"
            );
        }
    }
}

#[test]
fn power_is_as_planned() {
    const TESTS: u32 = 4_000;
    for (p1, p2, wanted) in [(0.80, 0.85, 0.8), (0.30, 0.36, 0.9)] {
        let plan = power::Plan {
            baseline: p1,
            effect: p2 - p1,
            alpha: 0.05,
            power: wanted,
            weights: vec![1.0, 1.0],
        };
        let n = plan.sample_size().unwrap().per_arm[0];
        let (left, right) = (Binomial::new(n, p1), Binomial::new(n, p2));
        let mut rng = fastrand::Rng::with_seed(3);
        let found = (0..TESTS)
            .filter(|_| {
                let control = Sample {
                    successes: left.draw(rng.f64()),
                    n,
                };
                let treatment = Sample {
                    successes: right.draw(rng.f64()),
                    n,
                };
                proportion::compare(control, treatment, 0.05)
                    .p_value
                    .is_some_and(|p| p < 0.05)
            })
            .count();
        let found = f64::from(u32::try_from(found).unwrap()) / f64::from(TESTS);
        assert!((found - wanted).abs() <= 0.02, "{p1} → {p2}: {found}");
    }
}

#[test]
fn the_sequential_rule_finds_the_planned_effect_at_least_as_often() {
    const TESTS: u32 = 400;
    let mut experiment = running(json!({ "decision": "sequential" }));
    let n_daily = experiment.planned_units.div_ceil(2 * DAYS);
    let called = share_called(&mut experiment, [0.80, 0.85], n_daily, TESTS, 5);
    assert!(called >= 0.78, "{called}");
}

#[test]
fn newcombe_covers_the_truth_over_a_grid() {
    const TESTS: u32 = 2_000;
    for n in [50, 200, 1_000] {
        for (p1, p2) in [(0.5, 0.5), (0.8, 0.85), (0.1, 0.2), (0.95, 0.9), (0.3, 0.6)] {
            let (left, right) = (Binomial::new(n, p1), Binomial::new(n, p2));
            let mut rng = fastrand::Rng::with_seed(n);
            let covered = (0..TESTS)
                .filter(|_| {
                    let control = Sample {
                        successes: left.draw(rng.f64()),
                        n,
                    };
                    let treatment = Sample {
                        successes: right.draw(rng.f64()),
                        n,
                    };
                    let interval = proportion::compare(control, treatment, 0.05)
                        .interval
                        .unwrap();
                    interval.lower <= p2 - p1 && p2 - p1 <= interval.upper
                })
                .count();
            let covered = f64::from(u32::try_from(covered).unwrap()) / f64::from(TESTS);
            assert!(
                covered >= 0.94 - noise(0.05, TESTS) / 3.0,
                "n = {n}, {p1} and {p2}: {covered}"
            );
        }
    }
}
