//! What holds for every input: nothing panics, nothing is read twice, hashes and differences
//! do not depend on accidents.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use domain::cache::{blocks, first_changed_block};
use domain::content::Content;
use domain::diff::{Op, diff, text_diff};
use domain::lint::lint;
use domain::template::{Compiled, Snippets, Template, compose, escape};
use domain::variable::{parse_variables, validate};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Text with many braces, tags and line ends, and any Unicode between them.
fn template_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[{}]{1,5}",
        3 => Just("{{a}}".to_owned()),
        1 => Just("{{> x/y@3}}".to_owned()),
        1 => "[{]{2}[ >a-c@0-9é}\n]{0,9}[}]{0,3}",
        3 => "[ -~]{0,9}",
        2 => "\\PC{0,5}",
        1 => Just("\r\n".to_owned()),
        1 => Just("\n".to_owned()),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        template_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((member(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Names our readers know, so that generated objects come near to what they read.
fn member() -> impl Strategy<Value = String> {
    const KNOWN: [&str; 24] = [
        "type",
        "messages",
        "variables",
        "model",
        "tools",
        "response_format",
        "role",
        "content",
        "name",
        "tool_calls",
        "cache_control",
        "provider",
        "temperature",
        "max_tokens",
        "seed",
        "stop",
        "required",
        "default",
        "max_length",
        "min",
        "max",
        "pattern",
        "values",
        "example",
    ];
    prop_oneof![
        4 => prop::sample::select(&KNOWN[..]).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

/// A content that is valid, with every kind of member.
fn valid_content() -> impl Strategy<Value = Value> {
    let role = prop::sample::select(&["system", "developer", "user", "assistant"][..]);
    let messages = prop::collection::vec((role, "\\PC{0,30}"), 1..6);
    let tools = prop::option::of(prop::collection::vec("[a-z]{1,8}", 0..3));
    let temperature = prop::option::of(prop_oneof![
        (0_i64..=2).prop_map(Value::from),
        (0.0..=2.0_f64).prop_map(Value::from)
    ]);
    (messages, tools, temperature, any::<bool>()).prop_map(|(texts, tools, temperature, has_history)| {
        let mut messages: Vec<Value> = texts
            .into_iter()
            .map(|(role, text)| json!({"role": role, "content": format!("{}{{{{ x }}}}", escape(&text))}))
            .collect();
        if has_history {
            messages.insert(0, json!({"type": "placeholder", "name": "history"}));
        }
        let mut content = json!({
            "type": "chat",
            "messages": messages,
            "variables": [{"name": "x", "type": "string", "max_length": 100, "trust": "trusted"}],
        });
        if let Some(tools) = tools {
            let tools: Vec<Value> = tools.into_iter().map(|name| json!({"name": name, "n": 1.5})).collect();
            content["tools"] = Value::from(tools);
        }
        if let Some(temperature) = temperature {
            content["model"] = json!({"provider": "p", "name": "m", "temperature": temperature});
        }
        content
    })
}

/// The same JSON with every object's members the other way round.
fn reversed(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .rev()
            .map(|(name, item)| (name.clone(), reversed(item)))
            .collect(),
        Value::Array(items) => items.iter().map(reversed).collect(),
        other => other.clone(),
    }
}

fn side(old: &str, new: &str, without: Op) -> String {
    text_diff(old, new)
        .into_iter()
        .filter(|segment| segment.op != without)
        .map(|segment| segment.text)
        .collect()
}

proptest! {
    #[test]
    fn any_text_is_a_template_or_an_error_inside_the_text(source in template_text()) {
        match Template::parse(&source) {
            Ok(_) => {}
            Err(error) => {
                let line = source.split('\n').nth(error.line - 1);
                prop_assert!(line.is_some(), "{error}");
                let n_chars = line.map_or(0, |line| line.chars().count());
                prop_assert!((1..=n_chars).contains(&error.column), "{error} of {n_chars}");
                prop_assert!(!error.message.is_empty());
            }
        }
    }

    #[test]
    fn escaped_text_renders_to_itself(text in template_text()) {
        let template = Template::parse(&escape(&text)).unwrap();
        prop_assert!(template.variables().is_empty());
        prop_assert_eq!(template.render(&BTreeMap::new()), text);
    }

    #[test]
    fn values_are_never_read_as_templates(value in template_text(), before in "[a-z ]{0,5}") {
        let content = json!({
            "type": "text",
            "messages": [{"role": "user", "content": format!("{before}{{{{v}}}}|{{{{v}}}}")}],
            "variables": [{"name": "v", "type": "string", "max_length": 1000}],
        });
        let content = Content::parse("content", content).unwrap();
        let values = Map::from_iter([("v".to_owned(), Value::from(value.clone()))]);
        let rendered = Compiled::new(&content).unwrap().render(&values, &Map::new()).unwrap();
        prop_assert_eq!(&rendered[0]["content"], &Value::from(format!("{before}{value}|{value}")));
    }

    #[test]
    fn the_hash_knows_neither_order_nor_spaces(value in valid_content()) {
        let content = Content::parse("content", value.clone()).unwrap();
        let spaced = serde_json::to_string_pretty(&reversed(&value)).unwrap();
        let other = Content::parse("content", serde_json::from_str(&spaced).unwrap()).unwrap();
        prop_assert_eq!(content.hash(), other.hash());
        prop_assert_eq!(content.hash().as_str().len(), 64);
    }

    #[test]
    fn reading_what_was_written_changes_nothing(value in valid_content()) {
        let content = Content::parse("content", value.clone()).unwrap();
        let written = serde_json::to_value(&content).unwrap();
        prop_assert_eq!(&written, &value);
        prop_assert_eq!(&Content::parse("content", written.clone()).unwrap(), &content);
        prop_assert_eq!(&serde_json::from_value::<Content>(written).unwrap(), &content);
        prop_assert_eq!(&compose("content", "me", &content, &Snippets::new()).unwrap(), &content);
    }

    #[test]
    fn contents_are_compared_without_loss(old in valid_content(), new in valid_content()) {
        let old = Content::parse("content", old).unwrap();
        let new = Content::parse("content", new).unwrap();
        let found = diff(&old, &new);
        prop_assert_eq!(found.is_empty(), old.hash() == new.hash());
        let places = |of: fn(&domain::diff::MessageDiff) -> Option<usize>| {
            found.messages.iter().filter_map(of).collect::<Vec<_>>()
        };
        prop_assert_eq!(places(|m| m.old_index), (0..old.messages.len()).collect::<Vec<_>>());
        prop_assert_eq!(places(|m| m.new_index), (0..new.messages.len()).collect::<Vec<_>>());
        if let Some(change) = first_changed_block(&old, &new) {
            let n_chars: usize = blocks(&old).iter().map(|block| block.chars).sum();
            prop_assert!(change.unchanged_chars <= n_chars);
        }
        lint(&new);
    }

    #[test]
    fn a_difference_holds_both_texts(
        old in "([a-d \n.é]{0,4}|\\PC{0,3}){0,9}",
        new in "([a-d \n.é]{0,4}|\\PC{0,3}){0,9}",
    ) {
        prop_assert_eq!(side(&old, &new, Op::Insert), old.clone());
        prop_assert_eq!(side(&old, &new, Op::Delete), new.clone());
    }

    #[test]
    fn no_json_makes_a_reader_panic(value in any_json()) {
        let _ = Content::parse("content", value.clone());
        let _ = parse_variables("content.variables", value.clone());
        let near = json!({
            "type": "chat",
            "messages": [{"role": "user", "content": "{{x}}"}, value.clone()],
            "variables": {"x": value.clone()},
            "model": value.clone(),
            "tools": value.clone(),
        });
        if let Err(errors) = Content::parse("content", near) {
            prop_assert!(errors.iter().all(|error| error.field.starts_with("content")));
        }
        if let Ok(content) = serde_json::from_value::<Content>(value.clone()) {
            lint(&content);
            blocks(&content);
            let _ = compose("content", "me", &content, &Snippets::new());
        }
        let declarations = json!([
            {"name": "s", "type": "string", "max_length": 5, "pattern": "[a-z]+"},
            {"name": "j", "type": "json", "max_length": 5},
            {"name": "u", "type": "url", "max_length": 5},
            {"name": "e", "type": "email", "max_length": 5},
            {"name": "d", "type": "date"},
            {"name": "n", "type": "number", "min": 0, "max": 1},
        ]);
        let variables = parse_variables("v", declarations).unwrap();
        let names = ["s", "j", "u", "e", "d", "n"];
        let values = names.into_iter().map(|name| (name.to_owned(), value.clone())).collect();
        let _ = validate(&variables, &values);
    }

    #[test]
    fn rendering_answers_or_lists_and_never_panics(values in any_json(), placeholders in any_json()) {
        let content = json!({
            "type": "chat",
            "messages": [{"type": "placeholder", "name": "name"}, {"role": "user", "content": "{{content}}"}],
            "variables": [{"name": "content", "type": "string", "max_length": 3}],
        });
        let content = Content::parse("content", content).unwrap();
        let compiled = Compiled::new(&content).unwrap();
        let object = |value: Value| value.as_object().cloned().unwrap_or_default();
        let _ = compiled.render(&object(values), &object(placeholders));
    }
}

/// Bad inputs may be large. What takes seconds here, in a debug build on a busy machine, takes
/// minutes once anything is quadratic.
#[track_caller]
fn soon<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = work();
    assert!(
        start.elapsed() < Duration::from_secs(15),
        "took {:?}",
        start.elapsed()
    );
    done
}

fn text(template: &str) -> Value {
    json!({"type": "text", "messages": [{"role": "user", "content": template}]})
}

#[test]
fn large_templates_are_judged_soon() {
    for piece in [
        "{",
        "{{a}}",
        "{{a",
        "{{> a@1}}",
        "é{{ a }} <t> </t> \"\"\" ",
    ] {
        let template = piece.repeat(1_000_000 / piece.len());
        let _ = soon(|| Template::parse(&template));
        let _ = soon(|| Content::parse("content", text(&template)));
        let mut declared = text(&template);
        declared["variables"] = json!([{"name": "a", "type": "string", "max_length": 1}]);
        let content: Content = serde_json::from_value(declared).unwrap();
        soon(|| lint(&content));
        let _ = soon(|| compose("content", "me", &content, &Snippets::new()));
    }
}

#[test]
fn many_variables_are_judged_soon() {
    let uses = (0..10_000)
        .map(|n| format!("{{{{v{n}}}}}"))
        .collect::<Vec<_>>()
        .concat();
    let declarations = |n: usize| -> Vec<Value> {
        (0..n)
            .map(|n| json!({"name": format!("v{n}"), "type": "string", "max_length": 9}))
            .collect()
    };
    let mut value = text(&uses);
    value["variables"] = Value::from(declarations(10_000));
    assert!(soon(|| Content::parse("content", value.clone())).is_err());
    value["variables"] = Value::from(declarations(1_000));
    assert!(soon(|| Content::parse("content", value)).is_err());
    let uses = (0..1_000)
        .map(|n| format!("{{{{v{n}}}}}"))
        .collect::<Vec<_>>()
        .concat();
    let mut value = text(&uses);
    value["variables"] = Value::from(declarations(1_000));
    let content = soon(|| Content::parse("content", value)).unwrap();
    let values: Map<String, Value> = (0..10_000)
        .map(|n| (format!("v{n}"), Value::from("x")))
        .collect();
    let errors = soon(|| {
        Compiled::new(&content)
            .unwrap()
            .render(&values, &Map::new())
    })
    .unwrap_err();
    assert_eq!(errors.len(), 9_000);
    assert_eq!(soon(|| lint(&content)).len(), 50);
}

#[test]
fn nesting_as_deep_as_json_readers_allow_is_refused() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(126), close.repeat(126));
        let mut value = text("x");
        value["response_format"] = serde_json::from_str(&deep).unwrap();
        let errors = Content::parse("content", value).unwrap_err();
        assert!(errors[0].message.contains("nested"), "{errors:?}");
    }
}
