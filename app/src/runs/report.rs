//! Reporting a problem: a result becomes a case of the suite, in two clicks.

use leptos::prelude::*;

use super::{calls::ReportCase, links::RunQuery, shapes::Row};
use crate::{
    error::UiError,
    prompts::parts::refusal,
    ui::{Glyph, Icon, Refusal},
};

/// The longest part of an output that a note begins with, in characters.
const MAX_QUOTE: usize = 1_500;

/// A report under way. It outlives a reload of what is shown.
#[derive(Clone, Copy)]
pub struct Reporting {
    action: ServerAction<ReportCase>,
    error: Signal<Option<UiError>>,
}

impl Reporting {
    /// Nothing reported yet.
    pub fn new() -> Self {
        let action = ServerAction::new();
        Self {
            action,
            error: refusal(action),
        }
    }
}

/// The form of one row, closed at first.
#[component]
pub fn Report(
    project: String,
    run: String,
    query: RunQuery,
    subject: String,
    row: Row,
    reporting: Reporting,
) -> impl IntoView {
    let Reporting { action, error } = reporting;
    let case = row.case.to_string();
    let id = format!("{case}-{}", row.repeat);
    let (note_id, expected_id) = (format!("note-{id}"), format!("expected-{id}"));
    // The refusal of this row's form, not of another's.
    let mine = case.clone();
    let error = Signal::derive(move || {
        let input = action.input().read();
        let is_mine = input.as_ref().is_none_or(|input| input.case == mine);
        error.get().filter(|_| is_mine)
    });
    let what = match (&row.output, &row.error) {
        (Some(output), _) => format!("{subject} answered: {}", quoted(output)),
        (None, Some(error)) => format!("{subject} ended in an error: {}", quoted(error)),
        (None, None) => format!("{subject} answered nothing"),
    };
    let is_busy = move || action.pending().get().then_some("true");
    view! {
        <details class="report">
            <summary class="btn" data-size="small"><Icon glyph=Glyph::Warn/>"Report a problem"</summary>
            <ActionForm action attr:class="panel">
                <input type="hidden" name="project" value=project/>
                <input type="hidden" name="run" value=run/>
                <input type="hidden" name="case" value=case/>
                <input type="hidden" name="against" value=query.against/>
                <input type="hidden" name="show" value=query.show.word()/>
                <input type="hidden" name="cursor" value=query.cursor/>
                <div class="panel-body form">
                    <p class="note">"Makes a new case of the suite with the same input. Its next run holds every version against it."</p>
                    <div class="field">
                        <label for=expected_id.clone()>"What should have come out"</label>
                        <textarea class="input" data-font="mono" id=expected_id name="expected" rows="2">{row.expected.unwrap_or_default()}</textarea>
                    </div>
                    <div class="field">
                        <label for=note_id.clone()>"What is wrong"</label>
                        <textarea class="input" id=note_id name="note" rows="2">{what}</textarea>
                    </div>
                    <Refusal error/>
                </div>
                <div class="panel-foot">
                    <button type="submit" class="btn" data-kind="primary" aria-busy=is_busy>"Add case"</button>
                </div>
            </ActionForm>
        </details>
    }
}

fn quoted(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTE) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
