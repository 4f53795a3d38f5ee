//! One prompt: what happened to it?

use leptos::prelude::*;

/// To be written.
#[component]
pub fn PromptPage() -> impl IntoView {
    view! { <h1>"PromptPage"</h1> }
}
