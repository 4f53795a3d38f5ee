//! What goes with a result: a picture and the table behind it. Drawn here, not on the server, so
//! that both follow every key. The drawing holds no lettering, which stays text of the page.

use domain::{
    cache::cost::{Prices, Traffic, invalidation_cost},
    stats::{
        Interval,
        power::Plan,
        proportion::{self, Sample},
        sequential,
    },
};
use serde_json::Value;

mod draw;

use super::tool::Tool;
use crate::{
    prompts::words::grouped,
    runs::words::{dollars, percent, signed},
};

/// A picture, a table, or both.
#[derive(Clone, Debug, PartialEq)]
pub struct Extra {
    plot: Option<Plot>,
    table: Table,
}

#[derive(Clone, Debug, PartialEq)]
enum Plot {
    /// The power over something that grows, both from 0 on.
    Curve {
        points: Vec<(f64, f64)>,
        wanted: f64,
        ends: [String; 2],
        axis: &'static str,
    },
    /// Differences with their intervals on one scale, zero in the middle.
    Intervals(Vec<(&'static str, f64, Interval)>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Table {
    caption: String,
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

/// What goes with the result, if anything does.
pub fn read(tool: Tool, typed: &[String], answer: &Value) -> Option<Extra> {
    let number = |name| tool.number(typed, name);
    match tool {
        Tool::Size => by_units(answer, number("power")?),
        Tool::Effect => by_effect(
            answer["effect"].as_f64()?,
            number("baseline")?,
            number("n")?,
            number("alpha")?,
            number("power")?,
        ),
        Tool::Compare | Tool::AlwaysValid => {
            let sample = |successes, n| {
                Some(Sample {
                    successes: count(number(successes)?),
                    n: count(number(n)?),
                })
            };
            let control = sample("successes_a", "n_a")?;
            let treatment = sample("successes_b", "n_b")?;
            two_rates(tool, control, treatment, number("alpha")?)
        }
        Tool::Ratio => by_arm(answer, typed),
        Tool::Threshold => None,
        Tool::Cache => by_keys(
            Traffic {
                requests_per_hour: number("requests")?,
                tokens: number("tokens")?,
                distinct_keys: number("keys")?,
                ttft_ms: number("ttft")?,
                ttl: tool.ttl(typed),
            },
            Prices {
                write: number("write")?,
                read: number("read")?,
            },
        ),
    }
}

fn by_units(answer: &Value, wanted: f64) -> Option<Extra> {
    let points: Vec<(u64, f64)> = answer["curve"]
        .as_array()?
        .iter()
        .filter_map(|point| Some((point["total"].as_u64()?, point["power"].as_f64()?)))
        .collect();
    let last = points.last()?.0;
    let rows = points
        .iter()
        .map(|(total, power)| vec![grouped(*total), percent(*power)])
        .collect();
    Some(Extra {
        plot: Some(Plot::Curve {
            points: points
                .iter()
                .map(|(total, power)| (float(*total), *power))
                .collect(),
            wanted,
            ends: ["0".to_owned(), format!("{} units", grouped(last))],
            axis: "Units in all",
        }),
        table: Table {
            caption: "Power by units".to_owned(),
            columns: vec!["Units in all", "Power"],
            rows,
        },
    })
}

fn by_effect(effect: f64, baseline: f64, n: f64, alpha: f64, wanted: f64) -> Option<Extra> {
    let points: Vec<(f64, f64)> = (1..=20_u32)
        .filter_map(|tenths| {
            let one = effect * f64::from(tenths) / 10.0;
            let plan = Plan {
                baseline,
                effect: one,
                alpha,
                power: wanted,
                weights: vec![1.0, 1.0],
            };
            Some((one, plan.power_with(count(2.0 * n))?))
        })
        .collect();
    let last = points.last()?.0;
    let rows = points
        .iter()
        .map(|(effect, power)| vec![format!("+{:.2} pp", effect * 100.0), percent(*power)])
        .collect();
    Some(Extra {
        plot: Some(Plot::Curve {
            points,
            wanted,
            ends: ["0".to_owned(), format!("+{:.2} pp", last * 100.0)],
            axis: "True rise",
        }),
        table: Table {
            caption: "Power by effect".to_owned(),
            columns: vec!["True rise", "Power"],
            rows,
        },
    })
}

fn two_rates(tool: Tool, control: Sample, treatment: Sample, alpha: f64) -> Option<Extra> {
    let fixed = proportion::compare(control, treatment, alpha);
    let (difference, interval) = (fixed.difference?, fixed.interval?);
    let always = sequential::difference(control, treatment, alpha);
    let mut intervals = vec![("Asked once", difference, interval)];
    if let Some(always) = always {
        intervals.push(("Asked every day", difference, always.interval));
    }
    if tool == Tool::AlwaysValid {
        intervals.reverse();
    }
    // How much narrower it gets, should the rates stay what they are.
    let rows = [1_u64, 2, 4, 8, 16]
        .into_iter()
        .filter_map(|times| {
            let more = |sample: Sample| Sample {
                successes: sample.successes.saturating_mul(times),
                n: sample.n.saturating_mul(times),
            };
            let (control, treatment) = (more(control), more(treatment));
            let fixed = proportion::compare(control, treatment, alpha).interval?;
            let always = sequential::difference(control, treatment, alpha)?.interval;
            Some(vec![
                grouped(control.n.saturating_add(treatment.n)),
                points(always),
                points(fixed),
            ])
        })
        .collect();
    Some(Extra {
        plot: Some(Plot::Intervals(intervals)),
        table: Table {
            caption: "If the rates stay what they are".to_owned(),
            columns: vec!["Units in all", "Asked every day", "Asked once"],
            rows,
        },
    })
}

fn by_arm(answer: &Value, typed: &[String]) -> Option<Extra> {
    answer["p_value"].as_f64()?;
    let body = Tool::Ratio.lists(typed)?;
    let (observed, weights) = body;
    let (total, weight): (f64, f64) = (observed.iter().sum(), weights.iter().sum());
    let rows = observed
        .iter()
        .zip(&weights)
        .enumerate()
        .map(|(index, (observed, share))| {
            let expected = total * share / weight;
            vec![
                if index == 0 {
                    "Control".to_owned()
                } else {
                    format!("Challenger {index}")
                },
                grouped(count(*observed)),
                format!("{expected:.1}"),
                format!("{} %", signed((observed - expected) / expected)),
            ]
        })
        .collect();
    Some(Extra {
        plot: None,
        table: Table {
            caption: "Each arm".to_owned(),
            columns: vec!["Arm", "Units", "Expected", "Off by"],
            rows,
        },
    })
}

fn by_keys(traffic: Traffic, prices: Prices) -> Option<Extra> {
    let rows: Vec<Vec<String>> = [1.0, 10.0, 100.0, 1_000.0, 10_000.0]
        .into_iter()
        .filter_map(|distinct_keys| {
            let cost = invalidation_cost(
                Traffic {
                    distinct_keys,
                    ..traffic
                },
                prices,
            )?;
            Some(vec![
                grouped(count(distinct_keys)),
                format!("{:.1}", cost.expected_writes),
                dollars(cost.expected_usd),
                dollars(cost.upper_bound_usd),
            ])
        })
        .collect();
    (!rows.is_empty()).then(|| Extra {
        plot: None,
        table: Table {
            caption: "The same traffic over other numbers of prefixes".to_owned(),
            columns: vec!["Distinct prefixes", "Written again", "Expected", "At worst"],
            rows,
        },
    })
}

fn points(interval: Interval) -> String {
    format!(
        "{} to {} pp",
        signed(interval.lower),
        signed(interval.upper)
    )
}

#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
const fn float(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and what was typed was found to be a count"
)]
fn count(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests;
