//! Scorers that look for texts in an output: whole, part by part, or as items of a list.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::Value;

use super::native::{Found, verdict};
use super::{distance, quoted};
use crate::suite::{ScorerKind, value};

pub(super) fn equals(wanted: &Value, text: &str) -> Found {
    if let Some(wanted) = value::text(wanted) {
        return verdict(
            text == wanted,
            || format!("the output is {}", quoted(&wanted)),
            || {
                if text.trim() == wanted.trim() {
                    format!("only white space around {} differs", quoted(wanted.trim()))
                } else {
                    format!("expected {}, got {}", quoted(&wanted), quoted(text))
                }
            },
        );
    }
    match serde_json::from_str::<Value>(text) {
        Ok(found) => verdict(
            distance::json_equal(wanted, &found),
            || "the output is the expected JSON".to_owned(),
            || {
                format!(
                    "expected the JSON {}, got {}",
                    quoted(&wanted.to_string()),
                    quoted(text)
                )
            },
        ),
        Err(error) => (false, 0.0, format!("the output is not JSON: {error}")),
    }
}

pub(super) fn contains(kind: ScorerKind, wanted: &str, text: &str) -> Result<Found, String> {
    if wanted.is_empty() {
        return Err("looks for an empty text, which is in every output".to_owned());
    }
    let is_found = if kind == ScorerKind::Icontains {
        text.to_lowercase().contains(&wanted.to_lowercase())
    } else {
        text.contains(wanted)
    };
    Ok(verdict(
        is_found,
        || format!("{} is in the output", quoted(wanted)),
        || format!("{} is not in the output", quoted(wanted)),
    ))
}

pub(super) fn contains_texts(
    kind: ScorerKind,
    wanted: &[Cow<'_, str>],
    text: &str,
) -> Result<Found, String> {
    if wanted.is_empty() || wanted.iter().any(|wanted| wanted.is_empty()) {
        return Err("looks for an empty text, or for none at all".to_owned());
    }
    let is_caseless = matches!(kind, ScorerKind::IcontainsAll | ScorerKind::IcontainsAny);
    let lower = if is_caseless {
        text.to_lowercase()
    } else {
        String::new()
    };
    let is_in = |wanted: &&Cow<'_, str>| {
        if is_caseless {
            lower.contains(&wanted.to_lowercase())
        } else {
            text.contains(wanted.as_ref())
        }
    };
    let (found, missing): (Vec<_>, Vec<_>) = wanted.iter().partition(is_in);
    let list = |texts: &[&Cow<'_, str>]| {
        texts
            .iter()
            .map(|text| quoted(text))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let is_any = matches!(kind, ScorerKind::ContainsAny | ScorerKind::IcontainsAny);
    let passed = if is_any {
        !found.is_empty()
    } else {
        missing.is_empty()
    };
    Ok(verdict(
        passed,
        || format!("in the output: {}", list(&found)),
        || format!("not in the output: {}", list(&missing)),
    ))
}

pub(super) fn list_contains(
    wanted: &[Cow<'_, str>],
    text: &str,
    least: f64,
) -> Result<Found, String> {
    if wanted.is_empty() {
        return Err("looks for an empty list".to_owned());
    }
    let items = items_of(text);
    let missing: Vec<String> = wanted
        .iter()
        .filter(|wanted| !items.contains(wanted.trim()))
        .map(|wanted| quoted(wanted))
        .collect();
    let share = distance::ratio(wanted.len() - missing.len(), wanted.len());
    let reason = if missing.is_empty() {
        format!("all {} are in the list", wanted.len())
    } else {
        format!(
            "{} of {} missing: {}",
            missing.len(),
            wanted.len(),
            missing.join(", ")
        )
    };
    Ok((share >= least - 1e-12, share, reason))
}

/// A list as models write them: JSON, else a line each with or without a bullet, else commas.
fn items_of(text: &str) -> HashSet<String> {
    if let Ok(Value::Array(items)) = serde_json::from_str(text.trim()) {
        return items
            .iter()
            .map(|item| {
                value::text(item).map_or_else(|| item.to_string(), |text| text.trim().to_owned())
            })
            .collect();
    }
    let bare = |item: &str| {
        item.trim()
            .trim_start_matches(['-', '*', '•'])
            .trim()
            .to_owned()
    };
    if text.trim().contains('\n') {
        text.lines().map(bare).collect()
    } else {
        text.split(',').map(bare).collect()
    }
}
