//! What changes cost, by hand.

use serde_json::json;

use super::*;

fn content(system: &str, user: &str) -> Content {
    serde_json::from_value(json!({
        "type": "chat",
        "messages": [
            { "role": "system", "content": system, "cache_control": { "type": "ephemeral" } },
            { "role": "user", "content": user },
        ],
        "model": { "provider": "anthropic", "name": "claude-sonnet-4-6" },
    }))
    .unwrap()
}

fn price() -> Price {
    Price {
        provider: "anthropic".to_owned(),
        model: "claude-sonnet-4-6".to_owned(),
        input: 3.0,
        write_5m: Some(3.75),
        write_1h: Some(6.0),
        read: Some(0.3),
        output: 15.0,
        min_cacheable_tokens: Some(1_024),
        valid_from: "2026-02-17T00:00:00Z".parse().unwrap(),
    }
}

fn inputs() -> Inputs {
    Inputs::of(Known::default(), Known::default(), Known::default())
}

fn long(words: &str) -> String {
    format!(
        "{words} {}",
        "Answer in one short sentence and be kind. ".repeat(400)
    )
}

fn estimate(old: &Content, new: &Content, change: impl FnOnce(&mut Change<'_>)) -> Estimate {
    let price = price();
    let mut asked = Change {
        old: Some(old),
        new,
        price: Some(&price),
        inputs: inputs(),
        share: 1.0,
        measured_prefix: None,
        warm_seconds: None,
    };
    change(&mut asked);
    asked.estimate()
}

#[test]
fn a_changed_block_costs_its_tokens_up_to_the_breakpoint() {
    let (old, new) = (
        content(&long("Old."), "{{q}}"),
        content(&long("New."), "{{q}}"),
    );
    let found = estimate(&old, &new, |_| {});
    assert_eq!(found.first_changed.as_deref(), Some("message 1 (system)"));
    assert_eq!(found.tokens, found.prefix_tokens);
    assert!((3_000..5_000).contains(&found.tokens), "{found:?}");
    let cost = found.cost.unwrap();
    let wanted = invalidation_cost(
        inputs().traffic(f64::from(found.tokens), Ttl::FiveMinutes),
        Prices {
            write: 3.75,
            read: 0.3,
        },
    );
    assert_eq!(Some(cost), wanted);
    assert_eq!(found.inputs.requests_per_hour.source, Source::Assumed);
    assert!(found.free.is_none() && found.unknown.is_none() && !found.no_breakpoint);
}

/// Instructions that end in a breakpoint for an hour, then examples that end in one for five
/// minutes.
fn mixed(system: &str, examples: &str) -> Content {
    serde_json::from_value(json!({
        "type": "chat",
        "messages": [
            { "role": "system", "content": system, "cache_control": { "type": "ephemeral", "ttl": "1h" } },
            { "role": "user", "content": examples, "cache_control": { "type": "ephemeral" } },
            { "role": "user", "content": "{{q}}" },
        ],
        "model": { "provider": "anthropic", "name": "claude-sonnet-4-6" },
    }))
    .unwrap()
}

#[test]
fn each_block_is_written_for_as_long_as_the_breakpoint_behind_it_says() {
    let (old, new) = (
        mixed(&long("Old."), &long("E.")),
        mixed(&long("New."), &long("E.")),
    );
    let found = estimate(&old, &new, |_| {});
    let [short, hour] = found.written[..] else {
        panic!("{found:?}")
    };
    assert_eq!((short.ttl, hour.ttl), (Ttl::FiveMinutes, Ttl::Hour));
    assert_eq!(short.tokens + hour.tokens, found.tokens);
    assert_eq!(found.longest_ttl(), Ttl::Hour);
    let part = |written: Written, write| {
        let traffic = inputs().traffic(f64::from(written.tokens), written.ttl);
        invalidation_cost(traffic, Prices { write, read: 0.3 }).unwrap()
    };
    let (short, hour) = (part(short, 3.75), part(hour, 6.0));
    let cost = found.cost.unwrap();
    let near = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-9, "{found} {wanted}");
    near(cost.expected_usd, short.expected_usd + hour.expected_usd);
    near(
        cost.upper_bound_usd,
        short.upper_bound_usd + hour.upper_bound_usd,
    );
    // One key, so both are written as often: the average is that.
    near(cost.expected_writes, short.expected_writes);
    let write = found.prices.unwrap().write;
    assert!(4.5 < write && write < 5.5, "{write}");

    // A change behind the hour's breakpoint writes nothing for an hour.
    let found = estimate(&old, &mixed(&long("Old."), &long("F.")), |_| {});
    assert_eq!(found.written.len(), 1);
    assert_eq!(found.longest_ttl(), Ttl::FiveMinutes);
    assert!((found.prices.unwrap().write - 3.75).abs() < 1e-12);
}

#[test]
fn an_hour_without_a_price_is_unknown_and_not_cheap() {
    let (old, new) = (mixed(&long("Old."), "e"), mixed(&long("New."), "e"));
    let without = Price {
        write_1h: None,
        ..price()
    };
    let mut asked = Change {
        old: Some(&old),
        new: &new,
        price: Some(&without),
        inputs: inputs(),
        share: 1.0,
        measured_prefix: None,
        warm_seconds: None,
    };
    let found = asked.estimate();
    assert_eq!(found.cost, None);
    assert_eq!(
        found.unknown.as_deref(),
        Some("no price of claude-sonnet-4-6 for writing the cache for 1 hour is known here")
    );
    // What writes nothing for an hour asks for no such price.
    let later = mixed(&long("Old."), &long("F."));
    asked.new = &later;
    assert!(asked.estimate().cost.is_some());
}

