//! What a list shows when there is nothing in it: what this is, and the one thing to do.

use leptos::prelude::*;

use super::{Glyph, Icon, IconSize};

/// An empty state: `<Empty glyph=Glyph::Prompts title="No prompts yet"><p>"…"</p><div class="row">…</div></Empty>`.
#[component]
pub fn Empty(
    /// What it is about.
    glyph: Glyph,
    /// One line.
    #[prop(into)]
    title: String,
    /// Whether it stands in a section rather than filling the page.
    #[prop(optional)]
    is_small: bool,
    /// Why it is empty, and what to do.
    children: Children,
) -> impl IntoView {
    let (size, icon) = if is_small {
        (Some("small"), IconSize::Text)
    } else {
        (None, IconSize::Large)
    };
    view! {
        <div class="empty" data-size=size>
            <Icon glyph size=icon/>
            <h2>{title}</h2>
            {children()}
        </div>
    }
}
