//! How a version is written as what it changed, and when that was.

use anyhow::{Context, bail};
use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::Lines;

pub fn text_of(messages: &mut [Value], index: usize) -> anyhow::Result<&mut String> {
    match messages
        .get_mut(index)
        .and_then(|message| message.get_mut("content"))
    {
        Some(Value::String(text)) => Ok(text),
        _ => bail!("message {index} has no text"),
    }
}

/// Contents may be written as lists of lines.
pub fn join_lines(messages: &mut Value) -> anyhow::Result<()> {
    for message in messages.as_array_mut().context("messages are a list")? {
        if let Some(content) = message.get_mut("content")
            && content.is_array()
        {
            let lines: Lines = serde_json::from_value(content.take())?;
            *content = Value::String(lines.text());
        }
    }
    Ok(())
}

pub fn merge(members: &mut Map<String, Value>, changes: Map<String, Value>) {
    for (name, value) in changes {
        if value.is_null() {
            members.shift_remove(&name);
        } else {
            members.insert(name, value);
        }
    }
}

pub fn change_variable(
    variables: &mut Vec<Value>,
    name: &str,
    change: Value,
) -> anyhow::Result<()> {
    let place = variables
        .iter()
        .position(|variable| variable["name"] == name);
    match (place, change) {
        (Some(place), Value::Null) => {
            variables.remove(place);
        }
        (Some(place), Value::Object(changes)) => {
            if let Value::Object(members) = &mut variables[place] {
                merge(members, changes);
            }
        }
        (None, Value::Object(changes)) => {
            let mut members = Map::new();
            members.insert("name".to_owned(), Value::String(name.to_owned()));
            members.extend(changes);
            variables.push(Value::Object(members));
        }
        (_, change) => bail!("{name} cannot become {change}"),
    }
    Ok(())
}

/// `88d 09:14` is that time of day (UTC) so many days ago; `3h` and `25m` are counted back from now.
pub fn moment(text: &str, now: DateTime<Utc>) -> anyhow::Result<DateTime<Utc>> {
    let told = || -> Option<DateTime<Utc>> {
        if let Some(hours) = text.strip_suffix('h') {
            return Some(now - TimeDelta::hours(hours.parse().ok()?));
        }
        if let Some(minutes) = text.strip_suffix('m') {
            return Some(now - TimeDelta::minutes(minutes.parse().ok()?));
        }
        let (days, time) = text.split_once("d ")?;
        let time = NaiveTime::parse_from_str(time, "%H:%M").ok()?;
        let day = now
            .date_naive()
            .checked_sub_days(Days::new(days.parse().ok()?))?;
        // Nobody works on the full minute.
        let seconds = time.signed_duration_since(NaiveTime::MIN).num_minutes() * 37 % 60;
        Some(day.and_time(time).and_utc() + TimeDelta::seconds(seconds))
    };
    told().with_context(|| format!("{text:?} is not a moment"))
}
