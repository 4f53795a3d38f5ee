//! What stands where rows will be, on the first load only.

use leptos::prelude::*;

/// A table of the real shape without content: `<TableSkeleton columns=&["Name", "Role"] label="Loading members"/>`.
#[component]
pub fn TableSkeleton(
    /// The headers of the columns.
    columns: &'static [&'static str],
    /// What is loading.
    label: &'static str,
    /// How many rows.
    #[prop(default = 6)]
    n_rows: u8,
) -> impl IntoView {
    let head = columns
        .iter()
        .map(|name| view! { <th scope="col">{*name}</th> })
        .collect_view();
    let rows = (0..n_rows)
        .map(|row| {
            let cells = (0_u8..)
                .zip(columns)
                .map(|(column, _)| {
                    let width = ["medium", "short", "long"][usize::from((row + 2 * column) % 3)];
                    view! { <td><span class="skeleton" data-width=width></span></td> }
                })
                .collect_view();
            view! { <tr>{cells}</tr> }
        })
        .collect_view();
    view! {
        <div class="table-wrap" aria-busy="true" tabindex="0" role="group" aria-label=label>
            <table class="table">
                <caption class="sr-only">{label}</caption>
                <thead><tr>{head}</tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}
