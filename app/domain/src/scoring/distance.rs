//! How far apart two texts, numbers or JSON values are. Every function's time is bounded, since
//! outputs are as long as a model likes.

use serde_json::Value;

/// Most steps one edit distance may take: a few hundredths of a second.
const MAX_STEPS: usize = 20_000_000;

/// Longest texts inside JSON that are compared letter by letter; longer ones are equal or not.
const MAX_COMPARED: usize = 500;

/// Edits (insert, delete, replace a character) from one text to the other, if they are at most
/// `most`. `Err` if finding out would take too long.
pub(super) fn edits(one: &str, other: &str, most: usize) -> Result<Option<usize>, ()> {
    if one == other {
        return Ok(Some(0));
    }
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let n_prefix = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[n_prefix..], &other[n_prefix..]);
    let n_suffix = (one.iter().rev().zip(other.iter().rev()))
        .take_while(|(a, b)| a == b)
        .count();
    let one = &one[..one.len() - n_suffix];
    let other = &other[..other.len() - n_suffix];
    let (one, other) = if one.len() <= other.len() {
        (one, other)
    } else {
        (other, one)
    };
    if other.len() - one.len() > most {
        return Ok(None);
    }
    if one.is_empty() {
        return Ok(Some(other.len()));
    }
    // Ukkonen's band: cells further from the diagonal than `most` cannot be on a path that short.
    let band = most.min(other.len());
    let width = band.saturating_mul(2).saturating_add(1).min(one.len());
    if width.saturating_mul(other.len()) > MAX_STEPS {
        return Err(());
    }
    let far = usize::MAX / 2;
    let mut row: Vec<usize> = (0..=one.len())
        .map(|j| if j <= band { j } else { far })
        .collect();
    let mut next = vec![far; one.len() + 1];
    for (i, b) in other.iter().enumerate().map(|(i, b)| (i + 1, b)) {
        let (from, to) = (i.saturating_sub(band), (i + band).min(one.len()));
        if from > one.len() {
            return Ok(None);
        }
        next[from.max(1) - 1] = if from <= 1 && i <= band { i } else { far };
        for j in from.max(1)..=to {
            let replaced = row[j - 1] + usize::from(one[j - 1] != *b);
            // One step outside the band the row still holds what an older row left there.
            let above = if j < i + band { row[j] } else { far };
            next[j] = replaced.min(next[j - 1] + 1).min(above.saturating_add(1));
        }
        std::mem::swap(&mut row, &mut next);
    }
    let found = row[one.len()];
    Ok((found <= most).then_some(found))
}

/// 1 for equal numbers, towards 0 the further apart: 1 − |a − b| / (|a| + |b|).
pub(super) fn number_likeness(one: f64, other: f64) -> f64 {
    let size = one.abs() + other.abs();
    if one.to_bits() == other.to_bits() || size <= 0.0 {
        return 1.0;
    }
    // Halves first, so that the largest doubles do not overflow.
    let apart = (one / 2.0 - other / 2.0).abs() / (one.abs() / 2.0 + other.abs() / 2.0);
    (1.0 - apart).clamp(0.0, 1.0)
}

/// 1 for equal JSON, 0 for nothing in common. Objects by the mean over all members of either,
/// lists position by position, texts by edits, numbers by their relative distance; values of
/// different types have nothing in common.
pub(super) fn json_likeness(one: &Value, other: &Value) -> f64 {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let shared: Vec<f64> = one
                .iter()
                .filter_map(|(name, value)| Some(json_likeness(value, other.get(name)?)))
                .collect();
            mean(shared.iter().sum(), one.len() + other.len() - shared.len())
        }
        (Value::Array(one), Value::Array(other)) => {
            let sum = one
                .iter()
                .zip(other)
                .map(|(a, b)| json_likeness(a, b))
                .sum();
            mean(sum, one.len().max(other.len()))
        }
        (Value::String(one), Value::String(other)) => text_likeness(one, other),
        (Value::Number(a), Value::Number(b)) => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => number_likeness(a, b),
            _ => 0.0,
        },
        _ => f64::from(u8::from(one == other)),
    }
}

/// Whether two JSON values are the same, 1 and 1.0 among them.
pub(super) fn json_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| {
                    other
                        .get(name)
                        .is_some_and(|other| json_equal(value, other))
                })
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| json_equal(a, b))
        }
        (Value::Number(a), Value::Number(b)) => {
            a == b || (!(a.is_i64() && b.is_i64()) && a.as_f64() == b.as_f64())
        }
        _ => one == other,
    }
}

fn text_likeness(one: &str, other: &str) -> f64 {
    if one == other {
        return 1.0;
    }
    let longest = one.chars().count().max(other.chars().count());
    if longest > MAX_COMPARED {
        return 0.0;
    }
    match edits(one, other, longest) {
        Ok(Some(distance)) => 1.0 - ratio(distance, longest),
        Ok(None) | Err(()) => 0.0,
    }
}

fn mean(sum: f64, n: usize) -> f64 {
    if n == 0 { 1.0 } else { sum / ratio(n, 1) }
}

#[expect(clippy::cast_precision_loss, reason = "lengths stay far below 2^53")]
pub(super) fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// The textbook's table, as slow as it is plain.
    fn plain(one: &str, other: &str) -> usize {
        let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
        let mut table = vec![vec![0; other.len() + 1]; one.len() + 1];
        for i in 0..=one.len() {
            for j in 0..=other.len() {
                table[i][j] = if i == 0 || j == 0 {
                    i + j
                } else {
                    let replaced = table[i - 1][j - 1] + usize::from(one[i - 1] != other[j - 1]);
                    replaced.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1)
                };
            }
        }
        table[one.len()][other.len()]
    }

    #[test]
    fn known_distances() {
        assert_eq!(edits("kitten", "sitting", 5), Ok(Some(3)));
        assert_eq!(edits("kitten", "sitting", 2), Ok(None));
        assert_eq!(edits("", "äöü", 3), Ok(Some(3)));
        let (long, other) = ("ab".repeat(500_000), "ba".repeat(500_000) + "c");
        assert_eq!(edits(&long, &other, 5), Ok(Some(2)));
        assert_eq!(edits(&long, &"c".repeat(1_000_000), usize::MAX), Err(()));
    }

    #[test]
    fn likeness_is_as_documented() {
        let close =
            |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found}");
        close(number_likeness(9.0, 11.0), 0.9);
        close(number_likeness(0.0, 0.0), 1.0);
        close(number_likeness(1.0, -1.0), 0.0);
        close(number_likeness(f64::MAX, f64::MAX / 3.0), 0.5);
        close(
            json_likeness(&json!({"a": 1, "b": "x"}), &json!({"a": 1, "c": "x"})),
            1.0 / 3.0,
        );
        close(json_likeness(&json!([1, 2]), &json!([1])), 0.5);
        close(json_likeness(&json!({}), &json!({})), 1.0);
        close(json_likeness(&json!("1"), &json!(1)), 0.0);
        assert!(json_equal(
            &json!({"a": 1, "b": [1.0]}),
            &json!({"b": [1], "a": 1.0})
        ));
        assert!(!json_equal(
            &json!(9_007_199_254_740_993_i64),
            &json!(9_007_199_254_740_992_i64)
        ));
    }

    proptest! {
        #[test]
        fn the_band_finds_what_the_table_finds(one in "[abc]{0,12}", other in "[abc]{0,12}", most in 0..14_usize) {
            let expected = plain(&one, &other);
            prop_assert_eq!(edits(&one, &other, most), Ok((expected <= most).then_some(expected)));
        }
    }
}
