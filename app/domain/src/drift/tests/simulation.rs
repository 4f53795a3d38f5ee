//! Drift by simulation: how often it alarms without a reason, and how often with one.

use super::*;

/// How a case answers at temperature 0: its own chance to pass, drawn anew in each run.
type Suite = Vec<f64>;

/// Every case by chance alone: far more noise than a model has at temperature 0.
fn independent(n: usize, rate: f64) -> Suite {
    vec![rate; n]
}

/// Most cases always come out the same, some waver.
fn steady(n: usize) -> Suite {
    (0..n)
        .map(|case| match case % 20 {
            0..=13 => 0.99,
            14..=17 => 0.75,
            _ => 0.03,
        })
        .collect()
}

struct Chance(fastrand::Rng);

impl Chance {
    fn run(&mut self, suite: &Suite) -> Vec<Seen> {
        suite
            .iter()
            .map(|rate| {
                if self.0.f64() < *rate {
                    Seen::Passed
                } else {
                    Seen::Failed
                }
            })
            .collect()
    }

    /// The states of so many prompts over so many weeks, each against its own frozen run.
    fn states(&mut self, then: &Suite, now: &Suite, prompts: usize, weeks: usize) -> Vec<State> {
        let mut states = Vec::with_capacity(prompts * weeks);
        for _ in 0..prompts {
            let frozen = self.run(then);
            let mut chart = None;
            for _ in 0..weeks {
                let common = frozen.iter().copied().zip(self.run(now)).collect();
                let found = judge(&Evidence {
                    chart,
                    ..evidence(common)
                });
                chart = found.chart;
                states.push(found.state);
            }
        }
        states
    }
}

fn share(states: &[State], state: State) -> f64 {
    let n = states.iter().filter(|one| **one == state).count();
    float(n as u64) / float(states.len() as u64)
}

/// The model answers most cases always the same, right in this share of them, and turns each answer
/// over now and then.
fn flipping(chance: &mut Chance, n: usize, rate: f64, flip: f64) -> Suite {
    (0..n)
        .map(|_| {
            if chance.0.f64() < rate {
                1.0 - flip
            } else {
                flip
            }
        })
        .collect()
}

/// The chance that a check alarms that nothing changed, if cases come out differently in `discordant`
/// of all pairs: both ways alike, which is what "nothing changed" means. Exact, no draws. `among` is
/// that chance by the number of pairs that differ.
fn exact_alarms(n: u64, discordant: f64, among: &[f64]) -> f64 {
    let mut alarms = 0.0;
    // Bin(n, discordant), one count after the other.
    let mut weight = (1.0 - discordant).powf(float(n));
    for (m, alarms_among) in (0..=n).zip(among) {
        alarms += weight * alarms_among;
        weight *= float(n - m) / float(m + 1) * discordant / (1.0 - discordant);
    }
    alarms
}

/// The same with so many cases that came out differently.
fn alarms_among(m: u64) -> f64 {
    let (mut alarms, mut weight) = (0.0, 0.5_f64.powf(float(m)));
    // From all lost downwards, until it is no alarm any more.
    for lost in (0..=m).rev() {
        let pairs = Pairs {
            lost,
            gained: m - lost,
            both_pass: 0,
            both_fail: 0,
        };
        if paired::compare(pairs, 0.05).p_mid_one_sided > ALARM_LEVEL {
            break;
        }
        alarms += weight;
        weight *= float(lost) / float(m - lost + 1);
    }
    alarms
}

#[test]
fn however_much_a_model_wavers_a_check_alarms_falsely_in_less_than_five_percent() {
    let among: Vec<f64> = (0..=300).map(alarms_among).collect();
    for n in [20, 50, 100, 200, 300] {
        for percent in 1..=50 {
            let alarms = exact_alarms(n, f64::from(percent) / 100.0, &among);
            assert!(alarms <= 0.046, "{n} cases, {percent} % differ: {alarms}");
        }
    }
}

