//! Putting a version into an environment: a dialog that says from what to what, and refuses in
//! the words of the rule.

use domain::{
    cache::budget::dollars,
    prompt::{Environment, Serving},
};
use leptos::prelude::*;

use super::{
    calls::Promote as Promotion,
    shapes::{Place, VersionsView},
};
use crate::{
    costs::AcceptCost,
    error::UiError,
    ui::{Dialog, DialogHead, Field, Glyph, Icon, Refusal},
};

/// The button and its dialog; nothing where the version serves everywhere already.
#[component]
pub fn Promote(
    place: Place,
    number: i32,
    shown: VersionsView,
    action: ServerAction<Promotion>,
    error: Signal<Option<UiError>>,
) -> impl IntoView {
    let mut choices = shown
        .environments
        .into_iter()
        .filter_map(|environment| {
            let here = shown
                .serving
                .iter()
                .find(|serving| serving.environment == environment.name);
            match here {
                Some(serving) if serving.version == number => None,
                here => Some((environment, here.cloned())),
            }
        })
        .collect::<Vec<_>>();
    // The harmless ones first: what is chosen beforehand must not hurt.
    choices.reverse();
    if choices.is_empty() {
        return ().into_any();
    }
    let accept = shown.cache_budget.map(|budget| {
        let why = format!(
            "Asked for where it is expected to cost more than {} a day in cache misses.",
            dollars(budget)
        );
        view! { <AcceptCost why/> }
    });
    let choices = choices
        .into_iter()
        .enumerate()
        .map(|(index, (environment, here))| choice(index == 0, &environment, here.as_ref(), number))
        .collect_view();
    let is_busy = move || action.pending().get().then_some("true");
    view! {
        <button type="button" class="btn" data-size="small" commandfor="promote" command="show-modal">
            <Icon glyph=Glyph::Promote/>"Promote"
        </button>
        <Dialog id="promote">
            <ActionForm action attr:class="dialog-form">
                <DialogHead id="promote" title=format!("Promote version {number}")/>
                <div class="dialog-body">
                    <input type="hidden" name="project" value=place.project/>
                    <input type="hidden" name="name" value=place.name/>
                    <input type="hidden" name="number" value=number.to_string()/>
                    <fieldset>
                        <legend>"Where it is to serve"</legend>
                        <div class="choices">{choices}</div>
                    </fieldset>
                    <Field id="promote-reason" label="Reason" is_optional=true hint="Goes to the audit log.">
                        <input class="input" id="promote-reason" name="reason" maxlength="1000" autocomplete="off"/>
                    </Field>
                    <label class="choice">
                        <input type="checkbox" name="at" value="quietest"/>
                        <span>"Wait for the quietest hour"</span>
                        <span class="hint">"By the requests that were reported there in the last 7 days."</span>
                    </label>
                    {accept}
                    <Refusal error/>
                </div>
                <footer class="dialog-foot">
                    <span class="note">"Connected clients switch within about a second."</span>
                    <button type="button" class="btn" commandfor="promote" command="close">"Cancel"</button>
                    <button type="submit" class="btn" data-kind="primary" aria-busy=is_busy>{format!("Promote v{number}")}</button>
                </footer>
            </ActionForm>
        </Dialog>
    }
    .into_any()
}

/// An environment, and in which state it was seen: if that changes meanwhile, it is refused.
fn choice(
    is_first: bool,
    environment: &Environment,
    here: Option<&Serving>,
    number: i32,
) -> impl IntoView + use<> {
    let seen = here
        .map(|serving| serving.deployment_id.to_string())
        .unwrap_or_default();
    let value = format!("{}@{seen}", environment.name);
    let from = match here {
        Some(serving) => format!("v{} → v{number}", serving.version),
        None => format!("nothing → v{number}"),
    };
    let protected = if environment.protected {
        ", protected: waits for its evidence and approvals"
    } else {
        ""
    };
    view! {
        <label class="choice">
            <input type="radio" name="place" value=value checked=is_first/>
            <span>{environment.name.clone()}</span>
            <span class="hint">{from}{protected}</span>
        </label>
    }
}
