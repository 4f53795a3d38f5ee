//! Tabs: links to the views of one thing, so that each has an address.

use leptos::prelude::*;

/// One tab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tab {
    /// The word.
    pub word: &'static str,
    /// Where it leads.
    pub href: String,
    /// A number behind the word.
    pub count: Option<i64>,
    /// Whether it is the one shown.
    pub is_current: bool,
}

/// A row of tabs: `<Tabs label="Prompt" tabs=vec![…]/>`.
#[component]
pub fn Tabs(
    /// What they are views of.
    label: &'static str,
    /// The tabs.
    #[prop(into)]
    tabs: Signal<Vec<Tab>>,
) -> impl IntoView {
    let links = move || {
        tabs.get()
            .into_iter()
            .map(|tab| {
                let count = tab.count.map(|count| view! { <span class="num">{count}</span> });
                view! {
                    <a href=tab.href aria-current=tab.is_current.then_some("page")>{tab.word}{count}</a>
                }
            })
            .collect_view()
    };
    view! { <nav class="tabs" aria-label=label>{links}</nav> }
}
