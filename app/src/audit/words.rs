//! What an entry says, in words.

use domain::audit::Entry;
use serde_json::Value;

use super::alert_words;

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
        let after = text(detail, &["after", member]).map(|text| format!("{sign}{text}"));
        // What stayed the same did not move.
        let before = text(detail, &["before", member])
            .map(|text| format!("{sign}{text}"))
            .filter(|before| after.as_ref() != Some(before))
            .map(|before| format!("{before} → "));
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
        "provider" => [moved("base_url", ""), key_words(detail)],
        "price" => [
            text(detail, &["after", "input"]).map(|usd| format!("input ${usd}")),
            text(detail, &["after", "valid_from"]).map(|at| format!("from {at}")),
        ],
        "prompt" if entry.action == "prompt.cache_settings" => {
            [moved("budget_usd_per_day", "$"), None]
        }
        "sampling" => [moved("share", ""), moved("patterns", "")],
        "suite" if entry.action == "suite.create" => [text(detail, &["after", "prompt"]), None],
        "suite" => [
            text(detail, &["revision"]).map(|revision| format!("revision {revision}")),
            None,
        ],
        "run" => [
            text(detail, &["version"]).map(|number| format!("v{number}")),
            text(detail, &["calls"]).map(|calls| format!("{calls} calls")),
        ],
        "gate" if entry.action == "gate.decide" => {
            [text(detail, &["verdict"]), text(detail, &["reasons"])]
        }
        "gate" => [text(detail, &["environment"]), text(detail, &["suite"])],
        "drift" if entry.action == "drift.check" => [
            text(detail, &["version"]).map(|number| format!("v{number}")),
            text(detail, &["sentence"]),
        ],
        "drift" => [moved("cron", ""), text(detail, &["after", "time_zone"])],
        "experiment" => [
            moved("traffic", "").map(|share| format!("traffic {share}")),
            text(detail, &["sentence"]).or_else(|| text(detail, &["conclusion"])),
        ],
        "promotion" if entry.action == "promotion.accept_cost" => [
            text(detail, &["cache_cost", "cost", "expected_usd"]).map(|usd| format!("${usd}")),
            text(detail, &["cache_cost", "budget_usd"]).map(|usd| format!("over ${usd} a day")),
        ],
        "alert" => [text(detail, &["sentence"]), text(detail, &["error"])],
        "alert_rule" => [
            moved("threshold", ""),
            moved("enabled", "").map(|is_on| format!("on: {is_on}")),
        ],
        "webhook" => [moved("host", ""), None],
        "promotion" => [
            text(detail, &["environment"]),
            text(detail, &["version"])
                .or_else(|| text(detail, &["after", "version"]))
                .map(|number| format!("v{number}")),
        ],
        _ => [text(detail, &["after", "description"]), None],
    };
    let mut words: Vec<String> = parts.into_iter().flatten().collect();
    words.extend(
        text(detail, &["reason"])
            .or_else(|| text(detail, &["comment"]))
            .filter(|reason| !reason.is_empty())
            .map(|reason| format!("“{reason}”")),
    );
    words.join(" ")
}

/// What became of a provider's key, which is never in an entry itself.
#[cfg(feature = "ssr")]
fn key_words(detail: &Value) -> Option<String> {
    let is = |path: &[&str]| at(detail, path).and_then(Value::as_bool);
    let words = match (is(&["before", "has_key"]), is(&["after", "has_key"])) {
        _ if is(&["new_key"]) == Some(true) => "with another key",
        (None, Some(true)) => "with a key",
        (Some(true), Some(false)) => "its key dropped",
        _ => return None,
    };
    Some(words.to_owned())
}

