//! A chart in a page: the drawing, the finding, and the numbers behind it one click away.

use leptos::prelude::*;

use super::{Chart, Table};
use crate::ui::{Glyph, Icon};

/// `<Figure id="effect" name="Effect" chart/>`; `id` is unique on the page.
#[component]
pub fn Figure(
    /// What ids begin with.
    id: &'static str,
    /// What the table's numbers are, for those who listen.
    name: &'static str,
    /// What is shown.
    chart: Chart,
    /// Whether the numbers are open to begin with.
    #[prop(optional)]
    is_open: bool,
    /// Told when the numbers are opened or closed.
    #[prop(optional, into)]
    on_toggle: Option<Callback<bool>>,
) -> impl IntoView {
    let finding = format!("{id}-finding");
    view! {
        <figure class="chart" id=id>
            <div class="chart-drawing" role="img" aria-labelledby=finding.clone() inner_html=chart.svg></div>
            <figcaption id=finding>{chart.caption}</figcaption>
            <Numbers name table=chart.table is_open on_toggle/>
        </figure>
    }
}

#[component]
fn Numbers(
    name: &'static str,
    table: Table,
    is_open: bool,
    on_toggle: Option<Callback<bool>>,
) -> impl IntoView {
    let head = table
        .columns
        .into_iter()
        .enumerate()
        .map(|(index, column)| {
            let align = (index > 0).then_some("end");
            view! { <th scope="col" data-align=align>{column}</th> }
        })
        .collect_view();
    let rows = table
        .rows
        .into_iter()
        .map(|row| {
            let cells = row
                .into_iter()
                .enumerate()
                .map(|(index, cell)| {
                    if index == 0 {
                        view! { <th scope="row">{cell}</th> }.into_any()
                    } else {
                        view! { <td data-align="end">{cell}</td> }.into_any()
                    }
                })
                .collect_view();
            view! { <tr>{cells}</tr> }
        })
        .collect_view();
    let toggled = move |event: leptos::ev::Event| {
        if let Some(tell) = on_toggle {
            tell.run(event_target::<leptos::web_sys::Element>(&event).has_attribute("open"));
        }
    };
    view! {
        <details class="chart-numbers" open=is_open on:toggle=toggled>
            <summary class="disclosure"><Icon glyph=Glyph::ChevronRight/>"Numbers"<span class="sr-only">{format!(" of {name}")}</span></summary>
            <div class="chart-table" tabindex="0" role="group" aria-label=format!("Numbers of {name}")>
                <table class="table">
                    <caption class="sr-only">{name}</caption>
                    <thead><tr>{head}</tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </details>
    }
}
