//! What must hold whatever is read: no storm, nothing lost, no order.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::field::Fields;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn rule(raise_after: i64, clear_after: i64) -> Hysteresis {
    Hysteresis {
        raise_at: 0.05,
        clear_at: 0.02,
        raise_after: TimeDelta::seconds(raise_after),
        clear_after: TimeDelta::seconds(clear_after),
    }
}

#[track_caller]
fn check(rule: &Hysteresis, readings: &[(i64, Reading)], expected: &[(i64, Move)]) {
    let mut state = State::Quiet;
    let mut moves = Vec::new();
    for (seconds, reading) in readings {
        let (next, brought) = state.step(rule, *reading, at(*seconds));
        state = next;
        if brought != Move::Stays {
            moves.push((*seconds, brought));
        }
    }
    assert_eq!(moves, expected);
}

#[test]
fn it_takes_time_to_begin_and_to_end() {
    use Reading::{At, Gone, Unknown};
    let slow = rule(60, 120);
    check(&slow, &[(0, At(0.9)), (59, At(0.9))], &[]);
    check(
        &slow,
        &[(0, At(0.05)), (30, At(0.9)), (60, At(0.05))],
        &[(60, Move::Raised)],
    );
    // A single low reading begins anew, and so does one that is not known.
    check(&slow, &[(0, At(0.9)), (30, At(0.01)), (60, At(0.9))], &[]);
    check(&slow, &[(0, At(0.9)), (30, Unknown), (60, At(0.9))], &[]);
    // Between the thresholds it goes on.
    check(
        &slow,
        &[
            (0, At(0.9)),
            (60, At(0.9)),
            (70, At(0.01)),
            (130, At(0.03)),
            (190, At(0.01)),
            (300, At(0.01)),
            (310, At(0.01)),
        ],
        &[(60, Move::Raised), (310, Move::Resolved)],
    );
    check(
        &rule(0, 0),
        &[(0, At(1.0)), (1, Unknown), (2, Gone), (3, Gone)],
        &[(0, Move::Raised), (2, Move::Resolved)],
    );
}

/// A rule with several subjects, judged as the server does it.
struct Watched {
    rule: Hysteresis,
    pace: Pace,
    states: BTreeMap<usize, State>,
    told: BTreeMap<usize, (Option<DateTime<Utc>>, bool)>,
    last: Option<DateTime<Utc>>,
    said: Vec<(DateTime<Utc>, Notification<usize>)>,
}

impl Watched {
    fn new(rule: Hysteresis, pace: Pace) -> Self {
        Self {
            rule,
            pace,
            states: BTreeMap::new(),
            told: BTreeMap::new(),
            last: None,
            said: Vec::new(),
        }
    }

    fn tick(&mut self, readings: &[(usize, Reading)], now: DateTime<Utc>) {
        for (subject, reading) in readings {
            let state = self.states.entry(*subject).or_insert(State::Quiet);
            *state = state.step(&self.rule, *reading, now).0;
        }
        // As the readings came, to see that the order leaves no trace.
        let standings: Vec<_> = readings
            .iter()
            .map(|(subject, _)| {
                let (told_at, is_believed) = self.told.get(subject).copied().unwrap_or_default();
                Standing {
                    key: *subject,
                    is_firing: self.states[subject].is_firing(),
                    is_acknowledged: false,
                    told_at,
                    is_believed,
                }
            })
            .collect();
        if let Some(said) = due(self.last, self.pace, &standings, now) {
            for key in said.raised.iter().chain(&said.still) {
                self.told.insert(*key, (Some(now), true));
            }
            for key in &said.resolved {
                self.told.entry(*key).or_default().1 = false;
            }
            self.last = Some(now);
            self.said.push((now, said));
        }
    }
}

fn reading() -> impl Strategy<Value = Reading> {
    prop_oneof![
        4 => (0.0..0.1_f64).prop_map(Reading::At),
        1 => Just(Reading::Unknown),
        1 => Just(Reading::Gone),
    ]
}

type Story = Vec<(i64, Vec<Reading>)>;

/// Up to 200 ticks of 1 to 90 seconds, four subjects.
fn story() -> impl Strategy<Value = Story> {
    prop::collection::vec((1..90_i64, prop::collection::vec(reading(), 4)), 1..200)
}

fn play(story: &Story, held: (i64, i64), pace: Pace, is_backwards: bool) -> Watched {
    let mut watched = Watched::new(rule(held.0, held.1), pace);
    let mut seconds = 0;
    for (step, readings) in story {
        seconds += step;
        let mut readings: Vec<_> = readings.iter().copied().enumerate().collect();
        if is_backwards {
            readings.reverse();
        }
        watched.tick(&readings, at(seconds));
    }
    watched
}

