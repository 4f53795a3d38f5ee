//! To come.

use leptos::prelude::*;

/// To come.
#[component]
pub fn RunsPage() -> impl IntoView {}

/// To come.
#[component]
pub fn RunPage() -> impl IntoView {}
