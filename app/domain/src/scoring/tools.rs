//! Whether a model's tool calls are ones the version's tools allow. Chat completions'
//! and Anthropic's forms of calls and definitions are both read.

use std::borrow::Cow;

use serde_json::Value;

use super::json;

/// Why the calls are not valid; `Ok` with their number if all of them are.
pub(super) fn check(calls: &[Value], tools: Option<&[Value]>) -> Result<usize, String> {
    if calls.is_empty() {
        return Err("the output calls no tool".to_owned());
    }
    let tools = tools.unwrap_or_default();
    if tools.is_empty() {
        return Err("the output calls a tool, but the version declares none".to_owned());
    }
    for call in calls {
        let name = member(call, "name").and_then(Value::as_str);
        let name = name.ok_or("a call names no tool")?;
        let tool = tools
            .iter()
            .find(|tool| member(tool, "name").and_then(Value::as_str) == Some(name))
            .ok_or_else(|| format!("{} is not a tool of this version", super::quoted(name)))?;
        let arguments = arguments(call).map_err(|error| format!("the call of {name}: {error}"))?;
        let schema = member(tool, "parameters").or_else(|| tool.get("input_schema"));
        json::fits(schema, &arguments)
            .map_err(|errors| format!("the arguments of {name} do not fit its schema: {errors}"))?;
    }
    Ok(calls.len())
}

/// A member of a call or a definition, which chat completions wrap in `function`.
fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.get("function").unwrap_or(value).get(name)
}

fn arguments(call: &Value) -> Result<Cow<'_, Value>, String> {
    let arguments = member(call, "arguments").or_else(|| call.get("input"));
    let arguments = match arguments {
        Some(Value::String(text)) => serde_json::from_str(text)
            .map(Cow::Owned)
            .map_err(|error| format!("its arguments are not JSON: {error}"))?,
        Some(value) => Cow::Borrowed(value),
        None => return Err("it has no arguments".to_owned()),
    };
    if arguments.is_object() {
        Ok(arguments)
    } else {
        Err("its arguments are not an object".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool() -> Value {
        json!({"type": "function", "function": {"name": "look_up", "parameters": {
            "type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"],
        }}})
    }

    #[track_caller]
    fn check_one(call: &Value, expected: Result<usize, &str>) {
        let found = check(std::slice::from_ref(call), Some(&[tool()]));
        assert_eq!(
            found.as_ref().map_err(String::as_str),
            expected.as_ref().map_err(|error| *error)
        );
    }

    #[test]
    fn calls_are_checked_against_the_tools() {
        check_one(
            &json!({"function": {"name": "look_up", "arguments": "{\"id\": 3}"}}),
            Ok(1),
        );
        check_one(
            &json!({"type": "tool_use", "name": "look_up", "input": {"id": 3}}),
            Ok(1),
        );
        check_one(
            &json!({"function": {"name": "delete", "arguments": "{}"}}),
            Err("\"delete\" is not a tool of this version"),
        );
        check_one(
            &json!({"function": {"name": "look_up", "arguments": "{}"}}),
            Err(
                "the arguments of look_up do not fit its schema: the value: \"id\" is a required property",
            ),
        );
        check_one(
            &json!({"function": {"name": "look_up", "arguments": "[3]"}}),
            Err("the call of look_up: its arguments are not an object"),
        );
        check_one(&json!(3), Err("a call names no tool"));
        assert!(check(&[], Some(&[tool()])).is_err());
        assert!(check(&[json!({"name": "x", "input": {}})], None).is_err());
    }
}
