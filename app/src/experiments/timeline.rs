//! What happened to an experiment, oldest first.

use chrono::{DateTime, Utc};
use domain::experiment::{Happening, TimelineEntry};
use leptos::prelude::*;

use super::words;
use crate::{
    prompts::words::grouped,
    ui::{Badge, Glyph, Icon, RelativeTime, Tone, Who, error::sentence},
};

/// The story.
#[component]
pub fn Story(
    /// What happened.
    entries: Vec<TimelineEntry>,
    /// When this was read.
    now: DateTime<Utc>,
) -> impl IntoView {
    let items = entries
        .into_iter()
        .map(|entry| {
            let (words, more) = said(&entry.what);
            let alarm = matches!(entry.what, Happening::Alarm { .. })
                .then(|| view! { <Badge tone=Tone::Bad><Icon glyph=Glyph::Error/>"alarm"</Badge>" " });
            let more = more.map(|more| view! { <p class="note">{more}</p> });
            view! {
                <li>
                    <p>{alarm}<b>{words}</b>" "<Who name=entry.by.name() kind=entry.by.kind()/>" "<RelativeTime at=entry.at now has_ago=true/></p>
                    {more}
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="section" aria-labelledby="story-h">
            <div class="section-head"><h2 id="story-h">"What happened"</h2></div>
            <ol class="story">{items}</ol>
        </section>
    }
}

fn said(what: &Happening) -> (String, Option<String>) {
    let some = |text: &str| (!text.is_empty()).then(|| sentence(text));
    match what {
        Happening::Created => ("Planned".to_owned(), None),
        Happening::Changed => ("Plan changed".to_owned(), None),
        Happening::Started { warning } => ("Started".to_owned(), warning.as_deref().and_then(some)),
        Happening::TrafficRaised { from, to } => (
            format!(
                "Traffic raised from {} to {}",
                words::share(*from),
                words::share(*to)
            ),
            None,
        ),
        Happening::Frozen { units } => (
            format!(
                "Planned sample reached: counts of {} units frozen for the decision",
                grouped(*units)
            ),
            None,
        ),
        Happening::Alarm { sentence } => ("Something is wrong".to_owned(), some(sentence)),
        Happening::Stopped { reason } => (
            "Stopped: everybody gets the control".to_owned(),
            some(reason),
        ),
        Happening::Concluded { conclusion } => ("Concluded".to_owned(), some(conclusion)),
    }
}
