//! A message in the place it is about.

use leptos::prelude::*;

use super::{Glyph, Icon};

/// What a colour means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Done, or as it should be.
    Good,
    /// Failed.
    Bad,
    /// Deserves a look.
    Warn,
    /// Worth knowing.
    Info,
    /// An outline only; badges.
    Outline,
}

impl Tone {
    /// The word in `data-tone`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Outline => "outline",
        }
    }

    /// The icon that says the same without colour.
    #[must_use]
    pub const fn glyph(self) -> Glyph {
        match self {
            Self::Good => Glyph::Check,
            Self::Bad => Glyph::Error,
            Self::Warn => Glyph::Warn,
            Self::Info | Self::Outline => Glyph::Info,
        }
    }

    /// How urgently it is read out.
    const fn role(self) -> Option<&'static str> {
        match self {
            Self::Bad => Some("alert"),
            Self::Good => Some("status"),
            Self::Warn | Self::Info | Self::Outline => None,
        }
    }
}

/// A message: `<Banner tone=Tone::Warn title="The database is away"><p>"…"</p></Banner>`.
/// Bad ones are alerts, good ones are announced; children are block elements (`<p>`, `<ul>`).
#[component]
pub fn Banner(
    /// What it means.
    tone: Tone,
    /// The first line, in bold.
    #[prop(optional, into)]
    title: Option<String>,
    /// Buttons at the end.
    #[prop(optional, into)]
    actions: Option<ViewFnOnce>,
    /// The message.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="banner" data-tone=tone.word() role=tone.role()>
            <Icon glyph=tone.glyph()/>
            <div>
                {title.map(|title| view! { <strong>{title}</strong> })}
                {children()}
            </div>
            {actions.map(|actions| view! { <div class="row">{actions.run()}</div> })}
        </div>
    }
}
