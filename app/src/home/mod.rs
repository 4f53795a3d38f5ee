//! Overview: what needs me now?

use leptos::prelude::*;

/// To be written.
#[component]
pub fn HomePage() -> impl IntoView {
    view! { <h1>"HomePage"</h1> }
}
