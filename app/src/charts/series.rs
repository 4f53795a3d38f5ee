//! Lines over time or over a number, each with the band it may lie in.

use super::{
    Chart, Table,
    hints::{End, names_above, names_beside, room_beside},
    ink::Ink,
    marks::{Mark, draw_marks, hint_marks},
    moments::{moment, moments},
    paper::{Anchor, Sheet, both, ticks},
};

/// A point of a line. One without a number for `y` is a gap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Across: seconds since 1970 for a time.
    pub x: f64,
    /// Up.
    pub y: f64,
    /// Where it may lie.
    pub band: Option<(f64, f64)>,
}

/// A line.
pub struct Line {
    /// What it is of; stands at its end.
    pub name: String,
    /// Which colour and dash: 0 is the control's.
    pub position: usize,
    /// Left to right.
    pub points: Vec<Point>,
}

/// What goes across.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Across {
    /// Moments, in UTC.
    Time,
    /// Numbers.
    Number,
}

/// What is drawn.
pub struct Series {
    /// The lines; their bands are drawn beneath all of them.
    pub lines: Vec<Line>,
    /// What goes across.
    pub across: Across,
    /// What the axis across is, with its unit.
    pub x_axis: String,
    /// What the axis up is, with its unit.
    pub y_axis: String,
    /// How a number reads on the axis across, where those are numbers.
    pub x_tick: fn(f64) -> String,
    /// How a number reads on the axis up.
    pub y_tick: fn(f64) -> String,
    /// The line to compare with, always in sight.
    pub zero: Option<f64>,
    /// Another one that matters, with its name.
    pub limit: Option<(f64, String)>,
    /// What the axis up holds at least and at most: bands that are wide at first are cut off.
    pub bounds: Option<(f64, f64)>,
}

const HEIGHT: f64 = 280.0;
/// Above the lines.
pub const TOP: f64 = 28.0;
const BOTTOM: f64 = 46.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 14.0;
/// Below this many points each is marked.
const MARKED: usize = 40;

/// Where values lie on a sheet.
pub struct Frame {
    x: (f64, f64),
    y: (f64, f64),
    /// The left edge, in CSS pixels.
    pub left: f64,
    /// The right edge.
    pub right: f64,
}

impl Frame {
    /// How far across a value is.
    pub fn across(&self, value: f64) -> f64 {
        self.left + (value - self.x.0) / (self.x.1 - self.x.0) * (self.right - self.left)
    }

    /// How high a value is.
    pub fn up(&self, value: f64) -> f64 {
        let value = value.clamp(self.y.0, self.y.1);
        let bottom = HEIGHT - BOTTOM;
        bottom - (value - self.y.0) / (self.y.1 - self.y.0) * (bottom - TOP)
    }
}

impl Series {
    /// Draws it; none where there is no point to draw.
    #[must_use]
    pub fn chart(&self, caption: String, table: Table) -> Option<Chart> {
        self.drawn(caption, table, None)
    }

    /// The same with what happened meanwhile. Every line has a point for each moment.
    #[must_use]
    pub fn chart_with(&self, caption: String, table: Table, marks: &[Mark]) -> Option<Chart> {
        self.drawn(caption, table, Some(marks))
    }

    fn drawn(&self, caption: String, table: Table, marks: Option<&[Mark]>) -> Option<Chart> {
        let x = spread(self.points().map(|point| point.x))?;
        let x = if x.1 > x.0 { x } else { (x.0 - 1.0, x.1 + 1.0) };
        let y = self.height()?;
        Some(Chart {
            svg: both(HEIGHT, |sheet| self.draw(sheet, x, y, marks)),
            caption,
            table,
        })
    }

    fn points(&self) -> impl Iterator<Item = &Point> {
        self.lines.iter().flat_map(|line| &line.points)
    }

