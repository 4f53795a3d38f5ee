//! What the pages of alerts ask of the server.

use chrono::{DateTime, Utc};
use domain::alert::{Alert, AlertEvent};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::UiError;

/// A page of alerts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Inbox {
    /// The one raised last first.
    pub alerts: Vec<Alert>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
    /// Up to when the one who looks has read it.
    pub read_until: Option<DateTime<Utc>>,
    /// When this was read.
    pub now: DateTime<Utc>,
}

/// One alert with its history.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AlertView {
    /// The alert.
    pub alert: Alert,
    /// Oldest first.
    pub history: Vec<AlertEvent>,
    /// When this was read.
    pub now: DateTime<Utc>,
}

/// A page of alerts: those that fire, or all.
#[server]
pub async fn load_alerts(
    project: String,
    is_all: bool,
    cursor: Option<String>,
) -> Result<Inbox, UiError> {
    use domain::page::PageRequest;

    let cx = crate::context::member(&project).await?;
    let page = cursor.map_or_else(
        || PageRequest::first(50),
        |cursor| PageRequest::parse(Some("50"), Some(&cursor)).unwrap_or_default(),
    );
    let filter = store::alerts::Filter {
        is_firing: (!is_all).then_some(true),
        ..store::alerts::Filter::default()
    };
    let found = store::alerts::list(&cx.store, &cx.actor, &filter, &page).await?;
    let read_until = match person(&cx.actor) {
        Some(person) => store::alerts::read_until(&cx.store, &cx.actor, person).await?,
        None => None,
    };
    Ok(Inbox {
        alerts: found.items,
        next_cursor: found.next_cursor,
        read_until,
        now: cx.now,
    })
}

#[cfg(feature = "ssr")]
fn person(actor: &domain::actor::Actor) -> Option<domain::id::PersonId> {
    match actor.who {
        domain::actor::Who::Person { id, .. } => Some(id),
        domain::actor::Who::Key { .. } | domain::actor::Who::System { .. } => None,
    }
}

/// One alert with its history.
#[server]
pub async fn load_alert(project: String, id: String) -> Result<AlertView, UiError> {
    let cx = crate::context::member(&project).await?;
    let id = read_id(&id)?;
    let alert = store::alerts::find(&cx.store, &cx.actor, id)
        .await?
        .ok_or_else(|| UiError::NotFound("alert".to_owned()))?;
    let history = store::alerts::history(&cx.store, &cx.actor, id).await?;
    Ok(AlertView {
        alert,
        history,
        now: cx.now,
    })
}

#[cfg(feature = "ssr")]
fn read_id(id: &str) -> Result<domain::id::AlertId, UiError> {
    id.parse()
        .map_err(|_| UiError::NotFound("alert".to_owned()))
}

/// How many alerts fire.
#[server]
pub async fn count_alerts(project: String) -> Result<usize, UiError> {
    let cx = crate::context::member(&project).await?;
    let n_firing = store::alerts::n_firing(&cx.store, &cx.actor).await?;
    Ok(usize::try_from(n_firing).unwrap_or_default())
}

/// The one who asks takes care of an alert.
#[server]
pub async fn acknowledge(
    project: String,
    alert: String,
    #[server(default)] note: String,
) -> Result<(), UiError> {
    let cx = crate::context::member(&project).await?;
    let id = read_id(&alert)?;
    store::alerts::acknowledge(&cx.store, &cx.actor, id, &note, cx.now).await?;
    Ok(())
}

/// The one who asks has read the inbox up to then.
#[server]
pub async fn mark_read(project: String, until: String) -> Result<(), UiError> {
    let cx = crate::context::member(&project).await?;
    let until: DateTime<Utc> = until
        .parse()
        .map_err(|_| UiError::Refused("the form cannot be read".to_owned()))?;
    let Some(person) = person(&cx.actor) else {
        return Ok(());
    };
    // The page shows seconds; what was raised within the same one was on it too.
    let until = until + chrono::TimeDelta::seconds(1);
    Ok(store::alerts::mark_read(&cx.store, &cx.actor, person, until).await?)
}
