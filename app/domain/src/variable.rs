//! Variables as a version declares them: type, limits, trust. `values` checks what a caller
//! sends against them; which variables a template uses is the template's business.

use std::cmp::Ordering;
use std::collections::HashSet;

use regex_lite::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::field::{FieldError, Fields};
use crate::template::{MAX_NAME, is_name};

mod values;

pub use values::{Declared, RenderError, Rule, validate};

/// Most variables one version may declare.
pub const MAX_VARIABLES: usize = 1_000;

/// Longest value anyone may allow, in characters.
pub const MAX_LENGTH: u32 = 1_048_576;

/// Longest pattern, in characters.
const MAX_PATTERN: usize = 1_000;

/// Matching costs pattern size times value length, so the compiled size is kept small.
const MAX_COMPILED_PATTERN: usize = 256 * 1024;

/// One declared variable. Absent members stay absent: the declaration is hashed as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Variable {
    /// The name templates use.
    pub name: String,
    /// What its values are.
    #[serde(rename = "type")]
    pub kind: VariableType,
    /// Whether a caller must send it; see [`Variable::is_required`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// The value of a caller who sends none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Most characters of the value as rendered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// Smallest number allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<f64>))]
    pub min: Option<Number>,
    /// Largest number allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<f64>))]
    pub max: Option<Number>,
    /// A regular expression that must match the whole value as rendered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The values of an enum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<String>>,
    /// Where values come from; see [`Variable::trust`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<Trust>,
    /// A value to try the prompt with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Value>,
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What a variable's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum VariableType {
    /// Any text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// true or false.
    Boolean,
    /// One of listed texts.
    Enum,
    /// An RFC 3339 full date, such as 2026-03-14.
    Date,
    /// An absolute URL with a host.
    Url,
    /// An e-mail address.
    Email,
    /// Any JSON, rendered without spaces.
    Json,
}

impl VariableType {
    /// All of them, in the order people are offered them.
    pub const ALL: [Self; 9] = [
        Self::String,
        Self::Integer,
        Self::Number,
        Self::Boolean,
        Self::Enum,
        Self::Date,
        Self::Url,
        Self::Email,
        Self::Json,
    ];

    /// The word used in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Enum => "enum",
            Self::Date => "date",
            Self::Url => "url",
            Self::Email => "email",
            Self::Json => "json",
        }
    }

    /// Whether values are as long as the sender likes, so that a limit must be declared.
    pub fn needs_max_length(self) -> bool {
        matches!(self, Self::String | Self::Url | Self::Email | Self::Json)
    }

    /// Whether `min` and `max` mean something.
    pub fn is_numeric(self) -> bool {
        matches!(self, Self::Integer | Self::Number)
    }
}

impl std::fmt::Display for VariableType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// Where a variable's values come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// From our own systems.
    Trusted,
    /// From whoever types: may hold instructions for the model.
    #[default]
    Untrusted,
}

impl Variable {
    /// Whether a caller must send it: said so, or neither said otherwise nor given a default.
    pub fn is_required(&self) -> bool {
        self.required.unwrap_or(self.default.is_none())
    }

    /// Untrusted unless declared otherwise.
    pub fn trust(&self) -> Trust {
        self.trust.unwrap_or_default()
    }

    /// Reads one declaration; default and example must keep its own rules.
    pub fn parse(path: &str, value: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::new(path, value);
        let name = fields.required_text("name");
        if !name.is_empty() && !is_name(&name) {
            fields.refuse(
                "name",
                format!(
                    "must start with a letter or `_`, go on with letters, digits or `_`, \
                     and have at most {MAX_NAME} characters"
                ),
            );
        }
        let word = fields.required_text("type");
        let kind = VariableType::ALL
            .into_iter()
            .find(|kind| kind.word() == word);
        if kind.is_none() && !word.is_empty() {
            let words = VariableType::ALL.map(VariableType::word).join(", ");
            fields.refuse("type", format!("must be one of {words}"));
        }
        let kind = kind.unwrap_or(VariableType::String);
        let variable = Self {
            name,
            kind,
            required: fields.boolean("required"),
            default: fields.take("default"),
            max_length: read_max_length(&mut fields, kind),
            min: read_bound(&mut fields, "min", kind),
            max: read_bound(&mut fields, "max", kind),
            pattern: fields.text("pattern"),
            values: read_values(&mut fields, kind),
            trust: read_trust(&mut fields),
            example: fields.take("example"),
            description: fields.text("description"),
        };
        if variable.required == Some(true) && variable.default.is_some() {
            fields.refuse(
                "default",
                "a required variable is always sent, so it has no default",
            );
        }
        if let (Some(min), Some(max)) = (&variable.min, &variable.max)
            && compare(min, max) == Ordering::Greater
        {
            fields.refuse("max", "must not be smaller than min");
        }
        if let Some(pattern) = &variable.pattern
            && let Err(message) = compile_pattern(pattern)
        {
            fields.refuse("pattern", message);
        }
        let variable = fields.finish(|| variable)?;
        variable.check_own_values(path)?;
        Ok(variable)
    }

