//! Where a message says that something begins and ends: tags, fences, triple quotes, ruled
//! lines. Only whether a place lies inside any of them matters.

use std::collections::HashMap;
use std::ops::Range;

/// The delimited stretches, in order and without overlap.
pub(super) fn spans(text: &str) -> Vec<Range<usize>> {
    let mut spans = tags(text);
    for fence in ["```", "~~~", "\"\"\"", "'''"] {
        let places: Vec<usize> = text.match_indices(fence).map(|(at, _)| at).collect();
        spans.extend(places.chunks_exact(2).map(|pair| pair[0]..pair[1]));
    }
    for (open, close) in [("<<<", ">>>"), ("[[", "]]"), ("<![CDATA[", "]]>")] {
        spans.extend(brackets(text, open, close));
    }
    // Between the first and the last ruled line everything lies between two of them.
    let rules: Vec<usize> = ruled_lines(text).collect();
    if let (Some(first), Some(last)) = (rules.first(), rules.last())
        && first < last
    {
        spans.push(*first..*last);
    }
    merged(spans)
}

/// Whether a place lies in one of [`spans`].
pub(super) fn contains(spans: &[Range<usize>], at: usize) -> bool {
    let next = spans.partition_point(|span| span.start <= at);
    next > 0 && spans[next - 1].contains(&at)
}

/// Stretches from `<name …>` to the next `</name>`.
fn tags(text: &str) -> Vec<Range<usize>> {
    let mut open: HashMap<&str, usize> = HashMap::new();
    let mut spans = Vec::new();
    for (at, _) in text.match_indices('<') {
        let rest = &text[at + 1..];
        let (is_closing, rest) = match rest.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
        let name = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        // An opening tag may go on with attributes; both kinds end on their own line.
        let is_tag = !name.is_empty()
            && rest[name.len()..].starts_with(|c: char| c == '>' || c.is_whitespace());
        if !is_tag {
            continue;
        }
        if !is_closing {
            open.entry(name).or_insert(at);
        } else if let Some(start) = open.remove(name) {
            spans.push(start..at);
        }
    }
    spans
}

fn brackets(text: &str, open: &str, close: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find(open).map(|at| from + at) {
        let Some(length) = text[start..].find(close) else {
            break;
        };
        spans.push(start..start + length);
        from = start + length + close.len();
    }
    spans
}

/// Where lines begin that are nothing but a rule, or open with one: `---`, `=====`,
/// `### Ticket ###`.
fn ruled_lines(text: &str) -> impl Iterator<Item = usize> {
    let mut at = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let start = at;
        at += line.len();
        let line = line.trim();
        ["---", "===", "***", "###", "___", "+++", "~~~"]
            .into_iter()
            .any(|rule| line.starts_with(rule) && line.ends_with(rule))
            .then_some(start)
    })
}

fn merged(mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    spans.sort_by_key(|span| span.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    merged
}
