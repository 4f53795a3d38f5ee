//! Leading from one page of a list to the next.

use leptos::prelude::*;

use super::{Glyph, Icon};

/// How much is shown, and links on: `<Pager shown="50 of 4,812" first=… next=…/>`. Addresses keep
/// the filters; keyset pages only lead on, so there is a way to the start and a way on.
#[component]
pub fn Pager(
    /// How much is shown, read out after a change.
    #[prop(into)]
    shown: String,
    /// The address of the first page, unless this is it.
    #[prop(optional_no_strip, into)]
    first: Option<String>,
    /// The address of the next page, if there is one.
    #[prop(optional_no_strip, into)]
    next: Option<String>,
    /// What the way on is called.
    #[prop(default = "Next")]
    next_words: &'static str,
) -> impl IntoView {
    view! {
        <nav class="pager" aria-label="Pages">
            <span role="status">{shown}</span>
            {first.map(|first| view! { <a class="btn" data-size="small" href=first>"First page"</a> })}
            {next.map(|next| view! { <a class="btn" data-size="small" href=next>{next_words}<Icon glyph=Glyph::ChevronRight/></a> })}
        </nav>
    }
}
