//! Are the questions still those that the prompt was promoted for? What production's calls filled
//! the variables with is counted in bins, and the last week's shares are held against those around
//! the promotion by the population stability index, PSI = Σ (now − then) · ln(now ÷ then).
//!
//! Its usual thresholds, 0.1 and 0.25, are a convention of credit scoring (Siddiqi 2006, "Credit
//! Risk Scorecards"), not a test. And it is biased upwards for few events: without any change it is
//! distributed as χ² with (bins − 1) degrees of freedom times (1/N + 1/M) (Yurdakul, Naranjo 2020,
//! "Statistical properties of the population stability index"). So with fewer than [`LEAST`] events
//! on a side, or so few that chance alone exceeds 0.1 in one of twenty cases, nothing is said.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::stats::distribution;

#[cfg(feature = "watch")]
mod observe;
#[cfg(feature = "watch")]
pub use observe::{Mark, observe};

/// Below this nothing of note has changed.
pub const STABLE: f64 = 0.1;
/// From this on the inputs are others.
pub const SHIFTED: f64 = 0.25;
/// With fewer events on either side nothing is said.
pub const LEAST: u64 = 100;
/// How often chance alone may exceed [`STABLE`].
const CHANCE: f64 = 0.05;
/// Added to every bin: an empty one would make the index infinite.
const HALF: f64 = 0.5;

/// What of a variable is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = InputFeature))]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// Its length in characters, in bins that double.
    Length,
    /// Whether there is a value.
    Missing,
    /// Which of the declared values it has.
    Category,
    /// Which language it is in.
    Language,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Length, Self::Missing, Self::Category, Self::Language];

    /// The word used in JSON and in the database.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Missing => "missing",
            Self::Category => "category",
            Self::Language => "language",
        }
    }

    /// The feature of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|feature| feature.word() == word)
    }
}

/// How the inputs stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = InputState))]
#[serde(rename_all = "snake_case")]
pub enum Shift {
    /// Other inputs than at promotion.
    Shifted,
    /// Moving.
    Moving,
    /// As at promotion.
    Stable,
    /// Too few events.
    CannotTell,
}

impl Shift {
    /// As people read it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Shifted => "shifted",
            Self::Moving => "moving",
            Self::Stable => "stable",
            Self::CannotTell => "cannot tell",
        }
    }
}

/// Events by bin.
pub type Counts = BTreeMap<String, u64>;

/// A bin on both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = InputBin))]
pub struct Bin {
    /// For a person.
    pub label: String,
    /// Its share around the promotion.
    pub before: f64,
    /// Its share in the last week.
    pub after: f64,
}

/// A feature of a variable, then and now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = InputDrift))]
pub struct InputDrift {
    /// The variable.
    pub variable: String,
    /// What of it.
    pub feature: Feature,
    /// How it stands.
    pub shift: Shift,
    /// The index; none where nothing was counted on one of the sides.
    pub psi: Option<f64>,
    /// What chance alone stays below in 19 of 20 cases.
    pub by_chance: Option<f64>,
    /// Events around the promotion.
    pub n_before: u64,
    /// Events in the last week.
    pub n_after: u64,
    /// For a person.
    pub sentence: String,
    /// What was counted.
    pub bins: Vec<Bin>,
}

/// Compares what was counted of a feature.
#[must_use]
pub fn compare(variable: &str, feature: Feature, before: &Counts, after: &Counts) -> InputDrift {
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
    keys.sort_by_key(|key| (key.parse::<u64>().ok(), key.as_str()));
    keys.dedup();
    let (n_before, n_after) = (total(before), total(after));
    let share = |counts: &Counts, n: u64, key: &str| {
        if n == 0 {
            return 0.0;
        }
        float(counts.get(key).copied().unwrap_or_default()) / float(n)
    };
    let bins: Vec<Bin> = keys
        .iter()
        .map(|key| Bin {
            label: label(feature, key),
            before: share(before, n_before, key),
            after: share(after, n_after, key),
        })
        .collect();
    let is_counted = n_before > 0 && n_after > 0;
    let psi = is_counted.then(|| psi(&keys, before, after));
    let by_chance = is_counted.then(|| by_chance(keys.len(), n_before, n_after));
    let is_enough = n_before.min(n_after) >= LEAST && by_chance.is_some_and(|most| most <= STABLE);
    let shift = match psi.filter(|_| is_enough) {
        None => Shift::CannotTell,
        Some(psi) if psi >= SHIFTED => Shift::Shifted,
        Some(psi) if psi >= STABLE => Shift::Moving,
        Some(_) => Shift::Stable,
    };
    InputDrift {
        sentence: sentence(shift, n_before, n_after, &bins),
        variable: variable.to_owned(),
        feature,
        shift,
        psi,
        by_chance,
        n_before,
        n_after,
        bins,
    }
}

fn total(counts: &Counts) -> u64 {
    counts.values().sum()
}

fn psi(keys: &[&String], before: &Counts, after: &Counts) -> f64 {
    let n_bins = float(keys.len() as u64);
    let share = |counts: &Counts, key: &str| {
        let n = float(counts.get(key).copied().unwrap_or_default());
        (n + HALF) / (float(total(counts)) + HALF * n_bins)
    };
    keys.iter()
        .map(|key| {
            let (then, now) = (share(before, key), share(after, key));
            (now - then) * (now / then).ln()
        })
        .sum()
}

