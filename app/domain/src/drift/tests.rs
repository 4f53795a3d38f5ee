//! Drift by hand; by chance in `simulation`.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::*;
use crate::content::ContentHash;

mod simulation;

fn facts(n_cases: u64) -> RunFacts {
    RunFacts {
        run: RunId(Uuid::nil()),
        revision: 1,
        prompt: serde_json::from_value::<ContentHash>("a".repeat(64).into()).unwrap(),
        scorers: "same".to_owned(),
        models: BTreeSet::from(["model-1 (fp_1)".to_owned()]),
        judges: BTreeSet::new(),
        n_cases,
        finished_at: None,
    }
}

fn evidence(common: Vec<(Seen, Seen)>) -> Evidence {
    let n = common.len() as u64;
    Evidence {
        frozen: facts(n),
        is_lucky: false,
        run: facts(n),
        common,
        chart: None,
        per_week: 1.0,
        n_asked: None,
    }
}

fn cases(both_pass: usize, lost: usize, gained: usize, both_fail: usize) -> Vec<(Seen, Seen)> {
    use Seen::{Failed, Passed};
    [
        (both_pass, (Passed, Passed)),
        (lost, (Passed, Failed)),
        (gained, (Failed, Passed)),
        (both_fail, (Failed, Failed)),
    ]
    .into_iter()
    .flat_map(|(n, case)| std::iter::repeat_n(case, n))
    .collect()
}

#[test]
fn a_clear_loss_is_drift_and_says_so() {
    let found = judge(&evidence(cases(160, 20, 2, 18)));
    assert_eq!(found.state, State::Drifted);
    assert!(
        found.sentence.starts_with(
            "Worse than at promotion: 81.0 % of 200 cases pass, 90.0 % at promotion (20 lost, 2 gained"
        ),
        "{}",
        found.sentence
    );
    assert!(found.causes.is_empty());
}

#[test]
fn an_even_exchange_is_healthy() {
    let found = judge(&evidence(cases(175, 3, 4, 18)));
    assert_eq!(found.state, State::Healthy);
    assert!(
        found.sentence.contains("would have been found"),
        "{}",
        found.sentence
    );
}

#[test]
fn a_doubtful_loss_is_watched() {
    let found = judge(&evidence(cases(180, 6, 2, 12)));
    let p = found.numbers.as_ref().unwrap().p_value;
    assert!((ALARM_LEVEL..=WATCH_LEVEL).contains(&p), "{p}");
    assert_eq!(found.state, State::Watch);
}

#[test]
fn a_slow_decline_is_watched_before_it_is_an_alarm() {
    let mut chart = None;
    let mut states = Vec::new();
    for _ in 0..12 {
        let mut one = evidence(cases(178, 12, 8, 2));
        one.chart = chart;
        let found = judge(&one);
        chart = found.chart;
        states.push(found.state);
    }
    assert_eq!(states[0], State::Healthy);
    assert_eq!(states[11], State::Watch, "{states:?} {chart:?}");
}

#[test]
fn the_limits_are_the_exact_ones_of_each_point() {
    let mut chart = Ewma::begin(0.9);
    for t in 1..=30_i32 {
        chart = chart.next(0.0, 180, 200);
        let sigma = (0.9 * 0.1 / 200.0_f64).sqrt();
        let exact = 3.0 * sigma * (0.2 / 1.8 * (1.0 - 0.8_f64.powi(2 * t))).sqrt();
        assert!((chart.upper() - 0.9 - exact).abs() < 1e-12);
        assert!((0.9 - chart.lower() - exact).abs() < 1e-12);
    }
    // A frozen run without a failure still has limits.
    assert!(!Ewma::begin(1.0).next(-0.005, 200, 200).is_low());
}

#[test]
fn what_cannot_be_told_says_why() {
    let few = judge(&evidence(cases(10, 1, 0, 1)));
    assert_eq!(
        few.why,
        Some(Why::FewCommonCases {
            common: 12,
            frozen: 12
        })
    );
    let mut changed = evidence(cases(90, 5, 0, 5));
    changed.frozen.n_cases = 300;
    assert!(matches!(
        judge(&changed).why,
        Some(Why::FewCommonCases {
            common: 100,
            frozen: 300
        })
    ));
    let mut errors = evidence(cases(180, 0, 0, 5));
    errors.common.extend([(Seen::Passed, Seen::Error); 15]);
    assert_eq!(
        judge(&errors).why,
        Some(Why::ManyErrors {
            errors: 15,
            of: 200
        })
    );
    let mut scorers = evidence(cases(180, 20, 0, 0));
    scorers.run.scorers = "others".to_owned();
    let found = judge(&scorers);
    assert_eq!(
        (found.state, found.why),
        (State::CannotTell, Some(Why::ScorersChanged))
    );
}

#[test]
fn a_few_errors_are_left_out_and_mentioned() {
    let mut one = evidence(cases(180, 2, 2, 12));
    one.common.extend([(Seen::Passed, Seen::Error); 4]);
    let found = judge(&one);
    assert_eq!(found.state, State::Healthy);
    assert!(
        found
            .sentence
            .ends_with("4 cases without an answer were left out."),
        "{}",
        found.sentence
    );
}

#[test]
fn what_changed_is_named() {
    let mut one = evidence(cases(160, 20, 2, 18));
    one.run.models = BTreeSet::from(["model-1 (fp_2)".to_owned()]);
    one.run.revision = 3;
    let found = judge(&one);
    let whats: Vec<_> = found.causes.iter().map(|cause| cause.what).collect();
    assert_eq!(whats, [attribution::What::Model, attribution::What::Suite]);
    assert_eq!(found.causes[0].after, "model-1 (fp_2)");
}

#[test]
fn more_checks_a_week_share_the_level() {
    let mut daily = evidence(cases(185, 8, 2, 5));
    assert_eq!(judge(&daily).state, State::Drifted);
    daily.per_week = 7.0;
    assert_eq!(judge(&daily).state, State::Watch);
}

#[test]
fn whoever_asks_again_has_less_of_the_level_each_time() {
    let level = |per_week: f64, n_asked: Option<u32>| {
        let mut one = evidence(cases(185, 8, 2, 5));
        (one.per_week, one.n_asked) = (per_week, n_asked);
        judge(&one).numbers.unwrap().level
    };
    let is =
        |found: f64, share: f64| assert!((found - ALARM_LEVEL * share).abs() < 1e-12, "{found}");
    is(level(1.0, None), 1.0);
    is(level(1.0, Some(0)), 1.0 / 8.0);
    is(level(7.0, Some(1)), 1.0 / (7.0 * 27.0));
    // Nothing is scheduled: the first one that is asked for is the week's.
    is(level(0.0, Some(0)), 1.0);
    is(level(0.0, Some(1)), 1.0 / 8.0);
}
