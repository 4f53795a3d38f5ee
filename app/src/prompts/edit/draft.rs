//! A version as it is being written: everything a text field holds is text, whether it makes
//! sense yet or not. From a content and back to its JSON; what was not touched comes back as
//! it was written, so that saving it unchanged gives the same hash.

use domain::{
    content::{ChatMessage, Content, Kind, Message, Model, Role},
    field::FieldError,
};
use serde_json::{Map, Value, json};

use super::{super::words, variable::DraftVariable};

/// A version being written.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Text or chat.
    pub kind: Kind,
    /// The messages in order.
    pub messages: Vec<DraftMessage>,
    /// The variables in order.
    pub variables: Vec<DraftVariable>,
    /// The model's settings.
    pub model: DraftModel,
    /// The tools, as a JSON list.
    pub tools: String,
    /// The response format, as a JSON object.
    pub response_format: String,
    /// Whether an empty list of variables is written or left out.
    has_variables: bool,
    last_id: u32,
}

/// A message being written. The id is only for telling rows apart on the screen.
#[derive(Clone, Debug, PartialEq)]
pub struct DraftMessage {
    /// Tells it apart.
    pub id: u32,
    /// What it is.
    pub body: Body,
}

/// A message or a place for messages.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// A message; members that have no field on the screen are kept.
    Chat(ChatMessage),
    /// A place for messages.
    Placeholder(String),
}

/// The model's settings as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DraftModel {
    /// The configured provider's name.
    pub provider: String,
    /// The provider's name of the model.
    pub name: String,
    /// From 0 to 2.
    pub temperature: String,
    /// Most tokens of the answer.
    pub max_tokens: String,
    /// For providers that can repeat an answer.
    pub seed: String,
    /// Texts that end the answer, as a JSON list.
    pub stop: String,
}

/// A draft as JSON, and what could not even be written as such.
pub struct Written {
    /// As [`Content::parse`] takes it.
    pub value: Value,
    /// Fields that hold no JSON where JSON is asked for.
    pub errors: Vec<FieldError>,
}

impl Draft {
    /// A first version: one empty message.
    pub fn empty(kind: Kind) -> Self {
        let role = match kind {
            Kind::Text => Role::User,
            Kind::Chat => Role::System,
        };
        let mut draft = Self {
            kind,
            messages: Vec::new(),
            variables: Vec::new(),
            model: DraftModel::default(),
            tools: String::new(),
            response_format: String::new(),
            has_variables: false,
            last_id: 0,
        };
        draft.add_message(role);
        draft
    }

    /// What was written in a version.
    pub fn of(content: &Content) -> Self {
        let mut draft = Self {
            kind: content.kind,
            messages: Vec::new(),
            variables: Vec::new(),
            model: content
                .model
                .as_ref()
                .map(DraftModel::of)
                .unwrap_or_default(),
            tools: content
                .tools
                .as_ref()
                .map(|tools| words::pretty(&Value::Array(tools.clone())))
                .unwrap_or_default(),
            response_format: content
                .response_format
                .as_ref()
                .map(words::pretty)
                .unwrap_or_default(),
            has_variables: content.variables.is_some(),
            last_id: 0,
        };
        for message in &content.messages {
            let body = match message {
                Message::Chat(message) => Body::Chat(message.clone()),
                Message::Placeholder(placeholder) => Body::Placeholder(placeholder.name.clone()),
            };
            draft.push(body);
        }
        for variable in content.declared() {
            let id = draft.next_id();
            draft.variables.push(DraftVariable::of(id, variable));
        }
        draft
    }

    /// Adds an empty message at the end.
    pub fn add_message(&mut self, role: Role) {
        self.push(Body::Chat(ChatMessage {
            role,
            content: String::new(),
            name: None,
            tool_call_id: None,
            tool_calls: None,
            cache_control: None,
        }));
    }

    /// Adds a place for messages at the end.
    pub fn add_placeholder(&mut self) {
        self.push(Body::Placeholder(String::new()));
    }

    /// Declares a variable.
    pub fn add_variable(&mut self, name: &str) {
        let id = self.next_id();
        self.variables.push(DraftVariable::named(id, name));
    }

    fn push(&mut self, body: Body) {
        let id = self.next_id();
        self.messages.push(DraftMessage { id, body });
    }

    const fn next_id(&mut self) -> u32 {
        self.last_id += 1;
        self.last_id
    }

