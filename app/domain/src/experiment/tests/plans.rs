use super::*;

fn refused(change: Value) -> Vec<String> {
    Plan::parse(plan(change))
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn what_is_left_out_is_as_usual() {
    let plan = Plan::parse(json!({
        "name": "x", "prompt": "a", "environment": "production", "primary_metric": "resolved",
        "arms": [{ "name": "A", "version": 1 }, { "name": "B", "version": 2 }],
    }))
    .unwrap();
    assert_eq!((plan.unit, plan.decision), (Unit::User, Decision::Fixed));
    assert_eq!(
        (plan.alpha, plan.power, plan.baseline, plan.traffic),
        (0.05, 0.8, 0.5, 1.0)
    );
    assert!((plan.arms[1].weight - 1.0).abs() < 1e-12);
    let again = Plan::parse(json!(plan)).unwrap();
    assert_eq!(again, plan);
}

#[test]
fn everything_wrong_is_listed_at_once() {
    let errors = refused(json!({
        "name": " ", "prompt": "a//b", "traffic": 0, "unit": "tenant", "decision": "bayes", "alpha": 0.9,
        "power": 2, "minimum_effect": 0, "days": 0, "colour": "red", "layer": "a b", "traffic_from": 1,
        "arms": [{ "name": "A", "version": 1 }, { "name": "A", "version": 0, "weight": -1 }],
        "guardrails": [{ "metric": "latency_ms", "direction": "down", "margin": -1 }],
        "auto_stop": { "guardrail": "yes" },
    }));
    for field in [
        "name:",
        "prompt:",
        "traffic:",
        "unit:",
        "decision:",
        "alpha:",
        "power:",
        "minimum_effect:",
        "days:",
        "colour:",
        "layer:",
        "traffic_from:",
        "arms[1].name:",
        "arms[1].version:",
        "arms[1].weight:",
        "guardrails[0].direction:",
        "guardrails[0].margin:",
        "auto_stop.guardrail:",
    ] {
        assert!(
            errors.iter().any(|error| error.starts_with(field)),
            "{field} {errors:?}"
        );
    }
    assert_eq!(
        refused(json!({ "arms": [] })),
        ["arms: must be 2 to 10, control first"]
    );
    assert_eq!(refused(json!({ "arms": null })), ["arms: is required"]);
    assert_eq!(
        refused(json!({ "arms": [{ "name": "A", "version": 1 }] })),
        ["arms: must be 2 to 10, control first"]
    );
}

#[test]
fn planned_units_are_the_contracts() {
    assert_eq!(running(json!({})).planned_units, 2 * 906);
    assert_eq!(
        running(json!({ "minimum_effect": 0.03 })).planned_units,
        2 * 2_629
    );
    // Two challengers share the error rate.
    let arms = json!([{ "name": "A", "version": 1 }, { "name": "B", "version": 2 }, { "name": "C", "version": 3 }]);
    assert!(running(json!({ "arms": arms })).planned_units > 3 * 1_000);
    // No room for a rise: a fall of the same size is planned for.
    assert!(running(json!({ "baseline": 0.98 })).planned_units > 500);
    let plan = running(json!({})).plan;
    let sequential = plan.units_under(Decision::Sequential).unwrap();
    assert!((1_812..6 * 1_812).contains(&sequential), "{sequential}");
}

#[test]
fn too_little_traffic_is_warned_of_in_numbers() {
    let plan = |units_per_day: f64| {
        running(json!({ "units_per_day": units_per_day, "days": 14, "traffic": 0.5 })).plan
    };
    assert_eq!(plan(400.0).power_warning(), None);
    let warning = plan(100.0).power_warning().unwrap();
    assert_eq!((warning.needed_units, warning.expected_units), (1_812, 700));
    assert!((warning.needed_days - 36.24).abs() < 0.01);
    let effect = warning.detectable_effect.unwrap();
    assert!((0.07..0.09).contains(&effect), "{effect}");
    assert_eq!(
        warning.sentence,
        "1,812 users are needed and about 700 will come in 14 days: 37 days would be enough; by then only a \
         difference of 7.8 percentage points or more would be found."
    );
    assert_eq!(running(json!({ "days": 14 })).plan.power_warning(), None);
}

#[test]
fn a_part_of_a_layer_fits_into_it() {
    let plan = running(json!({ "layer": "checkout", "traffic": 0.3, "traffic_from": 0.7 })).plan;
    assert_eq!(
        (plan.layer.as_deref(), plan.traffic_from),
        (Some("checkout"), 0.7)
    );
    assert_eq!(Plan::parse(json!(plan)).unwrap(), plan);
    // As it always was: the whole line, from 0.
    let plan = running(json!({})).plan;
    assert_eq!((&plan.layer, plan.slice()), (&None, Slice::first(1.0)));
    assert_eq!(
        refused(json!({ "traffic": 0.3, "traffic_from": 0.2 })),
        ["traffic_from: needs a layer: without one it is 0"]
    );
    assert_eq!(
        refused(json!({ "layer": "x", "traffic": 0.5, "traffic_from": 0.6 })),
        ["traffic_from: leaves no room for the traffic: 60 to 110 % goes past the end"]
    );
    for name in ["", "a b", "ü", &"x".repeat(65)] {
        assert_eq!(
            refused(json!({ "layer": name })),
            ["layer: must be 1 to 64 letters, digits, `-`, `_` or `.`"]
        );
    }
}
