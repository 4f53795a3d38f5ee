use serde_json::{Value, json};

use super::*;

fn chat(messages: &[(&str, &str)]) -> Content {
    let messages: Vec<Value> = messages
        .iter()
        .map(|(role, content)| json!({"role": role, "content": content}))
        .collect();
    serde_json::from_value(json!({"type": "chat", "messages": messages})).unwrap()
}

fn with_variable(variable: Value) -> Content {
    let mut content = chat(&[("user", "{{x}}")]);
    let mut variable = variable;
    variable["name"] = json!("x");
    content.variables = Some(vec![serde_json::from_value(variable).unwrap()]);
    content
}

fn side(segments: &[Segment], without: Op) -> String {
    segments
        .iter()
        .filter(|segment| segment.op != without)
        .map(|segment| segment.text.as_str())
        .collect()
}

#[track_caller]
fn check_text(old: &str, new: &str, expected: &[(Op, &str)]) {
    let segments = text_diff(old, new);
    let found: Vec<(Op, &str)> = segments
        .iter()
        .map(|segment| (segment.op, segment.text.as_str()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn only_changed_words_are_marked() {
    use Op::{Delete, Equal, Insert};
    check_text("same", "same", &[(Equal, "same")]);
    check_text("", "", &[]);
    check_text("", "new", &[(Insert, "new")]);
    check_text(
        "Answer in one short line.\nBe kind.\n",
        "Answer in one long line.\nBe kind.\n",
        &[
            (Equal, "Answer in one "),
            (Delete, "short"),
            (Insert, "long"),
            (Equal, " line.\nBe kind.\n"),
        ],
    );
    check_text(
        "Reply in at most two plain sentences.",
        "Reply in about five plain sentences.",
        &[
            (Equal, "Reply in "),
            (Delete, "at most two"),
            (Insert, "about five"),
            (Equal, " plain sentences."),
        ],
    );
    check_text(
        "The cat sat on the mat.",
        "Refunds need a receipt.",
        &[
            (Delete, "The cat sat on the mat."),
            (Insert, "Refunds need a receipt."),
        ],
    );
}

#[test]
fn a_megabyte_is_compared_in_bounded_time() {
    let many_lines = |seed: u64| -> String {
        (0..30_000_u64)
            .map(|n| format!("line {} of text\n", (n * seed) % 7919))
            .collect::<Vec<_>>()
            .concat()
    };
    let one_line = |seed: u64| -> String {
        (0..150_000_u64)
            .map(|n| format!("w{} ", (n * seed) % 7919))
            .collect::<Vec<_>>()
            .concat()
    };
    for (old, new) in [(many_lines(1), many_lines(31)), (one_line(1), one_line(31))] {
        let segments = text_diff(&old, &new);
        assert_eq!(side(&segments, Op::Insert), old);
        assert_eq!(side(&segments, Op::Delete), new);
    }
}

#[track_caller]
fn check_messages(
    old: &[(&str, &str)],
    new: &[(&str, &str)],
    expected: &[(MessageChange, Option<usize>, Option<usize>)],
) {
    let found = diff(&chat(old), &chat(new)).messages;
    let found: Vec<_> = found
        .iter()
        .map(|m| (m.change, m.old_index, m.new_index))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn messages_keep_their_partner_when_others_come_and_go() {
    use MessageChange::{Added, Changed, Removed, Same};
    let old = [
        ("system", "Be kind to every customer."),
        ("user", "Sort this ticket: {{t}}"),
        ("assistant", "Yes"),
    ];
    let new = [
        ("system", "Be kind to every customer, always."),
        ("user", "Here is an example of what we want."),
        ("user", "Sort this ticket now: {{t}}"),
        ("assistant", "Yes"),
    ];
    check_messages(
        &old,
        &new,
        &[
            (Changed, Some(0), Some(0)),
            (Added, None, Some(1)),
            (Changed, Some(1), Some(2)),
            (Same, Some(2), Some(3)),
        ],
    );
    check_messages(
        &new,
        &old,
        &[
            (Changed, Some(0), Some(0)),
            (Removed, Some(1), None),
            (Changed, Some(2), Some(1)),
            (Same, Some(3), Some(2)),
        ],
    );
    check_messages(
        &[("system", "One two three.")],
        &[("system", "Else.")],
        &[(Changed, Some(0), Some(0))],
    );
    check_messages(
        &[("system", "One two three.")],
        &[("user", "One two three.")],
        &[(Changed, Some(0), Some(0))],
    );
    check_messages(
        &[("system", "One.")],
        &[("user", "Else.")],
        &[(Removed, Some(0), None), (Added, None, Some(0))],
    );
}

#[test]
fn a_thousand_changed_messages_are_compared_too() {
    let messages = |word: &str| -> Vec<(String, String)> {
        (0..1000)
            .map(|n| ("user".to_owned(), format!("{word} {n}")))
            .collect()
    };
    let content = |word| {
        let messages = messages(word);
        chat(
            &messages
                .iter()
                .map(|(role, text)| (role.as_str(), text.as_str()))
                .collect::<Vec<_>>(),
        )
    };
    let found = diff(&content("old"), &content("new"));
    assert_eq!(found.messages.len(), 1000);
}

#[track_caller]
fn check_callers(old: Value, new: Value, expected: &[&str]) {
    let found = diff(&with_variable(old), &with_variable(new)).variables;
    let why: Vec<&str> = found
        .iter()
        .flat_map(|change| &change.why)
        .map(String::as_str)
        .collect();
    assert_eq!(why, expected);
    assert!(
        found
            .iter()
            .all(|change| change.breaks_callers != change.why.is_empty())
    );
}

#[test]
fn a_narrower_variable_breaks_callers_and_says_why() {
    let string = |max_length: u32| json!({"type": "string", "max_length": max_length});
    check_callers(string(10), string(20), &[]);
    check_callers(
        string(20),
        string(10),
        &["values longer than 10 characters are no longer taken"],
    );
    check_callers(
        json!({"type": "integer", "required": false}),
        json!({"type": "number", "min": 0}),
        &[
            "it is required now, and callers may not send it",
            "values under 0 are no longer taken",
        ],
    );
    check_callers(
        json!({"type": "number"}),
        json!({"type": "integer"}),
        &["values of type number are no longer taken, only integer"],
    );
    check_callers(
        json!({"type": "enum", "values": ["a", "bb", "c"]}),
        json!({"type": "enum", "values": ["c", "d"]}),
        &["a, bb are no longer taken"],
    );
    check_callers(
        json!({"type": "enum", "values": ["a", "bb"]}),
        string(1),
        &["bb is no longer taken"],
    );
    check_callers(json!({"type": "date"}), string(10), &[]);
    check_callers(
        string(9),
        json!({"type": "string", "max_length": 9, "pattern": "a+"}),
        &["values that do not match a+ are no longer taken"],
    );
    check_callers(
        string(9),
        json!({"type": "string", "max_length": 9, "trust": "trusted"}),
        &[],
    );
}

#[test]
fn added_and_removed_variables_say_who_breaks() {
    let none = chat(&[("user", "x")]);
    let required = with_variable(json!({"type": "boolean"}));
    let optional = with_variable(json!({"type": "boolean", "default": true}));
    assert!(diff(&none, &required).breaks_callers());
    assert!(!diff(&none, &optional).breaks_callers());
    assert!(diff(&optional, &none).breaks_callers());
    let mut place = none.clone();
    place
        .messages
        .push(serde_json::from_value(json!({"type": "placeholder", "name": "h"})).unwrap());
    let found = diff(&none, &place);
    assert!(found.breaks_callers() && found.variables[0].is_placeholder);
}

#[test]
fn the_summary_is_one_line() {
    let model = |temperature: f64| -> Option<Model> {
        serde_json::from_value(
            json!({"provider": "openai", "name": "m", "temperature": temperature}),
        )
        .unwrap()
    };
    let mut old = with_variable(json!({"type": "boolean"}));
    old.model = model(0.0);
    let mut new = with_variable(json!({"type": "integer"}));
    new.model = model(0.2);
    new.messages.extend(chat(&[("assistant", "Yes")]).messages);
    new.tools = Some(Vec::new());
    let found = diff(&old, &new);
    assert_eq!(
        found.summary(),
        "1 message, 1 variable, temperature 0 → 0.2, tools"
    );
    assert_eq!(diff(&old, &old).summary(), "no changes");
    assert!(diff(&old, &old).is_empty());
    let sent = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<ContentDiff>(&sent).unwrap(), found);
}

#[test]
fn a_difference_only_the_hash_sees_is_still_named() {
    let mut old = chat(&[("user", "x")]);
    old.variables = Some(Vec::new());
    let new = chat(&[("user", "x")]);
    assert_ne!(old.hash(), new.hash());
    assert_eq!(diff(&old, &new).summary(), "order of variables");
}
