//! Dialogs: native ones, opened by a button with `commandfor=<id> command="show-modal"`.

use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::{Glyph, Icon};

/// A dialog; its child is the form, with class `dialog-form`, that starts with a [`DialogHead`].
#[component]
pub fn Dialog(
    /// What buttons name in `commandfor`.
    #[prop(into)]
    id: String,
    /// Whether it needs room, for a table in it.
    #[prop(optional)]
    is_wide: bool,
    /// The form.
    children: Children,
) -> impl IntoView {
    let heading = format!("{id}-h");
    view! {
        <dialog class="dialog" id=id data-size=is_wide.then_some("wide") aria-labelledby=heading>
            {children()}
        </dialog>
    }
}

/// A dialog that is open because the address says so; closing it leads back. Without script it
/// stands in the page, before the list it was opened from.
#[component]
pub fn Sheet(
    /// Its heading is `<id>-h`.
    #[prop(into)]
    id: String,
    /// Whether it needs room.
    #[prop(optional)]
    is_wide: bool,
    /// The address without it.
    #[prop(into)]
    back: String,
    /// The form.
    children: Children,
) -> impl IntoView {
    let dialog = NodeRef::<leptos::html::Dialog>::new();
    Effect::new(move |_| {
        if let Some(dialog) = dialog.get() {
            show(dialog, FRAMES);
        }
    });
    let navigate = use_navigate();
    let lead_back = move |_| {
        let options = NavigateOptions {
            scroll: false,
            ..NavigateOptions::default()
        };
        navigate(&back, options);
    };
    let heading = format!("{id}-h");
    view! {
        <dialog
            class="dialog" id=id open="" node_ref=dialog data-size=is_wide.then_some("wide")
            aria-labelledby=heading on:close=lead_back
        >
            {children()}
        </dialog>
    }
}

/// How many frames a dialog is waited for that is not in the page yet: on the way from another page
/// it is made before that page gives way.
const FRAMES: u16 = 600;

/// Opens a dialog that stands open in the page.
fn show(dialog: web_sys::HtmlDialogElement, n_frames: u16) {
    if !dialog.is_connected() {
        if n_frames > 0 {
            request_animation_frame(move || show(dialog, n_frames - 1));
        }
        return;
    }
    // Taken away rather than closed: closing would lead back at once.
    let _ = dialog.remove_attribute("open");
    // Refused only for a dialog that is open already.
    let _ = dialog.show_modal();
}

/// A dialog's title and the button that closes it.
#[component]
pub fn DialogHead(
    /// The dialog's id.
    #[prop(into)]
    id: String,
    /// What it asks.
    #[prop(into)]
    title: String,
) -> impl IntoView {
    view! {
        <header class="dialog-head">
            <h2 id=format!("{id}-h")>{title}</h2>
            <button
                type="button" class="btn" data-kind="quiet" data-shape="icon" aria-label="Close"
                commandfor=id command="close"
            >
                <Icon glyph=Glyph::Close/>
            </button>
        </header>
    }
}

fn find(id: &str) -> Option<web_sys::HtmlDialogElement> {
    use wasm_bindgen::JsCast;
    document().get_element_by_id(id)?.dyn_into().ok()
}

/// Opens a dialog from script, in the browser.
pub fn open_dialog(id: &str) {
    if let Some(dialog) = find(id)
        && !dialog.open()
    {
        // Refused only for a dialog that is no longer in the page.
        let _ = dialog.show_modal();
    }
}

/// Closes a dialog from script, in the browser: after its action is done.
pub fn close_dialog(id: &str) {
    if let Some(dialog) = find(id)
        && dialog.open()
    {
        dialog.close();
    }
}
