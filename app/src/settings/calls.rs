//! What the settings pages ask and do.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Role, Scope},
    cost::KnownPrice,
    id::{KeyId, PersonId},
    project::{ApiKey, Member},
    prompt::Environment,
    provider::Provider,
    release::Policy,
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::UiError;

/// How long a set-up link is good for.
#[cfg(feature = "ssr")]
const LINK_DAYS: i64 = 7;

/// The members, and when they were read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Members {
    /// Strongest role first.
    pub members: Vec<Member>,
    /// When.
    pub now: DateTime<Utc>,
}

/// A link that was just made for somebody, to be passed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    /// As people call them.
    pub name: String,
    /// The link; none when they have a password, or a link from another project, already.
    pub link: Option<String>,
}

/// The members of a project.
#[server]
pub async fn load_members(project: String) -> Result<Members, UiError> {
    let cx = crate::context::member(&project).await?;
    let members = store::members::list(&cx.store, &cx.actor).await?;
    Ok(Members {
        members,
        now: cx.now,
    })
}

/// Adds somebody; who has no account yet gets one, and a link to choose a password.
#[server]
pub async fn add_member(
    project: String,
    email: String,
    name: String,
    role: Role,
) -> Result<Added, UiError> {
    let cx = crate::context::member(&project).await?;
    let member = store::members::add(&cx.store, &cx.actor, &email, &name, role, cx.now).await?;
    link_for(&cx, member).await
}

/// Makes a new link for somebody who has not chosen a password yet; the old one stops working.
#[server]
pub async fn renew_link(project: String, person: PersonId) -> Result<Added, UiError> {
    let cx = crate::context::member(&project).await?;
    let secret = random(store::secret::Secret::new_link())?;
    let hash = secret.hash();
    let link = new_link(&cx, &hash);
    let member = store::members::invite(&cx.store, &cx.actor, person, link, cx.now).await?;
    Ok(added(&cx, member, &secret))
}

/// A link where the member needs one; who has an account signs in with that.
#[cfg(feature = "ssr")]
async fn link_for(cx: &crate::context::Cx, member: Member) -> Result<Added, UiError> {
    let account = Added {
        name: member.name,
        link: None,
    };
    if member.has_signed_up {
        return Ok(account);
    }
    let secret = random(store::secret::Secret::new_link())?;
    let hash = secret.hash();
    let link = new_link(cx, &hash);
    match store::members::give_link(&cx.store, &cx.actor, member.id, link, cx.now).await {
        Ok(member) => Ok(added(cx, member, &secret)),
        Err(store::Error::Conflict { .. }) => Ok(account),
        Err(error) => Err(error.into()),
    }
}

#[cfg(feature = "ssr")]
fn new_link<'a>(cx: &crate::context::Cx, token_hash: &'a [u8]) -> store::members::NewLink<'a> {
    store::members::NewLink {
        token_hash,
        expires_at: cx.now + chrono::TimeDelta::days(LINK_DAYS),
    }
}

#[cfg(feature = "ssr")]
fn added(cx: &crate::context::Cx, member: Member, secret: &store::secret::Secret) -> Added {
    let base = cx.public_url.trim_end_matches('/');
    Added {
        name: member.name,
        link: Some(format!("{base}/set-up/{}", secret.reveal())),
    }
}

#[cfg(feature = "ssr")]
fn random<E: std::fmt::Display>(
    made: Result<store::secret::Secret, E>,
) -> Result<store::secret::Secret, UiError> {
    made.map_err(|error| {
        tracing::error!(%error, "the system gives no random numbers");
        UiError::Internal
    })
}

/// Gives a member another role.
#[server]
pub async fn set_role(project: String, person: PersonId, role: Role) -> Result<(), UiError> {
    let cx = crate::context::member(&project).await?;
    Ok(store::members::set_role(&cx.store, &cx.actor, person, role, cx.now).await?)
}

/// Takes somebody out of the project.
#[server]
pub async fn remove_member(project: String, person: PersonId) -> Result<(), UiError> {
    let cx = crate::context::member(&project).await?;
    Ok(store::members::remove(&cx.store, &cx.actor, person, cx.now).await?)
}

/// The keys, and when they were read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Keys {
    /// Newest first, revoked ones last.
    pub keys: Vec<ApiKey>,
    /// When.
    pub now: DateTime<Utc>,
}

/// A key that was just made, for the one moment it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewKey {
    /// What it is for.
    pub name: String,
    /// The key itself.
    pub secret: String,
}

/// The keys of a project.
#[server]
pub async fn load_keys(project: String) -> Result<Keys, UiError> {
    let cx = crate::context::member(&project).await?;
    let keys = store::keys::list(&cx.store, &cx.actor).await?;
    Ok(Keys { keys, now: cx.now })
}

/// Makes a key. No environment ticked: it works in all of them.
#[server]
pub async fn create_key(
    project: String,
    name: String,
    #[server(default)] scopes: Vec<Scope>,
    #[server(default)] environments: Vec<String>,
) -> Result<NewKey, UiError> {
    let cx = crate::context::member(&project).await?;
    let secret = random(store::secret::Secret::new_key())?;
    let new = store::keys::NewKey {
        name,
        scopes,
        environments: Some(environments).filter(|names| !names.is_empty()),
    };
    let key = store::keys::create(&cx.store, &cx.actor, new, &secret, cx.now).await?;
    Ok(NewKey {
        name: key.name,
        secret: secret.reveal().to_owned(),
    })
}

