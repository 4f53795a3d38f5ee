//! `cueline stats`: the calculators, here and now; no server and no database is asked. The same
//! functions answer the API and the page.

use anyhow::bail;
use clap::{Args, Subcommand, ValueEnum};
use domain::{
    calculator::Calculator,
    experiment::{Arm, Assignment, Slice, assign},
    stats::simulate::{Setup, Simulation, Tally},
};
use serde_json::{Map, Value, json};

/// Which calculator, and how to print.
#[derive(Debug, Args)]
pub struct Stats {
    #[command(subcommand)]
    wanted: Wanted,

    /// How to print
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One line for each number
    Text,
    /// What the API answers
    Json,
}

#[derive(Debug, Subcommand)]
enum Wanted {
    /// Two proportions: z-test, intervals, relative lift, always-valid interval
    Ztest {
        /// Successes and units of the control, such as 800/1000
        #[arg(long, value_parser = counts)]
        control: Value,
        /// Successes and units of the treatment
        #[arg(long, value_parser = counts)]
        treatment: Value,
        /// Two-sided error rate
        #[arg(long, default_value_t = 0.05)]
        alpha: f64,
    },
    /// Units needed to find an effect
    SampleSize {
        /// The control's rate, 0 to 1
        #[arg(long)]
        baseline: f64,
        /// The difference to find, as a proportion: 0.05 is 5 percentage points
        #[arg(long, allow_negative_numbers = true)]
        effect: f64,
        /// Two-sided error rate
        #[arg(long, default_value_t = 0.05)]
        alpha: f64,
        /// The chance to find the effect
        #[arg(long, default_value_t = 0.8)]
        power: f64,
        /// Shares of the arms, control first
        #[arg(long, value_delimiter = ',', default_value = "1,1")]
        weights: Vec<f64>,
    },
    /// The smallest effect that so many units find
    DetectableEffect {
        /// The control's rate, 0 to 1
        #[arg(long)]
        baseline: f64,
        /// Units in each of two arms
        #[arg(long)]
        n: u64,
        /// Two-sided error rate
        #[arg(long, default_value_t = 0.05)]
        alpha: f64,
        /// The chance to find the effect
        #[arg(long, default_value_t = 0.8)]
        power: f64,
    },
    /// Sample-ratio mismatch: did the arms get the units they should have?
    Srm {
        /// Units of the arms, such as 5170,4830
        #[arg(long, value_delimiter = ',', required = true)]
        observed: Vec<u64>,
        /// Their shares; equal ones when left out
        #[arg(long, value_delimiter = ',')]
        weights: Option<Vec<f64>>,
    },
    /// The same cases under two versions
    Mcnemar {
        /// Passed before, fail now
        #[arg(long)]
        lost: u64,
        /// Failed before, pass now
        #[arg(long)]
        gained: u64,
        /// Pass under both
        #[arg(long, default_value_t = 0)]
        both_pass: u64,
        /// Fail under both
        #[arg(long, default_value_t = 0)]
        both_fail: u64,
    },
    /// How often "ship if the gain is at least the threshold" ships when there is no difference
    ThresholdRisk {
        /// Units in each arm
        #[arg(long)]
        n: u64,
        /// The true rate of both
        #[arg(long)]
        baseline: f64,
        /// As a proportion: 0.05 is 5 percentage points
        #[arg(long)]
        threshold: f64,
    },
    /// A/A tests judged by four rules side by side: what peeking does
    Simulate(Simulate),
    /// Several p-values at once
    Holm {
        /// The p-values
        #[arg(required = true)]
        p_values: Vec<f64>,
    },
    /// Two means
    Welch {
        /// Mean, standard deviation and units of the control, such as 19,4,25
        #[arg(long, value_parser = summary)]
        control: Value,
        /// The same of the treatment
        #[arg(long, value_parser = summary)]
        treatment: Value,
        /// Two-sided error rate
        #[arg(long, default_value_t = 0.05)]
        alpha: f64,
    },
    /// What a changed prefix costs
    CacheCost {
        /// Requests an hour
        #[arg(long)]
        requests_per_hour: f64,
        /// Cached tokens from the first changed block to the last breakpoint
        #[arg(long)]
        tokens: f64,
        /// Distinct keys behind the changed prefix
        #[arg(long, default_value_t = 1.0)]
        distinct_keys: f64,
        /// Until the first token, in milliseconds
        #[arg(long, default_value_t = 0.0)]
        ttft_ms: f64,
        /// For how long a prefix stays warm: 5m or 1h
        #[arg(long, default_value = "5m")]
        ttl: String,
        /// US dollars for a million tokens written for that time
        #[arg(long)]
        write: f64,
        /// US dollars for a million tokens read
        #[arg(long)]
        read: f64,
    },
    /// The arm that a unit gets, as servers and clients compute it
    Assign {
        /// The experiment's salt
        #[arg(long)]
        salt: String,
        /// The layer it runs in, if any
        #[arg(long)]
        layer: Option<String>,
        /// Where its part of the layer begins, from 0
        #[arg(long, default_value_t = 0.0, requires = "layer")]
        from: f64,
        /// The share of units that take part
        #[arg(long, default_value_t = 1.0)]
        traffic: f64,
        /// The arms' weights, control first
        #[arg(long, value_delimiter = ',', default_value = "1,1")]
        weights: Vec<f64>,
        /// The units
        #[arg(required = true)]
        units: Vec<String>,
    },
}

