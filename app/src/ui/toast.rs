//! Toasts: short news that need no answer. Announced, and gone after a while.

use std::time::Duration;

use leptos::prelude::*;

use super::{Glyph, Icon, Tone};

/// How long a toast stays.
const STAYS: Duration = Duration::from_secs(6);

#[derive(Clone, PartialEq, Eq)]
struct Toast {
    number: u32,
    tone: Tone,
    text: String,
}

/// What is to be said; provided by the frame.
#[derive(Clone, Copy)]
pub struct Toasts {
    shown: RwSignal<Vec<Toast>>,
    last: StoredValue<u32>,
}

impl Toasts {
    /// Nothing to say yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            shown: RwSignal::default(),
            last: StoredValue::new(0),
        }
    }

    /// Says something, in the browser, for a few seconds.
    pub fn say(self, tone: Tone, text: impl Into<String>) {
        self.last.update_value(|last| *last += 1);
        let number = self.last.get_value();
        let text = text.into();
        self.shown
            .update(|shown| shown.push(Toast { number, tone, text }));
        set_timeout(move || self.dismiss(number), STAYS);
    }

    fn dismiss(self, number: u32) {
        self.shown
            .update(|shown| shown.retain(|toast| toast.number != number));
    }
}

impl Default for Toasts {
    fn default() -> Self {
        Self::new()
    }
}

/// The toasts of the frame.
#[must_use]
pub fn use_toasts() -> Toasts {
    use_context::<Toasts>().unwrap_or_default()
}

/// Where toasts appear: once, in the frame.
#[component]
pub fn ToastShelf() -> impl IntoView {
    let toasts = use_toasts();
    view! {
        <div class="toasts" role="status">
            <For each=move || toasts.shown.get() key=|toast| toast.number let:toast>
                <div class="toast" data-tone=toast.tone.word()>
                    <Icon glyph=toast.tone.glyph()/>
                    <p>{toast.text}</p>
                    <button
                        type="button" class="btn" data-size="small" data-kind="quiet" data-shape="icon"
                        aria-label="Dismiss" on:click=move |_| toasts.dismiss(toast.number)
                    >
                        <Icon glyph=Glyph::Close/>
                    </button>
                </div>
            </For>
        </div>
    }
}
