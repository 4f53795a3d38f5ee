use serde_json::json;

use super::*;

fn declared(value: Value) -> Variable {
    Variable::parse("v", value).unwrap()
}

#[track_caller]
fn check(variable: &Value, value: &Value, expected: Result<&str, &[Rule]>) {
    let mut variable = variable.clone();
    variable["name"] = json!("x");
    let values = serde_json::from_value(json!({"x": value})).unwrap();
    let found = validate(&[declared(variable)], &values);
    let found = found
        .map(|mut texts| texts.remove("x").unwrap())
        .map_err(|errors| errors.iter().map(|error| error.rule).collect::<Vec<_>>());
    assert_eq!(found.as_deref().map_err(Vec::as_slice), expected, "{value}");
}

#[test]
fn strings_count_characters() {
    let string = json!({"type": "string", "max_length": 3});
    check(&string, &json!("äöü"), Ok("äöü"));
    check(&string, &json!("🙂🙂🙂🙂"), Err(&[Rule::MaxLength]));
    check(&string, &json!(7), Err(&[Rule::Type]));
    check(&string, &json!("a\0"), Err(&[Rule::Format]));
    check(&string, &json!(""), Ok(""));
    check(&string, &json!(null), Err(&[Rule::Required]));
}

#[test]
fn numbers_keep_their_json_form() {
    let integer = json!({"type": "integer", "min": -2, "max": 9_007_199_254_740_991_i64});
    check(&integer, &json!(-2), Ok("-2"));
    check(&integer, &json!(-3), Err(&[Rule::Min]));
    check(
        &integer,
        &json!(9_007_199_254_740_992_i64),
        Err(&[Rule::Max]),
    );
    check(&integer, &json!(1.5), Err(&[Rule::Type]));
    check(&integer, &json!("1"), Err(&[Rule::Type]));
    let number = json!({"type": "number", "max": 0.5});
    check(&number, &json!(0.25), Ok("0.25"));
    check(&number, &json!(0), Ok("0"));
    check(&number, &json!(1), Err(&[Rule::Max]));
    check(&json!({"type": "boolean"}), &json!(true), Ok("true"));
}

#[test]
fn enums_take_their_values_only() {
    let tone = json!({"type": "enum", "values": ["warm", "dry"]});
    check(&tone, &json!("dry"), Ok("dry"));
    check(&tone, &json!("Dry"), Err(&[Rule::Values]));
}

#[test]
fn dates_are_full_dates() {
    for (text, is_date) in [
        ("2026-03-14", true),
        ("2024-02-29", true),
        ("2026-02-29", false),
        ("2026-3-14", false),
        ("+026-03-14", false),
        ("2026-03-14T00:00:00Z", false),
    ] {
        let expected = if is_date {
            Ok(text)
        } else {
            Err(&[Rule::Format][..])
        };
        check(&json!({"type": "date"}), &json!(text), expected);
    }
}

#[test]
fn urls_have_a_host_and_addresses_an_at() {
    let url = json!({"type": "url", "max_length": 100});
    check(
        &url,
        &json!("https://example.org/a?b=c#d"),
        Ok("https://example.org/a?b=c#d"),
    );
    for text in [
        "example.org",
        "javascript:alert(1)",
        "https:///a",
        "http://a b",
        "",
    ] {
        check(&url, &json!(text), Err(&[Rule::Format]));
    }
    let email = json!({"type": "email", "max_length": 100});
    check(
        &email,
        &json!("jo+x@mail.example.org"),
        Ok("jo+x@mail.example.org"),
    );
    for text in [
        "jo",
        "@x.org",
        "jo@",
        "a b@x.org",
        "jo@-x.org",
        "jo@x..org",
        "<jo@x.org>",
    ] {
        check(&email, &json!(text), Err(&[Rule::Format]));
    }
}

