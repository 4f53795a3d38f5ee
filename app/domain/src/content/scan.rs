//! What may stand nowhere in a content, at whatever depth: NUL characters, numbers that JSON
//! readers do not agree on, nesting without end.

use serde_json::{Number, Value};

use crate::field::FieldError;

/// Deepest nesting of objects and lists; also what JSON columns and clients take easily.
const MAX_DEPTH: usize = 64;

/// Largest whole number that every JSON reader keeps exactly (RFC 7493, which RFC 8785 needs).
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Most offending texts and numbers listed; a megabyte of NULs needs no longer answer.
const MAX_LISTED: usize = 100;

/// Every unfit text and number; an error if the value is too deep to be looked at.
pub(crate) fn scan(path: &str, value: &Value) -> Result<Vec<FieldError>, Vec<FieldError>> {
    let mut scan = Scan {
        path: vec![Step::Member(path)],
        errors: Vec::new(),
    };
    if scan.read(value) {
        return Ok(scan.errors);
    }
    let message = format!("is nested deeper than {MAX_DEPTH} levels");
    Err(vec![FieldError::new(path, message)])
}

/// Walks a JSON value for what may stand nowhere in a content.
struct Scan<'a> {
    path: Vec<Step<'a>>,
    errors: Vec<FieldError>,
}

enum Step<'a> {
    Member(&'a str),
    Item(usize),
}

impl<'a> Scan<'a> {
    /// Whether the value ends before the depth limit.
    fn read(&mut self, value: &'a Value) -> bool {
        if self.path.len() > MAX_DEPTH {
            return false;
        }
        match value {
            Value::String(text) if text.contains('\0') => {
                self.refuse("must not hold NUL characters");
                true
            }
            Value::Number(number) if !is_exact(number) => {
                self.refuse("is a whole number too large to be kept exactly");
                true
            }
            Value::Array(items) => items
                .iter()
                .enumerate()
                .all(|(index, item)| self.inside(Step::Item(index), item)),
            Value::Object(members) => members.iter().all(|(name, item)| {
                if name.contains('\0') {
                    self.refuse("must not hold NUL characters in its members' names");
                }
                self.inside(Step::Member(name), item)
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        }
    }

    fn inside(&mut self, step: Step<'a>, value: &'a Value) -> bool {
        self.path.push(step);
        let is_shallow = self.read(value);
        self.path.pop();
        is_shallow
    }

    fn refuse(&mut self, message: &str) {
        if self.errors.len() == MAX_LISTED {
            return;
        }
        let mut field = String::new();
        for step in &self.path {
            match step {
                Step::Member(name) if field.is_empty() => field.push_str(name),
                Step::Member(name) => {
                    field.push('.');
                    field.push_str(name);
                }
                Step::Item(index) => {
                    field.push('[');
                    field.push_str(&index.to_string());
                    field.push(']');
                }
            }
        }
        self.errors.push(FieldError::new(field, message));
    }
}

fn is_exact(number: &Number) -> bool {
    match (number.as_u64(), number.as_i64()) {
        (Some(whole), _) => whole <= MAX_SAFE_INTEGER,
        (None, Some(whole)) => whole.unsigned_abs() <= MAX_SAFE_INTEGER,
        (None, None) => true,
    }
}
