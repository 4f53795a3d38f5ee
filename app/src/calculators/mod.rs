//! The calculators: how many, how much, how risky. Everything is computed by `domain`, with the same
//! functions as the API and the command line, in the browser while one types and on the server
//! without script. The address holds the numbers, so a result can be sent on.

mod about;
mod calls;
mod extras;
mod finding;
mod form;
mod result;
mod simulation;
mod tool;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::{
    frame::use_project,
    prompts::links::{segment, with_query},
    ui::{Loaded, PageHeader, Tab, Tabs},
};
use calls::load_prices;
use form::Calculator;
use tool::Tool;

/// The page at one of its tools.
fn address(project: &str, tool: Tool) -> String {
    with_query(
        format!("/p/{}/calculators", segment(project)),
        &[("tool", tool.word())],
    )
}

/// `/p/<project>/calculators?tool=&…`, the rest being the tool's fields.
#[component]
pub fn CalculatorsPage() -> impl IntoView {
    let project = use_project();
    let params = use_query_map();
    let tool = Memo::new(move |_| {
        params.with(|params| Tool::from_word(params.get_str("tool").unwrap_or_default()))
    });
    let prices = Resource::new(
        move || (project.get(), tool.get() == Tool::Cache),
        |(project, is_wanted)| async move {
            if is_wanted {
                load_prices(project).await
            } else {
                Ok(Vec::new())
            }
        },
    );
    let tabs = Signal::derive(move || {
        Tool::ALL
            .into_iter()
            .map(|one| Tab {
                word: one.title(),
                href: address(&project.get(), one),
                count: None,
                is_current: one == tool.get(),
            })
            .collect::<Vec<_>>()
    });
    view! {
        <PageHeader title="Calculators" lede=|| view! { "How many, how much, how risky: the same numbers that experiments are judged by." }/>
        <Tabs label="Calculators" tabs/>
        <Loaded from=prices let:prices>
            {move || {
                let prices = prices.clone();
                view! { <Calculator project=project.get_untracked() tool=tool.get() prices/> }
            }}
        </Loaded>
    }
}
