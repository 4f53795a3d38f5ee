//! A line without axes, as high as a row of a table: the shape of a day at a glance. The numbers
//! stand beside it.

use super::{ink::Ink, paper::alone};

const WIDTH: f64 = 96.0;
const HEIGHT: f64 = 22.0;
const EDGE: f64 = 2.0;

/// Draws values from left to right, from zero up; where `is_bad`, a dot says so.
#[must_use]
pub fn spark(values: &[(f64, bool)]) -> String {
    let most = values.iter().map(|(value, _)| *value).fold(0.0, f64::max);
    #[expect(clippy::cast_precision_loss, reason = "a few dozen values")]
    let place = |index: usize, value: f64| {
        let n_gaps = values.len().saturating_sub(1).max(1) as f64;
        let x = EDGE + (WIDTH - 2.0 * EDGE) * index as f64 / n_gaps;
        let share = if most > 0.0 { value / most } else { 0.0 };
        (x, HEIGHT - EDGE - (HEIGHT - 2.0 * EDGE) * share)
    };
    let points: Vec<(f64, f64)> = values
        .iter()
        .enumerate()
        .map(|(index, (value, _))| place(index, *value))
        .collect();
    alone((WIDTH, HEIGHT), "spark", |sheet| {
        if let (Some(first), Some(last)) = (points.first(), points.last()) {
            let mut around = points.clone();
            around.push((last.0, HEIGHT - EDGE));
            around.push((first.0, HEIGHT - EDGE));
            sheet.shape(&around, Ink::series(0), 0.14);
        }
        sheet.path(&points, Ink::series(0), 1.0, 1.5);
        for (point, (_, is_bad)) in points.iter().zip(values) {
            if *is_bad {
                sheet.dot(*point, 2.0, Ink::Limit);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_day_has_a_shape() {
        for values in [
            vec![],
            vec![(3.0, false)],
            vec![(0.0, false), (0.0, false)],
            vec![(1.0, false), (5.0, true), (2.0, false)],
        ] {
            let svg = spark(&values);
            assert!(!svg.contains("NaN") && !svg.contains('#'), "{svg}");
            let n_bad = values.iter().filter(|(_, is_bad)| *is_bad).count();
            assert_eq!(svg.matches("<circle").count(), n_bad);
        }
    }
}
