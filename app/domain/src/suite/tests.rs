use serde_json::json;

use super::*;

fn case(value: &Value) -> Case {
    Case::parse(value, Origin::Manual).unwrap()
}

#[track_caller]
fn refused(value: &Value, expected: &[&str]) {
    let errors = Case::parse(value, Origin::Manual).expect_err("is refused");
    let listed: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(listed, expected);
}

fn scorer(value: &Value) -> Scorer {
    Scorer::parse("s", value).unwrap()
}

#[test]
fn a_case_reads_and_writes_the_same() {
    let sent = json!({
        "variables": {"question": "Why?"},
        "placeholders": {"history": [{"role": "user", "content": "Hi"}]},
        "expected": "Because.",
        "scorers": [{"type": "contains", "value": "Because", "weight": 2.0}],
        "tags": ["smoke"],
        "note": "the classic",
    });
    let case = case(&sent);
    assert_eq!(case.to_submitted(), sent);
    let stored = serde_json::to_value(&case).unwrap();
    assert_eq!(stored["origin"], json!("manual"));
    assert_eq!(serde_json::from_value::<Case>(stored).unwrap(), case);
}

#[test]
fn must_pass_and_its_tag_are_one_thing() {
    let tagged = case(&json!({"variables": {}, "tags": ["a", "must-pass"]}));
    assert!(tagged.must_pass);
    let flagged = case(&json!({"variables": {}, "tags": ["a"], "must_pass": true}));
    assert_eq!(tagged, flagged);
    let neither = case(&json!({"variables": {}, "tags": ["a", "must-pass"], "must_pass": false}));
    assert_eq!(
        (neither.must_pass, neither.tags),
        (false, vec!["a".to_owned()])
    );
}

#[test]
fn every_wrong_field_of_a_case_is_named() {
    refused(
        &json!({
            "variables": {"a b": 1}, "placeholders": {"history": "Hi"}, "tags": ["a,b"],
            "scorers": [{"type": "contains"}, {"type": "nonsense"}], "colour": "red", "note": "a\u{0}",
        }),
        &[
            "case.note: must not hold NUL characters",
            "variables.a b: is not a name: letters, digits and `_`, not beginning with a digit",
            "placeholders.history: must be a list of messages",
            &format!(
                "scorers[1].type: `nonsense` is not a scorer; known are {}",
                ScorerKind::ALL.map(ScorerKind::word).join(", ")
            ),
            "tags: \"a,b\" is not a tag: 1 to 50 letters, digits, `-`, `_`, `.` or `:`",
            "note: must not hold control characters",
            "colour: is not a known field",
        ],
    );
    refused(&json!([1]), &["body: must be an object"]);
    let huge = json!({"variables": {"a": "x".repeat(MAX_CASE_BYTES)}});
    refused(
        &huge,
        &["case: has 1048598 bytes; at most 1048576 are allowed"],
    );
}

#[test]
fn a_suite_reads_or_says_all_that_is_wrong() {
    let suite = NewSuite::parse(&json!({
        "name": "Golden", "prompt": "support/triage", "scorers": [{"type": "equals"}],
    }))
    .unwrap();
    assert_eq!(suite.scorers, [Scorer::new(ScorerKind::Equals, None)]);
    let errors = NewSuite::parse(&json!({"prompt": "a b", "threshold": 2})).unwrap_err();
    let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(fields, ["name", "prompt", "threshold"]);
}

#[test]
fn a_cases_scorer_replaces_the_suites_of_the_same_type() {
    let suite = [
        scorer(&json!({"type": "equals"})),
        scorer(&json!({"type": "latency", "threshold": 100})),
        scorer(&json!({"type": "not-contains", "value": "sorry"})),
    ];
    let case = case(&json!({
        "variables": {}, "expected": "yes",
        "scorers": [
            {"type": "latency", "threshold": 900}, {"type": "contains", "value": "y"},
        ],
    }));
    let words: Vec<String> = scorers_of(&suite, &case)
        .unwrap()
        .iter()
        .map(|scorer| {
            format!(
                "{} {:?} {:?}",
                scorer.word(),
                scorer.value,
                scorer.threshold
            )
        })
        .collect();
    assert_eq!(
        words,
        [
            "equals Some(String(\"yes\")) None",
            "not-contains Some(String(\"sorry\")) None",
            "latency None Some(900.0)",
            "contains Some(String(\"y\")) None",
        ]
    );
}

#[test]
fn a_scorer_without_anything_to_compare_with_is_named() {
    let none = case(&json!({"variables": {}}));
    let errors = scorers_of(&[scorer(&json!({"type": "equals"}))], &none).unwrap_err();
    assert_eq!(errors[0].field, "equals");
    let wrong = case(&json!({"variables": {}, "expected": "("}));
    let errors = scorers_of(&[scorer(&json!({"type": "regex"}))], &wrong).unwrap_err();
    assert!(errors[0].message.contains("cannot compare"), "{errors:?}");
    let errors = scorers_of(&[scorer(&json!({"type": "pairwise"}))], &none).unwrap_err();
    assert!(errors[0].message.contains("no `expected`"), "{errors:?}");
    let errors = scorers_of(&[], &none).unwrap_err();
    assert_eq!(errors[0].field, "scorers");
    let informational = scorer(&json!({"type": "is-refusal", "weight": 0}));
    assert!(scorers_of(&[informational], &none).is_err());
}
