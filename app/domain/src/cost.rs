//! What calls cost. Prices change, so they are rows with a date they hold from, never constants;
//! what a change costs through the provider's cache is in `cache`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    actor::Who,
    field::{FieldError, Fields},
};

/// Prices are per so many tokens.
pub const PER_TOKENS: f64 = 1_000_000.0;

/// The highest price anyone may enter, in US dollars per million tokens.
const MAX_PRICE: f64 = 1_000_000.0;

/// One model's prices from a moment on, in US dollars per million tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Price {
    /// The configured provider's name.
    pub provider: String,
    /// The provider's name of the model.
    pub model: String,
    /// Input tokens that are neither read from nor written to the cache.
    pub input: f64,
    /// Input tokens written to the cache for 5 minutes; the input's price where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_5m: Option<f64>,
    /// Input tokens written to the cache for an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_1h: Option<f64>,
    /// Input tokens read from the cache; the input's price where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<f64>,
    /// Output tokens.
    pub output: f64,
    /// The shortest prefix the provider caches, in tokens; none if it caches nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_cacheable_tokens: Option<u32>,
    /// From when these prices hold, until the next row of the model.
    pub valid_from: DateTime<Utc>,
}

/// A price row as the price table shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KnownPrice {
    /// The row.
    #[serde(flatten)]
    pub price: Price,
    /// The project's own, and so before what everybody has.
    pub is_own: bool,
    /// Where it comes from.
    pub source: String,
    /// Who entered it; none for what came with the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<Who>,
}

impl Price {
    /// Reads and checks a price row; every offending field is listed.
    pub fn parse(path: &str, value: serde_json::Value) -> Result<Self, Vec<FieldError>> {
        Self::read(Fields::new(path, value))
    }

    /// The same from members at hand.
    pub fn read(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let provider = fields.required_text("provider");
        let model = fields.required_text("model");
        fields.require("input");
        let input = amount(&mut fields, "input");
        let write_5m = amount(&mut fields, "write_5m");
        let write_1h = amount(&mut fields, "write_1h");
        let read = amount(&mut fields, "read");
        fields.require("output");
        let output = amount(&mut fields, "output");
        let least = fields.integer("min_cacheable_tokens");
        let min_cacheable_tokens = least.and_then(|least| u32::try_from(least).ok());
        if min_cacheable_tokens.is_none() && least.is_some() {
            fields.refuse("min_cacheable_tokens", "must be a number of tokens");
        }
        fields.require("valid_from");
        let written = fields.text("valid_from");
        let valid_from = written.as_deref().and_then(|text| text.parse().ok());
        if valid_from.is_none() && written.is_some() {
            fields.refuse("valid_from", "must be a time such as 2026-03-14T00:00:00Z");
        }
        fields.finish(|| Self {
            provider,
            model,
            input: input.unwrap_or_default(),
            write_5m,
            write_1h,
            read,
            output: output.unwrap_or_default(),
            min_cacheable_tokens,
            valid_from: valid_from.unwrap_or_default(),
        })
    }
}

fn amount(fields: &mut Fields, name: &str) -> Option<f64> {
    let amount = fields.number(name)?;
    if (0.0..=MAX_PRICE).contains(&amount) {
        return Some(amount);
    }
    fields.refuse(
        name,
        format!("must be from 0 to {MAX_PRICE} US dollars per million tokens"),
    );
    None
}

/// How many tokens a call used. The five counts do not overlap: providers that count cache reads
/// among the input are subtracted from it where their answer is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = TokenUsage))]
pub struct Usage {
    /// Input tokens outside the cache.
    pub input: u64,
    /// Output tokens, reasoning among them.
    pub output: u64,
    /// Input tokens read from the cache.
    #[serde(default)]
    pub cache_read: u64,
    /// Input tokens written to the cache for 5 minutes.
    #[serde(default)]
    pub cache_write: u64,
    /// Input tokens written to the cache for an hour.
    #[serde(default)]
    pub cache_write_1h: u64,
}

impl Usage {
    /// Both together; a sum beyond what can be counted stays the largest count.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
            cache_read: self.cache_read.saturating_add(other.cache_read),
            cache_write: self.cache_write.saturating_add(other.cache_write),
            cache_write_1h: self.cache_write_1h.saturating_add(other.cache_write_1h),
        }
    }
}

