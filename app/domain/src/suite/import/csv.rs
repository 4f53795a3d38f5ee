//! CSV: promptfoo's columns, and our own for what it has none for.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{Imported, case_of, code_note, is_code, short, tag_of};
use crate::suite::{Case, Scorer};

/// Columns that are no variables; those that begin with `__expected` or `__metadata:` are none
/// either.
const OURS: [&str; 2] = ["expected", "tags"];

pub(super) fn read(text: &str, imported: &mut Imported) {
    let mut reader = ::csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(text.as_bytes());
    let headings: Vec<String> = match reader.headers() {
        Ok(headings) => headings
            .iter()
            .map(|heading| heading.trim().to_owned())
            .collect(),
        Err(error) => return imported.reject(0, format!("the file is not CSV: {error}")),
    };
    for (index, heading) in headings.iter().enumerate() {
        if headings[..index].contains(heading) {
            return imported.reject(0, format!("the column {heading:?} is there twice"));
        }
    }
    for (index, row) in reader.records().enumerate() {
        let case = match row {
            Err(error) => Err(format!("is not CSV: {error}")),
            Ok(row) if row.len() != headings.len() => Err(format!(
                "has {} cells for {} columns",
                row.len(),
                headings.len()
            )),
            Ok(row) => {
                let cells = headings.iter().map(String::as_str).zip(row.iter());
                read_row(cells, imported)
            }
        };
        imported.add(index, case);
    }
}

fn read_row<'a>(
    cells: impl Iterator<Item = (&'a str, &'a str)>,
    imported: &mut Imported,
) -> Result<Case, String> {
    let mut members = Map::new();
    let mut variables = Map::new();
    let mut scorers: Vec<Value> = Vec::new();
    let mut tags: Vec<Value> = Vec::new();
    let mut n_left_out = 0;
    for (heading, cell) in cells {
        if cell.starts_with("file://") {
            return Err(format!(
                "{heading}: files are not read ({cell}); put the text here"
            ));
        }
        let is_empty = cell.trim().is_empty();
        match heading {
            "__scorers" | "__placeholders" => {
                if !is_empty {
                    let json: Value = serde_json::from_str(cell)
                        .map_err(|error| format!("{heading}: is not JSON: {error}"))?;
                    match json {
                        Value::Array(items) if heading == "__scorers" => scorers.extend(items),
                        json => {
                            members.insert(heading.trim_start_matches('_').to_owned(), json);
                        }
                    }
                }
            }
            "__must_pass" => {
                if !is_empty {
                    let must_pass = boolean(cell).ok_or("__must_pass: must be true or false")?;
                    members.insert("must_pass".to_owned(), must_pass.into());
                }
            }
            "__note" | "__description" => {
                if !is_empty {
                    members.insert("note".to_owned(), cell.into());
                }
            }
            "tags" | "__tags" => {
                let listed = cell.split(',').map(str::trim).filter(|tag| !tag.is_empty());
                tags.extend(listed.map(Value::from));
            }
            "expected" => {
                if !cell.is_empty() {
                    members.insert("expected".to_owned(), cell.into());
                }
            }
            _ if heading.starts_with("__expected") => {
                let word = cell.split([':', '(']).next().unwrap_or_default().trim();
                if is_code(word) || matches!(word, "fn" | "eval") && cell.contains(':') {
                    n_left_out += 1;
                    imported.note(code_note(word));
                } else if !is_empty {
                    let scorer =
                        short::read(cell).map_err(|error| format!("{heading}: {error}"))?;
                    scorers.push(written(&scorer));
                }
            }
            _ if heading.starts_with("__metadata:") => match tag_of(&heading[11..], cell) {
                _ if is_empty => {}
                Some(tag) => tags.push(tag.into()),
                None => imported.note(format!("values of {heading} that make no tag are left out")),
            },
            _ if heading.starts_with("__") => {
                if !is_empty {
                    imported.note(format!("the column {heading} is left out"));
                }
            }
            _ => {
                variables.insert(heading.to_owned(), cell.into());
            }
        }
    }
    if n_left_out > 0 && scorers.is_empty() {
        return Err("its only scorer runs code: no user code runs in the server".to_owned());
    }
    members.insert("variables".to_owned(), Value::Object(variables));
    members.insert("scorers".to_owned(), Value::Array(scorers));
    members.insert("tags".to_owned(), Value::Array(tags));
    case_of(members)
}

fn boolean(cell: &str) -> Option<bool> {
    match cell.trim().to_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    }
}

fn written(scorer: &Scorer) -> Value {
    serde_json::to_value(scorer).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

pub(super) fn write(cases: &[Case]) -> String {
    let mut names: Vec<&str> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for name in cases.iter().flat_map(|case| case.variables.keys()) {
        if seen.insert(name) && !OURS.contains(&name.as_str()) && !name.starts_with("__") {
            names.push(name);
        }
    }
    let shorts: Vec<Option<Vec<String>>> = cases
        .iter()
        .map(|case| case.scorers.iter().map(short::write).collect())
        .collect();
    let n_shorts = shorts.iter().flatten().map(Vec::len).max().unwrap_or(0);
    let mut headings: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    headings.extend(
        [
            "expected",
            "__tags",
            "__must_pass",
            "__note",
            "__placeholders",
            "__scorers",
        ]
        .map(str::to_owned),
    );
    headings.extend((1..=n_shorts).map(|number| format!("__expected{number}")));
    let mut rows = vec![headings];
    for (case, shorts) in cases.iter().zip(shorts) {
        let mut row: Vec<String> = names
            .iter()
            .map(|name| case.variables.get(*name).map(text).unwrap_or_default())
            .collect();
        row.push(case.expected.as_ref().map(text).unwrap_or_default());
        row.push(case.tags.join(","));
        row.push(if case.must_pass {
            "true".to_owned()
        } else {
            String::new()
        });
        row.push(case.note.clone());
        row.push(if case.placeholders.is_empty() {
            String::new()
        } else {
            Value::Object(case.placeholders.clone()).to_string()
        });
        row.push(match &shorts {
            None => Value::Array(case.scorers.iter().map(written).collect()).to_string(),
            Some(_) => String::new(),
        });
        let mut shorts = shorts.unwrap_or_default();
        shorts.resize(n_shorts, String::new());
        row.extend(shorts);
        rows.push(row);
    }
    rows.iter().fold(String::new(), |mut file, row| {
        for (column, cell) in row.iter().enumerate() {
            let comma = if column == 0 { "" } else { "," };
            // A row of one empty cell would be an empty line, which readers skip.
            if cell.contains([',', '"', '\n', '\r'])
                || (cell.is_empty() && column == 0)
                || cell.trim() != cell
            {
                let _ = write!(file, "{comma}\"{}\"", cell.replace('"', "\"\""));
            } else {
                let _ = write!(file, "{comma}{cell}");
            }
        }
        file.push_str("\r\n");
        file
    })
}
