use proptest::prelude::*;
use serde_json::json;

use super::*;

const ID: &str = "018f8a52-7b1c-7000-8000-000000000001";

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn read(row: &Value) -> Result<Event, Reason> {
    Event::parse(&row.to_string(), now())
}

fn outcome() -> Value {
    json!({ "id": ID, "type": "outcome", "at": now().to_rfc3339(), "unit": "u1",
            "experiment": ID, "metric": "resolved", "value": 1 })
}

/// The outcome with one member changed is refused for this reason.
#[track_caller]
fn refused(member: &str, value: Value, reason: &str) {
    let mut row = outcome();
    row[member] = value;
    assert_eq!(read(&row).unwrap_err().0, reason);
}

#[test]
fn a_whole_event_is_read() {
    let event = read(&json!({
        "id": ID, "type": "generation", "at": "2027-01-15T08:00:00+00:00", "prompt": "support/triage",
        "version": 3, "environment": "production", "unit": "user \"7\"", "experiment": ID, "arm": "B",
        "metric": null, "latency_ms": 812.5, "ttft_ms": 90, "input_tokens": 1200, "output_tokens": 80,
        "cache_read_tokens": 1000, "cache_write_tokens": 0, "cost_usd": 0.0042, "model": "m",
        "error": "timeout", "variables": { "mail": "x" }, "output": "y",
    }))
    .unwrap();
    assert_eq!((event.kind, event.at), (Kind::Generation, now()));
    assert_eq!(event.unit.as_deref(), Some("user \"7\""));
    assert_eq!(event.version, Some(3));
    let readings: Vec<_> = event.readings().collect();
    assert_eq!(
        readings,
        [
            ("latency_ms", 812.5),
            ("ttft_ms", 90.0),
            ("cost_usd", 0.0042),
            ("input_tokens", 1200.0),
            ("output_tokens", 80.0),
            ("tokens", 1280.0),
            ("error_rate", 1.0),
        ]
    );
}

#[test]
fn an_outcome_needs_little() {
    let event = read(&outcome()).unwrap();
    assert_eq!(event.readings().collect::<Vec<_>>(), [("resolved", 1.0)]);
    let mut row = outcome();
    row.as_object_mut().unwrap().remove("at");
    assert_eq!(read(&row).unwrap().at, now(), "it happened when it arrived");
}

#[test]
fn what_is_wrong_is_said() {
    refused(
        "id",
        json!(null),
        "id: is required: a UUID that names the event",
    );
    refused("id", json!("7"), "id: must be a UUID");
    refused("id", json!(7), "id: must be text");
    let types = "type: must be exposure, outcome, generation or feedback";
    refused("type", json!("click"), types);
    refused("type", json!({}), types);
    refused(
        "at",
        json!("yesterday"),
        "at: must be a time such as 2026-11-22T15:04:05Z",
    );
    refused(
        "at",
        json!(1_800_000_000),
        "at: must be a time such as 2026-11-22T15:04:05Z",
    );
    let ahead = now() + TimeDelta::minutes(6);
    refused("at", json!(ahead.to_rfc3339()), "at: lies in the future");
    let late = now() - TimeDelta::days(8);
    refused(
        "at",
        json!(late.to_rfc3339()),
        "at: is more than 7 days ago",
    );
    refused("unit", json!(""), "unit: is empty");
    refused("unit", json!(["u"]), "unit: must be text");
    refused(
        "unit",
        json!(null),
        "unit: is required for this type of event",
    );
    refused(
        "unit",
        json!("x".repeat(201)),
        "unit: has more than 200 characters",
    );
    refused("unit", json!("a\0b"), "unit: holds a NUL character");
    refused("value", json!("1"), "value: must be a finite number");
    refused(
        "value",
        json!(1e300),
        "value: must lie between -1000000000000 and 1000000000000",
    );
    refused(
        "latency_ms",
        json!(-1),
        "latency_ms: must lie between 0 and 1000000000000",
    );
    refused(
        "output_tokens",
        json!(1.5),
        "output_tokens: must be a whole number",
    );
    refused("version", json!(0), "version: is the number of no version");
    refused("variables", json!([1]), "variables: must be an object");
    refused(
        "variables",
        json!({ "a": ["\0"] }),
        "variables: holds a NUL character",
    );
    refused("colour", json!("red"), "unknown field `colour`");
    refused(
        "experiment",
        json!(null),
        "prompt: is required where no experiment is named",
    );
}

