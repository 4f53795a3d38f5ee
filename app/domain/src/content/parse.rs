//! Reading a submitted content: every offending field at once, nothing normalised but the
//! two ways to write variables.

use std::collections::HashSet;

use serde_json::{Number, Value};

use super::agreement::disagreements;
use super::scan;
use super::{
    ChatMessage, Content, Kind, MAX_BYTES, MAX_MESSAGES, Message, Model, Placeholder, Role,
};
use crate::field::{FieldError, Fields};
use crate::template::{MAX_NAME, is_name};
use crate::variable::{Variable, parse_variables};

/// Most stop texts, tools and tool calls.
const MAX_ITEMS: usize = 1_000;

pub(super) fn content(path: &str, value: Value) -> Result<Content, Vec<FieldError>> {
    let unfit = scan(path, &value)?;
    let mut fields = Fields::new(path, value);
    fields.absorb(unfit);
    let kind = read_kind(&mut fields);
    let messages = read_messages(&mut fields, kind);
    let variables = read_variables(&mut fields);
    let model = fields.take("model").and_then(|model| {
        let path = fields.path_of("model");
        absorbed(&mut fields, read_model(&path, model))
    });
    let tools = read_objects(&mut fields, "tools");
    let response_format = fields.take("response_format");
    if response_format
        .as_ref()
        .is_some_and(|format| !format.is_object())
    {
        fields.refuse("response_format", "must be an object");
    }
    // What was not read cannot be compared: the other half of the mistake is listed already.
    if let (Some(messages), Ok(variables)) = (&messages, &variables) {
        let declared = variables.as_deref().unwrap_or_default();
        fields.absorb(disagreements(path, messages, declared));
    }
    let content = fields.finish(|| Content {
        kind,
        messages: messages.unwrap_or_default(),
        variables: variables.unwrap_or_default(),
        model,
        tools,
        response_format,
    })?;
    refuse_oversize(path, &content)?;
    Ok(content)
}

/// Refuses a content whose canonical JSON is too long.
pub(crate) fn refuse_oversize(path: &str, content: &Content) -> Result<(), Vec<FieldError>> {
    let length = content.canonical_json().len();
    if length <= MAX_BYTES {
        return Ok(());
    }
    let message = format!("has {length} bytes as canonical JSON; at most {MAX_BYTES} are allowed");
    Err(vec![FieldError::new(path, message)])
}

fn absorbed<T>(fields: &mut Fields, read: Result<T, Vec<FieldError>>) -> Option<T> {
    read.map_err(|errors| fields.absorb(errors)).ok()
}

fn read_kind(fields: &mut Fields) -> Kind {
    match fields.required_text("type").as_str() {
        "text" => Kind::Text,
        "chat" | "" => Kind::Chat,
        _ => {
            fields.refuse("type", "must be text or chat");
            Kind::Chat
        }
    }
}

/// `None` if any message was refused.
fn read_messages(fields: &mut Fields, kind: Kind) -> Option<Vec<Message>> {
    let Some(value) = fields.take("messages") else {
        fields.refuse("messages", "is required");
        return None;
    };
    let Value::Array(items) = value else {
        fields.refuse("messages", "must be a list");
        return None;
    };
    if items.is_empty() {
        fields.refuse("messages", "must hold at least one message");
        return None;
    }
    if items.len() > MAX_MESSAGES {
        let message = format!(
            "holds {} messages; at most {MAX_MESSAGES} are allowed",
            items.len()
        );
        fields.refuse("messages", message);
        return None;
    }
    let n_items = items.len();
    let mut messages = Vec::with_capacity(n_items);
    for (index, item) in items.into_iter().enumerate() {
        let path = fields.path_of(&format!("messages[{index}]"));
        messages.extend(absorbed(fields, read_message(&path, item)));
    }
    let is_complete = messages.len() == n_items;
    let is_one_user_message =
        matches!(messages.as_slice(), [Message::Chat(message)] if message.role == Role::User);
    if kind == Kind::Text && is_complete && !is_one_user_message {
        fields.refuse("messages", "a text prompt is exactly one user message");
    }
    let mut names = HashSet::new();
    for (index, message) in messages.iter().enumerate() {
        if let Message::Placeholder(placeholder) = message
            && is_complete
            && !names.insert(&placeholder.name)
        {
            let message = format!("there is already a placeholder `{}`", placeholder.name);
            fields.refuse(&format!("messages[{index}].name"), message);
        }
    }
    is_complete.then_some(messages)
}

