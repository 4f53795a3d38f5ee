use serde_json::json;

use super::*;

fn pairs(lost: usize, gained: usize, both_pass: usize, both_fail: usize) -> Vec<CasePair> {
    let pair = |before, after| CasePair {
        passed_before: Some(before),
        passed_after: after,
        must_pass: false,
        flaky: false,
    };
    let mut pairs = vec![pair(true, false); lost];
    pairs.extend(vec![pair(false, true); gained]);
    pairs.extend(vec![pair(true, true); both_pass]);
    pairs.extend(vec![pair(false, false); both_fail]);
    pairs
}

fn statistical() -> GatePolicy {
    GatePolicy {
        mode: Mode::Statistical,
        ..GatePolicy::default()
    }
}

#[track_caller]
fn check(policy: &GatePolicy, pairs: &[CasePair], verdict: Verdict, reason: &str) {
    let found = judge(policy, pairs);
    assert_eq!(found.verdict, verdict, "{:?}", found.reasons);
    assert!(found.reasons[0].contains(reason), "{:?}", found.reasons);
}

#[test]
fn a_strict_policy_lets_nothing_slip() {
    let strict = GatePolicy::default();
    check(
        &strict,
        &pairs(0, 0, 45, 5),
        Verdict::Pass,
        "90.0 % of 50 cases pass",
    );
    check(&strict, &pairs(3, 3, 40, 4), Verdict::Pass, "86.0 %");
    check(
        &strict,
        &pairs(1, 0, 44, 5),
        Verdict::Fail,
        "below the baseline's 90.0 %: 1 case lost, 0 gained",
    );
}

#[test]
fn a_statistical_policy_fails_on_significance_only() {
    check(&statistical(), &pairs(2, 1, 45, 2), Verdict::Pass, "92.0 %");
    check(
        &statistical(),
        &pairs(9, 2, 35, 4),
        Verdict::Fail,
        "the loss is significant: 9 cases lost, 2 gained",
    );
    let few = judge(&statistical(), &pairs(1, 0, 8, 1));
    assert_eq!(few.verdict, Verdict::Inconclusive);
    assert!(few.smallest_detectable_drop.unwrap() > TOLERATED_DROP);
    assert!(
        few.reasons[0].contains("run more cases"),
        "{:?}",
        few.reasons
    );
}

#[test]
fn a_must_pass_case_fails_alone() {
    let mut run = pairs(1, 3, 40, 6);
    run[0].must_pass = true;
    // One that failed before as well was not lost by this change.
    run[49].must_pass = true;
    check(
        &statistical(),
        &run,
        Verdict::Fail,
        "1 must-pass case failed",
    );
    let lenient = GatePolicy {
        must_pass: false,
        ..GatePolicy::default()
    };
    check(&lenient, &run, Verdict::Pass, "86.0 %");
}

#[test]
fn without_a_baseline_only_floor_and_must_pass_count() {
    let run: Vec<CasePair> = pairs(0, 0, 30, 20)
        .into_iter()
        .map(|pair| CasePair {
            passed_before: None,
            ..pair
        })
        .collect();
    let found = judge(&GatePolicy::default(), &run);
    assert_eq!(found.verdict, Verdict::Pass);
    assert!(
        found
            .reasons
            .iter()
            .any(|reason| reason.contains("no baseline"))
    );
    assert_eq!(
        (
            found.baseline_pass_rate,
            found.p_value,
            found.smallest_detectable_drop
        ),
        (None, None, None)
    );
    let floor = GatePolicy {
        floor: Some(0.7),
        ..GatePolicy::default()
    };
    check(
        &floor,
        &run,
        Verdict::Fail,
        "the pass rate 60.0 % is below the floor of 70.0 %",
    );
    check(&statistical(), &[], Verdict::Fail, "no case ran");
}

#[test]
fn a_verdict_has_the_apis_shape() {
    let found = judge(&GatePolicy::default(), &pairs(9, 2, 35, 4));
    let wire = serde_json::to_value(&found).unwrap();
    for member in [
        "verdict",
        "reasons",
        "pass_rate",
        "baseline_pass_rate",
        "interval",
        "p_value",
        "lost",
        "gained",
        "smallest_detectable_drop",
    ] {
        assert!(!wire[member].is_null(), "{member}");
    }
    assert_eq!(wire["verdict"], json!("fail"));
    assert!(wire["interval"].is_array());
    assert_eq!(
        sentence(&found),
        "Failed: the pass rate is below the baseline's 88.0 %: 9 cases lost, 2 gained."
    );
}

#[test]
fn a_policy_reads_or_says_all_that_is_wrong() {
    assert_eq!(
        GatePolicy::parse("", &json!({})).unwrap(),
        GatePolicy::default()
    );
    let read = json!({"mode": "statistical", "floor": 0.8, "tags": ["smoke"], "max_age_hours": 24});
    assert_eq!(
        GatePolicy::parse("", &read).unwrap().max_age_hours,
        Some(24)
    );
    let wrong = json!({
        "mode": "lax", "floor": 80, "alpha": 0, "tolerated_drop": -1, "max_age_hours": 0, "colour": 1,
    });
    let errors = GatePolicy::parse("policy", &wrong).unwrap_err();
    let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "policy.floor",
            "policy.mode",
            "policy.alpha",
            "policy.tolerated_drop",
            "policy.max_age_hours",
            "policy.colour",
        ]
    );
}

