//! Anthropic Messages. Roles, tools and tool calls are written differently there; what comes back
//! is put into the same words as everybody else's.

use std::collections::BTreeMap;

use domain::content::{ChatMessage, Role};
use serde_json::{Map, Value, json};

use super::{
    Answer, Ask, Usage,
    error::LlmError,
    openai::{count, tool_call},
    quirk::{Quirk, Quirks},
    wire::{Events, Reply, Setback, Stopwatch},
};

/// Where to ask, below `/v1`.
pub const PATH: &str = "/messages";
/// The version of the protocol that is spoken here.
pub const VERSION: &str = "2023-06-01";
/// The protocol insists on a limit; this one is for prompts that name none.
const MAX_TOKENS: u32 = 4_096;

/// The question as it is sent, and which parts of it this protocol has no place for.
pub fn question(ask: &Ask, quirks: &Quirks) -> (Value, Vec<&'static str>) {
    let takes = |quirk| !quirks.contains(&quirk);
    let mut left_out = Vec::new();
    let mut question = Map::new();
    let mut put = |name: &str, value: Value| question.insert(name.to_owned(), value);
    put("model", json!(ask.model));
    put("max_tokens", json!(ask.max_tokens.unwrap_or(MAX_TOKENS)));
    let instructions = ask
        .messages
        .iter()
        .filter(|message| message.role.is_instruction());
    let system: Vec<_> = instructions.filter_map(text_block).collect();
    if !system.is_empty() {
        put("system", json!(system));
    }
    put("messages", conversation(&ask.messages));
    if ask.messages.iter().any(|message| message.name.is_some()) {
        left_out.push("name");
    }
    if let Some(tools) = ask.tools.as_ref().filter(|tools| !tools.is_empty()) {
        put("tools", tools.iter().map(tool).collect());
    }
    match ask.response_format.as_ref().map(format) {
        Some(Format::Schema(format)) => drop(put("output_config", json!({"format": format}))),
        Some(Format::Unknown) => left_out.push("response_format"),
        Some(Format::Text) | None => {}
    }
    if let Some(temperature) = ask.temperature.filter(|_| takes(Quirk::NoTemperature)) {
        put("temperature", json!(temperature));
    }
    if ask.seed.is_some() {
        left_out.push("seed");
    }
    if !ask.stop.is_empty() && takes(Quirk::NoStop) {
        put("stop_sequences", json!(ask.stop));
    }
    if takes(Quirk::NoStream) {
        put("stream", json!(true));
    }
    (Value::Object(question), left_out)
}

/// Everything but the instructions, which stand apart.
fn conversation(messages: &[ChatMessage]) -> Value {
    let mut turns: Vec<Value> = Vec::new();
    let mut follows_a_result = false;
    for message in messages
        .iter()
        .filter(|message| !message.role.is_instruction())
    {
        let is_result = message.role == Role::Tool;
        let blocks = if is_result {
            tool_result(message)
        } else {
            blocks(message)
        };
        // The results of calls made together must come together.
        match turns
            .last_mut()
            .and_then(|turn| turn["content"].as_array_mut())
        {
            Some(results) if is_result && follows_a_result => results.extend(blocks),
            _ => {
                let role = match message.role {
                    Role::Assistant => "assistant",
                    Role::User | Role::Tool | Role::System | Role::Developer => "user",
                };
                turns.push(json!({"role": role, "content": blocks}));
            }
        }
        follows_a_result = is_result;
    }
    Value::Array(turns)
}

fn text_block(message: &ChatMessage) -> Option<Value> {
    // The protocol refuses empty texts.
    (!message.content.is_empty())
        .then(|| marked(json!({"type": "text", "text": message.content}), message))
}

fn tool_result(message: &ChatMessage) -> Vec<Value> {
    let result = json!({
        "type": "tool_result",
        "tool_use_id": message.tool_call_id,
        "content": message.content,
    });
    vec![marked(result, message)]
}

fn blocks(message: &ChatMessage) -> Vec<Value> {
    let calls = message.tool_calls.as_deref().unwrap_or_default();
    let calls = calls.iter().map(|call| {
        let function = &call["function"];
        let arguments = function["arguments"].as_str().unwrap_or_default();
        let input = serde_json::from_str(arguments).unwrap_or_else(|_| json!({}));
        json!({"type": "tool_use", "id": call["id"], "name": function["name"], "input": input})
    });
    text_block(message).into_iter().chain(calls).collect()
}

/// The block with the message's mark for the cache, as it was written.
fn marked(mut block: Value, message: &ChatMessage) -> Value {
    if let Some(mark) = &message.cache_control {
        block["cache_control"] = mark.clone();
    }
    block
}

/// A tool in this protocol's form; one that has it already is left as it is.
fn tool(tool: &Value) -> Value {
    let Some(function) = tool.get("function").filter(|_| tool["type"] == "function") else {
        return tool.clone();
    };
    let schema = function.get("parameters").cloned();
    let mut ours = json!({
        "name": function["name"],
        "input_schema": schema.unwrap_or_else(|| json!({"type": "object"})),
    });
    for member in ["description", "strict"] {
        if let Some(value) = function.get(member) {
            ours[member] = value.clone();
        }
    }
    if let Some(mark) = tool.get("cache_control") {
        ours["cache_control"] = mark.clone();
    }
    ours
}

enum Format {
    Text,
    Schema(Value),
    /// Such as "any JSON", which this protocol cannot promise.
    Unknown,
}

fn format(format: &Value) -> Format {
    let schema = format
        .get("schema")
        .or_else(|| format.pointer("/json_schema/schema"));
    match (format["type"].as_str(), schema) {
        (Some("text"), _) => Format::Text,
        (Some("json_schema"), Some(schema)) => {
            Format::Schema(json!({"type": "json_schema", "schema": schema}))
        }
        _ => Format::Unknown,
    }
}

