//! Changed variables and placeholders, and whether they break callers: rendering refuses
//! values that are missing, unknown or outside the declaration, so whatever asks for more or
//! takes less than before is a break.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use crate::content::{Content, canonical};
use crate::variable::{Variable, VariableType, validate};

/// One variable or placeholder that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VariableChange {
    /// Its name.
    pub name: String,
    /// Whether it is a placeholder for messages rather than a variable.
    pub is_placeholder: bool,
    /// What happened to it.
    pub change: Change,
    /// Whether a caller that worked before may be refused now.
    pub breaks_callers: bool,
    /// Why, one sentence each; empty if it breaks nobody.
    pub why: Vec<String>,
}

/// What happened to a variable or placeholder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = VariableChangeKind))]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is new.
    Added,
    /// It is gone, or has another name now.
    Removed,
    /// These members of its declaration differ.
    Changed(Vec<String>),
}

pub(super) fn changes(old: &Content, new: &Content) -> Vec<VariableChange> {
    let mut changes = Vec::new();
    for before in old.declared() {
        let after = new
            .declared()
            .iter()
            .find(|variable| variable.name == before.name);
        let Some(after) = after else {
            let why = "callers that still send it are refused";
            changes.push(change(
                &before.name,
                false,
                Change::Removed,
                vec![why.to_owned()],
            ));
            continue;
        };
        let members = changed_members(before, after);
        if !members.is_empty() {
            let why = narrowed(before, after);
            changes.push(change(&before.name, false, Change::Changed(members), why));
        }
    }
    for after in new.declared() {
        if old
            .declared()
            .iter()
            .all(|variable| variable.name != after.name)
        {
            let why = after
                .is_required()
                .then(|| "it is required, and callers do not send it yet".to_owned());
            changes.push(change(
                &after.name,
                false,
                Change::Added,
                why.into_iter().collect(),
            ));
        }
    }
    for name in old
        .placeholders()
        .filter(|name| !new.placeholders().any(|other| other == *name))
    {
        let why = "callers that still send it are refused";
        changes.push(change(name, true, Change::Removed, vec![why.to_owned()]));
    }
    for name in new
        .placeholders()
        .filter(|name| !old.placeholders().any(|other| other == *name))
    {
        let why = "it is required, and callers do not send it yet";
        changes.push(change(name, true, Change::Added, vec![why.to_owned()]));
    }
    changes
}

fn change(name: &str, is_placeholder: bool, change: Change, why: Vec<String>) -> VariableChange {
    let breaks_callers = !why.is_empty();
    VariableChange {
        name: name.to_owned(),
        is_placeholder,
        change,
        breaks_callers,
        why,
    }
}

/// The members of the two declarations that differ, in the order of the declaration.
fn changed_members(old: &Variable, new: &Variable) -> Vec<String> {
    let members = |variable| match serde_json::to_value(variable) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    };
    let (before, after) = (members(old), members(new));
    let mut names: Vec<&String> = before.keys().collect();
    names.extend(after.keys().filter(|name| !before.contains_key(*name)));
    names
        .into_iter()
        .filter(|name| canonical(&before.get(*name)) != canonical(&after.get(*name)))
        .cloned()
        .collect()
}

/// Every way in which `new` takes less than `old` did.
fn narrowed(old: &Variable, new: &Variable) -> Vec<String> {
    let mut why = Vec::new();
    if new.is_required() && !old.is_required() {
        why.push("it is required now, and callers may not send it".to_owned());
    }
    if old.kind == VariableType::Enum
        && matches!(new.kind, VariableType::Enum | VariableType::String)
    {
        why.extend(refused_values(old, new));
        return why;
    }
    if !is_wider(old.kind, new.kind) {
        why.push(format!(
            "values of type {} are no longer taken, only {}",
            old.kind, new.kind
        ));
        return why;
    }
    if let Some(limit) = new.max_length
        && longest(old).is_none_or(|length| length > limit)
    {
        why.push(format!(
            "values longer than {limit} characters are no longer taken"
        ));
    }
    if is_tighter(old.min.as_ref(), new.min.as_ref(), |old, new| new > old) {
        why.push(format!(
            "values under {} are no longer taken",
            shown(new.min.as_ref())
        ));
    }
    if is_tighter(old.max.as_ref(), new.max.as_ref(), |old, new| new < old) {
        why.push(format!(
            "values over {} are no longer taken",
            shown(new.max.as_ref())
        ));
    }
    if let Some(pattern) = &new.pattern
        && old.pattern.as_ref() != Some(pattern)
    {
        why.push(format!(
            "values that do not match {pattern} are no longer taken"
        ));
    }
    why
}

/// The values of an enum are known, so the new declaration can simply be asked.
fn refused_values(old: &Variable, new: &Variable) -> Option<String> {
    let is_refused = |value: &&String| {
        let sent = Map::from_iter([(new.name.clone(), Value::String((*value).clone()))]);
        validate(std::slice::from_ref(new), &sent).is_err()
    };
    let refused: Vec<&str> = old
        .values
        .iter()
        .flatten()
        .filter(is_refused)
        .map(String::as_str)
        .collect();
    let verb = if refused.len() == 1 { "is" } else { "are" };
    (!refused.is_empty()).then(|| format!("{} {verb} no longer taken", refused.join(", ")))
}

/// Whether every value of type `old` is also one of type `new`.
fn is_wider(old: VariableType, new: VariableType) -> bool {
    match old {
        VariableType::Integer => matches!(new, VariableType::Integer | VariableType::Number),
        VariableType::Date | VariableType::Url | VariableType::Email => {
            new == old || new == VariableType::String
        }
        VariableType::String
        | VariableType::Number
        | VariableType::Boolean
        | VariableType::Enum
        | VariableType::Json => new == old,
    }
}

/// The length no value of the old declaration exceeds; `None` if there is no such limit.
fn longest(old: &Variable) -> Option<u32> {
    match old.kind {
        VariableType::Date => Some(10),
        VariableType::Boolean => Some(5),
        VariableType::String
        | VariableType::Integer
        | VariableType::Number
        | VariableType::Enum
        | VariableType::Url
        | VariableType::Email
        | VariableType::Json => old.max_length,
    }
}

fn is_tighter(old: Option<&Number>, new: Option<&Number>, tighter: fn(f64, f64) -> bool) -> bool {
    let as_float = |number: &Number| number.as_f64().unwrap_or(f64::NAN);
    match (old, new) {
        (Some(old), Some(new)) => tighter(as_float(old), as_float(new)),
        (None, Some(_)) => true,
        (_, None) => false,
    }
}

fn shown(bound: Option<&Number>) -> String {
    bound.map(ToString::to_string).unwrap_or_default()
}
