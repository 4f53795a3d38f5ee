//! `promptfooconfig.yaml`: tests with their variables and assertions. Providers, prompts and
//! code stay out; what promptfoo has no member for travels in a test's `metadata`.

use serde_json::{Map, Value, json};

use super::{Imported, case_of, code_note, in_words, is_code, submitted, tag_of};
use crate::suite::{Case, Scorer, value};

/// Our members that a test keeps in its `metadata`.
const KEPT: [&str; 4] = ["tags", "must_pass", "expected", "placeholders"];

pub(super) fn read(text: &str, imported: &mut Imported) {
    let config: Value = match serde_saphyr::from_str(text) {
        Ok(config) => config,
        Err(error) => {
            let words = error.to_string();
            let line = words.lines().next().unwrap_or_default();
            return imported.reject(0, format!("the file is not YAML: {line}"));
        }
    };
    let Value::Object(mut config) = config else {
        return imported.reject(0, "the file is not a promptfoo configuration: no members");
    };
    let default = match config.shift_remove("defaultTest") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(default)) => default,
        Some(_) => {
            imported.note("`defaultTest` is left out: files are not read");
            Map::new()
        }
    };
    let (variables, shared) = read_default(default, imported);
    match config.shift_remove("tests") {
        Some(Value::Array(tests)) => {
            for (index, test) in tests.into_iter().enumerate() {
                let case = match test {
                    Value::Object(test) => self::test(test, &variables, &shared, imported),
                    Value::String(file) => Err(format!("files are not read ({file})")),
                    _ => Err("must be an object".to_owned()),
                };
                imported.add(index, case);
            }
        }
        Some(Value::String(file)) => {
            imported.reject(
                0,
                format!("tests: files are not read ({file}); import that file instead"),
            );
        }
        _ => imported.reject(0, "tests: there is no list of tests"),
    }
    let kept_out: Vec<String> = config
        .keys()
        .filter(|name| *name != "description")
        .cloned()
        .collect();
    if !kept_out.is_empty() {
        imported.note(format!(
            "left out, because cases do not hold it: {}",
            kept_out.join(", ")
        ));
    }
}

/// The default variables, and the default assertions that name variables and so differ by case;
/// the others become the suite's scorers.
fn read_default(
    mut default: Map<String, Value>,
    imported: &mut Imported,
) -> (Map<String, Value>, Vec<Value>) {
    let mut by_case = Vec::new();
    for item in list(default.shift_remove("assert")) {
        let word = item.get("type").and_then(Value::as_str).unwrap_or_default();
        if is_code(word) {
            imported.note(code_note(word));
        } else if holds(&item, "file://") {
            imported.note(format!(
                "`defaultTest`: the scorer {word} is left out: files are not read"
            ));
        } else if holds(&item, "{{") {
            by_case.push(item);
        } else {
            match read_scorer(&item, imported) {
                Ok(scorer) => imported.scorers.push(scorer),
                Err(error) => {
                    imported.note(format!("`defaultTest`: a scorer is left out: {error}"));
                }
            }
        }
    }
    let variables = match default.shift_remove("vars") {
        Some(Value::Object(variables)) => variables,
        _ => Map::new(),
    };
    if default.shift_remove("threshold").is_some() {
        imported.note("`defaultTest.threshold` is left out: set it as the suite's threshold");
    }
    for name in default.keys() {
        imported.note(format!("`defaultTest.{name}` is left out"));
    }
    (variables, by_case)
}

/// What begins a tag in promptfoo's templates, and the expression that stands for it.
const LITERALS: [(&str, &str); 3] = [("'{{'", "{{"), ("'{%'", "{%"), ("'{#'", "{#")];

/// Reads one test. `default` are variables it need not repeat, `shared` assertions it gets on
/// top of its own.
pub(super) fn test(
    mut test: Map<String, Value>,
    default: &Map<String, Value>,
    shared: &[Value],
    imported: &mut Imported,
) -> Result<Case, String> {
    let mut members = Map::new();
    let mut variables = default.clone();
    match test.shift_remove("vars") {
        None | Some(Value::Null) => {}
        Some(Value::Object(own)) => variables.extend(own),
        Some(_) => return Err("vars: must be an object; files are not read".to_owned()),
    }
    if let Some((name, _)) = variables.iter().find(|(_, value)| holds(value, "file://")) {
        return Err(format!(
            "vars.{name}: files are not read; put the text here"
        ));
    }
    if variables.values().any(Value::is_array) {
        imported.note("a variable that is a list stays one; promptfoo would run each of its items");
    }
    let (mut scorers, mut n_left_out) = (Vec::new(), 0);
    let own = list(test.shift_remove("assert"));
    for (index, item) in own.iter().chain(shared).enumerate() {
        let word = item.get("type").and_then(Value::as_str).unwrap_or_default();
        if is_code(word) {
            n_left_out += 1;
            imported.note(code_note(word));
            continue;
        }
        let item =
            filled_in(item, &variables).map_err(|error| format!("assert[{index}]: {error}"))?;
        if holds(&item, "file://") {
            return Err(format!("assert[{index}]: files are not read"));
        }
        let scorer =
            read_scorer(&item, imported).map_err(|error| format!("assert[{index}]: {error}"))?;
        scorers.push(serde_json::to_value(scorer).unwrap_or_default());
    }
    if n_left_out > 0 && scorers.is_empty() {
        return Err("its only scorer runs code: no user code runs in the server".to_owned());
    }
    if let Some(note) = test.shift_remove("description") {
        members.insert("note".to_owned(), note);
    }
    if let Some(Value::Object(metadata)) = test.shift_remove("metadata") {
        read_metadata(metadata, &mut members, imported);
    }
    if test.shift_remove("threshold").is_some() {
        imported
            .note("thresholds of single tests are left out: the suite has one for all its cases");
    }
    for name in test.keys() {
        imported.note(format!("`{name}` of a test is left out"));
    }
    members.insert("variables".to_owned(), Value::Object(variables));
    members.insert("scorers".to_owned(), Value::Array(scorers));
    case_of(members)
}

