//! Webhooks: other systems are told what happens. What is sent is in `payload`, how it is signed in
//! `signature`, when it is tried again here. The sending, with its limits on time, size and
//! addresses, is the server's business.

use chrono::{DateTime, TimeDelta, Utc};
use iri_string::types::UriString;
use serde::{Deserialize, Serialize};

use crate::{
    actor::Who,
    alert::{Kind, read_name},
    field::{FieldError, Fields},
    id::{DeliveryId, WebhookId},
};

mod payload;
mod signature;

pub use payload::{AlertLine, AlertNotice, AuditNotice, Happening, body};
pub use signature::{BadSignature, sign, verify};

/// The header with the signature: `t=<unix>,v1=<hex>`.
pub const SIGNATURE_HEADER: &str = "x-cueline-signature";
/// The header with the delivery's id: the same for every attempt, so that a receiver that was told
/// twice can tell.
pub const DELIVERY_HEADER: &str = "x-cueline-delivery";
/// The header with what it is about: `alert`, `audit` or `test`.
pub const EVENT_HEADER: &str = "x-cueline-event";
/// How old or how far ahead a signature's time may be, in seconds.
pub const TOLERANCE_SECONDS: i64 = 300;
/// For how long it is tried.
pub const PATIENCE: TimeDelta = TimeDelta::hours(24);

/// Before the second attempt, in seconds; it doubles with each.
const FIRST_PAUSE: i64 = 10;
/// The longest pause between two attempts, in seconds.
const LONGEST_PAUSE: i64 = 7_200;
/// The longest address, in characters.
const MAX_URL: usize = 2_000;

/// What a receiver reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = WebhookFormat))]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type))]
#[cfg_attr(feature = "sqlx", sqlx(type_name = "text", rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Everything, as JSON of our own.
    #[default]
    Json,
    /// `{text, blocks}`, as Slack and what imitates it reads it.
    Slack,
}

impl Format {
    /// The word used in JSON and forms.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Slack => "slack",
        }
    }
}

/// A webhook to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewWebhook {
    /// As people call it.
    pub name: String,
    /// Where it is sent; may hold a token, so only admins see it.
    pub url: String,
    /// What the receiver reads.
    pub format: Format,
    /// The kinds of alerts it hears of; all when left out.
    pub alerts: Vec<Kind>,
    /// Beginnings of the audit trail's actions it hears of, such as `deployment` or
    /// `promotion.request`; none when left out.
    pub audit: Vec<String>,
    /// Whether it hears of anything.
    pub enabled: bool,
}

impl NewWebhook {
    /// Reads what was submitted, all errors at once.
    pub fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let name = read_name(&mut fields);
        let url = fields.required_text("url").trim().to_owned();
        if !url.is_empty()
            && let Err(message) = check_address(&url)
        {
            fields.refuse("url", message);
        }
        let format = match fields.text("format").as_deref() {
            None | Some("json") => Format::Json,
            Some("slack") => Format::Slack,
            Some(_) => {
                fields.refuse("format", "must be `json` or `slack`");
                Format::Json
            }
        };
        let mut alerts = Vec::new();
        match fields.texts("alerts") {
            None => alerts.extend(Kind::ALL),
            Some(words) => {
                for (index, word) in words.iter().enumerate() {
                    match Kind::from_word(word) {
                        Some(kind) if alerts.contains(&kind) => {}
                        Some(kind) => alerts.push(kind),
                        None => {
                            let words = Kind::ALL.map(Kind::word).join(", ");
                            let place = format!("alerts[{index}]");
                            fields.refuse(&place, format!("must be one of {words}"));
                        }
                    }
                }
            }
        }
        let audit = fields.texts("audit").unwrap_or_default();
        if audit.len() > 50 {
            fields.refuse("audit", "must be at most 50");
        }
        for (index, action) in audit.iter().enumerate() {
            if !is_action(action) {
                let place = format!("audit[{index}]");
                let words =
                    "must be an action or its noun, such as deployment.rollback or deployment";
                fields.refuse(&place, words);
            }
        }
        let enabled = fields.boolean("enabled").unwrap_or(true);
        fields.finish(|| Self {
            name,
            url,
            format,
            alerts,
            audit,
            enabled,
        })
    }
}

