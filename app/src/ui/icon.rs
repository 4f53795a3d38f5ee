//! The icons: 16 by 16, drawn with the text's colour, always beside words or on a labelled button.

use leptos::prelude::*;

/// Which icon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyph {
    /// A house.
    Overview,
    /// A speech bubble with lines.
    Prompts,
    /// Runs.
    Runs,
    /// Audit.
    Audit,
    /// Settings.
    Settings,
    /// Search.
    Search,
    /// Copy.
    Copy,
    /// Check.
    Check,
    /// Close.
    Close,
    /// Chevron down.
    ChevronDown,
    /// Chevron right.
    ChevronRight,
    /// Chevron left.
    ChevronLeft,
    /// Up and down: a choice opens.
    Chevrons,
    /// Plus.
    Plus,
    /// Three dots: more to choose from.
    More,
    /// Back to what was there before.
    RollBack,
    /// Arrow right.
    ArrowRight,
    /// Arrow up.
    ArrowUp,
    /// Arrow down.
    ArrowDown,
    /// Folder.
    Folder,
    /// User.
    User,
    /// Users.
    Users,
    /// Key.
    Key,
    /// Lock.
    Lock,
    /// Layers.
    Layers,
    /// Sun.
    Sun,
    /// Moon.
    Moon,
    /// As the system has it.
    Monitor,
    /// Sign out.
    SignOut,
    /// Info.
    Info,
    /// Warn.
    Warn,
    /// Error.
    Error,
    /// Clock.
    Clock,
    /// Trash.
    Trash,
    /// Edit.
    Edit,
    /// Menu.
    Menu,
    /// Download.
    Download,
    /// Bolt.
    Bolt,
    /// Compare.
    Compare,
    /// An application that listens.
    Client,
    /// Upwards against a line.
    Promote,
    /// Shield.
    Shield,
    /// A line that sinks below a level.
    Drift,
    /// A flask.
    Experiments,
    /// A pocket calculator.
    Calculator,
    /// A question.
    Advisor,
    /// A bell.
    Bell,
}

