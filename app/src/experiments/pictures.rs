//! On the server: the charts of an experiment.

use domain::{
    experiment::{ComparisonResult, Decision, EffectPoint, ExperimentDetail, Results},
    stats::Interval,
};

use super::words;
use crate::{
    charts::{
        Chart, Table,
        intervals::{Intervals, Row},
        series::{Across, Line, Point, Series},
    },
    prompts::words::grouped,
    ui::time,
};

/// The interval of the rule that decides, or, while the fixed rule has not, the one that may be
/// looked at.
fn shown(results: &Results, comparison: &ComparisonResult) -> Option<Interval> {
    match results.decision {
        Decision::Fixed if results.frozen_at.is_some() => comparison.interval,
        Decision::Fixed | Decision::Sequential => comparison.sequential.interval,
    }
}

fn level(results: &Results) -> String {
    format!("{:.0} %", (1.0 - results.alpha) * 100.0)
}

/// A challenger's row in the table behind the plot.
fn numbers_of(one: &ComparisonResult) -> Vec<String> {
    let text = |number: Option<String>| number.unwrap_or_else(|| "–".to_owned());
    let ends = |interval: Option<Interval>| {
        text(interval.map(|interval| {
            format!(
                "{} to {}",
                words::bare(interval.lower),
                words::bare(interval.upper)
            )
        }))
    };
    let lifts = one.relative_lift_interval.map(|interval| {
        format!(
            "{} to {}",
            words::lift(interval.lower),
            words::lift(interval.upper)
        )
    });
    vec![
        one.arm.clone(),
        text(one.difference.map(words::bare)),
        ends(one.interval),
        text(one.adjusted_p_value.map(crate::runs::words::p_value)),
        ends(one.sequential.interval),
        text(
            one.sequential
                .adjusted_p_value
                .map(crate::runs::words::p_value),
        ),
        text(one.relative_lift.map(words::lift)),
        text(lifts),
    ]
}

/// The effect of each challenger; none before anything was counted.
pub fn effect(detail: &ExperimentDetail) -> Option<Chart> {
    let results = &detail.results;
    let control = detail.experiment.plan.arms.first()?.name.clone();
    if results
        .comparisons
        .iter()
        .all(|one| one.difference.is_none())
    {
        return None;
    }
    let is_decided = results.decision == Decision::Sequential || results.frozen_at.is_some();
    let mut table = Table::new(&[
        "Arm",
        "Difference, pp",
        "Interval, pp",
        "p, adjusted",
        "Always-valid interval, pp",
        "Always-valid p, adjusted",
        "Relative lift",
        "Its interval",
    ]);
    let mut rows = Vec::new();
    let mut findings = Vec::new();
    for (index, one) in results.comparisons.iter().enumerate() {
        let interval = shown(results, one);
        let is_open =
            interval.is_none_or(|interval| interval.lower <= 0.0 && interval.upper >= 0.0);
        let standing = match (interval, is_open) {
            (Some(_), false) => "",
            (Some(_), true) => ", inconclusive",
            (None, _) => ", no interval yet",
        };
        let numbers = one.difference.map_or_else(
            || "–".to_owned(),
            |difference| match interval {
                Some(interval) => {
                    format!("{} ({})", words::points(difference), words::range(interval))
                }
                None => words::points(difference),
            },
        );
        findings.push(format!(
            "{} against {control}: {numbers}{standing}",
            one.arm
        ));
        rows.push(Row {
            name: format!("{}{standing}", one.arm),
            words: numbers,
            estimate: one.difference,
            interval,
            position: index + 1,
            is_faint: is_open || !is_decided,
        });
        table.rows.push(numbers_of(one));
    }
    let which = match (results.decision, is_decided) {
        (Decision::Fixed, true) => format!("{} interval of the one decision", level(results)),
        (Decision::Fixed, false) => {
            format!(
                "{} always-valid interval, for orientation: nothing is decided yet",
                level(results)
            )
        }
        (Decision::Sequential, _) => {
            format!("{} interval that holds at any moment", level(results))
        }
    };
    let caption = format!("{}. {which}.", findings.join("; "));
    let plot = Intervals {
        rows,
        axis: format!(
            "Difference to {control} in {}, percentage points",
            detail.experiment.plan.primary_metric
        ),
        tick: words::bare,
        zero: Some(0.0),
        limit: None,
    };
    Some(plot.chart(caption, table))
}

/// The effect over time with the band that may be looked at on any day.
pub fn over_time(detail: &ExperimentDetail) -> Option<Chart> {
    let plan = &detail.experiment.plan;
    let control = plan.arms.first()?.name.clone();
    let mut table = Table::new(&[
        "Until",
        "Arm",
        "Units",
        "Difference, pp",
        "Always-valid band, pp",
    ]);
    let mut lines = Vec::new();
    let mut findings = Vec::new();
    let mut reach: f64 = 0.02;
    for (index, arm) in plan.arms.iter().enumerate().skip(1) {
        let points: Vec<&EffectPoint> = detail
            .series
            .iter()
            .filter(|point| point.arm == arm.name)
            .collect();
        let Some(last) = points.last() else {
            continue;
        };
        // Bands are wide at first: the axis holds what they have come to.
        let now = last.interval.map_or(last.difference.abs(), |interval| {
            interval.lower.abs().max(interval.upper.abs())
        });
        reach = reach.max(now * 2.5).max(last.difference.abs() * 1.5);
        let band = last.interval.map_or_else(
            || "without a band yet".to_owned(),
            |interval| format!("band {}", words::range(interval)),
        );
        findings.push(format!(
            "{} stands at {}, {band}",
            arm.name,
            words::points(last.difference)
        ));
        for point in &points {
            let band = point.interval.map_or_else(
                || "–".to_owned(),
                |interval| {
                    format!(
                        "{} to {}",
                        words::bare(interval.lower),
                        words::bare(interval.upper)
                    )
                },
            );
            table.rows.push(vec![
                time::exact(point.at),
                point.arm.clone(),
                grouped(point.units),
                words::bare(point.difference),
                band,
            ]);
        }
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact")]
        let points = points
            .iter()
            .map(|point| Point {
                x: point.at.timestamp() as f64,
                y: point.difference,
                band: point
                    .interval
                    .map(|interval| (interval.lower, interval.upper)),
            })
            .collect();
        lines.push(Line {
            name: arm.name.clone(),
            position: index,
            points,
        });
    }
    let caption = format!(
        "{}. The band may be looked at as often as one likes; where it leaves zero, the difference is there.",
        findings.join("; ")
    );
    let series = Series {
        lines,
        across: Across::Time,
        x_axis: "time, UTC".to_owned(),
        y_axis: format!("Difference to {control}, percentage points"),
        x_tick: words::bare,
        y_tick: words::bare,
        zero: Some(0.0),
        limit: None,
        bounds: Some((-reach, reach)),
    };
    series.chart(caption, table)
}
