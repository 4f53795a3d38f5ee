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
use leptos::prelude::*;
use serde_json::Value;

use super::tool::Tool;
use crate::{
    prompts::words::grouped,
    runs::words::{dollars, percent, signed},
    ui::{Glyph, Icon, TableWrap},
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

impl Extra {
    /// The picture with its table behind it, or the table alone.
    pub fn view(self) -> AnyView {
        let is_open = self.plot.is_none();
        let name = self.table.caption.clone();
        let table = self.table.view();
        let plot = self.plot.map(Plot::view);
        if is_open {
            view! { <div class="stack" data-gap="small"><h3>{name}</h3>{table}</div> }.into_any()
        } else {
            view! {
                <div class="stack" data-gap="small">
                    {plot}
                    <details>
                        <summary class="disclosure"><Icon glyph=Glyph::ChevronRight/>{name}</summary>
                        {table}
                    </details>
                </div>
            }
            .into_any()
        }
    }
}

impl Table {
    fn view(self) -> impl IntoView {
        let head = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, words)| view! { <th scope="col" data-align=(index > 0).then_some("end")>{*words}</th> })
            .collect_view();
        let rows = self
            .rows
            .into_iter()
            .map(|cells| {
                let cells = cells
                    .into_iter()
                    .enumerate()
                    .map(|(index, words)| match index {
                        0 => view! { <th scope="row">{words}</th> }.into_any(),
                        _ => view! { <td data-align="end">{words}</td> }.into_any(),
                    })
                    .collect_view();
                view! { <tr>{cells}</tr> }
            })
            .collect_view();
        view! {
            <TableWrap label=self.caption.clone()>
                <table class="table">
                    <caption class="sr-only">{self.caption}</caption>
                    <thead><tr>{head}</tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableWrap>
        }
    }
}

impl Plot {
    fn view(self) -> AnyView {
        match self {
            Self::Curve {
                points,
                wanted,
                ends,
                axis,
            } => curve(&points, wanted, ends, axis),
            Self::Intervals(intervals) => intervals_view(&intervals),
        }
    }
}

fn curve(points: &[(f64, f64)], wanted: f64, ends: [String; 2], axis: &'static str) -> AnyView {
    let most = points.last().map_or(1.0, |point| point.0);
    let line = points
        .iter()
        .map(|(x, power)| format!("{:.2} {:.2}", x / most * 100.0, 100.0 - power * 100.0))
        .collect::<Vec<_>>()
        .join("L");
    let at = 100.0 - wanted * 100.0;
    let shape = format!(
        r#"<path class="plot-axis" d="M0 0V100H100"/><path class="plot-grid" d="M0 50H100"/><path class="plot-wanted" d="M0 {at:.2}H100M50 0V100"/><path class="plot-line" d="M{line}"/>"#
    );
    let [from, to] = ends;
    let finding = format!(
        "Power by {}: the dashed lines cross at the {} asked for.",
        axis.to_lowercase(),
        percent(wanted)
    );
    view! {
        <figure class="curve-plot">
            <div class="curve-scale" aria-hidden="true"><span>"100 %"</span><span>"50 %"</span><span>"0 %"</span></div>
            <svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-labelledby="curve-f" inner_html=shape></svg>
            <div class="curve-ends" aria-hidden="true"><span>{from}</span><span>{axis}</span><span>{to}</span></div>
            <figcaption id="curve-f">{finding}</figcaption>
        </figure>
    }
    .into_any()
}

fn intervals_view(intervals: &[(&'static str, f64, Interval)]) -> AnyView {
    let reach = intervals
        .iter()
        .flat_map(|(_, _, interval)| [interval.lower.abs(), interval.upper.abs()])
        .fold(0.0, f64::max);
    let ends = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5]
        .into_iter()
        .find(|end| reach <= *end)
        .unwrap_or(1.0);
    // An always-valid interval of few units reaches beyond what a difference can be.
    let at = |value: f64| (50.0 + value / ends * 50.0).clamp(0.0, 100.0);
    let rows = intervals
        .iter()
        .map(|(name, estimate, interval)| {
            let (from, to) = (at(interval.lower), at(interval.upper));
            let shape = format!(
                r#"<line class="plot-axis" x1="0" x2="100" y1="14" y2="14"/><line class="plot-zero" x1="50" x2="50" y1="0" y2="28"/><rect class="plot-bar" x="{from:.2}" width="{:.2}" y="9" height="10"/><line class="plot-point" x1="{point:.2}" x2="{point:.2}" y1="5" y2="23"/>"#,
                (to - from).max(0.5),
                point = at(*estimate),
            );
            let tone = if interval.lower > 0.0 {
                "good"
            } else if interval.upper < 0.0 {
                "bad"
            } else {
                "open"
            };
            let words = format!("{} pp, {}", signed(*estimate), points(*interval));
            let label = format!("{name}: {words}");
            view! {
                <div class="interval-row interval-plot" data-tone=tone>
                    <b>{*name}</b>
                    <svg viewBox="0 0 100 28" preserveAspectRatio="none" role="img" aria-label=label inner_html=shape></svg>
                    <span>{words}</span>
                </div>
            }
        })
        .collect_view();
    let ends = format!("{:.0} pp", ends * 100.0);
    view! {
        <figure class="interval-rows">
            <figcaption>"Challenger minus control, with its interval"</figcaption>
            {rows}
            <div class="interval-scale" aria-hidden="true">
                <span>{format!("−{ends}")}</span><span>"0"</span><span>{format!("+{ends}")}</span>
            </div>
        </figure>
    }
    .into_any()
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
mod tests {
    use super::*;

    #[test]
    fn every_tool_that_has_more_to_show_does() {
        for tool in Tool::ALL {
            let typed: Vec<String> = tool
                .specs()
                .iter()
                .map(|spec| spec.initial.to_owned())
                .collect();
            let answer = tool.compute(&typed).unwrap();
            let extra = read(tool, &typed, &answer);
            assert_eq!(extra.is_some(), tool != Tool::Threshold, "{tool:?}");
            let words = format!("{extra:?}");
            assert!(!words.contains("NaN") && !words.contains("inf"), "{words}");
        }
    }

    #[test]
    fn the_curve_meets_the_power_that_was_asked_for() {
        let typed: Vec<String> = ["80", "1000", "5", "80"].map(str::to_owned).to_vec();
        let answer = Tool::Effect.compute(&typed).unwrap();
        let Some(Extra {
            plot: Some(Plot::Curve { points, .. }),
            ..
        }) = read(Tool::Effect, &typed, &answer)
        else {
            panic!("no curve");
        };
        assert!((points[9].1 - 0.8).abs() < 0.001, "{:?}", points[9]);
    }
}
