//! What a change from one version to another costs through the providers' caches: which block
//! changes first, how many tokens are written again, at worst and as expected, and of which
//! traffic that is said. It always tells where each of its inputs comes from.

use serde::{Deserialize, Serialize};

use super::{
    Block, FirstChange, blocks,
    cost::{Free, InvalidationCost, Prices, Traffic, free, invalidation_cost, rollback_cost},
    first_changed_block,
};
use crate::{content::Content, cost::Price, tokens::Tokenizer};

/// Requests an hour where nothing was observed and nothing said.
pub const REQUESTS_PER_HOUR: f64 = 10_000.0;
/// Distinct prefixes where nothing was said: one prompt that all calls share.
pub const DISTINCT_KEYS: f64 = 1.0;
/// From sending a request to its first token, in milliseconds, where nothing was observed.
pub const TTFT_MS: f64 = 2_000.0;

/// How far measured and estimated tokens may lie apart before the measurement is about something else.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = 0.5..=2.0;

/// Where an input comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = CacheInputSource))]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Whoever asked said it.
    Given,
    /// Applications reported it in the last 24 hours.
    Observed,
    /// The prompt's settings say it.
    Prompt,
    /// Nobody knows: the usual assumption.
    Assumed,
}

impl Source {
    /// In words for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Given => "as entered",
            Self::Observed => "observed in the last 24 hours",
            Self::Prompt => "from the prompt's settings",
            Self::Assumed => "assumed: nothing was observed",
        }
    }
}

/// A number and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = CacheInput))]
pub struct Input {
    /// The number.
    pub value: f64,
    /// From where.
    pub source: Source,
}

/// What may be known of the traffic, the better knowledge first.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Known {
    /// Said by whoever asks.
    pub given: Option<f64>,
    /// Reported by applications.
    pub observed: Option<f64>,
    /// Set at the prompt.
    pub prompt: Option<f64>,
}

impl Known {
    fn or(self, assumed: f64) -> Input {
        let sound = |value: Option<f64>| value.filter(|value| value.is_finite() && *value >= 0.0);
        let (value, source) = match (sound(self.given), sound(self.observed), sound(self.prompt)) {
            (Some(value), ..) => (value, Source::Given),
            (None, Some(value), _) => (value, Source::Observed),
            (None, None, Some(value)) => (value, Source::Prompt),
            (None, None, None) => (assumed, Source::Assumed),
        };
        Input { value, source }
    }
}

/// The traffic that a cost is reckoned for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = CacheInputs))]
pub struct Inputs {
    /// Requests an hour.
    pub requests_per_hour: Input,
    /// Distinct keys behind the changed prefix: 1 for a shared system prompt, else tenants or
    /// conversations.
    pub distinct_keys: Input,
    /// From sending a request to its first token, in milliseconds.
    pub ttft_ms: Input,
}

impl Inputs {
    /// The best that is known of each.
    #[must_use]
    pub fn of(requests_per_hour: Known, distinct_keys: Known, ttft_ms: Known) -> Self {
        let at_least_one = |known: Option<f64>| known.filter(|keys| *keys >= 1.0);
        Self {
            requests_per_hour: requests_per_hour.or(REQUESTS_PER_HOUR),
            distinct_keys: Known {
                given: at_least_one(distinct_keys.given),
                observed: None,
                prompt: at_least_one(distinct_keys.prompt),
            }
            .or(DISTINCT_KEYS),
            ttft_ms: ttft_ms.or(TTFT_MS),
        }
    }

    /// As the formula takes them.
    #[must_use]
    pub fn traffic(&self, tokens: f64) -> Traffic {
        Traffic {
            requests_per_hour: self.requests_per_hour.value,
            tokens,
            distinct_keys: self.distinct_keys.value,
            ttft_ms: self.ttft_ms.value,
        }
    }
}

/// A change that is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// What serves now; none where nothing does.
    pub old: Option<&'a Content>,
    /// What is to serve.
    pub new: &'a Content,
    /// The price of the new one's model now.
    pub price: Option<&'a Price>,
    /// Of this traffic.
    pub inputs: Inputs,
    /// Cached tokens of a call that applications reported for the version that serves now.
    pub measured_prefix: Option<f64>,
    /// For a rollback: how many seconds ago the new content stopped serving.
    pub warm_seconds: Option<f64>,
}

/// What a change costs once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = CacheEstimate))]
pub struct Estimate {
    /// Which block changes first; none where none does.
    pub first_changed: Option<String>,
    /// A variable stands before the change, so each set of values has a prefix of its own.
    pub behind_variable: bool,
    /// The version sets no breakpoint: reckoned as if all of it were cached.
    pub no_breakpoint: bool,
    /// Tokens from the first changed block to the last breakpoint.
    pub tokens: u32,
    /// Tokens of the whole prefix.
    pub prefix_tokens: u32,
    /// The tokens follow what applications reported, not only the text.
    pub tokens_measured: bool,
    /// Why it costs nothing.
    pub free: Option<String>,
    /// Why it cannot be said.
    pub unknown: Option<String>,
    /// What it costs; zero where it is free, none where it is unknown.
    pub cost: Option<InvalidationCost>,
    /// Of this traffic.
    pub inputs: Inputs,
    /// At these prices, in US dollars per million tokens.
    pub prices: Option<Prices>,
}