proptest! {
    #[test]
    fn there_is_no_storm_and_nothing_is_lost(
        story in story(),
        held in (0..120_i64, 0..120_i64),
        window in 0..300_i64,
        repeat in 60..3_600_i64,
    ) {
        let pace = Pace { window: TimeDelta::seconds(window), repeat: TimeDelta::seconds(repeat) };
        let mut watched = play(&story, held, pace, false);
        for pair in watched.said.windows(2) {
            prop_assert!(pair[1].0 - pair[0].0 >= pace.window, "two notifications in a window");
        }
        for subject in 0..4 {
            let fired: Vec<_> = watched
                .said
                .iter()
                .filter(|(_, said)| said.raised.contains(&subject) || said.still.contains(&subject))
                .map(|(at, _)| *at)
                .collect();
            for pair in fired.windows(2) {
                prop_assert!(pair[1] - pair[0] >= pace.repeat, "said to fire twice in a repeat interval");
            }
        }
        // However it went: once all is well for long enough, nobody believes that anything fires.
        let end = at(1_000_000);
        let quiet: Vec<_> = (0..4).map(|subject| (subject, Reading::At(0.0))).collect();
        for minutes in 0..20 {
            watched.tick(&quiet, end + TimeDelta::minutes(minutes));
        }
        prop_assert!(watched.states.values().all(|state| !state.is_firing()));
        prop_assert!(watched.told.values().all(|(_, is_believed)| !is_believed));
        // Whatever was said to be over had been said to fire.
        let mut believed = [false; 4];
        for (_, said) in &watched.said {
            for key in &said.resolved {
                prop_assert!(std::mem::replace(&mut believed[*key], false));
            }
            for key in &said.raised {
                prop_assert!(!std::mem::replace(&mut believed[*key], true));
            }
            for key in &said.still {
                prop_assert!(believed[*key]);
            }
        }
    }

    #[test]
    fn the_order_of_subjects_leaves_no_trace(story in story(), held in (0..120_i64, 0..120_i64)) {
        let pace = Pace { window: TimeDelta::seconds(60), repeat: TimeDelta::seconds(600) };
        let (one, other) = (play(&story, held, pace, false), play(&story, held, pace, true));
        prop_assert_eq!(one.said, other.said);
    }
}

#[test]
fn an_acknowledged_alert_is_not_repeated_and_its_end_is_told() {
    let pace = Pace {
        window: TimeDelta::zero(),
        repeat: TimeDelta::hours(1),
    };
    let alert = |is_firing, is_acknowledged| Standing {
        key: 1,
        is_firing,
        is_acknowledged,
        told_at: Some(at(0)),
        is_believed: true,
    };
    assert_eq!(due(None, pace, &[alert(true, true)], at(7_200)), None);
    assert_eq!(
        due(None, pace, &[alert(true, false)], at(7_200)).map(|said| said.still),
        Some(vec![1])
    );
    assert_eq!(
        due(None, pace, &[alert(false, true)], at(10)).map(|said| said.resolved),
        Some(vec![1])
    );
}

#[test]
fn rules_are_read_with_the_usual_numbers_and_every_error_at_once() {
    let read = |value| NewRule::parse(Fields::new("", value));
    let rule = read(json!({"name": "Slow", "kind": "latency_p95", "threshold": 2000})).unwrap();
    assert_eq!(
        (rule.clear_threshold, rule.window_minutes, rule.enabled),
        (1_600.0, 15, true)
    );
    assert_eq!(
        rule.condition(),
        "at 2000 ms for 5 min, over below 1600 ms for 10 min"
    );
    let errors = read(json!({
        "name": "", "kind": "error_rate", "threshold": 2, "clear_threshold": 3, "prompt": "../x",
        "window_minutes": 0, "roll_back": true, "colour": "red",
    }))
    .unwrap_err();
    let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "name",
            "prompt",
            "threshold",
            "clear_threshold",
            "window_minutes",
            "roll_back",
            "colour"
        ]
    );
    let errors = read(json!({
        "name": "x", "kind": "srm", "threshold": 2, "roll_back": true, "environment": "production",
    }))
    .unwrap_err();
    assert_eq!(errors.len(), 2, "{errors:?}");
}

#[test]
fn words_are_as_serde_has_them() {
    for kind in Kind::ALL {
        assert_eq!(json!(kind), kind.word());
    }
    assert_eq!(Unit::Share.words(0.05), "5 %");
    assert_eq!(Unit::Milliseconds.words(10_000.0), "10000 ms");
    assert_eq!(Unit::Hours.words(24.0), "24 h");
    assert_eq!(Unit::Usd.words(100.0), "$100.00");
}

#[test]
fn cost_takes_nothing_back_because_it_may_be_of_another_version() {
    let taken_back: Vec<Kind> = Kind::ALL
        .into_iter()
        .filter(|kind| kind.may_roll_back())
        .collect();
    assert_eq!(
        taken_back,
        [Kind::Drifted, Kind::ErrorRate, Kind::LatencyP95]
    );
    let asked = json!({
        "name": "x", "kind": "cost_per_day", "roll_back": true, "environment": "production",
    });
    let errors = NewRule::parse(Fields::new("", asked)).unwrap_err();
    assert_eq!(errors[0].field, "roll_back");
}
