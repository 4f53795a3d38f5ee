//! The fields of a case: a text for each variable the prompt asks for, what is expected, its part
//! in the gate.

use domain::suite::{MUST_PASS_TAG, SMOKE_TAG};
use leptos::prelude::*;

use super::shapes::{CaseView, VariableField};
use crate::{
    error::UiError,
    prompts::words::pretty,
    ui::{Glyph, Icon, error::sentence},
};

/// The fields.
#[component]
pub fn Fields(shown: CaseView, may_write: bool, error: Signal<Option<UiError>>) -> impl IntoView {
    let case = shown.kept.map(|kept| kept.case);
    let has_variables = !shown.variables.is_empty();
    let variables = shown
        .variables
        .into_iter()
        .enumerate()
        .map(|(index, field)| variable(index == 0, field, may_write, error))
        .collect_view();
    let prompt = shown.suite.prompt.to_string();
    let variables = if has_variables {
        view! { <fieldset class="form"><legend>"Called with"</legend>{variables}</fieldset> }
            .into_any()
    } else {
        view! { <p class="note">{prompt}" declares no variables: every case calls it alike."</p> }
            .into_any()
    };
    let expected = case.as_ref().and_then(|case| case.expected.clone());
    let is_json = expected.as_ref().is_some_and(|value| !value.is_string());
    let expected = match &expected {
        None => String::new(),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(value) => pretty(value),
    };
    let has_tag = |tag: &str| {
        case.as_ref()
            .is_some_and(|case| case.tags.iter().any(|own| own == tag))
    };
    let (is_smoke, must_pass) = (has_tag(SMOKE_TAG), has_tag(MUST_PASS_TAG));
    let tags = case
        .as_ref()
        .map(|case| {
            let others = case
                .tags
                .iter()
                .filter(|tag| ![SMOKE_TAG, MUST_PASS_TAG].contains(&tag.as_str()));
            others.cloned().collect::<Vec<_>>().join(", ")
        })
        .unwrap_or_default();
    let note = case
        .as_ref()
        .map(|case| case.note.clone())
        .unwrap_or_default();
    // What went wrong is what a report is about; else the note is an aside.
    let (early, late) = if shown.is_report {
        let hint = "What came back instead, who noticed.";
        (
            Some(text(
                "note",
                "What went wrong",
                hint,
                note,
                may_write,
                error,
            )),
            None,
        )
    } else {
        let hint = "What this case is about, for people.";
        (
            None,
            Some(text("note", "Note", hint, note, may_write, error)),
        )
    };
    let own = case
        .as_ref()
        .filter(|case| !case.scorers.is_empty())
        .and_then(|case| serde_json::to_string_pretty(&case.scorers).ok())
        .unwrap_or_default();
    let placeholders = case
        .as_ref()
        .filter(|case| !case.placeholders.is_empty())
        .and_then(|case| serde_json::to_string_pretty(&case.placeholders).ok())
        .unwrap_or_default();
    let has_more = !(own.is_empty() && placeholders.is_empty());
    let origin = case
        .as_ref()
        .map(|case| view! { <p class="note">"Origin: "{case.origin.word()}</p> });
    view! {
        {variables}
        {area("expected", "Expected", "What a good answer is. Scorers without a value of their own compare with it.", expected, false, may_write, error)}
        <label class="choice">
            <input type="checkbox" name="form[expected_is_json]" value="true" checked=is_json disabled=!may_write/>
            <span>"Expected is JSON"</span>
            <span class="hint">"An object or a list is compared by what it holds, not by how it is written."</span>
        </label>
        {early}
        {part_in_the_gate(is_smoke, must_pass, may_write)}
        {text("tags", "Other tags", "With commas between them.", tags, may_write, error)}
        {late}
        <details open=move || has_more || is_refused(error)>
            <summary class="disclosure"><Icon glyph=Glyph::ChevronRight/>"Own scorers, placeholders, more variables"</summary>
            <div class="stack">
                {area("scorers", "Own scorers", "A JSON list such as [{\"type\": \"contains\", \"value\": \"refund\"}]. One of the same type takes the place of the suite’s.", own, true, may_write, error)}
                {area("placeholders", "Placeholders", "A JSON object: each placeholder’s messages, such as {\"history\": [{\"role\": \"user\", \"content\": \"Hello\"}]}.", placeholders, true, may_write, error)}
                {may_write.then(|| area("more", "More variables", "A JSON object, for what the prompt does not declare.", String::new(), true, may_write, error))}
            </div>
        </details>
        {origin}
    }
}

