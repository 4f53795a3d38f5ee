//! How a prompt's history is told: one JSON file for each, in which a version is written as what
//! it changed. Here that becomes whole contents and a list of steps in the order of time.

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use domain::{
    content::Content,
    prompt::{PRODUCTION, PromptName},
    schedule::Schedule,
    suite::{Case, NewSuite},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    drift,
    evals::{self, Answer},
    experiments::{self, Tale},
};

macro_rules! files {
    ($($file:literal,)+) => { &[$(($file, include_str!(concat!("prompts/", $file)))),+] };
}

/// Every prompt's file and what it says.
const FILES: &[(&str, &str)] = files![
    "agents-research-planner.json",
    "code-review-comment.json",
    "extract-contact-json.json",
    "extract-invoice-json.json",
    "legal-clause-check.json",
    "marketing-product-description.json",
    "marketing-subject-lines.json",
    "meetings-action-items.json",
    "moderation-sms-spam.json",
    "moderation-user-content.json",
    "onboarding-welcome-mail.json",
    "reviews-sentiment.json",
    "snippets-safety.json",
    "snippets-tone-of-voice.json",
    "sql-helper.json",
    "support-refund-policy.json",
    "support-shop-handbook.json",
    "support-summarise-thread.json",
    "support-triage.json",
    "translate-ui-strings.json",
];

/// One prompt and all that happened to it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Family {
    name: String,
    description: String,
    tags: Vec<String>,
    versions: Vec<VersionScript>,
    #[serde(default)]
    events: Vec<EventScript>,
}

/// A version, as what it changed in the one before.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionScript {
    at: String,
    by: String,
    change: String,
    /// The whole content; the first version has it.
    content: Option<Value>,
    #[serde(default)]
    edits: Vec<Edit>,
    /// Members to set; null takes one away.
    #[serde(default)]
    model: Map<String, Value>,
    /// By name: members to set; null takes a variable away.
    #[serde(default)]
    variables: Map<String, Value>,
    tools: Option<Value>,
    response_format: Option<Value>,
}

/// A change to the messages.
#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Edit {
    /// Other words in the place of words that stand there once.
    Replace {
        message: usize,
        replace: Lines,
        with: Lines,
    },
    /// More lines at the end.
    Append { message: usize, append: Lines },
    /// A message written anew.
    Text { message: usize, text: Lines },
    /// More messages.
    Insert { before: usize, insert: Vec<Value> },
    /// One message less.
    Remove { remove: usize },
}

/// Text, or its lines.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Lines {
    One(String),
    Many(Vec<String>),
}

impl Lines {
    fn text(&self) -> String {
        match self {
            Self::One(text) => text.clone(),
            Self::Many(lines) => lines.join("\n"),
        }
    }
}

/// What happened to versions after they were saved.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventScript {
    at: String,
    by: String,
    #[serde(rename = "do")]
    what: What,
    environment: Option<String>,
    version: Option<i32>,
    #[serde(default)]
    reason: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Promote,
    Rollback,
    BreakGlass,
    Test,
    Deprecate,
}

/// One thing that somebody did; it leaves [`Step::n_entries`] in the audit trail.
#[derive(Clone, Debug)]
pub struct Step {
    /// When.
    pub at: DateTime<Utc>,
    /// A role, or the name of a key.
    pub by: String,
    /// What.
    pub action: Action,
}

