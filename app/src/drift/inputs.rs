//! What production fills the variables with, now and around the promotion.

use domain::drift::inputs::{InputDrift, Shift};
use leptos::prelude::*;

use crate::ui::{Badge, Empty, Glyph, Icon, TableWrap, Tone};

/// The features of all variables, each with its index and what moved.
#[component]
pub fn Inputs(inputs: Vec<InputDrift>, windows: String) -> impl IntoView {
    let body = if inputs.is_empty() {
        view! {
            <Empty glyph=Glyph::Drift title="No inputs to compare" is_small=true>
                <p>"Report calls in production with their variables (events of the type generation): then it shows here whether people ask other things than at promotion. Only counts are kept, never what they wrote."</p>
            </Empty>
        }
        .into_any()
    } else {
        let rows = inputs.into_iter().map(one).collect_view();
        view! {
            <TableWrap label="Inputs, now and around the promotion">
                <table class="table" data-stack="">
                    <thead>
                        <tr>
                            <th scope="col">"Variable"</th>
                            <th scope="col">"What"</th>
                            <th scope="col">"State"</th>
                            <th scope="col" data-align="end">"PSI"</th>
                            <th scope="col" data-align="end">"By chance below"</th>
                            <th scope="col" data-align="end">"Events then, now"</th>
                            <th scope="col">"What moved"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableWrap>
            <p class="note">"The population stability index (PSI) adds up, over all bins, how far shares moved. Below 0.1 nothing of note has changed, from 0.25 on the inputs are others: a convention, not a test. It is never quite 0: “by chance below” is what it stays under in 19 of 20 cases while nothing changes. With fewer than 100 events on a side, or where chance alone exceeds 0.1, nothing is said."</p>
        }
        .into_any()
    };
    view! {
        <section class="section" aria-labelledby="inputs-h">
            <div class="section-head"><h2 id="inputs-h">"Inputs"</h2></div>
            <p class="note">{windows}</p>
            {body}
        </section>
    }
}

fn one(input: InputDrift) -> impl IntoView {
    let (tone, glyph) = match input.shift {
        Shift::Shifted => (Tone::Bad, Tone::Bad.glyph()),
        Shift::Moving => (Tone::Warn, Tone::Warn.glyph()),
        Shift::Stable => (Tone::Good, Tone::Good.glyph()),
        Shift::CannotTell => (Tone::Outline, Glyph::Advisor),
    };
    let number =
        |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
    let bins = input
        .bins
        .iter()
        .map(|bin| {
            let share = |share: f64| format!("{:.1} %", share * 100.0);
            view! { <tr><th scope="row">{bin.label.clone()}</th><td data-align="end">{share(bin.before)}</td><td data-align="end">{share(bin.after)}</td></tr> }
        })
        .collect_view();
    let what = input.feature.word();
    let of = format!(" of {} {what}", input.variable);
    view! {
        <tr>
            <th scope="row" data-cell="lead"><code>{input.variable.clone()}</code></th>
            <td>{what}</td>
            <td data-fit=""><Badge tone=tone><Icon glyph/>{input.shift.label()}</Badge></td>
            <td data-align="end" class="num">{number(input.psi)}</td>
            <td data-align="end" data-cell="hide" class="num">{number(input.by_chance)}</td>
            <td data-align="end" data-cell="hide" class="num">{format!("{}, {}", input.n_before, input.n_after)}</td>
            <td data-cell="full" data-grow="">
                <p>{input.sentence}</p>
                <details class="chart-numbers">
                    <summary class="disclosure"><Icon glyph=Glyph::ChevronRight/>"Shares"<span class="sr-only">{of}</span></summary>
                    <table class="table">
                        <thead><tr><th scope="col">"Bin"</th><th scope="col" data-align="end">"Then"</th><th scope="col" data-align="end">"Now"</th></tr></thead>
                        <tbody>{bins}</tbody>
                    </table>
                </details>
            </td>
        </tr>
    }
}
