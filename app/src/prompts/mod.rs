//! Prompts: what do we have, what is live?

mod calls;
mod comparison;
mod edit;
#[cfg(feature = "ssr")]
mod gather;
mod links;
pub mod prompt;
mod shapes;
mod tree;
mod words;

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
