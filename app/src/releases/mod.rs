//! Releases: rolling back, watching it arrive at every client, history. Promoting lives with the
//! versions, in `prompts`.

mod calls;
mod propagation;
mod roll_back;
mod tab;

pub use propagation::PropagationPage;
pub use roll_back::RollBackPage;
pub use tab::{History, ReleasesTab, change, confirmed, kind};

/// Where one rolls a prompt back; `to` preselects a version.
#[must_use]
pub fn roll_back_address(project: &str, name: &str, environment: &str, to: Option<i32>) -> String {
    let to = to.map_or_else(String::new, |to| format!("&to={to}"));
    format!("/p/{project}/roll-back/{name}?environment={environment}{to}")
}

/// Where one watches a deployment arrive.
#[must_use]
pub fn deployment_address(project: &str, id: &str) -> String {
    format!("/p/{project}/deployments/{id}")
}

/// A prompt's own page.
#[must_use]
pub fn prompt_address(project: &str, name: &str) -> String {
    format!("/p/{project}/prompts/{name}")
}
