//! The calculators: numbers in, numbers out, nothing kept. API, command line and page read the
//! same JSON with these functions and so accept and refuse the same. A value that cannot be
//! computed is null and comes with a `reason`, never NaN.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    cache::{
        Ttl,
        cost::{Prices, Traffic, invalidation_cost},
    },
    field::{FieldError, Fields},
    stats::{
        MAX_COUNT, mean, multiple, paired, power,
        proportion::{self, Method},
        sequential, srm, threshold,
    },
};

mod read;

use read::{
    alpha, check_weights, count, numbers, optional_count, power, sample, share, summary, ttl,
};

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
    let ttl = ttl(&mut fields);
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
        ttl,
    };
    let prices = cache_prices(&mut fields, ttl);
    fields.finish(|| {
        let nothing = |reason: &str| {
            with_reason(
                json!({ "upper_bound_usd": null, "expected_usd": null, "expected_writes": null }),
                Some(reason),
            )
        };
        let Some(prices) = prices else {
            return nothing("this model has no price for writing the cache for 1 hour");
        };
        match invalidation_cost(traffic, prices) {
            Some(cost) => json!(cost),
            None => nothing("there must be at least one key"),
        }
    })
}

/// None for an hour at a price that is null: not every model offers that.
fn cache_prices(fields: &mut Fields, ttl: Ttl) -> Option<Prices> {
    fields.require("prices");
    let mut one = Fields::new("prices", fields.take("prices")?);
    if ttl != Ttl::Hour {
        one.require("write");
    }
    one.require("read");
    let mut price = |name: &str| {
        let price = one.number(name);
        if price.is_some_and(|price| !(0.0..=1e6).contains(&price)) {
            one.refuse(name, "must be 0 or more US dollars per million tokens");
        }
        price
    };
    let (write, read) = (price("write"), price("read"));
    if let Err(errors) = one.finish(|| ()) {
        fields.absorb(errors);
    }
    Some(Prices {
        write: write?,
        read: read?,
    })
}

#[cfg(test)]
mod tests;
