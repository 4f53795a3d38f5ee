//! Arriving at another page without loading the document: what was open is closed, and the new
//! page's heading gets the focus, so that it is read out.

use leptos::prelude::*;
use leptos_router::hooks::use_location;
use wasm_bindgen::JsCast;

/// The path whose heading has had its turn.
#[derive(Clone, Copy)]
struct LastPath(StoredValue<String>);

/// Watches the address; called once, by the frame.
pub(super) fn watch() {
    let location = use_location();
    provide_context(LastPath(StoredValue::new(
        location.pathname.get_untracked(),
    )));
    Effect::new(move |before: Option<()>| {
        location.pathname.track();
        location.search.track();
        if before.is_some() {
            close_what_is_open();
        }
    });
}

/// Menus, the rail as a drawer, the palette.
fn close_what_is_open() {
    let Ok(open) = document().query_selector_all(":popover-open") else {
        return;
    };
    for index in 0..open.length() {
        if let Some(element) = open
            .item(index)
            .and_then(|node| node.dyn_into::<web_sys::HtmlElement>().ok())
        {
            // Refused only for what is closed already.
            let _ = element.hide_popover();
        }
    }
    crate::ui::close_dialog("palette");
}

/// Gives a heading the focus when it appears on a page one has just arrived at: not on the
/// first page, and not when the same page shows newer data.
pub fn use_arrival() -> NodeRef<leptos::html::H1> {
    let heading = NodeRef::<leptos::html::H1>::new();
    let last = use_context::<LastPath>();
    let path = use_location().pathname;
    Effect::new(move |_| {
        let (Some(LastPath(last)), Some(heading)) = (last, heading.get()) else {
            return;
        };
        let here = path.get_untracked();
        if last.get_value() != here {
            last.set_value(here);
            // Refused only if it has left the page again.
            let _ = heading.focus();
        }
    });
    heading
}
