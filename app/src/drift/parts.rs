//! What both pages of drift show.

use chrono::{DateTime, Utc};
use domain::drift::State;
use leptos::prelude::*;

use super::shapes::Spark;
use crate::ui::{
    Badge, Glyph, Icon, Tone,
    time::{ago, exact, machine},
};

/// A state in its colour, with its sign.
pub fn badge(state: State) -> AnyView {
    let (tone, glyph) = match state {
        State::Drifted => (Tone::Bad, Tone::Bad.glyph()),
        State::Watch => (Tone::Warn, Tone::Warn.glyph()),
        State::Healthy => (Tone::Good, Tone::Good.glyph()),
        State::CannotTell => (Tone::Outline, Glyph::Advisor),
    };
    view! { <Badge tone=tone><Icon glyph/>{state.label()}</Badge> }.into_any()
}

/// When something will be: `in 3 d`, `due now`.
pub fn ahead(at: DateTime<Utc>, now: DateTime<Utc>) -> AnyView {
    let words = match ago(now, at) {
        words if words == "now" => "due now".to_owned(),
        words => format!("in {words}"),
    };
    view! { <time datetime=machine(at) title=exact(at)>{words}</time> }.into_any()
}

/// The running average within its limits, small.
pub fn small_chart(spark: Spark) -> AnyView {
    view! {
        <svg class="drift-spark" viewBox="0 0 120 32" role="img" aria-label=spark.label>
            <path data-part="band" d=spark.band></path>
            <path data-part="centre" d=spark.centre></path>
            <path data-part="line" d=spark.line></path>
            <circle data-part="dot" cx=spark.dot.0 cy=spark.dot.1 r="2.5"></circle>
        </svg>
    }
    .into_any()
}
