//! What stands around every page: rail, header, menus; and how a person wants it to look.

use leptos::prelude::*;
use leptos_router::{components::Outlet, hooks::use_params_map};
use serde::{Deserialize, Serialize};

use crate::live::Feed;

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

/// The address of the project one is in, as in `/p/<project>/…`.
#[must_use]
pub fn use_project() -> Memo<String> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get("project").unwrap_or_default()))
}

/// The frame around the pages of a project.
#[component]
pub fn Frame() -> impl IntoView {
    provide_context(Feed::new());
    view! {
        <a class="skip" href="#main">"Skip to content"</a>
        <div class="shell">
            <main class="main" id="main" tabindex="-1">
                <div class="page">
                    <Outlet/>
                </div>
            </main>
        </div>
    }
}

/// `/`: leads to the project one has, or lets one choose.
#[component]
pub fn ChooseProjectPage() -> impl IntoView {
    view! { <h1>"Projects"</h1> }
}

/// Creates a project.
#[component]
pub fn NewProjectPage() -> impl IntoView {
    view! { <h1>"New project"</h1> }
}
