//! The monitor's address: the window, the environment, the versions side by side.

use domain::monitor::window::Window;
use leptos_router::params::ParamsMap;
use serde::{Deserialize, Serialize};

use crate::prompts::links::{prompt, with_query};

/// What is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// How far back, as a window's word.
    #[serde(default)]
    pub window: String,
    /// One environment; empty: all.
    #[serde(default)]
    pub environment: String,
    /// A version's number; empty: all together.
    #[serde(default)]
    pub version: String,
    /// Another's, beside it.
    #[serde(default)]
    pub beside: String,
}

impl Query {
    /// Reads an address. One that names no environment means production; `all` means all.
    pub fn read(params: &ParamsMap) -> Self {
        let text = |name| params.get(name).unwrap_or_default().trim().to_owned();
        Self {
            window: text("window"),
            environment: text("environment"),
            version: text("version"),
            beside: text("beside"),
        }
    }

    /// The window.
    pub fn window(&self) -> Window {
        Window::from_word(&self.window)
    }

    /// The same through another window.
    pub fn through(&self, window: Window) -> Self {
        Self {
            window: window.word().to_owned(),
            ..self.clone()
        }
    }
}

/// The tab in a state.
pub fn monitor(project: &str, name: &str, query: &Query) -> String {
    with_query(
        prompt(project, name),
        &[
            ("tab", "monitor"),
            ("window", &query.window),
            ("environment", &query.environment),
            ("version", &query.version),
            ("beside", &query.beside),
        ],
    )
}
