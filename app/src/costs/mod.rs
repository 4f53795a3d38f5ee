//! What a change costs in cache misses, as other rooms show it: a box with the worst case, what is
//! expected, the traffic it is said of and where that is known from. The traffic can be changed in
//! place; without script the form loads the page again.

#[cfg(feature = "ssr")]
pub mod gather;
mod measured;
mod warmth;

use domain::{
    cache::{
        Ttl,
        budget::{CacheEvidence, dollars},
        estimate::{Estimate, Input, Inputs, Source},
    },
    tokens,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use serde::{Deserialize, Serialize};

use crate::{prompts::words::grouped, ui::error::sentence};

pub use measured::{Measured, MeasuredBox};
pub use warmth::{Again, ArmsWarmth, Warmth};

/// The traffic that whoever looks has entered; what is left out is looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// Requests an hour.
    pub requests: Option<f64>,
    /// Distinct prefixes.
    pub keys: Option<f64>,
    /// Until the first token, in milliseconds.
    pub ttft: Option<f64>,
}

/// What the address says of the traffic.
pub fn use_asked() -> Memo<Asked> {
    let query = use_query_map();
    Memo::new(move |_| {
        let number = |name: &str| {
            let number: f64 = query.with(|query| query.get(name))?.trim().parse().ok()?;
            (0.0..=1e9).contains(&number).then_some(number)
        };
        let [requests, keys, ttft] = TRAFFIC.map(number);
        Asked {
            requests,
            keys,
            ttft,
        }
    })
}

/// What the change costs, and of which traffic.
#[component]
pub fn CostBox(
    /// As it is now.
    estimate: Estimate,
    /// As it was when it was asked for, with the budget.
    #[prop(optional_no_strip)]
    frozen: Option<CacheEvidence>,
    /// What else the address says, so that it stays.
    #[prop(optional)]
    kept: Vec<(&'static str, String)>,
) -> impl IntoView {
    let is_reckoned = estimate.free.is_none() && estimate.unknown.is_none();
    let found = amounts(&estimate);
    let notes = notes(&estimate);
    let form = is_reckoned.then(|| inputs_form(estimate.inputs, kept));
    let frozen = frozen.map(|frozen| as_asked(&frozen));
    view! {
        <section aria-labelledby="cache-h">
            <h3 id="cache-h">"Cache refill"</h3>
            {found}
            {notes}
            {form}
            {frozen}
        </section>
    }
}

fn amounts(estimate: &Estimate) -> AnyView {
    if let Some(why) = &estimate.free {
        return view! { <p><b>"$0.00"</b>" "{sentence(why)}</p> }.into_any();
    }
    let Some(cost) = estimate.cost else {
        let why = estimate.unknown.clone().unwrap_or_default();
        return view! { <p class="muted">{sentence(&why)}</p> }.into_any();
    };
    let first = estimate.first_changed.clone().map(|label| {
        view! { <dt>"Changes first"</dt><dd>{label}</dd> }
    });
    let tokens = format!("about {} written again", grouped(estimate.tokens.into()));
    view! {
        <dl class="facts">
            <dt>"Expected"</dt><dd class="num">{dollars(cost.expected_usd)}</dd>
            <dt>"At worst"</dt><dd class="num">{dollars(cost.upper_bound_usd)}</dd>
            {first}
            <dt>"Tokens"</dt><dd class="num">{tokens}</dd>
        </dl>
    }
    .into_any()
}

fn notes(estimate: &Estimate) -> impl IntoView + use<> {
    let is_reckoned = estimate.cost.is_some() && estimate.free.is_none();
    let tokens = is_reckoned.then(|| {
        let words = if estimate.tokens_measured {
            "Tokens are scaled to what applications reported for the version that serves."
                .to_owned()
        } else {
            format!("Tokens are {}.", tokens::ERROR)
        };
        view! { <p class="note">{words}</p> }
    });
    let breakpoint = (is_reckoned && estimate.no_breakpoint).then(|| {
        view! { <p class="note">"The version sets no cache breakpoint: reckoned as if all of it were cached."</p> }
    });
    let variable = (is_reckoned && estimate.behind_variable).then(|| {
        view! { <p class="note">"A variable stands before the change: each set of values has a prefix of its own, so count them below."</p> }
    });
    let times = (is_reckoned && estimate.longest_ttl() != Ttl::default())
        .then(|| view! { <p class="note">{written_for(estimate)}</p> });
    view! { {tokens}{times}{breakpoint}{variable} }
}

/// For how long the tokens are written, where that is not the usual time.
fn written_for(estimate: &Estimate) -> String {
    let parts: Vec<String> = estimate
        .written
        .iter()
        .map(|part| {
            let tokens = grouped(part.tokens.into());
            format!("{tokens} for {}", part.ttl.words())
        })
        .collect();
    format!(
        "Tokens are written for as long as the breakpoint behind them says: {}. Each has its own price, and as many requests as come in that time.",
        parts.join(", ")
    )
}

/// One of the inputs with where it is known from.
fn input(
    name: &'static str,
    label: &'static str,
    least: &'static str,
    input: Input,
) -> impl IntoView {
    let value = shortened(input.value);
    // What was looked up is shown and not sent on: it is looked up again.
    let (value, placeholder) = if input.source == Source::Given {
        (value, None)
    } else {
        (String::new(), Some(value))
    };
    let hint = format!("{name}-h");
    let words = input.source.words();
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <input class="input" id=name name=name type="number" min=least step="any" value=value
                placeholder=placeholder aria-describedby=hint.clone()/>
            <span class="hint" id=hint>{words}</span>
        </div>
    }
}