/// Ends a key.
#[server]
pub async fn revoke_key(project: String, key: KeyId) -> Result<(), UiError> {
    let cx = crate::context::member(&project).await?;
    Ok(store::keys::revoke(&cx.store, &cx.actor, key, cx.now).await?)
}

/// The environments of a project, in the order of columns.
#[server]
pub async fn load_environments(project: String) -> Result<Vec<Environment>, UiError> {
    let cx = crate::context::member(&project).await?;
    Ok(store::environments::list(&cx.store, &cx.actor).await?)
}

/// Adds an environment after the others.
#[server]
pub async fn create_environment(
    project: String,
    name: String,
    #[server(default)] policy: Policy,
) -> Result<(), UiError> {
    let cx = crate::context::member(&project).await?;
    store::environments::create(&cx.store, &cx.actor, &name, policy, cx.now).await?;
    Ok(())
}

/// Says what an environment asks of a promotion, and who starts experiments there.
#[server]
pub async fn set_policy(
    project: String,
    name: String,
    #[server(default)] policy: Policy,
) -> Result<(), UiError> {
    let cx = crate::context::member(&project).await?;
    store::environments::set_policy(&cx.store, &cx.actor, &name, policy, cx.now).await?;
    Ok(())
}

/// The providers, and when they were read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Providers {
    /// By name.
    pub providers: Vec<Provider>,
    /// When.
    pub now: DateTime<Utc>,
}

/// The providers of a project.
#[server]
pub async fn load_providers(project: String) -> Result<Providers, UiError> {
    let cx = crate::context::member(&project).await?;
    let providers = store::providers::list(&cx.store, &cx.actor).await?;
    Ok(Providers {
        providers,
        now: cx.now,
    })
}

/// Adds a provider, or changes the one of that name. An empty key is none that was given.
#[server]
pub async fn save_provider(
    project: String,
    name: String,
    kind: String,
    base_url: String,
    #[server(default)] api_key: String,
    #[server(default)] max_concurrency: String,
    #[server(default)] requests_per_minute: String,
) -> Result<(), UiError> {
    use domain::{field::Fields, id::ProviderId, provider::NewProvider};
    use serde_json::json;

    let cx = crate::context::member(&project).await?;
    let submitted = json!({
        "name": name.trim(),
        "kind": kind,
        "base_url": base_url.trim(),
        "api_key": api_key.trim(),
        "max_concurrency": number(&max_concurrency),
        "requests_per_minute": number(&requests_per_minute),
    });
    let new = NewProvider::parse(Fields::new("", submitted)).map_err(UiError::Invalid)?;
    let models = cx.models.clone();
    let seal = move |id: ProviderId, key: &str| {
        let sealed = models.seal(id, key);
        sealed.map_err(|words| store::Error::invalid("api_key", words))
    };
    store::providers::save(&cx.store, &cx.actor, &new, &seal, cx.now).await?;
    // A plain form would come back to the provider it changed.
    leptos_axum::redirect(&format!("/p/{project}/settings/providers"));
    Ok(())
}

/// Every price the project sees, and when they were read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prices {
    /// By provider and model, the newest of each first.
    pub prices: Vec<KnownPrice>,
    /// When.
    pub now: DateTime<Utc>,
}

/// The price table.
#[server]
pub async fn load_prices(project: String) -> Result<Prices, UiError> {
    let cx = crate::context::member(&project).await?;
    let prices = store::prices::list(&cx.store, &cx.actor).await?;
    Ok(Prices {
        prices,
        now: cx.now,
    })
}

/// Adds a price of the project's own, from the beginning of a day or a moment on, in UTC.
#[server]
pub async fn add_price(
    project: String,
    provider: String,
    model: String,
    input: String,
    output: String,
    #[server(default)] write_5m: String,
    #[server(default)] write_1h: String,
    #[server(default)] read: String,
    #[server(default)] min_cacheable_tokens: String,
    valid_from: String,
) -> Result<(), UiError> {
    use domain::{cost::Price, field::Fields};
    use serde_json::json;

    let cx = crate::context::member(&project).await?;
    let from = match valid_from.trim() {
        day if day.len() == 10 => format!("{day}T00:00:00Z"),
        other => other.to_owned(),
    };
    let submitted = json!({
        "provider": provider.trim(),
        "model": model.trim(),
        "input": amount(&input),
        "output": amount(&output),
        "write_5m": amount(&write_5m),
        "write_1h": amount(&write_1h),
        "read": amount(&read),
        "min_cacheable_tokens": number(&min_cacheable_tokens),
        "valid_from": from,
    });
    let new = Price::read(Fields::new("", submitted)).map_err(UiError::Invalid)?;
    store::prices::add(&cx.store, &cx.actor, &new, cx.now).await?;
    leptos_axum::redirect(&format!("/p/{project}/settings/prices"));
    Ok(())
}

/// The same for a number of dollars.
#[cfg(feature = "ssr")]
fn amount(text: &str) -> serde_json::Value {
    match text.trim() {
        "" => serde_json::Value::Null,
        text => text.parse::<f64>().map_or_else(|_| text.into(), Into::into),
    }
}

/// A whole number as JSON; nothing if the field is empty, and the text, to be refused, if it
/// holds something else.
#[cfg(feature = "ssr")]
fn number(text: &str) -> serde_json::Value {
    match text.trim() {
        "" => serde_json::Value::Null,
        text => text.parse::<i64>().map_or_else(|_| text.into(), Into::into),
    }
}