fn read_metadata(
    metadata: Map<String, Value>,
    members: &mut Map<String, Value>,
    imported: &mut Imported,
) {
    let mut tags = Vec::new();
    for (name, value) in metadata {
        if name == "tags" && value.is_array() {
            tags.extend(list(Some(value)));
        } else if KEPT.contains(&name.as_str()) && name != "tags" {
            members.insert(name, value);
        } else {
            match value::text(&value).and_then(|text| tag_of(&name, &text)) {
                Some(tag) => tags.push(tag.into()),
                None => imported.note(format!(
                    "`metadata.{name}` is left out where it makes no tag"
                )),
            }
        }
    }
    members.insert("tags".to_owned(), Value::Array(tags));
}

/// Reads an assertion, noting the members that scorers here do not have.
fn read_scorer(item: &Value, imported: &mut Imported) -> Result<Scorer, String> {
    let mut item = item.clone();
    if let Some(members) = item.as_object_mut() {
        for name in [
            "provider",
            "rubricPrompt",
            "transform",
            "config",
            "contextTransform",
        ] {
            if members.shift_remove(name).is_some() {
                imported.note(format!("`{name}` of assertions is left out"));
            }
        }
    }
    Scorer::parse("", &item).map_err(|errors| in_words(&errors))
}

/// promptfoo fills variables into assertions' values; an expression beyond a variable's name is
/// not one we can evaluate.
fn filled_in(item: &Value, variables: &Map<String, Value>) -> Result<Value, String> {
    Ok(match item {
        Value::String(text) if text.contains("{{") => Value::String(fill_in(text, variables)?),
        Value::Array(items) => {
            let items: Result<_, _> = items
                .iter()
                .map(|item| filled_in(item, variables))
                .collect();
            Value::Array(items?)
        }
        Value::Object(members) => {
            let filled =
                |(name, item): (&String, &Value)| Ok((name.clone(), filled_in(item, variables)?));
            let members: Result<_, String> = members.iter().map(filled).collect();
            Value::Object(members?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => item.clone(),
    })
}

fn fill_in(text: &str, variables: &Map<String, Value>) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from)) = rest.split_once("{{") {
        let (name, after) = from.split_once("}}").ok_or("`{{` is never closed")?;
        filled.push_str(before);
        let name = name.trim();
        // `{{ '{{' }}` is how a template says that it means the braces.
        if let Some((_, mark)) = LITERALS.iter().find(|(literal, _)| *literal == name) {
            filled.push_str(mark);
        } else {
            let value = variables.get(name).ok_or_else(|| {
                format!("`{{{{{name}}}}}` is not a variable of this test, and expressions are not evaluated")
            })?;
            filled.push_str(&value::text(value).unwrap_or_else(|| value.to_string().into()));
        }
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Whether any text in the value begins with a file's address, or holds a template's mark.
fn holds(value: &Value, mark: &str) -> bool {
    match value {
        Value::String(text) => {
            if mark == "file://" {
                text.trim_start().starts_with(mark)
            } else {
                text.contains(mark)
            }
        }
        Value::Array(items) => items.iter().any(|item| holds(item, mark)),
        Value::Object(members) => members.values().any(|item| holds(item, mark)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn list(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

pub(super) fn write(cases: &[Case]) -> String {
    let tests: Vec<Value> = cases.iter().map(written).collect();
    // Texts, numbers, lists and objects with text keys: YAML can write all of them.
    serde_saphyr::to_string(&json!({ "tests": tests })).unwrap_or_default()
}

/// Keeps promptfoo, and [`filled_in`], from reading a template into a value.
fn literal(item: Value) -> Value {
    match item {
        Value::String(text) => LITERALS
            .iter()
            .fold(text, |text, (literal, mark)| {
                text.replace(mark, &format!("{{{{ {literal} }}}}"))
            })
            .into(),
        Value::Array(items) => items.into_iter().map(literal).collect(),
        Value::Object(members) => {
            let members = members
                .into_iter()
                .map(|(name, item)| (name, literal(item)));
            Value::Object(members.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => item,
    }
}

fn written(case: &Case) -> Value {
    let mut members = submitted(case);
    let mut test = Map::new();
    if let Some(note) = members.shift_remove("note") {
        test.insert("description".to_owned(), note);
    }
    test.insert(
        "vars".to_owned(),
        members.shift_remove("variables").unwrap_or_default(),
    );
    let scorers: Vec<Value> = case
        .scorers
        .iter()
        .map(|scorer| {
            let mut item = literal(serde_json::to_value(scorer).unwrap_or_default());
            if let Some(members) = item.as_object_mut() {
                members.insert("type".to_owned(), scorer.word().into());
                members.shift_remove("not");
            }
            item
        })
        .collect();
    if !scorers.is_empty() {
        test.insert("assert".to_owned(), Value::Array(scorers));
    }
    let kept: Map<String, Value> = KEPT
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), members.shift_remove(name)?)))
        .filter(|(_, value)| value.as_array().is_none_or(|items| !items.is_empty()))
        .collect();
    if !kept.is_empty() {
        test.insert("metadata".to_owned(), Value::Object(kept));
    }
    Value::Object(test)
}
