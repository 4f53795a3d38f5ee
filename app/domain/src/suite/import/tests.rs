use proptest::prelude::*;
use serde_json::json;

use super::*;

fn rejected(imported: &Imported) -> Vec<String> {
    imported
        .rejected
        .iter()
        .map(|rejected| format!("{} {}", rejected.index, rejected.reason))
        .collect()
}

fn submitted_of(imported: &Imported) -> Vec<Value> {
    imported
        .cases
        .iter()
        .map(|(_, case)| case.to_submitted())
        .collect()
}

#[test]
fn csv_columns_are_variables_and_promptfoos_or_ours() {
    let imported = read(
        Format::Csv,
        "\u{feff}question,__expected,__expected2,expected,tags,__must_pass,__description,__metadata:area,__prefix\n\
         \"Capital, of France?\",contains: Paris,not-contains: Rome,Paris,\"smoke, geo\",yes,the classic,europe,x\n\
         Why?,similar(0.8): because,,,,,,,\n\
         Why?,javascript: output.length,,,,,,,\n\
         short\n\
         Who?,plain text,python: 1,,,,,,\n",
    );
    assert_eq!(
        submitted_of(&imported),
        [
            json!({
                "variables": {"question": "Capital, of France?"}, "expected": "Paris",
                "scorers": [
                    {"type": "contains", "value": "Paris"},
                    {"type": "contains", "value": "Rome", "not": true},
                ],
                "tags": ["smoke", "geo", "area:europe", "must-pass"], "must_pass": true,
                "note": "the classic",
            }),
            json!({
                "variables": {"question": "Who?"},
                "scorers": [{"type": "equals", "value": "plain text"}], "tags": [],
            }),
        ]
    );
    let rejected = rejected(&imported);
    assert!(rejected[0].starts_with("1 __expected: scorer.type: `similar` is not a scorer"));
    assert_eq!(
        rejected[1..],
        [
            "2 its only scorer runs code: no user code runs in the server",
            "3 has 1 cells for 9 columns",
        ]
    );
    assert_eq!(imported.notes.len(), 3, "{:?}", imported.notes);
}

#[test]
fn jsonl_rows_stand_for_themselves() {
    let text = "{\"variables\": {\"a\": 1}, \"tags\": []}\n\nnonsense\n{\"vars\": {\"a\": 2}, \"assert\": [{\"type\": \"equals\", \"value\": \"x\"}]}\n{\"colour\": 1}\n";
    let imported = read(Format::Jsonl, text);
    assert_eq!(
        imported
            .cases
            .iter()
            .map(|(index, _)| *index)
            .collect::<Vec<_>>(),
        [0, 2]
    );
    assert_eq!(
        imported
            .rejected
            .iter()
            .map(|row| row.index)
            .collect::<Vec<_>>(),
        [1, 3]
    );
    let array = read(Format::Jsonl, "[{\"variables\": {}}, 3]");
    assert_eq!(
        (array.cases.len(), rejected(&array)),
        (1, vec!["1 must be an object".to_owned()])
    );
}

