//! What a unit's events add up to in one experiment. Facts may come in any order, late, from
//! several writers: a state only takes minima, maxima, sets and sums, so the order leaves no trace.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

/// One thing that an event says about a unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened.
    pub what: What,
}

/// What an event can say about a unit.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// It was shown this arm.
    Exposed {
        /// The arm's position; control is 0.
        arm: u8,
    },
    /// The primary metric's outcome: value 1.
    Succeeded,
    /// A guardrail's metric was measured.
    Read {
        /// The metric.
        metric: String,
        /// The measurement.
        value: f64,
    },
}

/// Measurements taken together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// How many.
    pub n: i64,
    /// Their sum.
    pub sum: f64,
}

/// A measurement from before any exposure that is known: it counts if an earlier exposure turns up.
#[derive(Clone, Debug, PartialEq)]
pub struct Early {
    /// When it was measured.
    pub at: DateTime<Utc>,
    /// The metric.
    pub metric: String,
    /// The measurement.
    pub value: f64,
}

/// What is known of a unit in one experiment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unit {
    /// The arms it was seen in, a bit for each position.
    pub arms: i32,
    /// Its first exposure to any of them.
    pub first_exposed_at: Option<DateTime<Utc>>,
    /// Its latest success.
    pub succeeded_at: Option<DateTime<Utc>>,
    /// By metric, what was measured at or after the first exposure.
    pub readings: BTreeMap<String, Reading>,
    /// What was measured before it.
    pub early: Vec<Early>,
}

/// What a unit adds to the counts.
#[derive(Clone, Debug, PartialEq)]
pub enum Contribution {
    /// It was exposed to one arm.
    Counted {
        /// The arm's position.
        arm: u8,
        /// The hour of its first exposure.
        hour: DateTime<Utc>,
        /// Whether its latest success is at or after its first exposure.
        succeeded: bool,
        /// The mean of each metric that was measured.
        means: Vec<(String, f64)>,
    },
    /// It was seen in several arms, and counts in none.
    Excluded {
        /// The hour of its first exposure.
        hour: DateTime<Utc>,
    },
}

impl Unit {
    /// Takes a fact in.
    pub fn absorb(&mut self, fact: Fact) {
        let Fact { at, what } = fact;
        match what {
            What::Exposed { arm } => {
                self.arms |= 1 << arm;
                if self.first_exposed_at.is_none_or(|first| at < first) {
                    self.first_exposed_at = Some(at);
                    let (counts, early) = self
                        .early
                        .drain(..)
                        .partition(|early: &Early| early.at >= at);
                    self.early = early;
                    for Early { metric, value, .. } in Vec::into_iter(counts) {
                        self.read(metric, value);
                    }
                }
            }
            What::Succeeded => {
                if self.succeeded_at.is_none_or(|last| at > last) {
                    self.succeeded_at = Some(at);
                }
            }
            What::Read { metric, value } => {
                if self.first_exposed_at.is_some_and(|first| at >= first) {
                    self.read(metric, value);
                } else {
                    self.early.push(Early { at, metric, value });
                }
            }
        }
    }

    fn read(&mut self, metric: String, value: f64) {
        let reading = self.readings.entry(metric).or_default();
        reading.n += 1;
        reading.sum += value;
    }

    /// What it adds to the counts; nothing before its first exposure.
    #[must_use]
    pub fn contribution(&self) -> Option<Contribution> {
        let first = self.first_exposed_at?;
        let hour = hour_of(first);
        if self.arms.count_ones() != 1 {
            return Some(Contribution::Excluded { hour });
        }
        #[expect(clippy::cast_precision_loss, reason = "a count of one unit's events")]
        let mean = |reading: &Reading| reading.sum / reading.n as f64;
        Some(Contribution::Counted {
            arm: u8::try_from(self.arms.trailing_zeros()).unwrap_or_default(),
            hour,
            succeeded: self.succeeded_at.is_some_and(|last| last >= first),
            means: self
                .readings
                .iter()
                .filter(|(_, reading)| reading.n > 0)
                .map(|(metric, reading)| (metric.clone(), mean(reading)))
                .collect(),
        })
    }
}

