//! Nobody loses a text by a wrong click: leaving with something unsaved asks first.

use leptos::{ev, prelude::*};
use wasm_bindgen::{JsCast, closure::Closure};

/// Asks before the page is left, as long as there is something to lose.
pub fn guard(is_dirty: RwSignal<bool>) {
    let unload = window_event_listener(ev::beforeunload, move |event| {
        if is_dirty.get_untracked() {
            event.prevent_default();
        }
    });
    // Links within the site never unload the page. Caught on the way down, before the router.
    let click = Closure::<dyn Fn(web_sys::Event)>::new(move |event: web_sys::Event| {
        if is_dirty.get_untracked() && leads_away(&event) {
            let question = "Leave without saving? What you typed is lost.";
            if window().confirm_with_message(question) == Ok(true) {
                is_dirty.set(false);
            } else {
                event.prevent_default();
                event.stop_propagation();
            }
        }
    });
    let listener = click
        .as_ref()
        .unchecked_ref::<web_sys::js_sys::Function>()
        .clone();
    let _ = window().add_event_listener_with_callback_and_bool("click", &listener, true);
    let click = StoredValue::new_local(Some(click));
    on_cleanup(move || {
        unload.remove();
        let _ = window().remove_event_listener_with_callback_and_bool("click", &listener, true);
        click.update_value(|click| drop(click.take()));
    });
}

/// Whether a click follows a link to another page in this window.
fn leads_away(event: &web_sys::Event) -> bool {
    let link = event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
        .and_then(|element| element.closest("a[href]").ok().flatten());
    let Some(link) = link else {
        return false;
    };
    let href = link.get_attribute("href").unwrap_or_default();
    !href.starts_with('#') && link.get_attribute("target").is_none()
}
