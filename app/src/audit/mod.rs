//! Audit: who did what?

use leptos::prelude::*;

/// To be written.
#[component]
pub fn AuditPage() -> impl IntoView {
    view! { <h1>"AuditPage"</h1> }
}

/// To be written.
#[component]
pub fn EntryPage() -> impl IntoView {
    view! { <h1>"EntryPage"</h1> }
}
