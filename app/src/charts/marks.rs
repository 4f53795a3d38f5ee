//! What happened meanwhile: upright lines on a chart over time, each with a word above.

use super::{
    ink::Ink,
    paper::{Anchor, Sheet},
};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// When, in seconds since 1970.
    pub x: f64,
    /// A word that stands above its line.
    pub word: String,
    /// What it was, in a sentence.
    pub words: String,
}

/// Words closer than this to the one before are left out: the list beside the chart has them all.
const ROOM: f64 = 26.0;

/// Draws them between the two edges, top to bottom.
pub fn draw_marks(
    sheet: &mut Sheet<'_>,
    marks: &[Mark],
    across: impl Fn(f64) -> f64,
    (left, right): (f64, f64),
    (top, bottom): (f64, f64),
) {
    let mut last = f64::NEG_INFINITY;
    for mark in marks {
        let x = across(mark.x);
        if x < left || x > right {
            continue;
        }
        sheet.path(&[(x, top), (x, bottom)], Ink::Zero, 0.5, 1.0);
        if x - last >= ROOM {
            let anchor = if x > right - ROOM / 2.0 {
                Anchor::End
            } else {
                Anchor::Middle
            };
            sheet.word((x, top - 7.0), &mark.word, Ink::Quiet, anchor);
            last = x;
        }
    }
}

/// What is said over a mark; after the hints of columns, so that it lies on top.
pub fn hint_marks(
    sheet: &mut Sheet<'_>,
    marks: &[Mark],
    across: impl Fn(f64) -> f64,
    (left, right): (f64, f64),
    (top, bottom): (f64, f64),
) {
    for mark in marks {
        let x = across(mark.x);
        if x >= left && x <= right {
            sheet.hint((x - 3.0, top - 14.0), (x + 3.0, bottom), &mark.words);
        }
    }
}