/// The start of the hour.
#[must_use]
pub fn hour_of(at: DateTime<Utc>) -> DateTime<Utc> {
    let seconds = at.timestamp();
    DateTime::from_timestamp(seconds - seconds.rem_euclid(3_600), 0).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn after(facts: &[Fact]) -> Unit {
        let mut unit = Unit::default();
        for fact in facts {
            unit.absorb(fact.clone());
        }
        unit
    }

    fn exposed(arm: u8, seconds: i64) -> Fact {
        Fact {
            at: at(seconds),
            what: What::Exposed { arm },
        }
    }

    fn succeeded(seconds: i64) -> Fact {
        Fact {
            at: at(seconds),
            what: What::Succeeded,
        }
    }

    fn read(value: f64, seconds: i64) -> Fact {
        let metric = "latency_ms".to_owned();
        Fact {
            at: at(seconds),
            what: What::Read { metric, value },
        }
    }

    #[test]
    fn outcomes_before_the_exposure_do_not_count() {
        let check = |facts: &[Fact], expected: Option<bool>| {
            let found = after(facts).contribution().map(|found| match found {
                Contribution::Counted { succeeded, .. } => succeeded,
                Contribution::Excluded { .. } => panic!("excluded"),
            });
            assert_eq!(found, expected, "{facts:?}");
        };
        check(&[succeeded(5)], None);
        check(&[exposed(0, 10), succeeded(5)], Some(false));
        check(&[exposed(0, 10), succeeded(10)], Some(true));
        check(&[succeeded(12), succeeded(5), exposed(0, 10)], Some(true));
        check(&[exposed(0, 10), succeeded(5), exposed(0, 4)], Some(true));
    }

    #[test]
    fn a_unit_in_two_arms_is_excluded() {
        let unit = after(&[exposed(0, 10), exposed(1, 20)]);
        assert!(matches!(
            unit.contribution(),
            Some(Contribution::Excluded { .. })
        ));
        let unit = after(&[exposed(1, 10), exposed(1, 20)]);
        assert!(matches!(
            unit.contribution(),
            Some(Contribution::Counted { arm: 1, .. })
        ));
    }

    #[test]
    fn an_earlier_exposure_brings_in_what_came_before() {
        let unit = after(&[read(100.0, 5), exposed(0, 10), read(300.0, 12)]);
        assert_eq!(unit.readings["latency_ms"], Reading { n: 1, sum: 300.0 });
        let unit = after(&[
            read(100.0, 5),
            exposed(0, 10),
            read(300.0, 12),
            exposed(0, 5),
        ]);
        assert_eq!(unit.readings["latency_ms"], Reading { n: 2, sum: 400.0 });
        assert!(unit.early.is_empty());
    }

    fn facts() -> impl Strategy<Value = Vec<Fact>> {
        let fact = prop_oneof![
            (0_u8..2, 0_i64..40).prop_map(|(arm, seconds)| exposed(arm, seconds)),
            (0_i64..40).prop_map(succeeded),
            // Whole numbers, so that sums do not depend on their order.
            (0_u16..500, 0_i64..40).prop_map(|(value, seconds)| read(value.into(), seconds)),
        ];
        proptest::collection::vec(fact, 0..12)
    }

    proptest! {
        #[test]
        fn the_order_leaves_no_trace((ordered, shuffled) in facts().prop_flat_map(|facts| (Just(facts.clone()), Just(facts).prop_shuffle()))) {
            let (left, right) = (after(&ordered), after(&shuffled));
            prop_assert_eq!(left.contribution(), right.contribution());
            prop_assert_eq!(left.early.len(), right.early.len());
        }
    }
}
