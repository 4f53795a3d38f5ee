//! Copying to the clipboard; where there is none, what is to be copied can be selected.

use std::time::Duration;

use leptos::{html, prelude::*};

use super::{Glyph, Icon};

/// A text with a button that copies it.
#[component]
pub fn Copyable(
    /// The text.
    #[prop(into)]
    text: String,
) -> impl IntoView {
    let (is_copied, click) = copying(Signal::stored(text.clone()));
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

/// The address of what is shown, in a field that can only be read, with a button that copies it.
#[component]
pub fn CopyLink(
    /// The id of the field.
    id: &'static str,
    /// What the field is called.
    label: &'static str,
    /// The whole address.
    address: Signal<String>,
) -> impl IntoView {
    let field = NodeRef::<html::Input>::new();
    let (is_copied, copy) = copying(address);
    let click = move |_| {
        // Where there is no clipboard, what is selected can be copied by hand.
        if let Some(field) = field.get_untracked() {
            field.select();
        }
        copy.run(());
    };
    view! {
        <div class="field">
            <label for=id>{label}</label>
            <div class="copy-link">
                <input class="input" id=id node_ref=field readonly=true value=address/>
                <button type="button" data-scripting="needed" class="btn" on:click=click>
                    <Icon glyph=Glyph::Copy/>
                    {move || if is_copied.get() { "Copied" } else { "Copy link" }}
                </button>
            </div>
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
    let (is_copied, click) = copying(Signal::stored(whole.clone()));
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
fn copying(text: Signal<String>) -> (RwSignal<bool>, Callback<()>) {
    let is_copied = RwSignal::new(false);
    let click = Callback::new(move |()| {
        if text.with_untracked(|text| write(text)) {
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
