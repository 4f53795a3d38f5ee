//! The experiments that run now, each with what can be said of it in a line.

use domain::experiment::ExperimentRow;
use leptos::prelude::*;

use super::calls::Overview;
use crate::{
    experiments::{experiment_address, verdict_badge},
    ui::TableWrap,
};

/// The section; nothing where nothing runs.
pub fn section(project: &str, overview: &Overview) -> Option<impl IntoView + use<>> {
    if overview.experiments.is_empty() {
        return None;
    }
    let all = format!("/p/{project}/experiments");
    let rows = overview
        .experiments
        .iter()
        .map(|running| row(project, running))
        .collect_view();
    Some(view! {
        <section class="section" aria-labelledby="experiments">
            <div class="section-head">
                <h2 id="experiments">"Running experiments"</h2>
                <a href=all>"All experiments"</a>
            </div>
            <TableWrap>
                <table class="table" data-stack="">
                    <caption class="sr-only">"Experiments that run now"</caption>
                    <thead>
                        <tr><th scope="col">"Experiment"</th><th scope="col">"Verdict"</th></tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableWrap>
        </section>
    })
}

fn row(project: &str, running: &ExperimentRow) -> impl IntoView + use<> {
    let plan = &running.experiment.plan;
    let href = experiment_address(project, &running.experiment.id.to_string());
    view! {
        <tr>
            <th scope="row" data-cell="lead">
                <a class="row-link" href=href>{plan.name.clone()}</a>
                <span class="experiment-of">{format!("{} · {}", plan.prompt, plan.environment)}</span>
            </th>
            <td data-cell="full" data-grow="">
                <span class="one-line">
                    {verdict_badge(&running.verdict)}
                    <span class="verdict-line">{running.verdict.sentence.clone()}</span>
                </span>
            </td>
        </tr>
    }
}
