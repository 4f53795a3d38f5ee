//! A request's body as rows: the elements of a JSON array, or lines. Only brackets and quotes are
//! looked at; whether a row is JSON is found when it is read, so `NaN` in one spoils no other.

/// A body that cannot be taken apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Nothing in it.
    #[error("the body is empty: send a JSON array of events, or one event a line")]
    Empty,
    /// The array does not end.
    #[error("the body is not JSON: the array does not end")]
    Unended,
    /// There is something after the array.
    #[error("the body is not JSON: something follows the array")]
    Trailing,
    /// Two commas, or one at the end.
    #[error("the body is not JSON: event {0} is missing between commas")]
    Gap(usize),
    /// Too many.
    #[error("at most {max} events in one request", max = super::MAX_EVENTS)]
    TooMany,
}

/// The rows of a body, as they stand there.
pub fn rows(body: &str) -> Result<Vec<&str>, Malformed> {
    let body = body.trim_start_matches('\u{feff}').trim();
    if body.is_empty() {
        return Err(Malformed::Empty);
    }
    if body.starts_with('[') {
        return elements(body);
    }
    let lines: Vec<&str> = body
        .lines()
        .filter(|line| !line.trim().is_empty())
        .take(super::MAX_EVENTS + 1)
        .collect();
    if lines.len() > super::MAX_EVENTS {
        return Err(Malformed::TooMany);
    }
    Ok(lines)
}

fn elements(body: &str) -> Result<Vec<&str>, Malformed> {
    let bytes = body.as_bytes();
    let mut rows = Vec::new();
    let mut depth = 0_usize;
    let mut start = 1;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = after_string(bytes, at).ok_or(Malformed::Unended)?,
            b'[' | b'{' => depth += 1,
            b',' if depth == 1 => {
                push(&mut rows, &body[start..at])?;
                start = at + 1;
            }
            b']' | b'}' => {
                // A stray bracket ends the array early; what follows it is then found below.
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    let last = &body[start..at];
                    if !(rows.is_empty() && last.trim().is_empty()) {
                        push(&mut rows, last)?;
                    }
                    return if body[at + 1..].trim().is_empty() {
                        Ok(rows)
                    } else {
                        Err(Malformed::Trailing)
                    };
                }
            }
            _ => {}
        }
        at += 1;
    }
    Err(Malformed::Unended)
}

/// The place of the quote that ends the string which begins here.
fn after_string(bytes: &[u8], begin: usize) -> Option<usize> {
    let mut at = begin + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

fn push<'a>(rows: &mut Vec<&'a str>, row: &'a str) -> Result<(), Malformed> {
    let row = row.trim();
    if row.is_empty() {
        return Err(Malformed::Gap(rows.len()));
    }
    if rows.len() == super::MAX_EVENTS {
        return Err(Malformed::TooMany);
    }
    rows.push(row);
    Ok(())
}