/// A noun, or a noun and a verb.
fn is_action(text: &str) -> bool {
    let is_word = |word: &str| {
        (1..=40).contains(&word.len())
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    match text.split_once('.') {
        None => is_word(text),
        Some((noun, verb)) => is_word(noun) && is_word(verb),
    }
}

fn check_address(text: &str) -> Result<(), &'static str> {
    if text.len() > MAX_URL {
        return Err("must be at most 2000 characters");
    }
    let address: UriString = text
        .parse()
        .map_err(|_| "must be an address such as https://hooks.example.com/cueline")?;
    if !["http", "https"].contains(&address.scheme_str()) {
        return Err("must begin with http:// or https://");
    }
    let authority = address
        .authority_components()
        .ok_or("must name a host, as in https://hooks.example.com/cueline")?;
    if authority.userinfo().is_some() {
        return Err("must not hold a password: the signature says who sends");
    }
    if authority.host().is_empty() {
        return Err("must name a host, as in https://hooks.example.com/cueline");
    }
    if address.fragment().is_some() {
        return Err("must not hold `#`");
    }
    Ok(())
}

/// A webhook, as admins see it. Its secret was shown when it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Webhook {
    /// The webhook.
    pub id: WebhookId,
    /// As people call it.
    pub name: String,
    /// Where it is sent.
    pub url: String,
    /// What the receiver reads.
    pub format: Format,
    /// The kinds of alerts it hears of.
    pub alerts: Vec<Kind>,
    /// Beginnings of the audit trail's actions it hears of.
    pub audit: Vec<String>,
    /// Whether it hears of anything.
    pub enabled: bool,
    /// Deliveries that wait for their next attempt.
    pub n_waiting: i64,
    /// The newest delivery's state.
    pub last_state: Option<DeliveryState>,
    /// When it was made.
    pub last_at: Option<DateTime<Utc>>,
    /// Who changed the webhook last.
    pub by: Who,
    /// When.
    pub changed_at: DateTime<Utc>,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type))]
#[cfg_attr(feature = "sqlx", sqlx(type_name = "text", rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is tried, or tried again.
    Waiting,
    /// The receiver said yes.
    Delivered,
    /// It is not tried any more; the reason is kept.
    GivenUp,
}

impl DeliveryState {
    /// The word used in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::GivenUp => "given_up",
        }
    }
}

/// A delivery with its attempts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Delivery {
    /// The delivery.
    pub id: DeliveryId,
    /// What it is about: `alert`, `audit` or `test`.
    pub event: String,
    /// What it says, in a line.
    pub text: String,
    /// What became of it.
    pub state: DeliveryState,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it is tried next.
    pub due_at: Option<DateTime<Utc>>,
    /// When it was delivered or given up.
    pub finished_at: Option<DateTime<Utc>>,
    /// Why it was given up.
    pub reason: Option<String>,
    /// The delivery that it repeats.
    pub redelivers: Option<DeliveryId>,
    /// The attempts, oldest first.
    pub attempts: Vec<Attempt>,
}

/// One attempt, and what came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attempt {
    /// The first is 1.
    pub number: i32,
    /// When it began.
    pub at: DateTime<Utc>,
    /// How long it took.
    pub duration_ms: i64,
    /// The status of the answer, if one came.
    pub status: Option<i32>,
    /// What went wrong.
    pub error: Option<String>,
    /// How the answer began.
    pub answer: Option<String>,
}

/// What one attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver said yes.
    Delivered,
    /// It did not, and may the next time.
    Failed {
        /// When it asked to be told again (`Retry-After`), from now on.
        asked: Option<TimeDelta>,
    },
    /// It cannot, and will not: the address is one that is never called.
    Refused(String),
}

/// What becomes of a delivery after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is done.
    Delivered,
    /// It is tried again then.
    Again(DateTime<Utc>),
    /// It is not tried again.
    GiveUp(String),
}

/// What becomes of a delivery that was made at `created_at` after its `attempt`-th attempt, the
/// first being 1. `dice`, from 0 to 1, spreads the attempts of many deliveries.
#[must_use]
pub fn after(
    attempt: u32,
    outcome: &Outcome,
    created_at: DateTime<Utc>,
    now: DateTime<Utc>,
    dice: f64,
) -> Next {
    match outcome {
        Outcome::Delivered => Next::Delivered,
        Outcome::Refused(words) => Next::GiveUp(words.clone()),
        Outcome::Failed { asked } => {
            let own = pause(attempt, dice);
            let at = now + asked.map_or(own, |asked| own.max(granted(asked)));
            if at - created_at > PATIENCE {
                let tries = if attempt == 1 { "try" } else { "tries" };
                Next::GiveUp(format!(
                    "not delivered in 24 hours, after {attempt} {tries}"
                ))
            } else {
                Next::Again(at)
            }
        }
    }
}

/// Until when a receiver wants to be told nothing, this or anything else; now unless it asked.
#[must_use]
pub fn rests_until(outcome: &Outcome, now: DateTime<Utc>) -> DateTime<Utc> {
    match outcome {
        Outcome::Failed { asked: Some(asked) } => now + granted(*asked),
        Outcome::Failed { asked: None } | Outcome::Delivered | Outcome::Refused(_) => now,
    }
}

