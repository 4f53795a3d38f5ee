//! The calculators: pure, for any valid credential. What they read and answer is in
//! `domain::calculator`; what is here describes it.

use axum::{Json, extract::State};
use domain::{cache::Ttl, calculator::Calculator, cost::price_at, id::ProjectId};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    auth::Caller,
    body::JsonBody,
    error::{ApiError, Result},
    params::{FromPath, Segment},
};
use crate::state::AppState;

impl Segment for Calculator {
    const NAME: &'static str = "calculator";

    fn parse(text: &str) -> Result<Self> {
        Self::from_word(text).ok_or_else(|| store::Error::NotFound("calculator").into())
    }
}

/// Numbers of one of the calculators:
/// `ztest` `{control: {successes, n}, treatment: {successes, n}, alpha?}` ·
/// `sample-size` `{baseline, effect, alpha?, power?, weights?}` ·
/// `detectable-effect` `{baseline, n, alpha?, power?}` ·
/// `srm` `{observed, weights?}` · `mcnemar` `{lost, gained, both_pass?, both_fail?, alpha?}` ·
/// `threshold-risk` `{n, baseline, threshold}` · `holm` `{p_values}` ·
/// `welch` `{control: {mean, sd, n}, treatment: {mean, sd, n}, alpha?}` ·
/// `cache-cost` `{requests_per_hour, tokens, distinct_keys, ttft_ms, ttl?}`, `ttl` being `5m`, as when
/// left out, or `1h`, and either `prices: {write, read}` in US dollars per million tokens for that time
/// or `provider` and `model`. A model without a price for an hour answers null.
#[derive(ToSchema)]
#[schema(value_type = Object)]
#[expect(dead_code, reason = "describes a body that `domain` reads")]
pub struct CalculatorInput(Value);

/// What the calculator found: proportions from 0 to 1, intervals as `[lower, upper]`, money in US
/// dollars. A value that cannot be computed is null, with a `reason`.
#[derive(serde::Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub struct CalculatorAnswer(Value);

/// Computes; nothing is kept.
#[utoipa::path(post, path = "/stats/{calculator}", tag = "experiments", request_body = CalculatorInput,
    params(("calculator" = String, Path, description = "`ztest`, `sample-size`, `detectable-effect`, `srm`, `mcnemar`, \
        `threshold-risk`, `holm`, `welch` or `cache-cost`")),
    responses(
        (status = 200, description = "what was found", body = CalculatorAnswer),
        (status = 422, description = "every offending field"),
    ))]
pub async fn compute(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(calculator): FromPath<Calculator>,
    JsonBody(mut input): JsonBody,
) -> Result<Json<CalculatorAnswer>> {
    if calculator == Calculator::CacheCost {
        look_prices_up(&state, actor.project, &mut input).await?;
    }
    calculator
        .compute(input)
        .map(|answer| Json(CalculatorAnswer(answer)))
        .map_err(|errors| ApiError::invalid(&errors))
}

/// Puts a model's prices in place of its name.
async fn look_prices_up(state: &AppState, project: ProjectId, input: &mut Value) -> Result<()> {
    let Some(members) = input.as_object_mut() else {
        return Ok(());
    };
    if members.contains_key("prices") {
        return Ok(());
    }
    let mut text = |name: &str| match members.shift_remove(name) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(ApiError::invalid_field(name, "must be a string")),
        None => Err(ApiError::invalid_field(
            name,
            "is required, unless `prices` are given",
        )),
    };
    let (provider, model) = (text("provider")?, text("model")?);
    let rows = store::prices::of_model(&state.store, project, &provider, &model).await?;
    let price = price_at(&rows, state.clock.now()).ok_or_else(|| {
        ApiError::invalid_field("model", "no price is known for this model: give `prices`")
    })?;
    // What is no time to live is refused where the rest is read.
    let word = members.get("ttl").and_then(Value::as_str);
    let ttl = word.and_then(Ttl::from_word).unwrap_or_default();
    let prices = json!({
        "write": ttl.write_price(price),
        "read": price.read.unwrap_or(price.input),
    });
    members.insert("prices".to_owned(), prices);
    Ok(())
}
