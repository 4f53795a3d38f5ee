//! The top of a page: its one `h1`, a line about it, what can be done.

use leptos::prelude::*;
use leptos_meta::Title;

/// The page's title. It also becomes the document's title, and gets the focus after a
/// navigation. A name with folders shows them quieter.
#[component]
pub fn Heading(
    /// The words, such as `support/triage`.
    #[prop(into)]
    text: String,
) -> impl IntoView {
    let (folder, leaf) = match text.rsplit_once('/') {
        Some((folder, leaf)) if !text.contains(' ') => {
            (Some(format!("{folder}/")), leaf.to_owned())
        }
        _ => (None, text.clone()),
    };
    view! {
        <Title text/>
        <h1 tabindex="-1" node_ref=crate::frame::use_arrival()>
            {folder.map(|folder| view! { <span class="folder">{folder}</span> })}
            {leaf}
        </h1>
    }
}

/// The header of a page: `<PageHeader title="Audit" lede="…" actions=|| view! { <a class="btn"…/> }/>`.
/// Children come after the actions: a `<dl class="bar">`.
#[component]
pub fn PageHeader(
    /// The title, see [`Heading`].
    #[prop(into)]
    title: String,
    /// A line below the title: text or a view.
    #[prop(optional, into)]
    lede: Option<ViewFnOnce>,
    /// Buttons and links.
    #[prop(optional, into)]
    actions: Option<ViewFnOnce>,
    /// More of the header.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <header class="page-header">
            <div class="title">
                <Heading text=title/>
                {lede.map(|lede| view! { <p class="lede">{lede.run()}</p> })}
            </div>
            {actions.map(|actions| view! { <div class="actions">{actions.run()}</div> })}
            {children.map(|children| children())}
        </header>
    }
}
