//! A case whole: in a dialog over the list, opened by the address, so that it has one of its own
//! and opens without script.

use domain::{actor::Permission, id::SuiteId, suite::KeptCase};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{
    calls::{RemoveCase, SaveCase, load_case},
    fields::{Fields, field_id},
    links::{self, CaseQuery, Opened, Tab},
    shapes::{CaseView, Here, Place},
    suite::{n_cases, when_done},
};
use crate::{
    error::UiError,
    frame::use_membership,
    prompts::parts::{forget_between, refusal},
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
        forget_between(save, opened);
        forget_between(remove, opened);
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
        None if shown.is_report => "Report a problem".to_owned(),
        None => "New case".to_owned(),
        Some(kept) => format!("Case {}", kept.position),
    };
    let removal = shown.kept.clone().filter(|_| may_write).map(|kept| {
        view! { <Removal place=place.clone() kept n_left=shown.suite.n_cases - 1 desk query=query.clone()/> }
    });
    let foot = if may_write {
        let is_busy = move || desk.save.pending().get().then_some("true");
        let verb = match shown.kept {
            Some(_) => "Save case",
            None if shown.is_report => "Report",
            None => "Add case",
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
    let report = shown.is_report.then(|| {
        let suite = shown.suite.name.clone();
        view! {
            <input type="hidden" name="form[is_report]" value="true"/>
            <p class="note">
                "What the prompt was called with, and what should have come back. It becomes a case of "
                <b>{suite}</b>", so that no version after it makes the same mistake unseen."
            </p>
        }
    });
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
                    {report}
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
