//! After a deployment: what the caches wrote, beside what was expected.

use chrono::{DateTime, Utc};
use domain::cache::budget::{CacheEvidence, dollars};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::prompts::words::grouped;

/// The estimate beside the measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// As it was reckoned when the promotion was asked for.
    pub estimate: CacheEvidence,
    /// Requests with the deployed version reported in the minutes after it.
    pub requests: u64,
    /// Tokens that they wrote to the cache.
    pub cache_write_tokens: u64,
    /// Until when it was looked.
    pub until: DateTime<Utc>,
    /// Whether more may still come.
    pub is_running: bool,
}

/// The numbers side by side.
#[component]
pub fn MeasuredBox(measured: Measured) -> impl IntoView {
    let estimate = &measured.estimate.estimate;
    let expected = match (estimate.expected_tokens(), estimate.expected_usd()) {
        (Some(tokens), Some(usd)) => {
            format!("{} tokens, {}", whole(tokens), dollars(usd))
        }
        _ => "not known".to_owned(),
    };
    let found = if measured.requests == 0 {
        let words = if measured.is_running {
            "nothing reported yet"
        } else {
            "nothing was reported"
        };
        words.to_owned()
    } else {
        let usd = estimate.prices.map_or_else(String::new, |prices| {
            let written = float(measured.cache_write_tokens) / domain::cost::PER_TOKENS;
            let usd = written * (prices.write - prices.read).max(0.0);
            format!(", {}", dollars(usd))
        });
        format!("{} tokens{usd}", grouped(measured.cache_write_tokens))
    };
    let words = format!(
        "{} requests with this version reported {} {} UTC. Every token written to the cache in the {} after the deployment is counted, also those that would have been written without it.",
        grouped(measured.requests),
        if measured.is_running {
            "so far, until"
        } else {
            "until"
        },
        measured.until.format("%H:%M"),
        estimate.longest_ttl().words(),
    );
    view! {
        <section class="section" aria-labelledby="refill-h">
            <div class="section-head"><h2 id="refill-h">"Cache refill"</h2></div>
            <dl class="facts">
                <dt>"Expected"</dt><dd class="num">{expected}</dd>
                <dt>"Measured"</dt><dd class="num">{found}</dd>
            </dl>
            <p class="note">{words}</p>
        </section>
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes the nearest whole number that there is, never less than 0"
)]
fn whole(tokens: f64) -> String {
    grouped(tokens.round() as u64)
}

#[expect(clippy::cast_precision_loss, reason = "tokens stay below 2^53")]
const fn float(count: u64) -> f64 {
    count as f64
}
