use serde_json::json;

use super::*;

fn refused(value: Value) -> Vec<String> {
    let errors = Content::parse("content", value).unwrap_err();
    errors.iter().map(ToString::to_string).collect()
}

fn text(template: &str) -> Value {
    json!({"type": "text", "messages": [{"role": "user", "content": template}]})
}

#[test]
fn the_hash_is_the_one_others_compute() {
    // Each computed with Python: sha256(json.dumps(…, sort_keys=True, separators=(",", ":"),
    // ensure_ascii=False)).
    let cases = [
        (
            text("Hello"),
            "f4cac93005e8338de3a853a7b2715cf991e93dfef4ab424224ecc39911a8f45a",
        ),
        (
            json!({
                "type": "chat",
                "messages": [
                    {"role": "system", "content": "Antworte höflich. ✓ \u{1F600}\n\"quoted\" \\ \u{1f}"},
                    {"type": "placeholder", "name": "history"},
                    {"role": "user", "content": "{{question}}", "cache_control": {"type": "ephemeral"}},
                ],
                "variables": [{"name": "question", "type": "string", "max_length": 4000}],
                "model": {"provider": "openai", "name": "gpt-5", "temperature": 0.2, "max_tokens": 512, "stop": ["END"]},
                "tools": [],
                "response_format": {"type": "json_object"},
            }),
            "df1a9d58cc29f5a91898d1952b996dda983382e409d5064378acbcef0914c8dc",
        ),
    ];
    for (value, expected) in cases {
        assert_eq!(
            Content::parse("content", value).unwrap().hash().as_str(),
            expected
        );
    }
}

#[test]
fn what_is_served_is_what_was_sent() {
    let mut value = text("{{a}}{{b}}");
    value["variables"] = json!([
        {"name": "b", "type": "number", "min": 0, "max": 1.5, "required": false},
        {"name": "a", "type": "enum", "values": ["x", "y"], "trust": "trusted", "example": "y"},
    ]);
    value["model"] = json!({"provider": "anthropic", "name": "m", "temperature": 0});
    value["tools"] = json!([]);
    let content = Content::parse("content", value.clone()).unwrap();
    assert_eq!(serde_json::to_value(&content).unwrap(), value);
}

#[test]
fn null_counts_as_absent_and_an_empty_list_does_not() {
    let plain = Content::parse("content", text("x")).unwrap();
    let mut value = text("x");
    value["variables"] = Value::Null;
    value["model"] = Value::Null;
    assert_eq!(
        Content::parse("content", value.clone()).unwrap().hash(),
        plain.hash()
    );
    value["variables"] = json!([]);
    assert_ne!(
        Content::parse("content", value).unwrap().hash(),
        plain.hash()
    );
}

