//! On the server: reads what the forms of a suite hold. What is right is decided in the domain;
//! here texts become JSON, and what nobody touched stays exactly as it was.

use domain::{
    field::FieldError,
    suite::{Case, MUST_PASS_TAG, Origin, SMOKE_TAG, Scorer, ScorerKind},
    variable::{Variable, VariableType},
};
use serde_json::{Map, Value, json};

use super::shapes::{CaseForm, ScorerRow, VariableField};
use crate::prompts::words::{pretty, written};

/// What stands in a field for a value: texts as they are, anything else as JSON.
pub fn field_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => pretty(value),
        other => other.to_string(),
    }
}

/// The variables one is asked for: those the prompt declares, then what the case holds besides.
pub fn variable_fields(declared: &[Variable], case: Option<&Case>) -> Vec<VariableField> {
    let held = |name: &str| {
        case.and_then(|case| case.variables.get(name))
            .map(field_text)
            .unwrap_or_default()
    };
    let mut fields: Vec<VariableField> = declared
        .iter()
        .map(|variable| VariableField {
            name: variable.name.clone(),
            text: held(&variable.name),
            kind: Some(variable.kind.word().to_owned()),
            is_required: variable.is_required(),
        })
        .collect();
    let names = case.iter().flat_map(|case| case.variables.keys());
    for name in names {
        if !fields.iter().any(|field| field.name == *name) {
            fields.push(VariableField {
                name: name.clone(),
                text: held(name),
                kind: None,
                is_required: false,
            });
        }
    }
    fields
}

/// Reads a case. `before` is what it was; `declared` what the prompt asks for.
pub fn read_case(
    form: &CaseForm,
    declared: &[Variable],
    before: Option<&Case>,
) -> Result<Case, Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut variables = Map::new();
    for (name, text) in &form.variables {
        let kind = declared.iter().find(|variable| variable.name == *name);
        let held = before.and_then(|case| case.variables.get(name));
        match read_variable(&unix(text), kind, held) {
            Ok(Some(value)) => {
                variables.insert(name.clone(), value);
            }
            Ok(None) => {}
            Err(message) => {
                errors.push(FieldError::new(format!("variables.{name}"), message));
            }
        }
    }
    match json_of("more", &form.more) {
        Ok(None) => {}
        Ok(Some(Value::Object(more))) => variables.extend(more),
        Ok(Some(_)) => errors.push(FieldError::new("more", "must be an object")),
        Err(error) => errors.push(error),
    }
    let mut members = json!({
        "variables": variables,
        "tags": tags(form),
        "must_pass": form.must_pass,
        "note": unix(&form.note).trim(),
    });
    match read_expected(form, before.and_then(|case| case.expected.as_ref())) {
        Ok(Some(expected)) => members["expected"] = expected,
        Ok(None) => {}
        Err(error) => errors.push(error),
    }
    for (name, text) in [
        ("placeholders", &form.placeholders),
        ("scorers", &form.scorers),
    ] {
        match json_of(name, text) {
            Ok(Some(value)) => members[name] = value,
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
    }
    let origin = match before {
        Some(case) => case.origin,
        None if form.is_report => Origin::Report,
        None => Origin::Manual,
    };
    match Case::parse(&members, origin) {
        Ok(case) if errors.is_empty() => Ok(case),
        Ok(_) => Err(errors),
        Err(more) => {
            errors.extend(more);
            Err(errors)
        }
    }
}

/// Browsers send lines with `\r\n`.
fn unix(text: &str) -> String {
    text.replace("\r\n", "\n")
}

fn tags(form: &CaseForm) -> Vec<String> {
    let mut tags: Vec<String> = form
        .tags
        .split([',', '\n', '\r'])
        .map(str::trim)
        .filter(|tag| !tag.is_empty() && ![SMOKE_TAG, MUST_PASS_TAG].contains(tag))
        .map(str::to_owned)
        .collect();
    if form.smoke {
        tags.push(SMOKE_TAG.to_owned());
    }
    tags
}

