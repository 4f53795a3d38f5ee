use super::*;

fn results(experiment: &Experiment, observed: &Observed) -> Results {
    Results::of(experiment, observed, at(5))
}

#[track_caller]
fn check(
    experiment: &Experiment,
    observed: &Observed,
    kind: VerdictKind,
    sentence: &str,
) -> Verdict {
    let verdict = results(experiment, observed).verdict;
    assert_eq!((verdict.kind, verdict.sentence.as_str()), (kind, sentence));
    verdict
}

fn frozen(change: Value, arms: &[(u64, u64)]) -> Experiment {
    Experiment {
        frozen: Some(Frozen {
            at: at(4),
            arms: counts(arms),
        }),
        ..running(change)
    }
}

fn sequential(mut change: Value) -> Experiment {
    change["decision"] = json!("sequential");
    running(change)
}

const THREE: &str =
    r#"{"arms":[{"name":"A","version":1},{"name":"B","version":2},{"name":"C","version":3}]}"#;

fn three() -> Value {
    serde_json::from_str(THREE).unwrap()
}

#[test]
fn a_draft_says_nothing() {
    let draft = Experiment {
        status: Status::Draft,
        ..running(json!({}))
    };
    check(
        &draft,
        &Observed::default(),
        VerdictKind::NotStarted,
        "Not started: nobody takes part yet.",
    );
}

#[test]
fn without_units_there_is_no_data() {
    check(
        &running(json!({})),
        &Observed::default(),
        VerdictKind::NoData,
        "No data yet: no users have been counted.",
    );
    check(
        &running(json!({})),
        &observed(&[(1, 2), (0, 0)]),
        VerdictKind::NoData,
        "No data yet in B: nothing can be compared.",
    );
}

#[test]
fn a_sample_ratio_mismatch_replaces_every_verdict() {
    let sentence = "Do not trust this result: the 10,000 users are not split 50.0 % / 50.0 % as planned (A 5,170, \
                    B 4,830; p = 0.0007). Whatever sent them astray may have made the difference too.";
    let counts = [(1_000, 5_170), (4_000, 4_830)];
    check(
        &running(json!({})),
        &observed(&counts),
        VerdictKind::TrustProblem,
        sentence,
    );
    check(
        &frozen(json!({}), &counts),
        &observed(&counts),
        VerdictKind::TrustProblem,
        sentence,
    );
    check(
        &sequential(json!({})),
        &observed(&counts),
        VerdictKind::TrustProblem,
        sentence,
    );
    // All in one arm is no mere lack of data.
    let verdict = results(&running(json!({})), &observed(&[(1, 100), (0, 0)])).verdict;
    assert_eq!(verdict.kind, VerdictKind::TrustProblem);
}

#[test]
fn a_broken_guardrail_says_stop() {
    let change =
        json!({ "guardrails": [{ "metric": "latency_ms", "direction": "lower", "margin": 50 }] });
    let latency = |mean: f64| Summary {
        mean,
        sd: 100.0,
        n: 1_000,
    };
    let with = |means: [f64; 2]| Observed {
        guardrails: vec![means.map(latency).to_vec()],
        ..observed(&[(800, 1_000), (900, 1_000)])
    };
    let verdict = check(
        &running(change.clone()),
        &with([800.0, 900.0]),
        VerdictKind::GuardrailBroken,
        "Stop: B breaks the guardrail latency_ms: it is higher than in A by at least 87.1, and 50.0 is tolerated.",
    );
    assert_eq!(verdict.arm.as_deref(), Some("B"));
    let state =
        |observed: &Observed| results(&running(change.clone()), observed).guardrails[0].state;
    assert_eq!(state(&with([800.0, 860.0])), GuardrailState::Open);
    assert_eq!(state(&with([800.0, 790.0])), GuardrailState::Holds);
    assert_eq!(state(&observed(&[(1, 2), (1, 2)])), GuardrailState::NoData);
    // Where higher is better, a rise breaks nothing.
    let rating =
        json!({ "guardrails": [{ "metric": "rating", "direction": "higher", "margin": 50 }] });
    assert_eq!(
        results(&running(rating), &with([800.0, 900.0])).broken_guardrail(),
        None
    );
    let stopped = Experiment {
        status: Status::Stopped,
        ..running(change)
    };
    assert!(
        results(&stopped, &with([800.0, 900.0]))
            .verdict
            .sentence
            .starts_with("Not to be shipped: B")
    );
}