/// What can be done in a script.
#[derive(Clone, Debug)]
pub enum Action {
    /// A prompt is made.
    Prompt {
        name: PromptName,
        description: String,
        tags: Vec<String>,
    },
    /// A version is saved.
    Version {
        prompt: PromptName,
        content: Box<Content>,
        change: String,
    },
    /// A version is tried, or given up.
    Status {
        prompt: PromptName,
        version: i32,
        deprecate: bool,
        reason: String,
    },
    /// An experiment is planned.
    Plan(&'static Tale),
    /// It starts.
    Start(&'static Tale),
    /// Something serves from now on.
    Release {
        prompt: PromptName,
        environment: String,
        kind: Release,
        reason: String,
    },
    /// A suite is made.
    Suite(NewSuite),
    /// Cases are imported into it.
    Cases {
        suite: &'static str,
        cases: Vec<Case>,
    },
    /// Production asks for it from now on.
    GateRule {
        prompt: PromptName,
        suite: &'static str,
    },
    /// A version is run on it, and these are the answers.
    Run {
        prompt: PromptName,
        version: i32,
        suite: &'static str,
        is_gate: bool,
        answers: Vec<Answer>,
    },
    /// A prompt is looked after by this schedule from now on.
    Schedule {
        prompt: PromptName,
        schedule: Schedule,
    },
    /// Its check is due, and these are the answers, each with the fingerprint of who gave it.
    Check {
        prompt: PromptName,
        answers: Vec<(Answer, &'static str)>,
    },
    /// The environment asks for a gate and an approval from now on.
    Guard { environment: &'static str },
}

impl Step {
    /// How many entries it leaves in the audit trail: a gate is asked, then decided; a check
    /// is launched, then judged.
    pub const fn n_entries(&self) -> usize {
        match self.action {
            Action::Run { is_gate: true, .. } | Action::Check { .. } => 2,
            _ => 1,
        }
    }
}

/// How it comes to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// As the policy asks.
    Promote(i32),
    /// Past the policy.
    BreakGlass(i32),
    /// Back to the one before, or to an older one.
    RollBack(Option<i32>),
}

/// All that ever happened, oldest first, as seen from `now`.
pub fn steps(now: DateTime<Utc>) -> anyhow::Result<Vec<Step>> {
    let mut steps = Vec::new();
    for (file, text) in FILES {
        let family: Family =
            serde_json::from_str(text).with_context(|| format!("demo/prompts/{file}"))?;
        family
            .play(now, &mut steps)
            .with_context(|| format!("demo/prompts/{file}"))?;
    }
    steps.extend(evals::steps(now)?);
    steps.extend(drift::steps(now)?);
    steps.extend(experiments::steps(now));
    // Acme's history is older than its rule that production asks for a gate and an approval; since
    // then one version waits for a lead.
    steps.push(Step {
        at: moment("5m", now)?,
        by: "admin".to_owned(),
        action: Action::Guard {
            environment: PRODUCTION,
        },
    });
    steps.push(Step {
        at: moment("4m", now)?,
        by: "editor".to_owned(),
        action: Action::Release {
            prompt: PromptName::parse("reviews/sentiment")?,
            environment: PRODUCTION.to_owned(),
            kind: Release::Promote(3),
            reason: "Passed the gate: 91 % right instead of 69 %.".to_owned(),
        },
    });
    // Stable: what happened at the same moment stays in the order it is told.
    steps.sort_by_key(|step| step.at);
    Ok(steps)
}

impl Family {
    fn play(self, now: DateTime<Utc>, steps: &mut Vec<Step>) -> anyhow::Result<()> {
        let prompt = PromptName::parse(&self.name)?;
        let mut content = Value::Null;
        for (index, version) in self.versions.into_iter().enumerate() {
            let at = moment(&version.at, now)?;
            let by = version.by.clone();
            let change = version.change.clone();
            content = version
                .apply(content)
                .with_context(|| format!("version {}", index + 1))?;
            if index == 0 {
                steps.push(Step {
                    at: at - TimeDelta::minutes(4),
                    by: by.clone(),
                    action: Action::Prompt {
                        name: prompt.clone(),
                        description: self.description.clone(),
                        tags: self.tags.clone(),
                    },
                });
            }
            let parsed = Content::parse("content", content.clone()).map_err(|errors| {
                let words: Vec<String> = errors.iter().map(ToString::to_string).collect();
                anyhow::anyhow!("version {}: {}", index + 1, words.join("; "))
            })?;
            steps.push(Step {
                at,
                by,
                action: Action::Version {
                    prompt: prompt.clone(),
                    content: Box::new(parsed),
                    change,
                },
            });
        }
        for event in self.events {
            steps.push(event.step(&prompt, now)?);
        }
        Ok(())
    }
}

impl EventScript {
    fn step(self, prompt: &PromptName, now: DateTime<Utc>) -> anyhow::Result<Step> {
        let prompt = prompt.clone();
        let version = || self.version.context("an event lacks its version");
        let reason = self.reason.clone();
        let kind = match self.what {
            What::Promote => Some(Release::Promote(version()?)),
            What::BreakGlass => Some(Release::BreakGlass(version()?)),
            What::Rollback => Some(Release::RollBack(self.version)),
            What::Test | What::Deprecate => None,
        };
        let action = match kind {
            Some(kind) => Action::Release {
                prompt,
                environment: self.environment.clone().context("a release is somewhere")?,
                kind,
                reason,
            },
            None => Action::Status {
                prompt,
                version: version()?,
                deprecate: matches!(self.what, What::Deprecate),
                reason,
            },
        };
        Ok(Step {
            at: moment(&self.at, now)?,
            by: self.by,
            action,
        })
    }
}

impl VersionScript {
    /// The whole content, made from the one before.
    fn apply(self, before: Value) -> anyhow::Result<Value> {
        let mut content = self.content.unwrap_or(before);
        ensure!(content.is_object(), "the first version has a content");
        join_lines(&mut content["messages"])?;
        let messages = content["messages"]
            .as_array_mut()
            .context("messages are a list")?;
        for edit in self.edits {
            edit.apply(messages)?;
        }
        if !self.model.is_empty() {
            let model = content["model"].as_object_mut().context("has no model")?;
            merge(model, self.model);
        }
        if !self.variables.is_empty() {
            let variables = content["variables"]
                .as_array_mut()
                .context("has no variables")?;
            for (name, change) in self.variables {
                change_variable(variables, &name, change)?;
            }
        }
        if let Some(tools) = self.tools {
            content["tools"] = tools;
        }
        if let Some(format) = self.response_format {
            content["response_format"] = format;
        }
        Ok(content)
    }
}

impl Edit {
    fn apply(&self, messages: &mut Vec<Value>) -> anyhow::Result<()> {
        match self {
            Self::Replace {
                message,
                replace,
                with,
            } => {
                let text = text_of(messages, *message)?;
                let old = replace.text();
                ensure!(
                    text.matches(&old).count() == 1,
                    "{old:?} does not stand once in message {message}"
                );
                *text = text.replace(&old, &with.text());
            }
            Self::Append { message, append } => {
                let text = text_of(messages, *message)?;
                text.push('\n');
                text.push_str(&append.text());
            }
            Self::Text { message, text } => *text_of(messages, *message)? = text.text(),
            Self::Insert { before, insert } => {
                ensure!(*before <= messages.len(), "there is no message {before}");
                let mut added = Value::Array(insert.clone());
                join_lines(&mut added)?;
                if let Value::Array(added) = added {
                    messages.splice(before..before, added);
                }
            }
            Self::Remove { remove } => {
                ensure!(*remove < messages.len(), "there is no message {remove}");
                messages.remove(*remove);
            }
        }
        Ok(())
    }
}

fn text_of(messages: &mut [Value], index: usize) -> anyhow::Result<&mut String> {
    match messages
        .get_mut(index)
        .and_then(|message| message.get_mut("content"))
    {
        Some(Value::String(text)) => Ok(text),
        _ => bail!("message {index} has no text"),
    }
}

/// Contents may be written as lists of lines.
fn join_lines(messages: &mut Value) -> anyhow::Result<()> {
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

fn merge(members: &mut Map<String, Value>, changes: Map<String, Value>) {
    for (name, value) in changes {
        if value.is_null() {
            members.shift_remove(&name);
        } else {
            members.insert(name, value);
        }
    }
}

fn change_variable(variables: &mut Vec<Value>, name: &str, change: Value) -> anyhow::Result<()> {
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use domain::{lint, template};

    use super::*;

    fn at(hour: u32, minute: u32) -> DateTime<Utc> {
        let day = chrono::NaiveDate::from_ymd_opt(2026, 3, 14).unwrap();
        day.and_hms_opt(hour, minute, 0).unwrap().and_utc()
    }

    #[test]
    fn every_content_is_one_and_every_history_happened_in_order_whatever_the_hour() {
        for now in [at(0, 5), at(11, 30), at(23, 55)] {
            let steps = steps(now).unwrap();
            let mut latest: HashMap<String, Vec<&Content>> = HashMap::new();
            for step in &steps {
                assert!(step.at <= now, "{step:?}");
                match &step.action {
                    Action::Prompt { name, .. } => {
                        assert!(latest.insert(name.to_string(), Vec::new()).is_none());
                    }
                    Action::Version {
                        prompt, content, ..
                    } => {
                        for include in content.includes() {
                            let version = usize::try_from(include.version).unwrap();
                            assert!(
                                latest[&include.name].len() >= version,
                                "{prompt} uses {include} before it exists"
                            );
                        }
                        let versions = latest.get_mut(prompt.as_str()).unwrap();
                        assert!(
                            versions
                                .last()
                                .is_none_or(|last| last.hash() != content.hash()),
                            "{prompt} {} changes nothing",
                            versions.len() + 1
                        );
                        versions.push(content);
                    }
                    Action::Status {
                        prompt, version, ..
                    } => {
                        assert!(
                            latest[prompt.as_str()].len() >= usize::try_from(*version).unwrap()
                        );
                    }
                    Action::Plan(tale) | Action::Start(tale) => {
                        for arm in tale.plan().unwrap().arms {
                            let n_versions = latest[tale.prompt].len();
                            assert!(n_versions >= usize::try_from(arm.version).unwrap());
                        }
                    }
                    Action::Release { prompt, kind, .. } => {
                        let (Release::Promote(version) | Release::BreakGlass(version)) = kind
                        else {
                            continue;
                        };
                        assert!(
                            latest[prompt.as_str()].len() >= usize::try_from(*version).unwrap(),
                            "{prompt} releases version {version} before it exists"
                        );
                    }
                    Action::Run {
                        prompt, version, ..
                    } => {
                        assert!(
                            latest[prompt.as_str()].len() >= usize::try_from(*version).unwrap(),
                            "{prompt} runs version {version} before it exists"
                        );
                    }
                    Action::Suite(_)
                    | Action::Cases { .. }
                    | Action::GateRule { .. }
                    | Action::Schedule { .. }
                    | Action::Check { .. }
                    | Action::Guard { .. } => {}
                }
            }
            assert!(latest.len() >= 14);
            for (prompt, versions) in latest {
                assert!(
                    (3..=9).contains(&versions.len()),
                    "{prompt}: {}",
                    versions.len()
                );
            }
        }
    }

    #[test]
    fn previews_render_and_nothing_dangerous_is_in_the_newest_versions() {
        let mut newest = HashMap::new();
        let mut snippets = template::Snippets::new();
        let mut counts: HashMap<String, u32> = HashMap::new();
        for step in steps(at(12, 0)).unwrap() {
            if let Action::Version {
                prompt, content, ..
            } = step.action
            {
                let number = counts.entry(prompt.to_string()).or_default();
                *number += 1;
                let include = template::Include {
                    name: prompt.to_string(),
                    version: *number,
                };
                snippets.insert(include, (*content).clone());
                newest.insert(prompt.to_string(), content);
            }
        }
        for (prompt, content) in newest {
            let composed = template::compose("content", &prompt, &content, &snippets).unwrap();
            for variable in composed.declared() {
                assert!(
                    variable.example.is_some() || !variable.is_required(),
                    "{prompt}: {} has no example",
                    variable.name
                );
            }
            for finding in lint::lint(&composed) {
                assert!(
                    finding.severity < lint::Severity::Danger,
                    "{prompt}: {finding:?}"
                );
            }
        }
    }
}