/// A receiver may ask for more time than it would get, and not for more than the longest pause: what
/// it is told of is not to be lost because of a number it sends.
fn granted(asked: TimeDelta) -> TimeDelta {
    asked.min(TimeDelta::seconds(LONGEST_PAUSE))
}

/// 10 s, 20 s, 40 s, … up to two hours, each up to a fifth shorter or longer.
fn pause(attempt: u32, dice: f64) -> TimeDelta {
    let doubled = FIRST_PAUSE.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    let seconds = doubled.min(LONGEST_PAUSE);
    let spread = 0.8 + 0.4 * dice.clamp(0.0, 1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "hours in milliseconds"
    )]
    TimeDelta::milliseconds((seconds as f64 * 1_000.0 * spread) as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn it_is_tried_for_a_day_and_then_given_up() {
        for dice in [0.0, 0.5, 1.0] {
            let (mut now, mut attempt) = (at(0), 1);
            let reason = loop {
                match after(attempt, &Outcome::Failed { asked: None }, at(0), now, dice) {
                    Next::Again(next) => {
                        assert!(next > now);
                        now = next;
                        attempt += 1;
                    }
                    Next::GiveUp(reason) => break reason,
                    Next::Delivered => panic!("it failed"),
                }
            };
            assert!((18..=26).contains(&attempt), "{attempt}");
            assert!(now - at(0) > TimeDelta::hours(21), "{now}");
            assert_eq!(
                reason,
                format!("not delivered in 24 hours, after {attempt} tries")
            );
        }
    }

    #[test]
    fn a_receiver_may_ask_for_more_time_within_bounds() {
        let next = |attempt, asked: Option<i64>| {
            let asked = asked.map(TimeDelta::seconds);
            match after(attempt, &Outcome::Failed { asked }, at(0), at(0), 0.5) {
                Next::Again(next) => (next - at(0)).num_seconds(),
                other => panic!("{other:?}"),
            }
        };
        for (attempt, asked, wanted) in [
            (1, None, 10),
            // Less than the schedule's own pause changes nothing.
            (1, Some(0), 10),
            (3, Some(20), 40),
            (1, Some(90), 90),
            // A week is as good as the longest pause.
            (1, Some(604_800), LONGEST_PAUSE),
            (1, Some(-5), 10),
        ] {
            assert_eq!(next(attempt, asked), wanted, "{attempt} {asked:?}");
        }
    }

    #[test]
    fn only_a_receiver_that_asked_is_left_alone_and_not_for_longer_than_the_longest_pause() {
        let rest = |asked: Option<i64>| {
            let asked = asked.map(TimeDelta::seconds);
            (rests_until(&Outcome::Failed { asked }, at(0)) - at(0)).num_seconds()
        };
        assert_eq!(rest(None), 0);
        assert_eq!(rest(Some(90)), 90);
        assert_eq!(rest(Some(604_800)), LONGEST_PAUSE);
        assert_eq!(rests_until(&Outcome::Delivered, at(7)), at(7));
    }

    #[test]
    fn an_address_that_is_never_called_is_given_up_at_once() {
        let refused = Outcome::Refused("a private address".to_owned());
        assert_eq!(
            after(1, &refused, at(0), at(1), 0.5),
            Next::GiveUp("a private address".to_owned())
        );
        assert_eq!(
            after(1, &Outcome::Delivered, at(0), at(1), 0.5),
            Next::Delivered
        );
    }

    #[test]
    fn what_is_left_out_hears_every_alert_and_no_audit() {
        let read = |value| NewWebhook::parse(Fields::new("", value));
        let hook = read(json!({"name": "Ops", "url": "https://ops.example/hook?k=1"})).unwrap();
        assert_eq!(hook.alerts.len(), Kind::ALL.len());
        assert!(hook.audit.is_empty() && hook.enabled);
        let errors = read(json!({
            "name": " ", "url": "ftp://x", "format": "xml", "alerts": ["srm", "no"], "audit": ["Deployment", "a.b"],
        }))
        .unwrap_err();
        let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["name", "url", "format", "alerts[1]", "audit[0]"]);
        for (url, is_fine) in [
            ("http://127.0.0.1:9/x", true),
            ("https://hooks.slack.com/services/T/B/x", true),
            ("https://me:secret@x.example", false),
            ("https://x.example/#a", false),
            ("gopher://x.example/", false),
            ("https:///x", false),
        ] {
            assert_eq!(check_address(url).is_ok(), is_fine, "{url}");
        }
    }
}
