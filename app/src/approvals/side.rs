//! What stands beside a review: the cost, and who is behind it.

use chrono::{DateTime, Utc};
use domain::release::FullPromotion;
use leptos::prelude::*;

use super::calls::Cost;
use crate::ui::{Badge, RelativeTime, Tone, Who};

/// What the change costs in cache misses: the worst case, and what is expected. Without script the
/// form loads the page again with the traffic one has.
#[component]
pub fn CostBox(cost: Cost) -> impl IntoView {
    let found = match cost {
        Cost::Free(why) => view! { <p><b>"$0.00"</b>" "{why}</p> }.into_any(),
        Cost::Unknown(why) => view! { <p class="muted">{why}</p> }.into_any(),
        Cost::Usd {
            upper_bound,
            expected,
            tokens,
            traffic,
        } => view! {
            <dl class="facts">
                <dt>"Expected"</dt><dd class="num">{dollars(expected)}</dd>
                <dt>"At worst"</dt><dd class="num">{dollars(upper_bound)}</dd>
                <dt>"Tokens"</dt><dd class="num">{format!("about {tokens} written again")}</dd>
            </dl>
            <form method="get" class="form">
                <div class="form-pair">
                    <div class="field">
                        <label for="requests">"Requests an hour"</label>
                        <input class="input" id="requests" name="requests" type="number" min="0" step="any" value=traffic.requests_per_hour.to_string()/>
                    </div>
                    <div class="field">
                        <label for="keys">"Distinct prefixes"</label>
                        <input class="input" id="keys" name="keys" type="number" min="1" step="any" value=traffic.distinct_keys.to_string()/>
                    </div>
                </div>
                <div class="form-foot"><button type="submit" class="btn" data-size="small">"Estimate"</button></div>
            </form>
        }
        .into_any(),
    };
    view! { <section><h3>"Cache refill"</h3>{found}</section> }
}

fn dollars(usd: f64) -> String {
    if usd > 0.0 && usd < 0.01 {
        "less than $0.01".to_owned()
    } else {
        format!("${usd:.2}")
    }
}

/// Who wrote it, who wants it, who approved.
#[component]
pub fn People(full: FullPromotion, change: String, now: DateTime<Utc>) -> impl IntoView {
    let promotion = full.promotion;
    let approvals = full
        .approvals
        .into_iter()
        .map(|approval| {
            let counts = (!approval.counts)
                .then(|| view! { " "<Badge tone=Tone::Warn>"on older evidence"</Badge> });
            let comment = (!approval.comment.is_empty())
                .then(|| view! { <p class="note">{approval.comment.clone()}</p> });
            view! {
                <dt>"Approved"</dt>
                <dd>
                    <Who name=approval.by.name() kind=approval.by.kind()/>" "
                    <RelativeTime at=approval.at now has_ago=true/>{counts}{comment}
                </dd>
            }
        })
        .collect_view();
    let settled = full.settled_by.zip(full.settled_at).map(|(who, at)| {
        let verb = match promotion.status.word() {
            "executed" => "Executed",
            "rejected" => "Rejected",
            _ => "Withdrawn",
        };
        let reason = full
            .settled_reason
            .filter(|reason| !reason.is_empty())
            .map(|reason| view! { <p class="note">{reason}</p> });
        view! { <dt>{verb}</dt><dd><Who name=who.name() kind=who.kind()/>" "<RelativeTime at now has_ago=true/>{reason}</dd> }
    });
    let change = (!change.is_empty()).then(|| view! { <p class="note">{change}</p> });
    view! {
        <section>
            <h3>"People"</h3>
            <dl class="facts">
                <dt>"Written"</dt><dd><Who name=full.author.name() kind=full.author.kind()/>{change}</dd>
                <dt>"Asked"</dt>
                <dd><Who name=promotion.requested_by.name() kind=promotion.requested_by.kind()/>" "<RelativeTime at=promotion.requested_at now has_ago=true/></dd>
                {approvals}
                {settled}
            </dl>
        </section>
    }
}
