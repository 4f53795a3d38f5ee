//! The addresses of drift.

use crate::prompts::links::{path, segment, with_query};

/// The list, all or in one state.
pub fn list(project: &str, state: &str) -> String {
    with_query(
        format!("/p/{}/drift", segment(project)),
        &[("state", state)],
    )
}

/// One prompt's.
pub fn prompt(project: &str, name: &str) -> String {
    format!("/p/{}/drift/{}", segment(project), path(name))
}
