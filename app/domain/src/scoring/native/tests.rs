use proptest::prelude::*;
use serde_json::json;

use super::*;

fn output(text: &str) -> Output {
    Output {
        text: text.to_owned(),
        finish_reason: Some("end_turn".to_owned()),
        latency_ms: Some(120.0),
        cost_usd: Some(0.002),
        ..Output::default()
    }
}

#[track_caller]
fn check(scorer: Value, text: &str, passes: bool) {
    let read = Scorer::parse("s", &scorer).unwrap();
    let found = score(&read, None, &output(text), None);
    assert_eq!(
        found.passed, passes,
        "{scorer} on {text:?}: {}",
        found.reason
    );
    let mut inverted = read.clone();
    inverted.not = !inverted.not;
    let opposite = score(&inverted, None, &output(text), None);
    assert_eq!(opposite.passed, !passes, "not {scorer} on {text:?}");
    assert!((found.score + opposite.score - 1.0).abs() < 1e-12);
}

#[test]
fn equality_is_of_text_or_of_json() {
    check(json!({"type": "equals", "value": "yes"}), "yes", true);
    check(json!({"type": "equals", "value": "yes"}), "yes\n", false);
    check(json!({"type": "equals", "value": 4}), "4", true);
    check(
        json!({"type": "equals", "value": {"a": 1, "b": 2}}),
        "{\"b\": 2.0, \"a\": 1}",
        true,
    );
    check(json!({"type": "equals", "value": [1]}), "one", false);
    check(json!({"type": "iequals", "value": "ÄPFEL"}), "äpfel", true);
    check(json!({"type": "not-equals", "value": "yes"}), "no", true);
}

#[test]
fn texts_are_looked_for() {
    check(json!({"type": "contains", "value": "b"}), "abc", true);
    check(json!({"type": "contains", "value": "B"}), "abc", false);
    check(json!({"type": "icontains", "value": "B"}), "abc", true);
    check(
        json!({"type": "contains-all", "value": ["a", "c"]}),
        "abc",
        true,
    );
    check(
        json!({"type": "contains-all", "value": "a, d"}),
        "abc",
        false,
    );
    check(
        json!({"type": "contains-any", "value": ["x", "c"]}),
        "abc",
        true,
    );
    check(
        json!({"type": "icontains-all", "value": ["A", "C"]}),
        "abc",
        true,
    );
    check(
        json!({"type": "icontains-any", "value": ["X", "Y"]}),
        "abc",
        false,
    );
    check(json!({"type": "starts-with", "value": "ab"}), "abc", true);
    check(json!({"type": "starts-with", "value": "bc"}), "abc", false);
    check(json!({"type": "regex", "value": r"\d{3}"}), "abc 123", true);
    check(
        json!({"type": "regex", "value": r"^\d{3}$"}),
        "abc 123",
        false,
    );
}

#[test]
fn json_is_read_and_held_against_its_schema() {
    let schema = json!({"type": "object", "required": ["a"]});
    check(json!({"type": "is-json"}), "{\"a\": 1}", true);
    check(json!({"type": "is-json"}), "a: 1", false);
    check(
        json!({"type": "is-json", "value": schema}),
        "{\"b\": 1}",
        false,
    );
    check(json!({"type": "contains-json"}), "Here: {\"a\": 1}.", true);
    check(
        json!({"type": "contains-json", "value": schema}),
        "{\"b\": 1} {\"a\": 1}",
        true,
    );
    check(
        json!({"type": "contains-json", "value": schema}),
        "{\"b\": 1}",
        false,
    );
}

#[test]
fn likeness_passes_from_its_threshold_on() {
    check(
        json!({"type": "json-diff", "value": {"a": 1, "b": 2}}),
        "{\"a\": 1, \"b\": 2}",
        true,
    );
    check(
        json!({"type": "json-diff", "value": {"a": 1, "b": 2}}),
        "{\"a\": 1}",
        false,
    );
    check(
        json!({"type": "json-diff", "value": {"a": 1, "b": 2}, "threshold": 0.5}),
        "{\"a\": 1}",
        true,
    );
    check(
        json!({"type": "numeric-diff", "value": 11, "threshold": 0.9}),
        " 9 ",
        true,
    );
    check(json!({"type": "numeric-diff", "value": 11}), "nine", false);
    check(
        json!({"type": "levenshtein", "value": "kitten"}),
        "sitting",
        true,
    );
    check(
        json!({"type": "levenshtein", "value": "kitten", "threshold": 2}),
        "sitting",
        false,
    );
    check(
        json!({"type": "list-contains", "value": ["a", "b"]}),
        "- a\n- b\n- c",
        true,
    );
    check(
        json!({"type": "list-contains", "value": ["a", "b"]}),
        "[\"a\"]",
        false,
    );
    check(
        json!({"type": "list-contains", "value": ["a", "b"], "threshold": 0.5}),
        "a, c",
        true,
    );
}

#[test]
fn counts_and_measures_have_limits() {
    check(
        json!({"type": "word-count", "value": 3}),
        " one two\nthree ",
        true,
    );
    check(
        json!({"type": "word-count", "value": {"min": 4}}),
        "one two three",
        false,
    );
    check(json!({"type": "length", "value": {"max": 3}}), "äöü", true);
    check(json!({"type": "latency", "threshold": 120}), "", true);
    check(json!({"type": "latency", "threshold": 119}), "", false);
    check(json!({"type": "cost", "threshold": 0.002}), "", true);
    check(json!({"type": "cost", "threshold": 0.001}), "", false);
    check(json!({"type": "finish-reason", "value": "stop"}), "", true);
    check(
        json!({"type": "finish-reason", "value": "length"}),
        "",
        false,
    );
    check(
        json!({"type": "is-refusal"}),
        "I'm sorry, but I can't do that.",
        true,
    );
    check(json!({"type": "not-is-refusal"}), "Of course.", true);
}

#[test]
fn what_cannot_be_judged_fails_either_way() {
    for not in [false, true] {
        for kind in [
            ScorerKind::Latency,
            ScorerKind::Equals,
            ScorerKind::LlmRubric,
        ] {
            let mut scorer = Scorer::new(kind, None);
            scorer.not = not;
            assert!(
                !score(&scorer, None, &Output::default(), None).passed,
                "{kind}"
            );
        }
    }
    let expected = json!("yes");
    let scorer = Scorer::new(ScorerKind::Equals, None);
    assert!(score(&scorer, Some(&expected), &output("yes"), None).passed);
}

#[test]
fn a_regex_on_a_long_output_ends() {
    let scorer = Scorer::new(ScorerKind::Regex, Some(json!("(a+)+$")));
    let long = output(&("a".repeat(1_000_000) + "b"));
    assert!(!score(&scorer, None, &long, None).passed);
}

proptest! {
    #[test]
    fn nothing_panics_and_scores_stay_within_bounds(
        kind in proptest::sample::select(ScorerKind::ALL.to_vec()), text in ".{0,60}",
        value in proptest::option::of(prop_oneof![
            ".{0,20}".prop_map(Value::String), any::<f64>().prop_map(Value::from), any::<i64>().prop_map(Value::from),
            Just(json!({"type": "object"})), Just(json!(["a", 1, null])), Just(json!({"min": 2})),
        ]),
        threshold: Option<f64>, not: bool,
    ) {
        let scorer = Scorer { kind, value, threshold, weight: None, not };
        let found = score(&scorer, None, &output(&text), None);
        prop_assert!((0.0..=1.0).contains(&found.score), "{found:?}");
    }
}