#[test]
fn a_rollback_within_the_hour_finds_what_was_written_for_an_hour() {
    let (old, new) = (mixed(&long("Old."), "e"), mixed(&long("New."), "e"));
    let back = |seconds| {
        let found = estimate(&old, &new, |change| change.warm_seconds = Some(seconds));
        found.expected_usd().unwrap()
    };
    // Ten minutes later only the few tokens behind the instructions have cooled down.
    assert!(back(600.0) < 0.001, "{}", back(600.0));
    assert!(back(7_200.0) > 0.05);
}

#[test]
fn an_arm_pays_for_its_share_of_the_traffic() {
    let (old, new) = (
        content(&long("Old."), "{{q}}"),
        content(&long("New."), "{{q}}"),
    );
    let of = |share| {
        let found = estimate(&old, &new, |change| change.share = share);
        assert!((found.inputs.requests_per_hour.value - REQUESTS_PER_HOUR).abs() < 1e-9);
        found.cost.unwrap()
    };
    assert!((of(0.25).upper_bound_usd * 4.0 - of(1.0).upper_bound_usd).abs() < 1e-9);
    assert!(of(0.25).expected_usd < of(1.0).expected_usd);
}

#[test]
fn what_costs_nothing_says_why() {
    let old = content(&long("Old."), "{{q}}");
    let why = |found: Estimate| {
        assert!(found.cost.unwrap().upper_bound_usd <= 0.0);
        found.free.unwrap()
    };
    assert!(
        why(estimate(
            &old,
            &content(&long("Old."), "Now: {{q}}"),
            |_| {}
        ))
        .contains("behind the last")
    );
    assert!(why(estimate(&old, &old.clone(), |_| {})).contains("nothing that is cached changed"));
    let (short, other) = (content("Old.", "{{q}}"), content("New.", "{{q}}"));
    assert!(why(estimate(&short, &other, |_| {})).contains("shorter than 1024 tokens"));
    assert!(why(estimate(&old, &other, |change| change.old = None)).contains("nothing served"));
    let unknown = estimate(&old, &content(&long("New."), ""), |change| {
        change.price = None;
    });
    assert!(
        unknown
            .unknown
            .unwrap()
            .contains("no price of claude-sonnet-4-6")
    );
    assert_eq!(unknown.cost, None);
}

#[test]
fn a_short_prefix_is_never_cached() {
    let price = price();
    let short = content("Be kind.", "{{q}}");
    assert_eq!(
        never_cached(&short, Some(&price)),
        Some(Free::UnderMinimum { minimum: 1_024 })
    );
    assert_eq!(
        never_cached(&content(&long(""), "{{q}}"), Some(&price)),
        None
    );
    assert_eq!(never_cached(&short, None), None);
}

#[test]
fn what_was_measured_corrects_the_estimate_unless_it_is_about_something_else() {
    let (old, new) = (
        content(&long("Old."), "{{q}}"),
        content(&long("New."), "{{q}}"),
    );
    let plain = estimate(&old, &new, |_| {});
    let measured = f64::from(plain.prefix_tokens) * 1.2;
    let corrected = estimate(&old, &new, |change| change.measured_prefix = Some(measured));
    assert!(corrected.tokens_measured);
    assert!((f64::from(corrected.tokens) / f64::from(plain.tokens) - 1.2).abs() < 0.01);
    let strange = estimate(&old, &new, |change| {
        change.measured_prefix = Some(measured * 9.0);
    });
    assert!(!strange.tokens_measured);
    assert_eq!(strange.tokens, plain.tokens);
}

#[test]
fn a_quick_rollback_is_almost_free_and_a_late_one_is_not() {
    let (old, new) = (
        content(&long("Old."), "{{q}}"),
        content(&long("New."), "{{q}}"),
    );
    let back = |seconds| {
        let found = estimate(&old, &new, |change| change.warm_seconds = Some(seconds));
        found.expected_usd().unwrap()
    };
    assert!(back(20.0) < 1e-9);
    assert!(back(3_600.0) > 0.05);
}

#[test]
fn what_is_entered_goes_before_what_was_observed() {
    let known = Known {
        given: None,
        observed: Some(120.0),
        prompt: Some(90.0),
    };
    let entered = Known {
        given: Some(5.0),
        ..known
    };
    let found = Inputs::of(known, Known::default(), entered);
    assert_eq!(found.requests_per_hour.source, Source::Observed);
    assert_eq!(found.ttft_ms.source, Source::Given);
    let settings = Known {
        observed: None,
        ..known
    };
    assert_eq!(
        Inputs::of(settings, settings, known).distinct_keys.source,
        Source::Prompt
    );
    // There is always one key.
    let none = Known {
        given: Some(0.0),
        ..Known::default()
    };
    let keys = Inputs::of(known, none, known).distinct_keys;
    assert_eq!(keys.source, Source::Assumed);
}