    fn height(&self) -> Option<(f64, f64)> {
        let bands = self.points().filter_map(|point| point.band);
        let values = self
            .points()
            .map(|point| point.y)
            .chain(bands.flat_map(|(low, high)| [low, high]))
            .chain(self.zero)
            .chain(self.limit.iter().map(|(value, _)| *value));
        let (mut from, mut to) = spread(values)?;
        if let Some((least, most)) = self.bounds {
            (from, to) = (from.max(least), to.min(most));
        }
        if to <= from {
            (from, to) = (from - 0.5, from + 0.5);
        }
        let air = (to - from) * 0.05;
        Some((from - air, to + air))
    }

    fn draw(&self, sheet: &mut Sheet<'_>, x: (f64, f64), y: (f64, f64), marks: Option<&[Mark]>) {
        let beside = room_beside(sheet, &self.lines);
        let frame = Frame {
            x,
            y,
            left: LEFT,
            right: sheet.width - beside.unwrap_or_default().max(RIGHT),
        };
        self.axes(sheet, &frame);
        for line in &self.lines {
            band(sheet, &frame, line);
        }
        let bottom = HEIGHT - BOTTOM;
        if let Some(zero) = self.zero {
            let height = frame.up(zero);
            sheet.path(
                &[(frame.left, height), (frame.right, height)],
                Ink::Zero,
                1.0,
                1.5,
            );
        }
        if let Some((limit, words)) = &self.limit {
            let height = frame.up(*limit);
            let mut from = frame.left;
            while from < frame.right {
                let to = (from + 6.0).min(frame.right);
                sheet.path(&[(from, height), (to, height)], Ink::Limit, 1.0, 1.5);
                from += 10.0;
            }
            sheet.word(
                (frame.left + 6.0, height - 9.0),
                words,
                Ink::Quiet,
                Anchor::Start,
            );
        }
        let edges = ((frame.left, frame.right), (TOP, bottom));
        if let Some(marks) = marks {
            draw_marks(sheet, marks, |x| frame.across(x), edges.0, edges.1);
        }
        let mut ends = Vec::with_capacity(self.lines.len());
        for line in &self.lines {
            let ink = Ink::series(line.position);
            let is_marked = line.points.len() <= MARKED;
            let mut last = None;
            for stretch in line.points.split(|point| !point.y.is_finite()) {
                let points: Vec<(f64, f64)> = stretch
                    .iter()
                    .map(|point| (frame.across(point.x), frame.up(point.y)))
                    .collect();
                sheet.path(&points, ink, 1.0, 2.0);
                // A point between two gaps has no line to be seen by.
                if is_marked || points.len() == 1 {
                    for point in &points {
                        sheet.dot(*point, 2.5, ink);
                    }
                }
                last = points.last().copied().or(last);
            }
            if let Some(at) = last {
                sheet.dot(at, 4.0, ink);
                ends.push(End {
                    at,
                    name: &line.name,
                    ink,
                });
            }
        }
        match beside {
            Some(_) => names_beside(sheet, ends, edges.1),
            None => names_above(sheet, ends, edges.1),
        }
        match marks {
            None => {
                for line in &self.lines {
                    self.hints(sheet, &frame, line, bottom);
                }
            }
            // Nobody points at a telephone.
            Some(_) if sheet.is_narrow() => {}
            Some(marks) => {
                self.column_hints(sheet, &frame, bottom);
                hint_marks(sheet, marks, |x| frame.across(x), edges.0, edges.1);
            }
        }
    }

