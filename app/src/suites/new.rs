//! Making a suite: a name, the prompt it is for, what judges its cases first.

use domain::suite::ScorerKind;
use leptos::prelude::*;

use super::calls::CreateSuite;
use crate::{
    error::UiError,
    frame::use_project,
    prompts::parts::{field_error, refusal},
    ui::{DialogHead, Field, Refusal, Sheet, TextField, described_by},
};

/// What a suite may begin with: scorers that need nothing but the case's expected output.
const FIRST: [(ScorerKind, &str, &str); 5] = [
    (
        ScorerKind::Iequals,
        "The output is what is expected",
        "For labels and short answers; upper and lower case count alike",
    ),
    (
        ScorerKind::Icontains,
        "The output contains what is expected",
        "For answers that must name something",
    ),
    (
        ScorerKind::JsonDiff,
        "The output is the expected JSON",
        "For extraction; says how much of it is right",
    ),
    (
        ScorerKind::IsJson,
        "The output is JSON",
        "Nothing is expected of what it holds",
    ),
    (
        ScorerKind::Factuality,
        "A model says it agrees with what is expected",
        "For free text; takes a provider, and costs a call per case",
    ),
];

/// The form, over the list.
#[component]
pub fn NewSuite(
    /// The creating.
    create: ServerAction<CreateSuite>,
    /// The address of the list.
    back: String,
    /// The prompt one comes from.
    prompt: String,
) -> impl IntoView {
    let project = use_project();
    let error = refusal(create);
    let name_error = field_error(error, "name");
    let prompt_error = field_error(error, "prompt");
    let other = Signal::derive(move || {
        error
            .get()
            .filter(|error| !matches!(error, UiError::Invalid(_)))
    });
    let choices = FIRST
        .into_iter()
        .enumerate()
        .map(|(index, (kind, words, hint))| {
            view! {
                <label class="choice">
                    <input type="radio" name="scorer" value=kind.word() checked=index == 0/>
                    <span>{words}</span>
                    <span class="hint">{hint}</span>
                </label>
            }
        })
        .collect_view();
    let cancel = back.clone();
    view! {
        <Sheet id="new-suite" back>
            <ActionForm action=create attr:class="dialog-form">
                <DialogHead id="new-suite" title="New suite"/>
                <div class="dialog-body">
                    <Refusal error=other/>
                    <input type="hidden" name="project" value=project/>
                    <TextField
                        id="suite-name" name="name" label="Name" autocomplete="off" error=name_error
                        placeholder="Refund questions, spring"
                    />
                    <Field
                        id="suite-prompt" label="Prompt" error=prompt_error
                        hint="The cases hold values for its variables."
                    >
                        <input
                            class="input" id="suite-prompt" name="prompt" list="prompts" data-font="mono" required=true
                            autocomplete="off" spellcheck="false" value=prompt placeholder="support/triage"
                            aria-describedby=described_by("suite-prompt")
                            aria-invalid=move || prompt_error.try_with(Option::is_some).unwrap_or_default().then_some("true")
                        />
                    </Field>
                    <fieldset>
                        <legend>"A case passes if"</legend>
                        <div class="choices">
                            {choices}
                            <label class="choice">
                                <input type="radio" name="scorer" value=""/>
                                <span>"Decide later"</span>
                                <span class="hint">"There are 30 kinds of scorers; a suite may have several, and a case its own"</span>
                            </label>
                        </div>
                    </fieldset>
                </div>
                <footer class="dialog-foot">
                    <a class="btn" href=cancel data-noscroll="">"Cancel"</a>
                    <button class="btn" data-kind="primary" aria-busy=move || create.pending().get().then_some("true")>"Create suite"</button>
                </footer>
            </ActionForm>
        </Sheet>
    }
}
