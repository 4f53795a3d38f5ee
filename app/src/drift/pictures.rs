//! On the server: the chart of a prompt's checks, small and large.

use chrono::{DateTime, Utc};
use domain::drift::{Check, Ewma};

use super::shapes::Spark;
use crate::{
    charts::{
        Chart, Table,
        series::{Across, Line, Point, Series},
    },
    ui::time::{clock, day},
};

const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 32.0;
const AIR: f64 = 3.0;

fn percent(rate: f64) -> String {
    format!("{:.1} %", rate * 100.0)
}

/// The running average within its limits, for a table's cell.
pub fn spark(charts: &[(DateTime<Utc>, Ewma)]) -> Option<Spark> {
    let last = charts.last()?.1;
    let values = charts
        .iter()
        .flat_map(|(_, chart)| [chart.value(), chart.lower(), chart.upper()]);
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let spread = (high - low).max(0.01);
    let up = |value: f64| HEIGHT - AIR - (value - low) / spread * (HEIGHT - 2.0 * AIR);
    let n = u32::try_from(charts.len()).unwrap_or(u32::MAX);
    let step = (WIDTH - 2.0 * AIR) / f64::from(n.max(2) - 1);
    let across = |index: usize| AIR + step * f64::from(u32::try_from(index).unwrap_or_default());
    let way = |value: fn(&Ewma) -> f64, is_back: bool| {
        let mut points: Vec<String> = charts
            .iter()
            .enumerate()
            .map(|(index, (_, chart))| format!("{:.1} {:.1}", across(index), up(value(chart))))
            .collect();
        if is_back {
            points.reverse();
        }
        points.join("L")
    };
    let end = across(charts.len() - 1);
    Some(Spark {
        label: format!(
            "Running average {} after {}; {} at promotion, limits {} to {}",
            percent(last.value()),
            if last.n_th == 1 {
                "one check".to_owned()
            } else {
                format!("{} checks", last.n_th)
            },
            percent(last.centre),
            percent(last.lower()),
            percent(last.upper()),
        ),
        band: format!("M{}L{}Z", way(Ewma::upper, false), way(Ewma::lower, true)),
        centre: format!("M{AIR} {0:.1}H{1:.1}", up(last.centre), WIDTH - AIR),
        line: format!("M{}", way(Ewma::value, false)),
        dot: (format!("{end:.1}"), format!("{:.1}", up(last.value()))),
    })
}

/// The checks of a version since its promotion; they come newest first.
pub fn chart(checks: &[&Check]) -> Option<Chart> {
    let mut table = Table::new(&[
        "Check",
        "Pass rate",
        "Running average",
        "Lower limit",
        "Upper limit",
        "State",
    ]);
    let (mut rates, mut averages) = (Vec::new(), Vec::new());
    let mut newest = None;
    for check in checks.iter().rev() {
        let (Some(chart), Some(numbers)) = (check.finding.chart, &check.finding.numbers) else {
            continue;
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "seconds since 1970 stay below 2^53"
        )]
        let x = check.checked_at.timestamp() as f64;
        // On the scale of the frozen rate, whichever cases were in common.
        let rate = (chart.centre + numbers.difference).clamp(0.0, 1.0);
        rates.push(Point {
            x,
            y: rate,
            band: None,
        });
        averages.push(Point {
            x,
            y: chart.value(),
            band: Some((chart.lower(), chart.upper())),
        });
        table.rows.push(vec![
            format!("{} {} UTC", day(check.checked_at), clock(check.checked_at)),
            percent(rate),
            percent(chart.value()),
            percent(chart.lower()),
            percent(chart.upper()),
            check.finding.state.label().to_owned(),
        ]);
        newest = Some(chart);
    }
    let newest = newest?;
    let place = if newest.is_low() {
        "below its lower limit"
    } else if newest.value() > newest.upper() {
        "above its upper limit"
    } else {
        "within its limits"
    };
    let caption = format!(
        "The running average is {}, {place} ({} to {}); the run at promotion passed {}.",
        percent(newest.value()),
        percent(newest.lower()),
        percent(newest.upper()),
        percent(newest.centre),
    );
    let series = Series {
        lines: vec![
            Line {
                name: "each check".to_owned(),
                position: 0,
                points: rates,
            },
            Line {
                name: "running average".to_owned(),
                position: 1,
                points: averages,
            },
        ],
        across: Across::Time,
        x_axis: "UTC".to_owned(),
        y_axis: "cases that pass, %".to_owned(),
        x_tick: |value| format!("{value}"),
        y_tick: percent,
        zero: None,
        limit: Some((newest.centre, "at promotion".to_owned())),
        bounds: Some((0.0, 1.0)),
    };
    series.chart(caption, table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spark_stays_in_its_box() {
        let at = |n_th: u32, deviation: f64| {
            let chart = Ewma {
                n_th,
                centre: 0.9,
                deviation,
                variance: 0.0001,
            };
            (DateTime::UNIX_EPOCH, chart)
        };
        assert_eq!(spark(&[]), None);
        let one = spark(&[at(1, 0.0)]).unwrap();
        assert!(!format!("{one:?}").contains("NaN"));
        let drift = spark(&[at(1, 0.0), at(2, -0.05), at(3, -0.2)]).unwrap();
        assert_eq!(drift.dot, ("117.0".to_owned(), "29.0".to_owned()));
        assert!(
            drift
                .label
                .starts_with("Running average 70.0 % after 3 checks")
        );
    }
}
