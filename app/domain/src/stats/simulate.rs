//! What peeking does, by simulation: A/A tests, in which both arms are the same, judged by four
//! rules side by side. Every "difference" found is a false alarm. Goes in steps, so that a page
//! can show how far it is and be told to stop; the same seed gives the same counts however it is
//! cut into steps. Draws whole binomial counts, not units, exactly.

use serde::{Deserialize, Serialize};

use super::{MAX_COUNT, distribution, float, proportion::Sample, sequential};

/// The most tests of one simulation.
pub const MAX_TESTS: u32 = 1_000_000;
/// The most looks at one test.
pub const MAX_LOOKS: u32 = 1_000;

/// What is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// Units in each arm at the end.
    pub n: u64,
    /// The true rate of both arms.
    pub baseline: f64,
    /// The naive rule ships at an observed gain of this much, as a proportion.
    pub threshold: f64,
    /// The error rate that the tests promise.
    pub alpha: f64,
    /// How often somebody looks, evenly spaced, the last time at the end.
    pub looks: u32,
    /// How many A/A tests.
    pub tests: u32,
    /// The seed.
    pub seed: u64,
}

/// False alarms so far, out of so many tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Tests that are done.
    pub tests: u32,
    /// "Ship if the gain is at least the threshold", asked once at the end.
    pub threshold: u32,
    /// The z-test, believed the first time it is significant at any look.
    pub peeked: u32,
    /// The z-test, asked once at the end.
    pub fixed: u32,
    /// The always-valid interval, believed the first time it leaves 0 out at any look.
    pub always_valid: u32,
}

impl Tally {
    /// The share of false alarms of one of the counts, with its Wilson interval at 95 %.
    #[must_use]
    pub fn rate(&self, false_alarms: u32) -> Option<(f64, super::Interval)> {
        let sample = Sample {
            successes: u64::from(false_alarms),
            n: u64::from(self.tests),
        };
        sample.rate().zip(sample.interval(0.05))
    }
}

/// A simulation under way.
#[derive(Clone, Debug)]
pub struct Simulation {
    setup: Setup,
    critical: f64,
    steps: Vec<Binomial>,
    rng: fastrand::Rng,
    tally: Tally,
}

impl Simulation {
    /// Prepares a simulation; none when the numbers make no sense.
    #[must_use]
    pub fn new(setup: Setup) -> Option<Self> {
        let legal = (1..=MAX_COUNT).contains(&setup.n)
            && setup.baseline > 0.0
            && setup.baseline < 1.0
            && (0.0..=1.0).contains(&setup.threshold)
            && setup.alpha > 0.0
            && setup.alpha < 1.0
            && (1..=MAX_LOOKS).contains(&setup.looks)
            && u64::from(setup.looks) <= setup.n
            && (1..=MAX_TESTS).contains(&setup.tests);
        if !legal {
            return None;
        }
        // Units between one look and the next: they differ by one at most.
        let upto = |look: u32| setup.n * u64::from(look) / u64::from(setup.looks);
        let steps = (1..=setup.looks)
            .map(|look| Binomial::new(upto(look) - upto(look - 1), setup.baseline))
            .collect();
        Some(Self {
            critical: distribution::critical(setup.alpha),
            steps,
            rng: fastrand::Rng::with_seed(setup.seed),
            tally: Tally::default(),
            setup,
        })
    }

    /// Goes on for so many tests, or to the end, and answers the counts so far.
    pub fn advance(&mut self, tests: u32) -> Tally {
        for _ in 0..tests.min(self.setup.tests - self.tally.tests) {
            self.test();
        }
        self.tally
    }

    /// The counts so far.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// Whether every test is done.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.tally.tests >= self.setup.tests
    }

    fn test(&mut self) {
        let nobody = Sample { successes: 0, n: 0 };
        let (mut control, mut treatment) = (nobody, nobody);
        let (mut is_significant, mut peeked, mut always_valid) = (false, false, false);
        for step in &self.steps {
            control.successes += step.draw(self.rng.f64());
            treatment.successes += step.draw(self.rng.f64());
            control.n += step.n;
            treatment.n += step.n;
            is_significant = is_beyond(control, treatment, self.critical);
            peeked |= is_significant;
            always_valid |= sequential::difference(control, treatment, self.setup.alpha)
                .is_some_and(|found| found.interval.lower > 0.0 || found.interval.upper < 0.0);
        }
        let gain = float(treatment.successes) - float(control.successes);
        self.tally.tests += 1;
        self.tally.threshold += u32::from(gain >= float(control.n) * self.setup.threshold - 1e-9);
        self.tally.peeked += u32::from(peeked);
        self.tally.fixed += u32::from(is_significant);
        self.tally.always_valid += u32::from(always_valid);
    }
}

/// Whether the pooled z-test of two arms of one size is significant.
fn is_beyond(control: Sample, treatment: Sample, critical: f64) -> bool {
    let (left, right) = (float(control.successes), float(treatment.successes));
    let n = float(control.n);
    let pooled = (left + right) / (2.0 * n);
    let error = (pooled * (1.0 - pooled) * 2.0 / n).sqrt();
    error > 0.0 && ((right - left) / n / error).abs() >= critical
}

