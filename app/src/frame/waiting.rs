//! How much waits for the one who looks, as the rail counts it.

use leptos::prelude::*;

use crate::{error::UiError, live::use_feed};

/// Promotions that wait for the approval of the one who looks. Provided by the frame.
#[derive(Clone, Copy)]
pub struct Waiting(RwSignal<usize>);

impl Waiting {
    /// Begins with what the document said and counts again when a promotion, or what it is decided
    /// on, changes.
    pub fn follow(n_approvals: usize, project: Memo<String>) -> Self {
        let count = RwSignal::new(n_approvals);
        let again = Action::new(|project: &String| count_approvals(project.clone()));
        let heard = use_feed().heard(&["promotion", "gate", "version", "environment"]);
        Effect::new(move |before: Option<u64>| {
            let now = heard.get();
            if before.is_some_and(|before| before != now) {
                again.dispatch(project.get_untracked());
            }
            now
        });
        Effect::new(move |_| {
            // What cannot be counted now stays as it was; the pages say what is wrong.
            if let Some(Ok(n_approvals)) = again.value().get() {
                count.set(n_approvals);
            }
        });
        Self(count)
    }

    /// The number.
    pub fn n_approvals(self) -> Signal<usize> {
        self.0.into()
    }
}

/// Promotions that wait for the approval of the one who asks.
#[server]
pub async fn count_approvals(project: String) -> Result<usize, UiError> {
    let cx = crate::context::member(&project).await?;
    let waiting = store::promotions::waiting_for(&cx.store, &cx.actor, cx.now).await?;
    Ok(waiting.len())
}
