//! The Experiments tab of a prompt.

use domain::actor::Permission;
use leptos::prelude::*;

use super::{calls::load_experiments_of, links, parts::Rows, shapes::TabView};
use crate::{
    error::UiError,
    frame::use_membership,
    live::use_feed,
    prompts::Here,
    ui::{Empty, Glyph, Icon, Loaded, TableSkeleton},
};

/// What the tab shows; made by the prompt's page.
#[derive(Clone, Copy)]
pub struct Experiments {
    view: Resource<Result<Option<TabView>, UiError>>,
    here: Memo<Here>,
}

impl Experiments {
    /// Loads while its tab is the one shown.
    pub fn new(here: Memo<Here>, tab: Memo<String>) -> Self {
        let heard = use_feed().heard(&["experiment"]);
        let view = Resource::new(
            move || {
                let is_shown = *tab.read() == "experiments";
                is_shown.then(|| (here.get(), heard.get()))
            },
            async |wanted| match wanted {
                None => Ok(None),
                Some((Here { project, name }, _)) => {
                    load_experiments_of(project, name).await.map(Some)
                }
            },
        );
        Self { view, here }
    }
}

/// `?tab=experiments`
#[component]
pub fn ExperimentsTab(
    /// What it shows.
    experiments: Experiments,
) -> impl IntoView {
    view! {
        <Loaded from=experiments.view skeleton=|| view! { <Skeleton/> } let:shown>
            {match shown {
                None => view! { <Skeleton/> }.into_any(),
                Some(shown) => view! { <Shown here=experiments.here.get_untracked() shown/> }.into_any(),
            }}
        </Loaded>
    }
}

#[component]
fn Skeleton() -> impl IntoView {
    view! { <TableSkeleton columns=&["Experiment", "Status", "Verdict", "Units", "Since"] label="Loading experiments"/> }
}

#[component]
fn Shown(here: Here, shown: TabView) -> impl IntoView {
    let Here { project, name } = here;
    let may_run = use_membership().may(Permission::RunExperiments);
    let plan = may_run.then(|| {
        view! {
            <a class="btn" data-size="small" data-kind="primary" href=links::new_for(&project, &name)>
                <Icon glyph=Glyph::Plus/>"New experiment"
            </a>
        }
    });
    let has_rows = !shown.rows.is_empty();
    let all =
        has_rows.then(|| view! { <a href=links::of_prompt(&project, &name)>"All experiments"</a> });
    let rows = if has_rows {
        view! { <Rows project rows=shown.rows has_prompt=false now=shown.now/> }.into_any()
    } else {
        view! {
            <Empty glyph=Glyph::Experiments title="No experiments yet" is_small=true>
                <p>"An experiment gives part of your users another version, and says whether it does better."</p>
            </Empty>
        }
        .into_any()
    };
    view! {
        <section class="section" aria-labelledby="experiments-h">
            <div class="section-head">
                <h2 id="experiments-h">"Experiments"</h2>
                {all}
                {plan}
            </div>
            {rows}
        </section>
    }
}
