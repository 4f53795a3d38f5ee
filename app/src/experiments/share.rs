//! The link to an experiment's page as it is looked at: what is open is part of the address, so
//! whoever follows it sees the same.

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};

use super::links;
use crate::ui::CopyLink;

/// The numbers that are open, by the id of their figure.
#[derive(Clone, Copy)]
pub struct Opened(Memo<String>);

impl Opened {
    /// As the address says.
    pub fn of_address() -> Self {
        let query = use_query_map();
        Self(Memo::new(move |_| {
            query.with(|query| query.get("open").unwrap_or_default())
        }))
    }

    /// Whether a figure's numbers are open.
    pub fn has(self, figure: &str) -> bool {
        has(&self.0.get_untracked(), figure)
    }

    /// Notes in the address that a figure's numbers were opened or closed.
    pub fn noting(self, project: &str, id: &str, figure: &'static str) -> Callback<bool> {
        let navigate = use_navigate();
        let (project, id) = (project.to_owned(), id.to_owned());
        Callback::new(move |is_open| {
            // The page may be gone already.
            let Some(open) = self.0.try_get_untracked() else {
                return;
            };
            // A browser tells of what was open from the beginning, too.
            if has(&open, figure) != is_open {
                let options = NavigateOptions {
                    scroll: false,
                    replace: true,
                    ..NavigateOptions::default()
                };
                navigate(
                    &links::looked_at(&project, &id, &with(&open, figure, is_open)),
                    options,
                );
            }
        })
    }
}

fn has(open: &str, figure: &str) -> bool {
    open.split('.').any(|word| word == figure)
}

fn with(open: &str, figure: &str, is_open: bool) -> String {
    let others = open
        .split('.')
        .filter(|word| !word.is_empty() && *word != figure);
    let own = is_open.then_some(figure);
    others.chain(own).collect::<Vec<_>>().join(".")
}

/// The link to take away.
#[component]
pub fn Share(project: String, id: String, public_url: String, opened: Opened) -> impl IntoView {
    let home = public_url.trim_end_matches('/').to_owned();
    let address = Signal::derive(move || {
        format!("{home}{}", links::looked_at(&project, &id, &opened.0.get()))
    });
    view! {
        <section class="section" aria-labelledby="share-h">
            <div class="section-head"><h2 id="share-h">"Share"</h2></div>
            <p class="note">"Members of this project see the same page, as it is then."</p>
            <CopyLink id="share-link" label="Link to this page" address/>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_goes_into_the_address_once() {
        assert_eq!(with("", "effect", true), "effect");
        assert_eq!(with("effect", "over-time", true), "effect.over-time");
        assert_eq!(
            with("effect.over-time", "over-time", true),
            "effect.over-time"
        );
        assert_eq!(with("effect.over-time", "effect", false), "over-time");
        assert_eq!(with("effect", "effect", false), "");
        assert!(has("effect.over-time", "over-time") && !has("over-time", "over"));
    }
}
