//! Beside the text: what it renders to with the examples, and what a reviewer would say.

use domain::lint::Finding;
use leptos::prelude::*;

use super::{
    super::{evidence::finding, words},
    check::{Bit, Shown, place},
    desk::{Desk, anchor},
};
use crate::ui::{Glyph, Icon, error::sentence};

/// Most lines of one sort.
const MAX_LINES: usize = 50;

/// Roughly, for English and today's models: an estimate, and called one.
const CHARS_PER_TOKEN: usize = 4;

/// Preview and findings.
#[component]
pub fn Side(desk: Desk) -> impl IntoView {
    let size = Memo::new(move |_| desk.checked.with(|checked| checked.n_chars));
    let count = move || {
        let n_chars = size.get();
        let count =
            |number: usize, noun| words::counted(u64::try_from(number).unwrap_or_default(), noun);
        format!(
            "{}, about {}",
            count(n_chars, "character"),
            count(n_chars.div_ceil(CHARS_PER_TOKEN), "token")
        )
    };
    view! {
        <aside class="editor-side" aria-label="Preview and findings" tabindex="0">
            <section class="section" aria-labelledby="pv-h">
                <div class="section-head">
                    <h2 id="pv-h">"Preview"</h2>
                    <span class="muted num" role="status" title="An estimate: characters divided by four">{count}</span>
                </div>
                <Preview desk/>
            </section>
            <section class="section" aria-labelledby="li-h">
                <div class="section-head"><h2 id="li-h">"Findings"</h2></div>
                <Findings desk/>
            </section>
        </aside>
    }
}

#[component]
fn Preview(desk: Desk) -> impl IntoView {
    let preview = Memo::new(move |_| desk.checked.with(|checked| checked.preview.clone()));
    let messages = move || preview.get().into_iter().map(message).collect_view();
    view! {
        <div class="messages">{messages}</div>
        <p class="note">"With the variables’ examples; defaults where there is none."</p>
    }
}

fn message(shown: Shown) -> AnyView {
    let Some(pieces) = shown.pieces else {
        return view! {
            <div class="message" data-kind="placeholder">
                <div class="role">{shown.role}</div>
                <div class="prompt">"Messages filled in at run time."</div>
            </div>
        }
        .into_any();
    };
    let pieces = pieces
        .into_iter()
        .map(|piece| match piece {
            Bit::Text(text) => text.into_any(),
            Bit::Filled(text) => {
                view! { <span class="var" data-state="filled">{text}</span> }.into_any()
            }
            Bit::Unknown(text) => {
                view! { <span class="var" data-state="unknown">{text}</span> }.into_any()
            }
        })
        .collect_view();
    view! { <div class="message"><div class="role">{shown.role}</div><div class="prompt">{pieces}</div></div> }.into_any()
}

#[component]
fn Findings(desk: Desk) -> impl IntoView {
    // Not the preview: a keystroke that changes nothing here redraws nothing here.
    let found = Memo::new(move |_| {
        desk.checked.with(|checked| {
            (
                checked.errors.clone(),
                checked.refusals.clone(),
                checked.findings.clone(),
            )
        })
    });
    move || {
        let (errors, refusals, findings) = found.get();
        if errors.is_empty() && refusals.is_empty() && findings.is_empty() {
            return view! { <p class="note">"Nothing to look at."</p> }.into_any();
        }
        let errors = errors
            .into_iter()
            .take(MAX_LINES)
            .map(|error| {
                view! {
                    <li class="finding" data-tone="bad">
                        <Icon glyph=Glyph::Error/>
                        <p>{sentence(&error.message)}</p>
                        <span class="where"><a href=format!("#{}", anchor(&error.field))>{place(&error.field)}</a></span>
                    </li>
                }
            })
            .collect_view();
        let refusals = refusals
            .into_iter()
            .take(MAX_LINES)
            .map(|refusal| {
                view! {
                    <li class="finding" data-tone="warn">
                        <Icon glyph=Glyph::Warn/>
                        <p>{refusal}</p>
                        <span class="where">"preview"</span>
                    </li>
                }
            })
            .collect_view();
        let findings: Vec<Finding> = findings.into_iter().take(MAX_LINES).collect();
        let findings = findings.into_iter().map(finding).collect_view();
        view! { <ul class="findings">{errors}{refusals}{findings}</ul> }.into_any()
    }
}
