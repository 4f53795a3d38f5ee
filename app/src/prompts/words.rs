//! How numbers, limits and templates read on the prompts' pages.

use domain::{
    template::{Include, Segment, Template},
    variable::{Trust, Variable, VariableType},
};
use serde_json::Value;

/// A number with commas between the thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 prompt`, `2 prompts`.
pub fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// A JSON value as a person writes it: texts without quotes.
pub fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A JSON value on several lines.
pub fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// What a variable's values must keep to, in a few words; empty if they are free.
pub fn limits(variable: &Variable) -> String {
    let mut parts = Vec::new();
    if let Some(values) = &variable.values {
        parts.push(values.join(", "));
    }
    match (&variable.min, &variable.max) {
        (Some(min), Some(max)) => parts.push(format!("{min} to {max}")),
        (Some(min), None) => parts.push(format!("at least {min}")),
        (None, Some(max)) => parts.push(format!("at most {max}")),
        (None, None) => {}
    }
    if let Some(length) = variable.max_length {
        parts.push(format!("≤ {}", counted(u64::from(length), "character")));
    }
    if let Some(pattern) = &variable.pattern {
        parts.push(format!("matches {pattern}"));
    }
    parts.join(", ")
}

/// Whether a caller must send it, and what stands in if not.
pub fn required(variable: &Variable) -> String {
    match (&variable.default, variable.is_required()) {
        (_, true) => "yes".to_owned(),
        (Some(default), false) => format!("no, {}", written(default)),
        (None, false) => "no, empty".to_owned(),
    }
}

/// `trusted` or `untrusted`.
pub const fn trust(trust: Trust) -> &'static str {
    match trust {
        Trust::Trusted => "trusted",
        Trust::Untrusted => "untrusted",
    }
}

/// What a type's values look like, for whoever fills in an example.
pub const fn sample(kind: VariableType) -> &'static str {
    match kind {
        VariableType::String => "text",
        VariableType::Integer => "12",
        VariableType::Number => "0.5",
        VariableType::Boolean => "true",
        VariableType::Enum => "one of the values",
        VariableType::Date => "2026-03-14",
        VariableType::Url => "https://example.com",
        VariableType::Email => "name@example.com",
        VariableType::Json => r#"{"a": 1}"#,
    }
}

/// A stretch of a template as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text, escapes and all.
    Text(String),
    /// A variable's tag.
    Variable {
        /// Its name.
        name: String,
        /// The tag as written, braces included.
        tag: String,
    },
    /// An include's tag.
    Include {
        /// What it names.
        include: Include,
        /// The tag as written.
        tag: String,
    },
}

/// A template cut at its tags; one piece of text if it is none. Joined, the pieces are the source.
pub fn pieces(source: &str) -> Vec<Piece> {
    let Ok(template) = Template::parse(source) else {
        return vec![Piece::Text(source.to_owned())];
    };
    let mut pieces = Vec::new();
    let mut at = 0;
    for segment in template.segments() {
        let (span, piece) = match segment {
            Segment::Text(_) => continue,
            Segment::Variable { name, span } => (
                span,
                Piece::Variable {
                    name: name.clone(),
                    tag: source[span.clone()].to_owned(),
                },
            ),
            Segment::Include { include, span } => (
                span,
                Piece::Include {
                    include: include.clone(),
                    tag: source[span.clone()].to_owned(),
                },
            ),
        };
        if at < span.start {
            pieces.push(Piece::Text(source[at..span.start].to_owned()));
        }
        pieces.push(piece);
        at = span.end;
    }
    if at < source.len() {
        pieces.push(Piece::Text(source[at..].to_owned()));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn thousands_are_grouped() {
        let check = |number, expected: &str| assert_eq!(grouped(number), expected);
        check(0, "0");
        check(999, "999");
        check(1_000, "1,000");
        check(1_048_576, "1,048,576");
        assert_eq!(counted(1, "prompt"), "1 prompt");
        assert_eq!(counted(2_000, "prompt"), "2,000 prompts");
    }

    #[track_caller]
    fn check(declaration: Value, expected: (&str, &str)) {
        let variable = Variable::parse("variable", declaration).unwrap();
        let (limits, required) = (limits(&variable), required(&variable));
        assert_eq!((limits.as_str(), required.as_str()), expected);
    }

    #[test]
    fn limits_read_as_words() {
        check(
            json!({"name": "mail", "type": "string", "max_length": 20000}),
            ("≤ 20,000 characters", "yes"),
        );
        check(
            json!({"name": "n", "type": "integer", "min": 0, "max": 10, "default": 3}),
            ("0 to 10", "no, 3"),
        );
        check(
            json!({"name": "l", "type": "enum", "values": ["en", "de"], "required": false}),
            ("en, de", "no, empty"),
        );
        check(json!({"name": "d", "type": "date"}), ("", "yes"));
    }

    #[test]
    fn pieces_joined_are_the_source() {
        for source in [
            "",
            "plain {{{{",
            "a {{ b }} c {{> d@1}}",
            "{{{x}}}",
            "{{broken",
        ] {
            let joined: String = pieces(source)
                .into_iter()
                .map(|piece| match piece {
                    Piece::Text(text) => text,
                    Piece::Variable { tag, .. } | Piece::Include { tag, .. } => tag,
                })
                .collect();
            assert_eq!(joined, source);
        }
        assert_eq!(
            pieces("{{{x}}}"),
            [
                Piece::Text("{".to_owned()),
                Piece::Variable {
                    name: "x".to_owned(),
                    tag: "{{x}}".to_owned()
                },
                Piece::Text("}".to_owned()),
            ]
        );
    }
}
