//! What the audit pages ask.

use chrono::{DateTime, Utc};
use domain::{actor::Who, audit::Entry, page::Listing};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::UiError;

/// Which entries, as the address says it; empty words leave nothing out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wanted {
    /// A part of a name.
    pub actor: String,
    /// A prompt's whole name, or another subject's.
    pub prompt: String,
    /// An action, or its noun.
    pub action: String,
    /// The first day.
    pub from: String,
    /// The last day.
    pub until: String,
    /// Where the page starts.
    pub cursor: String,
}

/// An entry as the list shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// Its number.
    pub sequence: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: Who,
    /// What was done.
    pub action: String,
    /// What it was done to.
    pub subject: String,
    /// What changed, in a few words.
    pub summary: String,
}

/// A page of the trail.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trail {
    /// Newest first.
    pub lines: Listing<Line>,
    /// When it was read.
    pub now: DateTime<Utc>,
}

/// What the filters offer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Offer {
    /// The actions that occur.
    pub actions: Vec<String>,
    /// Members' names.
    pub names: Vec<String>,
}

/// One entry and how it stands in the chain.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shown {
    /// The entry.
    pub entry: Entry,
    /// Whether its hash fits its content and the entry before it.
    pub is_linked: bool,
    /// Whether there is a later one.
    pub has_next: bool,
}

/// What checking the chain found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Chain {
    /// Every entry is there and unchanged; so many.
    Whole(i64),
    /// What is wrong first.
    Broken(String),
}

/// A page of the trail.
#[server]
pub async fn load_trail(project: String, wanted: Wanted) -> Result<Trail, UiError> {
    use domain::page::PageRequest;
    let cx = crate::context::member(&project).await?;
    let page = PageRequest::parse(None, Some(&wanted.cursor))
        .map_err(|error| UiError::Refused(error.to_string()))?;
    let found = store::audit::list(&cx.store, &cx.actor, &filter(&wanted)?, &page).await?;
    Ok(Trail {
        lines: found.map(|entry| Line {
            summary: super::words::summary(&entry),
            sequence: entry.sequence,
            at: entry.at,
            actor: entry.actor,
            action: entry.action,
            subject: entry.subject,
        }),
        now: cx.now,
    })
}

#[cfg(feature = "ssr")]
fn filter(wanted: &Wanted) -> Result<store::audit::Filter, UiError> {
    let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let from = day(&wanted.from, "from")?;
    let until = day(&wanted.until, "until")?;
    Ok(store::audit::Filter {
        actor: text(&wanted.actor),
        subject: text(&wanted.prompt),
        action: text(&wanted.action),
        from,
        // The last day belongs to it.
        until: until.map(|until| until + chrono::TimeDelta::days(1)),
    })
}

#[cfg(feature = "ssr")]
fn day(text: &str, field: &str) -> Result<Option<DateTime<Utc>>, UiError> {
    use chrono::Datelike;
    if text.trim().is_empty() {
        return Ok(None);
    }
    text.trim()
        .parse::<chrono::NaiveDate>()
        .ok()
        // Years that Postgres does not know.
        .filter(|day| (1..=9_998).contains(&day.year()))
        .map(|day| Some(day.and_time(chrono::NaiveTime::MIN).and_utc()))
        .ok_or_else(|| {
            let message = "must be a day such as 2026-03-14";
            UiError::Invalid(vec![domain::field::FieldError::new(field, message)])
        })
}

/// What the filters offer.
#[server]
pub async fn load_offer(project: String) -> Result<Offer, UiError> {
    let cx = crate::context::member(&project).await?;
    let actions = store::audit::actions(&cx.store, &cx.actor).await?;
    let members = store::members::list(&cx.store, &cx.actor).await?;
    Ok(Offer {
        actions,
        names: members.into_iter().map(|member| member.name).collect(),
    })
}

/// One entry.
#[server]
pub async fn load_entry(project: String, sequence: i64) -> Result<Shown, UiError> {
    let cx = crate::context::member(&project).await?;
    let find = |sequence| store::audit::find(&cx.store, &cx.actor, sequence);
    let entry = find(sequence)
        .await?
        .ok_or_else(|| UiError::NotFound("audit entry".to_owned()))?;
    let before = match sequence {
        1 => Some(domain::audit::GENESIS.to_owned()),
        _ => find(sequence - 1).await?.map(|before| before.hash),
    };
    let is_linked = entry.computed_hash(cx.project.id) == entry.hash
        && before.is_some_and(|hash| hash == entry.previous_hash);
    Ok(Shown {
        entry,
        is_linked,
        has_next: find(sequence + 1).await?.is_some(),
    })
}

/// Checks the whole chain.
#[server]
pub async fn check_chain(project: String) -> Result<Chain, UiError> {
    let cx = crate::context::member(&project).await?;
    cx.actor
        .may(domain::actor::Permission::ReadPeople)
        .map_err(|denied| UiError::Denied(denied.to_string()))?;
    let found = store::audit::verify(&cx.store, cx.project.id, None).await?;
    Ok(match found {
        Ok((n_entries, _)) => Chain::Whole(n_entries),
        Err(broken) => {
            tracing::warn!(project.slug = %project, problem = %broken, "the audit chain is broken");
            Chain::Broken(broken.to_string())
        }
    })
}
