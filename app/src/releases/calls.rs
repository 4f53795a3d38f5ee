//! What the release pages ask of the server.

use chrono::{DateTime, Utc};
use domain::{
    cache::estimate::Estimate,
    diff::ContentDiff,
    prompt::Serving,
    release::{Deployment, Propagation},
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    costs::{Asked, Measured},
    error::UiError,
};

/// What the roll-back page shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RollBack {
    /// The environments this prompt serves, in order.
    pub places: Vec<String>,
    /// What serves the chosen one.
    pub serving: Serving,
    /// Where a rollback can go, the version served before first.
    pub targets: Vec<Target>,
    /// The chosen one of them.
    pub target: Option<i32>,
    /// What changes back, from what serves to the target.
    pub difference: Option<ContentDiff>,
    /// What going back costs in cache misses.
    pub cost: Option<Estimate>,
    /// Clients connected to the environment.
    pub n_clients: i64,
    /// Whether the one who looks may do it.
    pub may: bool,
    /// When this was read.
    pub now: DateTime<Utc>,
}

/// A version that served before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// The version.
    pub version: i32,
    /// When it last began to serve.
    pub deployed_at: DateTime<Utc>,
}

/// What serves, and where it can go back to. `environment` empty: production, or the first that serves.
#[server]
pub async fn roll_back_view(
    project: String,
    name: String,
    environment: String,
    to: Option<i32>,
    #[server(default)] asked: Asked,
) -> Result<RollBack, UiError> {
    let cx = crate::context::member(&project).await?;
    let name = parse(&name)?;
    let prompt = store::prompts::find(&cx.store, &cx.actor, &name)
        .await?
        .ok_or_else(|| UiError::NotFound("prompt".to_owned()))?;
    let wanted = if environment.is_empty() {
        domain::prompt::PRODUCTION
    } else {
        &environment
    };
    let serving = prompt
        .serving
        .iter()
        .find(|serving| serving.environment == wanted)
        .or_else(|| prompt.serving.first().filter(|_| environment.is_empty()))
        .cloned()
        .ok_or_else(|| {
            UiError::Refused(format!(
                "nothing serves {wanted} yet, so there is nothing to roll back"
            ))
        })?;

    let mut targets: Vec<Target> =
        store::releases::formers(&cx.store, &cx.actor, &name, &serving.environment)
            .await?
            .into_iter()
            .filter(|former| former.version != serving.version)
            .map(|former| Target {
                version: former.version,
                deployed_at: former.deployed_at,
            })
            .collect();
    targets.sort_by_key(|target| Some(target.version) != serving.previous);
    let target = to
        .filter(|to| targets.iter().any(|target| target.version == *to))
        .or(serving.previous);
    let difference = match target {
        None => None,
        Some(target) => difference(&cx, &name, serving.version, target).await?,
    };
    let cost = match target {
        None => None,
        Some(to) => {
            let place = &serving.environment;
            Some(crate::costs::gather::rollback(&cx, &name, place, to, asked).await?)
        }
    };
    let covered =
        store::consumers::coverage(&cx.store, &cx.actor, serving.deployment_id, cx.now).await?;
    let may = cx
        .actor
        .may_in(domain::actor::Permission::RollBack, &serving.environment)
        .is_ok();
    Ok(RollBack {
        places: prompt
            .serving
            .iter()
            .map(|serving| serving.environment.clone())
            .collect(),
        serving,
        targets,
        target,
        difference,
        cost,
        n_clients: covered.n_connected,
        may,
        now: cx.now,
    })
}

#[cfg(feature = "ssr")]
fn parse(name: &str) -> Result<domain::prompt::PromptName, UiError> {
    domain::prompt::PromptName::parse(name).map_err(|_| UiError::NotFound("prompt".to_owned()))
}

#[cfg(feature = "ssr")]
async fn difference(
    cx: &crate::context::Cx,
    name: &domain::prompt::PromptName,
    from: i32,
    to: i32,
) -> Result<Option<ContentDiff>, UiError> {
    let old = store::versions::find(&cx.store, &cx.actor, name, from).await?;
    let new = store::versions::find(&cx.store, &cx.actor, name, to).await?;
    Ok(old
        .zip(new)
        .map(|(old, new)| domain::diff::diff(&old.content, &new.content)))
}

