//! How much waits for people, as the rail counts it.

use leptos::prelude::*;

use crate::{alerts::calls::count_alerts, error::UiError, live::use_feed};

/// Promotions that wait for the approval of the one who looks, and alerts that fire. Provided by
/// the frame.
#[derive(Clone, Copy)]
pub struct Waiting {
    approvals: RwSignal<usize>,
    alerts: RwSignal<usize>,
}

impl Waiting {
    /// Begins with what the document said and counts again when a promotion, what it is decided
    /// on, or an alert changes.
    pub fn follow(n_approvals: usize, n_alerts: usize, project: Memo<String>) -> Self {
        let counts = Self {
            approvals: RwSignal::new(n_approvals),
            alerts: RwSignal::new(n_alerts),
        };
        let approvals = Action::new(|project: &String| count_approvals(project.clone()));
        let decided = &["promotion", "gate", "version", "environment"];
        follow(
            approvals,
            use_feed().heard(decided),
            project,
            counts.approvals,
        );
        let alerts = Action::new(|project: &String| count_alerts(project.clone()));
        follow(alerts, use_feed().heard(&["alert"]), project, counts.alerts);
        counts
    }

    /// Promotions that wait for the one who looks.
    pub fn n_approvals(self) -> Signal<usize> {
        self.approvals.into()
    }

    /// Alerts that fire.
    pub fn n_alerts(self) -> Signal<usize> {
        self.alerts.into()
    }
}

fn follow(
    again: Action<String, Result<usize, UiError>>,
    heard: Memo<u64>,
    project: Memo<String>,
    count: RwSignal<usize>,
) {
    Effect::new(move |before: Option<u64>| {
        let now = heard.get();
        if before.is_some_and(|before| before != now) {
            again.dispatch(project.get_untracked());
        }
        now
    });
    Effect::new(move |_| {
        // What cannot be counted now stays as it was; the pages say what is wrong.
        if let Some(Ok(n)) = again.value().get() {
            count.set(n);
        }
    });
}

/// Promotions that wait for the approval of the one who asks.
#[server]
pub async fn count_approvals(project: String) -> Result<usize, UiError> {
    let cx = crate::context::member(&project).await?;
    let waiting = store::promotions::waiting_for(&cx.store, &cx.actor, cx.now).await?;
    Ok(waiting.len())
}
