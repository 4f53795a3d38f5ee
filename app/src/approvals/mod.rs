//! To come.

use leptos::prelude::*;

/// To come.
#[component]
pub fn ApprovalsPage() -> impl IntoView {}

/// To come.
#[component]
pub fn ReviewPage() -> impl IntoView {}
