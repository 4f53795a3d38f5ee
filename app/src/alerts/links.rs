//! Addresses of alerts.

/// The inbox.
pub fn list(project: &str) -> String {
    format!("/p/{project}/alerts")
}

/// One alert.
#[must_use]
pub fn alert(project: &str, id: &str) -> String {
    format!("/p/{project}/alerts/{id}")
}