#[test]
fn without_a_change_no_kind_of_suite_alarms_in_more_than_five_percent_of_weeks() {
    const PROMPTS: usize = 600;
    const WEEKS: usize = 4;
    let mut chance = Chance(fastrand::Rng::with_seed(20_261_124));
    let (mut worst, mut warned, mut n_kinds) = (0.0_f64, 0.0, 0.0);
    for n in [50, 200, 1_000] {
        for rate in [0.5, 0.7, 0.85, 0.95] {
            // Two answers in a hundred turn, one in ten, and one in two: then the model only guesses.
            for flip in [0.02, 0.1, 0.5] {
                let mut states = Vec::new();
                for _ in 0..PROMPTS {
                    let suite = flipping(&mut chance, n, rate, flip);
                    states.extend(chance.states(&suite, &suite, 1, WEEKS));
                }
                // The weeks of a prompt share its run at promotion: what varies is the prompt.
                let prompts: Vec<f64> = states
                    .chunks(WEEKS)
                    .map(|weeks| share(weeks, State::Drifted))
                    .collect();
                let alarms = share(&states, State::Drifted);
                let spread: f64 = prompts.iter().map(|one| (one - alarms).powi(2)).sum();
                let n_prompts = float(PROMPTS as u64);
                let error = (spread / (n_prompts - 1.0) / n_prompts).sqrt();
                println!(
                    "{n} cases, {rate} pass, {flip} turn: {:.1} % ± {:.1} alarm, {:.1} % watched",
                    alarms * 100.0,
                    error * 100.0,
                    share(&states, State::Watch) * 100.0,
                );
                assert!(
                    alarms <= 0.05 + 3.0 * error,
                    "{n} cases, {rate} pass, {flip} turn: {alarms} ± {error}"
                );
                worst = worst.max(alarms);
                warned += share(&states, State::Watch);
                n_kinds += 1.0;
            }
        }
    }
    println!(
        "worst {:.1} %, watched {:.1} % on average",
        worst * 100.0,
        warned / n_kinds * 100.0
    );
}

/// A run at promotion that a strict gate let pass against a version that is just as good, and a check.
fn gated(chance: &mut Chance, then: &Suite, now: &Suite) -> Evidence {
    let n_passed = |run: &[Seen]| run.iter().filter(|seen| **seen == Seen::Passed).count();
    let before = n_passed(&chance.run(then));
    let frozen = std::iter::repeat_with(|| chance.run(then))
        .find(|run| n_passed(run) >= before)
        .unwrap();
    Evidence {
        is_lucky: true,
        ..evidence(frozen.into_iter().zip(chance.run(now)).collect())
    }
}

#[test]
fn a_run_at_promotion_that_had_to_be_lucky_raises_no_more_false_alarms() {
    const PROMPTS: usize = 1_500;
    let mut chance = Chance(fastrand::Rng::with_seed(20_261_125));
    let error = (0.05 * 0.95 / float(PROMPTS as u64)).sqrt();
    let (mut all, mut naive) = (Vec::new(), Vec::new());
    for n in [50, 200, 1_000] {
        for (rate, flip) in [(0.5, 0.5), (0.7, 0.1), (0.85, 0.02), (0.95, 0.1)] {
            let mut states = Vec::new();
            for _ in 0..PROMPTS {
                let suite = flipping(&mut chance, n, rate, flip);
                let one = gated(&mut chance, &suite, &suite);
                states.push(judge(&one).state);
                let unaware = Evidence {
                    is_lucky: false,
                    ..one
                };
                naive.push(judge(&unaware).state);
            }
            let alarms = share(&states, State::Drifted);
            println!(
                "{n} cases, {rate} pass, {flip} turn: {:.1} % alarm",
                alarms * 100.0
            );
            assert!(
                alarms <= 0.05 + 3.0 * error,
                "{n} cases, {rate} pass, {flip} turn: {alarms}"
            );
            all.extend(states);
        }
    }
    let (all, naive) = (share(&all, State::Drifted), share(&naive, State::Drifted));
    println!(
        "{:.1} % of all; {:.1} % at the whole level",
        all * 100.0,
        naive * 100.0
    );
    assert!(all <= 0.05, "{all}");
    assert!(naive > 0.07, "the luck is there: {naive}");
}

#[test]
fn a_drop_is_found_as_well_against_a_run_that_had_to_be_lucky() {
    let mut chance = Chance(fastrand::Rng::with_seed(20_261_126));
    for (then, now) in [(0.90, 0.80), (0.95, 0.85)] {
        let (then, now) = (independent(200, then), independent(200, now));
        let states: Vec<State> =
            std::iter::repeat_with(|| judge(&gated(&mut chance, &then, &now)).state)
                .take(1_000)
                .collect();
        let found = share(&states, State::Drifted);
        println!("{:.1} % found", found * 100.0);
        assert!(found >= 0.8, "{found}");
    }
}

