//! On the server: what a change costs, for the pages that say so.

use domain::{
    cache::{
        arms::{ArmCache, arms},
        estimate::{Estimate, Inputs},
    },
    experiment::Plan,
    id::DeploymentId,
    prompt::PromptName,
};
use store::cache_cost::{self, Given};

use super::{Asked, Measured};
use crate::{context::Cx, error::UiError};

fn given(asked: Asked) -> Given {
    Given {
        requests_per_hour: asked.requests,
        distinct_keys: asked.keys,
        ttft_ms: asked.ttft,
    }
}

/// If one version replaces another there.
pub async fn change(
    cx: &Cx,
    name: &PromptName,
    environment: &str,
    versions: (Option<i32>, i32),
    asked: Asked,
) -> Result<Estimate, UiError> {
    let (store, by) = (&cx.store, &cx.actor);
    let found = cache_cost::of_change(store, by, name, environment, versions, given(asked), cx.now);
    Ok(found.await?)
}

/// If it goes back to a version.
pub async fn rollback(
    cx: &Cx,
    name: &PromptName,
    environment: &str,
    to: i32,
) -> Result<Estimate, UiError> {
    Ok(cache_cost::of_rollback(&cx.store, &cx.actor, name, environment, to, cx.now).await?)
}

/// What a deployment's caches wrote; nothing where nothing was reckoned before it.
pub async fn measured(cx: &Cx, id: DeploymentId) -> Result<Option<Measured>, UiError> {
    let found = cache_cost::of_deployment(&cx.store, &cx.actor, id, cx.now).await?;
    Ok(found.map(|refill| Measured {
        is_running: refill.until >= cx.now,
        estimate: refill.estimate,
        requests: refill.requests,
        cache_write_tokens: refill.cache_write_tokens,
        until: refill.until,
    }))
}

/// How warm each arm of a plan stays.
pub async fn warmth(cx: &Cx, plan: &Plan) -> Result<(Vec<ArmCache>, Inputs), UiError> {
    let weights: Vec<(String, f64)> = plan
        .arms
        .iter()
        .map(|arm| (arm.name.clone(), arm.weight))
        .collect();
    shares(cx, &plan.prompt, &plan.environment, &weights, plan.traffic).await
}

/// The same from what is filled in so far.
pub async fn shares(
    cx: &Cx,
    prompt: &PromptName,
    environment: &str,
    weights: &[(String, f64)],
    traffic: f64,
) -> Result<(Vec<ArmCache>, Inputs), UiError> {
    let (store, by, asked) = (&cx.store, &cx.actor, Given::default());
    let inputs = cache_cost::inputs(store, by, prompt, environment, asked, cx.now).await?;
    Ok((arms(weights, traffic, inputs.traffic(0.0)), inputs))
}