#[test]
fn json_is_rendered_without_spaces() {
    let any = json!({"type": "json", "max_length": 20});
    check(
        &any,
        &json!({"b": [1, "x"], "a": null}),
        Err(&[Rule::MaxLength]),
    );
    check(&any, &json!({"b": [1], "a": 2}), Ok(r#"{"b":[1],"a":2}"#));
    check(&any, &json!("x"), Ok("\"x\""));
    check(&any, &json!(null), Ok("null"));
}

#[test]
fn a_pattern_matches_the_whole_value() {
    let code = json!({"type": "string", "max_length": 9, "pattern": "a|ab"});
    check(&code, &json!("ab"), Ok("ab"));
    check(&code, &json!("abc"), Err(&[Rule::Pattern]));
    check(&code, &json!("xab"), Err(&[Rule::Pattern]));
    check(&code, &json!("ab\n"), Err(&[Rule::Pattern]));
    check(&code, &json!("x".repeat(10)), Err(&[Rule::MaxLength]));
}

#[test]
fn what_is_not_sent_is_the_default_or_empty_or_missing() {
    let text = |variable: Value| {
        let texts = validate(&[declared(variable)], &serde_json::Map::new());
        texts
            .map(|mut texts| texts.remove("x").unwrap())
            .map_err(|errors| errors[0].rule)
    };
    assert_eq!(
        text(json!({"name": "x", "type": "boolean"})),
        Err(Rule::Required)
    );
    assert_eq!(
        text(json!({"name": "x", "type": "boolean", "required": true})),
        Err(Rule::Required)
    );
    assert_eq!(
        text(json!({"name": "x", "type": "boolean", "required": false})),
        Ok(String::new())
    );
    assert_eq!(
        text(json!({"name": "x", "type": "number", "default": 0.5})),
        Ok("0.5".to_owned())
    );
}

#[track_caller]
fn check_refused(variable: Value, expected: &[&str]) {
    let errors = Variable::parse("v", variable).unwrap_err();
    let listed: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(listed.len(), expected.len(), "{listed:#?}");
    for (line, start) in listed.iter().zip(expected) {
        assert!(line.starts_with(start), "{line}\nexpected {start}");
    }
}

#[test]
fn a_declaration_lists_everything_wrong_with_it() {
    check_refused(
        json!({"name": "x", "type": "date", "min": 1, "values": ["a"], "trust": "maybe", "colour": 1}),
        &[
            "v.min: applies to",
            "v.values: applies to enum",
            "v.trust: must be",
            "v.colour: is not",
        ],
    );
    check_refused(
        json!({"name": "x", "type": "enum"}),
        &["v.values: an enum lists"],
    );
    check_refused(
        json!({"name": "x", "type": "enum", "values": ["a", "a"]}),
        &["v.values: `a` is listed twice"],
    );
    check_refused(
        json!({"name": "x", "type": "integer", "min": 2, "max": 1}),
        &["v.max: must not be smaller"],
    );
    check_refused(
        json!({"name": "x", "type": "url", "max_length": 0}),
        &["v.max_length: must be a whole number from 1"],
    );
    check_refused(
        json!({"name": "x", "type": "boolean", "required": true, "default": true}),
        &["v.default: a required variable"],
    );
}

#[test]
fn default_and_example_keep_the_variables_own_rules() {
    check_refused(
        json!({"name": "x", "type": "integer", "max": 3, "default": 4, "example": "4"}),
        &[
            "v.default: must be at most 3",
            "v.example: must be a whole number",
        ],
    );
}

#[test]
fn patterns_run_in_linear_time_or_not_at_all() {
    let pattern =
        |pattern: &str| json!({"name": "x", "type": "string", "max_length": 9, "pattern": pattern});
    check_refused(
        pattern("a)|(b"),
        &["v.pattern: is not a regular expression"],
    );
    check_refused(
        pattern("(?=a)"),
        &["v.pattern: is not a regular expression"],
    );
    check_refused(
        pattern("((a{1,999}){1,999}){1,999}"),
        &["v.pattern: is not a regular expression"],
    );
    check_refused(
        pattern(&"(".repeat(999)),
        &["v.pattern: is not a regular expression"],
    );
    assert!(Variable::parse("v", pattern(r"[A-Z]{2}\d{1,500}")).is_ok());
}

#[test]
fn ten_thousand_variables_are_refused_in_one_line() {
    let many = vec![json!({"name": "x", "type": "string"}); 10_000];
    let errors = parse_variables("content.variables", Value::Array(many)).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].field, "content.variables");
}
