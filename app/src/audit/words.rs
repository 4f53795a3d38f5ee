//! What an entry says, in words.

use domain::audit::Entry;
use serde_json::Value;

/// A member of the detail, by its path.
fn at<'v>(detail: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter()
        .try_fold(detail, |value, member| value.get(*member))
        .filter(|value| !value.is_null())
}

fn text(detail: &Value, path: &[&str]) -> Option<String> {
    at(detail, path).map(plain)
}

/// A value without JSON's quotes.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// What changed, in a few words: `production v40 → v41`. Empty when the action says it all.
#[cfg(feature = "ssr")]
pub fn summary(entry: &Entry) -> String {
    let detail = &entry.detail;
    let moved = |member: &str, sign: &str| {
        let before = text(detail, &["before", member]).map(|text| format!("{sign}{text} → "));
        let after = text(detail, &["after", member]).map(|text| format!("{sign}{text}"));
        match (before, after) {
            (Some(before), Some(after)) => Some(before + &after),
            (None, after) => after,
            (Some(before), None) => Some(before.trim_end_matches(" → ").to_owned()),
        }
    };
    let noun = entry.action.split('.').next().unwrap_or_default();
    let parts = match noun {
        "deployment" => [text(detail, &["environment"]), moved("version", "v")],
        "version" if entry.action == "version.status" => [
            text(detail, &["version"]).map(|number| format!("v{number}")),
            moved("status", ""),
        ],
        "version" => [moved("version", "v"), None],
        "member" => [moved("role", ""), None],
        "key" => [
            moved("prefix", "").map(|prefix| format!("{prefix}…")),
            text(detail, &["after", "scopes"]),
        ],
        "environment" => [moved("policy", ""), None],
        "project" => [moved("name", ""), None],
        _ => [text(detail, &["after", "description"]), None],
    };
    let mut words: Vec<String> = parts.into_iter().flatten().collect();
    words.extend(
        text(detail, &["reason"])
            .filter(|reason| !reason.is_empty())
            .map(|reason| format!("“{reason}”")),
    );
    words.join(" ")
}

/// Who did what, as the title of the entry's page.
pub fn sentence(entry: &Entry) -> String {
    let who = entry.actor.name();
    let subject = &entry.subject;
    let detail = &entry.detail;
    let of = |path: &[&str]| text(detail, path).unwrap_or_default();
    let version = || format!("v{}", of(&["after", "version"]));
    match entry.action.as_str() {
        "deployment.promote" => {
            format!(
                "{who} made {subject} {} live in {}",
                version(),
                of(&["environment"])
            )
        }
        "deployment.rollback" => {
            format!(
                "{who} rolled {subject} back to {} in {}",
                version(),
                of(&["environment"])
            )
        }
        "deployment.break_glass" => format!(
            "{who} put {subject} {} into {} past its policy",
            version(),
            of(&["environment"])
        ),
        "version.create" => format!("{who} saved {subject} {}", version()),
        "version.status" => format!(
            "{who} called {subject} v{} {}",
            of(&["version"]),
            of(&["after", "status"])
        ),
        "prompt.create" => format!("{who} created {subject}"),
        "prompt.describe" => format!("{who} described {subject}"),
        "member.add" => format!("{who} added {subject} as {}", of(&["after", "role"])),
        "member.role" => format!("{who} made {subject} {}", of(&["after", "role"])),
        "member.remove" => format!("{who} removed {subject}"),
        "key.create" => format!("{who} created the key {subject}"),
        "key.revoke" => format!("{who} revoked the key {subject}"),
        "environment.create" => format!("{who} created the environment {subject}"),
        "environment.policy" => format!("{who} changed the policy of {subject}"),
        "project.create" => format!("{who} created the project"),
        action => format!("{who}: {action} {subject}"),
    }
}

/// Whether the entry is about a prompt, so that its subject leads somewhere.
pub fn is_about_prompt(action: &str) -> bool {
    ["prompt.", "version.", "deployment.", "promotion."]
        .iter()
        .any(|noun| action.starts_with(noun))
}

/// One side's members as lines of JSON; `true` marks those that differ on the other side.
pub fn lines(side: &Value, other: &Value) -> Vec<(String, bool)> {
    let Value::Object(members) = side else {
        return vec![(pretty(side), side != other)];
    };
    let mut lines = vec![("{".to_owned(), false)];
    let last = members.len().saturating_sub(1);
    for (index, (name, value)) in members.iter().enumerate() {
        let comma = if index == last { "" } else { "," };
        let value_text = pretty(value).replace('\n', "\n  ");
        let line = format!("  {}: {value_text}{comma}", Value::from(name.as_str()));
        lines.push((line, other.get(name) != Some(value)));
    }
    lines.push(("}".to_owned(), false));
    lines
}

fn pretty(value: &Value) -> String {
    // Writing a `Value` cannot fail; an empty text would be the honest answer if it did.
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use domain::actor::Who;
    use serde_json::json;

    use super::*;

    fn entry(action: &str, subject: &str, detail: Value) -> Entry {
        Entry {
            sequence: 1,
            at: DateTime::UNIX_EPOCH,
            actor: Who::System {
                name: "Mara".into(),
            },
            action: action.into(),
            subject: subject.into(),
            detail,
            previous_hash: String::new(),
            hash: String::new(),
        }
    }

    #[test]
    fn a_deployment_says_where_and_from_what_to_what() {
        let detail = json!({
            "environment": "production",
            "before": { "version": 41 }, "after": { "version": 40 }, "reason": "bad answers",
        });
        let entry = entry("deployment.rollback", "support/triage", detail);
        assert_eq!(summary(&entry), "production v41 → v40 “bad answers”");
        assert_eq!(
            sentence(&entry),
            "Mara rolled support/triage back to v40 in production"
        );
    }

    #[test]
    fn a_first_deployment_has_no_before() {
        let detail = json!({ "environment": "staging", "before": null, "after": { "version": 1 }, "reason": null });
        let entry = entry("deployment.promote", "a", detail);
        assert_eq!(summary(&entry), "staging v1");
    }

    #[test]
    fn members_and_keys_are_told_in_their_words() {
        let detail = json!({ "before": { "role": "viewer" }, "after": { "role": "admin" } });
        let role = entry("member.role", "ada@x.org", detail);
        assert_eq!(summary(&role), "viewer → admin");
        let detail =
            json!({ "after": { "prefix": "clk_12", "scopes": ["prompts:read", "admin"] } });
        let key = entry("key.create", "ci", detail);
        assert_eq!(summary(&key), "clk_12… prompts:read, admin");
    }

    #[test]
    fn lines_that_differ_are_marked() {
        let lines = lines(&json!({ "a": 1, "b": [1] }), &json!({ "a": 1, "b": [2] }));
        assert_eq!(lines[1], ("  \"a\": 1,".to_owned(), false));
        assert_eq!(lines[2], ("  \"b\": [\n    1\n  ]".to_owned(), true));
    }
}
