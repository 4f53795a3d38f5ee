//! What stands around every page: rail, header, menus; and how a person wants it to look.

mod arrival;
mod crumbs;
mod membership;
mod palette;
mod projects;
mod rail;
mod waiting;

use std::sync::Arc;

use leptos::prelude::*;
use leptos_router::{
    components::Outlet,
    hooks::{use_location, use_params_map},
};
use serde::{Deserialize, Serialize};

use crate::{
    live::{Connection, Feed, use_feed},
    ui::{ErrorPage, Glyph, Icon, ToastShelf, Toasts},
};

pub use arrival::use_arrival;
#[cfg(feature = "ssr")]
pub use membership::Arrived;
pub use membership::{Membership, use_membership};
pub use palette::{set_single_keys, single_keys_on};
pub use projects::{ChooseProjectPage, NameAndSlug, NewProjectPage};

/// The theme a person chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// As the system has it.
    #[default]
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

impl Theme {
    /// The word in the form and in the cookie.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The attribute on the document; none leaves it to the system.
    #[must_use]
    pub const fn attribute(self) -> Option<&'static str> {
        match self {
            Self::System => None,
            Self::Light => Some("light"),
            Self::Dark => Some("dark"),
        }
    }

    /// From the cookie's word; anything else is as the system has it.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        match word {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }
}

/// How close rows stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Density {
    /// Rows of 32 pixels.
    #[default]
    Compact,
    /// Rows of 40 pixels.
    Roomy,
}

impl Density {
    /// The word in the form and in the cookie.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Compact => "compact",
            Self::Roomy => "roomy",
        }
    }

    /// The attribute on the document.
    #[must_use]
    pub const fn attribute(self) -> Option<&'static str> {
        match self {
            Self::Compact => None,
            Self::Roomy => Some("roomy"),
        }
    }

    /// From the cookie's word; anything else is compact.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        if word == "roomy" {
            Self::Roomy
        } else {
            Self::Compact
        }
    }
}

/// How a person wants the pages to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appearance {
    /// Light or dark.
    pub theme: Theme,
    /// Compact or roomy.
    pub density: Density,
}

/// What the request's cookie says; on the server only, the browser has the attributes already.
#[must_use]
pub fn appearance() -> Appearance {
    #[cfg(feature = "ssr")]
    return crate::context::request()
        .map(|request| request.appearance)
        .unwrap_or_default();
    #[cfg(not(feature = "ssr"))]
    Appearance::default()
}

/// The number of the request in the log, for the document and what fails in it; on the server only.
#[must_use]
pub fn request_id() -> Option<String> {
    #[cfg(feature = "ssr")]
    return crate::context::request()
        .ok()
        .map(|request| request.id.to_string());
    #[cfg(not(feature = "ssr"))]
    None
}

/// The address of the project one is in, as in `/p/<project>/…`.
#[must_use]
pub fn use_project() -> Memo<String> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get("project").unwrap_or_default()))
}

/// The frame around the pages of a project. Pages inside may call [`use_membership`], and
/// [`use_feed`], and [`crate::ui::use_toasts`].
///
/// The pages stand outside of any suspended view: what is made inside of one (a resource above
/// all) is made several times on the server, and the browser would not find it again.
#[component]
pub fn Frame() -> impl IntoView {
    let project = use_project();
    let membership = membership::arrived();
    match membership {
        Some(Ok(membership)) => {
            let loaded = membership.project.slug.clone();
            let (n_approvals, n_alerts) = (membership.n_approvals, membership.n_alerts);
            provide_context(Arc::new(membership));
            provide_context(Feed::follow(project));
            provide_context(waiting::Waiting::follow(n_approvals, n_alerts, project));
            provide_context(Toasts::new());
            arrival::watch();
            Effect::new(move |_| {
                if *project.read() != loaded {
                    load_document(&project.get_untracked());
                }
            });
            view! {
                <a class="skip" href="#main">"Skip to content"</a>
                <Shell/>
                <ToastShelf/>
            }
            .into_any()
        }
        Some(Err(error)) => view! { <Bare><ErrorPage error/></Bare> }.into_any(),
        None => {
            Effect::new(move |_| load_document(&project.get()));
            ().into_any()
        }
    }
}

/// Another project comes with another document, because the server says who one is there.
fn load_document(project: &str) {
    // Refused only by a browser that is leaving the page already.
    let _ = window().location().set_href(&format!("/p/{project}"));
}

/// The frame without rail and header, for errors and for pages outside of projects.
#[component]
pub fn Bare(
    /// The page.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="shell">
            <main class="main" id="main" tabindex="-1">
                <div class="page">{children()}</div>
            </main>
        </div>
    }
}

/// What no route answers. The server sets the status.
#[component]
pub fn NoSuchPage() -> impl IntoView {
    view! { <Bare><ErrorPage error=crate::error::UiError::NotFound("page".to_owned())/></Bare> }
}

#[component]
fn Shell() -> impl IntoView {
    let membership = use_membership();
    let path = use_location().pathname;
    let name = membership.project.name.clone();
    let crumbs = move || crumbs::crumbs(&name, &path.read());
    view! {
        <div class="shell">
            <rail::Rail/>
            <header class="topbar">
                <button
                    type="button" class="btn rail-open" data-kind="quiet" data-shape="icon"
                    popovertarget="rail" aria-label="Menu"
                >
                    <Icon glyph=Glyph::Menu/>
                </button>
                <nav class="crumbs" aria-label="Breadcrumb">
                    <ol>{move || crumbs().into_iter().map(crumbs::Crumb::view).collect_view()}</ol>
                </nav>
                <LivePill/>
                <button type="button" class="search-open" commandfor="palette" command="show-modal">
                    <Icon glyph=Glyph::Search/>
                    <span>"Search"</span>
                    <kbd>"Ctrl K"</kbd>
                    <span class="sr-only">" prompts, pages and actions"</span>
                </button>
            </header>
            <main class="main" id="main" tabindex="-1">
                <div class="page">
                    <Outlet/>
                </div>
            </main>
        </div>
        <palette::Palette/>
    }
}

/// Whether what is on screen follows the server; pressing it pauses. Nothing without script.
#[component]
fn LivePill() -> impl IntoView {
    let feed = use_feed();
    let state = feed.connection();
    let word = move || match state.get() {
        Connection::Off => "",
        Connection::Live => "live",
        Connection::Reconnecting => "reconnecting",
        Connection::Paused => "paused",
    };
    view! {
        <button
            type="button" class="live" data-state=word hidden=move || state.get() == Connection::Off
            title=move || if state.get() == Connection::Paused { "Go on showing changes" } else { "Pause showing changes" }
            aria-pressed=move || if state.get() == Connection::Paused { "true" } else { "false" }
            on:click=move |_| feed.toggle()
        >
            <span class="sr-only">"Pause updates: "</span>
            <span role="status">{word}</span>
        </button>
    }
}
