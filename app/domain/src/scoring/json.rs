//! JSON in outputs: the whole of it, or somewhere in the talk around it; and whether it fits a
//! schema.

use serde_json::Value;

use crate::suite::value;

/// Most places that look like the beginning of JSON and are none; a text full of brackets would
/// otherwise be read again from each of them.
const MAX_TRIES: usize = 1_000;

/// Most errors of a schema that a reason names.
const MAX_ERRORS: usize = 3;

/// Every JSON object and list in a text, outermost ones only.
pub(super) fn found_in(text: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let (mut at, mut n_failed) = (0, 0);
    while let Some(start) = text[at..].find(['{', '[']).map(|offset| at + offset) {
        let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
        if let Some(Ok(value)) = values.next() {
            at = start + values.byte_offset();
            found.push(value);
        } else {
            at = start + 1;
            n_failed += 1;
            if n_failed == MAX_TRIES {
                break;
            }
        }
    }
    found
}

/// Why `instance` does not fit the schema a scorer's value holds; `Ok` if it does, or if there is
/// no schema.
pub(super) fn fits(schema: Option<&Value>, instance: &Value) -> Result<(), String> {
    let Some(schema) = schema else { return Ok(()) };
    let schema = value::schema(schema)?;
    let validator = value::compiled_schema(&schema)?;
    let errors: Vec<String> = validator
        .iter_errors(instance)
        .take(MAX_ERRORS)
        .map(|error| {
            let at = error.instance_path().to_string();
            let at = if at.is_empty() {
                "the value".to_owned()
            } else {
                at
            };
            format!("{at}: {}", crate::scoring::cut(&error.to_string(), 200))
        })
        .collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_found_in_the_talk_around_it() {
        let text = "Sure! ```json\n{\"a\": [1, {\"b\": 2}]}\n``` and [3] but {not this}";
        assert_eq!(found_in(text), [json!({"a": [1, {"b": 2}]}), json!([3])]);
        assert!(found_in("no JSON: 3").is_empty());
        assert!(found_in(&"[".repeat(1_000_000)).is_empty());
        assert!(found_in(&"{\"a\":".repeat(300_000)).is_empty());
    }
}
