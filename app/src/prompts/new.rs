//! Making a prompt: a name, what it is for, how to find it. Its first version is the editor's.

use domain::actor::Permission;
use leptos::prelude::*;

use super::{
    calls::CreatePrompt,
    links,
    parts::{FormRefusal, field_error, refusal, remember_refusal},
};
use crate::{
    error::UiError,
    frame::{use_membership, use_project},
    ui::{ErrorPage, Field, PageHeader, TextField, described_by},
};

/// What refusals call the fields.
const FIELDS: &[(&str, &str)] = &[
    ("name", "Name"),
    ("description", "Description"),
    ("tags", "Tags"),
];

/// `/p/<project>/new-prompt`.
#[component]
pub fn NewPromptPage() -> impl IntoView {
    let membership = use_membership();
    if !membership.may(Permission::WriteDrafts) {
        let role = membership.role();
        let denied = domain::actor::Denied::Role {
            needed: Permission::WriteDrafts.role(),
            held: role,
        };
        return view! { <ErrorPage error=UiError::Denied(denied.to_string())/> }.into_any();
    }
    remember_refusal();
    let project = use_project();
    let action = ServerAction::<CreatePrompt>::new();
    let error = refusal(action);
    let name_error = field_error(error, "name");
    let description_error = field_error(error, "description");
    view! {
        <PageHeader title="New prompt" lede=|| "Give it a name; the first version is written on the next page."/>
        <div class="stack" data-width="form">
            <ActionForm action attr:class="form">
                <FormRefusal error fields=FIELDS/>
                <input type="hidden" name="project" value=move || project.get()/>
                <Field
                    id="name" label="Name" error=name_error
                    hint="Letters, digits, hyphens; / makes folders. Applications ask for it by this name, so it cannot change later."
                >
                    <input
                        class="input" id="name" name="name" data-font="mono" required=true maxlength="200"
                        autocomplete="off" spellcheck="false" placeholder="support/triage"
                        aria-describedby=described_by("name")
                        aria-invalid=move || name_error.try_with(Option::is_some).unwrap_or_default().then_some("true")
                    />
                </Field>
                <Field id="description" label="Description" is_optional=true error=description_error>
                    <textarea
                        class="input" id="description" name="description" rows="3"
                        aria-describedby=described_by("description")
                        aria-invalid=move || description_error.try_with(Option::is_some).unwrap_or_default().then_some("true")
                    ></textarea>
                </Field>
                <TextField
                    id="tags" name="tags" label="Tags" is_optional=true hint="Separated by commas."
                    error=field_error(error, "tags")
                />
                <fieldset>
                    <legend>"Type"</legend>
                    <div class="choices">
                        <label class="choice">
                            <input type="radio" name="kind" value="chat" checked=true/>
                            <span>"Chat"</span>
                            <span class="hint">"A list of messages with roles"</span>
                        </label>
                        <label class="choice">
                            <input type="radio" name="kind" value="text"/>
                            <span>"Text"</span>
                            <span class="hint">"One text; other prompts can include it as a snippet"</span>
                        </label>
                    </div>
                </fieldset>
                <div class="form-foot">
                    <button type="submit" class="btn" data-kind="primary" aria-busy=move || action.pending().get().then_some("true")>
                        "Create and write version 1"
                    </button>
                    <a class="btn" data-kind="quiet" href=move || links::all(&project.get())>"Cancel"</a>
                </div>
            </ActionForm>
        </div>
    }
    .into_any()
}
