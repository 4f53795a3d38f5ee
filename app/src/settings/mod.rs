//! Settings: members, keys, environments, oneself.

mod alert_calls;
mod alerts;
mod calls;
mod environments;
mod keys;
mod members;
mod prices;
mod profile;
mod providers;
mod rule_form;
mod webhook;
mod webhooks;

use leptos::prelude::*;

use crate::{frame::use_membership, ui::PageHeader};

pub use alerts::AlertRulesPage;
pub use environments::EnvironmentsPage;
pub use keys::KeysPage;
pub use members::MembersPage;
pub use prices::PricesPage;
pub use profile::ProfilePage;
pub use providers::ProvidersPage;
pub use webhook::WebhookPage;
pub use webhooks::WebhooksPage;

/// The pages, as the side lists them.
const PAGES: [(&str, &str); 8] = [
    ("Members", "/settings"),
    ("API keys", "/settings/keys"),
    ("Providers", "/settings/providers"),
    ("Prices", "/settings/prices"),
    ("Environments", "/settings/environments"),
    ("Alerts", "/settings/alerts"),
    ("Webhooks", "/settings/webhooks"),
    ("Profile", "/settings/profile"),
];

/// What stands around each of the pages.
#[component]
fn Settings(
    /// Which one it is.
    title: &'static str,
    /// The page.
    children: Children,
) -> impl IntoView {
    let membership = use_membership();
    let links = PAGES
        .map(|(word, rest)| {
            let is_here = word == title;
            view! { <a href=membership.href(rest) aria-current=is_here.then_some("page")>{word}</a> }
        })
        .collect_view();
    view! {
        <PageHeader title/>
        <div class="settings">
            <nav class="side-nav" aria-label="Settings">{links}</nav>
            <div class="stack" data-gap="wide">{children()}</div>
        </div>
    }
}

/// Whether something is not for this person to change, in a sentence.
#[component]
fn AdminsOnly() -> impl IntoView {
    let role = use_membership().role().word();
    view! { <p class="lede">"Changing this takes the admin role; yours is "{role}"."</p> }
}
