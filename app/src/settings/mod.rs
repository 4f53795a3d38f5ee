//! Settings: members, keys, environments, oneself.

use leptos::prelude::*;

/// To be written.
#[component]
pub fn MembersPage() -> impl IntoView {
    view! { <h1>"MembersPage"</h1> }
}

/// To be written.
#[component]
pub fn KeysPage() -> impl IntoView {
    view! { <h1>"KeysPage"</h1> }
}

/// To be written.
#[component]
pub fn EnvironmentsPage() -> impl IntoView {
    view! { <h1>"EnvironmentsPage"</h1> }
}

/// To be written.
#[component]
pub fn ProfilePage() -> impl IntoView {
    view! { <h1>"ProfilePage"</h1> }
}