/// Reads the answer, streamed or not.
pub async fn read(reply: Reply, mut watch: Stopwatch) -> Result<Answer, Setback> {
    let mut draft = Draft::default();
    match reply {
        Reply::Whole(answer) => {
            let Some(blocks) = answer["content"].as_array() else {
                let missing = "content";
                return Err(LlmError::Unexpected { missing }.into());
            };
            for (number, block) in (0..).zip(blocks) {
                draft.begin_block(number, block);
            }
            draft.take_message(&answer);
            draft.take_end(&answer);
            watch.stop(&mut draft.answer);
        }
        Reply::Events(mut events) => {
            stream(&mut events, &mut draft, &mut watch).await?;
            watch.stop(&mut draft.answer);
            events.leave().await;
        }
    }
    Ok(draft.finish())
}

async fn stream(
    events: &mut Events,
    draft: &mut Draft,
    watch: &mut Stopwatch,
) -> Result<(), Setback> {
    while let Some(event) = events.next().await? {
        let event = events.json(&event)?;
        let number = event["index"].as_u64().unwrap_or(0);
        let is_piece = match event["type"].as_str().unwrap_or_default() {
            "content_block_start" => draft.begin_block(number, &event["content_block"]),
            "content_block_delta" => draft.grow_block(number, &event["delta"]),
            "message_start" => {
                draft.take_message(&event["message"]);
                false
            }
            "message_delta" => {
                draft.take_end(&event["delta"]);
                draft.take_usage(&event["usage"]);
                false
            }
            "message_stop" => return Ok(()),
            "error" => return Err(events.refused(status(&event["error"]["type"]), &event)),
            // Pings, ends of blocks, and whatever comes to be invented.
            _ => false,
        };
        if is_piece {
            watch.first_token();
        }
    }
    if draft.answer.finish_reason.is_some() {
        Ok(())
    } else {
        Err(events.cut().into())
    }
}

/// The status that an error would have had outside a stream.
fn status(kind: &Value) -> u16 {
    match kind.as_str().unwrap_or_default() {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "overloaded_error" => 529,
        _ => 500,
    }
}

/// An answer that is not all there yet.
#[derive(Default)]
struct Draft {
    answer: Answer,
    /// The protocol's own counts: it tells cached tokens apart from the others.
    usage: Map<String, Value>,
    /// By the provider's own number.
    calls: BTreeMap<u64, Call>,
}

struct Call {
    id: String,
    name: String,
    /// Known at once, or empty and told piece by piece.
    input: Option<Value>,
    pieces: String,
}

impl Draft {
    fn take_message(&mut self, message: &Value) {
        message["model"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut self.answer.model);
        self.take_usage(&message["usage"]);
    }

    fn take_usage(&mut self, usage: &Value) {
        let counts = usage.as_object().into_iter().flatten();
        for (name, count) in counts.filter(|(_, count)| !count.is_null()) {
            self.usage.insert(name.clone(), count.clone());
        }
    }

    fn take_end(&mut self, end: &Value) {
        let Some(reason) = end["stop_reason"].as_str() else {
            return;
        };
        let reason = match reason {
            "end_turn" | "stop_sequence" => "stop",
            "max_tokens" | "model_context_window_exceeded" => "length",
            "tool_use" => "tool_calls",
            "refusal" => "content_filter",
            other => other,
        };
        self.answer.finish_reason = Some(reason.to_owned());
    }

    /// Says whether the block is a piece of the answer.
    fn begin_block(&mut self, number: u64, block: &Value) -> bool {
        match block["type"].as_str().unwrap_or_default() {
            "text" => self.take_text(&block["text"]),
            "tool_use" => {
                let text = |name: &str| block[name].as_str().unwrap_or_default().to_owned();
                let call = Call {
                    id: text("id"),
                    name: text("name"),
                    input: block.get("input").cloned(),
                    pieces: String::new(),
                };
                self.calls.insert(number, call);
                true
            }
            // Its thoughts are not its answer.
            _ => false,
        }
    }

    fn grow_block(&mut self, number: u64, delta: &Value) -> bool {
        if let Some(call) = self.calls.get_mut(&number) {
            let piece = delta["partial_json"].as_str().unwrap_or_default();
            call.pieces.push_str(piece);
            return true;
        }
        self.take_text(&delta["text"])
    }

    fn take_text(&mut self, text: &Value) -> bool {
        let text = text.as_str().unwrap_or_default();
        self.answer.text.push_str(text);
        !text.is_empty()
    }

    fn finish(mut self) -> Answer {
        self.answer.usage = usage(&Value::Object(self.usage));
        let calls = self.calls.into_values().map(|call| {
            let arguments = if call.pieces.is_empty() {
                call.input.unwrap_or_else(|| json!({})).to_string()
            } else {
                call.pieces
            };
            tool_call(&call.id, &call.name, &arguments)
        });
        self.answer.tool_calls = calls.collect();
        self.answer
    }
}

fn usage(usage: &Value) -> Usage {
    let count = |path| usage.pointer(path).and_then(count);
    let read = count("/cache_read_input_tokens");
    let write = count("/cache_creation_input_tokens");
    // Here they are counted beside the others, everywhere else among them.
    let input = count("/input_tokens").map(|rest| {
        rest.saturating_add(read.unwrap_or(0))
            .saturating_add(write.unwrap_or(0))
    });
    Usage {
        input_tokens: input,
        output_tokens: count("/output_tokens"),
        cache_read_tokens: read,
        cache_write_tokens: write,
        cache_write_1h_tokens: count("/cache_creation/ephemeral_1h_input_tokens"),
    }
}