fn read_variable(
    text: &str,
    declared: Option<&Variable>,
    held: Option<&Value>,
) -> Result<Option<Value>, String> {
    if let Some(held) = held
        && unix(&field_text(held)) == text
    {
        return Ok(Some(held.clone()));
    }
    let is_json = match declared.map(|variable| variable.kind) {
        Some(
            VariableType::Integer
            | VariableType::Number
            | VariableType::Boolean
            | VariableType::Json,
        ) => true,
        Some(
            VariableType::String
            | VariableType::Enum
            | VariableType::Date
            | VariableType::Url
            | VariableType::Email,
        ) => false,
        None => held.is_some_and(|held| !held.is_string()),
    };
    if !is_json {
        // An empty text is a value only where the prompt insists on having one.
        let is_left_out = text.is_empty() && !declared.is_some_and(Variable::is_required);
        return Ok((!is_left_out).then(|| Value::from(text)));
    }
    if text.trim().is_empty() {
        return Ok(None);
    }
    serde_json::from_str(text).map(Some).map_err(|error| {
        let kind = declared.map_or("JSON", |variable| variable.kind.word());
        format!("must be {kind}, written as JSON: {error}")
    })
}

fn read_expected(form: &CaseForm, held: Option<&Value>) -> Result<Option<Value>, FieldError> {
    let text = unix(&form.expected);
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(held) = held
        && held.is_string() != form.expected_is_json
        && unix(&field_text(held)) == text
    {
        return Ok(Some(held.clone()));
    }
    if form.expected_is_json {
        json_of("expected", &text)
    } else {
        Ok(Some(Value::from(text)))
    }
}

fn json_of(name: &str, text: &str) -> Result<Option<Value>, FieldError> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    serde_json::from_str(text)
        .map(Some)
        .map_err(|error| FieldError::new(name, format!("is not JSON: {error}")))
}

/// Reads the scorers of a suite; refusals name the row they are about, from 0 on.
pub fn read_scorers(rows: &[ScorerRow]) -> Result<Vec<Scorer>, Vec<FieldError>> {
    let mut scorers = Vec::new();
    let mut errors = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        if row.kind.is_empty() {
            if !row.value.trim().is_empty() {
                let field = format!("scorers[{index}].type");
                errors.push(FieldError::new(field, "is required"));
            }
            continue;
        }
        match read_scorer(index, row) {
            Ok(scorer) => scorers.push(scorer),
            Err(found) => errors.extend(found),
        }
    }
    if scorers.len() > domain::suite::MAX_SCORERS {
        let message = format!("at most {} are allowed", domain::suite::MAX_SCORERS);
        errors.push(FieldError::new("scorers", message));
    }
    if errors.is_empty() {
        Ok(scorers)
    } else {
        Err(errors)
    }
}

fn read_scorer(index: usize, row: &ScorerRow) -> Result<Scorer, Vec<FieldError>> {
    let path = format!("scorers[{index}]");
    let mut members = json!({ "type": row.kind, "not": row.not });
    if let Some(value) = scorer_value(row) {
        members["value"] = value;
    }
    let mut errors = Vec::new();
    for (name, text) in [("threshold", &row.threshold), ("weight", &row.weight)] {
        match number(text) {
            Ok(Some(number)) => members[name] = number,
            Ok(None) => {}
            Err(message) => errors.push(FieldError::new(format!("{path}.{name}"), message)),
        }
    }
    if errors.is_empty() {
        Scorer::parse(&path, &members)
    } else {
        Err(errors)
    }
}

/// A number in a field of text.
pub fn number(text: &str) -> Result<Option<Value>, &'static str> {
    match text.trim() {
        "" => Ok(None),
        text => match serde_json::from_str::<Value>(text) {
            Ok(number @ Value::Number(_)) => Ok(Some(number)),
            _ => Err("must be a number"),
        },
    }
}

