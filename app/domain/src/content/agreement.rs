//! Templates and declarations must agree: every message is a template, every variable used is
//! declared, every variable declared is used.

use std::collections::{HashMap, HashSet};

use super::Message;
use crate::field::FieldError;
use crate::template::{Segment, Template, position};
use crate::variable::Variable;

/// Most undeclared variables listed for one message.
const MAX_LISTED: usize = 100;

/// Everything in which messages and declarations disagree. What is not used is not known as
/// long as a message cannot be read or its includes are not put in.
pub(super) fn disagreements(
    path: &str,
    messages: &[Message],
    variables: &[Variable],
) -> Vec<FieldError> {
    let declared: HashSet<&str> = variables
        .iter()
        .map(|variable| variable.name.as_str())
        .collect();
    let mut used: HashSet<String> = HashSet::new();
    let mut is_all_known = true;
    let mut errors = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let Message::Chat(message) = message else {
            continue;
        };
        let field = format!("{path}.messages[{index}].content");
        let template = match Template::parse(&message.content) {
            Ok(template) => template,
            Err(error) => {
                errors.push(FieldError::new(field, error.to_string()));
                is_all_known = false;
                continue;
            }
        };
        let first_uses = first_uses(&template);
        let mut undeclared: Vec<(&str, usize)> = first_uses
            .iter()
            .filter(|(name, _)| !declared.contains(*name))
            .map(|(name, at)| (*name, *at))
            .collect();
        undeclared.sort_by_key(|(_, at)| *at);
        for (name, at) in undeclared.into_iter().take(MAX_LISTED) {
            let (line, column) = position(&message.content, at);
            let words =
                format!("line {line}, column {column}: `{name}` is not declared as a variable");
            errors.push(FieldError::new(&field, words));
        }
        used.extend(first_uses.into_keys().map(str::to_owned));
        is_all_known &= !template.has_includes();
    }
    if is_all_known {
        errors.extend(unused(path, variables, &used));
    }
    errors
}

/// Declarations that no template uses.
pub(crate) fn unused(
    path: &str,
    variables: &[Variable],
    used: &HashSet<String>,
) -> Vec<FieldError> {
    let refusal = |(index, variable): (usize, &Variable)| {
        let message = format!("`{}` is declared, but no message uses it", variable.name);
        FieldError::new(format!("{path}.variables[{index}]"), message)
    };
    let unused = variables.iter().enumerate();
    unused
        .filter(|(_, variable)| !used.contains(&variable.name))
        .map(refusal)
        .collect()
}

/// Each variable with the byte offset of its first use.
fn first_uses(template: &Template) -> HashMap<&str, usize> {
    let mut uses = HashMap::new();
    for segment in template.segments() {
        if let Segment::Variable { name, span } = segment {
            uses.entry(name.as_str()).or_insert(span.start);
        }
    }
    uses
}
