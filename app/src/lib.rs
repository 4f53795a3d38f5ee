//! The face: every page of Cueline, rendered on the server and woken up in the browser.
//! [`App`] holds the route table, which is the site map.

// View types nest deeply; without erasure (see .cargo/config.toml) the compiler would need more still.
#![recursion_limit = "256"]

#[cfg(feature = "ssr")]
pub mod context;
pub mod error;
pub mod frame;
mod sign_in;

use leptos::prelude::*;
use leptos_meta::{MetaTags, Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{Route, Router, Routes},
    path,
};

/// The document around every page. Rendered on the server only.
#[must_use]
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let appearance = frame::appearance();
    let stylesheet = format!("/{}/{}.css", options.site_pkg_dir, options.output_name);
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=appearance.theme.attribute() data-density=appearance.density.attribute()>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <link rel="stylesheet" href=stylesheet/>
                <HydrationScripts options/>
                <MetaTags/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}

/// The site map.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Title formatter=|title: String| if title.is_empty() { "Cueline".to_owned() } else { format!("{title} · Cueline") }/>
        <Router>
            <Routes fallback=|| "There is no such page.">
                // Async: the whole page is there before the first byte, so it works without script.
                <Route path=path!("/sign-in") view=sign_in::SignInPage ssr=SsrMode::Async/>
            </Routes>
        </Router>
    }
}
