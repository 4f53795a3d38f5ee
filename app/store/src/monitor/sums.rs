//! What calls add up to, with sketches instead of percentiles: what is kept and added, from a
//! batch of events to a day.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::monitor::{
    Event, Kind, Summary,
    bucket::Resolution,
    failure::Failure,
    summary::{Feedback, Tokens},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::sketch::Sketch;

/// Whose traffic: nil and 0 where nobody said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place {
    pub prompt: Uuid,
    pub environment: Uuid,
    pub version: i32,
}

/// Sums of a stretch of time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sums {
    pub requests: u64,
    pub errors: u64,
    pub errors_by_kind: BTreeMap<Failure, u64>,
    pub latency: Sketch,
    pub ttft: Sketch,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cache_read_tokens: u64,
    pub cache_write_tokens: u64,
    pub cost_usd: f64,
    pub n_priced: u64,
    pub feedback_n: u64,
    pub feedback_sum: f64,
}

impl Sums {
    /// Takes an event in. `cost_usd` is what the call cost, reported or by the price table.
    pub fn add(&mut self, event: &Event, cost_usd: Option<f64>) {
        match event.kind {
            Kind::Generation => {}
            Kind::Feedback => {
                self.feedback_n += 1;
                self.feedback_sum += event.value.unwrap_or_default();
                return;
            }
            Kind::Exposure | Kind::Outcome => return,
        }
        let call = &event.call;
        self.requests += 1;
        if let Some(error) = &call.error {
            self.errors += 1;
            *self.errors_by_kind.entry(Failure::of(error)).or_default() += 1;
        }
        if let Some(latency) = call.latency_ms {
            self.latency.add(latency);
        }
        if let Some(ttft) = call.ttft_ms {
            self.ttft.add(ttft);
        }
        let tokens = |sent: Option<i64>| count(sent.unwrap_or_default());
        self.input_tokens += tokens(call.input_tokens);
        self.output_tokens += tokens(call.output_tokens);
        self.cache_read_tokens += tokens(call.cache_read_tokens);
        self.cache_write_tokens += tokens(call.cache_write_tokens);
        if let Some(cost) = cost_usd {
            self.cost_usd += cost;
            self.n_priced += 1;
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        for (kind, n) in &other.errors_by_kind {
            *self.errors_by_kind.entry(*kind).or_default() += n;
        }
        self.latency.merge(&other.latency);
        self.ttft.merge(&other.ttft);
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.cache_read_tokens += other.cache_read_tokens;
        self.cache_write_tokens += other.cache_write_tokens;
        self.cost_usd += other.cost_usd;
        self.n_priced += other.n_priced;
        self.feedback_n += other.feedback_n;
        self.feedback_sum += other.feedback_sum;
    }

    pub fn summary(self) -> Summary {
        Summary {
            requests: self.requests,
            errors: self.errors,
            errors_by_kind: self.errors_by_kind,
            latency: self.latency.percentiles(),
            ttft: self.ttft.percentiles(),
            tokens: Tokens {
                input: self.input_tokens,
                output: self.output_tokens,
                cache_read: self.cache_read_tokens,
                cache_write: self.cache_write_tokens,
            },
            cost_usd: self.cost_usd,
            n_priced: self.n_priced,
            feedback: Feedback {
                n: self.feedback_n,
                sum: self.feedback_sum,
            },
        }
    }
}

/// Postgres counts with a sign.
pub(crate) fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or_default()
}

/// What a batch adds, by place and minute. Kept from a request until the roll-up in one value,
/// with the format's number in front, so that a later release can tell what it finds.
#[derive(Default)]
pub(crate) struct Minutes(BTreeMap<(Place, i64), Sums>);

/// The format of `monitor_batch.sums`.
const FORMAT: u8 = 1;

impl Minutes {
    pub fn add(&mut self, place: Place, event: &Event, cost_usd: Option<f64>) {
        if !matches!(event.kind, Kind::Generation | Kind::Feedback) {
            return;
        }
        let minute = Resolution::Minute.start_of(event.at).timestamp();
        let sums = self.0.entry((place, minute)).or_default();
        sums.add(event, cost_usd);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_extend(&(FORMAT, &self.0), Vec::new())
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, postcard::Error> {
        let (format, minutes): (u8, _) = postcard::from_bytes(bytes)?;
        if format != FORMAT {
            return Err(postcard::Error::DeserializeBadEncoding);
        }
        Ok(Self(minutes))
    }

    pub fn into_each(self) -> impl Iterator<Item = (Place, DateTime<Utc>, Sums)> {
        self.0.into_iter().filter_map(|((place, minute), sums)| {
            Some((place, DateTime::from_timestamp(minute, 0)?, sums))
        })
    }
}

/// Bytes of ours that cannot be read: the database answered nonsense.
pub(crate) fn unreadable(error: postcard::Error) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}