#[derive(Debug, Args)]
struct Simulate {
    /// Units in each arm at the end
    #[arg(long)]
    n: u64,
    /// The true rate of both arms
    #[arg(long)]
    baseline: f64,
    /// The naive rule's threshold, as a proportion
    #[arg(long)]
    threshold: f64,
    /// Two-sided error rate
    #[arg(long, default_value_t = 0.05)]
    alpha: f64,
    /// How often somebody looks
    #[arg(long, default_value_t = 28)]
    looks: u32,
    /// How many A/A tests
    #[arg(long, default_value_t = 10_000)]
    tests: u32,
    /// The seed: the same one gives the same counts
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// `800/1000`.
fn counts(text: &str) -> Result<Value, String> {
    let read = |text: &str| text.trim().parse::<u64>().ok();
    text.split_once('/')
        .and_then(|(successes, n)| Some(json!({ "successes": read(successes)?, "n": read(n)? })))
        .ok_or_else(|| "must be successes and units, such as 800/1000".to_owned())
}

/// `19,4,25`.
fn summary(text: &str) -> Result<Value, String> {
    let parts: Vec<f64> = text
        .split(',')
        .filter_map(|part| part.trim().parse().ok())
        .collect();
    let units = text
        .rsplit(',')
        .next()
        .and_then(|n| n.trim().parse::<u64>().ok());
    match (parts.as_slice(), units) {
        ([mean, sd, _], Some(n)) => Ok(json!({ "mean": mean, "sd": sd, "n": n })),
        _ => Err("must be mean, standard deviation and units, such as 19,4,25".to_owned()),
    }
}

/// Computes and prints.
pub fn run(stats: Stats) -> anyhow::Result<()> {
    let answer = answer(stats.wanted)?;
    match stats.format {
        Format::Json => println!("{answer:#}"),
        Format::Text => print(&answer),
    }
    Ok(())
}

fn answer(wanted: Wanted) -> anyhow::Result<Value> {
    let (calculator, input) = match wanted {
        Wanted::Ztest {
            control,
            treatment,
            alpha,
        } => (
            Calculator::Ztest,
            json!({ "control": control, "treatment": treatment, "alpha": alpha }),
        ),
        Wanted::SampleSize {
            baseline,
            effect,
            alpha,
            power,
            weights,
        } => (
            Calculator::SampleSize,
            json!({ "baseline": baseline, "effect": effect, "alpha": alpha, "power": power, "weights": weights }),
        ),
        Wanted::DetectableEffect {
            baseline,
            n,
            alpha,
            power,
        } => (
            Calculator::DetectableEffect,
            json!({ "baseline": baseline, "n": n, "alpha": alpha, "power": power }),
        ),
        Wanted::Srm { observed, weights } => (
            Calculator::Srm,
            json!({ "observed": observed, "weights": weights }),
        ),
        Wanted::Mcnemar {
            lost,
            gained,
            both_pass,
            both_fail,
        } => (
            Calculator::Mcnemar,
            json!({ "lost": lost, "gained": gained, "both_pass": both_pass, "both_fail": both_fail }),
        ),
        Wanted::ThresholdRisk {
            n,
            baseline,
            threshold,
        } => (
            Calculator::ThresholdRisk,
            json!({ "n": n, "baseline": baseline, "threshold": threshold }),
        ),
        Wanted::Holm { p_values } => (Calculator::Holm, json!({ "p_values": p_values })),
        Wanted::Welch {
            control,
            treatment,
            alpha,
        } => (
            Calculator::Welch,
            json!({ "control": control, "treatment": treatment, "alpha": alpha }),
        ),
        Wanted::CacheCost {
            requests_per_hour,
            tokens,
            distinct_keys,
            ttft_ms,
            ttl,
            write,
            read,
        } => (
            Calculator::CacheCost,
            json!({
                "requests_per_hour": requests_per_hour, "tokens": tokens, "distinct_keys": distinct_keys,
                "ttft_ms": ttft_ms, "ttl": ttl, "prices": { "write": write, "read": read },
            }),
        ),
        Wanted::Simulate(wanted) => return simulate(&wanted),
        Wanted::Assign {
            salt,
            layer,
            from,
            traffic,
            weights,
            units,
        } => {
            let slice = Slice { from, traffic };
            return assignments(&salt, layer.as_deref(), slice, &weights, &units);
        }
    };
    calculator.compute(input).map_err(|errors| {
        let listed: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!(listed.join("\n"))
    })
}

fn simulate(wanted: &Simulate) -> anyhow::Result<Value> {
    let setup = Setup {
        n: wanted.n,
        baseline: wanted.baseline,
        threshold: wanted.threshold,
        alpha: wanted.alpha,
        looks: wanted.looks,
        tests: wanted.tests,
        seed: wanted.seed,
    };
    let Some(mut simulation) = Simulation::new(setup) else {
        bail!(
            "these numbers cannot be simulated: n must be at least the looks, the baseline between 0 and 1, \
             the threshold from 0 to 1"
        );
    };
    let tally = simulation.advance(wanted.tests);
    let rate = |count: u32| {
        Tally::rate(&tally, count)
            .map(|(rate, interval)| json!({ "rate": rate, "interval": interval }))
    };
    Ok(json!({
        "tests": tally.tests,
        "naive_threshold": rate(tally.threshold),
        "peeked_z_test": rate(tally.peeked),
        "fixed_horizon_z_test": rate(tally.fixed),
        "always_valid": rate(tally.always_valid),
    }))
}

fn assignments(
    salt: &str,
    layer: Option<&str>,
    slice: Slice,
    weights: &[f64],
    units: &[String],
) -> anyhow::Result<Value> {
    if weights.is_empty() || !weights.iter().all(|weight| *weight > 0.0) {
        bail!("every weight must be above 0");
    }
    if !slice.fits() {
        bail!("{slice} is not between 0 and 100 %");
    }
    let arms: Vec<Arm> = weights
        .iter()
        .enumerate()
        .map(|(position, weight)| Arm {
            name: position.to_string(),
            version: 0,
            weight: *weight,
        })
        .collect();
    let each = units.iter().map(|unit| {
        let arm = match assign(salt, layer, slice, &arms, unit) {
            Assignment::Arm(position) => json!(position),
            Assignment::LeftOut => json!("left out"),
        };
        (unit.clone(), arm)
    });
    Ok(Value::Object(each.collect::<Map<_, _>>()))
}

/// One line for each number; what is inside something is named by its path.
fn print(answer: &Value) {
    for (name, value) in answer.as_object().into_iter().flatten() {
        print_one(name, value);
    }
}

fn print_one(path: &str, value: &Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                print_one(&format!("{path}.{name}"), member);
            }
        }
        // A curve: one line for each of its points.
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for item in items {
                let members = item.as_object().into_iter().flatten();
                let words: Vec<String> = members
                    .map(|(name, value)| format!("{name} {value}"))
                    .collect();
                println!("{path}: {}", words.join(", "));
            }
        }
        Value::Array(items) => {
            let words: Vec<String> = items.iter().map(ToString::to_string).collect();
            println!("{path}: {}", words.join(", "));
        }
        Value::String(text) => println!("{path}: {text}"),
        Value::Null => println!("{path}: –"),
        Value::Bool(_) | Value::Number(_) => println!("{path}: {value}"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        stats: Stats,
    }

    fn ask(line: &str) -> anyhow::Result<Value> {
        let line = Line::try_parse_from(format!("stats {line}").split(' '))?;
        answer(line.stats.wanted)
    }

    #[test]
    fn the_command_line_answers_like_the_api() {
        let found = ask("ztest --control 800/1000 --treatment 830/1000").unwrap();
        assert!((found["z"].as_f64().unwrap() - 1.727_594).abs() < 1e-6);
        assert_eq!(
            ask("sample-size --baseline 0.8 --effect 0.05").unwrap()["total"],
            1_812
        );
        assert_eq!(
            ask("sample-size --baseline 0.8 --effect -0.05").unwrap()["per_arm"][0],
            1_094
        );
        assert_eq!(ask("srm --observed 5170,4830").unwrap()["alarm"], true);
        assert_eq!(
            ask("holm 0.9 0.8").unwrap(),
            json!({ "adjusted": [1.0, 1.0] })
        );
        assert!(ask("welch --control 19,4,25 --treatment 21,5,30").unwrap()["t"].is_number());
        assert!(ask("threshold-risk --n 50 --baseline 0.7 --threshold 0.05").is_ok());
        let found =
            ask("simulate --n 200 --baseline 0.8 --threshold 0.05 --tests 200 --looks 10").unwrap();
        assert_eq!(found["tests"], 200);
        let found = ask("cache-cost --requests-per-hour 10000 --tokens 5120 --distinct-keys 1 --ttft-ms 2000 --write 3.75 --read 0.3").unwrap();
        assert_eq!(
            format!("{:.4}", found["upper_bound_usd"].as_f64().unwrap()),
            "16.0000"
        );
        assert_eq!(
            format!("{:.4}", found["expected_usd"].as_f64().unwrap()),
            "0.1158"
        );
        let hour = "cache-cost --requests-per-hour 10000 --tokens 5120 --ttft-ms 2000 --write 6 --read 0.3 --ttl 1h";
        let found = ask(hour).unwrap();
        assert_eq!(
            format!("{:.4}", found["upper_bound_usd"].as_f64().unwrap()),
            "307.2000"
        );
        assert_eq!(
            ask("assign --salt exp-1 user-1 user-2").unwrap(),
            ask("assign --salt exp-1 --weights 5,5 user-1 user-2").unwrap()
        );
        // As `tests/golden/assignment.json` of the rules has it.
        assert_eq!(
            ask(
                "assign --salt exp-2 --layer checkout --from 0.3 --traffic 0.3 user-1 user-4 user-8"
            )
            .unwrap(),
            json!({ "user-1": "left out", "user-4": 0, "user-8": 1 })
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = ask("ztest --control 3/2 --treatment 1/2")
            .unwrap_err()
            .to_string();
        assert_eq!(error, "control.successes: must not be more than n");
        assert!(ask("ztest --control x --treatment 1/2").is_err());
        let day = "cache-cost --requests-per-hour 1 --tokens 1 --write 1 --read 1 --ttl 1d";
        assert_eq!(
            ask(day).unwrap_err().to_string(),
            "ttl: must be `5m` or `1h`"
        );
        assert!(ask("simulate --n 1 --baseline 0.5 --threshold 0.1").is_err());
        assert!(ask("assign --salt s --weights 0,1 u").is_err());
        assert!(ask("assign --salt s --from 0.5 u").is_err());
        assert!(ask("assign --salt s --layer l --from 0.5 --traffic 0.6 u").is_err());
    }
}
