//! What stands around every page: rail, header, menus; and how a person wants it to look.

use serde::{Deserialize, Serialize};

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
