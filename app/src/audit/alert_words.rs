//! What entries about alerts, their rules and webhooks say, in words.

use domain::audit::Entry;
use serde_json::Value;

/// Who did what; none for entries about anything else.
pub fn sentence(entry: &Entry) -> Option<String> {
    let (who, subject) = (entry.actor.name(), &entry.subject);
    let rule = entry
        .detail
        .get("rule")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let words = match entry.action.as_str() {
        "alert.raise" => format!("“{rule}” fires: {subject}"),
        "alert.resolve" => format!("“{rule}” is over: {subject}"),
        "alert.acknowledge" => format!("{who} takes care of the alert {subject}"),
        "alert.roll_back" => format!("“{rule}” rolled back {subject} by itself"),
        "alert.roll_back_failed" => format!("“{rule}” could not roll back {subject}"),
        "alert_rule.create" => format!("{who} added the alert rule {subject}"),
        "alert_rule.change" => format!("{who} changed the alert rule {subject}"),
        "alert_rule.remove" => format!("{who} removed the alert rule {subject}"),
        "webhook.create" => format!("{who} added the webhook {subject}"),
        "webhook.change" => format!("{who} changed the webhook {subject}"),
        "webhook.remove" => format!("{who} removed the webhook {subject}"),
        "webhook.secret" => format!("{who} gave the webhook {subject} another secret"),
        "webhook.test" => format!("{who} tested the webhook {subject}"),
        "webhook.redeliver" => format!("{who} repeated a delivery of the webhook {subject}"),
        _ => return None,
    };
    Some(words)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use domain::actor::Who;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_fires_is_called_by_its_rule() {
        let entry = |action: &str| Entry {
            sequence: 1,
            at: DateTime::UNIX_EPOCH,
            actor: Who::System {
                name: "alerts".into(),
            },
            action: action.into(),
            subject: "support/triage in production".into(),
            detail: json!({ "rule": "Error rate" }),
            previous_hash: String::new(),
            hash: String::new(),
        };
        assert_eq!(
            sentence(&entry("alert.raise")).as_deref(),
            Some("“Error rate” fires: support/triage in production")
        );
        assert_eq!(sentence(&entry("deployment.promote")), None);
    }
}
