//! What splitting traffic does to caches: how warm each arm of an experiment keeps its own prefix,
//! and what its start costs.

use domain::cache::{
    arms::ArmCache,
    budget::dollars,
    estimate::{Estimate, Inputs},
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::{controls, inputs_form, shortened};
use crate::ui::{Banner, TableWrap, Tone};

/// How warm the arms of an experiment keep their prefixes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Warmth {
    /// Each arm with its share.
    pub arms: Vec<ArmRow>,
    /// Of this traffic.
    pub inputs: Inputs,
    /// Why there is nothing to keep warm in any arm.
    pub never_cached: Option<String>,
}

/// One arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmRow {
    /// How warm it stays.
    pub cache: ArmCache,
    /// Whether its model caches any of it.
    pub is_cached: bool,
    /// What its start costs once; none where its version is not known.
    pub estimate: Option<Estimate>,
}

impl ArmRow {
    /// What to warn of.
    fn warning(&self) -> Option<String> {
        self.cache.warning.clone().filter(|_| self.is_cached)
    }
}

/// What all arms cost together: expected, and at worst. None where one is not known.
fn together(arms: &[ArmRow]) -> Option<(f64, f64)> {
    arms.iter().try_fold((0.0, 0.0), |sum, arm| {
        let cost = arm.estimate.as_ref()?.cost?;
        Some((sum.0 + cost.expected_usd, sum.1 + cost.upper_bound_usd))
    })
}

/// How the form around the estimate is shown again with what was filled in.
#[derive(Clone)]
pub struct Again {
    /// Where the browser sends it by itself.
    pub address: String,
    /// With script: goes there, and keeps the place.
    pub go: Callback<()>,
}

/// Which arms of an experiment keep their prefix warm, and what their start costs.
#[component]
pub fn ArmsWarmth(
    /// As it was reckoned.
    warmth: Warmth,
    /// For a form that is being filled in: what shows it again.
    #[prop(optional, into)]
    again: Option<Again>,
) -> impl IntoView {
    let Warmth {
        arms,
        inputs,
        never_cached,
    } = warmth;
    if let Some(why) = never_cached {
        return view! {
            <section class="section" aria-labelledby="arms-cache-h">
                <div class="section-head"><h2 id="arms-cache-h">"Caches of the arms"</h2></div>
                <p>"Nothing to keep warm: "{why}"."</p>
            </section>
        }
        .into_any();
    }
    if arms.is_empty() {
        return ().into_any();
    }
    let warnings: Vec<String> = arms.iter().filter_map(ArmRow::warning).collect();
    let warning = (!warnings.is_empty()).then(|| {
        let lines = warnings
            .into_iter()
            .map(|line| view! { <li>{line}"."</li> })
            .collect_view();
        view! { <Banner tone=Tone::Warn title="Too little traffic to keep every arm's cache warm"><ul>{lines}</ul></Banner> }
    });
    let amounts = match together(&arms) {
        Some((expected, worst)) => view! {
            <dl class="facts">
                <dt>"Expected"</dt><dd class="num">{dollars(expected)}</dd>
                <dt>"At worst"</dt><dd class="num">{dollars(worst)}</dd>
            </dl>
        }
        .into_any(),
        None => view! { <p class="muted">"What the start costs is not known for every arm."</p> }
            .into_any(),
    };
    let lasts = lasts(&arms);
    let rows = arms.into_iter().map(row).collect_view();
    let traffic = format!(
        "Reckoned for {:.0} requests an hour ({}); distinct prefixes: {} ({}). {lasts} An arm refills the cache once when it starts.",
        inputs.requests_per_hour.value,
        inputs.requests_per_hour.source.words(),
        shortened(inputs.distinct_keys.value),
        inputs.distinct_keys.source.words(),
    );
    let form = match again {
        None => inputs_form(inputs, Vec::new()).into_any(),
        // A form in a form is none: these are fields of the one around them.
        Some(Again { address, go }) => view! {
            <div class="form" role="group" aria-label="Traffic for the estimate">
                {controls(inputs)}
                <div class="form-foot">
                    <button
                        type="submit" class="btn" data-size="small" formmethod="get" formaction=address formnovalidate=true
                        on:click=move |event| {
                            event.prevent_default();
                            go.run(());
                        }
                    >
                        "Estimate"
                    </button>
                </div>
            </div>
        }
        .into_any(),
    };
    view! {
        <section class="section" aria-labelledby="arms-cache-h">
            <div class="section-head"><h2 id="arms-cache-h">"Caches of the arms"</h2></div>
            {warning}
            {amounts}
            <TableWrap label="Caches of the arms">
                <table class="table">
                    <caption class="sr-only">"How warm each arm keeps its own prefix, and what its start costs"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Arm"</th>
                            <th scope="col" data-align="end">"Share of requests"</th>
                            <th scope="col" data-align="end">"Calls while warm"</th>
                            <th scope="col" data-align="end">"Miss the cache"</th>
                            <th scope="col" data-align="end">"Refill, expected"</th>
                            <th scope="col" data-align="end">"At worst"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableWrap>
            <p class="note">{traffic}</p>
            {form}
        </section>
    }
    .into_any()
}

fn row(arm: ArmRow) -> impl IntoView {
    let warm = |text: String| {
        if arm.is_cached {
            text
        } else {
            "not cached".to_owned()
        }
    };
    let usd = |amount: fn((f64, f64)) -> f64| {
        let found = together(std::slice::from_ref(&arm));
        found.map_or_else(|| "not known".to_owned(), |found| dollars(amount(found)))
    };
    let (calls, missed) = (
        warm(format!("{:.1}", arm.cache.calls_per_ttl)),
        warm(format!("{:.1} %", arm.cache.miss_rate * 100.0)),
    );
    let (expected, worst) = (usd(|found| found.0), usd(|found| found.1));
    view! {
        <tr>
            <th scope="row">{arm.cache.arm.clone()}</th>
            <td data-align="end">{format!("{:.0} %", arm.cache.share * 100.0)}</td>
            <td data-align="end">{calls}</td>
            <td data-align="end">{missed}</td>
            <td data-align="end">{expected}</td>
            <td data-align="end">{worst}</td>
        </tr>
    }
}

/// For how long prefixes stay warm, as the arms' breakpoints say.
fn lasts(arms: &[ArmRow]) -> String {
    let first = arms.first().map(|arm| arm.cache.ttl).unwrap_or_default();
    if arms.iter().all(|arm| arm.cache.ttl == first) {
        return format!("A prefix stays warm for {}.", first.words());
    }
    let each: Vec<String> = arms
        .iter()
        .map(|arm| format!("{} for {}", arm.cache.arm, arm.cache.ttl.words()))
        .collect();
    format!("A prefix stays warm: {}.", each.join(", "))
}
