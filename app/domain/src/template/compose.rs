//! Composition: what a content includes is put in when it is saved, so that what is hashed
//! and evaluated is exactly what serves.
//!
//! Snippets are handed in as their authors wrote them, not as they were expanded: only so
//! can depth and cycles be seen and explained. A version can only include versions that
//! exist already, so a cycle of versions cannot come about; a cycle is therefore judged by
//! name (`a` includes `b`, some version of which includes `a`), since following newer
//! snippets around it would never end.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::{Include, Segment, Template, escape, position};
use crate::content::{Content, MAX_BYTES, Message, refuse_oversize, unused};
use crate::field::FieldError;

/// How many includes may stand inside each other.
pub const MAX_DEPTH: usize = 5;

/// Most includes one content may come to, all levels counted: a snippet that includes twice
/// a snippet that includes twice … grows without a byte of text.
const MAX_EXPANSIONS: usize = 1_000;

/// The source of every version that is included, directly or through others. The store
/// collects them by asking [`Content::includes`] again and again, at most [`MAX_DEPTH`]
/// times; one that is missing here is refused as not existing.
pub type Snippets = HashMap<Include, Content>;

/// Expands every include of `source`, the content of prompt `name`, and then checks what
/// can only be checked now: that every variable is declared and used, and the size. A
/// content without includes comes back as it is, byte for byte.
pub fn compose(
    path: &str,
    name: &str,
    source: &Content,
    snippets: &Snippets,
) -> Result<Content, Vec<FieldError>> {
    let declared = source
        .declared()
        .iter()
        .map(|variable| variable.name.as_str())
        .collect();
    let mut expansion = Expansion {
        snippets,
        templates: HashMap::new(),
        declared,
        used: HashSet::new(),
        undeclared: Vec::new(),
        n_expansions: 0,
        n_bytes: 0,
    };
    let mut errors = Vec::new();
    let mut expanded = source.clone();
    for (index, message) in expanded.messages.iter_mut().enumerate() {
        let Message::Chat(message) = message else {
            continue;
        };
        let field = format!("{path}.messages[{index}].content");
        match expansion.message(name, &message.content) {
            Ok(text) => message.content = text,
            Err(words) => errors.push(FieldError::new(&field, words)),
        }
        let undeclared = expansion.undeclared.drain(..);
        errors.extend(undeclared.map(|words| FieldError::new(&field, words)));
    }
    // What is not used is not known as long as something could not be put in.
    if errors.is_empty() {
        errors = unused(path, source.declared(), &expansion.used);
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    refuse_oversize(path, &expanded)?;
    Ok(expanded)
}

struct Expansion<'a> {
    snippets: &'a Snippets,
    /// Each snippet is parsed once, however often it is included.
    templates: HashMap<Include, (&'a str, Rc<Template>)>,
    declared: HashSet<&'a str>,
    used: HashSet<String>,
    undeclared: Vec<String>,
    n_expansions: usize,
    n_bytes: usize,
}

/// A template's source as it grows. Text is held back until a tag follows, because whether
/// its braces need escaping is only known when all of it is there.
#[derive(Default)]
struct Output {
    source: String,
    text: String,
}

impl Output {
    fn flush(&mut self) {
        self.source.push_str(&escape(&self.text));
        self.text.clear();
    }
}

impl<'a> Expansion<'a> {
    fn message(&mut self, name: &str, source: &str) -> Result<String, String> {
        let template = Template::parse(source).map_err(|error| error.to_string())?;
        if !template.has_includes() {
            self.used
                .extend(template.variables().into_iter().map(str::to_owned));
            return Ok(source.to_owned());
        }
        let mut output = Output::default();
        let mut chain = vec![name.to_owned()];
        for segment in template.segments() {
            if let Segment::Include { include, span } = segment {
                self.include(include, &mut chain, &mut output)
                    .map_err(|words| {
                        let (line, column) = position(source, span.start);
                        format!("line {line}, column {column}: {words}")
                    })?;
            } else {
                self.piece(segment, source, &mut output)?;
            }
        }
        output.flush();
        Ok(output.source)
    }

    fn include(
        &mut self,
        include: &Include,
        chain: &mut Vec<String>,
        output: &mut Output,
    ) -> Result<(), String> {
        if let Some(start) = chain.iter().position(|name| *name == include.name) {
            let mut cycle = chain[start..].to_vec();
            cycle.push(include.name.clone());
            return Err(format!(
                "prompts must not include each other: {}",
                cycle.join(" → ")
            ));
        }
        if chain.len() > MAX_DEPTH {
            return Err(format!(
                "includes may stand at most {MAX_DEPTH} deep: {} → {}",
                chain.join(" → "),
                include.name
            ));
        }
        self.n_expansions += 1;
        if self.n_expansions > MAX_EXPANSIONS {
            return Err(format!("comes to more than {MAX_EXPANSIONS} includes"));
        }
        let (text, template) = self.snippet(include)?;
        chain.push(include.name.clone());
        for segment in template.segments() {
            match segment {
                Segment::Include { include, .. } => self.include(include, chain, output)?,
                Segment::Text(_) => self.piece(segment, text, output)?,
                Segment::Variable { name, .. } => {
                    self.piece(segment, text, output)?;
                    if !self.declared.contains(name.as_str()) {
                        let words = format!(
                            "`{include}` uses the variable `{name}`, which is not declared"
                        );
                        if !self.undeclared.contains(&words) && self.undeclared.len() < 100 {
                            self.undeclared.push(words);
                        }
                    }
                }
            }
        }
        chain.pop();
        Ok(())
    }

    /// Text or a variable of `source`. A tag keeps the spelling its author gave it.
    fn piece(
        &mut self,
        segment: &Segment,
        source: &str,
        output: &mut Output,
    ) -> Result<(), String> {
        let n_bytes = match segment {
            Segment::Text(text) => {
                output.text.push_str(text);
                text.len()
            }
            Segment::Variable { name, span } => {
                output.flush();
                output.source.push_str(&source[span.clone()]);
                self.used.insert(name.clone());
                span.len()
            }
            Segment::Include { .. } => 0,
        };
        self.n_bytes += n_bytes;
        if self.n_bytes > MAX_BYTES {
            return Err(format!(
                "comes to more than {MAX_BYTES} bytes with its includes"
            ));
        }
        Ok(())
    }

    fn snippet(&mut self, include: &Include) -> Result<(&'a str, Rc<Template>), String> {
        if let Some((text, template)) = self.templates.get(include) {
            return Ok((text, Rc::clone(template)));
        }
        let content = self
            .snippets
            .get(include)
            .ok_or_else(|| format!("`{include}` does not exist"))?;
        let text = content.text().ok_or_else(|| {
            format!("`{include}` is a chat prompt; only text prompts can be included")
        })?;
        let template = Template::parse(text).map_err(|error| format!("in `{include}`: {error}"))?;
        let template = Rc::new(template);
        self.templates
            .insert(include.clone(), (text, Rc::clone(&template)));
        Ok((text, template))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text_prompt(template: &str) -> Content {
        let content = json!({"type": "text", "messages": [{"role": "user", "content": template}]});
        serde_json::from_value(content).unwrap()
    }

    fn snippets(of: &[(&str, u32, &str)]) -> Snippets {
        let entry = |(name, version, template): &(&str, u32, &str)| {
            (
                Include {
                    name: (*name).to_owned(),
                    version: *version,
                },
                text_prompt(template),
            )
        };
        of.iter().map(entry).collect()
    }

    fn composed(template: &str, of: &[(&str, u32, &str)]) -> Result<String, String> {
        let expanded = compose("content", "host", &text_prompt(template), &snippets(of));
        match expanded {
            Ok(content) => Ok(content.text().unwrap().to_owned()),
            Err(errors) => Err(errors
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; ")),
        }
    }

    #[track_caller]
    fn check(template: &str, of: &[(&str, u32, &str)], expected: &str) {
        assert_eq!(composed(template, of).as_deref(), Ok(expected));
    }

    #[track_caller]
    fn check_refused(template: &str, of: &[(&str, u32, &str)], words: &str) {
        let error = composed(template, of).unwrap_err();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn includes_are_expanded_through_levels() {
        check("a {{> x@1}} c", &[("x", 1, "b")], "a b c");
        check(
            "{{> x@1}}{{> x@2}}",
            &[("x", 1, "one "), ("x", 2, "{{> y/z@3}}"), ("y/z", 3, "two")],
            "one two",
        );
    }

    #[test]
    fn braces_stay_text_where_snippets_meet() {
        check("{{> x@1}}{a}", &[("x", 1, "{")], "{{{{a}");
        check("{{> x@1}}{{> x@1}}a}}", &[("x", 1, "{")], "{{{{a}}");
        check("{{{{{{> x@1}}", &[("x", 1, "{a")], "{{{{{a");
    }

    #[test]
    fn cycles_are_refused_by_name() {
        let of = [("a", 1, "{{> b@1}}"), ("b", 1, "{{> a@2}}"), ("a", 2, "x")];
        check_refused("{{> a@1}}", &of, "a → b → a");
        check_refused("{{> b@1}}", &[("b", 1, "{{> host@3}}")], "host → b → host");
        check_refused("{{> host@1}}", &[("host", 1, "x")], "host → host");
    }

    #[test]
    fn five_levels_are_allowed_and_six_are_not() {
        let five = [
            ("a", 1, "{{> b@1}}"),
            ("b", 1, "{{> c@1}}"),
            ("c", 1, "{{> d@1}}"),
            ("d", 1, "{{> e@1}}"),
            ("e", 1, "end"),
        ];
        check("{{> a@1}}", &five, "end");
        let six = [("z", 1, "{{> a@1}}")]
            .into_iter()
            .chain(five)
            .collect::<Vec<_>>();
        check_refused(
            "{{> z@1}}",
            &six,
            "at most 5 deep: host → z → a → b → c → d → e",
        );
    }

    #[test]
    fn what_cannot_be_included_is_named_with_its_place() {
        check_refused(
            "a\n {{> x@1}}",
            &[],
            "content.messages[0].content: line 2, column 2: `x@1` does not exist",
        );
        check_refused("{{> x@1}}", &[("x", 1, "{{")], "in `x@1`: line 1");
        let chat = json!({"type": "chat", "messages": [{"role": "user", "content": "x"}]});
        let snippets = [(
            Include {
                name: "x".to_owned(),
                version: 1,
            },
            serde_json::from_value(chat).unwrap(),
        )];
        let errors = compose(
            "content",
            "host",
            &text_prompt("{{> x@1}}"),
            &snippets.into(),
        )
        .unwrap_err();
        assert!(
            errors[0].message.contains("only text prompts"),
            "{errors:?}"
        );
    }

    #[test]
    fn snippets_variables_are_declared_by_whoever_includes_them() {
        check_refused(
            "{{> x@1}}",
            &[("x", 1, "{{tone}}")],
            "`x@1` uses the variable `tone`",
        );
        let source = json!({
            "type": "text",
            "messages": [{"role": "user", "content": "{{> x@1}}"}],
            "variables": [{"name": "tone", "type": "boolean"}, {"name": "extra", "type": "boolean"}],
        });
        let source = Content::parse("content", source).unwrap();
        let errors = compose(
            "content",
            "host",
            &source,
            &snippets(&[("x", 1, "{{ tone }}")]),
        )
        .unwrap_err();
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].field, "content.variables[1]");
    }

    #[test]
    fn snippets_cannot_grow_without_end() {
        let doubling = |next: &str| format!("{{{{> {next}@1}}}}").repeat(200);
        let [a, b, c] = [doubling("b"), doubling("c"), doubling("d")];
        let of = [
            ("a", 1, a.as_str()),
            ("b", 1, &b),
            ("c", 1, &c),
            ("d", 1, ""),
        ];
        check_refused("{{> a@1}}", &of, "more than 1000 includes");
        let long = "x".repeat(MAX_BYTES / 2);
        check_refused(
            "{{> a@1}}{{> a@1}}{{> a@1}}",
            &[("a", 1, &long)],
            "bytes with its includes",
        );
    }
}
