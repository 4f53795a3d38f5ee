//! What came of the numbers: the sentence first, then the numbers, then where they come from.

use domain::field::FieldError;
use leptos::prelude::*;
use serde_json::Value;

use super::{
    extras::{self, Extra},
    finding::{self, Finding},
    simulation::{Simulate, setup},
    tool::Tool,
};
use crate::ui::{Banner, Glyph, Icon, Tone};

/// The result beside the form. The sentence is read out when it changes.
#[component]
pub fn Outcome(
    tool: Tool,
    fields: Signal<Vec<String>>,
    computed: Memo<Result<Value, Vec<FieldError>>>,
) -> impl IntoView {
    let finding = Memo::new(move |_| {
        computed
            .get()
            .ok()
            .map(|answer| finding::read(tool, &fields.read(), &answer))
    });
    let extra = Memo::new(move |_| {
        computed
            .get()
            .ok()
            .and_then(|answer| extras::read(tool, &fields.read(), &answer))
    });
    let simulated = Signal::derive(move || {
        (tool == Tool::Threshold && computed.with(Result::is_ok))
            .then(|| setup(&fields.read()))
            .flatten()
    });
    let about = tool.about();
    let word = tool.calculator().word();
    view! {
        <section class="calculator-result" aria-labelledby="question">
            <h2 id="question">{tool.question()}</h2>
            <div role="status">{move || said(finding.get())}</div>
            {move || numbers(finding.get())}
            {move || extra.get().map(Extra::view)}
            {(tool == Tool::Threshold).then(|| view! { <Simulate setup=simulated/> })}
            <details class="about" open=true>
                <summary class="disclosure"><Icon glyph=Glyph::ChevronRight/>"How it is computed"</summary>
                <p class="formula">{about.formula}</p>
                <p>{about.source}</p>
                <p class="note">
                    "The same by API: "<code>{format!("POST /api/v1/stats/{word}")}</code>", and on the command line: "
                    <code>{format!("cueline stats {word}")}</code>"."
                </p>
            </details>
        </section>
    }
}

fn said(finding: Option<Finding>) -> AnyView {
    let Some(finding) = finding else {
        return view! { <p class="calculator-wait">"Nothing to compute yet: a field needs another number."</p> }.into_any();
    };
    // Not an alert: it is said in a region that is read out politely.
    let tone = finding.tone;
    view! {
        <div class="banner" data-tone=tone.word()>
            <Icon glyph=tone.glyph()/>
            <div><p>{finding.sentence}</p></div>
        </div>
    }
    .into_any()
}

fn numbers(finding: Option<Finding>) -> Option<AnyView> {
    let finding = finding.filter(|finding| !finding.numbers.is_empty())?;
    let numbers = finding
        .numbers
        .into_iter()
        .map(|number| {
            view! {
                <div class="stat">
                    <dt>{number.label}</dt>
                    <dd class="value">{number.value}</dd>
                    <dd>{number.note}</dd>
                </div>
            }
        })
        .collect_view();
    Some(view! { <div class="stats calculator-stats"><dl>{numbers}</dl></div> }.into_any())
}

/// What keeps the simulation from starting.
pub fn trouble(text: &'static str) -> impl IntoView {
    view! { <Banner tone=Tone::Warn><p>{text}</p></Banner> }
}
