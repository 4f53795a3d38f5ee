//! What the pages ask: context, the store, done. The shapes they get are in `shapes`.

use leptos::{
    prelude::*,
    server_fn::codec::{Json, PostUrl},
};

use super::{
    links::ListQuery,
    shapes::{CompareView, EditView, HeadView, ListView, SaveOutcome, SettingsView, VersionsView},
};
use crate::{costs::Asked, error::UiError};

#[cfg(feature = "ssr")]
use super::gather;
#[cfg(feature = "ssr")]
use crate::context;

/// A page of the list, and what stands beside it.
#[server(input = PostUrl)]
pub async fn load_prompts(project: String, query: ListQuery) -> Result<ListView, UiError> {
    let cx = context::member(&project).await?;
    gather::list(&cx, &query).await
}

/// The prompt's header.
#[server]
pub async fn load_head(project: String, name: String) -> Result<HeadView, UiError> {
    let cx = context::member(&project).await?;
    gather::head(&cx, &name).await
}

/// The versions, one of them whole: the one asked for, else the active, else the newest.
#[server]
pub async fn load_versions(
    project: String,
    name: String,
    number: Option<i32>,
    cursor: String,
) -> Result<VersionsView, UiError> {
    let cx = context::member(&project).await?;
    gather::versions(&cx, &name, number, &cursor).await
}

/// Two versions compared: what serves with the newest, unless asked otherwise.
#[server]
pub async fn load_comparison(
    project: String,
    name: String,
    from: Option<i32>,
    to: Option<i32>,
    #[server(default)] asked: Asked,
) -> Result<CompareView, UiError> {
    let cx = context::member(&project).await?;
    gather::comparison(&cx, &name, from, to, asked).await
}

/// What a new version starts from: the one asked for, else the newest.
#[server]
pub async fn load_edit(
    project: String,
    name: String,
    from: Option<i32>,
) -> Result<EditView, UiError> {
    let cx = context::member(&project).await?;
    gather::edit(&cx, &name, from).await
}

/// Description, tags, where it is used.
#[server]
pub async fn load_settings(project: String, name: String) -> Result<SettingsView, UiError> {
    let cx = context::member(&project).await?;
    gather::settings(&cx, &name).await
}

/// Makes a prompt and leads to its editor.
#[server]
pub async fn create_prompt(
    project: String,
    name: String,
    description: String,
    tags: String,
    kind: String,
) -> Result<(), UiError> {
    use domain::{field::FieldError, prompt::PromptName};

    let cx = context::member(&project).await?;
    let name = PromptName::parse(name.trim())
        .map_err(|error| UiError::Invalid(vec![FieldError::new("name", error.to_string())]))?;
    store::prompts::create(
        &cx.store,
        &cx.actor,
        &name,
        description.trim(),
        &gather::tags(&tags),
        cx.now,
    )
    .await
    .map_err(|error| match error {
        // Said beside the field it is about.
        store::Error::Conflict { message, .. } => {
            UiError::Invalid(vec![FieldError::new("name", message)])
        }
        other => other.into(),
    })?;
    leptos_axum::redirect(&super::links::first_version(&project, name.as_str(), &kind));
    Ok(())
}

/// Changes description and tags.
#[server]
pub async fn describe_prompt(
    project: String,
    name: String,
    description: String,
    tags: String,
) -> Result<(), UiError> {
    let cx = context::member(&project).await?;
    store::prompts::describe(
        &cx.store,
        &cx.actor,
        &gather::known(&name)?,
        description.trim(),
        &gather::tags(&tags),
        cx.now,
    )
    .await?;
    Ok(())
}

/// Sets the cache budget, and what is assumed of the traffic. An empty field sets nothing.
#[server]
pub async fn set_cache_settings(
    project: String,
    name: String,
    #[server(default)] budget_usd_per_day: String,
    #[server(default)] requests_per_hour: String,
    #[server(default)] distinct_keys: String,
) -> Result<(), UiError> {
    use domain::cache::budget::CacheSettings;

    let cx = context::member(&project).await?;
    let name = gather::known(&name)?;
    let wanted = CacheSettings {
        budget_usd_per_day: gather::number("budget_usd_per_day", &budget_usd_per_day)?,
        requests_per_hour: gather::number("requests_per_hour", &requests_per_hour)?,
        distinct_keys: gather::number("distinct_keys", &distinct_keys)?,
    };
    store::cache_cost::set(&cx.store, &cx.actor, &name, wanted, cx.now).await?;
    Ok(())
}

/// Moves a version along its life by hand: to testing, or giving it up.
#[server]
pub async fn set_status(
    project: String,
    name: String,
    number: i32,
    to: domain::lifecycle::Status,
) -> Result<(), UiError> {
    let cx = context::member(&project).await?;
    let name = gather::known(&name)?;
    store::versions::set_status(&cx.store, &cx.actor, &name, number, to, "", cx.now).await?;
    Ok(())
}

/// Asks that a version serve an environment, and leads to where one sees it arrive or approved. `place` is the
/// environment, `@`, and the deployment that served there when one decided, if any did.
#[server]
pub async fn promote(
    project: String,
    name: String,
    number: i32,
    place: String,
    reason: String,
    #[server(default)] accept_cache_cost: Option<String>,
    #[server(default)] at: String,
) -> Result<(), UiError> {
    use store::{
        promotions::Terms,
        releases::{Release, Seen},
    };

    let cx = context::member(&project).await?;
    let name = gather::known(&name)?;
    let unreadable = || UiError::Refused("the form cannot be read: no such place".to_owned());
    let (environment, seen) = place.split_once('@').ok_or_else(unreadable)?;
    let seen = match seen {
        "" => None,
        id => Some(id.parse().map_err(|_| unreadable())?),
    };
    let release = Release {
        prompt: &name,
        environment,
        reason: reason.trim(),
        seen: Seen::Deployment(seen),
    };
    let terms = Terms {
        accept_cache_cost: accept_cache_cost.is_some(),
        at: crate::approvals::when(&at)?,
        ..Terms::default()
    };
    let (store, by) = (&cx.store, &cx.actor);
    let promotion =
        store::promotions::request_on(store, by, &release, number, terms, cx.now).await?;
    let address = match promotion.deployment_id {
        Some(id) => super::links::deployment(&project, &id.to_string()),
        None => crate::approvals::address(&project, &promotion.id.to_string()),
    };
    leptos_axum::redirect(&address);
    Ok(())
}

/// Saves a version: `content` is its JSON, as the REST API takes it; `parent` the version it was
/// made from, 0 for the first. As JSON, because a form would make a megabyte three of it.
#[server(input = Json)]
pub async fn save_version(
    project: String,
    name: String,
    content: String,
    change_description: String,
    parent: i32,
) -> Result<SaveOutcome, UiError> {
    let cx = context::member(&project).await?;
    gather::save(&cx, &name, &content, change_description.trim(), parent).await
}
