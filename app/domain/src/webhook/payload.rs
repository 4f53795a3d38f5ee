//! What receivers are sent: our own JSON, or the `{text, blocks}` that Slack reads.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Format;
use crate::{
    alert::Kind,
    id::{AlertId, DeliveryId},
};

/// The most alerts that Slack is shown one by one: it refuses more than fifty blocks.
const MAX_LINES: usize = 20;
/// The longest text of a block, in characters; Slack refuses more than 3,000.
const MAX_TEXT: usize = 2_900;

/// Something to be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Happening {
    /// Alerts of a rule began, went on or ended.
    Alert(AlertNotice),
    /// Something was written into the audit trail.
    Audit(AuditNotice),
    /// Somebody pressed the button.
    Test {
        /// Where.
        project: String,
        /// Who.
        by: String,
    },
}

/// What is told of a rule's alerts, all that there is to tell at that moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertNotice {
    /// The project's address.
    pub project: String,
    /// The rule's name.
    pub rule: String,
    /// What it watches.
    pub kind: Kind,
    /// These began to fire.
    pub raised: Vec<AlertLine>,
    /// These still do.
    pub still: Vec<AlertLine>,
    /// These are over.
    pub resolved: Vec<AlertLine>,
}

/// One alert of a notice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertLine {
    /// The alert.
    pub id: AlertId,
    /// What it is about.
    pub title: String,
    /// What is the matter, or why it is over.
    pub sentence: String,
    /// What was read.
    pub value: f64,
    /// Of which prompt.
    pub prompt: Option<String>,
    /// In which environment.
    pub environment: Option<String>,
    /// Since when it fires, or fired.
    pub raised_at: DateTime<Utc>,
}

/// An entry of the audit trail, without its detail, which may hold what people wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditNotice {
    /// The project's address.
    pub project: String,
    /// The entry's number.
    pub sequence: i64,
    /// What was done: `deployment.rollback`.
    pub action: String,
    /// To what.
    pub subject: String,
    /// By whom.
    pub by: String,
}

impl Happening {
    /// `alert`, `audit` or `test`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Alert(_) => "alert",
            Self::Audit(_) => "audit",
            Self::Test { .. } => "test",
        }
    }

    /// What it says, in a line.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Alert(notice) => notice.text(),
            Self::Audit(entry) => format!("{} by {}: {}", entry.action, entry.by, entry.subject),
            Self::Test { project, by } => {
                format!("A test from Cueline: {by} tried this webhook of {project}")
            }
        }
    }

    fn project(&self) -> &str {
        match self {
            Self::Alert(notice) => &notice.project,
            Self::Audit(entry) => &entry.project,
            Self::Test { project, .. } => project,
        }
    }

    /// The page about it, within its project.
    fn page(&self) -> String {
        match self {
            Self::Alert(notice) => match notice.lines().next() {
                Some((_, line)) => format!("/alerts/{}", line.id),
                None => "/alerts".to_owned(),
            },
            Self::Audit(entry) => format!("/audit/{}", entry.sequence),
            Self::Test { .. } => "/settings/webhooks".to_owned(),
        }
    }
}

impl AlertNotice {
    /// All lines, with a word for each: the most urgent first.
    fn lines(&self) -> impl Iterator<Item = (&'static str, &AlertLine)> {
        [
            ("firing", &self.raised),
            ("still firing", &self.still),
            ("resolved", &self.resolved),
        ]
        .into_iter()
        .flat_map(|(word, lines)| lines.iter().map(move |line| (word, line)))
    }

    fn text(&self) -> String {
        let lines: Vec<_> = self.lines().collect();
        if let [(word, line)] = lines.as_slice() {
            return format!("{}, {word}: {}", self.rule, line.title);
        }
        let counts: Vec<String> = [
            (self.raised.len(), "firing"),
            (self.still.len(), "still firing"),
            (self.resolved.len(), "resolved"),
        ]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}"))
        .collect();
        format!("{}: {}", self.rule, counts.join(", "))
    }
}

