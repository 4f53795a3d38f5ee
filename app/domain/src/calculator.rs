//! The calculators: numbers in, numbers out, nothing kept. API, command line and page read the
//! same JSON with these functions and so accept and refuse the same. A value that cannot be
//! computed is null and comes with a `reason`, never NaN.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    cache::cost::{Prices, Traffic, invalidation_cost},
    field::{FieldError, Fields},
    stats::{
        MAX_COUNT, mean, multiple, paired, power,
        proportion::{self, Method, Sample},
        sequential, srm, threshold,
    },
};

/// The error rate unless told otherwise.
const ALPHA: f64 = 0.05;
/// The most arms and p-values of one request.
const MAX_LIST: usize = 1_000;

/// One of the calculators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Calculator {
    /// Two proportions.
    Ztest,
    /// Units needed to find an effect.
    SampleSize,
    /// The effect that so many units find.
    DetectableEffect,
    /// Sample-ratio mismatch.
    Srm,
    /// The same cases under two versions.
    Mcnemar,
    /// The false-positive rate of a fixed threshold.
    ThresholdRisk,
    /// Several p-values at once.
    Holm,
    /// Two means.
    Welch,
    /// What a changed prefix costs.
    CacheCost,
}

impl Calculator {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Ztest,
        Self::SampleSize,
        Self::DetectableEffect,
        Self::Srm,
        Self::Mcnemar,
        Self::ThresholdRisk,
        Self::Holm,
        Self::Welch,
        Self::CacheCost,
    ];

    /// The word in addresses and on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ztest => "ztest",
            Self::SampleSize => "sample-size",
            Self::DetectableEffect => "detectable-effect",
            Self::Srm => "srm",
            Self::Mcnemar => "mcnemar",
            Self::ThresholdRisk => "threshold-risk",
            Self::Holm => "holm",
            Self::Welch => "welch",
            Self::CacheCost => "cache-cost",
        }
    }

    /// The calculator of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.word() == word)
    }

    /// Reads and computes; every offending field is listed.
    pub fn compute(self, input: Value) -> Result<Value, Vec<FieldError>> {
        let fields = Fields::new("", input);
        match self {
            Self::Ztest => ztest(fields),
            Self::SampleSize => sample_size(fields),
            Self::DetectableEffect => detectable_effect(fields),
            Self::Srm => sample_ratio(fields),
            Self::Mcnemar => mcnemar(fields),
            Self::ThresholdRisk => threshold_risk(fields),
            Self::Holm => holm(fields),
            Self::Welch => welch(fields),
            Self::CacheCost => cache_cost(fields),
        }
    }
}

/// An answer with the reason for what is null in it.
fn with_reason(answer: impl Serialize, reason: Option<&str>) -> Value {
    let mut answer = json!(answer);
    if let Some(reason) = reason {
        answer["reason"] = json!(reason);
    }
    answer
}

fn ztest(mut fields: Fields) -> Result<Value, Vec<FieldError>> {
    let control = sample(&mut fields, "control");
    let treatment = sample(&mut fields, "treatment");
    let alpha = alpha(&mut fields);
    fields.finish(|| {
        let compared = proportion::compare(control, treatment, alpha);
        let always = sequential::difference(control, treatment, alpha);
        let reason = match (compared.method, compared.z, always) {
            (Method::NoData, ..) => Some("an arm has no units"),
            (_, None, _) => Some("no unit succeeded, or every one: there is no spread to judge by"),
            (_, Some(_), None) => {
                Some("there is no spread within the arms for the always-valid interval")
            }
            _ if compared.relative_lift_interval.is_none() => {
                Some("an arm without successes has no ratio to the other")
            }
            _ => None,
        };
        let mut answer = with_reason(compared, reason);
        answer["sequential"] = match always {
            Some(always) => json!(always),
            None => json!({ "half_width": null, "interval": null, "p_value": null }),
        };
        answer
    })
}

fn sample_size(mut fields: Fields) -> Result<Value, Vec<FieldError>> {
    let baseline = share(&mut fields, "baseline");
    fields.require("effect");
    let effect = fields.number("effect").unwrap_or(1.0);
    let target = baseline + effect;
    if effect == 0.0 || !(-1e-12..=1.0 + 1e-12).contains(&target) {
        fields.refuse(
            "effect",
            "must not be 0, and baseline plus effect must be from 0 to 1",
        );
    }
    let alpha = alpha(&mut fields);
    let power = power(&mut fields);
    let weights = match fields.list("weights") {
        None => vec![1.0, 1.0],
        Some(items) => numbers(&mut fields, "weights", items),
    };
    check_weights(&mut fields, &weights);
    fields.finish(|| {
        // The last digit of a sum must not make 0.7 + 0.3 more than 1.
        let effect = target.clamp(0.0, 1.0) - baseline;
        let plan = power::Plan {
            baseline,
            effect,
            alpha,
            power,
            weights,
        };
        let always = plan.sequential_sample_size().map(|size| size.total);
        match plan.sample_size() {
            Some(size) => json!({
                "per_arm": size.per_arm, "total": size.total, "sequential_total": always,
                "curve": curve(&plan),
            }),
            None => with_reason(
                json!({ "per_arm": null, "total": null, "sequential_total": null, "curve": [] }),
                Some("no number of units would do"),
            ),
        }
    })
}

