//! Chat completions, as `OpenAI` and every server compatible with it speak them.

use std::collections::BTreeMap;

use domain::content::ChatMessage;
use serde_json::{Map, Value, json};

use super::{
    Answer, Ask, Usage,
    error::LlmError,
    quirk::{Quirk, Quirks},
    wire::{Events, Reply, Setback, Stopwatch},
};

/// Where to ask, below `/v1`.
pub const PATH: &str = "/chat/completions";

/// The question as it is sent, and which parts of it this protocol has no place for.
pub fn question(ask: &Ask, quirks: &Quirks) -> (Value, Vec<&'static str>) {
    let takes = |quirk| !quirks.contains(&quirk);
    let mut left_out = Vec::new();
    // Their caches need no marks, and strict servers refuse members they do not know.
    if ask
        .messages
        .iter()
        .any(|message| message.cache_control.is_some())
    {
        left_out.push("cache_control");
    }
    let mut question = Map::new();
    let mut put = |name: &str, value: Value| question.insert(name.to_owned(), value);
    put("model", json!(ask.model));
    put("messages", ask.messages.iter().map(message).collect());
    if let Some(tools) = ask.tools.as_ref().filter(|tools| !tools.is_empty()) {
        put("tools", json!(tools));
    }
    if let Some(format) = &ask.response_format {
        put("response_format", format.clone());
    }
    if let Some(temperature) = ask.temperature.filter(|_| takes(Quirk::NoTemperature)) {
        put("temperature", json!(temperature));
    }
    if let Some(seed) = ask.seed.filter(|_| takes(Quirk::NoSeed)) {
        put("seed", json!(seed));
    }
    if !ask.stop.is_empty() && takes(Quirk::NoStop) {
        put("stop", json!(ask.stop));
    }
    if let Some(limit) = ask.max_tokens {
        let name = if takes(Quirk::MaxCompletionTokens) {
            "max_tokens"
        } else {
            "max_completion_tokens"
        };
        put(name, json!(limit));
    }
    if takes(Quirk::NoStream) {
        put("stream", json!(true));
        // Without it a stream does not say what was counted.
        if takes(Quirk::NoStreamOptions) {
            put("stream_options", json!({"include_usage": true}));
        }
    }
    (Value::Object(question), left_out)
}

fn message(message: &ChatMessage) -> Value {
    let mut json = json!({"role": message.role, "content": message.content});
    if let Some(name) = &message.name {
        json["name"] = json!(name);
    }
    if let Some(id) = &message.tool_call_id {
        json["tool_call_id"] = json!(id);
    }
    if let Some(calls) = &message.tool_calls {
        json["tool_calls"] = json!(calls);
    }
    json
}

/// Reads the answer, streamed or not: some servers do not stream although they are asked to.
pub async fn read(reply: Reply, mut watch: Stopwatch) -> Result<Answer, Setback> {
    let mut draft = Draft::default();
    match reply {
        Reply::Whole(answer) => {
            if answer.pointer("/choices/0/message").is_none() {
                let missing = "choices[0].message";
                return Err(LlmError::Unexpected { missing }.into());
            }
            draft.take(&answer, "message");
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
    let mut n_events = 0_usize;
    while let Some(event) = events.next().await? {
        if event.text.trim() == "[DONE]" {
            // An answer without a reason for its end is still one; without any event it is none.
            if n_events == 0 {
                break;
            }
            return Ok(());
        }
        let chunk = events.json(&event)?;
        if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
            let status = error.get("code").and_then(status).unwrap_or(500);
            return Err(events.refused(status, &chunk));
        }
        n_events += 1;
        if draft.take(&chunk, "delta") {
            watch.first_token();
        }
    }
    if n_events > 0 && draft.answer.finish_reason.is_some() {
        Ok(())
    } else {
        Err(events.cut().into())
    }
}

/// An error's code, where it is an HTTP status as llama.cpp and vLLM write it.
fn status(code: &Value) -> Option<u16> {
    let code = code.as_u64().and_then(|code| u16::try_from(code).ok())?;
    (400..600).contains(&code).then_some(code)
}

/// An answer that is not all there yet.
#[derive(Default)]
struct Draft {
    answer: Answer,
    /// By the provider's own number: it may leave some out, and may send any.
    calls: BTreeMap<u64, Call>,
}

#[derive(Default)]
struct Call {
    id: String,
    name: String,
    arguments: String,
}

impl Draft {
    /// Takes what a chunk or a whole answer holds; its choice's text and calls are below `part`.
    /// Says whether there were any.
    fn take(&mut self, chunk: &Value, part: &str) -> bool {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        if let Some(model) = text(&chunk["model"]).filter(|model| !model.is_empty()) {
            self.answer.model = model;
        }
        if let Some(fingerprint) = text(&chunk["system_fingerprint"]) {
            self.answer.fingerprint = Some(fingerprint);
        }
        if chunk["usage"].is_object() {
            self.answer.usage = usage(&chunk["usage"]);
        }
        let choice = &chunk["choices"][0];
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.answer.finish_reason = Some(match reason {
                // Ollama and older servers.
                "function_call" => "tool_calls".to_owned(),
                _ => reason.to_owned(),
            });
        }
        let before = self.answer.text.len();
        self.take_text(&choice[part]["content"]);
        // A refusal is what the person reads instead of an answer.
        self.take_text(&choice[part]["refusal"]);
        let calls = choice[part]["tool_calls"].as_array();
        let calls = calls.map(Vec::as_slice).unwrap_or_default();
        for (position, call) in (0..).zip(calls) {
            let number = call["index"].as_u64().unwrap_or(position);
            let kept = self.calls.entry(number).or_default();
            let add = |kept: &mut String, path: &str| {
                kept.push_str(
                    call.pointer(path)
                        .and_then(Value::as_str)
                        .unwrap_or_default(),
                );
            };
            add(&mut kept.id, "/id");
            add(&mut kept.name, "/function/name");
            add(&mut kept.arguments, "/function/arguments");
        }
        !calls.is_empty() || self.answer.text.len() > before
    }

    /// A string, or a list of parts of which the texts count.
    fn take_text(&mut self, content: &Value) {
        if let Some(text) = content.as_str() {
            self.answer.text.push_str(text);
        }
        for part in content.as_array().into_iter().flatten() {
            self.answer
                .text
                .push_str(part["text"].as_str().unwrap_or_default());
        }
    }

    fn finish(mut self) -> Answer {
        self.answer.tool_calls = self
            .calls
            .into_values()
            .map(|call| tool_call(&call.id, &call.name, &call.arguments))
            .collect();
        self.answer
    }
}

/// A call as [`Answer::tool_calls`] describes it.
pub fn tool_call(id: &str, name: &str, arguments: &str) -> Value {
    let function = json!({"name": name, "arguments": arguments});
    json!({"id": id, "type": "function", "function": function})
}

fn usage(usage: &Value) -> Usage {
    let count = |path| usage.pointer(path).and_then(count);
    Usage {
        input_tokens: count("/prompt_tokens"),
        output_tokens: count("/completion_tokens"),
        cache_read_tokens: count("/prompt_tokens_details/cached_tokens"),
        // Their caches charge nothing for writing, and do not count it.
        cache_write_tokens: None,
        cache_write_1h_tokens: None,
    }
}

/// A number of tokens.
pub fn count(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|n| u32::try_from(n).ok())
}
