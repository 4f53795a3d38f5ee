//! What the pages of experiments ask of the server.

use leptos::{prelude::*, server_fn::codec::PostUrl};

use super::{
    links::ListQuery,
    plan::PlanValues,
    shapes::{ExperimentView, ExperimentsView, PlanView, TabView},
};
use crate::{costs::Asked, error::UiError};

#[cfg(feature = "ssr")]
use super::{gather, links};
#[cfg(feature = "ssr")]
use crate::context;

/// A page of experiments, each with its verdict.
#[server(input = PostUrl)]
pub async fn load_experiments(
    project: String,
    query: ListQuery,
) -> Result<ExperimentsView, UiError> {
    let cx = context::member(&project).await?;
    gather::list(&cx, &query).await
}

/// A prompt's experiments.
#[server(input = PostUrl)]
pub async fn load_experiments_of(project: String, name: String) -> Result<TabView, UiError> {
    let cx = context::member(&project).await?;
    gather::tab(&cx, &name).await
}

/// One experiment with everything that can be said about it.
#[server(input = PostUrl)]
pub async fn load_experiment(
    project: String,
    id: String,
    #[server(default)] asked: Asked,
) -> Result<ExperimentView, UiError> {
    let cx = context::member(&project).await?;
    gather::experiment(&cx, &id, asked).await
}

/// What a plan is made with.
#[server(input = PostUrl)]
pub async fn load_plan(
    project: String,
    values: PlanValues,
    #[server(default)] asked: Asked,
) -> Result<PlanView, UiError> {
    let cx = context::member(&project).await?;
    gather::plan(&cx, values, asked).await
}

/// Keeps a plan, as a new draft or as the draft it was changed from, and leads to it.
#[server]
pub async fn save_draft(project: String, plan: PlanValues) -> Result<(), UiError> {
    use store::experiments::{change, create};

    let cx = context::member(&project).await?;
    let draft = plan.draft.clone();
    let plan = domain::experiment::Plan::parse(plan.to_json()).map_err(UiError::Invalid)?;
    let saved = if draft.is_empty() {
        create(&cx.store, &cx.actor, &plan, cx.now).await?
    } else {
        let id = gather::id(&draft)?;
        change(&cx.store, &cx.actor, id, &plan, cx.now).await?
    };
    leptos_axum::redirect(&links::experiment(&cx.project.slug, &saved.id.to_string()));
    Ok(())
}

/// Starts a draft.
#[server]
pub async fn start_experiment(project: String, experiment: String) -> Result<(), UiError> {
    let cx = context::member(&project).await?;
    let id = gather::id(&experiment)?;
    store::experiments::start(&cx.store, &cx.actor, id, cx.now).await?;
    Ok(())
}

/// Lets more units in. Traffic comes in percent, as typed.
#[server]
pub async fn raise_traffic(
    project: String,
    experiment: String,
    traffic: String,
) -> Result<(), UiError> {
    let cx = context::member(&project).await?;
    let id = gather::id(&experiment)?;
    let percent: f64 = traffic
        .trim()
        .trim_end_matches('%')
        .trim()
        .parse()
        .ok()
        .filter(|percent| (0.0..=100.0).contains(percent))
        .ok_or_else(|| gather::refused("traffic", "must be a number up to 100"))?;
    store::experiments::raise_traffic(&cx.store, &cx.actor, id, percent / 100.0, cx.now).await?;
    Ok(())
}

/// Ends an experiment: everybody gets the control again.
#[server]
pub async fn stop_experiment(
    project: String,
    experiment: String,
    #[server(default)] reason: String,
) -> Result<(), UiError> {
    let cx = context::member(&project).await?;
    let id = gather::id(&experiment)?;
    store::experiments::stop(&cx.store, &cx.actor, id, reason.trim(), cx.now).await?;
    Ok(())
}

/// Writes down what was learnt.
#[server]
pub async fn conclude_experiment(
    project: String,
    experiment: String,
    conclusion: String,
) -> Result<(), UiError> {
    let cx = context::member(&project).await?;
    let id = gather::id(&experiment)?;
    store::experiments::conclude(&cx.store, &cx.actor, id, &conclusion, cx.now).await?;
    Ok(())
}

/// Asks for the winner's version to be deployed where it was tried, with the result as it stands
/// now in the request; deploys it where nothing is asked for.
#[server]
pub async fn ship_arm(
    project: String,
    experiment: String,
    arm: String,
    seen: String,
    #[server(default)] reason: String,
    #[server(default)] accept_cache_cost: Option<String>,
) -> Result<(), UiError> {
    use store::{
        promotions::{At, Terms},
        releases::{Release, Seen},
    };

    let cx = context::member(&project).await?;
    let id = gather::id(&experiment)?;
    let (plan, version, evidence) = gather::evidence(&cx, id, &arm, reason.trim()).await?;
    let seen = match seen.as_str() {
        "" => None,
        id => Some(id.parse().map_err(|_| gather::missing("deployment"))?),
    };
    let release = Release {
        prompt: &plan.prompt,
        environment: &plan.environment,
        reason: &evidence,
        seen: Seen::Deployment(seen),
    };
    let terms = Terms {
        accept_cache_cost: accept_cache_cost.is_some(),
        at: At::Once,
        experiment: Some(id),
    };
    let (store, by) = (&cx.store, &cx.actor);
    let promotion =
        store::promotions::request_on(store, by, &release, version, terms, cx.now).await?;
    let address = match promotion.deployment_id {
        Some(id) => crate::prompts::links::deployment(&project, &id.to_string()),
        None => crate::approvals::address(&project, &promotion.id.to_string()),
    };
    leptos_axum::redirect(&address);
    Ok(())
}