/// The 95th percentile of the index while nothing changes.
fn by_chance(n_bins: usize, n_before: u64, n_after: u64) -> f64 {
    let degrees = float(n_bins.saturating_sub(1) as u64);
    if degrees < 1.0 {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, degrees + 50.0 * degrees.sqrt());
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if distribution::chi_square_above(middle, degrees) > CHANCE {
            low = middle;
        } else {
            high = middle;
        }
    }
    high * (1.0 / float(n_before) + 1.0 / float(n_after))
}

fn sentence(shift: Shift, n_before: u64, n_after: u64, bins: &[Bin]) -> String {
    let most = bins.iter().max_by(|a, b| {
        (a.after - a.before)
            .abs()
            .total_cmp(&(b.after - b.before).abs())
    });
    let moved = most.map_or_else(String::new, |bin| {
        format!(
            "{}: {:.0} % of calls then, {:.0} % now",
            bin.label,
            bin.before * 100.0,
            bin.after * 100.0
        )
    });
    match shift {
        Shift::Stable => "As around the promotion.".to_owned(),
        Shift::Moving => format!("Moving: {moved}."),
        Shift::Shifted => {
            format!(
                "Other inputs than those it was promoted for: {moved}. Add such cases to the suite."
            )
        }
        Shift::CannotTell => format!(
            "Too few events to tell from chance: {n_before} around the promotion, {n_after} in the last week."
        ),
    }
}

fn label(feature: Feature, key: &str) -> String {
    match feature {
        Feature::Length => match key.parse::<u64>() {
            Ok(0) => "empty".to_owned(),
            Ok(1) => "1 character".to_owned(),
            Ok(from) => format!("{from} to {} characters", from.saturating_mul(2) - 1),
            Err(_) => key.to_owned(),
        },
        Feature::Missing | Feature::Category | Feature::Language => key.to_owned(),
    }
}

fn float(n: u64) -> f64 {
    crate::stats::float(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, u64)]) -> Counts {
        pairs
            .iter()
            .map(|(key, n)| ((*key).to_owned(), *n))
            .collect()
    }

    #[test]
    fn the_index_is_the_textbooks() {
        // Shares ½, ½ against ¼, ¾: ¼·ln 2 + ¼·ln 1.5; the halves hardly matter among so many.
        let found = compare(
            "x",
            Feature::Category,
            &counts(&[("a", 50_000), ("b", 50_000)]),
            &counts(&[("a", 25_000), ("b", 75_000)]),
        );
        let expected = 0.25 * 2.0_f64.ln() + 0.25 * 1.5_f64.ln();
        assert!((found.psi.unwrap() - expected).abs() < 1e-4, "{found:?}");
        assert_eq!(found.shift, Shift::Shifted);
        assert!(
            found.sentence.contains("b: 50 % of calls then, 75 % now"),
            "{}",
            found.sentence
        );
    }

    #[test]
    fn a_bin_that_was_empty_is_no_infinity() {
        let found = compare(
            "x",
            Feature::Language,
            &counts(&[("English", 1_000)]),
            &counts(&[("English", 500), ("German", 500)]),
        );
        assert!(found.psi.unwrap().is_finite());
        assert_eq!(found.shift, Shift::Shifted);
    }

    #[test]
    fn a_few_events_say_nothing() {
        let found = compare(
            "x",
            Feature::Missing,
            &counts(&[("given", 40), ("missing", 2)]),
            &counts(&[("given", 20), ("missing", 20)]),
        );
        assert_eq!(found.shift, Shift::CannotTell);
        // Enough for two bins is not enough for sixteen.
        let many: Counts = (0..16).map(|bin| (bin.to_string(), 10)).collect();
        assert_eq!(
            compare("x", Feature::Length, &many, &many).shift,
            Shift::CannotTell
        );
        let none = compare("x", Feature::Length, &Counts::new(), &many);
        assert_eq!((none.psi, none.shift), (None, Shift::CannotTell));
    }

    #[test]
    fn without_a_change_the_index_stays_below_what_chance_allows() {
        const N: u32 = 1_000;
        let mut chance = fastrand::Rng::with_seed(5);
        let mut draw = || {
            let mut counts = Counts::new();
            for _ in 0..400 {
                // Bins of unlike size, as lengths have.
                let bin = chance.u8(..).leading_zeros().min(5);
                *counts.entry(bin.to_string()).or_default() += 1;
            }
            counts
        };
        let (mut n_above, mut sum) = (0_u32, 0.0);
        for _ in 0..N {
            let found = compare("x", Feature::Length, &draw(), &draw());
            sum += found.psi.unwrap();
            n_above += u32::from(found.psi.unwrap() > found.by_chance.unwrap());
        }
        // The mean is (bins − 1)·(1/N + 1/M) = 0.025, and one in twenty lies above the limit.
        let mean = sum / f64::from(N);
        assert!((0.020..0.030).contains(&mean), "{mean}");
        assert!((30..=72).contains(&n_above), "{n_above}");
    }

    #[test]
    fn bins_are_in_order_and_speak() {
        let found = compare(
            "x",
            Feature::Length,
            &counts(&[("16", 1), ("2", 1), ("128", 1)]),
            &counts(&[("0", 1)]),
        );
        let labels: Vec<&str> = found.bins.iter().map(|bin| bin.label.as_str()).collect();
        assert_eq!(
            labels,
            [
                "empty",
                "2 to 3 characters",
                "16 to 31 characters",
                "128 to 255 characters"
            ]
        );
    }
}
