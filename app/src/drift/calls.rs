//! What the pages of drift ask of the server.

use leptos::{prelude::*, server_fn::codec::PostUrl};

use super::shapes::{DetailView, DriftView};
use crate::error::UiError;

#[cfg(feature = "ssr")]
use super::gather;
#[cfg(feature = "ssr")]
use crate::context;

/// Every prompt that serves production, or those in one state.
#[server(input = PostUrl)]
pub async fn load_drift(
    project: String,
    #[server(default)] state: String,
) -> Result<DriftView, UiError> {
    let cx = context::member(&project).await?;
    gather::list(&cx, &state).await
}

/// One prompt with its checks, its inputs and its schedule.
#[server(input = PostUrl)]
pub async fn load_drift_of(project: String, name: String) -> Result<DetailView, UiError> {
    let cx = context::member(&project).await?;
    gather::detail(&cx, &name).await
}

/// Checks a prompt now.
#[server]
pub async fn run_drift_check(project: String, prompt: String) -> Result<(), UiError> {
    let cx = context::member(&project).await?;
    let name = gather::name(&prompt)?;
    store::drift::run_now(&cx.store, &cx.actor, &name, cx.now).await?;
    Ok(())
}

/// Sets when a prompt is looked after.
#[server]
pub async fn set_drift_schedule(
    project: String,
    prompt: String,
    cron: String,
    time_zone: String,
    jitter_minutes: String,
    #[server(default)] enabled: bool,
) -> Result<(), UiError> {
    let cx = context::member(&project).await?;
    let name = gather::name(&prompt)?;
    let schedule = gather::schedule(&cron, &time_zone, &jitter_minutes, enabled)?;
    store::drift::set_schedule(&cx.store, &cx.actor, &name, &schedule, cx.now).await?;
    Ok(())
}
