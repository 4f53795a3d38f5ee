use super::{
    assignment::{is_even, rules},
    *,
};

fn in_layer(salt: &str, layer: &str, slice: Slice, weights: &[f64]) -> Rules {
    Rules {
        layer: Some(layer.to_owned()),
        traffic_from: slice.from,
        ..rules(salt, slice.traffic, weights)
    }
}

const fn slice(from: f64, traffic: f64) -> Slice {
    Slice { from, traffic }
}

#[test]
fn published_vectors_of_layers_are_met() {
    let golden: Value =
        serde_json::from_str(include_str!("../../../tests/golden/assignment.json")).unwrap();
    let vectors = golden["layers"].as_array().unwrap();
    assert!(vectors.len() >= 25);
    for vector in vectors {
        let text = |name: &str| vector[name].as_str().unwrap();
        let number = |name: &str| vector[name].as_f64().unwrap();
        let weights: Vec<f64> = serde_json::from_value(vector["weights"].clone()).unwrap();
        let drawn = draw(text("layer"), "traffic", text("unit"));
        assert_eq!(drawn.to_bits(), number("h_traffic").to_bits(), "{vector}");
        let drawn = draw(text("salt"), "arm", text("unit"));
        assert_eq!(drawn.to_bits(), number("h_arm").to_bits(), "{vector}");
        let wanted = vector["arm"].as_u64().map_or(Assignment::LeftOut, |arm| {
            Assignment::Arm(usize::try_from(arm).unwrap())
        });
        let slice = slice(number("from"), number("traffic"));
        let found = in_layer(text("salt"), text("layer"), slice, &weights).assign(text("unit"));
        assert_eq!(found, wanted, "{vector}");
    }
}

#[test]
fn without_a_layer_rules_that_were_sent_before_mean_the_same() {
    let mut old = json!(rules("salt", 0.4, &[1.0, 1.0]));
    let members = old.as_object_mut().unwrap();
    members.shift_remove("layer");
    members.shift_remove("traffic_from");
    let old: Rules = serde_json::from_value(old).unwrap();
    for number in 0..2_000 {
        let unit = format!("u{number}");
        let is_in = draw("salt", "traffic", &unit) < 0.4;
        assert_eq!(old.assign(&unit) != Assignment::LeftOut, is_in, "{unit}");
    }
}

#[test]
fn parts_of_a_layer_that_do_not_overlap_share_no_unit_and_leave_a_holdout() {
    // Adding up in binary fractions, 0.1 + 0.2 ends a little after 0.3.
    let slices = [
        slice(0.0, 0.1),
        slice(0.1, 0.2),
        slice(0.3, 0.25),
        slice(0.55, 0.35),
    ];
    let all: Vec<Rules> = slices
        .iter()
        .zip(["a", "b", "c", "d"])
        .map(|(slice, salt)| in_layer(salt, "checkout", *slice, &[1.0, 1.0]))
        .collect();
    let mut taken = [0_u32; 5];
    for number in 0..100_000 {
        let unit = format!("user-{number}");
        let mut who = all
            .iter()
            .enumerate()
            .filter(|(_, rules)| rules.assign(&unit) != Assignment::LeftOut)
            .map(|(index, _)| index);
        taken[who.next().unwrap_or(4)] += 1;
        assert_eq!(who.next(), None, "{unit}");
    }
    for (seen, wanted) in taken
        .into_iter()
        .zip([10_000, 20_000, 25_000, 35_000, 10_000])
    {
        assert!(seen.abs_diff(wanted) < 600, "{taken:?}");
    }
}

