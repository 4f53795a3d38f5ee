//! JSON: a case on each line, or one array of them. Rows with promptfoo's members are read as
//! promptfoo's tests.

use serde_json::{Map, Value};

use super::{Imported, case_of, promptfoo, submitted};
use crate::suite::Case;

pub(super) fn read(text: &str, imported: &mut Imported) {
    if text.trim_start().starts_with('[') {
        match serde_json::from_str::<Vec<Value>>(text) {
            Ok(rows) => {
                for (index, row) in rows.into_iter().enumerate() {
                    read_row(index, Ok(row), imported);
                }
            }
            Err(error) => imported.reject(0, format!("the file is not JSON: {error}")),
        }
        return;
    }
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    for (index, line) in lines.enumerate() {
        let row = serde_json::from_str(line).map_err(|error| format!("is not JSON: {error}"));
        read_row(index, row, imported);
    }
}

pub(super) fn write(cases: &[Case]) -> String {
    let line = |case: &Case| format!("{}\n", Value::Object(submitted(case)));
    cases.iter().map(line).collect()
}

fn read_row(index: usize, row: Result<Value, String>, imported: &mut Imported) {
    let case = row.and_then(|row| match row {
        Value::Object(test) if test.contains_key("vars") || test.contains_key("assert") => {
            promptfoo::test(test, &Map::new(), &[], imported)
        }
        Value::Object(members) => case_of(members),
        _ => Err("must be an object".to_owned()),
    });
    imported.add(index, case);
}
