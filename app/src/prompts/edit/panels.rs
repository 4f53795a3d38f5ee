//! What is set once and seldom changed: model, tools, response format.

use leptos::prelude::*;

use super::{
    desk::Desk,
    draft::{Draft, DraftModel},
};
use crate::ui::{Field, Glyph, Icon, described_by};

/// All three, closed.
#[component]
pub fn Panels(desk: Desk) -> impl IntoView {
    view! {
        <ModelPanel desk/>
        <JsonPanel
            desk id="edit-tools" title="Tools" path="content.tools" label="Tools, as a JSON list"
            read=|draft| &draft.tools write=|draft| &mut draft.tools
        />
        <JsonPanel
            desk id="edit-format" title="Response format" path="content.response_format"
            label="Response format, as a JSON object"
            read=|draft| &draft.response_format write=|draft| &mut draft.response_format
        />
    }
}

#[component]
fn ModelPanel(desk: Desk) -> impl IntoView {
    let summary = Memo::new(move |_| desk.draft.with(|draft| draft.model.summary()));
    let is_refused = desk.error_where(|field| field.starts_with("content.model"));
    let input = move |id: &'static str,
                      label: &'static str,
                      path: &'static str,
                      mode: &'static str,
                      read: fn(&DraftModel) -> &String,
                      write: fn(&mut DraftModel) -> &mut String| {
        let error =
            desk.error_where(move |field| field == path || field.starts_with(&format!("{path}[")));
        let text = desk
            .draft
            .with_untracked(|draft| read(&draft.model).clone());
        let change = move |event| {
            let text = event_target_value(&event);
            desk.type_in(|draft| *write(&mut draft.model) = text);
        };
        view! {
            <Field id label error>
                <input
                    class="input" id=id inputmode=mode prop:value=text on:input=change autocomplete="off"
                    aria-describedby=described_by(id) spellcheck="false"
                    aria-invalid=move || error.try_with(Option::is_some).unwrap_or_default().then_some("true")
                />
            </Field>
        }
    };
    view! {
        <details class="panel" id="edit-model" open=move || is_refused.with(Option::is_some)>
            <summary class="panel-head">
                <span><b>"Model"</b>" "<span class="muted">{summary}</span></span>
                <Icon glyph=Glyph::ChevronDown/>
            </summary>
            <div class="panel-body form-pair">
                {input("mo-provider", "Provider", "content.model.provider", "text", |m| &m.provider, |m| &mut m.provider)}
                {input("mo-name", "Model", "content.model.name", "text", |m| &m.name, |m| &mut m.name)}
                {input("mo-temperature", "Temperature, 0 to 2", "content.model.temperature", "decimal", |m| &m.temperature, |m| &mut m.temperature)}
                {input("mo-tokens", "Max tokens", "content.model.max_tokens", "numeric", |m| &m.max_tokens, |m| &mut m.max_tokens)}
                {input("mo-seed", "Seed", "content.model.seed", "numeric", |m| &m.seed, |m| &mut m.seed)}
                {input("mo-stop", "Stop texts, as a JSON list", "content.model.stop", "text", |m| &m.stop, |m| &mut m.stop)}
            </div>
        </details>
    }
}

#[component]
fn JsonPanel(
    desk: Desk,
    id: &'static str,
    title: &'static str,
    path: &'static str,
    label: &'static str,
    read: fn(&Draft) -> &String,
    write: fn(&mut Draft) -> &mut String,
) -> impl IntoView {
    let error = desk.error_where(move |field| {
        field
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    });
    let text = desk.draft.with_untracked(|draft| read(draft).clone());
    let summary = Memo::new(move |_| {
        desk.draft.with(|draft| match read(draft).trim() {
            "" => "none".to_owned(),
            text => {
                let n_lines = u64::try_from(text.lines().count()).unwrap_or_default();
                super::super::words::counted(n_lines, "line")
            }
        })
    });
    let change = move |event| {
        let text = event_target_value(&event);
        desk.type_in(|draft| *write(draft) = text);
    };
    view! {
        <details class="panel" id=id open=move || error.try_with(Option::is_some).unwrap_or_default()>
            <summary class="panel-head">
                <span><b>{title}</b>" "<span class="muted">{summary}</span></span>
                <Icon glyph=Glyph::ChevronDown/>
            </summary>
            <div class="panel-body field">
                <textarea
                    class="input" data-font="mono" rows="6" spellcheck="false" prop:value=text aria-label=label
                    aria-describedby=format!("{id}-e") on:input=change
                    aria-invalid=move || error.try_with(Option::is_some).unwrap_or_default().then_some("true")
                ></textarea>
                <p class="error" id=format!("{id}-e") hidden=move || error.try_with(Option::is_none).unwrap_or(true)>{move || error.try_get().flatten()}</p>
            </div>
        </details>
    }
}
