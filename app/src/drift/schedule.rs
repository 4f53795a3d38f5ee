//! When a prompt is looked after, and the form that changes it.

use chrono::{DateTime, Utc};
use domain::schedule::Schedule;
use leptos::prelude::*;

use super::{detail::Acts, parts};
use crate::{
    prompts::parts::{FormRefusal, field_error},
    ui::TextField,
};

const FIELDS: &[(&str, &str)] = &[
    ("cron", "When"),
    ("time_zone", "Time zone"),
    ("jitter_minutes", "Put off by up to"),
];

/// The schedule; a form for whoever may change it.
#[component]
pub fn ScheduleForm(
    project: String,
    prompt: String,
    schedule: Schedule,
    /// In English.
    words: String,
    next_due: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    acts: Acts,
    may_run: bool,
) -> impl IntoView {
    let next = match next_due {
        Some(at) => view! { " The next check is "{parts::ahead(at, now)}"." }.into_any(),
        None => view! { " No check is planned." }.into_any(),
    };
    let said = if schedule.enabled {
        format!("{words} ({}).", schedule.time_zone)
    } else {
        "It is looked after only when somebody asks.".to_owned()
    };
    let form = may_run.then(|| form(&project, &prompt, &schedule, acts));
    view! {
        <section class="section" aria-labelledby="schedule-h">
            <div class="section-head"><h2 id="schedule-h">"Schedule"</h2></div>
            <p>{said}{next}</p>
            {form}
        </section>
    }
}

fn form(project: &str, prompt: &str, schedule: &Schedule, acts: Acts) -> impl IntoView + use<> {
    let error = Signal::derive(move || acts.save_error.try_get().flatten());
    let is_busy = move || {
        acts.save
            .pending()
            .try_get()
            .unwrap_or_default()
            .then_some("true")
    };
    let (project, prompt) = (project.to_owned(), prompt.to_owned());
    let Schedule {
        cron,
        time_zone,
        jitter_minutes,
        enabled,
    } = schedule.clone();
    view! {
        <ActionForm action=acts.save attr:class="panel" attr:aria-labelledby="schedule-h">
            <input type="hidden" name="project" value=project/>
            <input type="hidden" name="prompt" value=prompt/>
            <div class="panel-body form">
                <FormRefusal error fields=FIELDS/>
                <label class="choice">
                    <input type="checkbox" name="enabled" value="true" checked=enabled/>
                    <span>"Look after it by itself"</span>
                    <span class="hint">"A server that was away at the moment runs one check afterwards, and never two."</span>
                </label>
                <TextField
                    id="cron" name="cron" label="When" value=cron error=field_error(error, "cron") autocomplete="off"
                    hint="A cron expression: minute, hour, day of month, month, day of week. 0 3 * * 1 is Mondays at three. At most once an hour; several checks a week share the alarm's level; a check that somebody asks for comes on top, with a smaller one each time."
                />
                <TextField
                    id="time_zone" name="time_zone" label="Time zone" value=time_zone error=field_error(error, "time_zone") autocomplete="off"
                    hint="An IANA name, such as UTC or Europe/Berlin. Summer time is followed."
                />
                <TextField
                    id="jitter_minutes" name="jitter_minutes" label="Put off by up to (minutes)" value=jitter_minutes.to_string()
                    error=field_error(error, "jitter_minutes") autocomplete="off"
                    hint="By how many, the prompt decides, always the same: so that not all prompts start at once."
                />
            </div>
            <div class="panel-foot"><button class="btn" aria-busy=is_busy>"Save schedule"</button></div>
        </ActionForm>
    }
}
