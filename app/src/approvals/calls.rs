//! What the approval pages ask of the server.

use chrono::{DateTime, Utc};
use domain::{
    cache::estimate::Estimate,
    release::{FullPromotion, Promotion},
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{costs::Asked, error::UiError, prompts::Comparison};

/// The queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Queue {
    /// One page of promotions, newest first.
    pub promotions: Vec<Promotion>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
    /// When this was read.
    pub now: DateTime<Utc>,
}

/// Open promotions, or all.
#[server]
pub async fn load_queue(
    project: String,
    is_all: bool,
    cursor: Option<String>,
) -> Result<Queue, UiError> {
    use domain::page::PageRequest;
    use store::promotions::{Filter, list};

    let cx = crate::context::member(&project).await?;
    let page = PageRequest::parse(None, cursor.as_deref())
        .map_err(|error| UiError::Refused(error.to_string()))?;
    let filter = Filter {
        prompt: None,
        is_open: !is_all,
    };
    let found = list(&cx.store, &cx.actor, filter, &page, cx.now).await?;
    Ok(Queue {
        promotions: found.items,
        next_cursor: found.next_cursor,
        now: cx.now,
    })
}

/// Everything a lead decides on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Review {
    /// The promotion with its evidence.
    pub promotion: FullPromotion,
    /// What changes against what serves now; none when nothing does.
    pub comparison: Option<Comparison>,
    /// What the version's author wrote about it.
    pub change_description: String,
    /// What the change costs in cache misses.
    pub cost: Estimate,
    /// Why going live takes a yes to the cost; none: it does not.
    pub objection: Option<String>,
    /// The quietest hour of this prompt here, in words, or why there is none.
    pub quietest: Result<String, String>,
    /// Why the one who looks cannot approve; none: they can.
    pub cannot_approve: Option<String>,
    /// Clients that would switch.
    pub n_clients: i64,
    /// When this was read.
    pub now: DateTime<Utc>,
}

/// One promotion with everything it is decided on.
#[server]
pub async fn load_review(
    project: String,
    id: String,
    #[server(default)] asked: Asked,
) -> Result<Review, UiError> {
    super::gather::review(&project, &id, asked).await
}

/// Approves what was looked at.
#[server]
pub async fn approve(
    project: String,
    id: String,
    comment: String,
    evidence: String,
) -> Result<(), UiError> {
    let (cx, id) = super::gather::promotion(&project, &id).await?;
    let seen = Some(evidence.as_str());
    store::promotions::approve(&cx.store, &cx.actor, id, &comment, seen, cx.now).await?;
    Ok(())
}

/// Rejects, with a reason.
#[server]
pub async fn reject(project: String, id: String, reason: String) -> Result<(), UiError> {
    let (cx, id) = super::gather::promotion(&project, &id).await?;
    store::promotions::reject(&cx.store, &cx.actor, id, &reason, cx.now).await?;
    Ok(())
}

/// Takes the request back.
#[server]
pub async fn cancel(project: String, id: String) -> Result<(), UiError> {
    let (cx, id) = super::gather::promotion(&project, &id).await?;
    store::promotions::cancel(&cx.store, &cx.actor, id, "", cx.now).await?;
    Ok(())
}

/// Says something.
#[server]
pub async fn comment(project: String, id: String, text: String) -> Result<(), UiError> {
    let (cx, id) = super::gather::promotion(&project, &id).await?;
    store::promotions::comment(&cx.store, &cx.actor, id, &text, cx.now).await?;
    Ok(())
}

/// Makes it serve, now, at a moment given as `2026-03-14T09:00` in UTC, or in the quietest hour, and
/// leads to where one watches it arrive.
#[server]
pub async fn execute(
    project: String,
    id: String,
    #[server(default)] at: String,
    #[server(default)] quietest: Option<String>,
    #[server(default)] accept_cache_cost: Option<String>,
) -> Result<(), UiError> {
    use store::promotions::{At, Terms};

    let (cx, id) = super::gather::promotion(&project, &id).await?;
    let at = match quietest {
        Some(_) => At::Quietest,
        None => super::gather::when(&at)?,
    };
    let terms = Terms {
        at,
        accept_cache_cost: accept_cache_cost.is_some(),
        ..Terms::default()
    };
    let done = store::promotions::execute_on(&cx.store, &cx.actor, id, terms, cx.now).await?;
    if let Some(deployment) = done.promotion.deployment_id {
        let address = crate::releases::deployment_address(&project, &deployment.to_string());
        leptos_axum::redirect(&address);
    }
    Ok(())
}
