//! Addresses of the prompts' pages, and the list's state as it stands in one. Nothing else
//! here puts an address together, so nothing else has to think of escaping.

use leptos_router::params::ParamsMap;
use serde::{Deserialize, Serialize};

/// What the list shows, as its address says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListQuery {
    /// Part of a name or description.
    #[serde(default)]
    pub search: String,
    /// One tag.
    #[serde(default)]
    pub tag: String,
    /// A folder and what lies below it.
    #[serde(default)]
    pub folder: String,
    /// The order.
    #[serde(default)]
    pub order: Order,
    /// Where the page starts.
    #[serde(default)]
    pub cursor: String,
}

/// The order of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The last changed first.
    #[default]
    Changed,
    /// By name.
    Name,
}

impl ListQuery {
    /// Reads an address; words nobody knows count as not being there.
    pub fn read(params: &ParamsMap) -> Self {
        let text = |name| params.get(name).unwrap_or_default();
        Self {
            search: text("q").trim().to_owned(),
            tag: text("tag"),
            folder: text("folder"),
            order: if text("order") == "name" {
                Order::Name
            } else {
                Order::Changed
            },
            cursor: text("cursor"),
        }
    }

    /// Whether anything is left out of the list.
    pub fn is_filtered(&self) -> bool {
        !(self.search.is_empty() && self.tag.is_empty() && self.folder.is_empty())
    }

    /// The same list from its beginning, changed.
    pub fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut query = Self {
            cursor: String::new(),
            ..self.clone()
        };
        change(&mut query);
        query
    }
}

/// The list in a state.
pub fn list(project: &str, query: &ListQuery) -> String {
    let order = match query.order {
        Order::Changed => "",
        Order::Name => "name",
    };
    with_query(
        format!("/p/{}/prompts", segment(project)),
        &[
            ("q", &query.search),
            ("folder", &query.folder),
            ("tag", &query.tag),
            ("order", order),
            ("cursor", &query.cursor),
        ],
    )
}

/// The whole list.
pub fn all(project: &str) -> String {
    list(project, &ListQuery::default())
}

/// The page that makes a prompt.
pub fn new_prompt(project: &str) -> String {
    format!("/p/{}/new-prompt", segment(project))
}

/// A prompt, on its first tab.
pub fn prompt(project: &str, name: &str) -> String {
    format!("/p/{}/prompts/{}", segment(project), path(name))
}

/// One version of a prompt.
pub fn version(project: &str, name: &str, number: i32) -> String {
    with_query(prompt(project, name), &[("version", &number.to_string())])
}

/// The versions before a cursor, with one of them chosen.
pub fn older_versions(project: &str, name: &str, number: Option<i32>, cursor: &str) -> String {
    let number = number.map(|number| number.to_string()).unwrap_or_default();
    with_query(
        prompt(project, name),
        &[("version", &number), ("cursor", cursor)],
    )
}

/// Two versions side by side.
pub fn compare(project: &str, name: &str, from: i32, to: i32) -> String {
    with_query(
        prompt(project, name),
        &[
            ("tab", "compare"),
            ("from", &from.to_string()),
            ("to", &to.to_string()),
        ],
    )
}

/// One of the other tabs.
pub fn tab(project: &str, name: &str, tab: &str) -> String {
    with_query(prompt(project, name), &[("tab", tab)])
}

/// The editor, starting from a version.
pub fn edit_from(project: &str, name: &str, from: i32) -> String {
    with_query(
        prompt(project, name),
        &[("tab", "edit"), ("from", &from.to_string())],
    )
}

/// The editor of a prompt that has no version yet.
#[cfg(feature = "ssr")]
pub fn first_version(project: &str, name: &str, kind: &str) -> String {
    with_query(
        prompt(project, name),
        &[
            ("tab", "edit"),
            ("kind", if kind == "text" { kind } else { "" }),
        ],
    )
}

/// Which two versions to compare, of all `numbers` (newest first): those asked for; else what
/// serves, or the one before, with the newest.
#[cfg(feature = "ssr")]
pub fn pair(
    numbers: &[i32],
    active: Option<i32>,
    from: Option<i32>,
    to: Option<i32>,
) -> (Option<i32>, Option<i32>) {
    let to = to.or_else(|| numbers.iter().copied().find(|number| Some(*number) != from));
    let before = numbers.iter().copied().find(|number| Some(*number) < to);
    let from = from
        .or(active.filter(|active| Some(*active) != to))
        .or(before);
    (from, to)
}