#[test]
fn everything_wrong_is_listed() {
    let error = read(&json!({ "id": 1, "type": 2, "value": [] })).unwrap_err();
    assert_eq!(
        error.0,
        "id: must be text; type: must be exposure, outcome, generation or feedback; value: must be a finite number"
    );
}

#[test]
fn an_exposure_names_its_arm() {
    let mut row = json!({ "id": ID, "type": "exposure", "unit": "u", "experiment": ID });
    assert_eq!(
        read(&row).unwrap_err().0,
        "arm: is required for this type of event"
    );
    row["arm"] = json!("A");
    assert!(read(&row).is_ok());
    row["experiment"] = json!(null);
    row["prompt"] = json!("p");
    assert_eq!(
        read(&row).unwrap_err().0,
        "arm: needs the experiment it belongs to"
    );
}

#[test]
fn numbers_that_are_none_spoil_their_own_row_only() {
    let body = r#"[{"a":"[,]\"}"}, {"value":NaN},{"value":1e999} , [1,{"b":2}],"x"]"#;
    let found = rows(body).unwrap();
    assert_eq!(
        found,
        [
            r#"{"a":"[,]\"}"}"#,
            r#"{"value":NaN}"#,
            r#"{"value":1e999}"#,
            r#"[1,{"b":2}]"#,
            r#""x""#
        ]
    );
    for row in found {
        assert!(Event::parse(row, now()).is_err(), "{row}");
    }
}

#[test]
fn bodies_are_arrays_or_lines() {
    let check = |body: &str, expected: Result<usize, Malformed>| {
        assert_eq!(rows(body).map(|rows| rows.len()), expected, "{body}");
    };
    check("", Err(Malformed::Empty));
    check(" [ ] ", Ok(0));
    check("[{},{}]", Ok(2));
    check("{}\n\n{}\r\n", Ok(2));
    check("[{}", Err(Malformed::Unended));
    check("[\"", Err(Malformed::Unended));
    check("[\"\\", Err(Malformed::Unended));
    check("[{},]", Err(Malformed::Gap(1)));
    check("[,{}]", Err(Malformed::Gap(0)));
    check("[{}]{}", Err(Malformed::Trailing));
    check("[{}]]", Err(Malformed::Trailing));
    let many = vec!["{}"; MAX_EVENTS + 1];
    check(&format!("[{}]", many.join(",")), Err(Malformed::TooMany));
    check(&many.join("\n"), Err(Malformed::TooMany));
    check(&many[1..].join("\n"), Ok(MAX_EVENTS));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!(ID)),
        Just(json!("outcome")),
        Just(json!("exposure")),
    ];
    let name = prop_oneof![
        prop::sample::select(vec![
            "id",
            "type",
            "at",
            "unit",
            "experiment",
            "arm",
            "metric",
            "value",
            "version",
            "variables",
            "output",
            "latency_ms",
            "prompt",
        ])
        .prop_map(str::to_owned),
        ".{0,6}",
    ];
    leaf.prop_recursive(3, 24, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_it_panic(value in any_json()) {
        let _ = read(&value);
        let mut row = outcome();
        if let (Value::Object(row), Value::Object(members)) = (&mut row, value) {
            row.extend(members);
        }
        if let Ok(event) = read(&row) {
            prop_assert!(event.readings().all(|(_, value)| value.is_finite()));
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in r#"[\[\]{},"\\a1:é\n ]{0,40}"#) {
        for row in rows(&text).unwrap_or_default() {
            let _ = Event::parse(row, now());
        }
    }

    #[test]
    fn what_was_put_together_is_taken_apart(items in proptest::collection::vec(any_json(), 1..6)) {
        let body = Value::Array(items.clone()).to_string();
        let found: Vec<Value> = rows(&body).unwrap().into_iter().map(|row| serde_json::from_str(row).unwrap()).collect();
        prop_assert_eq!(found.len(), items.len());
    }
}