impl Glyph {
    /// What is drawn inside the `<svg>`.
    #[expect(clippy::too_many_lines, reason = "a line or two for each")]
    const fn shape(self) -> &'static str {
        match self {
            Self::Overview => r#"<path d="M2.5 8 8 2.75 13.5 8M4.25 6.75v6.5h7.5v-6.5"/>"#,
            Self::Prompts => {
                r#"<path d="M2.5 3.25h11v8H7.25L4.5 13.5v-2.25h-2zM5.25 6h5.5M5.25 8.5h3.5"/>"#
            }
            Self::Runs => r#"<path d="M4.75 3.25v9.5L12.5 8z"/>"#,
            Self::Audit => r#"<path d="M3.5 2.5h9v11h-9zM6 5.5h4M6 8h4M6 10.5h2"/>"#,
            Self::Settings => {
                r#"<path d="M2.25 5h6M12 5h1.75M2.25 11H4M7.75 11h6"/><circle cx="10.1" cy="5" r="1.85"/><circle cx="5.9" cy="11" r="1.85"/>"#
            }
            Self::Search => r#"<circle cx="7" cy="7" r="4.25"/><path d="m10.25 10.25 3.25 3.25"/>"#,
            Self::Copy => {
                r#"<rect x="5.5" y="5.5" width="8" height="8" rx="1.5"/><path d="M10.5 5.5V4A1.5 1.5 0 0 0 9 2.5H4A1.5 1.5 0 0 0 2.5 4v5A1.5 1.5 0 0 0 4 10.5h1.5"/>"#
            }
            Self::Check => r#"<path d="M3 8.5l3.25 3.25L13 4.75"/>"#,
            Self::Close => r#"<path d="m4 4 8 8M12 4l-8 8"/>"#,
            Self::ChevronDown => r#"<path d="m4 6 4 4 4-4"/>"#,
            Self::ChevronRight => r#"<path d="m6 4 4 4-4 4"/>"#,
            Self::ChevronLeft => r#"<path d="M10 4 6 8l4 4"/>"#,
            Self::Chevrons => r#"<path d="m5 6 3-3 3 3M5 10l3 3 3-3"/>"#,
            Self::Plus => r#"<path d="M8 3v10M3 8h10"/>"#,
            Self::More => {
                r#"<circle data-fill="" cx="3.25" cy="8" r="1.2"/><circle data-fill="" cx="8" cy="8" r="1.2"/><circle data-fill="" cx="12.75" cy="8" r="1.2"/>"#
            }
            Self::RollBack => {
                r#"<path d="M5.5 2.75 2.5 5.75l3 3M2.5 5.75H9.75a3.75 3.75 0 0 1 0 7.5H5.5"/>"#
            }
            Self::ArrowRight => r#"<path d="M3 8h10M9 4l4 4-4 4"/>"#,
            Self::ArrowUp => r#"<path d="M8 13V3M4 7l4-4 4 4"/>"#,
            Self::ArrowDown => r#"<path d="M8 3v10M4 9l4 4 4-4"/>"#,
            Self::Folder => {
                r#"<path d="M2 4.25c0-.4.35-.75.75-.75h3.1L7.5 5.25h5.75c.4 0 .75.35.75.75v6.25c0 .4-.35.75-.75.75H2.75a.75.75 0 0 1-.75-.75z"/>"#
            }
            Self::User => {
                r#"<circle cx="8" cy="5.25" r="2.5"/><path d="M3 13.5c.5-2.75 2.5-4 5-4s4.5 1.25 5 4"/>"#
            }
            Self::Users => {
                r#"<circle cx="6" cy="5.5" r="2.25"/><path d="M1.75 13c.4-2.4 2.1-3.5 4.25-3.5s3.85 1.1 4.25 3.5M10.25 3.4a2.25 2.25 0 0 1 0 4.2M11.75 9.75c1.4.45 2.3 1.5 2.6 3.25"/>"#
            }
            Self::Key => {
                r#"<circle cx="5.25" cy="10.75" r="2.75"/><path d="M7.25 8.75 13 3M11 5l1.75 1.75M9.25 6.75l1.25 1.25"/>"#
            }
            Self::Lock => {
                r#"<rect x="3.5" y="7" width="9" height="6.5" rx="1"/><path d="M5.5 7V5a2.5 2.5 0 0 1 5 0v2"/>"#
            }
            Self::Layers => r#"<path d="M8 2.5 14 5.75 8 9 2 5.75zM2 9l6 3.25L14 9"/>"#,
            Self::Sun => {
                r#"<circle cx="8" cy="8" r="2.75"/><path d="M8 1.5v1.25M8 13.25v1.25M1.5 8h1.25M13.25 8h1.25M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9"/>"#
            }
            Self::Moon => {
                r#"<path d="M13.25 9.75A5.75 5.75 0 0 1 6.25 2.75a5.75 5.75 0 1 0 7 7z"/>"#
            }
            Self::Monitor => {
                r#"<rect x="2" y="3" width="12" height="8" rx="1"/><path d="M6 13.5h4"/>"#
            }
            Self::SignOut => {
                r#"<path d="M6.5 2.75h-3.5v10.5h3.5M7 8h6.5M10.75 5.25 13.5 8l-2.75 2.75"/>"#
            }
            Self::Info => {
                r#"<circle cx="8" cy="8" r="5.75"/><path d="M8 7.5v3.25"/><circle data-fill="" cx="8" cy="5.25" r=".85"/>"#
            }
            Self::Warn => {
                r#"<path d="M8 2.5 14.25 13.25H1.75zM8 6.5v3"/><circle data-fill="" cx="8" cy="11.25" r=".8"/>"#
            }
            Self::Error => {
                r#"<path d="M5.5 2.25h5l3.25 3.25v5l-3.25 3.25h-5L2.25 10.5v-5zM8 5.25v3.5"/><circle data-fill="" cx="8" cy="10.75" r=".85"/>"#
            }
            Self::Clock => r#"<circle cx="8" cy="8" r="5.75"/><path d="M8 4.75V8l2.25 1.5"/>"#,
            Self::Trash => {
                r#"<path d="M2.75 4.25h10.5M6 4.25V2.5h4v1.75M4 4.25l.6 9.25h6.8l.6-9.25"/>"#
            }
            Self::Edit => {
                r#"<path d="M10.75 2.75l2.5 2.5-7.5 7.5-3.25.75.75-3.25zM9.25 4.25l2.5 2.5"/>"#
            }
            Self::Menu => r#"<path d="M2.5 4.25h11M2.5 8h11M2.5 11.75h11"/>"#,
            Self::Download => r#"<path d="M8 2.5v7.75M4.75 7 8 10.25 11.25 7M2.75 13.25h10.5"/>"#,
            Self::Bolt => r#"<path d="M9 1.75 3.5 9h4l-.5 5.25L12.5 7h-4z"/>"#,
            Self::Compare => {
                r#"<path d="M5.75 2.75v10.5M10.25 2.75v10.5M5.75 5h-3v6h3M10.25 5h3v6h-3"/>"#
            }
            Self::Bell => {
                r#"<path d="M3.5 11.25h9M4.75 11.25V7a3.25 3.25 0 0 1 6.5 0v4.25M8 2.25v1.5M6.75 13.25h2.5"/>"#
            }
            Self::Client => {
                r#"<circle data-fill="" cx="8" cy="11.75" r="1.1"/><path d="M5.25 9a3.9 3.9 0 0 1 5.5 0M2.75 6.4a7.4 7.4 0 0 1 10.5 0"/>"#
            }
            Self::Promote => r#"<path d="M8 13.25V5.5M4.75 8.5 8 5.25l3.25 3.25M3.5 2.5h9"/>"#,
            Self::Experiments => {
                r#"<path d="M6.25 2.25h3.5M7 2.25v4L3.25 12.5a.85.85 0 0 0 .75 1.25h8a.85.85 0 0 0 .75-1.25L9 6.25v-4M5 10.25h6"/>"#
            }
            Self::Drift => {
                r#"<path d="M2 5.25h12M2.25 3.5c2 0 2.5 3.75 4.75 3.75S10 6 11 8.5s1.25 4 2.75 4"/>"#
            }
            Self::Calculator => {
                r#"<rect x="3.25" y="2" width="9.5" height="12" rx="1.5"/><path d="M5.75 4.75h4.5M5.75 8h.01M8 8h.01M10.25 8h.01M5.75 11h.01M8 11h.01M10.25 11h.01"/>"#
            }
            Self::Advisor => {
                r#"<circle cx="8" cy="8" r="5.75"/><path d="M6.25 6.25a1.75 1.75 0 1 1 2.6 1.55c-.6.35-.85.7-.85 1.35M8 11.25h.01"/>"#
            }
            Self::Shield => {
                r#"<path d="M8 1.75 13 3.5v4.25c0 3-2 5.25-5 6.5-3-1.25-5-3.5-5-6.5V3.5zM5.75 8l1.6 1.6 3-3.1"/>"#
            }
        }
    }
}

/// How big an icon is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IconSize {
    /// As high as a line.
    #[default]
    Text,
    /// For empty states.
    Large,
}

impl IconSize {
    const fn word(self) -> Option<&'static str> {
        match self {
            Self::Text => None,
            Self::Large => Some("large"),
        }
    }
}

/// An icon: decoration, hidden from those who listen.
#[component]
pub fn Icon(
    /// Which one.
    glyph: Glyph,
    /// How big.
    #[prop(optional)]
    size: IconSize,
) -> impl IntoView {
    view! { <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" data-size=size.word() inner_html=glyph.shape()></svg> }
}

/// The mark of Cueline.
#[component]
pub fn Mark(
    /// How big.
    #[prop(optional)]
    size: IconSize,
) -> impl IntoView {
    const SHAPE: &str = r#"<rect class="mark-ground" width="24" height="24" rx="6"/><path class="mark-line" d="M16 5.5v13"/><path class="mark-line" data-fill="" d="M7 8.25 12 12l-5 3.75z"/>"#;
    view! { <svg class="mark" viewBox="0 0 24 24" aria-hidden="true" data-size=size.word() inner_html=SHAPE></svg> }
}
