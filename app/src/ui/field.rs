//! A labelled control with its hint and its refusal, tied together for those who listen.

use leptos::prelude::*;

/// The ids for `aria-describedby` of the control inside [`Field`].
#[must_use]
pub fn described_by(id: &str) -> String {
    format!("{id}-h {id}-e")
}

/// Empties a form when what it asked for was done: `clear_after(form, move || matches!(action.value().get(), Some(Ok(_))))`.
pub fn clear_after(form: NodeRef<leptos::html::Form>, is_done: impl Fn() -> bool + 'static) {
    Effect::new(move |_| {
        if is_done()
            && let Some(form) = form.get_untracked()
        {
            form.reset();
        }
    });
}

/// Label, hint and refusal around any control:
/// `<Field id="role" label="Role" error><select class="input" id="role" aria-describedby=described_by("role")>…</select></Field>`.
#[component]
pub fn Field(
    /// The control's id.
    id: &'static str,
    /// The visible label.
    #[prop(into)]
    label: String,
    /// A line that helps; none if empty.
    #[prop(optional, into)]
    hint: String,
    /// What is wrong, if it was refused.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// Whether it may stay empty, which is then said.
    #[prop(optional)]
    is_optional: bool,
    /// The control.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="field">
            <label for=id>{label}{is_optional.then(|| view! { <span class="optional">" optional"</span> })}</label>
            {(!hint.is_empty()).then(|| view! { <span class="hint" id=format!("{id}-h")>{hint}</span> })}
            {children()}
            <p class="error" id=format!("{id}-e") hidden=move || error.try_with(Option::is_none).unwrap_or(true)>{move || error.try_get().flatten()}</p>
        </div>
    }
}

/// A line of text: `<TextField id="email" name="email" label="E-mail" kind="email" error/>`.
#[component]
pub fn TextField(
    /// The control's id.
    id: &'static str,
    /// As submitted.
    name: &'static str,
    /// The visible label.
    #[prop(into)]
    label: String,
    /// What the browser makes of it: `text`, `email`, `password`, `date`.
    #[prop(default = "text")]
    kind: &'static str,
    /// What stands in it at first.
    #[prop(optional, into)]
    value: String,
    /// A line that helps; none if empty.
    #[prop(optional, into)]
    hint: String,
    /// An example, shown while it is empty.
    #[prop(optional, into)]
    placeholder: Option<&'static str>,
    /// For password managers, such as `username`.
    #[prop(optional, into)]
    autocomplete: Option<&'static str>,
    /// What is wrong, if it was refused.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// Whether it may stay empty, which is then said.
    #[prop(optional)]
    is_optional: bool,
) -> impl IntoView {
    view! {
        <Field id label hint error is_optional>
            <input
                class="input" id=id name=name type=kind value=value placeholder=placeholder
                autocomplete=autocomplete required=!is_optional aria-describedby=described_by(id)
                aria-invalid=move || error.try_with(Option::is_some).unwrap_or_default().then_some("true")
            />
        </Field>
    }
}
