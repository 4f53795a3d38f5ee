use super::*;

#[test]
fn the_form_is_what_is_simulated() {
    let typed: Vec<String> = Tool::Threshold
        .specs()
        .iter()
        .map(|spec| spec.initial.to_owned())
        .collect();
    let setup = setup(&typed).unwrap();
    assert_eq!(
        (setup.n, setup.looks, setup.tests, setup.seed),
        (50, 14, 10_000, 1)
    );
    assert_eq!(refusal(setup), None);
    assert!(Simulation::new(setup).is_some());
    assert!(refusal(Setup { looks: 51, ..setup }).is_some());
    assert!(
        refusal(Setup {
            baseline: 1.0,
            ..setup
        })
        .is_some()
    );
    assert!(
        refusal(Setup {
            n: 1_000_000_000,
            ..setup
        })
        .is_some()
    );
}

#[test]
fn bars_stay_in_the_picture() {
    let wide = Interval {
        lower: 0.2,
        upper: 0.9,
    };
    let shape = bar(Some((0.5, wide)), 0.05, 0.5);
    assert!(
        shape.contains(r#"width="100.00""#) && !shape.contains("180"),
        "{shape}"
    );
    assert!(!bar(None, 0.05, 0.1).contains("NaN"));
}
