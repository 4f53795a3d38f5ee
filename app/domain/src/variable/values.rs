//! Checking what a caller sends against what a version declares. Every offending variable
//! is listed, with the rule it broke.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::NaiveDate;
use iri_string::types::IriStr;
use regex_lite::Regex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Variable, VariableType, compare, compile_pattern};
use crate::field::FieldError;

/// One value that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RenderError {
    /// The variable's or placeholder's name.
    pub variable: String,
    /// Which rule it broke.
    pub rule: Rule,
    /// What is wrong, in words for a person. Never holds the value itself.
    pub message: String,
}

/// The rules a value can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = RenderRule))]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// It must be sent and was not.
    Required,
    /// It is of another JSON type.
    Type,
    /// It is too long.
    MaxLength,
    /// It is too small.
    Min,
    /// It is too large.
    Max,
    /// The pattern does not match it.
    Pattern,
    /// It is none of the enum's values.
    Values,
    /// No such variable is declared.
    Undeclared,
    /// It is not written as a date, URL, e-mail address or message is.
    Format,
}

impl std::fmt::Display for RenderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.variable, self.message)
    }
}

/// The variables of a version, ready to check values: patterns compiled, defaults rendered.
#[derive(Clone, Debug)]
pub struct Declared {
    checks: Vec<Check>,
    by_name: HashMap<String, usize>,
}

#[derive(Clone, Debug)]
struct Check {
    variable: Variable,
    pattern: Option<Regex>,
    values: HashSet<String>,
    /// What stands in for a value that was not sent; `None` if it must be.
    absent: Option<String>,
}

impl Declared {
    /// Prepares declarations; refuses a pattern that cannot be run.
    pub fn new(path: &str, variables: &[Variable]) -> Result<Self, Vec<FieldError>> {
        let mut checks = Vec::with_capacity(variables.len());
        let mut by_name = HashMap::with_capacity(variables.len());
        let mut errors = Vec::new();
        for (index, variable) in variables.iter().enumerate() {
            let pattern = match variable.pattern.as_deref().map(compile_pattern).transpose() {
                Ok(pattern) => pattern,
                Err(message) => {
                    errors.push(FieldError::new(format!("{path}[{index}].pattern"), message));
                    None
                }
            };
            let absent = (!variable.is_required()).then(|| {
                variable
                    .default
                    .as_ref()
                    .map_or_else(String::new, |value| written(variable, value).into_owned())
            });
            by_name.insert(variable.name.clone(), index);
            checks.push(Check {
                values: variable.values.iter().flatten().cloned().collect(),
                variable: variable.clone(),
                pattern,
                absent,
            });
        }
        if errors.is_empty() {
            Ok(Self { checks, by_name })
        } else {
            Err(errors)
        }
    }

    /// The place of a variable in what [`Declared::texts`] answers.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The variables' names, in the order of declaration.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.checks.iter().map(|check| check.variable.name.as_str())
    }

    /// Checks all values at once and answers them as they will be rendered, in the order of
    /// declaration; or lists every variable that offends, with every rule it breaks.
    pub fn texts<'a>(
        &'a self,
        values: &'a Map<String, Value>,
    ) -> Result<Vec<Cow<'a, str>>, Vec<RenderError>> {
        let mut texts = Vec::with_capacity(self.checks.len());
        let mut errors = Vec::new();
        let refusal = |name: &str, rule, message| RenderError {
            variable: name.to_owned(),
            rule,
            message,
        };
        for (index, check) in self.checks.iter().enumerate() {
            let name = &check.variable.name;
            // null counts as absent, except where null is itself a value.
            let sent = values
                .get(name)
                .filter(|value| !value.is_null() || check.variable.kind == VariableType::Json);
            match (sent, &check.absent) {
                (Some(value), _) => {
                    let found = self.refusals_of(index, value);
                    errors.extend(
                        found
                            .into_iter()
                            .map(|(rule, words)| refusal(name, rule, words)),
                    );
                    texts.push(written(&check.variable, value));
                }
                (None, Some(absent)) => texts.push(Cow::Borrowed(absent.as_str())),
                (None, None) => {
                    errors.push(refusal(name, Rule::Required, "is required".to_owned()));
                }
            }
        }
        for name in values.keys() {
            if !self.by_name.contains_key(name) {
                errors.push(refusal(
                    name,
                    Rule::Undeclared,
                    "is not declared by this version".to_owned(),
                ));
            }
        }
        if errors.is_empty() {
            Ok(texts)
        } else {
            Err(errors)
        }
    }

    /// Every rule that `value` breaks as the value of variable `index`.
    pub(super) fn refusals_of(&self, index: usize, value: &Value) -> Vec<(Rule, String)> {
        let check = &self.checks[index];
        let variable = &check.variable;
        if let Err(message) = check_type(variable.kind, value) {
            return vec![(Rule::Type, message.to_owned())];
        }
        let text = written(variable, value);
        let mut refusals = Vec::new();
        let mut is_too_long = false;
        if let Some(max_length) = variable.max_length {
            // A text never has more characters than bytes, so counting is rarely needed.
            let limit = max_length as usize;
            if text.len() > limit {
                let length = text.chars().count();
                if length > limit {
                    is_too_long = true;
                    let message =
                        format!("has {length} characters; at most {max_length} are allowed");
                    refusals.push((Rule::MaxLength, message));
                }
            }
        }
        if let Value::Number(number) = value {
            if let Some(min) = &variable.min
                && compare(number, min) == Ordering::Less
            {
                refusals.push((Rule::Min, format!("must be at least {min}")));
            }
            if let Some(max) = &variable.max
                && compare(number, max) == Ordering::Greater
            {
                refusals.push((Rule::Max, format!("must be at most {max}")));
            }
        }
        if variable.kind == VariableType::Enum && !check.values.contains(text.as_ref()) {
            let values = variable.values.as_deref().unwrap_or_default();
            let shown = values[..values.len().min(20)].join(", ");
            let more = if values.len() > 20 { ", …" } else { "" };
            refusals.push((Rule::Values, format!("must be one of: {shown}{more}")));
        }
        if let Err(message) = check_format(variable.kind, &text) {
            refusals.push((Rule::Format, message.to_owned()));
        }
        // Matching takes time in proportion to the length: not for what is too long anyway.
        if !is_too_long
            && let Some(pattern) = &check.pattern
            && !pattern.is_match(&text)
        {
            let source = variable.pattern.as_deref().unwrap_or_default();
            refusals.push((
                Rule::Pattern,
                format!("does not match the pattern {source}"),
            ));
        }
        if text.contains('\0') {
            refusals.push((Rule::Format, "must not hold NUL characters".to_owned()));
        }
        refusals
    }
}