    fn axes(&self, sheet: &mut Sheet<'_>, frame: &Frame) {
        let bottom = HEIGHT - BOTTOM;
        sheet.word((0.0, 10.0), &self.y_axis, Ink::Quiet, Anchor::Start);
        for tick in ticks(frame.y.0, frame.y.1, 5.0) {
            let height = frame.up(tick);
            sheet.path(
                &[(frame.left, height), (frame.right, height)],
                Ink::Grid,
                1.0,
                1.0,
            );
            let words = (self.y_tick)(tick);
            sheet.word((frame.left - 8.0, height), &words, Ink::Quiet, Anchor::End);
        }
        let wanted = if sheet.is_narrow() { 3.0 } else { 7.0 };
        let (marks, step) = match self.across {
            Across::Number => (ticks(frame.x.0, frame.x.1, wanted), 0.0),
            Across::Time => moments(frame.x.0, frame.x.1, wanted),
        };
        for mark in marks {
            let across = frame.across(mark);
            sheet.path(
                &[(across, bottom), (across, bottom + 4.0)],
                Ink::Quiet,
                1.0,
                1.0,
            );
            let words = match self.across {
                Across::Number => (self.x_tick)(mark),
                Across::Time => moment(mark, step),
            };
            sheet.word((across, bottom + 14.0), &words, Ink::Quiet, Anchor::Middle);
        }
        sheet.path(
            &[(frame.left, bottom), (frame.right, bottom)],
            Ink::Quiet,
            0.6,
            1.0,
        );
        sheet.word(
            (frame.right, bottom + 34.0),
            &self.x_axis,
            Ink::Quiet,
            Anchor::End,
        );
    }
}

fn band(sheet: &mut Sheet<'_>, frame: &Frame, line: &Line) {
    let ink = Ink::series(line.position);
    let edges: Vec<(f64, f64, f64)> = line
        .points
        .iter()
        .filter_map(|point| {
            let (low, high) = point.band?;
            Some((frame.across(point.x), frame.up(low), frame.up(high)))
        })
        .collect();
    if let [(across, low, high)] = edges[..] {
        sheet.path(&[(across, low), (across, high)], ink, 0.7, 3.0);
        for end in [low, high] {
            sheet.path(&[(across - 5.0, end), (across + 5.0, end)], ink, 0.7, 1.5);
        }
        return;
    }
    if edges.is_empty() {
        return;
    }
    let upper: Vec<(f64, f64)> = edges.iter().map(|(x, _, high)| (*x, *high)).collect();
    let lower: Vec<(f64, f64)> = edges.iter().map(|(x, low, _)| (*x, *low)).collect();
    let around: Vec<(f64, f64)> = upper.iter().chain(lower.iter().rev()).copied().collect();
    sheet.shape(&around, ink, 0.16);
    // The edge carries the band where colours are not seen.
    sheet.path(&upper, ink, 0.7, 1.0);
    sheet.path(&lower, ink, 0.7, 1.0);
}

fn spread(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values
        .filter(|value| value.is_finite())
        .fold(None, |found, value| match found {
            None => Some((value, value)),
            Some((from, to)) => Some((value.min(from), value.max(to))),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(points: Vec<Point>) -> Series {
        Series {
            lines: vec![Line {
                name: "B".to_owned(),
                position: 1,
                points,
            }],
            across: Across::Time,
            x_axis: "UTC".to_owned(),
            y_axis: "difference, pp".to_owned(),
            x_tick: |value| format!("{value}"),
            y_tick: |value| format!("{:+.0} pp", value * 100.0),
            zero: Some(0.0),
            limit: None,
            bounds: Some((-1.0, 1.0)),
        }
    }

    fn draws(points: Vec<Point>) -> String {
        series(points)
            .chart(String::new(), Table::default())
            .unwrap()
            .svg
    }

    #[test]
    fn points_are_drawn_with_their_band() {
        let at = |hour: f64| Point {
            x: 1.7e9 + hour * 3_600.0,
            y: 0.02,
            band: Some((-0.01, 0.05)),
        };
        let svg = draws(vec![at(0.0), at(1.0), at(30.0)]);
        assert!(
            svg.contains("polygon") && svg.contains("+2 pp (-1 pp to +5 pp)"),
            "{svg}"
        );
        assert!(!svg.contains("NaN"));
    }

    #[test]
    fn one_point_and_none_are_no_trouble() {
        let svg = draws(vec![Point {
            x: 0.0,
            y: 0.0,
            band: None,
        }]);
        assert!(!svg.contains("NaN"));
        assert_eq!(
            series(Vec::new()).chart(String::new(), Table::default()),
            None
        );
    }
}
