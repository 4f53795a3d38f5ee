//! What the settings of rules and webhooks ask and do.

use chrono::{DateTime, Utc};
use domain::{
    alert::Rule,
    id::{AlertRuleId, DeliveryId, WebhookId},
    webhook::{Delivery, Webhook},
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::UiError;

/// The rules, and what they can be about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RulesView {
    /// By name.
    pub rules: Vec<Rule>,
    /// The project's environments.
    pub environments: Vec<String>,
    /// When this was read.
    pub now: DateTime<Utc>,
}

/// The rules of a project.
#[server]
pub async fn load_rules(project: String) -> Result<RulesView, UiError> {
    let cx = crate::context::member(&project).await?;
    let rules = store::alerts::rules(&cx.store, &cx.actor).await?;
    let environments = store::environments::list(&cx.store, &cx.actor).await?;
    Ok(RulesView {
        rules,
        environments: environments
            .into_iter()
            .map(|environment| environment.name)
            .collect(),
        now: cx.now,
    })
}

/// A rule as a form has it: everything as typed. Empty is as usual for the kind.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RuleValues {
    /// The rule to change; empty: a new one.
    #[serde(default)]
    pub id: String,
    name: String,
    kind: String,
    #[serde(default)]
    enabled: bool,
    #[serde(default)]
    prompt: String,
    #[serde(default)]
    environment: String,
    #[serde(default)]
    threshold: String,
    #[serde(default)]
    clear_threshold: String,
    #[serde(default)]
    for_seconds: String,
    #[serde(default)]
    clear_for_seconds: String,
    #[serde(default)]
    window_minutes: String,
    #[serde(default)]
    min_requests: String,
    #[serde(default)]
    group_seconds: String,
    #[serde(default)]
    repeat_minutes: String,
    #[serde(default)]
    roll_back: bool,
}

/// Adds a rule, or changes one.
#[server]
pub async fn save_rule(project: String, rule: RuleValues) -> Result<(), UiError> {
    use domain::{alert::NewRule, field::Fields};
    use serde_json::json;

    let cx = crate::context::member(&project).await?;
    let submitted = json!({
        "name": rule.name.trim(),
        "kind": rule.kind,
        "enabled": rule.enabled,
        "prompt": rule.prompt.trim(),
        "environment": rule.environment,
        "threshold": number(&rule.threshold),
        "clear_threshold": number(&rule.clear_threshold),
        "for_seconds": number(&rule.for_seconds),
        "clear_for_seconds": number(&rule.clear_for_seconds),
        "window_minutes": number(&rule.window_minutes),
        "min_requests": number(&rule.min_requests),
        "group_seconds": number(&rule.group_seconds),
        "repeat_minutes": number(&rule.repeat_minutes),
        "roll_back": rule.roll_back,
    });
    let new = NewRule::parse(Fields::new("", submitted)).map_err(UiError::Invalid)?;
    if rule.id.is_empty() {
        store::alerts::create(&cx.store, &cx.actor, &new, cx.now).await?;
    } else {
        let id = rule
            .id
            .parse()
            .map_err(|_| UiError::NotFound("alert rule".to_owned()))?;
        store::alerts::change(&cx.store, &cx.actor, id, &new, cx.now).await?;
    }
    // A plain form would come back to the rule it changed.
    leptos_axum::redirect(&format!("/p/{project}/settings/alerts"));
    Ok(())
}

/// A number as JSON; nothing if the field is empty, and the text, to be refused, if it is none.
#[cfg(feature = "ssr")]
fn number(text: &str) -> serde_json::Value {
    let text = text.trim();
    if text.is_empty() {
        return serde_json::Value::Null;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return whole.into();
    }
    text.parse::<f64>().map_or_else(|_| text.into(), Into::into)
}

/// Takes a rule away.
#[server]
pub async fn remove_rule(project: String, rule: AlertRuleId) -> Result<(), UiError> {
    let cx = crate::context::member(&project).await?;
    Ok(store::alerts::remove(&cx.store, &cx.actor, rule, cx.now).await?)
}

/// The webhooks, and when they were read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Webhooks {
    /// By name.
    pub webhooks: Vec<Webhook>,
    /// When.
    pub now: DateTime<Utc>,
}

/// The webhooks of a project.
#[server]
pub async fn load_webhooks(project: String) -> Result<Webhooks, UiError> {
    let cx = crate::context::member(&project).await?;
    let webhooks = store::webhooks::list(&cx.store, &cx.actor).await?;
    Ok(Webhooks {
        webhooks,
        now: cx.now,
    })
}

/// A secret, for the one moment it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSecret {
    /// Whose it is.
    pub name: String,
    /// The secret; none when a webhook was only changed.
    pub secret: Option<String>,
}

/// A webhook as a form has it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct WebhookValues {
    /// The webhook to change; empty: a new one.
    #[serde(default)]
    id: String,
    name: String,
    url: String,
    format: String,
    #[serde(default)]
    alerts: Vec<String>,
    #[serde(default)]
    audit: String,
    #[serde(default)]
    enabled: bool,
}

