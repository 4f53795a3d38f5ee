//! Rendering a whole content. What does not change between two calls (templates, patterns,
//! defaults) is prepared once: this runs for every request of every client.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Segment, Template};
use crate::content::{Content, Message};
use crate::field::FieldError;
use crate::variable::{Declared, RenderError, Rule};

/// Most bytes of text in the rendered messages: a value may be long and stand in many places.
const MAX_RENDERED: usize = 16 * 1024 * 1024;

/// A content ready to render.
#[derive(Clone, Debug)]
pub struct Compiled {
    messages: Vec<Prepared>,
    declared: Declared,
    placeholders: Vec<String>,
}

#[derive(Clone, Debug)]
enum Prepared {
    /// A message as it will be answered, its content still to be filled in.
    Chat {
        message: Map<String, Value>,
        parts: Vec<Part>,
    },
    /// The messages of a placeholder.
    Placeholder(String),
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    /// The variable's place in the declarations.
    Variable(usize),
}

impl Compiled {
    /// Prepares a content. One that was saved always can be; a draft may still hold includes,
    /// wrong templates or undeclared variables, and all of them are listed.
    pub fn new(content: &Content) -> Result<Self, Vec<FieldError>> {
        let declared = Declared::new("content.variables", content.declared())?;
        let mut errors = Vec::new();
        let mut messages = Vec::with_capacity(content.messages.len());
        for (index, message) in content.messages.iter().enumerate() {
            let message = match message {
                Message::Chat(message) => message,
                Message::Placeholder(placeholder) => {
                    messages.push(Prepared::Placeholder(placeholder.name.clone()));
                    continue;
                }
            };
            let field = format!("content.messages[{index}].content");
            let parts = prepare(&message.content, &declared);
            match (parts, serde_json::to_value(message)) {
                (Ok(parts), Ok(Value::Object(message))) => {
                    messages.push(Prepared::Chat { message, parts });
                }
                (Ok(_), _) => errors.push(FieldError::new(field, "cannot be written as JSON")),
                (Err(words), _) => errors.push(FieldError::new(field, words)),
            }
        }
        let placeholders = content.placeholders().map(str::to_owned).collect();
        if errors.is_empty() {
            Ok(Self {
                messages,
                declared,
                placeholders,
            })
        } else {
            Err(errors)
        }
    }

    /// The messages with `values` put in, and with each placeholder's messages untouched in
    /// its place. Lists every variable and placeholder that is missing, wrong or unknown.
    pub fn render(
        &self,
        values: &Map<String, Value>,
        placeholders: &Map<String, Value>,
    ) -> Result<Vec<Value>, Vec<RenderError>> {
        let misplaced = self.refuse_placeholders(placeholders);
        let texts = match self.declared.texts(values) {
            Ok(texts) if misplaced.is_empty() => texts,
            Ok(_) => return Err(misplaced),
            Err(errors) => return Err(errors.into_iter().chain(misplaced).collect()),
        };
        self.refuse_oversize(&texts)?;
        let mut rendered = Vec::with_capacity(self.messages.len());
        for prepared in &self.messages {
            match prepared {
                Prepared::Chat { message, parts } => {
                    let mut message = message.clone();
                    message.insert("content".to_owned(), Value::String(fill_in(parts, &texts)));
                    rendered.push(Value::Object(message));
                }
                Prepared::Placeholder(name) => {
                    let inserted = placeholders.get(name).and_then(Value::as_array);
                    rendered.extend(inserted.into_iter().flatten().cloned());
                }
            }
        }
        Ok(rendered)
    }

    fn refuse_placeholders(&self, placeholders: &Map<String, Value>) -> Vec<RenderError> {
        let mut errors = Vec::new();
        let mut refuse = |name: &str, rule, message: String| {
            errors.push(RenderError {
                variable: name.to_owned(),
                rule,
                message,
            });
        };
        for name in &self.placeholders {
            match placeholders.get(name) {
                None | Some(Value::Null) => {
                    let words = "this placeholder is required; send [] to leave it empty";
                    refuse(name, Rule::Required, words.to_owned());
                }
                Some(Value::Array(messages)) => {
                    for (index, message) in messages.iter().enumerate() {
                        if let Err(words) = check_message(message) {
                            refuse(name, Rule::Format, format!("message {index} {words}"));
                        }
                    }
                }
                Some(_) => refuse(name, Rule::Type, "must be a list of messages".to_owned()),
            }
        }
        for name in placeholders.keys() {
            if !self.placeholders.contains(name) {
                let words = "is no placeholder of this version";
                refuse(name, Rule::Undeclared, words.to_owned());
            }
        }
        errors
    }