/// Draws from Bin(n, p) by inversion, from the mode outwards: exact, in about as many steps as the
/// distribution is wide.
#[derive(Clone, Copy, Debug)]
pub struct Binomial {
    n: u64,
    odds: f64,
    mode: u64,
    peak: f64,
}

impl Binomial {
    /// For 0 < p < 1.
    #[must_use]
    pub fn new(n: u64, p: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and n"
        )]
        let mode = (((float(n) + 1.0) * p).floor() as u64).min(n);
        Self {
            n,
            odds: p / (1.0 - p),
            mode,
            peak: distribution::binomial(mode, n, p),
        }
    }

    /// The count that the uniform number `u`, from 0 to 1, stands for.
    #[must_use]
    pub fn draw(&self, u: f64) -> u64 {
        let mut left = u - self.peak;
        if left < 0.0 {
            return self.mode;
        }
        let (mut low, mut high) = (self.mode, self.mode);
        let (mut below, mut above) = (self.peak, self.peak);
        loop {
            let is_low = low > 0 && below > 0.0;
            let is_high = high < self.n && above > 0.0;
            if is_low {
                below *= float(low) / float(self.n - low + 1) / self.odds;
                low -= 1;
                left -= below;
                if left < 0.0 {
                    return low;
                }
            }
            if is_high {
                above *= float(self.n - high) / float(high + 1) * self.odds;
                high += 1;
                left -= above;
                if left < 0.0 {
                    return high;
                }
            }
            // Only rounding is left of the probability.
            if !is_low && !is_high {
                return self.mode;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::threshold, *};

    const SETUP: Setup = Setup {
        n: 500,
        baseline: 0.8,
        threshold: 0.05,
        alpha: 0.05,
        looks: 20,
        tests: 4_000,
        seed: 7,
    };

    #[test]
    fn peeking_raises_false_alarms_and_the_always_valid_interval_does_not() {
        let mut simulation = Simulation::new(SETUP).unwrap();
        let tally = simulation.advance(u32::MAX);
        assert!(simulation.is_done());
        let rate = |count: u32| f64::from(count) / f64::from(tally.tests);
        // Three standard errors of 4,000 tests at 5 % are a percentage point.
        assert!((rate(tally.fixed) - 0.05).abs() < 0.0115, "{tally:?}");
        assert!(rate(tally.peeked) > 0.15, "{tally:?}");
        assert!(rate(tally.always_valid) < 0.06, "{tally:?}");
        let exact = threshold::false_positive_rate(500, 0.8, 0.05).unwrap();
        assert!(
            (rate(tally.threshold) - exact).abs() < 0.008,
            "{tally:?} {exact}"
        );
    }

    #[test]
    fn steps_do_not_change_the_counts() {
        let setup = Setup {
            tests: 300,
            ..SETUP
        };
        let mut whole = Simulation::new(setup).unwrap();
        whole.advance(300);
        let mut cut = Simulation::new(setup).unwrap();
        while !cut.is_done() {
            cut.advance(7);
        }
        assert_eq!(whole.tally(), cut.tally());
        assert_eq!(cut.advance(5).tests, 300);
        let other = Setup { seed: 8, ..setup };
        assert_ne!(Simulation::new(other).unwrap().advance(300), whole.tally());
    }

    #[test]
    fn draws_are_binomial() {
        for (n, p) in [(1, 0.3), (40, 0.02), (1_000, 0.5), (1_000, 0.97)] {
            let (binomial, mut rng) = (Binomial::new(n, p), fastrand::Rng::with_seed(1));
            let (mut sum, mut squares) = (0.0, 0.0);
            for _ in 0..20_000 {
                let x = float(binomial.draw(rng.f64()));
                sum += x;
                squares += x * x;
            }
            let mean = sum / 20_000.0;
            let variance = squares / 20_000.0 - mean * mean;
            let (wanted, spread) = (float(n) * p, float(n) * p * (1.0 - p));
            assert!(
                (mean - wanted).abs() < 4.0 * (spread / 20_000.0).sqrt(),
                "{mean} {wanted}"
            );
            assert!(
                (variance / spread - 1.0).abs() < 0.06,
                "{variance} {spread}"
            );
        }
        // The ends of the unit interval stand for something, too.
        assert!(Binomial::new(10, 0.5).draw(1.0) <= 10);
    }

    #[test]
    fn nonsense_is_not_simulated() {
        assert!(Simulation::new(Setup { n: 0, ..SETUP }).is_none());
        assert!(Simulation::new(Setup { looks: 0, ..SETUP }).is_none());
        assert!(
            Simulation::new(Setup {
                baseline: f64::NAN,
                ..SETUP
            })
            .is_none()
        );
        assert!(
            Simulation::new(Setup {
                looks: 501,
                ..SETUP
            })
            .is_none()
        );
    }
}
