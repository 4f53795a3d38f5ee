//! A forest plot: intervals beneath one another on one axis, with the point in each.

use domain::stats::Interval;

use super::{
    Chart, Table,
    ink::Ink,
    paper::{Anchor, Sheet, both, ticks},
};

/// One interval.
pub struct Row {
    /// What it is of.
    pub name: String,
    /// Its numbers in words, at the other end.
    pub words: String,
    /// The point, in the axis' unit; none where there is nothing to draw.
    pub estimate: Option<f64>,
    /// The interval around it.
    pub interval: Option<Interval>,
    /// The arm's position in the plan: 0 is the control.
    pub position: usize,
    /// Drawn weaker, where it decides nothing.
    pub is_faint: bool,
}

/// What is drawn beneath one another.
pub struct Intervals {
    /// Top to bottom.
    pub rows: Vec<Row>,
    /// What the axis is, with its unit.
    pub axis: String,
    /// How a number of the axis reads on a tick.
    pub tick: fn(f64) -> String,
    /// Where no difference is; drawn through all rows, and always in sight.
    pub zero: Option<f64>,
    /// Where something begins to matter.
    pub limit: Option<f64>,
}

const ROW: f64 = 48.0;
/// Where in a row its words end.
const WORDS: f64 = 21.0;
const TOP: f64 = 4.0;
const AXIS: f64 = 44.0;
const SIDE: f64 = 14.0;

impl Intervals {
    /// Draws it.
    #[must_use]
    pub fn chart(&self, caption: String, table: Table) -> Chart {
        #[expect(clippy::cast_precision_loss, reason = "there are few rows")]
        let height = TOP + ROW * self.rows.len() as f64 + AXIS;
        let (from, to) = self.range();
        Chart {
            svg: both(height, |sheet| self.draw(sheet, height, from, to)),
            caption,
            table,
        }
    }

    /// Holds every interval, the zero line and the limit, with some air.
    fn range(&self) -> (f64, f64) {
        let values = self
            .rows
            .iter()
            .flat_map(|row| {
                let ends = row
                    .interval
                    .map(|interval| [interval.lower, interval.upper]);
                ends.into_iter().flatten().chain(row.estimate)
            })
            .chain(self.zero)
            .chain(self.limit)
            .filter(|value| value.is_finite());
        let (from, to) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), value| {
            (from.min(value), to.max(value))
        });
        if from > to {
            return (-1.0, 1.0);
        }
        let air = if to > from { (to - from) * 0.06 } else { 1.0 };
        (from - air, to + air)
    }

    fn draw(&self, sheet: &mut Sheet<'_>, height: f64, from: f64, to: f64) {
        let (left, right) = (SIDE, sheet.width - SIDE);
        let at = |value: f64| left + (value - from) / (to - from) * (right - left);
        let bottom = height - AXIS;
        let wanted = if sheet.is_narrow() { 4.0 } else { 9.0 };
        // Lines stand beneath the intervals only: words stay free of them.
        let tops: Vec<f64> = self
            .rows
            .iter()
            .scan(TOP, |top, _| {
                let here = *top;
                *top += ROW;
                Some(here)
            })
            .collect();
        for tick in ticks(from, to, wanted) {
            let x = at(tick);
            for top in &tops {
                sheet.path(&[(x, top + WORDS), (x, top + ROW)], Ink::Grid, 1.0, 1.0);
            }
            let words = (self.tick)(tick);
            sheet.word((x, bottom + 12.0), &words, Ink::Quiet, Anchor::Middle);
        }
        let middle = f64::midpoint(left, right);
        sheet.word(
            (middle, bottom + 32.0),
            &self.axis,
            Ink::Quiet,
            Anchor::Middle,
        );
        if let Some(zero) = self.zero {
            for top in &tops {
                let line = [(at(zero), top + WORDS), (at(zero), top + ROW)];
                sheet.path(&line, Ink::Zero, 1.0, 1.5);
            }
        }
        if let Some(limit) = self.limit {
            for top in &tops {
                let mut y = top + WORDS;
                while y < top + ROW {
                    let line = [(at(limit), y), (at(limit), (y + 5.0).min(top + ROW))];
                    sheet.path(&line, Ink::Limit, 1.0, 1.5);
                    y += 9.0;
                }
            }
        }
        let mut top = TOP;
        for row in &self.rows {
            let ink = Ink::series(row.position);
            let strength = if row.is_faint { 0.45 } else { 1.0 };
            let line = top + 32.0;
            sheet.word((left, top + 12.0), &row.name, Ink::Text, Anchor::Start);
            sheet.word((right, top + 12.0), &row.words, Ink::Text, Anchor::End);
            if let Some(interval) = row.interval {
                let (lower, upper) = (at(interval.lower), at(interval.upper));
                sheet.bar(
                    (lower, line - 4.0),
                    (upper.max(lower + 1.0), line + 4.0),
                    ink,
                    0.4 * strength,
                );
                for end in [lower, upper] {
                    sheet.path(&[(end, line - 6.0), (end, line + 6.0)], ink, strength, 1.5);
                }
            }
            if let Some(estimate) = row.estimate {
                let x = at(estimate);
                sheet.path(&[(x, line - 9.0), (x, line + 9.0)], ink, strength, 3.0);
            }
            let words = format!("{}: {}", row.name, row.words);
            sheet.hint((left, top), (right, top + ROW), &words);
            top += ROW;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_holds_the_intervals_and_zero() {
        let intervals = Intervals {
            rows: vec![Row {
                name: "B".to_owned(),
                words: "+3.0 pp".to_owned(),
                estimate: Some(0.03),
                interval: Some(Interval {
                    lower: 0.01,
                    upper: 0.05,
                }),
                position: 1,
                is_faint: false,
            }],
            axis: "difference".to_owned(),
            tick: |value| format!("{value}"),
            zero: Some(0.0),
            limit: None,
        };
        let (from, to) = intervals.range();
        assert!(from < 0.0 && to > 0.05);
        let chart = intervals.chart("B is better.".to_owned(), Table::new(&["Arm"]));
        assert!(chart.svg.contains("<title>B: +3.0 pp</title>"));
        assert!(!chart.svg.contains("NaN"));
    }
}
