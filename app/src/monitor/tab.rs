//! The Monitor tab of a prompt.

use std::time::Duration;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{
    calls::load_monitor,
    links::Query,
    panels::{ByVersion, Controls, Failures, Happenings, PairTable, Pictures, Tiles},
    samples::{SampleActs, Samples},
    shapes::MonitorView,
};
use crate::{
    error::UiError,
    live::{Connection, use_feed},
    prompts::Here,
    ui::{Empty, Glyph, Loaded, TableSkeleton},
};

/// Roll-ups come every moment; a picture of a day need not.
const AGAIN: Duration = Duration::from_secs(30);

/// What the tab shows; made by the prompt's page.
#[derive(Clone, Copy)]
pub struct Monitoring {
    view: Resource<Result<Option<MonitorView>, UiError>>,
    here: Memo<Here>,
    acts: SampleActs,
}

impl Monitoring {
    /// Loads while its tab is the one shown, and again now and then.
    pub fn new(here: Memo<Here>, tab: Memo<String>) -> Self {
        let params = use_query_map();
        let query = Memo::new(move |_| params.with(Query::read));
        let feed = use_feed();
        let heard = feed.heard(&["deployment", "sampling"]);
        let ticks = RwSignal::new(0_u32);
        let acts = SampleActs::new();
        Effect::new(move |_| {
            if *tab.read() != "monitor" || feed.connection().get() != Connection::Live {
                return;
            }
            let ticking = set_interval_with_handle(move || ticks.update(|n| *n += 1), AGAIN);
            on_cleanup(move || {
                if let Ok(ticking) = ticking {
                    ticking.clear();
                }
            });
        });
        let view = Resource::new(
            move || {
                let is_shown = *tab.read() == "monitor";
                let done = (acts.version(), heard.get(), ticks.get());
                is_shown.then(|| (here.get(), query.get(), done))
            },
            async |wanted| match wanted {
                None => Ok(None),
                Some((Here { project, name }, query, ..)) => {
                    load_monitor(project, name, query).await.map(Some)
                }
            },
        );
        Self { view, here, acts }
    }
}

/// `?tab=monitor&window=&environment=&version=&beside=`
#[component]
pub fn MonitorTab(
    /// What it shows.
    monitoring: Monitoring,
) -> impl IntoView {
    view! {
        <Loaded from=monitoring.view skeleton=|| view! { <Skeleton/> } let:shown>
            {match shown {
                None => view! { <Skeleton/> }.into_any(),
                Some(shown) => view! { <Shown here=monitoring.here.get_untracked() shown acts=monitoring.acts/> }.into_any(),
            }}
        </Loaded>
    }
}

#[component]
fn Skeleton() -> impl IntoView {
    view! { <TableSkeleton columns=&["Version", "Requests", "Success", "p50", "p95", "Cost"] label="Loading traffic"/> }
}

#[component]
fn Shown(here: Here, shown: MonitorView, acts: SampleActs) -> impl IntoView {
    let samples = view! { <Samples project=here.project.clone() shown=shown.clone() acts/> };
    let controls = view! { <Controls here=here.clone() shown=shown.clone()/> };
    if shown.is_empty {
        let place = if shown.query.environment == "all" {
            "any environment".to_owned()
        } else {
            shown.query.environment.clone()
        };
        let words = format!(
            "No call of this prompt was reported from {place} in the last {}.",
            shown.query.window().words()
        );
        return view! {
            {controls}
            <Empty glyph=Glyph::Experiments title="No traffic in this window" is_small=true>
                <p>{words}</p>
                <p>"Applications report calls at "<code class="inline">"POST /api/v1/events"</code>", or as OpenTelemetry spans at "<code class="inline">"POST /v1/traces"</code>" with the attribute "<code class="inline">"gen_ai.prompt.name"</code>"."</p>
            </Empty>
            <Happenings shown=shown/>
            {samples}
        }
        .into_any();
    }
    let pair = shown.pair.clone().map(|pair| view! { <PairTable pair/> });
    view! {
        {controls}
        <Tiles tiles=shown.tiles.clone()/>
        {pair}
        <Pictures pictures=shown.pictures.clone()/>
        <ByVersion here shown=shown.clone()/>
        <div class="split">
            <Failures failures=shown.failures.clone()/>
            <Happenings shown/>
        </div>
        {samples}
    }
    .into_any()
}
