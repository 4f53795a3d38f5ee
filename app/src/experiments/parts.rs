//! What several pages show of an experiment: its state, its verdict, how far it is.

use domain::experiment::{Experiment, ExperimentRow, Progress, Status, Verdict};
use leptos::prelude::*;

use super::{links, words};
use crate::{
    prompts::words::grouped,
    ui::{Badge, Glyph, Icon, RelativeTime, TableWrap, Tone},
};

/// Where it is in its life.
pub fn status(status: Status) -> AnyView {
    let word = status.word();
    match status {
        Status::Draft => {
            view! { <Badge tone=Tone::Outline><Icon glyph=Glyph::Edit/>{word}</Badge> }.into_any()
        }
        Status::Running => {
            view! { <Badge tone=Tone::Info><Icon glyph=Glyph::Runs/>{word}</Badge> }.into_any()
        }
        Status::Stopped => view! { <Badge><Icon glyph=Glyph::Close/>{word}</Badge> }.into_any(),
        Status::Concluded => view! { <Badge><Icon glyph=Glyph::Check/>{word}</Badge> }.into_any(),
    }
}

/// The word of a verdict.
pub fn verdict_badge(verdict: &Verdict) -> AnyView {
    let (tone, word) = words::verdict(verdict.kind);
    let glyph = match tone {
        Tone::Outline => Glyph::Clock,
        tone => tone.glyph(),
    };
    view! { <Badge tone=tone><Icon glyph=glyph/>{word}</Badge> }.into_any()
}

/// How much of the planned sample is there.
pub fn progress(progress: Progress) -> AnyView {
    let label = format!(
        "{} of {} planned units",
        grouped(progress.observed),
        grouped(progress.planned)
    );
    let done = progress.observed.min(progress.planned);
    view! {
        <span class="run-progress">
            <progress class="bar-progress" max=progress.planned.max(1).to_string() value=done.to_string() aria-label=label></progress>
            <span class="num">{format!("{} / {}", grouped(progress.observed), grouped(progress.planned))}</span>
        </span>
    }
    .into_any()
}

/// `9 days left`, `less than a day left`, `reached`.
pub fn days_left(progress: Progress) -> Option<String> {
    if progress.is_reached() && progress.planned > 0 {
        return Some("the planned sample is there".to_owned());
    }
    progress.days_left.map(|days| match days {
        days if days < 1.0 => "less than a day left".to_owned(),
        days if days <= 1.5 => "about a day left".to_owned(),
        days => format!("about {:.0} days left", days.ceil()),
    })
}

/// Versions of its arms, control first.
pub fn arms_in_a_line(experiment: &Experiment) -> String {
    let arms: Vec<String> = experiment
        .plan
        .arms
        .iter()
        .map(|arm| format!("v{}", arm.version))
        .collect();
    arms.join(" / ")
}

/// A table of experiments; `has_prompt` where they are of several.
#[component]
pub fn Rows(
    project: String,
    rows: Vec<ExperimentRow>,
    has_prompt: bool,
    now: chrono::DateTime<chrono::Utc>,
) -> impl IntoView {
    let rows = rows
        .iter()
        .map(|row| one(&project, row, has_prompt, now))
        .collect_view();
    view! {
        <TableWrap>
            <table class="table" data-stack="">
                <caption class="sr-only">"Experiments, newest first"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Experiment"</th>
                        <th scope="col">"Status"</th>
                        <th scope="col">"Verdict"</th>
                        <th scope="col">"Units"</th>
                        <th scope="col" data-align="end">"Since"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableWrap>
    }
}

fn one(
    project: &str,
    row: &ExperimentRow,
    has_prompt: bool,
    now: chrono::DateTime<chrono::Utc>,
) -> impl IntoView + use<> {
    let experiment = &row.experiment;
    let plan = &experiment.plan;
    let href = links::experiment(project, &experiment.id.to_string());
    let since = experiment
        .stopped_at
        .or(experiment.started_at)
        .unwrap_or(experiment.created_at);
    let of = if has_prompt {
        format!(
            "{} · {} · {}",
            plan.prompt,
            plan.environment,
            arms_in_a_line(experiment)
        )
    } else {
        format!("{} · {}", plan.environment, arms_in_a_line(experiment))
    };
    view! {
        <tr>
            <th scope="row" data-cell="lead">
                <a class="row-link" href=href>{plan.name.clone()}</a>
                <span class="experiment-of">{of}</span>
            </th>
            <td data-fit="">{status(experiment.status)}</td>
            <td data-cell="full" data-grow="">
                <span class="one-line">{verdict_badge(&row.verdict)}<span class="verdict-line">{row.verdict.sentence.clone()}</span></span>
            </td>
            <td data-fit="">{progress(row.progress)}</td>
            <td data-cell="when" data-align="end" data-fit=""><RelativeTime at=since now/></td>
        </tr>
    }
}