/// Rolls back, then leads to the page that watches it arrive.
#[server]
pub async fn roll_back_to(
    project: String,
    name: String,
    environment: String,
    to_version: i32,
    expected: String,
    reason: String,
) -> Result<(), UiError> {
    let cx = crate::context::member(&project).await?;
    let name = parse(&name)?;
    let expected = expected.parse().map_err(|_| {
        UiError::Refused("the form does not say what it saw; open it again".to_owned())
    })?;
    let release = store::releases::Release {
        prompt: &name,
        environment: &environment,
        reason: reason.trim(),
        seen: store::releases::Seen::Deployment(Some(expected)),
    };
    let deployment =
        store::releases::roll_back(&cx.store, &cx.actor, &release, Some(to_version), cx.now)
            .await?;
    leptos_axum::redirect(&super::deployment_address(
        &cx.project.slug,
        &deployment.deployment_id.to_string(),
    ));
    Ok(())
}

/// A deployment on its way to the clients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arrival {
    /// The deployment and its clients.
    pub propagation: Propagation,
    /// What its caches wrote beside what was expected, where that was reckoned.
    pub refill: Option<Measured>,
    /// Whether it still serves.
    pub is_current: bool,
    /// Whether the one who looks may roll back.
    pub may_roll_back: bool,
    /// When this was read.
    pub now: DateTime<Utc>,
}

/// How far a deployment has come.
#[server]
pub async fn read_arrival(project: String, id: String) -> Result<Arrival, UiError> {
    let cx = crate::context::member(&project).await?;
    let id = id
        .parse()
        .map_err(|_| UiError::NotFound("deployment".to_owned()))?;
    let propagation = store::consumers::propagation(&cx.store, &cx.actor, id, cx.now).await?;
    let deployment = &propagation.deployment;
    let prompt = store::prompts::find(&cx.store, &cx.actor, &deployment.prompt).await?;
    let is_current = prompt.is_some_and(|prompt| {
        prompt
            .serving
            .iter()
            .any(|serving| serving.deployment_id == deployment.deployment_id)
    });
    let may_roll_back = cx
        .actor
        .may_in(domain::actor::Permission::RollBack, &deployment.environment)
        .is_ok();
    let refill = crate::costs::gather::measured(&cx, id).await?;
    Ok(Arrival {
        refill,
        propagation,
        is_current,
        may_roll_back,
        now: cx.now,
    })
}

/// What the releases tab shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Releases {
    /// Every environment of the project and what serves it.
    pub places: Vec<Place>,
    /// A page of history, newest first.
    pub history: Vec<Deployment>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
    /// Whether the one who looks may roll back.
    pub may_roll_back: bool,
    /// When this was read.
    pub now: DateTime<Utc>,
}

/// An environment as a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The environment.
    pub environment: String,
    /// Whether a promotion into it asks for something.
    pub protected: bool,
    /// What serves.
    pub serving: Option<Serving>,
    /// Clients connected now.
    pub n_connected: i64,
    /// Those that hold what serves.
    pub n_current: i64,
}

/// Environments as columns, and history beneath.
#[server]
pub async fn read_releases(
    project: String,
    name: String,
    environment: Option<String>,
    cursor: Option<String>,
) -> Result<Releases, UiError> {
    let cx = crate::context::member(&project).await?;
    let name = parse(&name)?;
    let prompt = store::prompts::find(&cx.store, &cx.actor, &name)
        .await?
        .ok_or_else(|| UiError::NotFound("prompt".to_owned()))?;
    let mut places = Vec::new();
    for known in store::environments::list(&cx.store, &cx.actor).await? {
        let serving = prompt
            .serving
            .iter()
            .find(|serving| serving.environment == known.name)
            .cloned();
        let (n_connected, n_current) = match &serving {
            None => (0, 0),
            Some(serving) => {
                let covered =
                    store::consumers::coverage(&cx.store, &cx.actor, serving.deployment_id, cx.now)
                        .await?;
                (covered.n_connected, covered.n_current)
            }
        };
        places.push(Place {
            environment: known.name,
            protected: known.protected,
            serving,
            n_connected,
            n_current,
        });
    }
    let page = domain::page::PageRequest::parse(Some("25"), cursor.as_deref())
        .map_err(|error| UiError::Refused(error.to_string()))?;
    let environment = environment.filter(|environment| !environment.is_empty());
    let history = store::releases::list(
        &cx.store,
        &cx.actor,
        Some(&name),
        environment.as_deref(),
        &page,
    )
    .await?;
    let may_roll_back = cx.actor.may(domain::actor::Permission::RollBack).is_ok();
    Ok(Releases {
        places,
        history: history.items,
        next_cursor: history.next_cursor,
        may_roll_back,
        now: cx.now,
    })
}
