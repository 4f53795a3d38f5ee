//! A case whole: in a dialog over the list, opened by the address, so that it has one of its own
//! and opens without script.

use domain::{
    actor::Permission,
    id::SuiteId,
    suite::{KeptCase, MUST_PASS_TAG, SMOKE_TAG},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{
    calls::{RemoveCase, SaveCase, load_case},
    links::{self, CaseQuery, Opened, Tab},
    shapes::{CaseView, Here, Place, VariableField},
    suite::{n_cases, when_done},
};
use crate::{
    error::UiError,
    frame::use_membership,
    prompts::{parts::refusal, words::pretty},
    ui::{Banner, Dialog, DialogHead, Glyph, Icon, Loaded, Refusal, Sheet, Tone, error::sentence},
};

/// The dialog that asks before a case is removed.
const REMOVE: &str = "remove-case";

/// The case that is open, and what is done with it.
#[derive(Clone, Copy)]
pub struct Desk {
    view: Resource<Result<Option<CaseView>, UiError>>,
    query: Memo<CaseQuery>,
    save: ServerAction<SaveCase>,
    remove: ServerAction<RemoveCase>,
    error: Signal<Option<UiError>>,
}

impl Desk {
    /// Loads when a case is opened, and not again: what somebody writes must hold still. Who was
    /// overtaken is told so when they save.
    pub fn new(here: Memo<Here>, tab: Memo<Tab>) -> Self {
        let params = use_query_map();
        let query = Memo::new(move |_| params.with(CaseQuery::read));
        let opened = Memo::new(move |_| {
            (tab.get() == Tab::Cases)
                .then(|| params.with(Opened::read))
                .flatten()
        });
        let revision = Memo::new(move |_| query.read().revision);
        let view = Resource::new(
            move || {
                let opened = opened.get()?;
                Some((here.get(), opened, revision.get()))
            },
            async |wanted| match wanted {
                None => Ok(None),
                Some((here, opened, revision)) => load_case(here, opened, revision).await.map(Some),
            },
        );
        let save = ServerAction::<SaveCase>::new();
        let remove = ServerAction::<RemoveCase>::new();
        let back = move || {
            let here = here.get();
            let id: SuiteId = here.id.parse().ok()?;
            Some(links::cases(&here.project, id, &query.get()))
        };
        when_done(move || save.value().get()?.ok(), back);
        when_done(move || remove.value().get()?.ok(), back);
        let refused = refusal(save);
        let kept = refusal(remove);
        Self {
            view,
            query,
            save,
            remove,
            error: Signal::derive(move || refused.get().or(kept.get())),
        }
    }
}

/// The dialog, where a case is open.
#[component]
pub fn CaseSheet(place: Place, desk: Desk) -> impl IntoView {
    view! {
        <Loaded from=desk.view let:shown>
            {shown.map(|shown| view! { <Shown place=place.clone() shown desk/> })}
        </Loaded>
    }
}

#[component]
fn Shown(place: Place, shown: CaseView, desk: Desk) -> impl IntoView {
    let query = desk.query.get_untracked();
    let back = links::cases(&place.project, place.id, &query);
    let may_write = use_membership().may(Permission::RunEvals) && !shown.is_past;
    let title = match &shown.kept {
        None => "New case".to_owned(),
        Some(kept) => format!("Case {}", kept.position),
    };
    let removal = shown.kept.clone().filter(|_| may_write).map(|kept| {
        view! { <Removal place=place.clone() kept n_left=shown.suite.n_cases - 1 desk query=query.clone()/> }
    });
    let foot = if may_write {
        let is_busy = move || desk.save.pending().get().then_some("true");
        let verb = if shown.kept.is_some() {
            "Save case"
        } else {
            "Add case"
        };
        let remove = shown.kept.is_some().then(|| {
            view! {
                <button type="button" class="btn" data-kind="danger-line" data-first="" commandfor=REMOVE command="show-modal">
                    <Icon glyph=Glyph::Trash/>"Remove"
                </button>
            }
        });
        view! {
            {remove}
            <a class="btn" href=back.clone() data-noscroll="">"Cancel"</a>
            <button class="btn" data-kind="primary" aria-busy=is_busy>{verb}</button>
        }
        .into_any()
    } else {
        view! { <a class="btn" href=back.clone() data-noscroll="">"Close"</a> }.into_any()
    };
    let is_new = shown.kept.is_none();
    view! {
        <Sheet id="case" is_wide=true back>
            <ActionForm action=desk.save attr:class="dialog-form">
                <DialogHead id="case" title/>
                <div class="dialog-body">
                    <Refused error=desk.error is_new/>
                    <input type="hidden" name="project" value=place.project.clone()/>
                    <input type="hidden" name="suite" value=place.id.to_string()/>
                    {shown.kept.as_ref().map(seen)}
                    {return_to(&query)}
                    <Fields shown may_write error=desk.error/>
                </div>
                <footer class="dialog-foot">{foot}</footer>
            </ActionForm>
        </Sheet>
        {removal}
    }
}

/// What was refused: field by field with links, or in words.
#[component]
fn Refused(error: Signal<Option<UiError>>, is_new: bool) -> impl IntoView {
    move || match error.get() {
        Some(UiError::Invalid(errors)) => {
            let items = errors
                .into_iter()
                .map(|error| {
                    let href = format!("#{}", field_id(&error.field));
                    view! { <li><a href=href>{error.field.clone()}</a>": "{sentence(&error.message)}</li> }
                })
                .collect_view();
            let title = if is_new {
                "The case was not added"
            } else {
                "The case was not saved"
            };
            view! { <Banner tone=Tone::Bad title=title><ul>{items}</ul></Banner> }.into_any()
        }
        Some(_) => view! { <Refusal error/> }.into_any(),
        None => ().into_any(),
    }
}

/// The control that a refused path is about.
fn field_id(path: &str) -> String {
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
        let Some(UiError::Invalid(errors)) = error.get() else {
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

fn seen(kept: &KeptCase) -> impl IntoView + use<> {
    view! {
        <input type="hidden" name="seen[id]" value=kept.id.to_string()/>
        <input type="hidden" name="seen[position]" value=kept.position.to_string()/>
        <input type="hidden" name="seen[since]" value=kept.since.to_string()/>
    }
}

/// The list that one came from.
fn return_to(query: &CaseQuery) -> impl IntoView + use<> {
    view! {
        <input type="hidden" name="back[tag]" value=query.tag.clone()/>
        <input type="hidden" name="back[cursor]" value=query.cursor.clone()/>
    }
}

#[component]
fn Fields(shown: CaseView, may_write: bool, error: Signal<Option<UiError>>) -> impl IntoView {
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
        {text("tags", "Other tags", "With commas between them.", tags, may_write, error)}
        {text("note", "Note", "What this case is about, for people.", note, may_write, error)}
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
                aria-describedby=described aria-invalid=move || error.with(Option::is_some).then_some("true")
            >{text}</textarea>
            <p class="error" id=format!("{id}-e") hidden=move || error.with(Option::is_none)>{error}</p>
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
                aria-invalid=move || error.with(Option::is_some).then_some("true")
            >{text}</textarea>
            <p class="error" id=format!("{id}-e") hidden=move || error.with(Option::is_none)>{error}</p>
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
                aria-invalid=move || error.with(Option::is_some).then_some("true")
            />
            <p class="error" id=format!("{id}-e") hidden=move || error.with(Option::is_none)>{error}</p>
        </div>
    }
}

#[component]
fn Removal(
    place: Place,
    kept: KeptCase,
    n_left: i32,
    desk: Desk,
    query: CaseQuery,
) -> impl IntoView {
    let title = format!("Remove case {}", kept.position);
    view! {
        <Dialog id=REMOVE>
            <ActionForm action=desk.remove attr:class="dialog-form" on:submit=|_| crate::ui::close_dialog(REMOVE)>
                <DialogHead id=REMOVE title/>
                <div class="dialog-body">
                    <input type="hidden" name="project" value=place.project/>
                    <input type="hidden" name="suite" value=place.id.to_string()/>
                    {seen(&kept)}
                    {return_to(&query)}
                    <p>{format!("The suite goes on with {}.", n_cases(n_left))}" Runs of earlier revisions keep this one: what they judged can still be read."</p>
                </div>
                <footer class="dialog-foot">
                    <button type="button" class="btn" commandfor=REMOVE command="close">"Cancel"</button>
                    <button class="btn" data-kind="danger" autofocus="">"Remove case"</button>
                </footer>
            </ActionForm>
        </Dialog>
    }
}