#[test]
fn the_fixed_rule_waits_for_the_planned_sample_however_large_the_difference() {
    check(
        &running(json!({})),
        &observed(&[(300, 500), (450, 500)]),
        VerdictKind::TooEarly,
        "Too early: 1,000 of 1,812 planned users, about 5 days left. It is decided once, when they are all there; \
         until then a difference may be chance.",
    );
    check(
        &running(json!({})),
        &observed(&[(700, 906), (800, 906)]),
        VerdictKind::TooEarly,
        "The planned sample has just been reached: the counts are being frozen for the decision.",
    );
    let stopped = Experiment {
        status: Status::Stopped,
        stopped_at: Some(at(4)),
        ..running(json!({}))
    };
    check(
        &stopped,
        &observed(&[(300, 500), (450, 500)]),
        VerdictKind::StoppedEarly,
        "Stopped at 1,000 of 1,812 planned users, before the one moment at which it would have been decided: no verdict.",
    );
}

#[test]
fn the_fixed_rule_decides_once_on_the_frozen_counts() {
    // What came later says the opposite, and does not count.
    let later = observed(&[(2_000, 2_200), (1_000, 2_200)]);
    let verdict = check(
        &frozen(json!({}), &[(725, 906), (779, 906)]),
        &later,
        VerdictKind::Better,
        "B is better than A by between 2.5 and 9.4 percentage points (best guess +6.0 percentage points, +7.4 % relative). \
         The planned sample was reached and this is the one decision.",
    );
    assert_eq!(verdict.arm.as_deref(), Some("B"));
    let found = results(&frozen(json!({}), &[(725, 906), (779, 906)]), &later);
    assert_eq!(
        (
            found.arms[0].units,
            found.progress.observed,
            found.frozen_at
        ),
        (906, 4_400, Some(at(4)))
    );
    check(
        &frozen(json!({}), &[(779, 906), (725, 906)]),
        &later,
        VerdictKind::Worse,
        "Keep A: B is worse than A by between 2.5 and 9.4 percentage points. \
         The planned sample was reached and this is the one decision.",
    );
    check(
        &frozen(json!({}), &[(725, 906), (730, 906)]),
        &later,
        VerdictKind::NoDifference,
        "No difference larger than 4.2 percentage points between A and B. \
         The planned sample was reached and this is the one decision.",
    );
    check(
        &frozen(json!({}), &[(906, 906), (906, 906)]),
        &later,
        VerdictKind::NoDifference,
        "No difference larger than 0.42 percentage points between A and B. \
         The planned sample was reached and this is the one decision.",
    );
}

#[test]
fn the_sequential_rule_decides_at_any_moment() {
    check(
        &sequential(json!({})),
        &observed(&[(300, 500), (450, 500)]),
        VerdictKind::Better,
        "B is better than A by between 21.4 and 38.6 percentage points (best guess +30.0 percentage points, +50.0 % \
         relative). The interval holds at any moment, so looking early does no harm.",
    );
    check(
        &sequential(json!({})),
        &observed(&[(450, 500), (300, 500)]),
        VerdictKind::Worse,
        "Keep A: B is worse than A by between 21.4 and 38.6 percentage points. \
         The interval holds at any moment, so looking early does no harm.",
    );
    let early = results(&sequential(json!({})), &observed(&[(400, 500), (410, 500)])).verdict;
    assert_eq!(early.kind, VerdictKind::TooEarly);
    assert!(
        early.sentence.starts_with("Too early to tell: 1,000 of "),
        "{}",
        early.sentence
    );
    assert!(
        early
            .sentence
            .ends_with("So far B is between −6.3 and +10.3 percentage points against A."),
        "{}",
        early.sentence
    );
    let stopped = Experiment {
        status: Status::Stopped,
        ..sequential(json!({}))
    };
    let verdict = results(&stopped, &observed(&[(400, 500), (410, 500)])).verdict;
    assert_eq!(verdict.kind, VerdictKind::StoppedEarly);
    let enough = results(
        &sequential(json!({})),
        &observed(&[(8_000, 10_000), (8_010, 10_000)]),
    )
    .verdict;
    assert_eq!(enough.kind, VerdictKind::NoDifference);
    assert!(
        enough.sentence.starts_with("No difference larger than 1.9"),
        "{}",
        enough.sentence
    );
    assert!(
        enough
            .sentence
            .ends_with("The planned sample is reached; the interval holds at any moment.")
    );
    // Nothing to judge by, and reached.
    let flat = results(
        &sequential(json!({})),
        &observed(&[(10_000, 10_000), (10_000, 10_000)]),
    )
    .verdict;
    assert!(
        flat.sentence
            .starts_with("No difference: A and B have the same rate"),
        "{}",
        flat.sentence
    );
}

