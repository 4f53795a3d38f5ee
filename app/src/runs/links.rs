//! The addresses of runs, and what they say about what is shown.

use leptos_router::params::ParamsMap;
use serde::{Deserialize, Serialize};

use crate::prompts::links::{segment, with_query};

/// What the list is narrowed to, and whether a run is to be launched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListQuery {
    /// One prompt's runs.
    #[serde(default)]
    pub prompt: String,
    /// One suite's, by id.
    #[serde(default)]
    pub suite: String,
    /// Those in one state.
    #[serde(default)]
    pub status: String,
    /// Where the page starts.
    #[serde(default)]
    pub cursor: String,
    /// The version to launch.
    #[serde(default)]
    pub version: Option<i32>,
    /// Whether the form that launches is open.
    #[serde(default)]
    pub is_launching: bool,
}

impl ListQuery {
    /// Reads an address. A version to run opens the form, and so does a suite that comes alone:
    /// suites lead here with nothing else, while the filter always says its state, be it empty.
    pub fn read(params: &ParamsMap) -> Self {
        let text = |name| params.get(name).unwrap_or_default().trim().to_owned();
        let version = params.get("version").and_then(|text| text.parse().ok());
        let (suite, cursor) = (text("suite"), text("cursor"));
        let is_from_suite =
            !suite.is_empty() && cursor.is_empty() && params.get("status").is_none();
        Self {
            prompt: text("prompt"),
            status: text("status"),
            is_launching: version.is_some() || is_from_suite || !text("launch").is_empty(),
            version,
            suite,
            cursor,
        }
    }

    /// Whether anything is left out of the list.
    pub fn is_filtered(&self) -> bool {
        !(self.prompt.is_empty() && self.suite.is_empty() && self.status.is_empty())
    }

    /// The same list from its beginning, changed, nothing being launched.
    pub fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut query = Self {
            cursor: String::new(),
            version: None,
            is_launching: false,
            ..self.clone()
        };
        change(&mut query);
        query
    }
}

/// The list in a state.
pub fn list(project: &str, query: &ListQuery) -> String {
    let version = query.version.map(|version| version.to_string());
    let mut address = with_query(
        format!("/p/{}/runs", segment(project)),
        &[
            ("prompt", &query.prompt),
            ("suite", &query.suite),
            ("status", &query.status),
            ("version", version.as_deref().unwrap_or_default()),
            ("launch", if query.is_launching { "1" } else { "" }),
            ("cursor", &query.cursor),
        ],
    );
    if !query.suite.is_empty() && query.status.is_empty() && !query.is_launching {
        address.push_str("&status=");
    }
    address
}

/// The form that launches a version of a prompt, which may both be open.
pub fn launch(project: &str, prompt: &str, version: Option<i32>) -> String {
    let query = ListQuery {
        prompt: prompt.to_owned(),
        version,
        is_launching: true,
        ..ListQuery::default()
    };
    list(project, &query)
}

/// A prompt's runs.
pub fn of_prompt(project: &str, prompt: &str) -> String {
    let query = ListQuery {
        prompt: prompt.to_owned(),
        ..ListQuery::default()
    };
    list(project, &query)
}

/// Which results of a run are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Show {
    /// All of them.
    #[default]
    All,
    /// Those that passed.
    Passed,
    /// Those that did not, errors included.
    Failed,
    /// Those without an output.
    Errors,
    /// Passed under the baseline, and fail now.
    Lost,
    /// Failed under the baseline, and pass now.
    Gained,
    /// Pass under both.
    BothPass,
    /// Fail under both.
    BothFail,
}

impl Show {
    const ALL: [Self; 8] = [
        Self::All,
        Self::Passed,
        Self::Failed,
        Self::Errors,
        Self::Lost,
        Self::Gained,
        Self::BothPass,
        Self::BothFail,
    ];

    /// The word in an address.
    pub const fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Errors => "errors",
            Self::Lost => "lost",
            Self::Gained => "gained",
            Self::BothPass => "both_pass",
            Self::BothFail => "both_fail",
        }
    }

    /// What it is called on the page.
    pub const fn label(self) -> &'static str {
        match self {
            Self::BothPass => "both pass",
            Self::BothFail => "both fail",
            Self::All | Self::Passed | Self::Failed | Self::Errors | Self::Lost | Self::Gained => {
                self.word()
            }
        }
    }

    /// Of that word; all of them if there is none such.
    pub fn from_word(word: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|show| show.word() == word)
            .unwrap_or_default()
    }
}

/// What a run's page shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunQuery {
    /// The run it is held against; chosen by itself if empty.
    #[serde(default)]
    pub against: String,
    /// Which results.
    #[serde(default)]
    pub show: Show,
    /// Where the page of results starts.
    #[serde(default)]
    pub cursor: String,
    /// The revision that a reported problem just made.
    #[serde(default)]
    pub reported: Option<i32>,
}

impl RunQuery {
    /// Reads an address; words nobody knows count as not being there.
    pub fn read(params: &ParamsMap) -> Self {
        let text = |name| params.get(name).unwrap_or_default();
        Self {
            against: text("against"),
            show: Show::from_word(&text("show")),
            cursor: text("cursor"),
            reported: text("reported").parse().ok(),
        }
    }

    /// The same run with other results.
    pub fn showing(&self, show: Show) -> Self {
        Self {
            against: self.against.clone(),
            show,
            ..Self::default()
        }
    }
}

/// A run's page.
pub fn run(project: &str, id: &str, query: &RunQuery) -> String {
    let show = match query.show {
        Show::All => "",
        show => show.word(),
    };
    let reported = query.reported.map(|revision| revision.to_string());
    with_query(
        format!("/p/{}/runs/{}", segment(project), segment(id)),
        &[
            ("against", &query.against),
            ("show", show),
            ("cursor", &query.cursor),
            ("reported", reported.as_deref().unwrap_or_default()),
        ],
    )
}

/// A suite's page.
pub fn suite(project: &str, id: &str) -> String {
    format!("/p/{}/suites/{}", segment(project), segment(id))
}

/// Where an admin says where models answer.
pub fn providers(project: &str) -> String {
    format!("/p/{}/settings/providers", segment(project))
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[track_caller]
    fn opens(query: &str, expected: bool) {
        let params: ParamsMap = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        assert_eq!(ListQuery::read(&params).is_launching, expected, "{query}");
    }

    #[test]
    fn a_version_or_a_suite_alone_opens_the_form_and_a_filter_does_not() {
        opens("prompt=a", false);
        opens("prompt=a&version=3", true);
        opens("suite=x", true);
        opens("suite=x&status=", false);
        opens("suite=x&status=failed", false);
        opens("launch=1", true);
    }

    #[test]
    fn a_filter_by_suite_stays_one_in_its_address() {
        let query = ListQuery {
            suite: "x".to_owned(),
            ..ListQuery::default()
        };
        assert_eq!(list("acme", &query), "/p/acme/runs?suite=x&status=");
        assert_eq!(
            launch("acme", "a/b", Some(3)),
            "/p/acme/runs?prompt=a%2Fb&version=3&launch=1"
        );
    }

    #[test]
    fn other_results_start_on_their_first_page() {
        let query = RunQuery {
            cursor: "61".to_owned(),
            against: "y".to_owned(),
            ..RunQuery::default()
        };
        assert_eq!(
            run("acme", "x", &query.showing(Show::Lost)),
            "/p/acme/runs/x?against=y&show=lost"
        );
    }
}
