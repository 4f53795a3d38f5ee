//! How a prompt's history is told: one JSON file for each, in which a version is written as what
//! it changed. Here that becomes whole contents and a list of steps in the order of time.

mod patch;
#[cfg(test)]
mod tests;

use anyhow::{Context, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    content::Content,
    prompt::{PRODUCTION, PromptName},
    schedule::Schedule,
    suite::{Case, NewSuite},
};
use serde::Deserialize;
use serde_json::{Map, Value};

pub use patch::moment;
use patch::{change_variable, join_lines, merge, text_of};

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
