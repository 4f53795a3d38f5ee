use super::*;

fn compute(calculator: Calculator, input: Value) -> Value {
    calculator.compute(input).unwrap()
}

#[track_caller]
fn near(value: &Value, expected: f64, decimals: i32) {
    let found = value.as_f64().unwrap();
    assert!(
        (found - expected).abs() <= 0.5001 * 10_f64.powi(-decimals),
        "{found} is not {expected}"
    );
}

#[test]
fn answers_are_the_contracts() {
    let found = compute(
        Calculator::Ztest,
        json!({
        "control": { "successes": 800, "n": 1000 }, "treatment": { "successes": 830, "n": 1000 } }),
    );
    near(&found["z"], 1.727_594, 6);
    near(&found["interval"][0], -0.004_058, 6);
    near(&found["sequential"]["half_width"], 0.054_205, 6);
    near(&found["sequential"]["p_value"], 0.655_726, 6);
    assert_eq!(
        (&found["method"], &found["fisher_p_value"]),
        (&json!("z_test"), &Value::Null)
    );
    assert_eq!(found.get("reason"), None);

    let found = compute(
        Calculator::SampleSize,
        json!({ "baseline": 0.8, "effect": 0.05, "alpha": 0.05, "power": 0.8 }),
    );
    assert_eq!(
        (&found["per_arm"], &found["total"]),
        (&json!([906, 906]), &json!(1_812))
    );
    near(&found["curve"][9]["power"], 0.8, 2);
    let found = compute(
        Calculator::SampleSize,
        json!({ "baseline": 0.7, "effect": 0.3 }),
    );
    assert!(found["total"].is_u64(), "{found}");

    let found = compute(
        Calculator::Srm,
        json!({ "observed": [5170, 4830], "weights": [0.5, 0.5] }),
    );
    near(&found["p_value"], 0.000_673_86, 8);
    assert_eq!(found["alarm"], true);
    let found = compute(
        Calculator::Mcnemar,
        json!({ "lost": 2, "gained": 9, "both_pass": 30, "both_fail": 9 }),
    );
    near(&found["p_exact_two_sided"], 0.065_429_7, 7);
    let found = compute(
        Calculator::ThresholdRisk,
        json!({ "n": 50, "baseline": 0.7, "threshold": 0.05 }),
    );
    near(&found["false_positive_rate"], 0.293, 3);
    assert_eq!(
        compute(Calculator::Holm, json!({ "p_values": [0.9, 0.8] })),
        json!({ "adjusted": [1.0, 1.0] })
    );
    let found = compute(
        Calculator::Welch,
        json!({
        "control": { "mean": 19, "sd": 4, "n": 25 }, "treatment": { "mean": 21, "sd": 5, "n": 30 } }),
    );
    near(&found["t"], 1.647_705, 6);
    let found = compute(
        Calculator::CacheCost,
        json!({
        "requests_per_hour": 10_000, "tokens": 5_120, "distinct_keys": 1, "ttft_ms": 2_000,
        "prices": { "write": 3.75, "read": 0.3 } }),
    );
    near(&found["upper_bound_usd"], 16.0, 2);
    near(&found["expected_usd"], 0.1158, 4);
    let hour = json!({
        "requests_per_hour": 10_000, "tokens": 5_120, "distinct_keys": 1, "ttft_ms": 2_000,
        "prices": { "write": 6, "read": 0.3 }, "ttl": "1h" });
    let found = compute(Calculator::CacheCost, hour);
    // 10,000 requests in the hour, and the same 6.56 writes.
    near(&found["upper_bound_usd"], 307.2, 2);
    near(&found["expected_usd"], 0.1913, 4);
    assert_eq!(found.as_object().unwrap().len(), 3, "{found}");
    near(
        &compute(
            Calculator::DetectableEffect,
            json!({ "baseline": 0.8, "n": 906 }),
        )["effect"],
        0.05,
        4,
    );
}

#[test]
fn what_cannot_be_computed_is_null_with_a_reason() {
    for (calculator, input, member) in [
        (
            Calculator::Ztest,
            json!({ "control": { "successes": 0, "n": 0 }, "treatment": { "successes": 1, "n": 2 } }),
            "p_value",
        ),
        (
            Calculator::Ztest,
            json!({ "control": { "successes": 5, "n": 5 }, "treatment": { "successes": 2, "n": 2 } }),
            "z",
        ),
        (Calculator::Srm, json!({ "observed": [0, 0] }), "p_value"),
        (
            Calculator::CacheCost,
            json!({ "requests_per_hour": 10, "tokens": 10, "distinct_keys": 1, "ttft_ms": 0,
                    "prices": { "write": null, "read": 0.3 }, "ttl": "1h" }),
            "expected_usd",
        ),
        (
            Calculator::Mcnemar,
            json!({ "lost": 0, "gained": 0 }),
            "difference",
        ),
        (
            Calculator::DetectableEffect,
            json!({ "baseline": 0.8, "n": 1 }),
            "effect",
        ),
        (
            Calculator::Welch,
            json!({ "control": { "mean": 1, "sd": 0, "n": 1 }, "treatment": { "mean": 1, "sd": 0, "n": 1 } }),
            "t",
        ),
    ] {
        let found = compute(calculator, input);
        assert!(
            found[member].is_null() && found["reason"].is_string(),
            "{calculator:?} {found}"
        );
    }
}

#[test]
fn every_offence_is_listed() {
    let refused = |calculator: Calculator, input| calculator.compute(input).unwrap_err().len();
    assert_eq!(
        refused(
            Calculator::Ztest,
            json!({ "control": { "successes": 3, "n": 2 }, "alpha": 2, "x": 1 })
        ),
        4
    );
    assert_eq!(
        refused(
            Calculator::SampleSize,
            json!({ "baseline": 2, "effect": 0, "weights": [1, "a"] })
        ),
        3
    );
    assert_eq!(
        refused(
            Calculator::Srm,
            json!({ "observed": [1, -2], "weights": [1] })
        ),
        3
    );
    assert_eq!(
        refused(Calculator::Holm, json!({ "p_values": [2, null] })),
        2
    );
    assert_eq!(refused(Calculator::ThresholdRisk, json!([])), 4);
}

fn sample() -> impl proptest::strategy::Strategy<Value = (u64, u64)> {
    use proptest::prelude::*;
    prop_oneof![0..=100_u64, 0..=MAX_COUNT].prop_flat_map(|n| (0..=n, Just(n)))
}

proptest::proptest! {
    // JSON has no NaN: it would be null, and what is null must have its reason.
    #[test]
    fn no_counts_make_a_number_vanish_without_a_reason(control in sample(), treatment in sample()) {
        let arm = |(successes, n): (u64, u64)| json!({ "successes": successes, "n": n });
        let found = compute(Calculator::Ztest, json!({ "control": arm(control), "treatment": arm(treatment) }));
        let is_whole = ["z", "p_value", "difference", "relative_lift", "relative_lift_interval"]
            .iter()
            .all(|name| !found[*name].is_null())
            && found["sequential"].as_object().unwrap().values().all(|value| !value.is_null());
        proptest::prop_assert!(is_whole || found["reason"].is_string(), "{found}");
        let found = compute(Calculator::Srm, json!({ "observed": [control.1, treatment.1] }));
        proptest::prop_assert!(!found["p_value"].is_null() || found["reason"].is_string(), "{found}");
    }
}
