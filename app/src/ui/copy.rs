//! Copying to the clipboard.

use std::time::Duration;

use leptos::prelude::*;

use super::{Glyph, Icon};

/// A text with a button that copies it.
#[component]
pub fn Copyable(
    /// The text.
    #[prop(into)]
    text: String,
) -> impl IntoView {
    let (is_copied, click) = copying(text.clone());
    view! {
        <div class="copy">
            <code>{text}</code>
            <button type="button" data-scripting="needed" class="btn" data-size="small" data-kind="quiet" on:click=move |_| click.run(())>
                <Icon glyph=Glyph::Copy/>
                {move || if is_copied.get() { "Copied" } else { "Copy" }}
            </button>
        </div>
    }
}

/// A shortened hash or id, whole on hover, with a button that copies the whole.
#[component]
pub fn Hash(
    /// The whole hash.
    #[prop(into)]
    whole: String,
    /// What it is, for the button: `hash of v41`.
    #[prop(into)]
    label: String,
) -> impl IntoView {
    let short: String = whole
        .trim_start_matches("sha256:")
        .chars()
        .take(8)
        .collect();
    let (is_copied, click) = copying(whole.clone());
    let words = move || {
        if is_copied.get() {
            "Copied".to_owned()
        } else {
            format!("Copy the {label}")
        }
    };
    view! {
        <span class="nowrap">
            <code class="hash" title=whole>{short}</code>
            <button
                type="button" data-scripting="needed" class="btn" data-size="small" data-kind="quiet" data-shape="icon"
                aria-label=words on:click=move |_| click.run(())
            >
                <Icon glyph=Glyph::Copy/>
            </button>
        </span>
    }
}

/// A signal that is true for a moment after copying, and what copies.
fn copying(text: String) -> (RwSignal<bool>, Callback<()>) {
    let is_copied = RwSignal::new(false);
    let click = Callback::new(move |()| {
        if write(&text) {
            is_copied.set(true);
            set_timeout(
                move || {
                    // The page may be gone by then.
                    let _ = is_copied.try_set(false);
                },
                Duration::from_secs(2),
            );
        }
    });
    (is_copied, click)
}

/// Browsers give the clipboard to pages on https and on localhost only.
fn write(text: &str) -> bool {
    let window = window();
    if !window.is_secure_context() {
        return false;
    }
    let _ = window.navigator().clipboard().write_text(text);
    true
}