/// What the checks for drift and their schedules leave in the trail.
fn drift_sentence(entry: &Entry) -> Option<String> {
    let who = entry.actor.name();
    let subject = &entry.subject;
    let state = text(&entry.detail, &["state"]).unwrap_or_default();
    Some(match (entry.action.as_str(), state.as_str()) {
        ("drift.schedule", _) => format!("{who} changed when {subject} is checked for drift"),
        ("drift.check", "drifted") => {
            format!("The drift check found {subject} worse than at promotion")
        }
        ("drift.check", "watch") => format!("The drift check found {subject} worth watching"),
        ("drift.check", "healthy") => {
            format!("The drift check found {subject} as good as at promotion")
        }
        ("drift.check", _) => format!("The drift check could not tell about {subject}"),
        _ => return None,
    })
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
        "prompt.cache_settings" => format!("{who} set the cache budget of {subject}"),
        "price.add" => format!("{who} added a price of {subject}"),
        "promotion.accept_cost" => {
            format!("{who} accepted the cache cost of a change of {subject}")
        }
        "member.add" => format!("{who} added {subject} as {}", of(&["after", "role"])),
        "member.invite" => format!("{who} made a new sign-in link for {subject}"),
        "member.role" => format!("{who} made {subject} {}", of(&["after", "role"])),
        "member.remove" => format!("{who} removed {subject}"),
        "key.create" => format!("{who} created the key {subject}"),
        "key.revoke" => format!("{who} revoked the key {subject}"),
        "environment.create" => format!("{who} created the environment {subject}"),
        "environment.policy" => format!("{who} changed the policy of {subject}"),
        "project.create" => format!("{who} created the project"),
        "provider.create" => format!("{who} added the provider {subject}"),
        "provider.change" => format!("{who} changed the provider {subject}"),
        "sampling.change" => format!("{who} changed what is kept of inputs and outputs"),
        "suite.create" => format!("{who} created the suite {subject}"),
        "suite.add_cases" => match of(&["added"]).as_str() {
            "1" => format!("{who} added a case to {subject}"),
            n_cases => format!("{who} added {n_cases} cases to {subject}"),
        },
        "suite.change_case" => format!("{who} changed a case of {subject}"),
        "suite.remove_case" => format!("{who} removed a case from {subject}"),
        "suite.set_scorers" => format!("{who} changed the scorers of {subject}"),
        "run.launch" => format!("{who} launched the run {subject}"),
        "run.cancel" => format!("{who} cancelled the run {subject}"),
        "gate.set" => format!(
            "{who} changed the gate of {subject} in {}",
            of(&["environment"])
        ),
        "gate.decide" => match of(&["verdict"]).as_str() {
            "pass" => format!("The gate let {subject} pass"),
            "fail" => format!("The gate stopped {subject}"),
            "inconclusive" => format!("The gate could not tell about {subject}"),
            verdict => format!("The gate said {verdict} of {subject}"),
        },
        "promotion.request" => format!(
            "{who} asked for {subject} {} in {}",
            version(),
            of(&["environment"])
        ),
        "promotion.approve" => promotion("approved", entry),
        "promotion.reject" => promotion("rejected", entry),
        "promotion.cancel" => promotion("withdrew", entry),
        "promotion.comment" => format!("{who} commented on the promotion of {subject}"),
        "promotion.schedule" => match of(&["at"]).as_str() {
            "" => promotion("unscheduled", entry),
            at => format!("{} at {at}", promotion("scheduled", entry)),
        },
        "promotion.execute" => promotion("executed the promotion of", entry),
        "experiment.create" => format!("{who} planned the experiment {subject}"),
        "experiment.change" => format!("{who} changed the plan of the experiment {subject}"),
        "experiment.start" => format!("{who} started the experiment {subject}"),
        "experiment.traffic" => format!("{who} raised the traffic of the experiment {subject}"),
        "experiment.freeze" => format!("The experiment {subject} reached its planned sample"),
        "experiment.alarm" => format!("The experiment {subject} raised an alarm"),
        "experiment.stop" => format!("{who} stopped the experiment {subject}"),
        "experiment.conclude" => format!("{who} concluded the experiment {subject}"),
        action => alert_words::sentence(entry)
            .or_else(|| drift_sentence(entry))
            .unwrap_or_else(|| format!("{who}: {action} {subject}")),
    }
}

/// What somebody did with a promotion: `Mara approved support/triage v41 in production`.
fn promotion(verb: &str, entry: &Entry) -> String {
    let of = |name: &str| text(&entry.detail, &[name]).unwrap_or_default();
    format!(
        "{} {verb} {} v{} in {}",
        entry.actor.name(),
        entry.subject,
        of("version"),
        of("environment")
    )
}

