//! Pages that come late: their code is in files of its own, which the browser gets when it first
//! needs them. On the server, and once they are there, these pages are like any other.
//!
//! A new page is a variant beside the pages it shares most with. A new file costs more than it seems:
//! what two files both use is in a third, and so on for every combination of them.

#![expect(
    clippy::unnecessary_wraps,
    reason = "what is in another file may fail to arrive"
)]

#[cfg(feature = "ssr")]
mod announce;

use std::future::pending;

use leptos::prelude::*;
use leptos_router::{ChooseView, hooks::use_url, location::Url};
use wasm_split_helpers::{SplitLoaderError, wasm_split};

#[cfg(feature = "ssr")]
pub use announce::LateFiles;

use crate::{
    advisor, alerts, approvals, audit, calculators, drift, experiments, frame, prompts, releases,
    runs, settings, suites,
};

/// The script that gets the files, under the name that `cargo leptos --split` gives it as well.
pub const LOADER: &str = "__wasm_split.______________________.js";

/// A prompt, what is released of it and what waits to be. The editor in it is a file of its own again.
#[derive(Clone, Copy, Debug)]
pub enum Prompts {
    New,
    Prompt,
    RollBack,
    Propagation,
    Approvals,
    Review,
}

#[wasm_split(prompts, preload(load_prompts), fallible)]
fn show_prompts(page: Prompts) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Prompts::New => view! { <prompts::NewPromptPage/> }.into_any(),
        Prompts::Prompt => view! { <prompts::prompt::PromptPage/> }.into_any(),
        Prompts::RollBack => view! { <releases::RollBackPage/> }.into_any(),
        Prompts::Propagation => view! { <releases::PropagationPage/> }.into_any(),
        Prompts::Approvals => view! { <approvals::ApprovalsPage/> }.into_any(),
        Prompts::Review => view! { <approvals::ReviewPage/> }.into_any(),
    })
}

impl ChooseView for Prompts {
    async fn preload(&self) {
        loaded("prompts", load_prompts().await).await;
    }

    async fn choose(self) -> AnyView {
        shown(show_prompts(self).await).await
    }
}

/// What versions are tried on, how they did, and whether they still do.
#[derive(Clone, Copy, Debug)]
pub enum Evals {
    Suites,
    Suite,
    Runs,
    Run,
    Drift,
    DriftOfPrompt,
}

#[wasm_split(evals, preload(load_evals), fallible)]
fn show_evals(page: Evals) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Evals::Suites => view! { <suites::SuitesPage/> }.into_any(),
        Evals::Suite => view! { <suites::SuitePage/> }.into_any(),
        Evals::Runs => view! { <runs::RunsPage/> }.into_any(),
        Evals::Run => view! { <runs::RunPage/> }.into_any(),
        Evals::Drift => view! { <drift::DriftPage/> }.into_any(),
        Evals::DriftOfPrompt => view! { <drift::DriftOfPromptPage/> }.into_any(),
    })
}

impl ChooseView for Evals {
    async fn preload(&self) {
        loaded("evals", load_evals().await).await;
    }

    async fn choose(self) -> AnyView {
        shown(show_evals(self).await).await
    }
}

/// What is tried on people, and the arithmetic behind it.
#[derive(Clone, Copy, Debug)]
pub enum Experiments {
    List,
    Experiment,
    New,
    Calculators,
    Advisor,
}

#[wasm_split(experiments, preload(load_experiments), fallible)]
fn show_experiments(page: Experiments) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Experiments::List => view! { <experiments::ExperimentsPage/> }.into_any(),
        Experiments::Experiment => view! { <experiments::ExperimentPage/> }.into_any(),
        Experiments::New => view! { <experiments::NewExperimentPage/> }.into_any(),
        Experiments::Calculators => view! { <calculators::CalculatorsPage/> }.into_any(),
        Experiments::Advisor => view! { <advisor::AdvisorPage/> }.into_any(),
    })
}

impl ChooseView for Experiments {
    async fn preload(&self) {
        loaded("experiments", load_experiments().await).await;
    }

    async fn choose(self) -> AnyView {
        shown(show_experiments(self).await).await
    }
}

/// Who may do what, who did what, and what people hear of.
#[derive(Clone, Copy, Debug)]
pub enum Administration {
    Alerts,
    Alert,
    Trail,
    Entry,
    Members,
    Keys,
    Providers,
    Prices,
    Environments,
    AlertRules,
    Webhooks,
    Webhook,
    Profile,
    NewProject,
}

#[wasm_split(administration, preload(load_administration), fallible)]
fn show_administration(page: Administration) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Administration::Alerts => view! { <alerts::AlertsPage/> }.into_any(),
        Administration::Alert => view! { <alerts::AlertPage/> }.into_any(),
        Administration::Trail => view! { <audit::AuditPage/> }.into_any(),
        Administration::Entry => view! { <audit::EntryPage/> }.into_any(),
        Administration::Members => view! { <settings::MembersPage/> }.into_any(),
        Administration::Keys => view! { <settings::KeysPage/> }.into_any(),
        Administration::Providers => view! { <settings::ProvidersPage/> }.into_any(),
        Administration::Prices => view! { <settings::PricesPage/> }.into_any(),
        Administration::Environments => view! { <settings::EnvironmentsPage/> }.into_any(),
        Administration::AlertRules => view! { <settings::AlertRulesPage/> }.into_any(),
        Administration::Webhooks => view! { <settings::WebhooksPage/> }.into_any(),
        Administration::Webhook => view! { <settings::WebhookPage/> }.into_any(),
        Administration::Profile => view! { <settings::ProfilePage/> }.into_any(),
        Administration::NewProject => view! { <frame::NewProjectPage/> }.into_any(),
    })
}

impl ChooseView for Administration {
    async fn preload(&self) {
        loaded("administration", load_administration().await).await;
    }

    async fn choose(self) -> AnyView {
        shown(show_administration(self).await).await
    }
}

/// Goes on when the file is there. On the server it always is.
///
/// When it cannot be had (the server may be another version by now) the address is asked for as a
/// document of its own; and one that just arrived stays as the server wrote it, as without script.
async fn loaded(file: &'static str, result: Result<(), SplitLoaderError>) {
    #[cfg(feature = "ssr")]
    announce::in_the_header(file);
    #[cfg(not(feature = "ssr"))]
    let _ = file;
    if result.is_ok() {
        return;
    }
    let is_new = Owner::current_shared_context().is_some_and(|shared| shared.during_hydration());
    if !is_new {
        let address = use_url().with_untracked(address);
        // Refused only by a browser that is leaving the page already.
        let _ = window().location().set_href(&address);
    }
    pending::<()>().await;
}

fn address(url: &Url) -> String {
    let mut address = url.path().to_owned();
    if !url.search().is_empty() {
        address.push('?');
        address.push_str(url.search());
    }
    address.push_str(url.hash());
    address
}

/// The router asks for a page after [`loaded`] only.
async fn shown(page: Result<AnyView, SplitLoaderError>) -> AnyView {
    match page {
        Ok(page) => page,
        Err(_) => pending().await,
    }
}
