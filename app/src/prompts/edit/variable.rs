//! One variable as it is being declared. A member that was not touched goes back as it was
//! written: absent stays absent, `1.0` stays `1.0`.

use domain::{
    field::FieldError,
    variable::{Trust, Variable, VariableType},
};
use serde_json::{Map, Value, json};

use super::draft::{number_or_text, read_json};

/// The longest value a newly declared text may have, until somebody thinks about it.
const FIRST_LENGTH: &str = "2000";

/// A variable being declared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DraftVariable {
    /// Tells it apart on the screen.
    pub id: u32,
    /// The name templates use.
    pub name: String,
    /// What its values are.
    pub kind: Type,
    /// Whether a caller must send it.
    pub is_required: bool,
    /// Whether its values come from our own systems.
    pub is_trusted: bool,
    /// The value of a caller who sends none.
    pub default: String,
    /// Most characters.
    pub max_length: String,
    /// Smallest number.
    pub min: String,
    /// Largest number.
    pub max: String,
    /// A regular expression.
    pub pattern: String,
    /// The values of an enum: with commas between them, or as a JSON list.
    pub values: String,
    /// A value to try the prompt with.
    pub example: String,
    /// What it is, for people.
    pub description: String,
    /// As it was written.
    written: Option<Box<Variable>>,
}

/// The type, so that a draft has a default one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type(pub VariableType);

impl Default for Type {
    fn default() -> Self {
        Self(VariableType::String)
    }
}

impl DraftVariable {
    /// A new one: text from a stranger, of limited length.
    pub fn named(id: u32, name: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            is_required: true,
            max_length: FIRST_LENGTH.to_owned(),
            ..Self::default()
        }
    }

    /// As it is declared.
    pub fn of(id: u32, variable: &Variable) -> Self {
        let number = |number: &Option<serde_json::Number>| {
            number.as_ref().map(ToString::to_string).unwrap_or_default()
        };
        Self {
            id,
            name: variable.name.clone(),
            kind: Type(variable.kind),
            is_required: variable.is_required(),
            is_trusted: variable.trust() == Trust::Trusted,
            default: value_text(variable.kind, variable.default.as_ref()),
            max_length: variable
                .max_length
                .map(|length| length.to_string())
                .unwrap_or_default(),
            min: number(&variable.min),
            max: number(&variable.max),
            pattern: variable.pattern.clone().unwrap_or_default(),
            values: variable
                .values
                .as_deref()
                .map(values_text)
                .unwrap_or_default(),
            example: value_text(variable.kind, variable.example.as_ref()),
            description: variable.description.clone().unwrap_or_default(),
            written: Some(Box::new(variable.clone())),
        }
    }

    /// Changes the type, and drops or adds the limits that belong to it.
    pub fn set_kind(&mut self, kind: VariableType) {
        self.kind = Type(kind);
        if !kind.needs_max_length() {
            self.max_length.clear();
        } else if self.max_length.is_empty() {
            FIRST_LENGTH.clone_into(&mut self.max_length);
        }
        if !kind.is_numeric() {
            self.min.clear();
            self.max.clear();
        }
        if kind != VariableType::Enum {
            self.values.clear();
        }
    }

    /// The declaration as JSON.
    pub fn to_json(&self, path: &str, errors: &mut Vec<FieldError>) -> Value {
        let kind = self.kind.0;
        let mut members = Map::new();
        let mut insert = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                members.insert(name.to_owned(), value);
            }
        };
        insert("name", Some(json!(self.name)));
        insert("type", Some(json!(kind.word())));
        insert("required", self.required().map(Value::Bool));
        insert(
            "default",
            self.value(
                "default",
                &self.default,
                |written| &written.default,
                path,
                errors,
            ),
        );
        insert("max_length", filled(&self.max_length).map(number_or_text));
        insert("min", filled(&self.min).map(number_or_text));
        insert("max", filled(&self.max).map(number_or_text));
        insert("pattern", filled(&self.pattern).map(|text| json!(text)));
        insert("values", self.values(path, errors));
        insert("trust", self.trust().map(|word| json!(word)));
        insert(
            "example",
            self.value(
                "example",
                &self.example,
                |written| &written.example,
                path,
                errors,
            ),
        );
        insert(
            "description",
            filled(&self.description).map(|text| json!(text)),
        );
        Value::Object(members)
    }

    /// Said only where it was said before, or where it is not what silence means.
    fn required(&self) -> Option<bool> {
        match &self.written {
            Some(written) if written.is_required() == self.is_required => written.required,
            None if self.is_required && self.default.is_empty() => None,
            _ => Some(self.is_required),
        }
    }

    fn trust(&self) -> Option<&'static str> {
        let trust = match &self.written {
            Some(written) if (written.trust() == Trust::Trusted) == self.is_trusted => {
                written.trust
            }
            _ if self.is_trusted => Some(Trust::Trusted),
            None => None,
            Some(_) => Some(Trust::Untrusted),
        };
        trust.map(super::super::words::trust)
    }

    fn value(
        &self,
        member: &str,
        text: &str,
        written: fn(&Variable) -> &Option<Value>,
        path: &str,
        errors: &mut Vec<FieldError>,
    ) -> Option<Value> {
        let kind = self.kind.0;
        if let Some(before) = &self.written
            && before.kind == kind
            && value_text(kind, written(before).as_ref()) == text
        {
            return written(before).clone();
        }
        if text.is_empty() {
            return None;
        }
        match kind {
            VariableType::String
            | VariableType::Enum
            | VariableType::Date
            | VariableType::Url
            | VariableType::Email => Some(json!(text)),
            VariableType::Integer | VariableType::Number => Some(number_or_text(text)),
            VariableType::Boolean => Some(match text.trim() {
                "true" => json!(true),
                "false" => json!(false),
                other => json!(other),
            }),
            VariableType::Json => read_json(&format!("{path}.{member}"), text, errors),
        }
    }

    fn values(&self, path: &str, errors: &mut Vec<FieldError>) -> Option<Value> {
        if self.kind.0 != VariableType::Enum {
            return None;
        }
        let text = self.values.trim();
        if text.starts_with('[') {
            return read_json(&format!("{path}.values"), text, errors);
        }
        let values: Vec<&str> = text
            .split(',')
            .map(str::trim)
            .filter(|value| !value.is_empty())
            .collect();
        Some(json!(values))
    }
}