    /// Default and example must be values the variable itself would take.
    fn check_own_values(&self, path: &str) -> Result<(), Vec<FieldError>> {
        let declared = Declared::new(path, std::slice::from_ref(self))?;
        let members = [("default", &self.default), ("example", &self.example)];
        let mut errors = Vec::new();
        for (member, value) in members {
            let Some(value) = value else { continue };
            for (_, message) in declared.refusals_of(0, value) {
                errors.push(FieldError::new(format!("{path}.{member}"), message));
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }
}

/// Reads the variables of a version: a list, or an object keyed by name. An object has no
/// order of its own, so it becomes a list by name: the hash must not depend on how a
/// client's JSON library happens to order members.
pub fn parse_variables(path: &str, value: Value) -> Result<Vec<Variable>, Vec<FieldError>> {
    let declarations: Vec<(String, Value)> = match value {
        Value::Array(items) => {
            let place = |(index, item)| (format!("{path}[{index}]"), item);
            items.into_iter().enumerate().map(place).collect()
        }
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> = members.into_iter().collect();
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            let place = |(key, item): (String, Value)| (format!("{path}.{key}"), named(&key, item));
            members.into_iter().map(place).collect()
        }
        _ => {
            let message = "must be a list, or an object keyed by name";
            return Err(vec![FieldError::new(path, message)]);
        }
    };
    if declarations.len() > MAX_VARIABLES {
        let message = format!(
            "declares {} variables; at most {MAX_VARIABLES} are allowed",
            declarations.len()
        );
        return Err(vec![FieldError::new(path, message)]);
    }
    let mut variables: Vec<Variable> = Vec::with_capacity(declarations.len());
    let mut names = HashSet::new();
    let mut errors = Vec::new();
    for (path, item) in declarations {
        match Variable::parse(&path, item) {
            Ok(variable) => {
                if !names.insert(variable.name.clone()) {
                    let message = format!("`{}` is declared twice", variable.name);
                    errors.push(FieldError::new(format!("{path}.name"), message));
                }
                variables.push(variable);
            }
            Err(found) => errors.extend(found),
        }
    }
    if errors.is_empty() {
        Ok(variables)
    } else {
        Err(errors)
    }
}

/// A declaration from an object keyed by name gets its key as name where it says none.
/// One that says another name is believed: two of the same are refused like in a list.
fn named(key: &str, item: Value) -> Value {
    match item {
        Value::Object(mut members) if members.get("name").is_none_or(Value::is_null) => {
            members.insert("name".to_owned(), Value::String(key.to_owned()));
            Value::Object(members)
        }
        item => item,
    }
}

fn read_max_length(fields: &mut Fields, kind: VariableType) -> Option<u32> {
    let Some(value) = fields.take("max_length") else {
        if kind.needs_max_length() {
            fields.refuse("max_length", format!("is required for type {kind}"));
        }
        return None;
    };
    let length = value.as_u64().and_then(|length| u32::try_from(length).ok());
    let length = length.filter(|length| (1..=MAX_LENGTH).contains(length));
    if length.is_none() {
        fields.refuse(
            "max_length",
            format!("must be a whole number from 1 to {MAX_LENGTH}"),
        );
    }
    length
}

fn read_bound(fields: &mut Fields, member: &str, kind: VariableType) -> Option<Number> {
    match fields.take(member)? {
        Value::Number(_) if !kind.is_numeric() => {
            fields.refuse(
                member,
                format!("applies to integer and number, not to {kind}"),
            );
            None
        }
        Value::Number(bound) => Some(bound),
        _ => {
            fields.refuse(member, "must be a number");
            None
        }
    }
}

fn read_values(fields: &mut Fields, kind: VariableType) -> Option<Vec<String>> {
    let values = fields.texts("values");
    match (&values, kind) {
        (None, VariableType::Enum) => {
            fields.refuse("values", "an enum lists its values");
        }
        (Some(values), VariableType::Enum) => {
            let mut seen = HashSet::new();
            if values.is_empty() {
                fields.refuse("values", "an enum has at least one value");
            } else if values.len() > MAX_VARIABLES {
                fields.refuse(
                    "values",
                    format!("at most {MAX_VARIABLES} values are allowed"),
                );
            } else if let Some(twice) = values.iter().find(|value| !seen.insert(*value)) {
                let message = format!("`{twice}` is listed twice");
                fields.refuse("values", message);
            }
        }
        (Some(_), _) => fields.refuse("values", format!("applies to enum, not to {kind}")),
        (None, _) => {}
    }
    values
}

fn read_trust(fields: &mut Fields) -> Option<Trust> {
    match fields.text("trust")?.as_str() {
        "trusted" => Some(Trust::Trusted),
        "untrusted" => Some(Trust::Untrusted),
        _ => {
            fields.refuse("trust", "must be trusted or untrusted");
            None
        }
    }
}

/// Compiles a pattern so that it must match from the first character to the last.
fn compile_pattern(pattern: &str) -> Result<Regex, String> {
    if pattern.chars().count() > MAX_PATTERN {
        return Err(format!("may have at most {MAX_PATTERN} characters"));
    }
    let build = |pattern: &str| {
        RegexBuilder::new(pattern)
            .size_limit(MAX_COMPILED_PATTERN)
            .build()
            .map_err(|error| format!("is not a regular expression we can run: {error}"))
    };
    // Alone first: `a)|(b` must not become valid by what is put around it.
    build(pattern)?;
    build(&format!(r"\A(?:{pattern})\z"))
}

/// Compares two JSON numbers, whole ones exactly.
fn compare(one: &Number, other: &Number) -> Ordering {
    if let (Some(one), Some(other)) = (one.as_i128(), other.as_i128()) {
        return one.cmp(&other);
    }
    let as_float = |number: &Number| number.as_f64().unwrap_or(f64::NAN);
    as_float(one).total_cmp(&as_float(other))
}

#[cfg(test)]
mod tests;