/// The body of a delivery. The same for every attempt.
#[must_use]
pub fn body(
    format: Format,
    happening: &Happening,
    id: DeliveryId,
    at: DateTime<Utc>,
    public_url: &str,
) -> Value {
    let base = format!("{public_url}/p/{}", happening.project());
    let url = format!("{base}{}", happening.page());
    match format {
        Format::Json => {
            let mut body = json!({ "id": id, "at": at, "text": happening.text(), "url": url });
            if let (Some(members), Ok(Value::Object(more))) =
                (body.as_object_mut(), serde_json::to_value(happening))
            {
                members.extend(more);
            }
            body
        }
        Format::Slack => {
            let text = happening.text();
            let text = escape(&text);
            let mut blocks = vec![section(&format!("*<{url}|{text}>*"))];
            if let Happening::Alert(notice) = happening {
                let lines: Vec<_> = notice.lines().collect();
                for (word, line) in lines.iter().take(MAX_LINES) {
                    blocks.push(section(&format!(
                        "{word} <{base}/alerts/{}|{}>\n{}",
                        line.id,
                        escape(&line.title),
                        escape(&line.sentence)
                    )));
                }
                if let Some(more) = lines.len().checked_sub(MAX_LINES).filter(|more| *more > 0) {
                    blocks.push(section(&format!("and {more} more")));
                }
            }
            json!({ "text": text, "blocks": blocks })
        }
    }
}

fn section(text: &str) -> Value {
    let text: String = text.chars().take(MAX_TEXT).collect();
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } })
}

/// What Slack would read as a link or a mention, it is to show.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn line(n: u128) -> AlertLine {
        AlertLine {
            id: AlertId(Uuid::from_u128(n)),
            title: format!("support/triage in production {n}"),
            sentence: "12 % of 300 calls failed <!channel>".to_owned(),
            value: 0.12,
            prompt: Some("support/triage".to_owned()),
            environment: Some("production".to_owned()),
            raised_at: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
        }
    }

    fn notice(raised: Vec<AlertLine>) -> Happening {
        Happening::Alert(AlertNotice {
            project: "acme".to_owned(),
            rule: "Error rate".to_owned(),
            kind: Kind::ErrorRate,
            raised,
            still: Vec::new(),
            resolved: Vec::new(),
        })
    }

    fn body_of(format: Format, happening: &Happening) -> Value {
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let id = DeliveryId(Uuid::nil());
        body(format, happening, id, at, "https://cueline.example")
    }

    #[test]
    fn our_own_json_holds_everything_and_says_it_in_a_line() {
        let body = body_of(Format::Json, &notice(vec![line(1)]));
        assert_eq!(body["type"], "alert");
        assert_eq!(
            body["text"],
            "Error rate, firing: support/triage in production 1"
        );
        assert_eq!(
            body["url"],
            "https://cueline.example/p/acme/alerts/00000000-0000-0000-0000-000000000001"
        );
        assert_eq!(body["raised"][0]["value"], 0.12);
        assert_eq!(body["kind"], "error_rate");
    }

    #[test]
    fn slack_reads_text_and_blocks_and_no_mention_of_ours() {
        let body = body_of(Format::Slack, &notice((1..=30).map(line).collect()));
        assert_eq!(body["text"], "Error rate: 30 firing");
        let blocks = body["blocks"].as_array().unwrap();
        assert_eq!(blocks.len(), 22);
        let text = blocks[1]["text"]["text"].as_str().unwrap();
        assert!(
            text.contains("&lt;!channel&gt;") && !text.contains("<!"),
            "{text}"
        );
        assert_eq!(blocks[21]["text"]["text"], "and 10 more");
        // The line that notifications show mentions nobody either, whatever people called things.
        let named = Happening::Test {
            project: "acme".to_owned(),
            by: "<!channel> & co".to_owned(),
        };
        let text = body_of(Format::Slack, &named)["text"].to_string();
        assert!(
            text.contains("&lt;!channel&gt; &amp; co") && !text.contains('<'),
            "{text}"
        );
    }

    #[test]
    fn what_is_kept_reads_back() {
        let happening = notice(vec![line(1)]);
        let kept = serde_json::to_value(&happening).unwrap();
        assert_eq!(
            serde_json::from_value::<Happening>(kept).unwrap(),
            happening
        );
    }
}