/// Rolling a prompt back in an environment.
pub fn roll_back(project: &str, name: &str, environment: &str) -> String {
    with_query(
        format!("/p/{}/roll-back/{}", segment(project), path(name)),
        &[("environment", environment)],
    )
}

/// A deployment on its way to the clients.
#[cfg(feature = "ssr")]
pub fn deployment(project: &str, id: &str) -> String {
    format!("/p/{}/deployments/{}", segment(project), segment(id))
}

/// The address at which applications fetch a prompt; there the whole name is one segment.
pub fn resolve(public_url: &str, name: &str, environment: &str) -> String {
    with_query(
        format!(
            "{}/api/v1/prompts/{}/resolve",
            public_url.trim_end_matches('/'),
            segment(name)
        ),
        &[("environment", environment)],
    )
}

/// The address at which versions are saved by programs.
pub fn api_versions(public_url: &str, name: &str) -> String {
    format!(
        "{}/api/v1/prompts/{}/versions",
        public_url.trim_end_matches('/'),
        segment(name)
    )
}

/// Adds the parameters that say something.
pub fn with_query(mut address: String, params: &[(&str, &str)]) -> String {
    let mut mark = '?';
    for (name, value) in params {
        if value.is_empty() {
            continue;
        }
        address.push(mark);
        address.push_str(name);
        address.push('=');
        encode(value, "", &mut address);
        mark = '&';
    }
    address
}

/// A name with its folders, as a path.
pub fn path(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    encode(name, "/", &mut encoded);
    encoded
}

/// One segment of a path: `/` is part of it.
pub fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    encode(text, "", &mut encoded);
    encoded
}

/// Percent-encodes everything but RFC 3986's unreserved characters and those in `kept`.
fn encode(text: &str, kept: &str, encoded: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric()
            || b"-_.~".contains(&byte)
            || kept.as_bytes().contains(&byte)
        {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(HEX[usize::from(byte >> 4)]));
            encoded.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn addresses_carry_only_what_says_something() {
        assert_eq!(all("acme"), "/p/acme/prompts");
        let query = ListQuery {
            search: "200 € & more".to_owned(),
            folder: "support/de".to_owned(),
            order: Order::Name,
            ..ListQuery::default()
        };
        assert_eq!(
            list("acme", &query),
            "/p/acme/prompts?q=200%20%E2%82%AC%20%26%20more&folder=support%2Fde&order=name"
        );
    }

    #[test]
    fn a_changed_filter_starts_at_the_first_page() {
        let query = ListQuery {
            cursor: "6162".to_owned(),
            ..ListQuery::default()
        };
        let query = query.with(|query| query.tag = "json".to_owned());
        assert_eq!(list("a", &query), "/p/a/prompts?tag=json");
    }

    #[test]
    fn what_serves_is_compared_with_the_newest_unless_asked_otherwise() {
        let numbers = [5, 4, 3, 2, 1];
        assert_eq!(pair(&numbers, Some(3), None, None), (Some(3), Some(5)));
        assert_eq!(pair(&numbers, Some(5), None, None), (Some(4), Some(5)));
        assert_eq!(pair(&numbers, None, None, None), (Some(4), Some(5)));
        assert_eq!(pair(&numbers, Some(3), Some(5), None), (Some(5), Some(4)));
        assert_eq!(pair(&numbers, Some(3), None, Some(2)), (Some(3), Some(2)));
        assert_eq!(
            pair(&numbers, Some(3), Some(1), Some(2)),
            (Some(1), Some(2))
        );
        assert_eq!(pair(&[1], Some(1), None, None), (None, Some(1)));
        assert_eq!(pair(&[], None, None, None), (None, None));
    }

    #[test]
    fn folders_stay_folders_on_pages_and_become_one_segment_for_programs() {
        assert_eq!(
            version("acme", "support/triage", 41),
            "/p/acme/prompts/support/triage?version=41"
        );
        assert_eq!(
            compare("acme", "a?b", 3, 5),
            "/p/acme/prompts/a%3Fb?tab=compare&from=3&to=5"
        );
        assert_eq!(
            resolve("https://cueline.example/", "support/triage", "production"),
            "https://cueline.example/api/v1/prompts/support%2Ftriage/resolve?environment=production"
        );
    }
}
