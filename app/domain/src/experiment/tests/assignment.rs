use super::*;
use crate::stats::distribution::chi_square_above;

pub fn rules(salt: &str, traffic: f64, weights: &[f64]) -> Rules {
    let arms = weights
        .iter()
        .enumerate()
        .map(|(index, weight)| Arm {
            name: index.to_string(),
            version: 1,
            weight: *weight,
        })
        .collect();
    Rules {
        salt: salt.to_owned(),
        traffic,
        arms,
        ..running(json!({})).rules()
    }
}

#[test]
fn published_vectors_are_met() {
    let golden: Value =
        serde_json::from_str(include_str!("../../../tests/golden/assignment.json")).unwrap();
    let vectors = golden["vectors"].as_array().unwrap();
    assert!(vectors.len() >= 50);
    for vector in vectors {
        let (salt, unit) = (
            vector["salt"].as_str().unwrap(),
            vector["unit"].as_str().unwrap(),
        );
        let weights: Vec<f64> = vector["weights"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_f64)
            .collect();
        // To the last bit: clients must come to the same.
        assert_eq!(
            draw(salt, "traffic", unit).to_bits(),
            vector["h_traffic"].as_f64().unwrap().to_bits(),
            "{vector}"
        );
        assert_eq!(
            draw(salt, "arm", unit).to_bits(),
            vector["h_arm"].as_f64().unwrap().to_bits(),
            "{vector}"
        );
        let wanted = vector["arm"].as_u64().map_or(Assignment::LeftOut, |arm| {
            Assignment::Arm(usize::try_from(arm).unwrap())
        });
        assert_eq!(
            rules(salt, vector["traffic"].as_f64().unwrap(), &weights).assign(unit),
            wanted,
            "{vector}"
        );
    }
}

#[test]
fn a_million_units_are_spread_evenly_and_independently_of_traffic_and_of_other_salts() {
    const CELLS: usize = 20;
    let cell = |h: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to 19"
        )]
        let cell = (h * 20.0) as usize;
        cell.min(CELLS - 1)
    };
    let (mut even, mut joint) = ([0.0; CELLS], [[0.0; 4]; 4]);
    let mut with_traffic = [[0.0; 4]; 4];
    for number in 0..1_000_000_u32 {
        let unit = format!("user-{number}");
        let arm = draw("salt-a", "arm", &unit);
        even[cell(arm)] += 1.0;
        // A fifth of the units is plenty to see dependence, and keeps this test short.
        if number % 5 == 0 {
            let (other, traffic) = (
                draw("salt-b", "arm", &unit),
                draw("salt-a", "traffic", &unit),
            );
            joint[cell(arm) / 5][cell(other) / 5] += 1.0;
            with_traffic[cell(arm) / 5][cell(traffic) / 5] += 1.0;
        }
    }
    assert!(is_even(&even), "{even:?}");
    assert!(is_even(joint.as_flattened()), "{joint:?}");
    assert!(is_even(with_traffic.as_flattened()), "{with_traffic:?}");
}

/// Whether counts may be of cells that are all as likely: χ², at one in a thousand.
pub fn is_even(cells: &[f64]) -> bool {
    let n_cells = f64::from(u32::try_from(cells.len()).unwrap());
    let expected = cells.iter().sum::<f64>() / n_cells;
    let chi_square = cells
        .iter()
        .map(|seen| (seen - expected).powi(2) / expected)
        .sum::<f64>();
    chi_square_above(chi_square, n_cells - 1.0) > 0.001
}

#[test]
fn more_traffic_lets_units_in_and_moves_none() {
    let shares = [0.1, 0.35, 0.9, 1.0];
    for number in 0..5_000 {
        let unit = format!("u{number}");
        let mut before = Assignment::LeftOut;
        for traffic in shares {
            let now = rules("ramp", traffic, &[3.0, 1.0]).assign(&unit);
            assert!(before == Assignment::LeftOut || now == before, "{unit}");
            before = now;
        }
        assert_ne!(before, Assignment::LeftOut);
    }
}

#[test]
fn weights_and_traffic_are_kept() {
    let rules = rules("weights", 0.5, &[0.9, 0.1]);
    let mut seen = [0_u32; 3];
    for number in 0..50_000 {
        match rules.assign(&format!("u{number}")) {
            Assignment::LeftOut => seen[2] += 1,
            Assignment::Arm(arm) => seen[arm] += 1,
        }
    }
    assert!(seen[2].abs_diff(25_000) < 500, "{seen:?}");
    assert!(seen[1].abs_diff(2_500) < 200, "{seen:?}");
}