/// Adds a webhook, or changes one.
#[server]
pub async fn save_webhook(project: String, webhook: WebhookValues) -> Result<NewSecret, UiError> {
    use domain::{field::Fields, webhook::NewWebhook};
    use serde_json::json;

    let cx = crate::context::member(&project).await?;
    let WebhookValues { id, .. } = &webhook;
    let audit: Vec<&str> = webhook
        .audit
        .split([',', ' ', '\n'])
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .collect();
    let submitted = json!({
        "name": webhook.name.trim(), "url": webhook.url.trim(), "format": webhook.format,
        "alerts": webhook.alerts, "audit": audit, "enabled": webhook.enabled,
    });
    let new = NewWebhook::parse(Fields::new("", submitted)).map_err(UiError::Invalid)?;
    if !id.is_empty() {
        let id = read_webhook(id)?;
        let webhook = store::webhooks::change(&cx.store, &cx.actor, id, &new, cx.now).await?;
        return Ok(NewSecret {
            name: webhook.name,
            secret: None,
        });
    }
    let secret = new_secret()?;
    let seal = seal(&cx, &secret);
    let webhook = store::webhooks::create(&cx.store, &cx.actor, &new, &seal, cx.now).await?;
    Ok(NewSecret {
        name: webhook.name,
        secret: Some(secret.reveal().to_owned()),
    })
}

#[cfg(feature = "ssr")]
fn read_webhook(id: &str) -> Result<WebhookId, UiError> {
    id.parse()
        .map_err(|_| UiError::NotFound("webhook".to_owned()))
}

#[cfg(feature = "ssr")]
fn new_secret() -> Result<store::secret::Secret, UiError> {
    store::secret::Secret::new_signing().map_err(|error| {
        tracing::error!(%error, "the system gives no random numbers");
        UiError::Internal
    })
}

#[cfg(feature = "ssr")]
fn seal(
    cx: &crate::context::Cx,
    secret: &store::secret::Secret,
) -> impl Fn(WebhookId) -> store::Result<Vec<u8>> + Sync + use<> {
    let (models, secret) = (cx.models.clone(), secret.clone());
    move |id| {
        let sealed = models.seal_webhook(id, secret.reveal());
        sealed.map_err(|words| store::Error::conflict("no_secret_key", words))
    }
}

/// Gives a webhook another secret.
#[server]
pub async fn renew_secret(project: String, webhook: WebhookId) -> Result<NewSecret, UiError> {
    let cx = crate::context::member(&project).await?;
    let secret = new_secret()?;
    let seal = seal(&cx, &secret);
    let webhook =
        store::webhooks::renew_secret(&cx.store, &cx.actor, webhook, &seal, cx.now).await?;
    Ok(NewSecret {
        name: webhook.name,
        secret: Some(secret.reveal().to_owned()),
    })
}

/// Takes a webhook away, and leads back to the others.
#[server]
pub async fn remove_webhook(project: String, webhook: WebhookId) -> Result<(), UiError> {
    let cx = crate::context::member(&project).await?;
    store::webhooks::remove(&cx.store, &cx.actor, webhook, cx.now).await?;
    leptos_axum::redirect(&format!("/p/{project}/settings/webhooks"));
    Ok(())
}

/// Sends a delivery that says nothing.
#[server]
pub async fn test_webhook(project: String, webhook: WebhookId) -> Result<(), UiError> {
    let cx = crate::context::member(&project).await?;
    store::webhooks::test(&cx.store, &cx.actor, webhook, cx.now).await?;
    Ok(())
}

/// Tells the same once more.
#[server]
pub async fn redeliver(
    project: String,
    webhook: WebhookId,
    delivery: DeliveryId,
) -> Result<(), UiError> {
    let cx = crate::context::member(&project).await?;
    store::webhooks::redeliver(&cx.store, &cx.actor, webhook, delivery, cx.now).await?;
    Ok(())
}

/// A webhook with a page of what it was told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WebhookLog {
    /// The webhook.
    pub webhook: Webhook,
    /// Newest first.
    pub deliveries: Vec<Delivery>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
    /// When this was read.
    pub now: DateTime<Utc>,
}

/// A webhook with a page of what it was told.
#[server]
pub async fn load_webhook(
    project: String,
    id: String,
    cursor: Option<String>,
) -> Result<WebhookLog, UiError> {
    use domain::page::PageRequest;

    let cx = crate::context::member(&project).await?;
    let id = read_webhook(&id)?;
    let page = cursor.map_or_else(
        || PageRequest::first(25),
        |cursor| PageRequest::parse(Some("25"), Some(&cursor)).unwrap_or_default(),
    );
    let webhook = store::webhooks::find(&cx.store, &cx.actor, id).await?;
    let found = store::webhooks::deliveries(&cx.store, &cx.actor, id, &page).await?;
    Ok(WebhookLog {
        webhook,
        deliveries: found.items,
        next_cursor: found.next_cursor,
        now: cx.now,
    })
}
