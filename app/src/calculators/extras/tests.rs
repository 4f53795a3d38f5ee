use super::*;

#[test]
fn every_tool_that_has_more_to_show_does() {
    for tool in Tool::ALL {
        let typed: Vec<String> = tool
            .specs()
            .iter()
            .map(|spec| spec.initial.to_owned())
            .collect();
        let answer = tool.compute(&typed).unwrap();
        let extra = read(tool, &typed, &answer);
        assert_eq!(extra.is_some(), tool != Tool::Threshold, "{tool:?}");
        let words = format!("{extra:?}");
        assert!(!words.contains("NaN") && !words.contains("inf"), "{words}");
    }
}

#[test]
fn the_curve_meets_the_power_that_was_asked_for() {
    let typed: Vec<String> = ["80", "1000", "5", "80"].map(str::to_owned).to_vec();
    let answer = Tool::Effect.compute(&typed).unwrap();
    let Some(Extra {
        plot: Some(Plot::Curve { points, .. }),
        ..
    }) = read(Tool::Effect, &typed, &answer)
    else {
        panic!("no curve");
    };
    assert!((points[9].1 - 0.8).abs() < 0.001, "{:?}", points[9]);
}
