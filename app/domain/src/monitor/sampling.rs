//! What of calls' inputs and outputs is kept for people to read, and what is taken out of them
//! first. A project that says nothing keeps nothing.

// Not `regex_lite`: to that one `\w` is ASCII, and half of a name would stay.
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::field::FieldError;

/// The most patterns of a project.
pub const MAX_PATTERNS: usize = 20;
/// The longest pattern, in characters.
pub const MAX_PATTERN: usize = 300;
/// The most memory a compiled pattern may take.
const MAX_COMPILED: usize = 1024 * 1024;
/// What stands where something was taken out.
pub const REDACTED: &str = "[redacted]";

/// What a project keeps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// The share of calls; 0: none.
    pub share: f64,
    /// Regular expressions; what they match is taken out before anything is stored.
    pub patterns: Vec<String>,
}

impl Sampling {
    /// Reads a share in percent and patterns, one a line; everything wrong is listed.
    pub fn parse(percent: &str, patterns: &str) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let written = percent.trim().trim_end_matches('%').trim();
        let share = match written.parse::<f64>() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => percent / 100.0,
            Ok(_) | Err(_) => {
                errors.push(FieldError::new("share", "must be a number from 0 to 100"));
                0.0
            }
        };
        let patterns: Vec<String> = patterns
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect();
        if patterns.len() > MAX_PATTERNS {
            let words = format!("may be at most {MAX_PATTERNS}");
            errors.push(FieldError::new("patterns", words));
        }
        for pattern in &patterns {
            if let Err(why) = compile(pattern) {
                errors.push(FieldError::new("patterns", format!("`{pattern}` {why}")));
            }
        }
        if errors.is_empty() {
            Ok(Self { share, patterns })
        } else {
            Err(errors)
        }
    }

    /// Whether the event with this key is kept: the same answer whoever asks.
    #[must_use]
    pub fn keeps(&self, key: Uuid) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are kept")]
        let drawn = (key.as_u64_pair().0 >> 11) as f64 / 9_007_199_254_740_992.0;
        drawn < self.share
    }

    /// What takes out. Patterns that do not compile are refused when they are saved; one that is
    /// met all the same is an error, for without it nothing may be kept.
    pub fn redaction(&self) -> Result<Redaction, String> {
        let patterns = self.patterns.iter();
        patterns
            .map(|one| compile(one))
            .collect::<Result<_, _>>()
            .map(Redaction)
    }
}

/// Linear-time, so that no text can make it slow.
fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.chars().count() > MAX_PATTERN {
        return Err(format!("has more than {MAX_PATTERN} characters"));
    }
    let regex = RegexBuilder::new(pattern)
        .size_limit(MAX_COMPILED)
        .build()
        .map_err(|error| format!("is not a regular expression we can run: {error}"))?;
    if regex.is_match("") {
        return Err("matches nothing at all, too: it would be found everywhere".to_owned());
    }
    Ok(regex)
}

/// Patterns, ready to take out what they match.
#[derive(Debug, Default)]
pub struct Redaction(Vec<Regex>);

impl Redaction {
    /// Whether there is nothing to take out.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text without what the patterns match.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for pattern in &self.0 {
            if let std::borrow::Cow::Owned(other) = pattern.replace_all(&text, REDACTED) {
                text = other;
            }
        }
        text
    }

    /// The value with every text in it, names of members too, without what the patterns match.
    #[must_use]
    pub fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(members) => members
                .iter()
                .map(|(name, member)| (self.text(name), self.value(member)))
                .collect(),
            // A number may be a card's or an account's.
            Value::Number(number) => {
                let written = number.to_string();
                let kept = self.text(&written);
                if kept == written {
                    value.clone()
                } else {
                    Value::String(kept)
                }
            }
            Value::Null | Value::Bool(_) => value.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_patterns_match_is_taken_out_of_everything() {
        let patterns = "[\\w.]+@[\\w.]+\n\\b\\d{16}\\b\n";
        let redaction = Sampling::parse("10", patterns)
            .unwrap()
            .redaction()
            .unwrap();
        let value = json!({
            "mail": "write to über.anna@acme.example, please", "card": 4_111_111_111_111_111_u64,
            "list": [{ "a@b.c": "4111111111111111" }], "n": 3, "none": null,
        });
        assert_eq!(
            redaction.value(&value),
            json!({
                "mail": "write to [redacted], please", "card": "[redacted]",
                "list": [{ "[redacted]": "[redacted]" }], "n": 3, "none": null,
            })
        );
        assert_eq!(redaction.text("nothing here"), "nothing here");
        let broken = Sampling {
            share: 1.0,
            patterns: vec!["a(".to_owned()],
        };
        assert!(broken.redaction().is_err(), "nothing is kept unredacted");
        assert!(Sampling::default().redaction().unwrap().is_empty());
    }

    #[test]
    fn everything_wrong_is_listed() {
        let errors = Sampling::parse("101", "a(\nx*\nfine").unwrap_err();
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["share", "patterns", "patterns"]);
        assert!(Sampling::parse("NaN", "").is_err());
        let many = "x\n".repeat(MAX_PATTERNS + 1);
        assert!(Sampling::parse("1", &many).is_err());
        let share = Sampling::parse(" 2.5 % ", "").unwrap().share;
        assert!((share - 0.025).abs() < 1e-12);
    }

    #[test]
    fn about_the_share_is_kept_and_nothing_by_default() {
        let keys = || {
            (0..10_000_u128)
                .map(|n| Uuid::from_u128(n.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)))
        };
        let kept = |share: f64| {
            let sampling = Sampling {
                share,
                patterns: Vec::new(),
            };
            keys().filter(|key| sampling.keeps(*key)).count()
        };
        assert_eq!((kept(0.0), kept(1.0)), (0, 10_000));
        assert!((900..1_100).contains(&kept(0.1)));
    }
}