/// The two tags that have a box.
fn part_in_the_gate(is_smoke: bool, must_pass: bool, may_write: bool) -> impl IntoView {
    view! {
        <fieldset>
            <legend>"Part in the gate"</legend>
            <div class="choices">
                <label class="choice">
                    <input type="checkbox" name="form[smoke]" value="true" checked=is_smoke disabled=!may_write/>
                    <span>"smoke"</span>
                    <span class="hint">"Belongs to the small run that comes before the whole one"</span>
                </label>
                <label class="choice">
                    <input type="checkbox" name="form[must_pass]" value="true" checked=must_pass disabled=!may_write/>
                    <span>"must-pass"</span>
                    <span class="hint">"Losing this case alone blocks a version"</span>
                </label>
            </div>
        </fieldset>
    }
}

/// Whether something inside the folded part was refused.
fn is_refused(error: Signal<Option<UiError>>) -> bool {
    matches!(error.get(), Some(UiError::Invalid(errors)) if errors.iter().any(|error| {
        ["scorers", "placeholders", "more"].iter().any(|field| error.field.starts_with(field))
    }))
}

fn variable(
    is_first: bool,
    field: VariableField,
    may_write: bool,
    error: Signal<Option<UiError>>,
) -> impl IntoView {
    let VariableField {
        name,
        text,
        kind,
        is_required,
    } = field;
    let id = variable_id(&name);
    let error = error_at(error, format!("variables.{name}"));
    let is_json = matches!(
        kind.as_deref(),
        Some("integer" | "number" | "boolean" | "json")
    );
    let hint = match &kind {
        None => "not declared by the prompt’s newest version".to_owned(),
        Some(kind) if is_required => kind.clone(),
        Some(kind) => format!("{kind}, may be left out"),
    };
    let described = format!("{id}-h {id}-e");
    view! {
        <div class="field">
            <label for=id.clone()><code>{name.clone()}</code><span class="optional">" "{hint}</span></label>
            <textarea
                class="input" data-size="lines" data-font=is_json.then_some("mono") id=id.clone() rows="1"
                name=format!("form[variables][{name}]") readonly=!may_write autofocus=is_first spellcheck="false"
                aria-describedby=described aria-invalid=move || error.try_with(Option::is_some).unwrap_or_default().then_some("true")
            >{text}</textarea>
            <p class="error" id=format!("{id}-e") hidden=move || error.try_with(Option::is_none).unwrap_or(true)>{move || error.try_get().flatten()}</p>
        </div>
    }
}

fn area(
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    text: String,
    is_code: bool,
    may_write: bool,
    error: Signal<Option<UiError>>,
) -> impl IntoView {
    let error = error_at(error, name.to_owned());
    let id = format!("case-{name}");
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <span class="hint" id=format!("{id}-h")>{hint}</span>
            <textarea
                class="input" data-size="lines" data-font=is_code.then_some("mono") id=id.clone() rows="1"
                name=format!("form[{name}]") readonly=!may_write spellcheck="false"
                aria-describedby=format!("{id}-h {id}-e")
                aria-invalid=move || error.try_with(Option::is_some).unwrap_or_default().then_some("true")
            >{text}</textarea>
            <p class="error" id=format!("{id}-e") hidden=move || error.try_with(Option::is_none).unwrap_or(true)>{move || error.try_get().flatten()}</p>
        </div>
    }
}

fn text(
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    text: String,
    may_write: bool,
    error: Signal<Option<UiError>>,
) -> impl IntoView {
    let error = error_at(error, name.to_owned());
    let id = format!("case-{name}");
    view! {
        <div class="field">
            <label for=id.clone()>{label}<span class="optional">" optional"</span></label>
            <span class="hint" id=format!("{id}-h")>{hint}</span>
            <input
                class="input" id=id.clone() name=format!("form[{name}]") value=text readonly=!may_write
                autocomplete="off" aria-describedby=format!("{id}-h {id}-e")
                aria-invalid=move || error.try_with(Option::is_some).unwrap_or_default().then_some("true")
            />
            <p class="error" id=format!("{id}-e") hidden=move || error.try_with(Option::is_none).unwrap_or(true)>{move || error.try_get().flatten()}</p>
        </div>
    }
}

/// The control that a refused path is about.
pub fn field_id(path: &str) -> String {
    if let Some(name) = path.strip_prefix("variables.") {
        return variable_id(name);
    }
    let first = path.split(['.', '[']).next().unwrap_or_default();
    format!("case-{first}")
}

fn variable_id(name: &str) -> String {
    format!("case-v-{name}")
}

/// What is wrong at a field and below it.
fn error_at(error: Signal<Option<UiError>>, field: String) -> Signal<Option<String>> {
    Signal::derive(move || {
        let Some(UiError::Invalid(errors)) = error.try_get().flatten() else {
            return None;
        };
        let messages: Vec<String> = errors
            .iter()
            .filter(|error| {
                error
                    .field
                    .strip_prefix(&field)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            })
            .map(|error| sentence(&error.message))
            .collect();
        (!messages.is_empty()).then(|| messages.join(" "))
    })
}