    /// Adds up before anything is written, so that a refusal costs no memory.
    fn refuse_oversize(&self, texts: &[Cow<'_, str>]) -> Result<(), Vec<RenderError>> {
        let mut total = 0_usize;
        let mut shares = vec![0_usize; texts.len()];
        for prepared in &self.messages {
            let Prepared::Chat { parts, .. } = prepared else {
                continue;
            };
            for part in parts {
                match part {
                    Part::Text(text) => total += text.len(),
                    Part::Variable(index) => {
                        total += texts[*index].len();
                        shares[*index] += texts[*index].len();
                    }
                }
            }
        }
        if total <= MAX_RENDERED {
            return Ok(());
        }
        let largest = shares
            .iter()
            .zip(self.declared.names())
            .max_by_key(|(share, _)| **share);
        let message = format!(
            "the rendered messages would have {total} bytes; at most {MAX_RENDERED} are allowed"
        );
        let variable = largest.map_or_else(String::new, |(_, name)| name.to_owned());
        Err(vec![RenderError {
            variable,
            rule: Rule::MaxLength,
            message,
        }])
    }
}

fn prepare(source: &str, declared: &Declared) -> Result<Vec<Part>, String> {
    let template = Template::parse(source).map_err(|error| error.to_string())?;
    let mut parts = Vec::with_capacity(template.segments.len());
    for segment in template.segments {
        parts.push(match segment {
            Segment::Text(text) => Part::Text(text),
            Segment::Variable { name, .. } => match declared.index_of(&name) {
                Some(index) => Part::Variable(index),
                None => return Err(format!("`{name}` is not declared as a variable")),
            },
            Segment::Include { include, .. } => {
                return Err(format!("`{include}` has not been put in yet"));
            }
        });
    }
    Ok(parts)
}

fn fill_in(parts: &[Part], texts: &[Cow<'_, str>]) -> String {
    fn piece<'a>(part: &'a Part, texts: &'a [Cow<'_, str>]) -> &'a str {
        match part {
            Part::Text(text) => text,
            Part::Variable(index) => &texts[*index],
        }
    }
    let mut out = String::with_capacity(parts.iter().map(|part| piece(part, texts).len()).sum());
    for part in parts {
        out.push_str(piece(part, texts));
    }
    out
}

/// A message of a placeholder has a role and, unless it only makes calls, a content.
fn check_message(message: &Value) -> Result<(), &'static str> {
    let Value::Object(members) = message else {
        return Err("must be an object");
    };
    let role = members.get("role").and_then(Value::as_str);
    if role.is_none_or(str::is_empty) {
        return Err("must have a role");
    }
    match members.get("content") {
        Some(Value::String(_) | Value::Array(_)) => Ok(()),
        None | Some(Value::Null) if members.contains_key("tool_calls") => Ok(()),
        _ => Err("must have a content that is a string or a list"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn compiled(content: Value) -> Compiled {
        Compiled::new(&Content::parse("content", content).unwrap()).unwrap()
    }

    fn object(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    fn triage() -> Compiled {
        compiled(json!({
            "type": "chat",
            "messages": [
                {"role": "system", "content": "Sort into {{n}} piles."},
                {"type": "placeholder", "name": "history"},
                {"role": "user", "content": "<ticket>{{ticket}}</ticket>{{note}}", "name": "desk"},
            ],
            "variables": [
                {"name": "n", "type": "integer", "min": 1, "max": 9, "default": 3},
                {"name": "ticket", "type": "string", "max_length": 20},
                {"name": "note", "type": "string", "max_length": 5, "required": false},
            ],
        }))
    }

    #[test]
    fn messages_come_out_with_values_and_placeholders_in_place() {
        let history = json!([{"role": "assistant", "content": "{{ticket}}", "extra": 1}]);
        let rendered = triage()
            .render(
                &object(json!({"ticket": "{{n}} {{{{"})),
                &object(json!({"history": history})),
            )
            .unwrap();
        assert_eq!(
            Value::Array(rendered),
            json!([
                {"role": "system", "content": "Sort into 3 piles."},
                {"role": "assistant", "content": "{{ticket}}", "extra": 1},
                {"role": "user", "content": "<ticket>{{n}} {{{{</ticket>", "name": "desk"},
            ])
        );
    }

    #[test]
    fn every_offence_is_listed_at_once() {
        let errors = triage()
            .render(
                &object(json!({"n": 10, "note": "too long", "colour": 1})),
                &object(json!({"history": [{"role": "user"}], "past": []})),
            )
            .unwrap_err();
        let listed: Vec<(&str, Rule)> = errors
            .iter()
            .map(|error| (error.variable.as_str(), error.rule))
            .collect();
        assert_eq!(
            listed,
            [
                ("n", Rule::Max),
                ("ticket", Rule::Required),
                ("note", Rule::MaxLength),
                ("colour", Rule::Undeclared),
                ("history", Rule::Format),
                ("past", Rule::Undeclared),
            ]
        );
    }

    #[test]
    fn a_placeholder_must_be_sent_and_be_a_list() {
        let values = object(json!({"ticket": "x"}));
        let rule =
            |placeholders| triage().render(&values, &object(placeholders)).unwrap_err()[0].rule;
        assert_eq!(rule(json!({})), Rule::Required);
        assert_eq!(rule(json!({"history": "x"})), Rule::Type);
        assert!(
            triage()
                .render(&values, &object(json!({"history": []})))
                .is_ok()
        );
    }

    #[test]
    fn a_long_value_in_many_places_is_refused_before_it_is_written() {
        let compiled = compiled(json!({
            "type": "text",
            "messages": [{"role": "user", "content": "{{x}}".repeat(1000)}],
            "variables": [{"name": "x", "type": "string", "max_length": 1_000_000}],
        }));
        let values = object(json!({"x": "y".repeat(1_000_000)}));
        let errors = compiled.render(&values, &Map::new()).unwrap_err();
        assert_eq!(
            (errors[0].variable.as_str(), errors[0].rule),
            ("x", Rule::MaxLength)
        );
    }
}
