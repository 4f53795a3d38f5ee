//! The variables, one a row: what is used and not declared is offered, what is not used is marked.

use domain::variable::VariableType;
use leptos::prelude::*;

use super::{super::words, desk::Desk, variable::DraftVariable};
use crate::ui::{Badge, Glyph, Icon, TableWrap, Tone};

/// Where a text of a declaration is read and written.
type Text = (
    fn(&DraftVariable) -> &String,
    fn(&mut DraftVariable) -> &mut String,
);

/// The table.
#[component]
pub fn EditVariables(desk: Desk) -> impl IntoView {
    let ids = Memo::new(move |_| {
        desk.draft.with(|draft| {
            draft
                .variables
                .iter()
                .map(|variable| variable.id)
                .collect::<Vec<_>>()
        })
    });
    let has_none = move || ids.with(Vec::is_empty);
    let error = desk.error_at("content.variables");
    view! {
        <section class="section" aria-labelledby="ev-h">
            <div class="section-head"><h2 id="ev-h">"Variables"</h2></div>
            <Undeclared desk/>
            <div hidden=has_none>
                <TableWrap>
                    <table class="table" data-kind="edit" data-stack="">
                        <caption class="sr-only">"Variables, one a row"</caption>
                        <thead>
                            <tr>
                                <th scope="col">"Name"</th>
                                <th scope="col">"Type"</th>
                                <th scope="col">"Limits"</th>
                                <th scope="col">"Required"</th>
                                <th scope="col">"Trusted"</th>
                                <th scope="col">"Example"</th>
                                <th scope="col"><span class="sr-only">"Remove"</span></th>
                            </tr>
                        </thead>
                        <tbody>
                            <For each=move || ids.get() key=move |id| desk.key(*id) let:id>
                                <Row desk id/>
                            </For>
                        </tbody>
                    </table>
                </TableWrap>
            </div>
            <p class="muted" hidden=move || !has_none()>"None. Write {{name}} in a message to use one."</p>
            <p class="error" hidden=move || error.try_with(Option::is_none).unwrap_or(true)>{move || error.try_get().flatten()}</p>
            <div class="row">
                <button type="button" class="btn" data-size="small" on:click=move |_| desk.change(|draft| draft.add_variable(""))>
                    <Icon glyph=Glyph::Plus/>"Variable"
                </button>
            </div>
        </section>
    }
}

/// What messages use and nobody declared.
#[component]
fn Undeclared(desk: Desk) -> impl IntoView {
    let undeclared = Memo::new(move |_| desk.checked.with(|checked| checked.undeclared.clone()));
    view! {
        <div class="row" hidden=move || undeclared.with(Vec::is_empty)>
            <span class="note">"Used, not declared:"</span>
            <For each=move || undeclared.get() key=Clone::clone let:name>
                {
                    let declared = name.clone();
                    view! {
                        <button
                            type="button" class="btn" data-size="small"
                            on:click=move |_| desk.change(|draft| draft.add_variable(&declared))
                        >
                            <Icon glyph=Glyph::Plus/>{format!("Declare {name}")}
                        </button>
                    }
                }
            </For>
        </div>
    }
}

#[component]
fn Row(desk: Desk, id: u32) -> impl IntoView {
    let place = Memo::new(move |_| {
        desk.draft
            .with(|draft| {
                draft
                    .variables
                    .iter()
                    .position(|variable| variable.id == id)
            })
            .unwrap_or_default()
    });
    let read = move |read: fn(&DraftVariable) -> bool| {
        desk.draft
            .with_untracked(|draft| draft.variable(id).is_some_and(read))
    };
    let kind = Memo::new(move |_| {
        desk.draft
            .with(|draft| draft.variable(id).map(|variable| variable.kind.0))
            .unwrap_or(VariableType::String)
    });
    let is_unused = Memo::new(move |_| {
        desk.checked
            .with(|checked| checked.unused.contains(&place.get()))
    });
    let error = move |members: &'static [&'static str]| {
        desk.error_where(move |field| {
            let path = format!("content.variables[{}]", place.get());
            field.strip_prefix(&path).is_some_and(|rest| {
                let member = rest
                    .trim_start_matches('.')
                    .split('[')
                    .next()
                    .unwrap_or_default();
                members.contains(&member)
            })
        })
    };
    let own_error = error(&["", "name", "type", "required", "trust"]);
    let example_error = error(&["example"]);
    let types = VariableType::ALL
        .into_iter()
        .map(|one| view! { <option value=one.word() selected=one == kind.get_untracked()>{one.word()}</option> })
        .collect_view();
    let choose = move |event| {
        let word = event_target_value(&event);
        if let Some(kind) = VariableType::ALL
            .into_iter()
            .find(|kind| kind.word() == word)
        {
            desk.change(|draft| {
                if let Some(variable) = draft.variable_mut(id) {
                    variable.set_kind(kind);
                }
            });
        }
    };
    let limits = move || {
        limits(
            desk,
            id,
            kind.get(),
            error(&["max_length"]),
            error(&["min", "max"]),
            error(&["values"]),
        )
    };
    view! {
        <tr id=move || format!("edit-variable-{}", place.get() + 1)>
            <td data-label="Name">
                {field(desk, id, "Name", (|v| &v.name, |v| &mut v.name), own_error, true, "name")}
                <span hidden=move || !is_unused.get()><Badge tone=Tone::Warn>"not used"</Badge></span>
            </td>
            <td data-label="Type"><select class="input" aria-label="Type" on:change=choose>{types}</select></td>
            <td data-label="Limits" data-wide="">
                <div class="stack" data-gap="small">
                    {limits}
                    <More desk id error=error(&["default", "pattern", "description"])/>
                </div>
            </td>
            <td data-fit="" data-label="Required">
                {tick(desk, id, "Required", read(|v| v.is_required), |v, is_on| v.is_required = is_on)}
            </td>
            <td data-fit="" data-label="Trusted">
                {tick(desk, id, "Trusted", read(|v| v.is_trusted), |v, is_on| v.is_trusted = is_on)}
            </td>
            <td data-label="Example">
                {field(desk, id, "Example", (|v| &v.example, |v| &mut v.example), example_error, false, words::sample(kind.get_untracked()))}
            </td>
            <td data-fit="">
                <button
                    type="button" class="btn" data-kind="quiet" data-shape="icon" aria-label="Remove this variable"
                    on:click=move |_| desk.change(|draft| draft.variables.retain(|variable| variable.id != id))
                >
                    <Icon glyph=Glyph::Trash/>
                </button>
            </td>
        </tr>
    }
}

