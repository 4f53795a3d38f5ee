//! What a reviewer should look at before a version is saved: ways for a stranger's text to
//! pass as instructions, characters that hide something, secrets. Findings never stop a save.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::content::{ChatMessage, Content, Role};
use crate::template::{Segment, Template, position};
use crate::variable::{Trust, Variable, VariableType};

mod characters;
mod delimiters;
mod secrets;

/// Above this many characters a value can drown the instructions around it.
const LARGE_LENGTH: u32 = 20_000;

/// Most findings of one rule in one text; whoever has this many has got the message.
const MAX_FINDINGS: usize = 50;

/// One thing to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Finding {
    /// Which rule found it.
    pub rule: LintRule,
    /// How much it matters.
    pub severity: Severity,
    /// Path of the member, such as `content.messages[0].content`.
    pub path: String,
    /// What it is and what to do about it. Never holds a secret it found.
    pub message: String,
}

/// The rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LintRule {
    /// An untrusted value stands in a system or developer message.
    UntrustedInInstructions,
    /// An untrusted value stands in a message without anything that shows where it ends.
    UntrustedWithoutDelimiters,
    /// A variable allows very long values.
    LargeMaxLength,
    /// A word mixes Latin letters with letters that look like them.
    LookAlikeCharacters,
    /// A character that cannot be seen, or that turns the reading direction.
    InvisibleCharacters,
    /// Something shaped like a key, token or password.
    Secret,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth a thought.
    Note,
    /// Usually a mistake.
    Warning,
    /// To be put right before anyone sees it.
    Danger,
}

/// Everything worth looking at, in the order of the content.
pub fn lint(content: &Content) -> Vec<Finding> {
    let untrusted: HashSet<&str> = content
        .declared()
        .iter()
        .filter(|variable| variable.trust() == Trust::Untrusted && carries_text(variable.kind))
        .map(|variable| variable.name.as_str())
        .collect();
    let mut findings = Vec::new();
    for (index, message) in content.chat_messages() {
        let path = format!("content.messages[{index}].content");
        lint_untrusted(&path, message, &untrusted, &mut findings);
        lint_text(&path, &message.content, &mut findings);
        for (call, value) in message.tool_calls.iter().flatten().enumerate() {
            lint_json(
                &format!("content.messages[{index}].tool_calls[{call}]"),
                value,
                &mut findings,
            );
        }
    }
    for (index, variable) in content.declared().iter().enumerate() {
        lint_variable(
            &format!("content.variables[{index}]"),
            variable,
            &mut findings,
        );
    }
    for (index, tool) in content.tools.iter().flatten().enumerate() {
        lint_json(&format!("content.tools[{index}]"), tool, &mut findings);
    }
    if let Some(format) = &content.response_format {
        lint_json("content.response_format", format, &mut findings);
    }
    findings
}

/// Whether a value can hold a sentence. Numbers, dates, an enum's own words and addresses
/// cannot, wherever they come from.
fn carries_text(kind: VariableType) -> bool {
    match kind {
        VariableType::String | VariableType::Url | VariableType::Json => true,
        VariableType::Integer
        | VariableType::Number
        | VariableType::Boolean
        | VariableType::Enum
        | VariableType::Date
        | VariableType::Email => false,
    }
}

