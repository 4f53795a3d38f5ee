//! What the advisor asks of the server.

use leptos::{prelude::*, server_fn::codec::PostUrl};

use crate::error::UiError;

#[cfg(feature = "ssr")]
use crate::context;

/// The address this server is reached under, for a link that leaves it.
#[server(input = PostUrl)]
pub async fn load_home(project: String) -> Result<String, UiError> {
    let cx = context::member(&project).await?;
    Ok(cx.public_url.to_string())
}
