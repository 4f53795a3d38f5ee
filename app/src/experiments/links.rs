//! The addresses of experiments, and what they say about what is shown.

use leptos_router::params::ParamsMap;
use serde::{Deserialize, Serialize};

use super::plan::PlanValues;
use crate::prompts::links::{segment, with_query};

/// What the list is narrowed to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListQuery {
    /// One prompt's experiments.
    #[serde(default)]
    pub prompt: String,
    /// Those in one state.
    #[serde(default)]
    pub status: String,
    /// Where the page starts.
    #[serde(default)]
    pub cursor: String,
}

impl ListQuery {
    /// Reads an address.
    pub fn read(params: &ParamsMap) -> Self {
        let text = |name| params.get(name).unwrap_or_default().trim().to_owned();
        Self {
            prompt: text("prompt"),
            status: text("status"),
            cursor: text("cursor"),
        }
    }

    /// Whether anything is left out of the list.
    pub fn is_filtered(&self) -> bool {
        !(self.prompt.is_empty() && self.status.is_empty())
    }
}

/// The list in a state.
pub fn list(project: &str, query: &ListQuery) -> String {
    with_query(
        format!("/p/{}/experiments", segment(project)),
        &[
            ("prompt", &query.prompt),
            ("status", &query.status),
            ("cursor", &query.cursor),
        ],
    )
}

/// A prompt's experiments.
pub fn of_prompt(project: &str, prompt: &str) -> String {
    let query = ListQuery {
        prompt: prompt.to_owned(),
        ..ListQuery::default()
    };
    list(project, &query)
}

/// One experiment.
pub fn experiment(project: &str, id: &str) -> String {
    format!("/p/{}/experiments/{}", segment(project), segment(id))
}

/// The same with the numbers of some figures open.
pub fn looked_at(project: &str, id: &str, open: &str) -> String {
    with_query(experiment(project, id), &[("open", open)])
}

/// The page that plans one.
pub fn new(project: &str) -> String {
    format!("/p/{}/new-experiment", segment(project))
}

/// The same for a prompt.
pub fn new_for(project: &str, prompt: &str) -> String {
    with_query(new(project), &[("plan[prompt]", prompt)])
}

/// The same with what was filled in so far, and with what else the address says.
pub fn planned(project: &str, values: &PlanValues, rest: &[(&str, String)]) -> String {
    let pairs = values.pairs();
    let pairs: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .chain(rest.iter().map(|(name, value)| (*name, value.as_str())))
        .collect();
    with_query(new(project), &pairs)
}

/// What programs read, for a browser that is signed in.
pub fn export(project: &str, id: &str, rest: &str) -> String {
    let mark = if rest.contains('?') { '&' } else { '?' };
    format!(
        "/api/v1/experiments/{}/{rest}{mark}project={}",
        segment(id),
        segment(project)
    )
}