impl Estimate {
    /// What is expected, in US dollars; none where it is unknown.
    #[must_use]
    pub fn expected_usd(&self) -> Option<f64> {
        self.cost.map(|cost| cost.expected_usd)
    }

    /// How many tokens are expected to be written to the cache because of the change.
    #[must_use]
    pub fn expected_tokens(&self) -> Option<f64> {
        self.cost
            .map(|cost| cost.expected_writes * f64::from(self.tokens))
    }
}

impl Change<'_> {
    /// Reckons it.
    #[must_use]
    pub fn estimate(&self) -> Estimate {
        let mut estimate = Estimate {
            first_changed: None,
            behind_variable: false,
            no_breakpoint: false,
            tokens: 0,
            prefix_tokens: 0,
            tokens_measured: false,
            free: None,
            unknown: None,
            cost: None,
            inputs: self.inputs,
            prices: self.price.map(Prices::from),
        };
        let Some(old) = self.old else {
            return estimate.costing_nothing(Free::NothingServed);
        };
        let change = first_changed_block(old, self.new);
        estimate.first_changed = change.as_ref().map(|change| change.label.clone());
        estimate.behind_variable = change.as_ref().is_some_and(|change| change.behind_variable);
        let (tokenizer, price) = match (&self.new.model, self.price) {
            (None, _) => {
                estimate.unknown = Some("the version names no model".to_owned());
                return estimate;
            }
            (Some(model), None) => {
                estimate.unknown = Some(format!(
                    "no price of {} at {} is known here",
                    model.name, model.provider
                ));
                return estimate;
            }
            (Some(_), Some(price)) => (Tokenizer::of(&price.provider, &price.model), price),
        };
        let prefix = Prefix::of(&blocks(self.new), change.as_ref(), tokenizer);
        let old_prefix = Prefix::of(&blocks(old), None, tokenizer).whole;
        let ratio = self
            .measured_prefix
            .map(|measured| measured / old_prefix)
            .filter(|ratio| PLAUSIBLE.contains(ratio));
        let scale = ratio.unwrap_or(1.0);
        let (tokens, whole) = (prefix.changed * scale, prefix.whole * scale);
        estimate.tokens_measured = ratio.is_some();
        estimate.no_breakpoint = !prefix.has_breakpoint;
        estimate.tokens = rounded(tokens);
        estimate.prefix_tokens = rounded(whole);
        if let Some(free) = free(change.as_ref(), whole, price.min_cacheable_tokens) {
            return estimate.costing_nothing(free);
        }
        let traffic = self.inputs.traffic(tokens.round());
        let prices = Prices::from(price);
        estimate.cost = match self.warm_seconds {
            None => invalidation_cost(traffic, prices),
            Some(seconds) => rollback_cost(traffic, prices, seconds),
        };
        if estimate.cost.is_none() {
            estimate.unknown = Some("the traffic given makes no sense".to_owned());
        }
        estimate
    }
}

impl Estimate {
    fn costing_nothing(mut self, why: Free) -> Self {
        self.free = Some(why.to_string());
        self.cost = Some(InvalidationCost {
            upper_bound_usd: 0.0,
            expected_usd: 0.0,
            expected_writes: 0.0,
        });
        self
    }
}

/// A content's prefix in tokens.
struct Prefix {
    /// Up to the last breakpoint, or all of it.
    whole: f64,
    /// The part from the first changed block on.
    changed: f64,
    has_breakpoint: bool,
}

impl Prefix {
    fn of(blocks: &[Block], change: Option<&FirstChange>, tokenizer: Tokenizer) -> Self {
        let last = blocks.iter().rposition(|block| block.breakpoint);
        let cached = &blocks[..last.map_or(blocks.len(), |last| last + 1)];
        let tokens = |blocks: &[Block]| -> f64 {
            blocks
                .iter()
                .map(|block| tokenizer.count(&block.text))
                .sum()
        };
        let from = change.map_or(cached.len(), |change| change.index.min(cached.len()));
        Self {
            whole: tokens(cached),
            changed: tokens(&cached[from..]),
            has_breakpoint: last.is_some(),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes the nearest whole number that there is, never less than 0"
)]
fn rounded(tokens: f64) -> u32 {
    tokens.round() as u32
}

#[cfg(test)]
mod tests {
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
            inputs().traffic(f64::from(found.tokens)),
            Prices {
                write: 3.75,
                read: 0.3,
            },
        );
        assert_eq!(Some(cost), wanted);
        assert_eq!(found.inputs.requests_per_hour.source, Source::Assumed);
        assert!(found.free.is_none() && found.unknown.is_none() && !found.no_breakpoint);
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
        assert!(
            why(estimate(&old, &old.clone(), |_| {})).contains("nothing that is cached changed")
        );
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
}
