//! Saving: what was refused, what somebody else saved meanwhile, and the way on when it is done.

use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::{
    super::{
        calls::SaveVersion,
        links,
        shapes::{Place, SaveOutcome},
    },
    check::place as place_of,
    desk::{Desk, anchor},
};
use crate::{
    error::UiError,
    ui::{Banner, Field, Refusal, Tone, described_by, error::sentence, use_toasts},
};

/// Most refusals listed on top; all of them stand beside their fields.
const MAX_LISTED: usize = 10;

/// What keeps it from being saved, with links to the places.
#[component]
pub fn Summary(desk: Desk) -> impl IntoView {
    move || {
        let errors = desk.errors.get();
        let title = match errors.len() {
            0 => return ().into_any(),
            1 => "Not saved: one thing needs another look".to_owned(),
            n_errors => format!("Not saved: {n_errors} things need another look"),
        };
        let items = errors
            .into_iter()
            .take(MAX_LISTED)
            .map(|error| {
                let place = sentence(&place_of(&error.field));
                view! {
                    <li><a href=format!("#{}", anchor(&error.field))>{place.trim_end_matches('.').to_owned()}</a>": "{sentence(&error.message)}</li>
                }
            })
            .collect_view();
        view! { <Banner tone=Tone::Bad title=title><ul>{items}</ul></Banner> }.into_any()
    }
}

/// The description of the change, and the button.
#[component]
pub fn SaveBar(place: Place, desk: Desk, latest: i32) -> impl IntoView {
    let parent = RwSignal::new(latest);
    let Place { project, name, .. } = place;
    let (address, prompt) = (project.clone(), name.clone());
    let save = Callback::new(move |()| {
        desk.is_tried.set(true);
        // What was typed in the last moment counts too.
        desk.draft.notify();
        let is_fit = desk
            .checked
            .with_untracked(|checked| checked.errors.is_empty())
            && !desk
                .change_description
                .with_untracked(|text| text.trim().is_empty());
        if is_fit {
            let content = desk
                .draft
                .with_untracked(|draft| draft.to_json().value.to_string());
            desk.save.dispatch(SaveVersion {
                project: address.clone(),
                name: prompt.clone(),
                content,
                change_description: desk.change_description.get_untracked(),
                parent: parent.get_untracked(),
            });
        }
    });
    let navigate = use_navigate();
    let toasts = use_toasts();
    let (address, prompt) = (project.clone(), name.clone());
    Effect::new(move |_| {
        if let Some(Ok(SaveOutcome::Saved(number))) = desk.save.value().get() {
            desk.is_dirty.set(false);
            toasts.say(Tone::Good, format!("Version {number} is saved"));
            navigate(
                &links::version(&address, &prompt, number),
                NavigateOptions::default(),
            );
        }
    });
    let error = desk.error_at("change_description");
    let is_busy = move || desk.save.pending().get().then_some("true");
    let refused = Signal::derive(move || match desk.save.value().get() {
        Some(Err(UiError::Invalid(_)) | Ok(_)) | None => None,
        Some(Err(error)) => Some(error),
    });
    view! {
        <Overtaken project name desk parent save/>
        <Refusal error=refused/>
        <div class="save-bar">
            <Field id="change-description" label="What changes, and why" error>
                <input
                    class="input" id="change-description" maxlength="2000" autocomplete="off"
                    placeholder="Shown in the timeline and the audit log"
                    aria-describedby=described_by("change-description")
                    aria-invalid=move || error.try_with(Option::is_some).unwrap_or_default().then_some("true")
                    on:input=move |event| desk.change_description.set(event_target_value(&event))
                />
            </Field>
            <button
                type="button" class="btn" data-kind="primary" aria-busy=is_busy
                disabled=move || desk.save.pending().get() on:click=move |_| save.run(())
            >
                {move || format!("Save version {}", parent.get() + 1)}
            </button>
        </div>
    }
}

/// Somebody was faster. Nothing typed is lost: look at theirs, then save on top of it.
#[component]
fn Overtaken(
    project: String,
    name: String,
    desk: Desk,
    parent: RwSignal<i32>,
    save: Callback<()>,
) -> impl IntoView {
    move || {
        let Some(Ok(SaveOutcome::Overtaken(number))) = desk.save.value().get() else {
            return ().into_any();
        };
        let theirs = match parent.get_untracked() {
            seen if seen > 0 && seen != number => links::compare(&project, &name, seen, number),
            _ => links::version(&project, &name, number),
        };
        let on_top = move |_| {
            parent.set(number);
            save.run(());
        };
        view! {
            <Banner
                tone=Tone::Warn
                title=format!("Somebody saved v{number} meanwhile")
                actions=move || view! {
                    <a class="btn" data-size="small" href=theirs target="_blank">"See what they changed"</a>
                    <button type="button" class="btn" data-size="small" on:click=on_top>{format!("Save mine on top of v{number}")}</button>
                }
            >
                <p>"Yours is not saved yet, and everything you typed is still here. Saved on top, your text replaces theirs."</p>
            </Banner>
        }
        .into_any()
    }
}