/// The power with other numbers of units, from a tenth to twice what is needed.
fn curve(plan: &power::Plan) -> Vec<Value> {
    let Some(needed) = plan.sample_size() else {
        return Vec::new();
    };
    (1..=20_u64)
        .filter_map(|tenths| {
            let total = (needed.total * tenths).div_ceil(10);
            Some(json!({ "total": total, "power": plan.power_with(total)? }))
        })
        .collect()
}

fn detectable_effect(mut fields: Fields) -> Result<Value, Vec<FieldError>> {
    let baseline = share(&mut fields, "baseline");
    let n = count(&mut fields, "n");
    let alpha = alpha(&mut fields);
    let power = power(&mut fields);
    fields.finish(|| {
        let effect = power::minimum_detectable_effect(baseline, n, alpha, power);
        let reason = effect
            .is_none()
            .then_some("not even a rise to 1 would be found with so few units");
        with_reason(json!({ "effect": effect }), reason)
    })
}

fn sample_ratio(mut fields: Fields) -> Result<Value, Vec<FieldError>> {
    fields.require("observed");
    let items = fields.list("observed").unwrap_or_default();
    let n_items = items.len();
    let observed: Vec<u64> = items
        .into_iter()
        .filter_map(|item| item.as_u64().filter(|n| *n <= MAX_COUNT))
        .collect();
    if observed.len() != n_items || !(2..=MAX_LIST).contains(&n_items) {
        fields.refuse("observed", "must be two or more counts from 0 to a billion");
    }
    let weights = match fields.list("weights") {
        None => vec![1.0; n_items],
        Some(items) => numbers(&mut fields, "weights", items),
    };
    check_weights(&mut fields, &weights);
    if weights.len() != n_items {
        fields.refuse("weights", "must be as many as there are counts");
    }
    fields.finish(|| match srm::check(&observed, &weights) {
        Some(fit) => json!(fit),
        None => with_reason(
            json!({ "chi_square": null, "p_value": null, "alarm": false }),
            Some("there are no units"),
        ),
    })
}

fn mcnemar(mut fields: Fields) -> Result<Value, Vec<FieldError>> {
    let pairs = paired::Pairs {
        lost: count(&mut fields, "lost"),
        gained: count(&mut fields, "gained"),
        both_pass: optional_count(&mut fields, "both_pass"),
        both_fail: optional_count(&mut fields, "both_fail"),
    };
    let alpha = alpha(&mut fields);
    fields.finish(|| {
        let compared = paired::compare(pairs, alpha);
        let reason = compared
            .difference
            .is_none()
            .then_some("there are no cases");
        with_reason(compared, reason)
    })
}

fn threshold_risk(mut fields: Fields) -> Result<Value, Vec<FieldError>> {
    let n = count(&mut fields, "n");
    if n == 0 {
        fields.refuse_unless_refused("n", "must be at least 1");
    }
    let baseline = share(&mut fields, "baseline");
    let threshold = share(&mut fields, "threshold");
    fields.finish(|| {
        let rate = threshold::false_positive_rate(n, baseline, threshold);
        let reason = rate
            .is_none()
            .then_some("it cannot be computed for these numbers");
        with_reason(json!({ "false_positive_rate": rate }), reason)
    })
}

fn holm(mut fields: Fields) -> Result<Value, Vec<FieldError>> {
    fields.require("p_values");
    let items = fields.list("p_values").unwrap_or_default();
    if items.len() > MAX_LIST {
        fields.refuse("p_values", format!("must be at most {MAX_LIST}"));
    }
    let p_values = numbers(&mut fields, "p_values", items);
    if p_values.iter().any(|p| !(0.0..=1.0).contains(p)) {
        fields.refuse("p_values", "must be from 0 to 1");
    }
    fields.finish(|| json!({ "adjusted": multiple::holm(&p_values) }))
}

fn welch(mut fields: Fields) -> Result<Value, Vec<FieldError>> {
    let control = summary(&mut fields, "control");
    let treatment = summary(&mut fields, "treatment");
    let alpha = alpha(&mut fields);
    fields.finish(|| {
        let compared = mean::compare(control, treatment, alpha);
        let reason = compared
            .t
            .is_none()
            .then_some("each arm needs two units, and one of them some spread");
        with_reason(compared, reason)
    })
}

