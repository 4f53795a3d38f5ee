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

#[test]
fn a_case_that_a_pairwise_judge_has_nothing_for_is_not_kept() {
    let none = case(&json!({"variables": {}}));
    let some = case(&json!({"variables": {}, "expected": "yes"}));
    let own = case(&json!({"variables": {}, "scorers": [{"type": "pairwise", "weight": 2}]}));
    let pairwise = [scorer(&json!({"type": "pairwise"}))];
    // What the judge looks at is no other output.
    let with_value = [scorer(&json!({"type": "pairwise", "value": "shorter"}))];
    for (suite, case, is_kept) in [
        (&pairwise[..], &some, true),
        (&with_value[..], &some, true),
        (&pairwise[..], &none, false),
        (&with_value[..], &none, false),
        (&[][..], &none, true),
        (&[][..], &own, false),
        (&pairwise[..], &own, false),
    ] {
        assert_eq!(check_expected(suite, case).is_ok(), is_kept, "{case:?}");
    }
    // Others may get a value later: a run says so.
    assert!(check_expected(&[scorer(&json!({"type": "equals"}))], &none).is_ok());
    assert_eq!(
        check_expected(&pairwise, &none).unwrap_err().to_string(),
        "expected: is required: the scorer pairwise compares the output with it"
    );

    let said = |lacking: &[i32]| {
        let cases = (1..=9).map(|at| (at, if lacking.contains(&at) { &none } else { &some }));
        check_all_expected(&pairwise, cases).map_err(|error| error.to_string())
    };
    let words = "scorers: pairwise compares the output with what a case expects, and";
    assert_eq!(said(&[]), Ok(()));
    assert_eq!(said(&[3]), Err(format!("{words} case 3 expects nothing")));
    assert_eq!(
        said(&[3, 9]),
        Err(format!("{words} cases 3 and 9 expect nothing"))
    );
    assert_eq!(
        said(&[1, 2, 3, 4, 5, 7, 9]),
        Err(format!(
            "{words} cases 1, 2, 3, 4, 5 and 2 more expect nothing"
        ))
    );
}
