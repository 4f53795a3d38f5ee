//! What can be said of a draft while it is being written: is it a version, what would a reviewer
//! look at, what does it render to. All of it with the rules the server has.

use std::collections::{BTreeMap, HashSet};

use domain::{
    content::{Content, Message},
    field::FieldError,
    lint::{Finding, lint},
    template::{Compiled, Segment, Template},
    variable::validate,
};
use serde_json::{Map, Value};

use super::draft::{Body, Draft};

/// What can be said of a draft.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checked {
    /// Everything that a save would refuse, but for what only other prompts can tell.
    pub errors: Vec<FieldError>,
    /// What a reviewer should look at.
    pub findings: Vec<Finding>,
    /// Variables that messages use and nobody declared, in the order of use.
    pub undeclared: Vec<String>,
    /// Indices of variables that no message uses.
    pub unused: Vec<usize>,
    /// The messages with the examples put in.
    pub preview: Vec<Shown>,
    /// Why the examples cannot be put in.
    pub refusals: Vec<String>,
    /// Characters of the rendered messages.
    pub n_chars: usize,
}

/// A message as it would be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Who speaks.
    pub role: String,
    /// Its text; none for a placeholder.
    pub pieces: Option<Vec<Bit>>,
}

/// A stretch of a rendered message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bit {
    /// Text of the template.
    Text(String),
    /// A value.
    Filled(String),
    /// A tag that cannot be filled in.
    Unknown(String),
}

/// Looks at a draft.
pub fn check(draft: &Draft) -> Checked {
    let written = draft.to_json();
    let mut errors = written.errors;
    // Without its own rules: a draft that breaks some can still be looked at and rendered.
    let content: Option<Content> = serde_json::from_value(written.value.clone()).ok();
    let templates = templates(draft);
    errors.extend(
        Content::parse("content", written.value)
            .err()
            .unwrap_or_default(),
    );
    let (undeclared, unused) = disagreements(draft, &templates);
    let mut checked = Checked {
        errors,
        undeclared,
        unused,
        ..Checked::default()
    };
    if let Some(content) = &content {
        checked.findings = lint(content);
        show(content, &mut checked);
    }
    checked
}

/// The templates of all messages that are one, and whether all of them are.
struct Templates {
    parsed: Vec<Template>,
    are_all_known: bool,
}

fn templates(draft: &Draft) -> Templates {
    let mut templates = Templates {
        parsed: Vec::new(),
        are_all_known: true,
    };
    for message in &draft.messages {
        let Body::Chat(message) = &message.body else {
            continue;
        };
        match Template::parse(&message.content) {
            Ok(template) => {
                templates.are_all_known &= !template.has_includes();
                templates.parsed.push(template);
            }
            Err(_) => templates.are_all_known = false,
        }
    }
    templates
}

/// Variables used and not declared, and those declared and not used.
fn disagreements(draft: &Draft, templates: &Templates) -> (Vec<String>, Vec<usize>) {
    let declared: HashSet<&str> = draft
        .variables
        .iter()
        .map(|variable| variable.name.as_str())
        .collect();
    let mut used = HashSet::new();
    let mut undeclared = Vec::new();
    for name in templates.parsed.iter().flat_map(Template::variables) {
        if used.insert(name) && !declared.contains(name) {
            undeclared.push(name.to_owned());
        }
    }
    let unused = draft
        .variables
        .iter()
        .enumerate()
        .filter(|(_, variable)| templates.are_all_known && !used.contains(variable.name.as_str()))
        .map(|(index, _)| index)
        .collect();
    (undeclared, unused)
}

/// Puts the examples in.
fn show(content: &Content, checked: &mut Checked) {
    let examples: Map<String, Value> = content
        .declared()
        .iter()
        .filter_map(|variable| Some((variable.name.clone(), variable.example.clone()?)))
        .collect();
    let placeholders: Map<String, Value> = content
        .placeholders()
        .map(|name| (name.to_owned(), Value::Array(Vec::new())))
        .collect();
    // Includes are put in when the version is saved; what else keeps it from being compiled
    // is among the errors already.
    if let Ok(compiled) = Compiled::new(content)
        && let Err(refusals) = compiled.render(&examples, &placeholders)
    {
        checked.refusals = refusals.iter().map(ToString::to_string).collect();
    }
    let texts = texts(content, &examples);
    for message in &content.messages {
        let shown = match message {
            Message::Placeholder(placeholder) => Shown {
                role: format!("placeholder {}", placeholder.name),
                pieces: None,
            },
            Message::Chat(message) => Shown {
                role: message.role.to_string(),
                pieces: Some(bits(&message.content, &texts)),
            },
        };
        checked.n_chars += shown.pieces.iter().flatten().map(Bit::chars).sum::<usize>();
        checked.preview.push(shown);
    }
}

