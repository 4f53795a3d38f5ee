//! What every chart is drawn on: a sheet of a given size, on which one writes in CSS pixels. It is
//! drawn four times as large, because plotters' SVG has whole coordinates only.

use std::fmt::Write as _;

use plotters::{
    backend::SVGBackend,
    coord::Shift,
    drawing::{DrawingArea, IntoDrawingArea},
    element::{Circle, PathElement, Polygon, Rectangle, Text},
    style::{
        Color, IntoFont, ShapeStyle, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::ink::{Ink, themed};

/// Drawn units in a CSS pixel.
const SCALE: f64 = 4.0;
/// plotters makes letters smaller than it is told, by this.
const LETTER: f64 = 1.24;
/// The height of letters, in CSS pixels.
const TEXT: f64 = 12.0;

/// The two widths a chart is drawn in, in CSS pixels, with the class that shows one of them.
pub const WIDTHS: [(f64, &str); 2] = [(760.0, "chart-wide"), (340.0, "chart-narrow")];

/// Draws a chart in both widths.
pub fn both(height: f64, draw: impl Fn(&mut Sheet<'_>)) -> String {
    let mut svg = String::new();
    for (width, class) in WIDTHS {
        svg.push_str(&sheet(width, height, class, &draw));
    }
    svg
}

/// Draws a picture of one size.
pub fn alone((width, height): (f64, f64), class: &str, draw: impl Fn(&mut Sheet<'_>)) -> String {
    sheet(width, height, class, draw)
}

/// Draws into a text and answers with the hints that go over it.
fn drawn_into(
    text: &mut String,
    (width, height): (f64, f64),
    draw: impl Fn(&mut Sheet<'_>),
) -> String {
    let size = (whole(width).unsigned_abs(), whole(height).unsigned_abs());
    let mut sheet = Sheet {
        area: SVGBackend::with_string(text, size).into_drawing_area(),
        hints: String::new(),
        width,
    };
    draw(&mut sheet);
    // Writing into memory cannot fail, here as below.
    let _ = sheet.area.present();
    sheet.hints
}

fn sheet(width: f64, height: f64, class: &str, draw: impl Fn(&mut Sheet<'_>)) -> String {
    let mut drawn = String::new();
    let hints = drawn_into(&mut drawn, (width, height), draw);
    // The drawing sizes itself by its box and takes the page's own letters.
    let body = drawn.split_once('>').map_or("", |(_, body)| body);
    let body = body
        .rsplit_once("</svg>")
        .map_or(body, |(body, _)| body)
        .replace(" font-family=\"sans-serif\"", "");
    format!(
        r#"<svg class="{class}" viewBox="0 0 {} {}" aria-hidden="true" focusable="false">{}{hints}</svg>"#,
        whole(width),
        whole(height),
        themed(&body),
    )
}

/// Where letters stand to their point.
#[derive(Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// A sheet to draw on.
pub struct Sheet<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
    hints: String,
    /// In CSS pixels.
    pub width: f64,
}

impl Sheet<'_> {
    /// Whether it is the one for telephones.
    pub fn is_narrow(&self) -> bool {
        self.width < 500.0
    }

    /// A line through points.
    pub fn path(&mut self, points: &[(f64, f64)], ink: Ink, strength: f64, thickness: f64) {
        let points: Vec<(i32, i32)> = points.iter().copied().map(drawn).collect();
        let _ = self
            .area
            .draw(&PathElement::new(points, stroke(ink, strength, thickness)));
    }

    /// A filled shape.
    pub fn shape(&mut self, points: &[(f64, f64)], ink: Ink, strength: f64) {
        let points: Vec<(i32, i32)> = points.iter().copied().map(drawn).collect();
        let _ = self
            .area
            .draw(&Polygon::new(points, ink.color().mix(strength)));
    }

    /// A filled box.
    pub fn bar(&mut self, from: (f64, f64), to: (f64, f64), ink: Ink, strength: f64) {
        let corners = [drawn(from), drawn(to)];
        let style = ink.color().mix(strength).filled();
        let _ = self.area.draw(&Rectangle::new(corners, style));
    }

    /// A filled point.
    pub fn dot(&mut self, at: (f64, f64), radius: f64, ink: Ink) {
        let style = ink.color().filled();
        let _ = self
            .area
            .draw(&Circle::new(drawn(at), whole(radius), style));
    }

    /// A word, centred upon the height of its point.
    pub fn word(&mut self, at: (f64, f64), words: &str, ink: Ink, anchor: Anchor) {
        let position = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let color = ink.color();
        let style: TextStyle<'_> = ("sans-serif", TEXT * SCALE * LETTER)
            .into_font()
            .color(&color)
            .pos(Pos::new(position, VPos::Center));
        let _ = self
            .area
            .draw(&Text::new(words.to_owned(), drawn(at), style));
    }

    /// Words that show over a box when it is pointed at.
    pub fn hint(&mut self, from: (f64, f64), to: (f64, f64), words: &str) {
        let ((x, y), (right, bottom)) = (drawn(from), drawn(to));
        let _ = write!(
            self.hints,
            r#"<rect class="chart-hint" x="{x}" y="{y}" width="{}" height="{}"><title>{}</title></rect>"#,
            right - x,
            bottom - y,
            escaped(words),
        );
    }
}

fn stroke(ink: Ink, strength: f64, thickness: f64) -> ShapeStyle {
    ShapeStyle {
        color: ink.color().mix(strength),
        filled: false,
        stroke_width: whole(thickness).unsigned_abs().max(1),
    }
}

fn drawn((x, y): (f64, f64)) -> (i32, i32) {
    (whole(x), whole(y))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a sheet is a few thousand units wide"
)]
fn whole(pixels: f64) -> i32 {
    (pixels * SCALE).round() as i32
}

/// Text as it may stand in XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Round numbers over a range, about as many as asked for.
pub fn ticks(from: f64, to: f64, wanted: f64) -> Vec<f64> {
    let rough = (to - from) / wanted.max(1.0);
    if !(rough.is_finite() && rough > 0.0) {
        return Vec::new();
    }
    let size = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|times| times * size)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(10.0 * size);
    multiples(from, to, step)
}

/// The multiples of a step within a range.
pub fn multiples(from: f64, to: f64, step: f64) -> Vec<f64> {
    let mut found = Vec::new();
    let mut at = (from / step).ceil() * step;
    while at <= to + step * 1e-9 && found.len() < 100 {
        // Without this, what should be nothing is a hair beside it.
        found.push(if at.abs() < step * 1e-9 { 0.0 } else { at });
        at += step;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(format!("{:?}", ticks(-0.9, 4.2, 5.0)), "[0.0, 2.0, 4.0]");
        assert_eq!(
            format!("{:?}", ticks(0.0, 10.0, 4.0)),
            "[0.0, 2.5, 5.0, 7.5, 10.0]"
        );
        assert!(ticks(1.0, 1.0, 5.0).is_empty());
        assert!(ticks(f64::NAN, 1.0, 5.0).is_empty());
    }

    #[test]
    fn a_sheet_has_no_literal_colour_and_hints_are_escaped() {
        let svg = both(40.0, |sheet| {
            sheet.path(&[(0.0, 0.0), (10.0, 10.0)], Ink::series(1), 1.0, 2.0);
            sheet.word((5.0, 5.0), "a < b", Ink::Text, Anchor::Start);
            sheet.hint((0.0, 0.0), (5.0, 5.0), "a < b");
        });
        assert!(!svg.contains('#'), "{svg}");
        assert!(!svg.contains("style="), "{svg}");
        assert_eq!(svg.matches("<svg").count(), WIDTHS.len());
        assert!(svg.contains("<title>a &lt; b</title>"));
        assert!(svg.contains("var(--series-1)"));
    }
}