fn filled(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// A value as it stands in its field.
fn value_text(kind: VariableType, value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::String(text)) if kind != VariableType::Json => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// An enum's values with commas between them; as JSON where that could not be read back.
fn values_text(values: &[String]) -> String {
    let is_plain = |value: &String| {
        !value.is_empty()
            && !value.contains(',')
            && value.trim() == value
            && !value.starts_with('[')
    };
    if values.iter().all(is_plain) {
        values.join(", ")
    } else {
        json!(values).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variable: &DraftVariable, expected: Value) {
        let mut errors = Vec::new();
        assert_eq!(
            variable.to_json("content.variables[0]", &mut errors),
            expected
        );
        assert_eq!(errors, []);
    }

    #[test]
    fn a_new_variable_is_a_strangers_text_of_limited_length() {
        let variable = DraftVariable::named(1, "mail");
        check(
            &variable,
            json!({"name": "mail", "type": "string", "max_length": 2000}),
        );
    }

    #[test]
    fn another_type_has_other_limits() {
        let mut variable = DraftVariable::named(1, "language");
        variable.set_kind(VariableType::Enum);
        variable.values = "en, de ,fr,".to_owned();
        check(
            &variable,
            json!({"name": "language", "type": "enum", "values": ["en", "de", "fr"]}),
        );
        variable.set_kind(VariableType::Integer);
        variable.is_required = false;
        variable.is_trusted = true;
        variable.default = "3".to_owned();
        variable.min = "1".to_owned();
        check(
            &variable,
            json!({"name": "language", "type": "integer", "required": false, "default": 3, "min": 1,
                   "trust": "trusted"}),
        );
    }

    #[test]
    fn only_what_was_touched_changes() {
        let declared = json!({"name": "x", "type": "json", "max_length": 9, "default": "text"});
        let mut variable = DraftVariable::of(1, &Variable::parse("v", declared.clone()).unwrap());
        check(&variable, declared);
        variable.is_required = true;
        variable.default = "{".to_owned();
        let mut errors = Vec::new();
        let value = variable.to_json("v", &mut errors);
        assert_eq!(
            value,
            json!({"name": "x", "type": "json", "required": true, "max_length": 9})
        );
        assert_eq!(errors[0].field, "v.default");
    }
}
