//! What several pages show of a run: its state, its pass rate, a verdict, a link.

use domain::{
    gate::Verdict,
    run::{Run, RunStatus},
    stats::Interval,
};
use leptos::prelude::*;

use super::{
    links::{self, RunQuery},
    words,
};
use crate::{
    prompts::words::grouped,
    ui::{Badge, Glyph, Icon, Nobody, Tone},
};

/// A count that cannot be negative.
pub fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// `v41`, or `candidate` for what is not saved.
pub fn subject(version: Option<i32>) -> String {
    version.map_or_else(|| "candidate".to_owned(), |version| format!("v{version}"))
}

/// The page of a run.
pub fn address(project: &str, run: &Run) -> String {
    links::run(project, &run.id.to_string(), &RunQuery::default())
}

/// How far a run has come; its progress while it runs.
pub fn status(run: &Run) -> AnyView {
    let word = run.status.word();
    match run.status {
        RunStatus::Queued => {
            view! { <Badge tone=Tone::Outline><Icon glyph=Glyph::Clock/>{word}</Badge> }.into_any()
        }
        RunStatus::Running => {
            let label = format!(
                "{} of {} results",
                grouped(unsigned(run.done)),
                grouped(unsigned(run.total))
            );
            view! {
                <span class="run-progress">
                    <progress class="bar-progress" max=run.total.to_string() value=run.done.to_string() aria-label=label></progress>
                    <span class="num">{format!("{}/{}", grouped(unsigned(run.done)), grouped(unsigned(run.total)))}</span>
                </span>
            }
            .into_any()
        }
        RunStatus::Completed => view! { <Badge>{word}</Badge> }.into_any(),
        RunStatus::Failed => {
            view! { <Badge tone=Tone::Bad><Icon glyph=Glyph::Error/>{word}</Badge> }.into_any()
        }
        RunStatus::Cancelled => view! { <Badge tone=Tone::Warn>{word}</Badge> }.into_any(),
    }
}

/// A pass rate with its interval.
pub fn rate(rate: Option<f64>, interval: Option<Interval>) -> AnyView {
    let Some(rate) = rate else {
        return view! { <Nobody word="no result yet"/> }.into_any();
    };
    let interval = interval.map(|interval| {
        view! { <span class="interval" title="95 % interval">{words::interval(interval)}</span> }
    });
    view! { <span class="rate"><b>{words::percent(rate)}</b>{interval}</span> }.into_any()
}

/// What a gate says.
pub fn verdict(verdict: Verdict) -> AnyView {
    let (tone, word) = match verdict {
        Verdict::Pass => (Tone::Good, "pass"),
        Verdict::Fail => (Tone::Bad, "fail"),
        Verdict::Inconclusive => (Tone::Warn, "undecided"),
    };
    view! { <Badge tone=tone><Icon glyph=tone.glyph()/>{word}</Badge> }.into_any()
}

/// A number of US dollars; a dash where no price is known.
pub fn cost(cost: Option<f64>) -> AnyView {
    match cost {
        Some(cost) => words::dollars(cost).into_any(),
        None => view! { <Nobody word="no price known"/> }.into_any(),
    }
}