/// Checks values against declarations and answers each as it will be rendered.
pub fn validate(
    variables: &[Variable],
    values: &Map<String, Value>,
) -> Result<BTreeMap<String, String>, Vec<RenderError>> {
    let declared = Declared::new("variables", variables).map_err(|errors| {
        let refusal = |error: FieldError| RenderError {
            variable: error.field,
            rule: Rule::Pattern,
            message: error.message,
        };
        errors.into_iter().map(refusal).collect::<Vec<_>>()
    })?;
    let texts = declared.texts(values)?;
    Ok(declared
        .names()
        .zip(texts)
        .map(|(name, text)| (name.to_owned(), text.into_owned()))
        .collect())
}

/// A value as it is put into a template: texts as they are, everything else in its JSON form.
fn written<'a>(variable: &Variable, value: &'a Value) -> Cow<'a, str> {
    match value {
        Value::String(text) if variable.kind != VariableType::Json => Cow::Borrowed(text),
        _ => Cow::Owned(value.to_string()),
    }
}

fn check_type(kind: VariableType, value: &Value) -> Result<(), &'static str> {
    let (fits, message) = match kind {
        VariableType::String | VariableType::Enum => (value.is_string(), "must be a string"),
        VariableType::Date => (value.is_string(), "must be a string holding a date"),
        VariableType::Url => (value.is_string(), "must be a string holding a URL"),
        VariableType::Email => (
            value.is_string(),
            "must be a string holding an e-mail address",
        ),
        VariableType::Integer => (value.is_i64() || value.is_u64(), "must be a whole number"),
        VariableType::Number => (value.is_number(), "must be a number"),
        VariableType::Boolean => (value.is_boolean(), "must be true or false"),
        VariableType::Json => (true, ""),
    };
    if fits { Ok(()) } else { Err(message) }
}

fn check_format(kind: VariableType, text: &str) -> Result<(), &'static str> {
    let (fits, message) = match kind {
        VariableType::Date => (is_date(text), "must be a date such as 2026-03-14"),
        VariableType::Url => (is_url(text), "must be an absolute URL with a host"),
        VariableType::Email => (is_email(text), "must be an e-mail address"),
        VariableType::String
        | VariableType::Integer
        | VariableType::Number
        | VariableType::Boolean
        | VariableType::Enum
        | VariableType::Json => (true, ""),
    };
    if fits { Ok(()) } else { Err(message) }
}

/// RFC 3339 full-date; chrono alone would also take signs and short years.
fn is_date(text: &str) -> bool {
    let is_shaped = text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    is_shaped && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

/// A host is asked for, so `javascript:` and `data:` are no URLs here.
fn is_url(text: &str) -> bool {
    IriStr::new(text)
        .ok()
        .and_then(IriStr::authority_components)
        .is_some_and(|authority| !authority.host().is_empty())
}

/// As browsers judge it (one `@`, a dot-atom, a host name), letters of any script allowed.
fn is_email(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else {
        return false;
    };
    let is_local = !local.is_empty()
        && local.chars().count() <= 64
        && local
            .chars()
            .all(|c| c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c));
    let is_host = host.chars().count() <= 253
        && host.split('.').all(|label| {
            !label.is_empty()
                && label.chars().count() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        });
    is_local && is_host
}
