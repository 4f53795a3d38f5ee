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