#[test]
fn arms_of_experiments_on_the_same_units_of_a_layer_are_independent() {
    // One after the other on the same units: nobody keeps an arm from the first in the second.
    let slice = slice(0.2, 0.6);
    let first = in_layer("first", "checkout", slice, &[1.0, 1.0]);
    let second = in_layer("second", "checkout", slice, &[1.0, 1.0]);
    // Nor does an experiment outside layers follow it.
    let outside = rules("outside", 1.0, &[1.0, 1.0]);
    let mut joint = [[0.0; 2]; 2];
    let mut with_outside = [[0.0; 2]; 2];
    for number in 0..100_000 {
        let unit = format!("user-{number}");
        match (first.assign(&unit), second.assign(&unit)) {
            (Assignment::Arm(one), Assignment::Arm(other)) => {
                joint[one][other] += 1.0;
                if let Assignment::Arm(third) = outside.assign(&unit) {
                    with_outside[one][third] += 1.0;
                }
            }
            (Assignment::LeftOut, Assignment::LeftOut) => {}
            mixed => panic!("{unit} {mixed:?}"),
        }
    }
    assert!(is_even(joint.as_flattened()), "{joint:?}");
    assert!(is_even(with_outside.as_flattened()), "{with_outside:?}");
}

#[test]
fn raising_traffic_in_a_layer_moves_nobody() {
    for number in 0..5_000 {
        let unit = format!("u{number}");
        let mut before = Assignment::LeftOut;
        for traffic in [0.1, 0.3, 0.6] {
            let rules = in_layer("ramp", "checkout", slice(0.4, traffic), &[3.0, 1.0]);
            let now = rules.assign(&unit);
            assert!(before == Assignment::LeftOut || now == before, "{unit}");
            before = now;
        }
    }
}

#[test]
fn parts_that_touch_do_not_overlap() {
    let cases = [
        (slice(0.0, 0.3), slice(0.3, 0.3), false),
        (slice(0.1, 0.2), slice(0.3, 0.1), false),
        (slice(0.0, 0.3), slice(0.29, 0.3), true),
        (slice(0.0, 1.0), slice(0.5, 0.1), true),
        (slice(0.5, 0.1), slice(0.0, 1.0), true),
        (slice(0.2, 0.2), slice(0.2, 0.2), true),
        (slice(0.0, 0.001), slice(0.999, 0.001), false),
    ];
    for (one, other, wanted) in cases {
        assert_eq!(one.overlaps(other), wanted, "{one} {other}");
        assert_eq!(other.overlaps(one), wanted, "{one} {other}");
    }
    // All percents that end with the line do so.
    for percent in 1..100_i32 {
        let from = f64::from(percent) / 100.0;
        assert!(slice(from, f64::from(100 - percent) / 100.0).fits());
        assert!(!slice(from, f64::from(101 - percent) / 100.0).fits());
    }
}

#[test]
fn what_is_free_and_whose_the_rest_is_are_said() {
    let occupant = |name: &str, slice| Occupant {
        id: ExperimentId(uuid::Uuid::nil()),
        name: name.to_owned(),
        slice,
    };
    let layer = Layer {
        name: "checkout".to_owned(),
        occupants: vec![
            occupant("slower", slice(0.6, 0.125)),
            occupant("faster", slice(0.1, 0.2)),
        ],
    };
    assert_eq!(
        slices_in_words(&layer.free()),
        "0 to 10 %, 30 to 60 % and 72.5 to 100 %"
    );
    assert_eq!(layer.check_room(slice(0.3, 0.3)), Ok(()));
    assert_eq!(
        layer.check_room(slice(0.2, 0.2)).unwrap_err().to_string(),
        "in the layer checkout, “faster” runs on 10 to 30 %, and this experiment would take 20 to 40 %: \
         free is 0 to 10 %, 30 to 60 % and 72.5 to 100 %"
    );
    let full = Layer {
        occupants: vec![occupant("all", Slice::first(1.0))],
        ..layer
    };
    assert_eq!(slices_in_words(&full.free()), "nothing");
    assert!(full.check_room(slice(0.99, 0.01)).is_err());
    assert_eq!(slices_in_words(&Slice::free([])), "0 to 100 %");
}