/// With three digits at most behind the point.
fn shortened(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The traffic, to be changed in place.
fn inputs_form(inputs: Inputs, kept: Vec<(&'static str, String)>) -> impl IntoView + use<> {
    let kept = kept
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value/> })
        .collect_view();
    view! {
        <form method="get" class="form" aria-label="Traffic for the estimate">
            {kept}
            {controls(inputs)}
            <div class="form-foot"><button type="submit" class="btn" data-size="small">"Estimate"</button></div>
        </form>
    }
}

/// What the traffic is called in addresses, and its controls in the page.
pub const TRAFFIC: [&str; 3] = ["requests", "keys", "ttft"];

fn controls(inputs: Inputs) -> impl IntoView {
    let [requests, keys, ttft] = TRAFFIC;
    view! {
        <div class="traffic">
            {input(requests, "Requests an hour", "0", inputs.requests_per_hour)}
            {input(keys, "Distinct prefixes", "1", inputs.distinct_keys)}
            {input(ttft, "First token after, ms", "0", inputs.ttft_ms)}
        </div>
    }
}

/// What was frozen with the request.
fn as_asked(frozen: &CacheEvidence) -> AnyView {
    let Some(expected) = frozen.estimate.expected_usd() else {
        return ().into_any();
    };
    let budget = frozen.budget_usd.map(|budget| {
        let accepted = if frozen.accepted { ", accepted" } else { "" };
        let words = format!("{} a day{accepted}", dollars(budget));
        view! { <dt>"Budget"</dt><dd class="num">{words}</dd> }
    });
    let spent = (frozen.budget_usd.is_some() && frozen.spent_usd > 0.0).then(|| {
        view! { <dt>"Spent before"</dt><dd class="num">{dollars(frozen.spent_usd)}" in 24 hours"</dd> }
    });
    view! {
        <dl class="facts">
            <dt>"When asked"</dt><dd class="num">{dollars(expected)}</dd>
            {budget}
            {spent}
        </dl>
    }
    .into_any()
}

/// The tick that a cost over the budget needs.
#[component]
pub fn AcceptCost(
    /// What stands against it, in figures.
    why: String,
) -> impl IntoView {
    view! {
        <label class="choice">
            <input type="checkbox" name="accept_cache_cost" value="true"/>
            <span>"Accept the cache cost"</span>
            <span class="hint">{sentence(&why)}</span>
        </label>
    }
}

/// The same where it is not known yet whether it will be needed.
#[component]
pub fn AcceptOver(
    /// The prompt's budget a day, in US dollars; without one there is nothing to accept.
    budget: Option<f64>,
) -> impl IntoView {
    budget.map(|budget| {
        let why = format!(
            "Asked for where it is expected to cost more than {} a day in cache misses.",
            dollars(budget)
        );
        view! { <AcceptCost why/> }
    })
}

/// `≈ $0.02 cache refill`, or why there is none.
#[must_use]
pub fn in_short(estimate: &Estimate) -> String {
    match (&estimate.free, estimate.expected_usd()) {
        (Some(why), _) => format!("No cache refill: {why}."),
        (None, Some(usd)) if usd < 0.005 => "Next to no cache refill: less than a cent.".to_owned(),
        (None, Some(usd)) => format!("≈ {} cache refill.", dollars(usd)),
        (None, None) => {
            "What the cache refill costs is not known: ".to_owned()
                + estimate.unknown.as_deref().unwrap_or("no price")
                + "."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_fields_are_short() {
        assert_eq!(shortened(10_000.0), "10000");
        assert_eq!(shortened(833.333_333), "833.333");
        assert_eq!(shortened(0.5), "0.5");
    }
}
