//! What changed between two contents, for the people who compare versions and for the callers
//! who might break. Everything here crosses to the browser.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::cache::{FirstChange, first_changed_block};
use crate::content::{Content, Kind, Model, canonical};

mod callers;
mod messages;
mod text;

pub use callers::{Change, VariableChange};
pub use messages::{MessageChange, MessageDiff};
pub use text::{Op, Segment, text_diff};

/// Everything that differs between two contents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContentDiff {
    /// Every message of either side, in reading order, unchanged ones too.
    pub messages: Vec<MessageDiff>,
    /// Variables and placeholders that differ, and what that means for callers.
    pub variables: Vec<VariableChange>,
    /// Whether the same variables are only listed otherwise: in another order, or as an empty
    /// list instead of none. It means nothing to anyone but the hash.
    pub variables_rearranged: bool,
    /// Model settings that differ.
    pub model: Vec<SettingChange>,
    /// Text became chat, or the other way round.
    pub kind: Option<SettingChange>,
    /// Whether any tool differs.
    pub tools_changed: bool,
    /// Whether the response format differs.
    pub response_format_changed: bool,
    /// Where providers' caches break; `None` if they stay warm.
    pub first_changed_block: Option<FirstChange>,
}

/// One setting with both its values, written as in JSON; texts without quotes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SettingChange {
    /// The member's name.
    pub setting: String,
    /// What it was, if it was set.
    pub old: Option<String>,
    /// What it is, if it is set.
    pub new: Option<String>,
}

impl std::fmt::Display for SettingChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => write!(f, "{} {old} → {new}", self.setting),
            (None, Some(new)) => write!(f, "{} {new} added", self.setting),
            (Some(old), None) => write!(f, "{} {old} removed", self.setting),
            (None, None) => f.write_str(&self.setting),
        }
    }
}

/// Compares two contents.
pub fn diff(old: &Content, new: &Content) -> ContentDiff {
    let variables = callers::changes(old, new);
    let is_declared_alike = variables.iter().all(|change| change.is_placeholder);
    ContentDiff {
        messages: messages::align(&old.messages, &new.messages),
        variables_rearranged: is_declared_alike
            && canonical(&old.variables) != canonical(&new.variables),
        variables,
        model: model_changes(old.model.as_ref(), new.model.as_ref()),
        kind: setting("type", Some(kind_word(old.kind)), Some(kind_word(new.kind))),
        tools_changed: canonical(&old.tools) != canonical(&new.tools),
        response_format_changed: canonical(&old.response_format) != canonical(&new.response_format),
        first_changed_block: first_changed_block(old, new),
    }
}

impl ContentDiff {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.summary_parts().is_empty()
    }

    /// How many messages were changed, added or removed.
    pub fn n_changed_messages(&self) -> usize {
        self.messages
            .iter()
            .filter(|message| message.change != MessageChange::Same)
            .count()
    }

    /// Whether a caller that worked with the old version may be refused by the new one.
    pub fn breaks_callers(&self) -> bool {
        self.variables
            .iter()
            .any(|variable| variable.breaks_callers)
    }

    /// One line, such as `2 messages, 1 variable, temperature 0 → 0.2`.
    pub fn summary(&self) -> String {
        let parts = self.summary_parts();
        if parts.is_empty() {
            "no changes".to_owned()
        } else {
            parts.join(", ")
        }
    }

    fn summary_parts(&self) -> Vec<String> {
        let mut parts = Vec::new();
        parts.extend(self.kind.as_ref().map(ToString::to_string));
        parts.extend(counted(self.n_changed_messages(), "message"));
        let n_placeholders = self
            .variables
            .iter()
            .filter(|change| change.is_placeholder)
            .count();
        parts.extend(counted(self.variables.len() - n_placeholders, "variable"));
        if self.variables_rearranged {
            parts.push("order of variables".to_owned());
        }
        parts.extend(counted(n_placeholders, "placeholder"));
        parts.extend(self.model.iter().map(ToString::to_string));
        if self.tools_changed {
            parts.push("tools".to_owned());
        }
        if self.response_format_changed {
            parts.push("response format".to_owned());
        }
        parts
    }
}

fn counted(count: usize, noun: &str) -> Option<String> {
    let mut text = match count {
        0 => return None,
        _ => count.to_string(),
    };
    let plural = if count == 1 { "" } else { "s" };
    write!(text, " {noun}{plural}").ok()?;
    Some(text)
}

fn kind_word(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Chat => "chat".to_owned(),
    }
}

/// `None` if both are the same.
fn setting(name: &str, old: Option<String>, new: Option<String>) -> Option<SettingChange> {
    (old != new).then(|| SettingChange {
        setting: name.to_owned(),
        old,
        new,
    })
}

type ReadSetting = fn(&Model) -> Option<String>;

fn model_changes(old: Option<&Model>, new: Option<&Model>) -> Vec<SettingChange> {
    let settings: [(&str, ReadSetting); 6] = [
        ("provider", |model| Some(model.provider.clone())),
        ("model", |model| Some(model.name.clone())),
        // Canonical, so that 1 and 1.0 are the same, as they are for the hash.
        ("temperature", |model| {
            model.temperature.as_ref().map(canonical)
        }),
        ("max_tokens", |model| {
            model.max_tokens.map(|tokens| tokens.to_string())
        }),
        ("seed", |model| model.seed.map(|seed| seed.to_string())),
        ("stop", |model| model.stop.as_ref().map(canonical)),
    ];
    let change =
        |(name, read): (&str, ReadSetting)| setting(name, old.and_then(read), new.and_then(read));
    settings.into_iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests;
