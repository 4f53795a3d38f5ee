//! On the server: what a change costs, for the pages that say so.

use domain::{
    cache::{arms, estimate::Estimate},
    experiment::Plan,
    id::DeploymentId,
    prompt::PromptName,
};
use store::cache_cost::{self, Given};

use super::{Asked, Measured, Warmth, warmth::ArmRow};
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
    asked: Asked,
) -> Result<Estimate, UiError> {
    let (store, by) = (&cx.store, &cx.actor);
    let found = cache_cost::of_rollback(store, by, name, environment, to, given(asked), cx.now);
    Ok(found.await?)
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

/// An arm as far as it is filled in.
pub struct Weighted {
    pub name: String,
    pub version: Option<i32>,
    pub weight: f64,
}

/// How warm each arm of a plan stays, and what its start costs.
pub async fn warmth(cx: &Cx, plan: &Plan, asked: Asked) -> Result<Warmth, UiError> {
    let weighted = plan.arms.iter().map(|arm| Weighted {
        name: arm.name.clone(),
        version: Some(arm.version),
        weight: arm.weight,
    });
    let (prompt, environment) = (&plan.prompt, plan.environment.as_str());
    split(
        cx,
        prompt,
        environment,
        weighted.collect(),
        plan.traffic,
        asked,
    )
    .await
}

/// The same from what is filled in so far.
pub async fn split(
    cx: &Cx,
    prompt: &PromptName,
    environment: &str,
    weighted: Vec<Weighted>,
    traffic: f64,
    asked: Asked,
) -> Result<Warmth, UiError> {
    let weights: Vec<f64> = weighted.iter().map(|arm| arm.weight).collect();
    let shares = arms::shares(&weights, traffic).unwrap_or_default();
    let wanted: Vec<(Option<i32>, f64)> =
        weighted.iter().map(|arm| arm.version).zip(shares).collect();
    let (store, by, given) = (&cx.store, &cx.actor, given(asked));
    let (inputs, found) =
        cache_cost::of_arms(store, by, prompt, environment, &wanted, given, cx.now).await?;
    let never_cached = found
        .iter()
        .map(|arm| arm.never_cached.clone())
        .collect::<Option<Vec<String>>>()
        .and_then(|all| all.into_iter().next());
    let arms =
        weighted
            .into_iter()
            .zip(wanted)
            .zip(found)
            .filter_map(|((arm, (_, share)), found)| {
                let traffic = inputs.traffic(0.0, found.ttl);
                Some(ArmRow {
                    cache: arms::arm(&arm.name, share, traffic)?,
                    is_cached: found.never_cached.is_none(),
                    estimate: found.estimate,
                })
            });
    Ok(Warmth {
        arms: arms.collect(),
        inputs,
        never_cached,
    })
}
