//! The template language: `{{name}}` puts in a value, `{{{{` is a literal `{{`, and
//! `{{> folder/name@7}}` includes a pinned version of a text prompt. One pass from left to
//! right, and what was put in is never read again. A lone `{` or `}}` is text, because
//! prompts are full of JSON.
//!
//! Of a run of braces, every four are an escape; what is left over is one brace of text,
//! a tag, or (three) one brace of text and then a tag. So `{{{name}}}` is the value in
//! braces, and every text can be written.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

mod compose;
mod render;

pub use compose::{MAX_DEPTH, Snippets, compose};
pub use render::Compiled;

/// Longest name of a variable or placeholder, in characters.
pub const MAX_NAME: usize = 100;

/// Longest name of a prompt inside an include, in characters.
const MAX_INCLUDE_NAME: usize = 400;

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    segments: Vec<Segment>,
}

/// One piece of a template. Spans are byte ranges of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Text as it comes out, escapes already undone. Never empty, never two in a row.
    Text(String),
    /// The place of a variable.
    Variable {
        /// Its name.
        name: String,
        /// Where the tag stands.
        span: Range<usize>,
    },
    /// The place of another prompt's text.
    Include {
        /// Which prompt, which version.
        include: Include,
        /// Where the tag stands.
        span: Range<usize>,
    },
}

/// A pinned version of another prompt.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Include {
    /// The prompt's full name, folders included.
    pub name: String,
    /// The pinned version.
    pub version: u32,
}

impl fmt::Display for Include {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// Why a text is not a template. Both positions start at 1; columns count characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct TemplateError {
    /// The line of the offending tag.
    pub line: usize,
    /// The column of the offending tag.
    pub column: usize,
    /// What is wrong with it.
    pub message: String,
}

impl Template {
    /// Parses a text, or says where it stops making sense.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let mut segments = Vec::new();
        let mut text = String::new();
        let mut at = 0;
        while let Some(found) = source[at..].find("{{") {
            text.push_str(&source[at..at + found]);
            at += found;
            let run = source[at..]
                .bytes()
                .take_while(|byte| *byte == b'{')
                .count();
            let escapes = run / 4;
            text.extend(std::iter::repeat_n("{{", escapes));
            at += escapes * 4;
            match run % 4 {
                0 => continue,
                1 => {
                    text.push('{');
                    at += 1;
                    continue;
                }
                3 => {
                    text.push('{');
                    at += 1;
                }
                _ => {}
            }
            let tag = read_tag(source, at)?;
            if !text.is_empty() {
                segments.push(Segment::Text(std::mem::take(&mut text)));
            }
            at = match &tag {
                Segment::Variable { span, .. } | Segment::Include { span, .. } => span.end,
                Segment::Text(_) => at,
            };
            segments.push(tag);
        }
        text.push_str(&source[at..]);
        if !text.is_empty() {
            segments.push(Segment::Text(text));
        }
        Ok(Self { segments })
    }

    /// The pieces in order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Every variable's name, once, in the order of first use.
    pub fn variables(&self) -> Vec<&str> {
        let mut seen = std::collections::HashSet::new();
        let names = self.segments.iter().filter_map(|segment| match segment {
            Segment::Variable { name, .. } => Some(name.as_str()),
            Segment::Text(_) | Segment::Include { .. } => None,
        });
        names.filter(|name| seen.insert(*name)).collect()
    }

    /// Every include, once, in the order of first use.
    pub fn includes(&self) -> Vec<Include> {
        let mut seen = std::collections::HashSet::new();
        let includes = self.segments.iter().filter_map(|segment| match segment {
            Segment::Include { include, .. } => Some(include),
            Segment::Text(_) | Segment::Variable { .. } => None,
        });
        includes
            .filter(|include| seen.insert(*include))
            .cloned()
            .collect()
    }

    /// Whether it includes anything.
    pub fn has_includes(&self) -> bool {
        self.segments
            .iter()
            .any(|segment| matches!(segment, Segment::Include { .. }))
    }

    /// Puts values in. A variable without a value becomes nothing, and an include its own
    /// tag: both are refused long before, when the version is saved or its values checked.
    pub fn render(&self, values: &BTreeMap<String, String>) -> String {
        let mut out = String::new();
        for segment in &self.segments {
            match segment {
                Segment::Text(text) => out.push_str(text),
                Segment::Variable { name, .. } => {
                    out.push_str(values.get(name).map_or("", String::as_str));
                }
                Segment::Include { include, .. } => {
                    out.extend(["{{> ", &include.to_string(), "}}"]);
                }
            }
        }
        out
    }
}

/// Writes a text so that a template of it yields the text again.
pub fn escape(text: &str) -> String {
    text.replace("{{", "{{{{")
}

/// Whether a name can be used for a variable or a placeholder.
pub fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(is_name_byte)
        && name.len() <= MAX_NAME
}

