//! Prompts: what do we have, what is live?

pub mod prompt;

use leptos::prelude::*;

/// To be written.
#[component]
pub fn PromptsPage() -> impl IntoView {
    view! { <h1>"PromptsPage"</h1> }
}

/// To be written.
#[component]
pub fn NewPromptPage() -> impl IntoView {
    view! { <h1>"NewPromptPage"</h1> }
}
