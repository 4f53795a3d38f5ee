//! What the monitor asks of the server.

use leptos::{prelude::*, server_fn::codec::PostUrl};

use super::{links::Query, shapes::MonitorView};
use crate::error::UiError;

/// A prompt's traffic in a window.
#[server(input = PostUrl)]
pub async fn load_monitor(
    project: String,
    name: String,
    query: Query,
) -> Result<MonitorView, UiError> {
    let cx = crate::context::member(&project).await?;
    super::gather::view(&cx, &name, query).await
}

/// Puts a call that was kept into a suite: what it was filled with, and what was written as what is
/// expected. Whoever adds it looks at it there.
#[server]
pub async fn add_sample(project: String, sample: String, suite: String) -> Result<(), UiError> {
    let cx = crate::context::member(&project).await?;
    let suite = super::kept::add_sample(&cx, &sample, &suite).await?;
    leptos_axum::redirect(&crate::runs::links::suite(&cx.project.slug, &suite));
    Ok(())
}

/// Says what of calls is kept. The share comes in percent, as typed.
#[server]
pub async fn set_sampling(project: String, share: String, patterns: String) -> Result<(), UiError> {
    let cx = crate::context::member(&project).await?;
    let sampling =
        domain::monitor::sampling::Sampling::parse(&share, &patterns).map_err(UiError::Invalid)?;
    Ok(store::sampling::set(&cx.store, &cx.actor, &sampling, cx.now).await?)
}
