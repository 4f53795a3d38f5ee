//! What a prompt's changes may cost in a day through cache misses, before somebody has to say yes.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::estimate::Estimate;

/// The most that can be set, in US dollars a day.
pub const MAX_BUDGET_USD: f64 = 1_000_000.0;

/// What a prompt's settings say about its cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CacheSettings {
    /// What changes may cost in 24 hours, in US dollars; none: as much as they do.
    pub budget_usd_per_day: Option<f64>,
    /// Requests an hour, as long as applications report none.
    pub requests_per_hour: Option<f64>,
    /// Distinct keys behind the prompt's prefix: tenants or conversations.
    pub distinct_keys: Option<f64>,
}

impl CacheSettings {
    /// Which of them are not acceptable, and why.
    #[must_use]
    pub fn errors(&self) -> Vec<crate::field::FieldError> {
        let within = |name: &str, value: Option<f64>, least: f64, most: f64| {
            let is_bad = value.is_some_and(|value| !(least..=most).contains(&value));
            is_bad.then(|| {
                crate::field::FieldError::new(name, format!("must be from {least} to {most}"))
            })
        };
        [
            within(
                "budget_usd_per_day",
                self.budget_usd_per_day,
                0.0,
                MAX_BUDGET_USD,
            ),
            within("requests_per_hour", self.requests_per_hour, 0.0, 1e9),
            within("distinct_keys", self.distinct_keys, 1.0, 1e9),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// What was known of a promotion's cost in cache misses when it was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CacheEvidence {
    /// The estimate.
    #[serde(flatten)]
    pub estimate: Estimate,
    /// The prompt's budget then, in US dollars a day.
    pub budget_usd: Option<f64>,
    /// What the prompt's other changes had cost in the 24 hours before, as estimated.
    pub spent_usd: f64,
    /// Somebody said that it may cost more than the budget.
    pub accepted: bool,
    /// When this was reckoned.
    pub at: DateTime<Utc>,
}

impl CacheEvidence {
    /// With no more digits than anybody needs: what is kept and chained into the audit trail reads
    /// back to the very same numbers.
    #[must_use]
    pub fn rounded(mut self) -> Self {
        let round = |number: &mut f64| *number = (*number * 1e6).round() / 1e6;
        let inputs = &mut self.estimate.inputs;
        for input in [
            &mut inputs.requests_per_hour,
            &mut inputs.distinct_keys,
            &mut inputs.ttft_ms,
        ] {
            round(&mut input.value);
        }
        if let Some(cost) = &mut self.estimate.cost {
            round(&mut cost.upper_bound_usd);
            round(&mut cost.expected_usd);
            round(&mut cost.expected_writes);
        }
        if let Some(prices) = &mut self.estimate.prices {
            round(&mut prices.write);
            round(&mut prices.read);
        }
        round(&mut self.spent_usd);
        self.budget_usd.iter_mut().for_each(round);
        self
    }

    /// What stands against it: a cost that goes over the budget and that nobody accepted.
    #[must_use]
    pub fn objection(&self) -> Option<String> {
        let (expected, budget) = (self.estimate.expected_usd()?, self.budget_usd?);
        if self.accepted || expected <= 0.0 || self.spent_usd + expected <= budget {
            return None;
        }
        let spent = if self.spent_usd > 0.0 {
            format!(", after {} in the last 24 hours", dollars(self.spent_usd))
        } else {
            String::new()
        };
        Some(format!(
            "the change is expected to cost {} in cache misses{spent}, and the prompt's budget is {} a day: accept the cost to go on",
            dollars(expected),
            dollars(budget),
        ))
    }
}

/// An amount, with as many digits as say something.
#[must_use]
pub fn dollars(usd: f64) -> String {
    if usd > 0.0 && usd < 0.01 {
        "less than $0.01".to_owned()
    } else {
        format!("${usd:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{
        cost::InvalidationCost,
        estimate::{Inputs, Known},
    };

    fn evidence(expected_usd: f64, budget_usd: Option<f64>, spent_usd: f64) -> CacheEvidence {
        let known = Known::default();
        CacheEvidence {
            estimate: Estimate {
                first_changed: None,
                behind_variable: false,
                no_breakpoint: false,
                tokens: 5_120,
                written: Vec::new(),
                prefix_tokens: 5_120,
                tokens_measured: false,
                free: None,
                unknown: None,
                cost: Some(InvalidationCost {
                    upper_bound_usd: 16.0,
                    expected_usd,
                    expected_writes: 6.5,
                }),
                inputs: Inputs::of(known, known, known),
                prices: None,
            },
            budget_usd,
            spent_usd,
            accepted: false,
            at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn what_goes_over_the_budget_needs_a_yes() {
        assert_eq!(evidence(0.12, None, 9.0).objection(), None);
        assert_eq!(evidence(0.12, Some(0.12), 0.0).objection(), None);
        assert_eq!(
            evidence(0.1158, Some(0.1), 0.0).objection().as_deref(),
            Some(
                "the change is expected to cost $0.12 in cache misses, and the prompt's budget is $0.10 a day: accept the cost to go on"
            )
        );
        let second = evidence(0.1, Some(0.15), 0.1);
        assert!(
            second
                .objection()
                .unwrap()
                .contains("after $0.10 in the last 24 hours")
        );
        let accepted = CacheEvidence {
            accepted: true,
            ..second
        };
        assert_eq!(accepted.objection(), None);
        // What costs nothing asks for nothing, however much was spent.
        assert_eq!(evidence(0.0, Some(0.0), 1.0).objection(), None);
        let mut unknown = evidence(1.0, Some(0.0), 0.0);
        unknown.estimate.cost = None;
        assert_eq!(unknown.objection(), None);
    }

    #[test]
    fn settings_are_checked() {
        let bad = CacheSettings {
            budget_usd_per_day: Some(-1.0),
            requests_per_hour: Some(f64::NAN),
            distinct_keys: Some(0.0),
        };
        assert_eq!(bad.errors().len(), 3);
        assert!(CacheSettings::default().errors().is_empty());
    }

    #[test]
    fn evidence_reads_back_as_it_was_written() {
        let written = evidence(1.0 / 3.0, Some(0.1), 2.0 / 3.0).rounded();
        let json = serde_json::to_value(&written).unwrap();
        assert_eq!(json["tokens"], 5_120);
        assert_eq!(
            serde_json::from_value::<CacheEvidence>(json).unwrap(),
            written
        );
    }
}
