//! Addresses of the suites' pages, and what a suite's page shows as its address says it.

use domain::id::SuiteId;
use leptos_router::params::ParamsMap;
use serde::{Deserialize, Serialize};

use crate::prompts::links::{segment, with_query};

/// The views of a suite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tab {
    /// The cases.
    #[default]
    Cases,
    /// What judges every case.
    Scorers,
    /// Cases from a file.
    Import,
    /// What changed when.
    Revisions,
}

impl Tab {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::Cases, Self::Scorers, Self::Import, Self::Revisions];

    /// As it stands in the address; the first one is not named.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cases => "",
            Self::Scorers => "scorers",
            Self::Import => "import",
            Self::Revisions => "revisions",
        }
    }

    /// As people read it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Cases => "Cases",
            Self::Scorers => "Scorers",
            Self::Import => "Import",
            Self::Revisions => "Revisions",
        }
    }
}

/// Which cases are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseQuery {
    /// Only those with this tag.
    #[serde(default)]
    pub tag: String,
    /// Where the page starts.
    #[serde(default)]
    pub cursor: String,
    /// As they were then; as they are now when left out.
    #[serde(default)]
    pub revision: Option<i32>,
}

impl CaseQuery {
    /// Reads an address.
    pub fn read(params: &ParamsMap) -> Self {
        let text = |name| params.get(name).unwrap_or_default();
        Self {
            tag: text("tag").trim().to_owned(),
            cursor: text("cursor"),
            revision: text("revision").parse().ok(),
        }
    }
}

/// A case that is open: one by its place, or a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Opened {
    /// One that is being written.
    New,
    /// A problem that is being reported, which becomes one.
    Report,
    /// The case in this place.
    At(i32),
}

impl Opened {
    /// Reads an address.
    pub fn read(params: &ParamsMap) -> Option<Self> {
        match params.get("case")?.as_str() {
            "new" => Some(Self::New),
            "report" => Some(Self::Report),
            text => text.parse().ok().map(Self::At),
        }
    }
}

/// The list.
pub fn suites(project: &str, prompt: &str, cursor: &str) -> String {
    with_query(
        format!("/p/{}/suites", segment(project)),
        &[("prompt", prompt), ("cursor", cursor)],
    )
}

/// A suite, on one of its tabs.
pub fn tab(project: &str, id: SuiteId, tab: Tab) -> String {
    with_query(
        format!("/p/{}/suites/{id}", segment(project)),
        &[("tab", tab.word())],
    )
}

/// Some of a suite's cases.
pub fn cases(project: &str, id: SuiteId, query: &CaseQuery) -> String {
    opened(project, id, query, None)
}

/// The same with one of them open.
pub fn opened(project: &str, id: SuiteId, query: &CaseQuery, case: Option<Opened>) -> String {
    let revision = query.revision.map(|revision| revision.to_string());
    let case = match case {
        None => String::new(),
        Some(Opened::New) => "new".to_owned(),
        Some(Opened::Report) => "report".to_owned(),
        Some(Opened::At(place)) => place.to_string(),
    };
    with_query(
        format!("/p/{}/suites/{id}", segment(project)),
        &[
            ("tag", &query.tag),
            ("revision", revision.as_deref().unwrap_or_default()),
            ("cursor", &query.cursor),
            ("case", &case),
        ],
    )
}

/// Where a problem with a prompt is reported: in its suite, or where it gets its first one.
pub fn report(project: &str, prompt: &str, suite: Option<SuiteId>) -> String {
    match suite {
        Some(id) => opened(project, id, &CaseQuery::default(), Some(Opened::Report)),
        None => format!("{}&new=1", suites(project, prompt, "")),
    }
}

/// A file with all cases.
pub fn export(project: &str, id: SuiteId, format: &str) -> String {
    with_query(
        format!("/api/v1/suites/{id}/export"),
        &[("project", project), ("format", format)],
    )
}

/// Where a run of the suite is launched.
pub fn launch(project: &str, id: SuiteId) -> String {
    with_query(
        format!("/p/{}/runs", segment(project)),
        &[("suite", &id.to_string())],
    )
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_which_cases_and_which_one_is_open() {
        let id: SuiteId = "018f0000-0000-7000-8000-000000000001".parse().unwrap();
        let query = CaseQuery {
            tag: "topic:late parcel".to_owned(),
            ..CaseQuery::default()
        };
        let base = format!("/p/acme/suites/{id}");
        assert_eq!(
            opened("acme", id, &query, Some(Opened::At(7))),
            format!("{base}?tag=topic%3Alate%20parcel&case=7")
        );
        assert_eq!(cases("acme", id, &CaseQuery::default()), base);
        assert_eq!(tab("acme", id, Tab::Import), format!("{base}?tab=import"));
    }
}
