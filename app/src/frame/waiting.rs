//! How much waits for the one who looks, as the rail counts it.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{error::UiError, live::use_feed};

/// What the rail counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Promotions that wait for the approval of the one who looks.
    pub n_approvals: i64,
    /// Alerts that fire in the project.
    pub n_alerts: i64,
}

/// The counts as they are now. Provided by the frame.
#[derive(Clone, Copy)]
pub struct Waiting(pub Signal<Counts>);

impl Waiting {
    /// Begins with what the document said, and counts again when something that is counted, or what
    /// it is decided on, changes.
    pub fn follow(counts: Counts, project: Memo<String>) -> Self {
        let shown = RwSignal::new(counts);
        let again = Action::new(|project: &String| count_waiting(project.clone()));
        let heard = use_feed().heard(&["promotion", "gate", "version", "environment", "alert"]);
        Effect::new(move |before: Option<u64>| {
            let now = heard.get();
            if before.is_some_and(|before| before != now) {
                again.dispatch(project.get_untracked());
            }
            now
        });
        Effect::new(move |_| {
            // What cannot be counted now stays as it was; the pages say what is wrong.
            if let Some(Ok(counts)) = again.value().get() {
                shown.set(counts);
            }
        });
        Self(shown.into())
    }
}

/// What waits for the one who asks.
#[server]
pub async fn count_waiting(project: String) -> Result<Counts, UiError> {
    count(&crate::context::member(&project).await?).await
}

/// The same, for the document.
#[cfg(feature = "ssr")]
pub async fn count(cx: &crate::context::Cx) -> Result<Counts, UiError> {
    let approvals = store::promotions::waiting_for(&cx.store, &cx.actor, cx.now).await?;
    Ok(Counts {
        n_approvals: i64::try_from(approvals.len()).unwrap_or(i64::MAX),
        n_alerts: store::alerts::n_firing(&cx.store, &cx.actor).await?,
    })
}
