use super::*;

fn found(tool: Tool, texts: &[&str]) -> Finding {
    let typed: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    let answer = tool.compute(&typed).unwrap();
    read(tool, &typed, &answer)
}

#[test]
fn results_read_as_sentences() {
    assert_eq!(
        found(Tool::Size, &["80", "5", "5", "80", "1:1", "200"]).sentence,
        "To find a change from 80.0 % to 85.0 % takes 1,812 units in all, 10 days of traffic. \
         Looking every day needs up to 3,480 units, 92 % more, and may stop sooner."
    );
    assert_eq!(
        found(Tool::Compare, &["800", "1000", "830", "1000", "5"]).sentence,
        "The challenger’s rate is 3.0 pp higher, 95 % interval −0.4 to +6.4 pp. Chance alone may have done that: \
         p = 0.08 is not below 5.0 %. It holds if asked once, at the planned end."
    );
    assert_eq!(
        found(Tool::Threshold, &["50", "70", "5", "5", "10", "10000", "1"]).sentence,
        "With 50 units in each arm and no difference at all, an observed gain of 5.0 pp or more turns up in 29.3 % of tests, one in 3."
    );
    assert_eq!(found(Tool::Ratio, &["5170 4830", "1:1"]).tone, Tone::Bad);
    assert_eq!(found(Tool::Ratio, &["5100 4900", "1:1"]).tone, Tone::Good);
    assert_eq!(
        found(
            Tool::Cache,
            &["10000", "5120", "1", "2000", "5m", "3.75", "0.3"]
        )
        .sentence,
        "The change is expected to cost $0.12 once, and $16.00 at worst; after 5 minutes the new prefixes are warm."
    );
    assert_eq!(
        found(
            Tool::Cache,
            &["10000", "5120", "1", "2000", "1h", "6", "0.3"]
        )
        .sentence,
        "The change is expected to cost $0.19 once, and $307.20 at worst; after 1 hour the new prefixes are warm."
    );
}

#[test]
fn nothing_is_ever_not_a_number() {
    for (tool, texts) in [
        (Tool::Compare, vec!["0", "0", "0", "0", "5"]),
        (Tool::Compare, vec!["0", "10", "0", "10", "5"]),
        (Tool::Compare, vec!["0", "50", "3", "50", "5"]),
        (Tool::AlwaysValid, vec!["10", "10", "10", "10", "5"]),
        (Tool::AlwaysValid, vec!["0", "0", "1", "1", "5"]),
        (Tool::Ratio, vec!["0 0", "1:1"]),
        (Tool::Effect, vec!["80", "2", "5", "80"]),
        (Tool::Effect, vec!["0", "0", "5", "80"]),
        (Tool::Effect, vec!["100", "1000", "5", "80"]),
        (Tool::Size, vec!["0", "100", "5", "80", "1:1", ""]),
        (Tool::Threshold, vec!["1", "0", "0", "5", "1", "1", "0"]),
        (
            Tool::Threshold,
            vec!["1000000000", "50", "0.001", "5", "1", "1", "0"],
        ),
        (Tool::Cache, vec!["0", "0", "0", "0", "5m", "0", "0"]),
    ] {
        let found = format!("{:?}", found(tool, &texts));
        assert!(
            !found.contains("NaN") && !found.contains("inf"),
            "{tool:?} {found}"
        );
    }
}
