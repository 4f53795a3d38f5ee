//! How a run is getting on: how much is done, how fast it goes, when it will be over.

use domain::run::{Run, RunStatus};
use leptos::prelude::*;

use super::{parts::unsigned, shapes::Pace, words};
use crate::{
    prompts::words::grouped,
    ui::{Glyph, Icon, Moment},
};

/// The numbers of a run under way. Not announced: they change several times a second.
#[component]
pub fn Progress(run: Run, pace: Pace) -> impl IntoView {
    let (done, total) = (grouped(unsigned(run.done)), grouped(unsigned(run.total)));
    let percent = if run.total > 0 {
        run.done * 100 / run.total
    } else {
        0
    };
    let rate = pace
        .per_second
        .map_or_else(|| "–".to_owned(), |rate| format!("{rate:.1}"));
    let left = match (pace.seconds_left, run.status) {
        (Some(left), _) => format!("≈ {}", words::duration(left)),
        (None, RunStatus::Queued) => "waiting".to_owned(),
        (None, _) => "–".to_owned(),
    };
    let cost = run.cost_usd.map_or_else(|| "–".to_owned(), words::dollars);
    let paused = pace.paused_until.map(|until| {
        view! {
            <p class="paused">
                <Icon glyph=Glyph::Clock/>
                <span>{run.provider.clone()}" says “too many requests”: paused until "<Moment at=until/></span>
            </p>
        }
    });
    let queued = (run.status == RunStatus::Queued)
        .then(|| view! { <p class="note">"No worker has taken it up yet."</p> });
    let errors = match run.errors {
        0 => "no errors".to_owned(),
        1 => "1 error".to_owned(),
        n => format!("{} errors", grouped(unsigned(n))),
    };
    view! {
        <section class="section run-pace" aria-label="Progress">
            <progress class="bar-progress" max=run.total.to_string() value=run.done.to_string() aria-label="Calls done"></progress>
            <div class="stats">
                <dl>
                    <div class="stat">
                        <dt>"Done"</dt>
                        <dd class="value">{done}<small>{format!("/{total}")}</small></dd>
                        <dd>{format!("{percent} %, {errors}")}</dd>
                    </div>
                    <div class="stat">
                        <dt>"Rate"</dt>
                        <dd class="value">{rate}<small>" /s"</small></dd>
                        <dd>"results, over the last 10 s"</dd>
                    </div>
                    <div class="stat">
                        <dt>"Time left"</dt>
                        <dd class="value">{left}</dd>
                        <dd>"at this rate"</dd>
                    </div>
                    <div class="stat">
                        <dt>"Cost so far"</dt>
                        <dd class="value">{cost}</dd>
                        <dd>{if run.cost_usd.is_some() { "" } else { "no price is known" }}</dd>
                    </div>
                </dl>
            </div>
            {paused}
            {queued}
        </section>
    }
}