/// The limits that a type has.
fn limits(
    desk: Desk,
    id: u32,
    kind: VariableType,
    length_error: Signal<Option<String>>,
    bound_error: Signal<Option<String>>,
    values_error: Signal<Option<String>>,
) -> AnyView {
    if kind.needs_max_length() {
        return field(
            desk,
            id,
            "Longest value, in characters",
            (|v| &v.max_length, |v| &mut v.max_length),
            length_error,
            false,
            "characters",
        );
    }
    if kind.is_numeric() {
        return view! {
            <div class="row">
                {field(desk, id, "Smallest", (|v| &v.min, |v| &mut v.min), bound_error, false, "from")}
                {field(desk, id, "Largest", (|v| &v.max, |v| &mut v.max), Signal::derive(|| None), false, "to")}
            </div>
        }
        .into_any();
    }
    if kind == VariableType::Enum {
        return field(
            desk,
            id,
            "Values, with commas between them",
            (|v| &v.values, |v| &mut v.values),
            values_error,
            false,
            "en, de, fr",
        );
    }
    ().into_any()
}

/// What few variables need.
#[component]
fn More(desk: Desk, id: u32, error: Signal<Option<String>>) -> impl IntoView {
    let is_filled = desk.draft.with_untracked(|draft| {
        draft.variable(id).is_some_and(|v| {
            !(v.default.is_empty() && v.pattern.is_empty() && v.description.is_empty())
        })
    });
    let none = Signal::derive(|| None);
    view! {
        <details open=move || is_filled || error.try_with(Option::is_some).unwrap_or_default()>
            <summary class="disclosure"><Icon glyph=Glyph::ChevronRight/>"Default, pattern, description"</summary>
            <div class="stack" data-gap="small">
                {field(desk, id, "Default", (|v| &v.default, |v| &mut v.default), error, false, "default")}
                {field(desk, id, "Pattern", (|v| &v.pattern, |v| &mut v.pattern), none, true, "pattern, such as [A-Z]{2}-[0-9]+")}
                {field(desk, id, "Description", (|v| &v.description, |v| &mut v.description), none, false, "description")}
            </div>
        </details>
    }
}

/// A text of a declaration. Filled once: from then on it holds what is typed.
fn field(
    desk: Desk,
    id: u32,
    label: &'static str,
    (read, write): Text,
    error: Signal<Option<String>>,
    is_mono: bool,
    placeholder: &'static str,
) -> AnyView {
    let text = desk
        .draft
        .with_untracked(|draft| draft.variable(id).map(|variable| read(variable).clone()))
        .unwrap_or_default();
    let change = move |event| {
        let text = event_target_value(&event);
        desk.type_in(|draft| {
            if let Some(variable) = draft.variable_mut(id) {
                *write(variable) = text;
            }
        });
    };
    view! {
        <input
            class="input" data-font=is_mono.then_some("mono") prop:value=text placeholder=placeholder
            spellcheck="false" aria-label=label on:input=change
            aria-invalid=move || error.try_with(Option::is_some).unwrap_or_default().then_some("true")
        />
        <p class="error" hidden=move || error.try_with(Option::is_none).unwrap_or(true)>{move || error.try_get().flatten()}</p>
    }
    .into_any()
}

fn tick(
    desk: Desk,
    id: u32,
    label: &'static str,
    is_on: bool,
    write: fn(&mut DraftVariable, bool),
) -> impl IntoView {
    let change = move |event| {
        let is_on = event_target_checked(&event);
        desk.change(|draft| {
            if let Some(variable) = draft.variable_mut(id) {
                write(variable, is_on);
            }
        });
    };
    view! {
        <label class="choice">
            <input type="checkbox" prop:checked=is_on on:change=change/>
            <span class="sr-only">{label}</span>
        </label>
    }
}
