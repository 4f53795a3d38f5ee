use super::*;

fn typed(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn initial(tool: Tool) -> Vec<String> {
    tool.specs()
        .iter()
        .map(|spec| spec.initial.to_owned())
        .collect()
}

#[test]
fn every_tool_computes_what_it_starts_with() {
    for tool in Tool::ALL {
        assert_eq!(Tool::from_word(tool.word()), tool);
        let answer = tool.compute(&initial(tool)).unwrap();
        assert!(answer.get("reason").is_none(), "{answer}");
    }
}

#[test]
fn the_reference_values_come_out() {
    let size = Tool::Size.compute(&initial(Tool::Size)).unwrap();
    assert_eq!(size["per_arm"], json!([906, 906]));
    let risk = Tool::Threshold.compute(&initial(Tool::Threshold)).unwrap();
    assert!((risk["false_positive_rate"].as_f64().unwrap() - 0.293).abs() < 5e-4);
    let cost = Tool::Cache.compute(&initial(Tool::Cache)).unwrap();
    assert_eq!(
        format!("{:.4}", cost["upper_bound_usd"].as_f64().unwrap()),
        "16.0000"
    );
    assert_eq!(
        format!("{:.4}", cost["expected_usd"].as_f64().unwrap()),
        "0.1158"
    );
}

#[test]
fn numbers_are_read_as_people_type_them() {
    assert_eq!(number("80 %"), Some(80.0));
    assert_eq!(number("10,000"), Some(10_000.0));
    assert_eq!(number("$3.75"), Some(3.75));
    assert_eq!(number("−5"), Some(-5.0));
    assert_eq!(number("inf"), None);
    assert_eq!(list("5,170 4,830"), Some(vec![5_170.0, 4_830.0]));
    assert_eq!(list("1:1:1"), Some(vec![1.0, 1.0, 1.0]));
}

#[test]
fn refusals_speak_in_the_units_of_the_field() {
    let refused = |texts: &[&str]| {
        Tool::Size
            .compute(&typed(texts))
            .unwrap_err()
            .into_iter()
            .map(|error| error.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        refused(&["180", "", "5", "80", "1", ""]),
        [
            "effect: is required",
            "baseline: must be from 0 to 100 %",
            "weights: must be two or more numbers above 0, such as 1:1"
        ]
    );
    assert_eq!(
        Tool::Compare
            .compute(&typed(&["9", "8", "1.5", "3", "5"]))
            .unwrap_err()
            .into_iter()
            .map(|error| error.to_string())
            .collect::<Vec<_>>(),
        [
            "successes_b: must be a whole number",
            "successes_a: must be a whole number, no more than the units"
        ]
    );
}
