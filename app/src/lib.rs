//! The face: every page of Cueline, rendered on the server and woken up in the browser.
//! [`App`] holds the route table, which is the site map.

// View types nest deeply; without erasure (see .cargo/config.toml) the compiler would need more still.
#![recursion_limit = "256"]

pub mod charts;
#[cfg(feature = "ssr")]
pub mod context;
pub mod error;
pub mod frame;
pub mod live;

mod advisor;
mod approvals;
mod audit;
mod calculators;
mod drift;
mod experiments;
mod home;
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
                <Route path=path!("/new-project") view=frame::NewProjectPage ssr=SsrMode::Async/>
                <ParentRoute path=path!("/p/:project") view=frame::Frame ssr=SsrMode::Async>
                    <Route path=path!("") view=home::HomePage/>
                    <Route path=path!("prompts") view=prompts::PromptsPage/>
                    <Route path=path!("new-prompt") view=prompts::NewPromptPage/>
                    <Route path=path!("prompts/*name") view=prompts::prompt::PromptPage/>
                    <Route path=path!("roll-back/*name") view=releases::RollBackPage/>
                    <Route path=path!("deployments/:id") view=releases::PropagationPage/>
                    <Route path=path!("suites") view=suites::SuitesPage/>
                    <Route path=path!("suites/:id") view=suites::SuitePage/>
                    <Route path=path!("runs") view=runs::RunsPage/>
                    <Route path=path!("runs/:id") view=runs::RunPage/>
                    <Route path=path!("experiments") view=experiments::ExperimentsPage/>
                    <Route path=path!("experiments/:id") view=experiments::ExperimentPage/>
                    <Route path=path!("new-experiment") view=experiments::NewExperimentPage/>
                    <Route path=path!("approvals") view=approvals::ApprovalsPage/>
                    <Route path=path!("approvals/:id") view=approvals::ReviewPage/>
                    <Route path=path!("drift") view=drift::DriftPage/>
                    <Route path=path!("drift/*name") view=drift::DriftOfPromptPage/>
                    <Route path=path!("advisor") view=advisor::AdvisorPage/>
                    <Route path=path!("calculators") view=calculators::CalculatorsPage/>
                    <Route path=path!("audit") view=audit::AuditPage/>
                    <Route path=path!("audit/:sequence") view=audit::EntryPage/>
                    <Route path=path!("settings") view=settings::MembersPage/>
                    <Route path=path!("settings/keys") view=settings::KeysPage/>
                    <Route path=path!("settings/providers") view=settings::ProvidersPage/>
                    <Route path=path!("settings/environments") view=settings::EnvironmentsPage/>
                    <Route path=path!("settings/profile") view=settings::ProfilePage/>
                </ParentRoute>
            </Routes>
        </Router>
    }
}