const CONFIG: &str = r"
description: Support bot
prompts: [file://prompt.txt]
providers: [openai:gpt-4o-mini]
defaultTest:
  vars: {tone: warm}
  assert:
    - type: not-contains
      value: As an AI
    - {type: icontains, value: '{{topic}}'}
    - {type: javascript, value: 'output.length < 100'}
  options: {provider: openai:gpt-4o}
tests:
  - description: refund
    vars: {question: 'Can I get my money back?', topic: refund}
    assert:
      - {type: contains-any, value: [refund, money], weight: 2, metric: words}
      - {type: llm-rubric, value: 'Is polite about {{ topic }}', threshold: 0.8, provider: openai:gpt-4o}
    metadata: {area: billing, tags: [smoke]}
    threshold: 0.5
  - vars: {question: file://long.txt, topic: x}
  - vars: {question: Hi, topic: hi}
    assert: [{type: similar, value: Hello}]
  - file://more.yaml
  - vars: {question: Hi}
";

#[test]
fn a_promptfoo_configuration_is_read() {
    let imported = read(Format::Promptfoo, CONFIG);
    assert_eq!(
        submitted_of(&imported),
        [json!({
            "variables": {"tone": "warm", "question": "Can I get my money back?", "topic": "refund"},
            "scorers": [
                {"type": "contains-any", "value": ["refund", "money"], "weight": 2.0},
                {"type": "llm-rubric", "value": "Is polite about refund", "threshold": 0.8},
                {"type": "icontains", "value": "refund"},
            ],
            "tags": ["area:billing", "smoke"], "note": "refund",
        })]
    );
    assert_eq!(imported.scorers.len(), 1);
    assert_eq!(imported.scorers[0].word(), "not-contains");
    let rejected = rejected(&imported);
    assert_eq!(
        rejected[0],
        "1 vars.question: files are not read; put the text here"
    );
    assert!(
        rejected[1].starts_with("2 assert[0]: type: `similar` is not a scorer"),
        "{rejected:?}"
    );
    assert_eq!(rejected[2], "3 files are not read (file://more.yaml)");
    assert!(
        rejected[3].contains("is not a variable of this test"),
        "{rejected:?}"
    );
    let notes = imported.notes.join("\n");
    for word in [
        "javascript",
        "threshold",
        "provider",
        "prompts, providers",
        "options",
    ] {
        assert!(notes.contains(word), "{word}: {notes}");
    }
}

#[test]
fn what_is_no_file_of_cases_is_one_rejected_row() {
    for (format, text) in [
        (Format::Promptfoo, "tests: [\n"),
        (Format::Promptfoo, "3"),
        (Format::Promptfoo, "tests: file://tests.csv"),
        (Format::Jsonl, "[{\"variables\": {}}"),
        (Format::Csv, "a,a\n1,2\n"),
    ] {
        let imported = read(format, text);
        assert!(imported.cases.is_empty());
        assert_eq!(imported.rejected.len(), 1, "{text}");
    }
    // Aliases that multiply are cut off, not expanded.
    let bomb = (1..12).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, level| {
        let aliases = vec![format!("*a{}", level - 1); 9].join(",");
        format!("{text}a{level}: &a{level} [{aliases}]\n")
    });
    assert_eq!(read(Format::Promptfoo, &bomb).rejected.len(), 1);
}

fn scorer() -> impl Strategy<Value = Value> {
    prop_oneof![
        any_text().prop_map(|text| json!({"type": "equals", "value": text})),
        "[ -~]{1,20}".prop_map(|text| json!({"type": "contains", "value": text, "not": true})),
        Just(json!({"type": "contains-all", "value": ["a", "b, c"], "weight": 0.0})),
        Just(json!({"type": "icontains-any", "value": ["a", "b"]})),
        Just(json!({"type": "latency", "threshold": 1500.0})),
        Just(json!({"type": "is-json", "value": {"type": "object"}})),
        Just(json!({"type": "word-count", "value": {"min": 1, "max": 9}})),
    ]
}

/// Texts that file formats like to mistake for something else.
fn any_text() -> impl Strategy<Value = String> {
    let tricky = [
        "",
        "yes",
        "null",
        "~",
        "1",
        "1.0",
        "0x1F",
        "- a",
        "a: b",
        "#c",
        "a\nb\n",
        "\n",
        " a ",
        "\"q\"",
        "'q'",
        "a,b",
        "true",
        "2026-01-01",
        "!!str x",
        "&a",
        "*a",
        "%",
        "@x",
        "a\tb",
        "|",
        ">",
        "{a}",
        "\r\n",
        "é🙂",
        "contains: x",
        "is-json",
        "\\n",
        "...",
        "---",
        "a #b",
        "?",
        ": ",
        "<<",
        "1e3",
        ".inf",
        "\u{85}",
        "\u{2028}",
        "{{x}}",
        "{{{%#",
    ];
    prop_oneof![
        proptest::sample::select(tricky.to_vec()).prop_map(str::to_owned),
        "[ -~äöü]{0,20}"
    ]
}

fn cases(is_csv: bool) -> impl Strategy<Value = Vec<Case>> {
    let other = prop_oneof![
        Just(json!(3)),
        Just(json!([1, {"a": null}])),
        any_text().prop_map(Value::from)
    ];
    let case = (
        any_text(),
        other,
        proptest::option::of(any_text()),
        proptest::collection::vec(scorer(), 0..3),
        any::<bool>(),
        proptest::sample::subsequence(vec!["smoke", "b"], 0..=2),
        any_text(),
    );
    let case = case.prop_map(move |(text, other, expected, scorers, must_pass, tags, note)| {
        let other = if is_csv { json!("x") } else { other };
        // CSV cannot tell an empty cell from none.
        let expected = expected.filter(|text| !text.is_empty());
        let note = if note.trim().is_empty() || note.chars().any(char::is_control) { "n".to_owned() } else { note };
        let case = json!({
            "variables": {"text": text, "other": other}, "expected": expected, "scorers": scorers,
            "must_pass": must_pass, "tags": tags, "note": note,
            "placeholders": if must_pass { json!({"h": [{"role": "user", "content": "Hi"}]}) } else { json!({}) },
        });
        Case::parse(&case, Origin::Import).unwrap()
    });
    proptest::collection::vec(case, 1..6)
}

#[track_caller]
fn reads_back(format: Format, cases: &[Case]) {
    let file = write(format, cases);
    let imported = read(format, &file);
    assert_eq!(rejected(&imported), Vec::<String>::new(), "{file}");
    let found: Vec<&Case> = imported.cases.iter().map(|(_, case)| case).collect();
    assert_eq!(found, cases.iter().collect::<Vec<_>>(), "{file}");
}

proptest! {
    #[test]
    fn csv_reads_back(cases in cases(true)) { reads_back(Format::Csv, &cases); }

    #[test]
    fn jsonl_reads_back(cases in cases(false)) { reads_back(Format::Jsonl, &cases); }

    #[test]
    fn promptfoo_reads_back(cases in cases(false)) { reads_back(Format::Promptfoo, &cases); }

    #[test]
    fn any_text_is_read_without_a_panic(text in "[ -~\n\"']{0,200}") {
        for format in [Format::Csv, Format::Jsonl, Format::Promptfoo] {
            let _ = read(format, &text);
        }
    }
}