/// The price that holds at a moment, of one model's rows: the latest that is not later. None where
/// no row is that old: what was not priced costs "unknown", never 0.
pub fn price_at(rows: &[Price], at: DateTime<Utc>) -> Option<&Price> {
    rows.iter()
        .filter(|row| row.valid_from <= at)
        .max_by_key(|row| row.valid_from)
}

/// What a call costs, in US dollars. What was written for an hour at a price that the row does not
/// name counts as written for 5 minutes: a little less than it was, instead of nothing.
pub fn cost_of_call(price: &Price, usage: Usage) -> f64 {
    let part = |tokens: u64, usd: f64| crate::stats::float(tokens) * usd / PER_TOKENS;
    let write = price.write_5m.unwrap_or(price.input);
    part(usage.input, price.input)
        + part(usage.output, price.output)
        + part(usage.cache_read, price.read.unwrap_or(price.input))
        + part(usage.cache_write, write)
        + part(usage.cache_write_1h, price.write_1h.unwrap_or(write))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn price(input: f64, valid_from: &str) -> Price {
        Price {
            provider: "anthropic".to_owned(),
            model: "sonnet".to_owned(),
            input,
            write_5m: Some(3.75),
            write_1h: Some(6.0),
            read: Some(0.3),
            output: 15.0,
            min_cacheable_tokens: Some(1_024),
            valid_from: valid_from.parse().unwrap(),
        }
    }

    #[test]
    fn the_latest_row_that_holds_already_is_the_price() {
        let rows = [
            price(3.0, "2026-01-01T00:00:00Z"),
            price(2.0, "2026-06-01T00:00:00Z"),
            price(4.0, "2025-01-01T00:00:00Z"),
        ];
        let at = |time: &str| price_at(&rows, time.parse().unwrap()).map(|row| row.input);
        assert_eq!(at("2026-03-01T00:00:00Z"), Some(3.0));
        assert_eq!(at("2026-06-01T00:00:00Z"), Some(2.0));
        assert_eq!(at("2025-12-31T23:59:59Z"), Some(4.0));
        assert_eq!(at("2024-12-31T00:00:00Z"), None);
    }

    #[test]
    fn each_kind_of_token_has_its_price() {
        let mut price = price(3.0, "2026-01-01T00:00:00Z");
        let usage = Usage {
            input: 1_000,
            output: 200,
            cache_read: 10_000,
            cache_write: 2_000,
            cache_write_1h: 500,
        };
        let close =
            |found: f64, expected: f64| assert!((found - expected).abs() < 1e-15, "{found}");
        close(
            cost_of_call(&price, usage),
            0.003 + 0.003 + 0.003 + 0.0075 + 0.003,
        );
        price.read = None;
        price.write_1h = None;
        close(
            cost_of_call(&price, usage),
            0.003 + 0.003 + 0.03 + 0.0075 + 0.001_875,
        );
        price.write_5m = None;
        close(
            cost_of_call(&price, usage),
            0.003 + 0.003 + 0.03 + 0.006 + 0.001_5,
        );
        close(cost_of_call(&price, Usage::default()), 0.0);
        assert_eq!(usage.plus(usage).cache_read, 20_000);
    }

    #[test]
    fn a_price_reads_or_says_all_that_is_wrong() {
        let sent = json!({
            "provider": "anthropic", "model": "sonnet", "input": 3.0, "write_5m": 3.75,
            "write_1h": 6.0, "read": 0.3, "output": 15.0, "min_cacheable_tokens": 1024,
            "valid_from": "2026-01-01T00:00:00Z",
        });
        let read = Price::parse("", sent.clone()).unwrap();
        assert_eq!(read, price(3.0, "2026-01-01T00:00:00Z"));
        assert_eq!(serde_json::to_value(&read).unwrap(), sent);
        let errors = Price::parse(
            "price",
            json!({"provider": "x", "model": "y", "input": -1, "valid_from": "soon"}),
        );
        let errors = errors.unwrap_err();
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["price.input", "price.output", "price.valid_from"]);
    }
}