#[test]
fn several_challengers_pay_for_each_other() {
    let arms = [(1_600, 2_000), (1_655, 2_000), (1_500, 2_000)];
    let found = results(&frozen(three(), &arms), &observed(&arms));
    let b = &found.comparisons[0];
    // Significant alone, and Holm leaves the second-smallest p as it is.
    assert!(b.p_value.unwrap() < 0.05, "{b:?}");
    assert_eq!(b.adjusted_p_value, b.p_value);
    let c = &found.comparisons[1];
    assert!((c.adjusted_p_value.unwrap() / c.p_value.unwrap() - 2.0).abs() < 1e-9);
    assert_eq!(
        (found.verdict.kind, found.verdict.arm.as_deref()),
        (VerdictKind::Better, Some("B"))
    );
    let alike = [(1_600, 2_000), (1_655, 2_000), (1_602, 2_000)];
    let found = results(&frozen(three(), &alike), &observed(&alike));
    assert_eq!(found.verdict.kind, VerdictKind::NoDifference);
    assert!(
        found.verdict.sentence.contains("between A and B and C"),
        "{}",
        found.verdict.sentence
    );
    // One is lost already, the other still open.
    let open = Experiment {
        planned_units: 20_000,
        ..sequential(three())
    };
    let found = results(
        &open,
        &observed(&[(1_600, 2_000), (1_610, 2_000), (1_000, 2_000)]),
    );
    assert_eq!(found.verdict.kind, VerdictKind::TooEarly);
    assert!(
        found.verdict.sentence.contains("C is worse than A"),
        "{}",
        found.verdict.sentence
    );
}

#[test]
fn small_cells_are_judged_by_fisher() {
    let arms = [(0, 906), (6, 906)];
    let found = results(&frozen(json!({}), &arms), &observed(&arms));
    let b = &found.comparisons[0];
    assert_eq!(b.method, crate::stats::proportion::Method::FisherExact);
    // The z-test would have said 0.014.
    assert!((b.p_value.unwrap() - 0.031).abs() < 0.001, "{b:?}");
}

proptest::proptest! {
    #[test]
    fn no_counts_break_the_results(
        units in proptest::collection::vec((0..=1_000_000_000_u64, 0..=1_000_000_000_u64), 2),
        means in proptest::collection::vec((-1e9..1e9_f64, 0.0..1e9_f64, 0..1_000_000_u64), 2),
        is_sequential: bool, is_frozen: bool,
    ) {
        let change = json!({ "guardrails": [{ "metric": "latency_ms", "direction": "lower", "margin": 1 }] });
        let mut experiment = if is_sequential { sequential(change) } else { running(change) };
        let arms = counts(&units);
        if is_frozen {
            experiment.frozen = Some(Frozen { at: at(1), arms: arms.clone() });
        }
        let guardrail = means.into_iter().map(|(mean, sd, n)| Summary { mean, sd, n }).collect();
        let observed = Observed { arms, guardrails: vec![guardrail], ..Observed::default() };
        let text = json!(results(&experiment, &observed)).to_string();
        proptest::prop_assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    }
}
