//! A prompt's last 24 hours in production, small: a line and a number in a row of a table.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// A prompt's last 24 hours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// Requests by the hour, drawn.
    pub line: String,
    /// The share that succeeded by the hour, drawn.
    pub success_line: String,
    /// The 95th percentile of the latency by the hour, drawn.
    pub latency_line: String,
    /// What they show, in words.
    pub words: String,
    /// Requests.
    pub n_requests: u64,
    /// The same, in words.
    pub requests: String,
    /// The share that succeeded.
    pub success: String,
    /// Until the last token, for 95 of 100.
    pub latency: String,
    /// Whether more than one in twenty failed.
    pub is_bad: bool,
}

/// The last 24 hours of those prompts that somebody called.
#[cfg(feature = "ssr")]
pub async fn of(
    cx: &crate::context::Cx,
    prompts: &[domain::prompt::Prompt],
) -> Result<std::collections::HashMap<domain::prompt::PromptName, Day>, crate::error::UiError> {
    use domain::monitor::window::Window;

    let names: Vec<_> = prompts.iter().map(|prompt| prompt.name.clone()).collect();
    let span = Window::Day.until(cx.now);
    let found = store::monitor::traffic(&cx.store, &cx.actor, &names, span).await?;
    Ok(found
        .into_iter()
        .map(|(name, (total, points))| (name, drawn(&total, &points)))
        .collect())
}

#[cfg(feature = "ssr")]
fn drawn(total: &domain::monitor::Summary, points: &[domain::monitor::Point]) -> Day {
    use domain::monitor::Summary;

    use super::words;

    let is_bad = |summary: &Summary| summary.error_rate().is_some_and(|rate| rate > 0.05);
    let line = |value: fn(&Summary) -> Option<f64>| {
        // Hours without calls succeed neither nor fail: the line goes on as it was.
        let mut last = points.iter().find_map(|point| value(&point.summary));
        let drawn: Vec<(f64, bool)> = points
            .iter()
            .map(|point| {
                last = value(&point.summary).or(last);
                (last.unwrap_or(0.0), is_bad(&point.summary))
            })
            .collect();
        crate::charts::spark::spark(&drawn)
    };
    Day {
        line: line(|one| Some(domain::stats::float(one.requests))),
        success_line: line(Summary::success_rate),
        latency_line: line(|one| one.latency.map(|latency| latency.p95)),
        words: words::day(total),
        n_requests: total.requests,
        requests: words::few(total.requests),
        success: words::maybe(total.success_rate(), words::share),
        latency: words::percentile(total.latency, |of| of.p95),
        is_bad: is_bad(total),
    }
}

/// A line and the number it comes to. The line says nothing that the number does not.
pub fn line_and_number(line: String, number: String) -> impl IntoView {
    view! {
        <span class="day-line" aria-hidden="true" inner_html=line></span>
        <span class="num">{number}</span>
    }
}
