//! Words on lines: what is said of a point when it is pointed at, and the names at the ends.

use super::{
    ink::Ink,
    moments::moment,
    paper::{Anchor, Sheet},
    series::{Across, Frame, Line, Series, TOP},
};

impl Series {
    /// One hint for each moment, with what all lines are at.
    pub fn column_hints(&self, sheet: &mut Sheet<'_>, frame: &Frame, bottom: f64) {
        let Some(first) = self.lines.first() else {
            return;
        };
        let half = match first.points[..] {
            [one, two, ..] => (frame.across(two.x) - frame.across(one.x)) / 2.0,
            _ => 8.0,
        };
        for (index, point) in first.points.iter().enumerate() {
            let said: Vec<String> = self
                .lines
                .iter()
                .filter_map(|line| {
                    let here = line.points.get(index).filter(|here| here.y.is_finite())?;
                    Some(format!("{} {}", line.name, (self.y_tick)(here.y)))
                })
                .collect();
            if said.is_empty() {
                continue;
            }
            let across = frame.across(point.x);
            let (from, to) = (
                (across - half).max(frame.left),
                (across + half).min(frame.right),
            );
            let words = format!("{}: {}", moment(point.x, 0.0), said.join(", "));
            sheet.hint((from, TOP), (to, bottom), &words);
        }
    }

    pub fn hints(&self, sheet: &mut Sheet<'_>, frame: &Frame, line: &Line, bottom: f64) {
        // With several lines, each point answers for itself; a single line answers for its column.
        let is_single = self.lines.len() == 1;
        for (index, point) in line.points.iter().enumerate() {
            if !point.y.is_finite() {
                continue;
            }
            let across = frame.across(point.x);
            let neighbour =
                |index: usize| line.points.get(index).map(|point| frame.across(point.x));
            let before = index
                .checked_sub(1)
                .and_then(neighbour)
                .unwrap_or(across - 8.0);
            let after = neighbour(index + 1).unwrap_or(across + 8.0);
            let (from, to) = if is_single {
                let from = (f64::midpoint(before, across), TOP);
                (from, (f64::midpoint(across, after), bottom))
            } else {
                let up = frame.up(point.y);
                ((across - 6.0, up - 6.0), (across + 6.0, up + 6.0))
            };
            let x = match self.across {
                Across::Number => (self.x_tick)(point.x),
                Across::Time => moment(point.x, 0.0),
            };
            let band = point.band.map_or_else(String::new, |(low, high)| {
                format!(" ({} to {})", (self.y_tick)(low), (self.y_tick)(high))
            });
            let words = format!("{}, {x}: {}{band}", line.name, (self.y_tick)(point.y));
            sheet.hint(from, to, &words);
        }
    }
}

/// Writes the lines' names at their ends, a little apart where lines end close together.
pub fn names(sheet: &mut Sheet<'_>, mut ends: Vec<(f64, f64, &str)>) {
    const APART: f64 = 14.0;
    ends.sort_by(|one, other| one.1.total_cmp(&other.1));
    let mut above = f64::NEG_INFINITY;
    for (across, up, name) in ends {
        let up = up.max(above + APART);
        sheet.word((across, up), name, Ink::Text, Anchor::End);
        above = up;
    }
}
