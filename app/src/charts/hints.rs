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

/// Where a line ends, and whose it is.
pub struct End<'a> {
    /// In CSS pixels.
    pub at: (f64, f64),
    /// The line's name.
    pub name: &'a str,
    /// The line's colour.
    pub ink: Ink,
}

/// How far apart names stand that are written below each other, in CSS pixels.
const APART: f64 = 14.0;
/// Between the end of a line and its name, with a piece of the line's colour in it: a name may be
/// moved away from its end.
const AIR: f64 = 22.0;
/// From where to where in it that piece goes.
const SWATCH: (f64, f64) = (8.0, 18.0);
/// About how wide a letter is.
const LETTER: f64 = 6.8;

/// The room that names take beside the lines; none where they would take too much of the sheet, and
/// are written above the ends instead.
pub fn room_beside(sheet: &Sheet<'_>, lines: &[Line]) -> Option<f64> {
    let n_letters = lines.iter().map(|line| line.name.chars().count()).max()?;
    let n_letters = u16::try_from(n_letters).ok()?;
    let room = AIR + f64::from(n_letters) * LETTER;
    (room <= sheet.width / 6.0).then_some(room)
}

/// Writes the lines' names beside their ends.
pub fn names_beside(sheet: &mut Sheet<'_>, ends: Vec<End<'_>>, edges: (f64, f64)) {
    for end in set_apart(ends, edges) {
        let (across, up) = end.at;
        sheet.path(
            &[(across + SWATCH.0, up), (across + SWATCH.1, up)],
            end.ink,
            1.0,
            2.0,
        );
        sheet.word((across + AIR, up), end.name, Ink::Text, Anchor::Start);
    }
}

/// Writes the lines' names above their ends, or below where there is no room.
pub fn names_above(sheet: &mut Sheet<'_>, mut ends: Vec<End<'_>>, edges: (f64, f64)) {
    for end in &mut ends {
        let up = &mut end.at.1;
        *up += if *up < edges.0 + 16.0 { 14.0 } else { -12.0 };
    }
    for end in set_apart(ends, edges) {
        sheet.word(end.at, end.name, Ink::Text, Anchor::End);
    }
}

/// Names moved no further than they must so that none covers another, from the top down.
fn set_apart(mut ends: Vec<End<'_>>, (top, bottom): (f64, f64)) -> Vec<End<'_>> {
    ends.sort_by(|one, other| one.at.1.total_cmp(&other.at.1));
    let mut above = top - APART;
    for end in &mut ends {
        above = end.at.1.max(above + APART);
        end.at.1 = above;
    }
    // What was pushed out below comes back, and pushes those above it.
    let mut below = bottom + APART;
    for end in ends.iter_mut().rev() {
        below = end.at.1.min(below - APART);
        end.at.1 = below;
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::{End, Ink, set_apart};

    fn heights(ends: &[f64]) -> Vec<f64> {
        let end = |up: &f64| End {
            at: (0.0, *up),
            name: "",
            ink: Ink::Text,
        };
        let apart = set_apart(ends.iter().map(end).collect(), (0.0, 100.0));
        apart.into_iter().map(|end| end.at.1).collect()
    }

    #[test]
    fn names_that_have_room_stay_beside_their_lines() {
        assert_eq!(heights(&[60.0, 20.0]), [20.0, 60.0]);
    }

    #[test]
    fn names_of_lines_that_end_together_stand_below_each_other() {
        assert_eq!(heights(&[50.0, 50.0, 51.0]), [50.0, 64.0, 78.0]);
    }

    #[test]
    fn names_at_an_edge_stay_on_the_sheet() {
        assert_eq!(heights(&[98.0, 99.0, 100.0]), [72.0, 86.0, 100.0]);
        assert_eq!(heights(&[-5.0, 0.0]), [0.0, 14.0]);
    }
}