fn scorer_value(row: &ScorerRow) -> Option<Value> {
    let text = unix(&row.value);
    if text.trim().is_empty() {
        return None;
    }
    if let Ok(was) = serde_json::from_str::<Value>(&row.was)
        && unix(&written(&was)) == text
    {
        return Some(was);
    }
    let is_list_or_object = text.trim_start().starts_with(['{', '[']);
    let is_numeric = ScorerKind::from_word(&row.kind).is_some_and(|kind| {
        matches!(
            kind,
            ScorerKind::WordCount | ScorerKind::Length | ScorerKind::NumericDiff
        )
    });
    // A pattern may begin with a bracket too: what is no JSON is text.
    match serde_json::from_str(&text) {
        Ok(value) if is_list_or_object || is_numeric => Some(value),
        _ => Some(Value::from(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str, kind: &str) -> Variable {
        let content = json!({
            "type": "text", "messages": [{"role": "user", "content": format!("{{{{{name}}}}}")}],
            "variables": [{"name": name, "type": kind, "max_length": (kind == "string").then_some(100)}],
        });
        let mut content = content;
        if kind != "string"
            && let Some(variable) = content["variables"][0].as_object_mut()
        {
            variable.remove("max_length");
        }
        domain::content::Content::parse("c", content)
            .unwrap()
            .declared()[0]
            .clone()
    }

    fn form(variables: &[(&str, &str)]) -> CaseForm {
        CaseForm {
            variables: variables
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect(),
            ..CaseForm::default()
        }
    }

    #[test]
    fn declared_types_say_what_a_text_means() {
        let declared = [variable("n", "integer"), variable("text", "string")];
        let case = read_case(&form(&[("n", "3"), ("text", "3")]), &declared, None).unwrap();
        assert_eq!(json!(case.variables), json!({"n": 3, "text": "3"}));
        let errors = read_case(&form(&[("n", "three")]), &declared, None).unwrap_err();
        assert_eq!(errors[0].field, "variables.n");
    }

    #[test]
    fn what_nobody_touched_stays_what_it_was() {
        let before = json!({"variables": {"n": 1.0, "list": [1, 2], "empty": "", "lines": "a\r\nb"},
            "expected": {"b": 1, "a": 2}});
        let before = Case::parse(&before, Origin::Production).unwrap();
        let fields = variable_fields(&[], Some(&before));
        let texts: Vec<(&str, &str)> = fields
            .iter()
            .map(|field| (field.name.as_str(), field.text.as_str()))
            .collect();
        let mut submitted = form(&texts);
        submitted.expected = field_text(before.expected.as_ref().unwrap());
        submitted.expected_is_json = true;
        let after = read_case(&submitted, &[], Some(&before)).unwrap();
        assert_eq!(json!(after), json!(before));
    }

    #[test]
    fn a_case_keeps_where_it_came_from() {
        let mut submitted = form(&[]);
        submitted.expected = "yes".to_owned();
        let manual = read_case(&submitted, &[], None).unwrap();
        submitted.is_report = true;
        let report = read_case(&submitted, &[], None).unwrap();
        assert_eq!(
            (manual.origin, report.origin),
            (Origin::Manual, Origin::Report)
        );
        let changed = read_case(&submitted, &[], Some(&manual)).unwrap();
        assert_eq!(changed.origin, Origin::Manual);
    }

    #[test]
    fn the_two_tags_with_a_box_come_from_their_boxes() {
        let mut submitted = form(&[]);
        submitted.tags = "refund, smoke, must-pass".to_owned();
        submitted.must_pass = true;
        let case = read_case(&submitted, &[], None).unwrap();
        assert_eq!(case.tags, ["refund", "must-pass"]);
    }

    #[test]
    fn a_scorer_comes_back_from_its_row() {
        for written in [
            json!({"type": "contains-any", "value": ["a", "b"]}),
            json!({"type": "word-count", "value": {"min": 1, "max": 2}, "weight": 0.5}),
            json!({"type": "equals", "value": "[1]"}),
            json!({"type": "regex", "value": "[a-z]+", "not": true}),
            json!({"type": "latency", "threshold": 2000.0}),
        ] {
            let scorer = Scorer::parse("s", &written).unwrap();
            let read = read_scorers(&[ScorerRow::default(), ScorerRow::of(&scorer)]).unwrap();
            assert_eq!(read, [scorer]);
        }
    }

    #[test]
    fn a_refused_scorer_names_its_row() {
        let row = ScorerRow {
            kind: "llm-rubric".to_owned(),
            weight: "much".to_owned(),
            ..ScorerRow::default()
        };
        let fields: Vec<String> = read_scorers(&[ScorerRow::default(), row])
            .unwrap_err()
            .into_iter()
            .map(|error| error.field)
            .collect();
        assert_eq!(fields, ["scorers[1].weight"]);
    }
}