/// Each value as rendered. One that is refused leaves the others standing.
fn texts(content: &Content, examples: &Map<String, Value>) -> BTreeMap<String, String> {
    if let Ok(texts) = validate(content.declared(), examples) {
        return texts;
    }
    let mut texts = BTreeMap::new();
    for variable in content.declared() {
        let own: Map<String, Value> = examples
            .get(&variable.name)
            .map(|value| (variable.name.clone(), value.clone()))
            .into_iter()
            .collect();
        texts.extend(validate(std::slice::from_ref(variable), &own).unwrap_or_default());
    }
    texts
}

fn bits(source: &str, texts: &BTreeMap<String, String>) -> Vec<Bit> {
    let Ok(template) = Template::parse(source) else {
        return vec![Bit::Text(source.to_owned())];
    };
    let bit = |segment: &Segment| match segment {
        Segment::Text(text) => Bit::Text(text.clone()),
        Segment::Variable { name, span } => match texts.get(name) {
            Some(text) => Bit::Filled(text.clone()),
            None => Bit::Unknown(source[span.clone()].to_owned()),
        },
        Segment::Include { span, .. } => Bit::Unknown(source[span.clone()].to_owned()),
    };
    template.segments().iter().map(bit).collect()
}

impl Bit {
    fn chars(&self) -> usize {
        match self {
            Self::Text(text) | Self::Filled(text) | Self::Unknown(text) => text.chars().count(),
        }
    }
}

/// A path as people name the place: `content.messages[2].content` is `message 3`.
pub fn place(path: &str) -> String {
    let path = path.strip_prefix("content.").unwrap_or(path);
    for (list, noun) in [
        ("messages[", "message"),
        ("variables[", "variable"),
        ("tools[", "tool"),
    ] {
        if let Some((index, rest)) = path
            .strip_prefix(list)
            .and_then(|rest| rest.split_once(']'))
            && let Ok(index) = index.parse::<usize>()
        {
            let member = rest.trim_start_matches('.');
            let number = index + 1;
            return match member {
                "" | "content" => format!("{noun} {number}"),
                member => format!("{noun} {number}, {}", member.replace('_', " ")),
            };
        }
    }
    path.replace(['_', '.'], " ")
}

#[cfg(test)]
mod tests {
    use domain::content::{Kind, Role};

    use super::*;

    fn draft(text: &str) -> Draft {
        let mut draft = Draft::empty(Kind::Chat);
        if let Some(message) = draft.messages.first_mut() {
            message.body = match &message.body {
                Body::Chat(chat) => Body::Chat(domain::content::ChatMessage {
                    content: text.to_owned(),
                    role: Role::User,
                    ..chat.clone()
                }),
                other @ Body::Placeholder(_) => other.clone(),
            };
        }
        draft
    }

    #[test]
    fn what_is_used_and_not_declared_is_offered() {
        let mut draft = draft("{{a}} {{b}} {{a}}");
        draft.add_variable("b");
        draft.add_variable("c");
        let checked = check(&draft);
        assert_eq!(checked.undeclared, ["a"]);
        assert_eq!(checked.unused, [1]);
    }

    #[test]
    fn examples_are_put_in_and_what_is_missing_stays_a_tag() {
        let mut draft = draft("Hi {{name}}, {{what}}{{{{");
        draft.add_variable("name");
        draft.variables[0].example = "Ann".to_owned();
        draft.add_variable("what");
        let checked = check(&draft);
        let bits = checked.preview[0].pieces.clone().unwrap();
        assert_eq!(
            bits,
            [
                Bit::Text("Hi ".to_owned()),
                Bit::Filled("Ann".to_owned()),
                Bit::Text(", ".to_owned()),
                Bit::Unknown("{{what}}".to_owned()),
                Bit::Text("{{".to_owned()),
            ]
        );
        assert_eq!(checked.errors, []);
        assert_eq!(checked.refusals.len(), 1);
        assert!(
            checked.refusals[0].starts_with("what: "),
            "{:?}",
            checked.refusals
        );
    }

    #[test]
    fn a_draft_that_is_no_version_yet_is_still_shown_and_linted() {
        let mut draft = draft("{{mail}}");
        draft.add_variable("mail");
        draft.variables[0].max_length.clear();
        let checked = check(&draft);
        assert_eq!(checked.errors[0].field, "content.variables[0].max_length");
        assert!(!checked.findings.is_empty());
        assert_eq!(checked.preview.len(), 1);
    }

    #[test]
    fn paths_read_as_places() {
        assert_eq!(place("content.messages[2].content"), "message 3");
        assert_eq!(
            place("content.variables[0].max_length"),
            "variable 1, max length"
        );
        assert_eq!(place("content.model.max_tokens"), "model max tokens");
    }
}
