//! What a change costs in cache misses, as other rooms show it: a box with the worst case, what is
//! expected, the traffic it is said of and where that is known from. The traffic can be changed in
//! place; without script the form loads the page again.

#[cfg(feature = "ssr")]
pub mod gather;
mod measured;

use domain::{
    cache::{
        arms::ArmCache,
        budget::{CacheEvidence, dollars},
        estimate::{Estimate, Input, Source},
    },
    tokens,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use serde::{Deserialize, Serialize};

use crate::{
    prompts::words::grouped,
    ui::{Banner, Tone, error::sentence},
};

pub use measured::{Measured, MeasuredBox};

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
        Asked {
            requests: number("requests"),
            keys: number("keys"),
            ttft: number("ttft"),
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
    let form = is_reckoned.then(|| inputs_form(&estimate, kept));
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
    view! { {tokens}{breakpoint}{variable} }
}

/// One of the inputs with where it is known from.
fn input(
    id: &'static str,
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
    let hint = format!("{id}-h");
    let words = input.source.words();
    view! {
        <div class="field">
            <label for=id>{label}</label>
            <input class="input" id=id name=name type="number" min=least step="any" value=value
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

fn inputs_form(estimate: &Estimate, kept: Vec<(&'static str, String)>) -> impl IntoView + use<> {
    let inputs = estimate.inputs;
    let kept = kept
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value/> })
        .collect_view();
    view! {
        <form method="get" class="form" aria-label="Traffic for the estimate">
            {kept}
            {input("requests", "requests", "Requests an hour", "0", inputs.requests_per_hour)}
            {input("keys", "keys", "Distinct prefixes", "1", inputs.distinct_keys)}
            {input("ttft", "ttft", "First token after, ms", "0", inputs.ttft_ms)}
            <div class="form-foot"><button type="submit" class="btn" data-size="small">"Estimate"</button></div>
        </form>
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

/// `≈ $0.02 cache refill`, or why there is none.
#[must_use]
pub fn in_short(estimate: &Estimate) -> String {
    match (&estimate.free, estimate.expected_usd()) {
        (Some(why), _) => format!("No cache refill: {why}."),
        (None, Some(usd)) if usd < 0.005 => {
            "Next to no cache refill: the prefix is still warm.".to_owned()
        }
        (None, Some(usd)) => format!("≈ {} cache refill.", dollars(usd)),
        (None, None) => {
            "What the cache refill costs is not known: ".to_owned()
                + estimate.unknown.as_deref().unwrap_or("no price")
                + "."
        }
    }
}

/// Which arms of an experiment keep their prefix warm.
#[component]
pub fn ArmsWarmth(
    /// Each with its share.
    arms: Vec<ArmCache>,
    /// Requests an hour and where that is known from.
    requests: Input,
    /// Distinct prefixes.
    keys: Input,
) -> impl IntoView {
    if arms.is_empty() {
        return ().into_any();
    }
    let warnings: Vec<String> = arms.iter().filter_map(|arm| arm.warning.clone()).collect();
    let warning = (!warnings.is_empty()).then(|| {
        let lines = warnings
            .into_iter()
            .map(|line| view! { <li>{sentence(&line)}</li> })
            .collect_view();
        view! { <Banner tone=Tone::Warn title="Too little traffic to keep every arm's cache warm"><ul>{lines}</ul></Banner> }
    });
    let rows = arms
        .into_iter()
        .map(|arm| {
            view! {
                <tr>
                    <th scope="row">{arm.arm}</th>
                    <td data-align="end">{format!("{:.0} %", arm.share * 100.0)}</td>
                    <td data-align="end">{format!("{:.1}", arm.calls_per_ttl)}</td>
                    <td data-align="end">{format!("{:.1} %", arm.miss_rate * 100.0)}</td>
                </tr>
            }
        })
        .collect_view();
    let traffic = format!(
        "Reckoned for {} requests an hour ({}) over {} distinct prefixes ({}), kept warm for 5 minutes.",
        shortened(requests.value),
        requests.source.words(),
        shortened(keys.value),
        keys.source.words(),
    );
    view! {
        <section class="section" aria-labelledby="arms-cache-h">
            <div class="section-head"><h2 id="arms-cache-h">"Caches of the arms"</h2></div>
            {warning}
            <div class="table-wrap">
                <table class="table">
                    <caption class="sr-only">"How warm each arm keeps its own prefix"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Arm"</th>
                            <th scope="col" data-align="end">"Share of requests"</th>
                            <th scope="col" data-align="end">"Calls in 5 minutes"</th>
                            <th scope="col" data-align="end">"Miss the cache"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            <p class="note">{traffic}</p>
        </section>
    }
    .into_any()
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
