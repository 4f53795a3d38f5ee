//! To come.

use leptos::prelude::*;

/// To come.
#[component]
pub fn ProvidersPage() -> impl IntoView {}
