//! What client commands share: where the server is, with which key, and how answers are read.

use std::time::Duration;

use anyhow::Context;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

/// A client that sends the key with every request.
pub fn http(key: &str) -> anyhow::Result<reqwest::Client> {
    // Refused only where one is installed already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut bearer = HeaderValue::try_from(format!("Bearer {key}"))
        .context("the key must be visible ASCII characters")?;
    bearer.set_sensitive(true);
    Ok(reqwest::Client::builder()
        .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]))
        .user_agent(concat!("cueline/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .build()?)
}
