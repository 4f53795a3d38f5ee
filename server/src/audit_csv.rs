//! The audit trail as a table, for spreadsheets: one form for the API's export and the command line's.

use chrono::SecondsFormat;
use domain::audit::Entry;

/// The names of the columns.
pub(crate) const HEADER: &str =
    "sequence,at,actor_kind,actor_id,actor,action,subject,detail,previous_hash,hash\r\n";

/// An entry as a line, its end included.
pub(crate) fn row(entry: &Entry) -> String {
    let id = entry.actor.id().map(|id| id.to_string());
    let cells = [
        entry.sequence.to_string(),
        entry.at.to_rfc3339_opts(SecondsFormat::Micros, true),
        entry.actor.kind().to_owned(),
        id.unwrap_or_default(),
        entry.actor.name().to_owned(),
        entry.action.clone(),
        entry.subject.clone(),
        entry.detail.to_string(),
        entry.previous_hash.clone(),
        entry.hash.clone(),
    ];
    let mut row = cells.map(|text| cell(&text)).join(",");
    row.push_str("\r\n");
    row
}

/// A cell as RFC 4180 wants it. What a spreadsheet would take for a formula gets an apostrophe
/// before it: names and subjects are other people's words.
pub(crate) fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let apostrophe = if is_formula { "'" } else { "" };
    if is_formula || text.contains([',', '"', '\r', '\n']) {
        format!("\"{apostrophe}{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(cell(text), expected);
    }

    #[test]
    fn a_cell_is_never_a_formula() {
        check("plain", "plain");
        check("=1+1", "\"'=1+1\"");
        check("@SUM(A1)", "\"'@SUM(A1)\"");
        check("-2", "\"'-2\"");
        check("\tx", "\"'\tx\"");
        check("a, \"b\"", "\"a, \"\"b\"\"\"");
        check("two\nlines", "\"two\nlines\"");
    }
}
