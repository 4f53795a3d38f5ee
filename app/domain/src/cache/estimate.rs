//! What a change from one version to another costs through the providers' caches: which block
//! changes first, how many tokens are written again, at worst and as expected, and of which
//! traffic that is said. It always tells where each of its inputs comes from.
//!
//! Breakpoints say for how long a prefix stays warm. A block is written for as long as the first
//! breakpoint at or behind it says, and the blocks of each time to live are reckoned for
//! themselves: with the requests of that time, at the price of writing for so long. The cost is
//! their sum. That is how Anthropic bills a question with breakpoints of both kinds.

use serde::{Deserialize, Serialize};

use super::{
    Ttl, blocks,
    cost::{Free, InvalidationCost, Prices, Traffic, free, invalidation_cost, rollback_cost},
    first_changed_block,
};
use crate::{content::Content, cost::Price, tokens::Tokenizer};

mod prefix;

use prefix::{Prefix, rounded};

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
    pub fn traffic(&self, tokens: f64, ttl: Ttl) -> Traffic {
        Traffic {
            requests_per_hour: self.requests_per_hour.value,
            tokens,
            distinct_keys: self.distinct_keys.value,
            ttft_ms: self.ttft_ms.value,
            ttl,
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
    /// The share of it that gets the new one, from 0 to 1: all, unless an experiment splits it.
    pub share: f64,
    /// Cached tokens of a call that applications reported for the version that serves now.
    pub measured_prefix: Option<f64>,
    /// For a rollback: how many seconds ago the new content stopped serving.
    pub warm_seconds: Option<f64>,
}

/// Tokens that are written again for the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = CacheWritten))]
pub struct Written {
    /// For how long.
    pub ttl: Ttl,
    /// How many.
    pub tokens: u32,
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
    /// The same by the time they are written for, the shorter first; empty where nothing is written.
    #[serde(default)]
    pub written: Vec<Written>,
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
    /// At these prices, in US dollars per million tokens; where tokens are written for different
    /// times, `write` is their average.
    pub prices: Option<Prices>,
}

impl Estimate {
    /// What is expected, in US dollars; none where it is unknown.
    #[must_use]
    pub fn expected_usd(&self) -> Option<f64> {
        self.cost.map(|cost| cost.expected_usd)
    }

    /// The longest time for which something is written again: the change is paid for within it.
    #[must_use]
    pub fn longest_ttl(&self) -> Ttl {
        let ttls = self.written.iter().map(|written| written.ttl);
        ttls.max().unwrap_or_default()
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
            written: Vec::new(),
            prefix_tokens: 0,
            tokens_measured: false,
            free: None,
            unknown: None,
            cost: None,
            inputs: self.inputs,
            prices: self
                .price
                .and_then(|price| Prices::of(price, Ttl::default())),
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
        let whole = prefix.whole * scale;
        estimate.tokens_measured = ratio.is_some();
        estimate.no_breakpoint = !prefix.has_breakpoint;
        estimate.written = prefix.written(scale);
        estimate.tokens = estimate.written.iter().map(|written| written.tokens).sum();
        estimate.prefix_tokens = rounded(whole);
        if let Some(free) = free(change.as_ref(), whole, price.min_cacheable_tokens) {
            return estimate.costing_nothing(free);
        }
        let reckoned: Result<Vec<Part>, String> = estimate
            .written
            .iter()
            .map(|written| self.part(price, *written))
            .collect();
        match reckoned {
            Ok(parts) => {
                estimate.cost = Some(sum(&parts));
                estimate.prices = Some(average(&parts, price));
            }
            Err(why) => {
                estimate.unknown = Some(why);
                estimate.prices = None;
            }
        }
        estimate
    }

    /// What is written for one time to live, or why that cannot be said.
    fn part(&self, price: &Price, written: Written) -> Result<Part, String> {
        let tokens = f64::from(written.tokens);
        let prices = Prices::of(price, written.ttl).ok_or_else(|| {
            format!(
                "no price of {} for writing the cache for {} is known here",
                price.model,
                written.ttl.words()
            )
        })?;
        let all = self.inputs.traffic(tokens, written.ttl);
        let traffic = Traffic {
            requests_per_hour: all.requests_per_hour * self.share,
            ..all
        };
        let cost = match self.warm_seconds {
            None => invalidation_cost(traffic, prices),
            Some(seconds) => rollback_cost(traffic, prices, seconds),
        };
        cost.map(|cost| Part {
            tokens,
            prices,
            cost,
        })
        .ok_or_else(|| "the traffic given makes no sense".to_owned())
    }
}

/// What is written for one time to live, and what that costs.
struct Part {
    tokens: f64,
    prices: Prices,
    cost: InvalidationCost,
}

/// The parts together. Each time to live has its own number of writes; the one of the whole is their
/// average by tokens, so that it gives the tokens that are written again.
fn sum(parts: &[Part]) -> InvalidationCost {
    if let [only] = parts {
        return only.cost;
    }
    let of = |amount: fn(&InvalidationCost) -> f64| -> f64 {
        parts.iter().map(|part| amount(&part.cost)).sum()
    };
    InvalidationCost {
        upper_bound_usd: of(|cost| cost.upper_bound_usd),
        expected_usd: of(|cost| cost.expected_usd),
        expected_writes: by_tokens(parts, |part| part.cost.expected_writes).unwrap_or_default(),
    }
}

fn average(parts: &[Part], price: &Price) -> Prices {
    let read = price.read.unwrap_or(price.input);
    let write = match parts {
        [only] => Some(only.prices.write),
        parts => by_tokens(parts, |part| part.prices.write),
    };
    Prices {
        write: write.unwrap_or(price.input),
        read,
    }
}

fn by_tokens(parts: &[Part], amount: fn(&Part) -> f64) -> Option<f64> {
    let tokens: f64 = parts.iter().map(|part| part.tokens).sum();
    let sum: f64 = parts.iter().map(|part| amount(part) * part.tokens).sum();
    (tokens > 0.0).then(|| sum / tokens)
}

/// Why nothing of a content is ever cached by its model, so that there is nothing to keep warm.
/// Nothing where it is, or where the price row that would say so is not known.
#[must_use]
pub fn never_cached(content: &Content, price: Option<&Price>) -> Option<Free> {
    let price = price?;
    let tokenizer = Tokenizer::of(&price.provider, &price.model);
    let whole = Prefix::of(&blocks(content), None, tokenizer).whole;
    match price.min_cacheable_tokens {
        None => Some(Free::NoCache),
        Some(minimum) if whole < f64::from(minimum) => Some(Free::UnderMinimum { minimum }),
        Some(_) => None,
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

#[cfg(test)]
mod tests;