fn read_message(path: &str, value: Value) -> Result<Message, Vec<FieldError>> {
    let is_typed = value.get("type").is_some_and(|kind| !kind.is_null());
    let mut fields = Fields::new(path, value);
    if is_typed {
        if fields
            .text("type")
            .is_some_and(|kind| kind != "placeholder")
        {
            fields.refuse(
                "type",
                "can only be placeholder; other messages have a role instead",
            );
            // The rest cannot be judged without knowing what it is meant to be.
            for member in [
                "role",
                "content",
                "name",
                "tool_call_id",
                "tool_calls",
                "cache_control",
            ] {
                fields.take(member);
            }
            return fields.finish(|| {
                Message::Placeholder(Placeholder {
                    name: String::new(),
                })
            });
        }
        let name = fields.required_text("name");
        if !name.is_empty() && !is_name(&name) {
            let message = format!("must be letters, digits and `_`, at most {MAX_NAME}");
            fields.refuse("name", message);
        }
        return fields.finish(|| Message::Placeholder(Placeholder { name }));
    }
    let word = fields.required_text("role");
    let role = Role::ALL.into_iter().find(|role| role.word() == word);
    if role.is_none() && !word.is_empty() {
        let words = Role::ALL.map(Role::word).join(", ");
        fields.refuse("role", format!("must be one of {words}"));
    }
    let message = ChatMessage {
        role: role.unwrap_or(Role::User),
        content: fields.required_text("content"),
        name: fields.text("name"),
        tool_call_id: fields.text("tool_call_id"),
        tool_calls: read_objects(&mut fields, "tool_calls"),
        cache_control: fields.take("cache_control"),
    };
    if message
        .cache_control
        .as_ref()
        .is_some_and(|control| !control.is_object())
    {
        fields.refuse("cache_control", "must be an object");
    }
    fields.finish(|| Message::Chat(message))
}

/// `Err` if any declaration was refused; the reasons are in `fields`.
fn read_variables(fields: &mut Fields) -> Result<Option<Vec<Variable>>, ()> {
    let Some(value) = fields.take("variables") else {
        return Ok(None);
    };
    let read = parse_variables(&fields.path_of("variables"), value);
    absorbed(fields, read).map(Some).ok_or(())
}

fn read_model(path: &str, value: Value) -> Result<Model, Vec<FieldError>> {
    let mut fields = Fields::new(path, value);
    let model = Model {
        provider: read_filled(&mut fields, "provider"),
        name: read_filled(&mut fields, "name"),
        temperature: read_temperature(&mut fields),
        max_tokens: read_max_tokens(&mut fields),
        seed: fields.integer("seed"),
        stop: fields.texts("stop"),
    };
    if model
        .stop
        .as_ref()
        .is_some_and(|stop| stop.len() > MAX_ITEMS)
    {
        fields.refuse("stop", format!("may hold at most {MAX_ITEMS} texts"));
    }
    fields.finish(|| model)
}

fn read_filled(fields: &mut Fields, member: &str) -> String {
    let text = fields.take(member);
    match text {
        Some(Value::String(text)) if !text.trim().is_empty() => return text,
        Some(Value::String(_)) => fields.refuse(member, "must not be empty"),
        Some(_) => fields.refuse(member, "must be a string"),
        None => fields.refuse(member, "is required"),
    }
    String::new()
}

fn read_temperature(fields: &mut Fields) -> Option<Number> {
    let value = fields.take("temperature")?;
    let is_in_range = value
        .as_f64()
        .is_some_and(|degree| (0.0..=2.0).contains(&degree));
    match value {
        Value::Number(temperature) if is_in_range => Some(temperature),
        _ => {
            fields.refuse("temperature", "must be a number from 0 to 2");
            None
        }
    }
}

fn read_max_tokens(fields: &mut Fields) -> Option<u32> {
    let value = fields.take("max_tokens")?;
    let tokens = value.as_u64().and_then(|tokens| u32::try_from(tokens).ok());
    let tokens = tokens.filter(|tokens| *tokens > 0);
    if tokens.is_none() {
        fields.refuse(
            "max_tokens",
            format!("must be a whole number from 1 to {}", u32::MAX),
        );
    }
    tokens
}

fn read_objects(fields: &mut Fields, member: &str) -> Option<Vec<Value>> {
    let items = fields.list(member)?;
    if items.len() > MAX_ITEMS {
        fields.refuse(member, format!("may hold at most {MAX_ITEMS} items"));
        return None;
    }
    for (index, item) in items.iter().enumerate() {
        if !item.is_object() {
            fields.refuse(&format!("{member}[{index}]"), "must be an object");
        }
    }
    Some(items)
}