    /// The message with that id.
    pub fn message(&self, id: u32) -> Option<&DraftMessage> {
        self.messages.iter().find(|message| message.id == id)
    }

    /// The same, to change it.
    pub fn message_mut(&mut self, id: u32) -> Option<&mut DraftMessage> {
        self.messages.iter_mut().find(|message| message.id == id)
    }

    /// The variable with that id.
    pub fn variable(&self, id: u32) -> Option<&DraftVariable> {
        self.variables.iter().find(|variable| variable.id == id)
    }

    /// The same, to change it.
    pub fn variable_mut(&mut self, id: u32) -> Option<&mut DraftVariable> {
        self.variables.iter_mut().find(|variable| variable.id == id)
    }

    /// Moves a message one place up.
    pub fn move_up(&mut self, id: u32) {
        let at = self.messages.iter().position(|message| message.id == id);
        if let Some(at) = at.filter(|at| *at > 0) {
            self.messages.swap(at - 1, at);
        }
    }

    /// Moves a message one place down.
    pub fn move_down(&mut self, id: u32) {
        let at = self.messages.iter().position(|message| message.id == id);
        if let Some(at) = at.filter(|at| at + 1 < self.messages.len()) {
            self.messages.swap(at, at + 1);
        }
    }

    /// The draft as JSON.
    pub fn to_json(&self) -> Written {
        let mut errors = Vec::new();
        let mut members = Map::new();
        let kind = match self.kind {
            Kind::Text => "text",
            Kind::Chat => "chat",
        };
        members.insert("type".to_owned(), json!(kind));
        let messages = self.messages.iter().map(DraftMessage::to_json).collect();
        members.insert("messages".to_owned(), Value::Array(messages));
        if self.has_variables || !self.variables.is_empty() {
            let mut variables = Vec::with_capacity(self.variables.len());
            for (index, variable) in self.variables.iter().enumerate() {
                let path = format!("content.variables[{index}]");
                variables.push(variable.to_json(&path, &mut errors));
            }
            members.insert("variables".to_owned(), Value::Array(variables));
        }
        let mut insert = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                members.insert(name.to_owned(), value);
            }
        };
        insert("model", self.model.to_json(&mut errors));
        insert(
            "tools",
            read_json("content.tools", &self.tools, &mut errors),
        );
        insert(
            "response_format",
            read_json(
                "content.response_format",
                &self.response_format,
                &mut errors,
            ),
        );
        Written {
            value: Value::Object(members),
            errors,
        }
    }
}

impl DraftMessage {
    fn to_json(&self) -> Value {
        match &self.body {
            Body::Chat(message) => serde_json::to_value(message).unwrap_or_default(),
            Body::Placeholder(name) => json!({ "type": "placeholder", "name": name }),
        }
    }
}

impl DraftModel {
    fn of(model: &Model) -> Self {
        let text = |value: Option<String>| value.unwrap_or_default();
        Self {
            provider: model.provider.clone(),
            name: model.name.clone(),
            temperature: text(model.temperature.as_ref().map(ToString::to_string)),
            max_tokens: text(model.max_tokens.map(|tokens| tokens.to_string())),
            seed: text(model.seed.map(|seed| seed.to_string())),
            stop: text(model.stop.as_ref().map(|stop| json!(stop).to_string())),
        }
    }

    /// Nothing if no field is filled in.
    fn to_json(&self, errors: &mut Vec<FieldError>) -> Option<Value> {
        if *self == Self::default() {
            return None;
        }
        let mut members = Map::new();
        members.insert("provider".to_owned(), json!(self.provider));
        members.insert("name".to_owned(), json!(self.name));
        let numbers = [
            ("temperature", &self.temperature),
            ("max_tokens", &self.max_tokens),
            ("seed", &self.seed),
        ];
        for (name, text) in numbers {
            if !text.trim().is_empty() {
                members.insert(name.to_owned(), number_or_text(text));
            }
        }
        if let Some(stop) = read_json("content.model.stop", &self.stop, errors) {
            members.insert("stop".to_owned(), stop);
        }
        Some(Value::Object(members))
    }

    /// In a line, for the closed panel.
    pub fn summary(&self) -> String {
        let mut parts = Vec::new();
        if !self.name.is_empty() {
            parts.push(self.name.clone());
        }
        if !self.temperature.is_empty() {
            parts.push(format!("temperature {}", self.temperature));
        }
        if !self.max_tokens.is_empty() {
            parts.push(format!("{} tokens", self.max_tokens));
        }
        if parts.is_empty() {
            "none set".to_owned()
        } else {
            parts.join(" · ")
        }
    }
}