fn cache_cost(mut fields: Fields) -> Result<Value, Vec<FieldError>> {
    let mut positive = |name: &str| {
        fields.require(name);
        let number = fields.number(name).unwrap_or_default();
        if !(0.0..=1e12).contains(&number) {
            fields.refuse(name, "must be 0 or more");
        }
        number
    };
    let traffic = Traffic {
        requests_per_hour: positive("requests_per_hour"),
        tokens: positive("tokens"),
        distinct_keys: positive("distinct_keys"),
        ttft_ms: positive("ttft_ms"),
    };
    fields.require("prices");
    let mut prices = Prices {
        write: 0.0,
        read: 0.0,
    };
    if let Some(value) = fields.take("prices") {
        let mut one = Fields::new("prices", value);
        for (name, price) in [("write", &mut prices.write), ("read", &mut prices.read)] {
            one.require(name);
            *price = one.number(name).unwrap_or_default();
            if !(0.0..=1e6).contains(price) {
                one.refuse(name, "must be 0 or more US dollars per million tokens");
            }
        }
        if let Err(errors) = one.finish(|| ()) {
            fields.absorb(errors);
        }
    }
    fields.finish(|| match invalidation_cost(traffic, prices) {
        Some(cost) => json!(cost),
        None => with_reason(
            json!({ "upper_bound_usd": null, "expected_usd": null, "expected_writes": null }),
            Some("there must be at least one key"),
        ),
    })
}

fn sample(fields: &mut Fields, name: &str) -> Sample {
    fields.require(name);
    let mut found = Sample { successes: 0, n: 0 };
    if let Some(value) = fields.take(name) {
        let mut one = Fields::new(&fields.path_of(name), value);
        found = Sample {
            successes: count(&mut one, "successes"),
            n: count(&mut one, "n"),
        };
        if found.successes > found.n {
            one.refuse_unless_refused("successes", "must not be more than n");
        }
        if let Err(errors) = one.finish(|| ()) {
            fields.absorb(errors);
        }
    }
    found
}

fn summary(fields: &mut Fields, name: &str) -> mean::Summary {
    fields.require(name);
    let mut found = mean::Summary {
        mean: 0.0,
        sd: 0.0,
        n: 0,
    };
    if let Some(value) = fields.take(name) {
        let mut one = Fields::new(&fields.path_of(name), value);
        one.require("mean");
        one.require("sd");
        found = mean::Summary {
            mean: one.number("mean").unwrap_or_default(),
            sd: one.number("sd").unwrap_or_default(),
            n: count(&mut one, "n"),
        };
        if found.sd < 0.0 {
            one.refuse("sd", "must be 0 or more");
        }
        if let Err(errors) = one.finish(|| ()) {
            fields.absorb(errors);
        }
    }
    found
}

fn count(fields: &mut Fields, name: &str) -> u64 {
    fields.require(name);
    optional_count(fields, name)
}

fn optional_count(fields: &mut Fields, name: &str) -> u64 {
    let Some(number) = fields.integer(name) else {
        return 0;
    };
    let legal = u64::try_from(number).ok().filter(|n| *n <= MAX_COUNT);
    if legal.is_none() {
        fields.refuse(name, "must be from 0 to a billion");
    }
    legal.unwrap_or_default()
}

fn share(fields: &mut Fields, name: &str) -> f64 {
    fields.require(name);
    let number = fields.number(name).unwrap_or(0.5);
    if !(0.0..=1.0).contains(&number) {
        fields.refuse(name, "must be from 0 to 1");
    }
    number
}

fn alpha(fields: &mut Fields) -> f64 {
    let alpha = fields.number("alpha").unwrap_or(ALPHA);
    if !(1e-12..=0.5).contains(&alpha) {
        fields.refuse("alpha", "must be above 0 and at most 0.5");
    }
    alpha
}

fn power(fields: &mut Fields) -> f64 {
    let power = fields.number("power").unwrap_or(0.8);
    if !(0.01..=0.9999).contains(&power) {
        fields.refuse("power", "must be from 0.01 to 0.9999");
    }
    power
}

fn numbers(fields: &mut Fields, name: &str, items: Vec<Value>) -> Vec<f64> {
    let numbers: Vec<f64> = items
        .iter()
        .filter_map(Value::as_f64)
        .filter(|number| number.is_finite())
        .collect();
    if numbers.len() != items.len() {
        fields.refuse(name, "must be numbers");
    }
    numbers
}

fn check_weights(fields: &mut Fields, weights: &[f64]) {
    let legal = (2..=MAX_LIST).contains(&weights.len())
        && weights.iter().all(|weight| *weight > 0.0 && *weight <= 1e9);
    if !legal {
        fields.refuse_unless_refused("weights", "must be two or more numbers above 0");
    }
}

#[cfg(test)]
mod tests {
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
}
