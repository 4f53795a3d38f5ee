//! What a reported call cost, where the one who reported it did not say.

use std::collections::{HashMap, HashSet};

use domain::{
    cost::{Price, Usage, cost_of_call, price_at},
    id::ProjectId,
    monitor::{Event, Kind},
};

use crate::{Result, Store};

/// The prices of the models that a batch of events names. Events say which model answered, but not
/// who sold it: where sellers differ, what a call cost is unknown.
#[derive(Default)]
pub(super) struct ByModel(HashMap<String, Vec<Price>>);

impl ByModel {
    /// Looks up what calls need whose cost was not reported.
    pub async fn load(
        store: &Store,
        project: ProjectId,
        events: impl Iterator<Item = &Event>,
    ) -> Result<Self> {
        let models: HashSet<&str> = events
            .filter(|event| event.kind == Kind::Generation && event.call.cost_usd.is_none())
            .filter_map(|event| event.call.model.as_deref())
            .collect();
        if models.is_empty() {
            return Ok(Self::default());
        }
        let names: HashSet<String> = models
            .into_iter()
            .flat_map(|model| [model, undated(model)])
            .map(str::to_owned)
            .collect();
        let names: Vec<String> = names.into_iter().collect();
        let mut prices: HashMap<String, Vec<Price>> = HashMap::new();
        for price in crate::prices::of_models(store, project, &names).await? {
            prices.entry(price.model.clone()).or_default().push(price);
        }
        prices.retain(|_, rows| rows.iter().all(|row| row.provider == rows[0].provider));
        Ok(Self(prices))
    }

    /// What a call cost when it was made; none where its model or its tokens are not known.
    pub fn cost_of(&self, event: &Event) -> Option<f64> {
        let call = &event.call;
        if event.kind != Kind::Generation || (call.input_tokens, call.output_tokens) == (None, None)
        {
            return None;
        }
        let model = call.model.as_deref()?;
        let rows = self.0.get(model).or_else(|| self.0.get(undated(model)))?;
        let count =
            |tokens: Option<i64>| u64::try_from(tokens.unwrap_or_default()).unwrap_or_default();
        let (cache_read, cache_write) = (
            count(call.cache_read_tokens),
            count(call.cache_write_tokens),
        );
        let input = count(call.input_tokens);
        let usage = Usage {
            // Cached tokens are among the input; a client that left them out says less than they are.
            input: input.checked_sub(cache_read + cache_write).unwrap_or(input),
            output: count(call.output_tokens),
            cache_read,
            cache_write,
            // Reports do not say for how long it was written.
            cache_write_1h: 0,
        };
        Some(cost_of_call(price_at(rows, event.at)?, usage))
    }
}

/// The model's name without the date of a snapshot.
fn undated(model: &str) -> &str {
    let is_date = |text: &str, digits: &[usize]| {
        text.split('-').map(str::len).eq(digits.iter().copied())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'-')
    };
    for (length, digits) in [(8, &[8][..]), (10, &[4, 2, 2][..])] {
        let Some(split) = model.len().checked_sub(length + 1) else {
            continue;
        };
        if let (Some(name), Some(tail)) = (model.get(..split), model.get(split..))
            && let Some(date) = tail.strip_prefix('-')
            && is_date(date, digits)
        {
            return name;
        }
    }
    model
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_are_known_by_their_model() {
        for (model, name) in [
            ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
            ("gpt-4o-2024-08-06", "gpt-4o"),
            ("gpt-4o", "gpt-4o"),
            ("llama-1234567x", "llama-1234567x"),
            ("über-2", "über-2"),
            ("-20250929", ""),
        ] {
            assert_eq!(undated(model), name, "{model}");
        }
    }
}
