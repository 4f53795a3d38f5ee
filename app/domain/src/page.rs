//! Keyset pagination: a page is "so many after this key". The cursor is opaque to callers
//! and cheap for Postgres, however deep one pages.

use serde::{Deserialize, Serialize};

/// Rows on a page when nobody says otherwise.
pub const DEFAULT_LIMIT: u16 = 50;
/// The most rows one page holds.
pub const MAX_LIMIT: u16 = 200;

/// What to show: so many rows after the cursor.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PageRequest {
    limit: Option<u16>,
    after: Option<String>,
}

/// Why a page request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// The limit is outside 1 to 200.
    #[error("limit must be a whole number from 1 to 200")]
    Limit,
    /// The cursor is not one that an earlier page gave.
    #[error("cursor is not one that an earlier page gave")]
    Cursor,
}

impl PageRequest {
    /// Parses what came with the request; both parts may be missing.
    pub fn parse(limit: Option<&str>, cursor: Option<&str>) -> Result<Self, PageError> {
        let limit = match limit.filter(|text| !text.is_empty()) {
            None => None,
            Some(text) => Some(
                text.parse::<u16>()
                    .ok()
                    .filter(|limit| (1..=MAX_LIMIT).contains(limit))
                    .ok_or(PageError::Limit)?,
            ),
        };
        let after = match cursor.filter(|text| !text.is_empty()) {
            None => None,
            Some(text) => Some(decode(text).ok_or(PageError::Cursor)?),
        };
        Ok(Self { limit, after })
    }

    /// Everything up to the largest page, from the start.
    #[must_use]
    pub fn first(limit: u16) -> Self {
        Self {
            limit: Some(limit.clamp(1, MAX_LIMIT)),
            after: None,
        }
    }

    /// So many rows after a key that one knows without having seen the page before it.
    #[must_use]
    pub fn following(key: impl Into<String>, limit: u16) -> Self {
        Self {
            limit: Some(limit.clamp(1, MAX_LIMIT)),
            after: Some(key.into()),
        }
    }

    /// Rows wanted.
    #[must_use]
    pub fn limit(&self) -> usize {
        usize::from(self.limit.unwrap_or(DEFAULT_LIMIT))
    }

    /// Rows to ask the database for: one more, to know whether there is a next page.
    #[must_use]
    pub fn fetch(&self) -> i64 {
        i64::from(self.limit.unwrap_or(DEFAULT_LIMIT)) + 1
    }

    /// The key after which the page starts.
    #[must_use]
    pub fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// The key as a number, where the list is numbered.
    pub fn after_number(&self) -> Result<Option<i64>, PageError> {
        self.after()
            .map(|key| key.parse().map_err(|_| PageError::Cursor))
            .transpose()
    }
}

/// One page of a list and where the next one starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Listing<T> {
    /// The rows, in the list's order.
    pub items: Vec<T>,
    /// Give this back as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
}

impl<T> Listing<T> {
    /// Makes a page of up to `limit + 1` fetched rows; `key` names the row for the cursor.
    pub fn of(mut rows: Vec<T>, request: &PageRequest, key: impl Fn(&T) -> String) -> Self {
        let more = rows.len() > request.limit();
        rows.truncate(request.limit());
        let next_cursor = if more {
            rows.last().map(|row| encode(&key(row)))
        } else {
            None
        };
        Self {
            items: rows,
            next_cursor,
        }
    }

    /// A page of a list that was read whole because it is short: all of it, unless the request says
    /// how many. `key` names a row like no other; a cursor whose row is gone is refused.
    pub fn slice(
        mut rows: Vec<T>,
        request: &PageRequest,
        key: impl Fn(&T) -> String,
    ) -> Result<Self, PageError> {
        if let Some(after) = request.after() {
            let last = rows
                .iter()
                .position(|row| key(row) == after)
                .ok_or(PageError::Cursor)?;
            rows.drain(..=last);
        }
        Ok(match request.limit {
            Some(_) => Self::of(rows, request, key),
            None => Self::whole(rows),
        })
    }

    /// A list short enough to be one page.
    #[must_use]
    pub const fn whole(items: Vec<T>) -> Self {
        Self {
            items,
            next_cursor: None,
        }
    }

    /// The same page with other rows.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Listing<U> {
        Listing {
            items: self.items.into_iter().map(change).collect(),
            next_cursor: self.next_cursor,
        }
    }
}

/// Hexadecimal, so that a cursor needs no escaping in an address.
fn encode(key: &str) -> String {
    use std::fmt::Write;
    key.bytes().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn decode(cursor: &str) -> Option<String> {
    if !cursor.len().is_multiple_of(2) || !cursor.is_ascii() || cursor.len() > 2_000 {
        return None;
    }
    let bytes: Option<Vec<u8>> = (0..cursor.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&cursor[at..at + 2], 16).ok())
        .collect();
    String::from_utf8(bytes?)
        .ok()
        .filter(|key| !key.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_to_the_rows_after_it() {
        let request = PageRequest::parse(Some("2"), None).unwrap();
        let page = Listing::of(vec!["a", "b", "c"], &request, ToString::to_string);
        assert_eq!(page.items, ["a", "b"]);
        let next = PageRequest::parse(None, page.next_cursor.as_deref()).unwrap();
        assert_eq!(next.after(), Some("b"));
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        let page = Listing::of(vec![1, 2], &PageRequest::first(2), ToString::to_string);
        assert_eq!(page.next_cursor, None);
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(PageRequest::parse(Some("0"), None), Err(PageError::Limit));
        assert_eq!(PageRequest::parse(Some("201"), None), Err(PageError::Limit));
        assert_eq!(PageRequest::parse(Some("-1"), None), Err(PageError::Limit));
        for cursor in ["x", "zz", "ü0", "c3", "00"] {
            assert_eq!(
                PageRequest::parse(None, Some(cursor)),
                Err(PageError::Cursor),
                "{cursor}"
            );
        }
    }

    #[test]
    fn a_short_list_is_cut_where_it_was_left() {
        let rows = || vec!["a", "b", "c"];
        let key = |row: &&str| (*row).to_owned();
        let page = |limit, cursor: Option<&str>| {
            let request = PageRequest::parse(limit, cursor).unwrap();
            Listing::slice(rows(), &request, key)
        };
        assert_eq!(page(None, None), Ok(Listing::whole(rows())));
        let first = page(Some("2"), None).unwrap();
        assert_eq!(first.items, ["a", "b"]);
        let second = page(Some("2"), first.next_cursor.as_deref()).unwrap();
        assert_eq!((second.items, second.next_cursor), (vec!["c"], None));
        let gone = encode("x");
        assert_eq!(page(None, Some(&gone)), Err(PageError::Cursor));
    }
}