#[test]
fn variables_may_be_keyed_by_name() {
    let mut value = text("{{a}}{{b}}");
    value["variables"] = json!({"b": {"type": "boolean"}, "a": {"type": "integer"}});
    let content = Content::parse("content", value).unwrap();
    let names: Vec<&str> = content
        .declared()
        .iter()
        .map(|variable| variable.name.as_str())
        .collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn every_wrong_field_is_named_with_its_path() {
    let value = json!({
        "type": "poem",
        "messages": [
            {"role": "wizard", "content": "x", "mood": 1},
            {"type": "placeholder"},
            {"type": "message", "role": "user", "content": ""},
            7,
        ],
        "variables": [{"name": "1a", "type": "string"}, {"name": "b", "type": "text"}],
        "model": {"provider": "", "temperature": 3, "max_tokens": 0, "speed": 1},
        "tools": ["hammer"],
        "response_format": "json",
        "labels": [],
    });
    let listed = refused(value);
    for expected in [
        "content.type: must be text or chat",
        "content.messages[0].role: must be one of",
        "content.messages[0].mood: is not a known field",
        "content.messages[1].name: is required",
        "content.messages[2].type: can only be placeholder",
        "content.messages[3]: must be an object",
        "content.variables[0].name: must start with",
        "content.variables[0].max_length: is required for type string",
        "content.variables[1].type: must be one of",
        "content.model.provider: must not be empty",
        "content.model.name: is required",
        "content.model.temperature: must be a number from 0 to 2",
        "content.model.max_tokens: must be a whole number",
        "content.model.speed: is not a known field",
        "content.tools[0]: must be an object",
        "content.response_format: must be an object",
        "content.labels: is not a known field",
    ] {
        assert!(
            listed.iter().any(|line| line.starts_with(expected)),
            "{expected}\n{listed:#?}"
        );
    }
}

#[test]
fn templates_and_declarations_must_agree() {
    assert_eq!(
        refused(text("a\n {{x}} {{x}}")),
        ["content.messages[0].content: line 2, column 2: `x` is not declared as a variable"]
    );
    assert_eq!(
        refused(text("{{")),
        [
            "content.messages[0].content: line 1, column 1: `{{` is never closed; write `{{{{` for a literal `{{`"
        ]
    );
    let mut value = text("x");
    value["variables"] = json!([{"name": "y", "type": "boolean"}]);
    assert_eq!(
        refused(value),
        ["content.variables[0]: `y` is declared, but no message uses it"]
    );
    let mut value = text("{{y}}");
    value["variables"] =
        json!([{"name": "y", "type": "boolean"}, {"name": "y", "type": "boolean"}]);
    assert_eq!(
        refused(value),
        ["content.variables[1].name: `y` is declared twice"]
    );
}

#[test]
fn a_placeholder_is_not_a_variable_and_stands_once() {
    let history = json!({"type": "placeholder", "name": "history"});
    let chat = |messages: Value| json!({"type": "chat", "messages": messages});
    assert!(Content::parse("content", chat(json!([history]))).is_ok());
    assert_eq!(
        refused(chat(json!([history, history]))),
        ["content.messages[1].name: there is already a placeholder `history`"]
    );
    let using = json!([history, {"role": "user", "content": "{{history}}"}]);
    assert!(refused(chat(using))[0].contains("is not declared"));
}

#[test]
fn a_text_prompt_is_one_user_message() {
    let user = json!({"role": "user", "content": "x"});
    for messages in [
        json!([user, user]),
        json!([{"role": "system", "content": "x"}]),
        json!([{"type": "placeholder", "name": "x"}]),
    ] {
        let value = json!({"type": "text", "messages": messages});
        assert_eq!(
            refused(value),
            ["content.messages: a text prompt is exactly one user message"]
        );
    }
    assert_eq!(
        refused(json!({"type": "chat", "messages": []})),
        ["content.messages: must hold at least one message"]
    );
}

#[test]
fn what_cannot_be_kept_or_hashed_is_refused() {
    assert_eq!(
        refused(text("a\0b")),
        ["content.messages[0].content: must not hold NUL characters"]
    );
    let mut value = text("x");
    value["tools"] = json!([{"a": [9_007_199_254_740_993_u64]}]);
    assert_eq!(
        refused(value),
        ["content.tools[0].a[0]: is a whole number too large to be kept exactly"]
    );
    let mut deep = json!({});
    for _ in 0..500 {
        deep = json!({"a": deep});
    }
    let mut value = text("x");
    value["response_format"] = deep;
    assert_eq!(refused(value), ["content: is nested deeper than 64 levels"]);
    assert!(refused(text(&"x".repeat(MAX_BYTES)))[0].contains("bytes as canonical JSON"));
    let many =
        json!({"type": "chat", "messages": vec![json!({"role": "user", "content": ""}); 1001]});
    assert_eq!(
        refused(many),
        ["content.messages: holds 1001 messages; at most 1000 are allowed"]
    );
}

#[test]
fn includes_put_off_the_question_what_is_used() {
    let mut value = text("{{> a/b@1}} {{> c@2}} {{> a/b@1}}");
    value["variables"] = json!([{"name": "x", "type": "boolean"}]);
    let content = Content::parse("content", value).unwrap();
    let includes: Vec<String> = content.includes().iter().map(ToString::to_string).collect();
    assert_eq!(includes, ["a/b@1", "c@2"]);
}
