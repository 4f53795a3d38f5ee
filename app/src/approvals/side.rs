//! What stands beside a review: who is behind it.

use chrono::{DateTime, Utc};
use domain::release::FullPromotion;
use leptos::prelude::*;

use crate::ui::{Badge, RelativeTime, Tone, Who};

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