/// Whether the entry is about a prompt, so that its subject leads somewhere.
pub fn is_about_prompt(action: &str) -> bool {
    [
        "prompt.",
        "version.",
        "deployment.",
        "promotion.",
        "gate.",
        "drift.",
    ]
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
    fn what_is_tested_and_with_what_is_told_in_words() {
        let check = |action, subject, detail: Value, expected: &str| {
            assert_eq!(sentence(&entry(action, subject, detail)), expected);
        };
        check(
            "suite.create",
            "Refunds",
            json!({}),
            "Mara created the suite Refunds",
        );
        let one = json!({ "added": 1, "revision": 4 });
        check(
            "suite.add_cases",
            "Refunds",
            one.clone(),
            "Mara added a case to Refunds",
        );
        assert_eq!(
            summary(&entry("suite.add_cases", "Refunds", one)),
            "revision 4"
        );
        check(
            "suite.add_cases",
            "Refunds",
            json!({ "added": 120 }),
            "Mara added 120 cases to Refunds",
        );
        check(
            "suite.change_case",
            "Refunds",
            json!({}),
            "Mara changed a case of Refunds",
        );
        check(
            "suite.remove_case",
            "Refunds",
            json!({}),
            "Mara removed a case from Refunds",
        );
        check(
            "suite.set_scorers",
            "Refunds",
            json!({}),
            "Mara changed the scorers of Refunds",
        );
        check("run.launch", "r1", json!({}), "Mara launched the run r1");
        check("run.cancel", "r1", json!({}), "Mara cancelled the run r1");
        let run = entry("run.launch", "r1", json!({ "version": 41, "calls": 200 }));
        assert_eq!(summary(&run), "v41 200 calls");
    }

    #[test]
    fn a_provider_s_key_is_never_told_only_that_there_is_one() {
        let after = json!({ "base_url": "http://127.0.0.1:11434/v1", "has_key": false });
        let local = entry("provider.create", "local", json!({ "after": after }));
        assert_eq!(summary(&local), "http://127.0.0.1:11434/v1");
        assert_eq!(sentence(&local), "Mara added the provider local");
        let kept = json!({ "base_url": "https://a.example/v1", "has_key": true });
        let detail = json!({ "before": kept, "after": kept, "new_key": true });
        let changed = entry("provider.change", "a", detail);
        assert_eq!(summary(&changed), "https://a.example/v1 with another key");
        assert_eq!(sentence(&changed), "Mara changed the provider a");
    }

    #[test]
    fn gates_and_promotions_name_the_version_and_the_place() {
        let check = |action, detail: Value, expected: &str| {
            assert_eq!(sentence(&entry(action, "support/triage", detail)), expected);
        };
        check(
            "gate.set",
            json!({ "environment": "production", "suite": "Refunds" }),
            "Mara changed the gate of support/triage in production",
        );
        let verdict = json!({ "verdict": "fail", "reasons": ["17 of 50 cases fail"] });
        check(
            "gate.decide",
            verdict.clone(),
            "The gate stopped support/triage",
        );
        assert_eq!(
            summary(&entry("gate.decide", "support/triage", verdict)),
            "fail 17 of 50 cases fail"
        );
        check(
            "promotion.request",
            json!({ "environment": "production", "after": { "version": 41 }, "reason": "better" }),
            "Mara asked for support/triage v41 in production",
        );
        let there = json!({ "environment": "production", "version": 41, "comment": "well done" });
        for (action, verb) in [
            ("promotion.approve", "approved"),
            ("promotion.reject", "rejected"),
            ("promotion.cancel", "withdrew"),
            ("promotion.execute", "executed the promotion of"),
        ] {
            let expected = format!("Mara {verb} support/triage v41 in production");
            check(action, there.clone(), &expected);
        }
        assert_eq!(
            summary(&entry("promotion.approve", "support/triage", there)),
            "production v41 “well done”"
        );
        check(
            "promotion.schedule",
            json!({ "environment": "production", "version": 41, "at": "2026-03-14T09:00:00Z" }),
            "Mara scheduled support/triage v41 in production at 2026-03-14T09:00:00Z",
        );
        check(
            "promotion.comment",
            json!({ "comment": "why?" }),
            "Mara commented on the promotion of support/triage",
        );
    }

    #[test]
    fn lines_that_differ_are_marked() {
        let lines = lines(&json!({ "a": 1, "b": [1] }), &json!({ "a": 1, "b": [2] }));
        assert_eq!(lines[1], ("  \"a\": 1,".to_owned(), false));
        assert_eq!(lines[2], ("  \"b\": [\n    1\n  ]".to_owned(), true));
    }
}
