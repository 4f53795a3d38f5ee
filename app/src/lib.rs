//! The face: every page of Cueline, rendered on the server and woken up in the browser.
//! [`App`] holds the route table, which is the site map.

// View types nest deeply; without erasure (see .cargo/config.toml) the compiler would need more still.
#![recursion_limit = "256"]

pub mod charts;
#[cfg(feature = "ssr")]
pub mod context;
pub mod error;
pub mod frame;
pub mod late;
pub mod live;

mod advisor;
mod alerts;
mod approvals;
mod audit;
mod calculators;
mod costs;
mod drift;
mod experiments;
mod home;
mod monitor;
mod prompts;
mod releases;
mod runs;
mod settings;
mod sign_in;
mod suites;
mod ui;

use leptos::prelude::*;
use leptos_meta::{MetaTags, Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{ParentRoute, Route, Router, Routes},
    path,
};

/// The document around every page. Rendered on the server only.
#[must_use]
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let appearance = frame::appearance();
    let stylesheet = format!("/{}/{}.css", options.site_pkg_dir, options.output_name);
    let loader = format!("/{}/{}", options.site_pkg_dir, late::LOADER);
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=appearance.theme.attribute() data-density=appearance.density.attribute()>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="request-id" content=frame::request_id()/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <link rel="stylesheet" href=stylesheet/>
                // What the script imports first; named here, it comes along instead of afterwards.
                <link rel="modulepreload" href=loader/>
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
            <Routes fallback=|| view! { <frame::NoSuchPage/> }>
                // Async: the whole page is there before the first byte, so it works without script.
                <Route path=path!("/sign-in") view=sign_in::SignInPage ssr=SsrMode::Async/>
                <Route path=path!("/set-up/:token") view=sign_in::SetUpPage ssr=SsrMode::Async/>
                <Route path=path!("/") view=frame::ChooseProjectPage ssr=SsrMode::Async/>
                <Route path=path!("/new-project") view=late::Administration::NewProject ssr=SsrMode::Async/>
                <ParentRoute path=path!("/p/:project") view=frame::Frame ssr=SsrMode::Async>
                    <Route path=path!("") view=home::HomePage/>
                    <Route path=path!("prompts") view=prompts::PromptsPage/>
                    <Route path=path!("new-prompt") view=late::Prompts::New/>
                    <Route path=path!("prompts/*name") view=late::Prompts::Prompt/>
                    <Route path=path!("roll-back/*name") view=late::Prompts::RollBack/>
                    <Route path=path!("deployments/:id") view=late::Prompts::Propagation/>
                    <Route path=path!("suites") view=late::Evals::Suites/>
                    <Route path=path!("suites/:id") view=late::Evals::Suite/>
                    <Route path=path!("runs") view=late::Evals::Runs/>
                    <Route path=path!("runs/:id") view=late::Evals::Run/>
                    <Route path=path!("experiments") view=late::Experiments::List/>
                    <Route path=path!("experiments/:id") view=late::Experiments::Experiment/>
                    <Route path=path!("new-experiment") view=late::Experiments::New/>
                    <Route path=path!("approvals") view=late::Prompts::Approvals/>
                    <Route path=path!("approvals/:id") view=late::Prompts::Review/>
                    <Route path=path!("drift") view=late::Evals::Drift/>
                    <Route path=path!("drift/*name") view=late::Evals::DriftOfPrompt/>
                    <Route path=path!("alerts") view=late::Administration::Alerts/>
                    <Route path=path!("alerts/:id") view=late::Administration::Alert/>
                    <Route path=path!("advisor") view=late::Experiments::Advisor/>
                    <Route path=path!("calculators") view=late::Experiments::Calculators/>
                    <Route path=path!("audit") view=late::Administration::Trail/>
                    <Route path=path!("audit/:sequence") view=late::Administration::Entry/>
                    <Route path=path!("settings") view=late::Administration::Members/>
                    <Route path=path!("settings/keys") view=late::Administration::Keys/>
                    <Route path=path!("settings/providers") view=late::Administration::Providers/>
                    <Route path=path!("settings/prices") view=late::Administration::Prices/>
                    <Route path=path!("settings/environments") view=late::Administration::Environments/>
                    <Route path=path!("settings/alerts") view=late::Administration::AlertRules/>
                    <Route path=path!("settings/webhooks") view=late::Administration::Webhooks/>
                    <Route path=path!("settings/webhooks/:id") view=late::Administration::Webhook/>
                    <Route path=path!("settings/profile") view=late::Administration::Profile/>
                </ParentRoute>
            </Routes>
        </Router>
    }
}