fn lint_untrusted(
    path: &str,
    message: &ChatMessage,
    untrusted: &HashSet<&str>,
    findings: &mut Vec<Finding>,
) {
    let Ok(template) = Template::parse(&message.content) else {
        return;
    };
    let uses: Vec<(&str, usize)> = template
        .segments()
        .iter()
        .filter_map(|segment| match segment {
            Segment::Variable { name, span } => Some((name.as_str(), span.start)),
            Segment::Text(_) | Segment::Include { .. } => None,
        })
        .filter(|(name, _)| untrusted.contains(name))
        .collect();
    if uses.is_empty() {
        return;
    }
    let is_instruction = matches!(message.role, Role::System | Role::Developer);
    let delimited = delimiters::spans(&message.content);
    let mut reported = HashSet::new();
    for (name, at) in uses {
        if reported.len() >= MAX_FINDINGS {
            return;
        }
        let place = || {
            let (line, column) = position(&message.content, at);
            format!("line {line}, column {column}")
        };
        if is_instruction && reported.insert((name, LintRule::UntrustedInInstructions)) {
            findings.push(Finding {
                rule: LintRule::UntrustedInInstructions,
                severity: Severity::Warning,
                path: path.to_owned(),
                message: format!(
                    "{}: the untrusted `{name}` stands in a {} message, where the model takes \
                     it for instructions; move it to a user message, or declare it trusted",
                    place(),
                    message.role
                ),
            });
        }
        let is_delimited = delimiters::contains(&delimited, at);
        if !is_delimited && reported.insert((name, LintRule::UntrustedWithoutDelimiters)) {
            findings.push(Finding {
                rule: LintRule::UntrustedWithoutDelimiters,
                severity: Severity::Warning,
                path: path.to_owned(),
                message: format!(
                    "{}: nothing shows where the untrusted `{name}` begins and ends; put it \
                     between tags, such as <{name}>{{{{{name}}}}}</{name}>, or between ``` lines",
                    place()
                ),
            });
        }
    }
}

fn lint_variable(path: &str, variable: &Variable, findings: &mut Vec<Finding>) {
    if let Some(length) = variable.max_length
        && length > LARGE_LENGTH
    {
        findings.push(Finding {
            rule: LintRule::LargeMaxLength,
            severity: Severity::Note,
            path: format!("{path}.max_length"),
            message: format!(
                "`{}` may have {length} characters; values this long cost much and can drown the \
                 instructions around them",
                variable.name
            ),
        });
    }
    if let Some(description) = &variable.description {
        lint_text(&format!("{path}.description"), description, findings);
    }
    for value in variable.values.iter().flatten() {
        lint_text(&format!("{path}.values"), value, findings);
    }
    for (member, value) in [
        ("default", &variable.default),
        ("example", &variable.example),
    ] {
        if let Some(value) = value {
            lint_json(&format!("{path}.{member}"), value, findings);
        }
    }
}

/// All texts inside a JSON value, names of members too, under the path of the whole.
fn lint_json(path: &str, value: &Value, findings: &mut Vec<Finding>) {
    match value {
        Value::String(text) => lint_text(path, text, findings),
        Value::Array(items) => items
            .iter()
            .for_each(|item| lint_json(path, item, findings)),
        Value::Object(members) => {
            for (name, item) in members {
                lint_text(path, name, findings);
                lint_json(path, item, findings);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn lint_text(path: &str, text: &str, findings: &mut Vec<Finding>) {
    let mut report = |rule, severity, at, words: String| {
        let (line, column) = position(text, at);
        let message = format!("line {line}, column {column}: {words}");
        findings.push(Finding {
            rule,
            severity,
            path: path.to_owned(),
            message,
        });
    };
    for secret in secrets::find(text).into_iter().take(MAX_FINDINGS) {
        let words = format!(
            "looks like {}; keep secrets out of prompts and replace it",
            secret.what
        );
        report(LintRule::Secret, Severity::Danger, secret.at, words);
    }
    // The rest can only be in text that is not plain ASCII.
    if text.is_ascii() {
        return;
    }
    if let Some((first, others)) = characters::look_alikes(text).split_first() {
        let words = format!(
            "`{}` mixes Latin letters with letters that look like them{}",
            first.word,
            more(others.len())
        );
        report(
            LintRule::LookAlikeCharacters,
            Severity::Warning,
            first.at,
            words,
        );
    }
    if let Some((first, others)) = characters::invisible(text).split_first() {
        let code = u32::from(first.character);
        let words = format!(
            "U+{code:04X} ({}) cannot be seen{}",
            first.what,
            more(others.len())
        );
        report(
            LintRule::InvisibleCharacters,
            Severity::Warning,
            first.at,
            words,
        );
    }
}

fn more(count: usize) -> String {
    if count == 0 {
        String::new()
    } else {
        format!("; {count} more like it")
    }
}

#[cfg(test)]
mod tests;