#[test]
fn repeats_pass_on_their_majority() {
    assert_eq!(majority(&[true, true, false]), (true, 1.0 / 3.0));
    assert_eq!(majority(&[true, false]), (false, 0.5));
    assert_eq!(majority(&[true]), (true, 0.0));
    assert_eq!(majority(&[]), (false, 0.0));
}

/// `SplitMix64`: a simulation that gives the same figures on every machine.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        f64::from(u32::try_from(z >> 32).unwrap()) / 4_294_967_296.0
    }
}

/// The share of runs of 50 cases that a statistical policy blocks, if each case is lost and
/// gained with these chances.
fn blocked(lost: f64, gained: f64, n_runs: u32, seed: u64) -> f64 {
    let mut draws = Draws(seed);
    let policy = statistical();
    let mut n_blocked = 0;
    for _ in 0..n_runs {
        let run: Vec<CasePair> = (0..50)
            .map(|_| {
                let draw = draws.next();
                let (before, after) = if draw < lost {
                    (true, false)
                } else if draw < lost + gained {
                    (false, true)
                } else {
                    (true, true)
                };
                CasePair {
                    passed_before: Some(before),
                    passed_after: after,
                    must_pass: false,
                    flaky: false,
                }
            })
            .collect();
        n_blocked += u32::from(judge(&policy, &run).verdict == Verdict::Fail);
    }
    f64::from(n_blocked) / f64::from(n_runs)
}

#[test]
fn under_no_difference_a_statistical_policy_blocks_at_most_alpha() {
    let n_runs = 4_000;
    // Three standard errors of a share of 5 % among so many runs.
    let noise = 3.0 * (ALPHA * (1.0 - ALPHA) / f64::from(n_runs)).sqrt();
    for (seed, changing) in [
        (1, 0.01),
        (2, 0.03),
        (3, 0.06),
        (4, 0.1),
        (5, 0.15),
        (6, 0.25),
    ] {
        let share = blocked(changing, changing, n_runs, seed);
        assert!(share <= ALPHA + noise, "{changing}: {share}");
    }
}

#[test]
fn a_drop_of_seventeen_points_is_found_in_fifty_cases() {
    for (seed, gained) in [(7, 0.0), (8, 0.01), (9, 0.02)] {
        let share = blocked(0.17 + gained, gained, 4_000, seed);
        assert!(share >= POWER, "{gained}: {share}");
    }
}

#[test]
fn what_merely_wavers_is_strictly_a_loss() {
    let run = judge(&GatePolicy::default(), &pairs(3, 2, 40, 5));
    assert_eq!(run.verdict, Verdict::Fail);
    assert_eq!(
        judge(&statistical(), &pairs(3, 2, 40, 5)).verdict,
        Verdict::Pass
    );
}

fn ended(status: crate::run::RunStatus, n_unanswered: u64) -> Ended {
    Ended {
        status,
        failure: None,
        n_unanswered,
    }
}

#[test]
fn a_baseline_that_broke_lets_nobody_pass() {
    use crate::run::RunStatus::{Cancelled, Completed};
    let fine = ended(Completed, 0);
    let judged = |pairs: &[CasePair], baseline: &Ended| {
        judge_ended(&GatePolicy::default(), pairs, pairs, &fine, Some(baseline))
    };
    let all_well = pairs(0, 0, 5, 0);
    assert_eq!(judged(&all_well, &fine).verdict, Verdict::Pass);
    let cancelled = judged(&all_well, &ended(Cancelled, 0));
    assert_eq!(cancelled.verdict, Verdict::Inconclusive);
    assert!(
        cancelled.reasons[0].starts_with("the baseline's run is cancelled"),
        "{:?}",
        cancelled.reasons
    );
    let silent = judged(&all_well, &ended(Completed, 2));
    assert_eq!(silent.verdict, Verdict::Inconclusive);
    assert!(silent.reasons[0].contains("no answer to 2 cases of the baseline's run"));
}

#[test]
fn a_provider_that_was_away_is_no_worse_prompt() {
    use crate::run::RunStatus::{Completed, Failed};
    let fine = ended(Completed, 0);
    let judged = |pairs: &[CasePair], answered: &[CasePair], candidate: &Ended| {
        judge_ended(
            &GatePolicy::default(),
            pairs,
            answered,
            candidate,
            Some(&fine),
        )
    };
    let away = judged(&pairs(3, 0, 2, 0), &pairs(0, 0, 2, 0), &ended(Completed, 3));
    assert_eq!(away.verdict, Verdict::Inconclusive, "{:?}", away.reasons);
    assert!(away.reasons[0].contains("no answer to 3 of 5 cases"));
    // Nothing was answered at all: nothing is known.
    let silent = judged(&pairs(5, 0, 0, 0), &[], &ended(Completed, 5));
    assert_eq!(silent.verdict, Verdict::Inconclusive);
    // What was answered is worse already.
    let worse = judged(&pairs(3, 0, 2, 0), &pairs(1, 0, 2, 0), &ended(Completed, 2));
    assert_eq!(worse.verdict, Verdict::Fail);
    let failed = Ended {
        failure: Some("the budget of $1.00 is spent".to_owned()),
        ..ended(Failed, 0)
    };
    let broke = judged(&pairs(3, 0, 2, 0), &pairs(3, 0, 2, 0), &failed);
    assert_eq!(broke.verdict, Verdict::Inconclusive);
    assert!(broke.reasons[0].contains("is failed: the budget of $1.00 is spent"));
}