/// Line and column, both from 1, of a byte offset that lies on a character.
pub fn position(source: &str, at: usize) -> (usize, usize) {
    let before = &source[..at];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

/// Reads the tag whose `{{` stands at `at`.
fn read_tag(source: &str, at: usize) -> Result<Segment, TemplateError> {
    let refuse = |message: String| {
        let (line, column) = position(source, at);
        Err(TemplateError {
            line,
            column,
            message,
        })
    };
    let inner = skip_blanks(source, at + 2);
    if source[inner..].starts_with('>') {
        return match read_include(source, inner + 1) {
            Ok((include, end)) => Ok(Segment::Include {
                include,
                span: at..end,
            }),
            Err(message) => refuse(message),
        };
    }
    let name_end = inner
        + source[inner..]
            .bytes()
            .take_while(|byte| is_name_byte(*byte))
            .count();
    let name = &source[inner..name_end];
    let close = skip_blanks(source, name_end);
    let is_closed = source[close..].starts_with("}}");
    if is_closed && is_name(name) {
        return Ok(Segment::Variable {
            name: name.to_owned(),
            span: at..close + 2,
        });
    }
    refuse(match (name, source[close..].chars().next()) {
        ("", Some('}')) if is_closed => {
            "`{{}}` names no variable; write `{{{{` for a literal `{{`".to_owned()
        }
        (_, None) => "`{{` is never closed; write `{{{{` for a literal `{{`".to_owned(),
        (name, Some(_)) if is_closed && name.len() > MAX_NAME => {
            format!("a variable's name may have at most {MAX_NAME} characters")
        }
        (name, Some(_)) if is_closed => {
            format!("`{name}` cannot name a variable: a name starts with a letter or `_`")
        }
        ("", Some(_)) => {
            "`{{` must be followed by a variable's name; write `{{{{` for a literal `{{`".to_owned()
        }
        (_, Some(found)) => format!(
            "expected `}}}}` after the variable's name, found {found:?}; \
             a name has letters, digits and `_`, and `{{{{{{{{` is a literal `{{{{`"
        ),
    })
}

/// Reads `folder/name@7}}` after the `>`; answers what it names and where the tag ends.
fn read_include(source: &str, at: usize) -> Result<(Include, usize), String> {
    let start = skip_blanks(source, at);
    let reference: &str = {
        let rest = &source[start..];
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '{' | '}'));
        &rest[..end.unwrap_or(rest.len())]
    };
    let close = skip_blanks(source, start + reference.len());
    if !source[close..].starts_with("}}") {
        return Err("an include is written `{{> folder/name@7}}`, on one line".to_owned());
    }
    if reference.is_empty() {
        return Err("the include names no prompt; write `{{> folder/name@7}}`".to_owned());
    }
    let Some((name, version)) = reference.rsplit_once('@') else {
        return Err(format!(
            "an include is always pinned to a version: `{{{{> {}@1}}}}`",
            shortened(reference)
        ));
    };
    if name.is_empty() || name.contains('@') || name.chars().count() > MAX_INCLUDE_NAME {
        return Err(format!("`{}` is not a prompt's name", shortened(name)));
    }
    let is_number = version.bytes().all(|byte| byte.is_ascii_digit()) && !version.starts_with('0');
    match version.parse() {
        Ok(version) if is_number => Ok((
            Include {
                name: name.to_owned(),
                version,
            },
            close + 2,
        )),
        _ => Err(format!("`{}` is not a version number", shortened(version))),
    }
}

/// Enough of a text to recognise it in a message.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn skip_blanks(source: &str, at: usize) -> usize {
    at + source[at..]
        .bytes()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expected: &str) {
        let values = [("a", "A"), ("b_2", "{{a}} {{{{")];
        let values = values
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        assert_eq!(Template::parse(source).unwrap().render(&values), expected);
    }

    #[test]
    fn values_are_put_in_once_and_never_read_again() {
        check("", "");
        check("{{a}}", "A");
        check("x {{a}}{{ a }} y", "x AA y");
        check("{{\ta }}", "A");
        check("{{b_2}}{{a}}", "{{a}} {{{{A");
    }

    #[test]
    fn braces_that_are_no_tag_are_text() {
        check("{\"a\": {\"b\": 1}}", "{\"a\": {\"b\": 1}}");
        check("}} {a} {", "}} {a} {");
        check("{{{{a}}", "{{a}}");
        check("{{{{{{a}}", "{{A");
        check("{{{{{a}", "{{{a}");
        check("{{{a}}}", "{A}");
        check("{{{{{{{{", "{{{{");
    }

    #[track_caller]
    fn check_error(source: &str, line: usize, column: usize, words: &str) {
        let error = Template::parse(source).unwrap_err();
        assert_eq!((error.line, error.column), (line, column), "{error}");
        assert!(error.message.contains(words), "{error}");
    }

    #[test]
    fn an_error_says_line_and_column_in_characters() {
        check_error("{{a", 1, 1, "never closed");
        check_error("é{{", 1, 2, "never closed");
        check_error("one\n🙂🙂 {{a b}}", 2, 4, "expected `}}`");
        check_error("{{}}", 1, 1, "names no variable");
        check_error("{{1a}}", 1, 1, "cannot name a variable");
        check_error("{{é}}", 1, 1, "must be followed by a variable's name");
        check_error("{{\"a\": 1}}", 1, 1, "write `{{{{`");
        check_error("a\r\nb {{x\n}}", 2, 3, "expected `}}`");
    }

    #[test]
    fn includes_are_pinned() {
        let template = Template::parse("{{> legal/tone@7}} {{>x@1 }}{{> legal/tone@7}}").unwrap();
        let names: Vec<String> = template
            .includes()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(names, ["legal/tone@7", "x@1"]);
        check_error("{{> legal/tone}}", 1, 1, "pinned");
        check_error("{{> }}", 1, 1, "names no prompt");
        check_error("{{> x@latest}}", 1, 1, "not a version number");
        check_error("{{> x@0}}", 1, 1, "not a version number");
        check_error("{{> x@99999999999}}", 1, 1, "not a version number");
        check_error("{{> a b@1}}", 1, 1, "on one line");
    }
}
