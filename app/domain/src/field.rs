//! Reading untrusted JSON field by field, so that an answer can list *every* offending
//! field at once. serde stops at the first; that is why this exists.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One field that was refused, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// Path in the submitted JSON, such as `content.messages[2].role`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl FieldError {
    /// A refusal of `field`.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Reads one JSON object, remembering what was asked for and what was wrong.
/// `finish` refuses members nobody asked for.
pub struct Fields {
    path: String,
    members: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Starts reading `value`; anything but an object is one error.
    pub fn new(path: &str, value: Value) -> Self {
        let mut errors = Vec::new();
        let members = if let Value::Object(members) = value {
            members
        } else {
            let field = if path.is_empty() { "body" } else { path };
            errors.push(FieldError::new(field, "must be an object"));
            Map::new()
        };
        Self {
            path: path.to_owned(),
            members,
            errors,
        }
    }

    /// The full path of a member, for error messages.
    pub fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// Records that `name` was refused.
    pub fn refuse(&mut self, name: &str, message: impl Into<String>) {
        self.errors
            .push(FieldError::new(self.path_of(name), message));
    }

    /// The same, unless something about it or its parts was refused already.
    pub fn refuse_unless_refused(&mut self, name: &str, message: impl Into<String>) {
        let path = self.path_of(name);
        if !self
            .errors
            .iter()
            .any(|error| error.field.starts_with(&path))
        {
            self.refuse(name, message);
        }
    }

    /// Takes over errors found deeper down; their paths are already full.
    pub fn absorb(&mut self, errors: Vec<FieldError>) {
        self.errors.extend(errors);
    }

    /// Takes a member as it is; `null` counts as absent.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        // `shift_remove` keeps the order of the rest, so unknown members are listed as sent.
        self.members
            .shift_remove(name)
            .filter(|value| !value.is_null())
    }

    /// A string that may be missing.
    pub fn text(&mut self, name: &str) -> Option<String> {
        if let Value::String(text) = self.take(name)? {
            Some(text)
        } else {
            self.refuse(name, "must be a string");
            None
        }
    }

    /// Refuses a member that is not there; reading it comes next.
    pub fn require(&mut self, name: &str) {
        if self.members.get(name).is_none_or(Value::is_null) {
            self.refuse(name, "is required");
        }
    }

    /// A string that must be there; an empty one stands in after an error.
    pub fn required_text(&mut self, name: &str) -> String {
        self.require(name);
        self.text(name).unwrap_or_default()
    }

    /// true or false, or missing.
    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        if let Value::Bool(value) = self.take(name)? {
            Some(value)
        } else {
            self.refuse(name, "must be true or false");
            None
        }
    }

    /// A whole number that may be missing.
    pub fn integer(&mut self, name: &str) -> Option<i64> {
        let value = self.take(name)?;
        let whole = value.as_i64();
        if whole.is_none() {
            self.refuse(name, "must be a whole number");
        }
        whole
    }

    /// A number that may be missing.
    pub fn number(&mut self, name: &str) -> Option<f64> {
        let value = self.take(name)?;
        let number = value.as_f64().filter(|number| number.is_finite());
        if number.is_none() {
            self.refuse(name, "must be a number");
        }
        number
    }

    /// A list that may be missing.
    pub fn list(&mut self, name: &str) -> Option<Vec<Value>> {
        if let Value::Array(items) = self.take(name)? {
            Some(items)
        } else {
            self.refuse(name, "must be a list");
            None
        }
    }

    /// A list of strings that may be missing.
    pub fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        let items = self.list(name)?;
        let mut texts = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            match item {
                Value::String(text) => texts.push(text),
                _ => self.refuse(&format!("{name}[{index}]"), "must be a string"),
            }
        }
        Some(texts)
    }

    /// Ends the reading: what was built, or everything that was wrong.
    pub fn finish<T>(mut self, built: impl FnOnce() -> T) -> Result<T, Vec<FieldError>> {
        let unknown: Vec<String> = self.members.keys().cloned().collect();
        for name in unknown {
            self.refuse(&name, "is not a known field");
        }
        if self.errors.is_empty() {
            Ok(built())
        } else {
            Err(self.errors)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_wrong_field_is_listed_at_once() {
        let mut fields = Fields::new("", json!({"name": 3, "tags": ["a", 1], "colour": "red"}));
        let _ = fields.required_text("name");
        let _ = fields.texts("tags");
        let _ = fields.required_text("description");
        let errors = fields.finish(|| ()).unwrap_err();
        let listed: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            listed,
            [
                "name: must be a string",
                "tags[1]: must be a string",
                "description: is required",
                "colour: is not a known field",
            ]
        );
    }
}