#[test]
fn without_a_change_at_most_one_week_in_twenty_alarms() {
    let mut chance = Chance(fastrand::Rng::with_seed(20_261_122));
    let suites = [
        independent(200, 0.85),
        independent(200, 0.97),
        independent(60, 0.8),
        steady(200),
        steady(60),
    ];
    for suite in suites {
        // The weeks of a prompt share its frozen run, so they are few; prompts are many.
        let states = chance.states(&suite, &suite, 700, 4);
        let alarms = share(&states, State::Drifted);
        // Monte-Carlo error: 700 clusters of 4; three standard errors of the mean are 1.7 points.
        assert!(alarms <= 0.05 + 0.017, "{alarms} of weeks");
    }
}

#[test]
fn over_all_suites_together_false_alarms_stay_below_five_percent() {
    let mut chance = Chance(fastrand::Rng::with_seed(7));
    let mut states = Vec::new();
    for rate in [0.7, 0.8, 0.85, 0.9, 0.95] {
        let suite = independent(200, rate);
        states.extend(chance.states(&suite, &suite, 1_500, 1));
    }
    let alarms = share(&states, State::Drifted);
    // 7,500 independent weeks: three standard errors are 0.75 points.
    assert!(alarms <= 0.05 + 0.0075, "{alarms}");
    assert!(alarms > 0.03, "the level is used, not wasted: {alarms}");
}

#[test]
fn asking_several_times_a_week_raises_no_more_false_alarms() {
    let mut chance = Chance(fastrand::Rng::with_seed(20_261_123));
    let (mut n_alarms, n_weeks) = (0_u32, 600_u32);
    let suites = [independent(200, 0.85), independent(60, 0.8), steady(60)];
    for suite in &suites {
        for _ in 0..n_weeks {
            let frozen = chance.run(suite);
            // One of the schedule, and five that people asked for.
            let mut kinds = std::iter::once(None).chain((0..5).map(Some));
            n_alarms += u32::from(kinds.any(|n_asked| {
                let common = frozen.iter().copied().zip(chance.run(suite)).collect();
                let one = Evidence {
                    n_asked,
                    ..evidence(common)
                };
                judge(&one).state == State::Drifted
            }));
        }
    }
    let share = f64::from(n_alarms) / f64::from(3 * n_weeks);
    // 1,800 weeks: three standard errors are 1.5 points. Shares of 1 ÷ n would come to 7 %.
    assert!(share <= 0.05 + 0.015, "{share} of weeks");
}

#[test]
fn a_drop_of_ten_points_on_200_cases_is_found_at_the_first_check() {
    let mut chance = Chance(fastrand::Rng::with_seed(10));
    // A tenth of all cases breaks.
    let before = steady(200);
    let mut after = before.clone();
    for case in after.iter_mut().filter(|rate| **rate > 0.9).take(20) {
        *case -= 0.99;
    }
    let found = share(&chance.states(&before, &after, 1_000, 1), State::Drifted);
    assert!(found >= 0.9, "{found}");
    // The model wavers in two answers of a hundred, in one of ten.
    for (rate, flip) in [(0.95, 0.02), (0.85, 0.02), (0.95, 0.1)] {
        let mut states = Vec::new();
        for _ in 0..600 {
            let before = flipping(&mut chance, 200, rate, flip);
            let mut after = before.clone();
            // As many cases break as it takes to lose ten points.
            let n_broken = if flip < 0.05 { 21 } else { 25 };
            let good = after.iter_mut().filter(|rate| **rate > 0.5);
            good.take(n_broken).for_each(|rate| *rate = flip);
            states.extend(chance.states(&before, &after, 1, 1));
        }
        let found = share(&states, State::Drifted);
        println!("{rate} pass, {flip} turn: {:.1} % found", found * 100.0);
        assert!(found >= 0.8, "{found} with {rate} and {flip}");
    }
    // Even if each case were a coin of its own, as it is not at temperature 0.
    for (then, now) in [(0.90, 0.80), (0.95, 0.85)] {
        let states = chance.states(&independent(200, then), &independent(200, now), 1_000, 1);
        let found = share(&states, State::Drifted);
        assert!(found >= 0.8, "{found} from {then} to {now}");
    }
}
