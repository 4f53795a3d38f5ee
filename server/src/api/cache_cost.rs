//! What a change costs through the providers' caches, and a prompt's budget for it.

use axum::{Json, extract::State};
use domain::{
    cache::{budget::CacheSettings, estimate::Estimate},
    field::{FieldError, Fields},
    prompt::{PRODUCTION, PromptName},
};
use serde::Deserialize;
use store::cache_cost::{self, Given};
use utoipa::IntoParams;

use super::{
    auth::Caller,
    body::{Body, Submitted},
    error::Result,
    params::{Checks, FromPath, Query, present},
    prompts,
};
use crate::state::AppState;

/// Which change, and of what traffic.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Where; `production` when left out.
    environment: Option<String>,
    /// The version it replaces; what serves there when left out.
    from: Option<String>,
    /// The version that is to serve; the newest when left out.
    to: Option<String>,
    /// Requests an hour; observed, set at the prompt or assumed when left out.
    requests_per_hour: Option<String>,
    /// Distinct keys behind the changed prefix; set at the prompt or 1 when left out.
    distinct_keys: Option<String>,
    /// From sending a request to its first token, in milliseconds; observed or assumed when left out.
    ttft_ms: Option<String>,
}

/// What it costs in cache misses if one version replaces another. What ends in a breakpoint with
/// `"ttl": "1h"` is reckoned with the requests of an hour at the price of writing for an hour, the
/// rest with those of five minutes; `written` says how many tokens are which.
#[utoipa::path(get, path = "/prompts/{name}/cache-cost", tag = "costs",
    params(("name" = String, Path, description = "the prompt; `/` as %2F"), Wanted),
    responses((status = 200, description = "at worst and as expected, with where each input comes from", body = Estimate)))]
pub async fn estimate(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(name): FromPath<PromptName>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Estimate>> {
    let mut checks = Checks::default();
    let mut number = |name: &str, text: Option<&str>, least: f64| {
        let found = present(text)?.parse::<f64>();
        let found = found.ok().filter(|number| (least..=1e9).contains(number));
        if found.is_none() {
            checks.refuse(name, format!("must be a number from {least} to a billion"));
        }
        found
    };
    let given = Given {
        requests_per_hour: number(
            "requests_per_hour",
            wanted.requests_per_hour.as_deref(),
            0.0,
        ),
        distinct_keys: number("distinct_keys", wanted.distinct_keys.as_deref(), 1.0),
        ttft_ms: number("ttft_ms", wanted.ttft_ms.as_deref(), 0.0),
    };
    let from: Option<i32> = checks.word("from", wanted.from.as_deref());
    let to: Option<i32> = checks.word("to", wanted.to.as_deref());
    checks.finish()?;
    let to = if let Some(to) = to {
        to
    } else {
        let prompt = prompts::find(&state, &actor, &name).await?;
        prompt
            .latest_version
            .ok_or(store::Error::NotFound("version"))?
    };
    let environment = present(wanted.environment.as_deref()).unwrap_or(PRODUCTION);
    let now = state.clock.now();
    let versions = (from, to);
    let found = cache_cost::of_change(
        &state.store,
        &actor,
        &name,
        environment,
        versions,
        given,
        now,
    )
    .await?;
    Ok(Json(found))
}

/// A prompt's cache budget, and what is assumed of its traffic.
#[utoipa::path(get, path = "/prompts/{name}/cache-budget", tag = "costs",
    params(("name" = String, Path, description = "the prompt; `/` as %2F")),
    responses((status = 200, description = "as it is set", body = CacheSettings)))]
pub async fn budget(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(name): FromPath<PromptName>,
) -> Result<Json<CacheSettings>> {
    let settings = cache_cost::settings(&state.store, &actor, &name).await?;
    Ok(Json(settings))
}

impl Submitted for CacheSettings {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let wanted = Self {
            budget_usd_per_day: fields.number("budget_usd_per_day"),
            requests_per_hour: fields.number("requests_per_hour"),
            distinct_keys: fields.number("distinct_keys"),
        };
        fields.finish(|| wanted)
    }
}

/// Sets all of it: a member that is left out is no longer set.
#[utoipa::path(put, path = "/prompts/{name}/cache-budget", tag = "costs", request_body = CacheSettings,
    params(("name" = String, Path, description = "the prompt; `/` as %2F")),
    responses((status = 200, description = "as it is set", body = CacheSettings)))]
pub async fn set_budget(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(name): FromPath<PromptName>,
    Body(wanted): Body<CacheSettings>,
) -> Result<Json<CacheSettings>> {
    let now = state.clock.now();
    let settings = cache_cost::set(&state.store, &actor, &name, wanted, now).await?;
    Ok(Json(settings))
}
