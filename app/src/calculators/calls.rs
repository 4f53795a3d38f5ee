//! What the calculators ask of the server: prices, and nothing else.

use domain::cost::Price;
use leptos::{prelude::*, server_fn::codec::PostUrl};

use crate::error::UiError;

#[cfg(feature = "ssr")]
use crate::context;

/// The prices that hold now, one row a model.
#[server(input = PostUrl)]
pub async fn load_prices(project: String) -> Result<Vec<Price>, UiError> {
    let cx = context::member(&project).await?;
    Ok(store::prices::at(&cx.store, cx.actor.project, cx.now).await?)
}
