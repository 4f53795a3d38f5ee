//! Rolling back and watching it arrive.

use leptos::prelude::*;

/// To be written.
#[component]
pub fn RollBackPage() -> impl IntoView {
    view! { <h1>"RollBackPage"</h1> }
}

/// To be written.
#[component]
pub fn PropagationPage() -> impl IntoView {
    view! { <h1>"PropagationPage"</h1> }
}