/// A number as JSON if it is one; else the text, which is then refused where a number must be.
pub(super) fn number_or_text(text: &str) -> Value {
    match serde_json::from_str(text.trim()) {
        Ok(Value::Number(number)) => Value::Number(number),
        _ => Value::String(text.to_owned()),
    }
}

/// JSON typed into a field; nothing if the field is empty.
pub(super) fn read_json(path: &str, text: &str, errors: &mut Vec<FieldError>) -> Option<Value> {
    if text.trim().is_empty() {
        return None;
    }
    match serde_json::from_str(text) {
        Ok(value) => Some(value),
        Err(error) => {
            errors.push(FieldError::new(path, format!("is no JSON: {error}")));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn round_trip(value: Value) -> Content {
        let content = Content::parse("content", value).unwrap();
        let written = Draft::of(&content).to_json();
        assert_eq!(written.errors, []);
        let back = Content::parse("content", written.value).unwrap();
        assert_eq!(back.canonical_json(), content.canonical_json());
        content
    }

    #[test]
    fn an_untouched_draft_has_the_hash_of_what_it_came_from() {
        round_trip(json!({"type": "text", "messages": [{"role": "user", "content": "Hi"}]}));
        round_trip(json!({
            "type": "text", "messages": [{"role": "user", "content": "Hi"}], "variables": [],
        }));
        round_trip(json!({
            "type": "chat",
            "messages": [
                {"role": "system", "content": "{{a}} {{b}} {{c}} {{d}} {{e}} {{f}}",
                 "cache_control": {"type": "ephemeral"}},
                {"type": "placeholder", "name": "history"},
                {"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]},
                {"role": "tool", "content": "x", "tool_call_id": "1"},
            ],
            "variables": [
                {"name": "a", "type": "string", "max_length": 10, "default": "", "pattern": "x*"},
                {"name": "b", "type": "integer", "min": 0, "max": 9, "required": false, "example": 3},
                {"name": "c", "type": "enum", "values": ["x, y", "z"], "trust": "untrusted"},
                {"name": "d", "type": "json", "max_length": 99, "example": "text", "required": true},
                {"name": "e", "type": "number", "default": 1.0, "max_length": 9},
                {"name": "f", "type": "boolean", "default": false, "description": "why"},
            ],
            "model": {"provider": "openai", "name": "gpt", "temperature": 0, "max_tokens": 5,
                      "seed": -7, "stop": ["\n\n", "END"]},
            "tools": [{"name": "t", "parameters": {"z": 1, "a": [1, 2.5]}}],
            "response_format": {"type": "json_object"},
        }));
    }

    #[test]
    fn what_is_no_json_is_said_with_its_field() {
        let mut draft = Draft::empty(Kind::Chat);
        draft.tools = "[".to_owned();
        draft.model.stop = "END".to_owned();
        draft.add_variable("x");
        let written = draft.to_json();
        let fields: Vec<&str> = written
            .errors
            .iter()
            .map(|error| error.field.as_str())
            .collect();
        assert_eq!(fields, ["content.model.stop", "content.tools"]);
        assert_eq!(written.value["variables"][0]["name"], "x");
    }

    #[test]
    fn numbers_that_are_none_are_refused_where_they_stand() {
        let mut draft = Draft::empty(Kind::Text);
        draft.model = DraftModel {
            provider: "openai".to_owned(),
            name: "gpt".to_owned(),
            temperature: "warm".to_owned(),
            ..DraftModel::default()
        };
        let errors = Content::parse("content", draft.to_json().value).unwrap_err();
        assert_eq!(errors[0].field, "content.model.temperature");
    }

    #[test]
    fn messages_move_and_stay_within_the_list() {
        let mut draft = Draft::empty(Kind::Chat);
        draft.add_message(Role::User);
        draft.add_placeholder();
        let ids = |draft: &Draft| {
            draft
                .messages
                .iter()
                .map(|message| message.id)
                .collect::<Vec<_>>()
        };
        assert_eq!(ids(&draft), [1, 2, 3]);
        draft.move_up(3);
        assert_eq!(ids(&draft), [1, 3, 2]);
        draft.move_up(1);
        draft.move_down(2);
        assert_eq!(ids(&draft), [1, 3, 2]);
        draft.move_down(1);
        assert_eq!(ids(&draft), [3, 1, 2]);
    }
}
