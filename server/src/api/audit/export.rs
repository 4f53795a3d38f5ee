//! The filtered trail as a file, written while it is read, so that its length costs no memory.

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use domain::{
    actor::Actor,
    audit::Entry,
    page::{Listing, PageRequest},
};
use futures::Stream;
use serde_json::json;
use store::{Store, audit::Filter};

use crate::{api::error::Result, audit_csv};

/// As what the trail is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON, page by page.
    Pages,
    /// A table, for spreadsheets.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

/// A file's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    /// A table, for spreadsheets.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

impl Format {
    /// What the `Accept` header names first.
    pub fn accepted(headers: &HeaderMap) -> Self {
        let accepted = headers
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|kind| kind.split(';').next());
        for kind in accepted {
            match kind.trim() {
                "application/json" => return Self::Pages,
                "text/csv" => return Self::Csv,
                "application/jsonl" | "application/x-ndjson" => return Self::Jsonl,
                _ => {}
            }
        }
        Self::Pages
    }

    /// The file that is wanted, if it is one.
    pub const fn file(self) -> Option<File> {
        match self {
            Self::Pages => None,
            Self::Csv => Some(File::Csv),
            Self::Jsonl => Some(File::Jsonl),
        }
    }
}

/// Answers with the file. The first rows are read before anything is answered, so that a
/// database that is away is still said with a status.
pub async fn answer(store: Store, actor: Actor, filter: Filter, file: File) -> Result<Response> {
    let first = store::audit::list(&store, &actor, &filter, &next_page(None)).await?;
    let (kind, disposition) = match file {
        File::Csv => (
            "text/csv; charset=utf-8",
            "attachment; filename=\"audit.csv\"",
        ),
        File::Jsonl => ("application/jsonl", "attachment; filename=\"audit.jsonl\""),
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static(disposition),
        ),
    ];
    let body = Body::from_stream(lines(store, actor, filter, file, first));
    Ok((headers, body).into_response())
}

fn next_page(cursor: Option<&str>) -> PageRequest {
    PageRequest::parse(Some("200"), cursor).unwrap_or_default()
}

fn lines(
    store: Store,
    actor: Actor,
    filter: Filter,
    file: File,
    first: Listing<Entry>,
) -> impl Stream<Item = store::Result<Bytes>> {
    async_stream::try_stream! {
        let mut page = first;
        if file == File::Csv {
            yield Bytes::from_static(
                audit_csv::HEADER.as_bytes(),
            );
        }
        loop {
            let mut text = String::new();
            for entry in &page.items {
                match file {
                    File::Csv => text.push_str(&audit_csv::row(entry)),
                    File::Jsonl => {
                        text.push_str(&json!(entry).to_string());
                        text.push('\n');
                    }
                }
            }
            yield Bytes::from(text);
            let Some(cursor) = page.next_cursor else { return };
            page = store::audit::list(&store, &actor, &filter, &next_page(Some(&cursor)))
                .await
                .inspect_err(|error| tracing::warn!(%error, "an export of the audit trail broke off"))?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_header_chooses() {
        let accepted = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(value));
            Format::accepted(&headers)
        };
        assert_eq!(accepted("text/csv"), Format::Csv);
        assert_eq!(accepted("application/x-ndjson;q=0.9, */*"), Format::Jsonl);
        assert_eq!(accepted("application/json, text/csv"), Format::Pages);
        assert_eq!(accepted("*/*"), Format::Pages);
    }
}
