//! Small marks: a badge, a version's status, a tag.

use leptos::prelude::*;

use super::Tone;

/// A word that stands out.
#[component]
pub fn Badge(
    /// What it means; neutral if left out.
    #[prop(optional, into)]
    tone: Option<Tone>,
    /// The word.
    children: Children,
) -> impl IntoView {
    view! { <span class="badge" data-tone=tone.map(Tone::word)>{children()}</span> }
}

/// Where a version is in its life: `<Status word=status.word()/>`.
#[component]
pub fn Status(
    /// `draft`, `testing`, `active` or `deprecated`.
    word: &'static str,
) -> impl IntoView {
    view! { <span class="status" data-state=word>{word}</span> }
}

/// A tag or scope.
#[component]
pub fn Tag(
    /// The word.
    #[prop(into)]
    word: String,
) -> impl IntoView {
    view! { <span class="tag">{word}</span> }
}
