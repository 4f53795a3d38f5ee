//! The audit trail: pages of it, all of it as a file, and the check of its chain.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use domain::{
    actor::Permission,
    audit::{Broken, Entry},
    page::Listing,
};
use serde::{Deserialize, Serialize};
use store::audit::Filter;
use utoipa::{IntoParams, ToSchema};

use super::{
    auth::Caller,
    error::Result,
    params::{Checks, Query, present},
};
use crate::state::AppState;

mod export;

use export::Format;

/// Which entries, and as what.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Who did it: a part of the name, whatever case.
    actor: Option<String>,
    /// What it was done to: a prompt, an e-mail address, an environment; whole.
    subject: Option<String>,
    /// The same as `subject`.
    prompt: Option<String>,
    /// What was done: a whole action such as `deployment.rollback`, or its noun.
    action: Option<String>,
    /// From this moment on (RFC 3339, or a date).
    from: Option<String>,
    /// Until just before this moment (RFC 3339, or a date).
    until: Option<String>,
    /// `csv` or `jsonl` for the whole filtered trail as a file; `json` for pages. The `Accept`
    /// header says the same.
    format: Option<String>,
    /// Rows on a page, 1 to 200; 50 when left out. Files have all rows.
    limit: Option<String>,
    /// Where the page starts: an earlier page's `next_cursor`.
    cursor: Option<String>,
}

impl Wanted {
    fn filter(&self, checks: &mut Checks) -> Filter {
        let (subject, prompt) = (
            present(self.subject.as_deref()),
            present(self.prompt.as_deref()),
        );
        if subject.is_some() && prompt.is_some() && subject != prompt {
            checks.refuse("prompt", "is the same as subject: give one of them");
        }
        let text = |text: Option<&str>| present(text).map(str::to_owned);
        Filter {
            actor: text(self.actor.as_deref()),
            subject: text(subject.or(prompt)),
            action: text(self.action.as_deref()),
            from: moment(checks, "from", self.from.as_deref()),
            until: moment(checks, "until", self.until.as_deref()),
        }
    }

    fn format(&self, checks: &mut Checks, headers: &HeaderMap) -> Format {
        match present(self.format.as_deref()) {
            None => Format::accepted(headers),
            Some("json") => Format::Pages,
            Some("csv") => Format::Csv,
            Some("jsonl") => Format::Jsonl,
            Some(_) => {
                checks.refuse("format", "must be json, csv or jsonl");
                Format::Pages
            }
        }
    }
}

fn moment(checks: &mut Checks, name: &str, text: Option<&str>) -> Option<DateTime<Utc>> {
    let text = present(text)?;
    let day = || {
        let date: NaiveDate = text.parse().ok()?;
        Some(date.and_time(NaiveTime::MIN).and_utc())
    };
    // A plus sign that nobody escaped arrives as a space.
    let moment = DateTime::parse_from_rfc3339(&text.replace(' ', "+"))
        .map(|moment| moment.to_utc())
        .ok()
        .or_else(day)
        // Years that Postgres does not know.
        .filter(|moment| (0..=9_999).contains(&chrono::Datelike::year(moment)));
    if moment.is_none() {
        checks.refuse(
            name,
            "must be a moment such as 2026-03-14T09:26:53Z, or a date",
        );
    }
    moment
}

/// The audit trail, newest first.
#[utoipa::path(get, path = "/audit", tag = "audit", params(Wanted),
    responses(
        (status = 200, description = "a page, or the whole filtered trail as a file", content(
            (Listing<Entry> = "application/json"),
            (String = "text/csv"),
            (Entry = "application/jsonl"),
        )),
    ))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response> {
    let mut checks = Checks::default();
    let filter = wanted.filter(&mut checks);
    let format = wanted.format(&mut checks, &headers);
    let page = checks.page(wanted.limit.as_deref(), wanted.cursor.as_deref());
    checks.finish()?;
    actor.may(Permission::ReadPeople)?;
    let mut response = match format.file() {
        None => {
            let entries = store::audit::list(&state.store, &actor, &filter, &page).await?;
            Json(entries).into_response()
        }
        Some(file) => export::answer(state.store.clone(), actor, filter, file).await?,
    };
    response
        .headers_mut()
        .insert(header::VARY, header::HeaderValue::from_static("accept"));
    Ok(response)
}

/// From where on the trail is known to be whole.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Anchor {
    /// The number of an entry whose hash was kept elsewhere.
    sequence: Option<String>,
    /// That hash.
    hash: Option<String>,
}

/// What the check of the chain found.
#[derive(Serialize, ToSchema)]
pub struct Verified {
    /// Whether every entry is there, unchanged and in its place.
    ok: bool,
    /// Entries checked; null when something is wrong.
    entries: Option<i64>,
    /// The last entry's hash: keep it elsewhere, and the next check can start from it.
    head: Option<String>,
    /// The first entry that is wrong.
    broken_at: Option<i64>,
    /// `edited`, `missing`, `reordered`, `unlinked`, `truncated` or `wrong_head`.
    problem: Option<&'static str>,
    /// The same in words.
    message: Option<String>,
}

impl From<Broken> for Verified {
    fn from(broken: Broken) -> Self {
        let message = broken.to_string();
        let (problem, at) = match broken {
            Broken::Edited(at) => ("edited", at),
            Broken::Missing(at) => ("missing", at),
            Broken::Reordered(at) => ("reordered", at),
            Broken::Unlinked(at) => ("unlinked", at),
            Broken::Truncated { ends, .. } => ("truncated", ends + 1),
            Broken::WrongHead(at) => ("wrong_head", at),
        };
        Self {
            ok: false,
            entries: None,
            head: None,
            broken_at: Some(at),
            problem: Some(problem),
            message: Some(message),
        }
    }
}

/// Checks the whole chain, hash by hash.
#[utoipa::path(get, path = "/audit/verify", tag = "audit", params(Anchor),
    responses((status = 200, description = "what the check found", body = Verified)))]
pub async fn verify(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Query(anchor): Query<Anchor>,
) -> Result<Json<Verified>> {
    actor.may(Permission::ReadPeople)?;
    let mut checks = Checks::default();
    let sequence: Option<i64> = checks.word("sequence", anchor.sequence.as_deref());
    let hash = present(anchor.hash.as_deref());
    let has_both = present(anchor.sequence.as_deref()).is_some() == hash.is_some();
    if !has_both {
        checks.refuse("hash", "and sequence go together");
    }
    checks.finish()?;
    let anchor = sequence.zip(hash.map(str::to_owned));
    let found = store::audit::verify(&state.store, actor.project, anchor).await?;
    Ok(Json(match found {
        Ok((entries, head)) => Verified {
            ok: true,
            entries: Some(entries),
            head: Some(head),
            broken_at: None,
            problem: None,
            message: None,
        },
        Err(broken) => broken.into(),
    }))
}
