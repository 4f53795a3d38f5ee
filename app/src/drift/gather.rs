//! On the server: gathers what the pages of drift show. No rule is decided here.

use domain::{
    drift::State,
    field::{FieldError, Fields},
    prompt::PromptName,
    schedule::Schedule,
};
use serde_json::json;

use super::{
    pictures,
    shapes::{DetailView, DriftRow, DriftView},
};
use crate::{context::Cx, error::UiError, ui::time::day};

pub fn name(text: &str) -> Result<PromptName, UiError> {
    PromptName::parse(text).map_err(|_| UiError::NotFound("prompt".to_owned()))
}

/// Reads what was typed.
pub fn schedule(
    cron: &str,
    time_zone: &str,
    jitter_minutes: &str,
    enabled: bool,
) -> Result<Schedule, UiError> {
    let jitter: i64 = jitter_minutes.trim().parse().map_err(|_| {
        let words = "must be a whole number of minutes";
        UiError::Invalid(vec![FieldError::new("jitter_minutes", words)])
    })?;
    let typed = json!({
        "cron": cron, "time_zone": time_zone, "jitter_minutes": jitter, "enabled": enabled,
    });
    Schedule::read(Fields::new("", typed)).map_err(UiError::Invalid)
}

pub async fn list(cx: &Cx, state: &str) -> Result<DriftView, UiError> {
    let watched = store::drift::list(&cx.store, &cx.actor, State::from_word(state)).await?;
    let rows = watched
        .into_iter()
        .map(|one| DriftRow {
            spark: pictures::spark(&one.charts),
            standing: one.standing,
            next_due: one.next_due,
            is_running: one.running.is_some(),
        })
        .collect();
    Ok(DriftView { rows, now: cx.now })
}

pub async fn detail(cx: &Cx, text: &str) -> Result<DetailView, UiError> {
    let found = store::drift::find(&cx.store, &cx.actor, &name(text)?, cx.now)
        .await?
        .ok_or_else(|| UiError::NotFound("prompt that serves production".to_owned()))?;
    let watched = found.watched;
    let schedule = watched.schedule.unwrap_or_default();
    let schedule_words = schedule.timetable().map_or_else(
        |_| String::new(),
        |table| table.words().trim_end_matches('.').to_owned(),
    );
    let version = watched.standing.version;
    let own: Vec<_> = found
        .checks
        .iter()
        .map(|(check, _)| check)
        .filter(|check| check.version == version)
        .collect();
    let (from, to) = found.windows.before;
    let around = format!("{from} to {to}");
    let windows = match found.windows.after {
        Some((first, last)) => {
            format!("The days around the promotion are {around}; now is {first} to {last}.")
        }
        None => format!(
            "The promotion was on {}, and the days around it ({around}) are not over: there is nothing to compare them with before {to} is.",
            day(found.promoted_at)
        ),
    };
    Ok(DetailView {
        chart: pictures::chart(&own),
        standing: watched.standing,
        promoted_at: found.promoted_at,
        suite: found.suite.map(|(id, name)| (id.to_string(), name)),
        frozen_run: found.frozen_run.map(|run| run.to_string()),
        running: watched.running.map(|run| run.to_string()),
        schedule,
        schedule_words,
        next_due: watched.next_due,
        last: watched.last,
        checks: found
            .checks
            .into_iter()
            .map(|(check, by)| (check, by.name().to_owned(), by.kind().to_owned()))
            .collect(),
        inputs: found.inputs,
        windows,
        now: cx.now,
    })
}
