//! To come.

use leptos::prelude::*;

/// To come.
#[component]
pub fn SuitesPage() -> impl IntoView {}

/// To come.
#[component]
pub fn SuitePage() -> impl IntoView {}
