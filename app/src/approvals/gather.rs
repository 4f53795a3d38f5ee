//! Putting together what a review shows; on the server only.

use chrono::{DateTime, NaiveDateTime, Utc};
use domain::{
    cache::{self, cost},
    content::Content,
    diff,
    field::FieldError,
    id::PromotionId,
    prompt::PromptName,
};

use super::calls::{Cost, Review, Traffic};
use crate::{
    context::{self, Cx},
    error::UiError,
};

/// Characters of a token, as a rule of thumb: the tokenisers are the providers' own.
const CHARS_PER_TOKEN: usize = 4;
/// From sending a request to its first token, in milliseconds, as long as nothing was measured.
const TTFT_MS: f64 = 2_000.0;

/// Who asks, and about which promotion.
pub async fn promotion(project: &str, id: &str) -> Result<(Cx, PromotionId), UiError> {
    let cx = context::member(project).await?;
    let id = id
        .parse()
        .map_err(|_| UiError::NotFound("promotion".to_owned()))?;
    Ok((cx, id))
}

/// A moment as a form gives it; empty means now.
pub fn moment(text: &str) -> Result<Option<DateTime<Utc>>, UiError> {
    if text.is_empty() {
        return Ok(None);
    }
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M")
        .map(|at| Some(at.and_utc()))
        .map_err(|_| {
            let words = "must be a day and a time such as 2026-03-14T09:00";
            UiError::Invalid(vec![FieldError::new("at", words)])
        })
}

/// Everything a lead decides on.
pub async fn review(project: &str, id: &str, traffic: Traffic) -> Result<Review, UiError> {
    let (cx, id) = promotion(project, id).await?;
    let promotion = store::promotions::find(&cx.store, &cx.actor, id, cx.now)
        .await?
        .ok_or_else(|| UiError::NotFound("promotion".to_owned()))?;
    let name = &promotion.promotion.prompt;
    let new = version(&cx, name, promotion.promotion.version).await?;
    let old = match promotion.evidence.serves {
        Some(number) if number != promotion.promotion.version => {
            Some(version(&cx, name, number).await?.content)
        }
        _ => None,
    };
    let environment = &promotion.promotion.environment;
    let refusal =
        store::promotions::cannot_approve(&cx.store, &cx.actor, &promotion.promotion, cx.now)
            .await?;
    let connected = store::consumers::connected(&cx.store, &cx.actor, cx.now).await?;
    let n_clients = connected
        .iter()
        .filter(|consumer| &consumer.environment == environment)
        .count();
    Ok(Review {
        comparison: old
            .as_ref()
            .map(|old| crate::prompts::compare(old, &new.content)),
        cost: cost(&cx, old.as_ref(), &new.content, traffic).await?,
        change_description: new.version.change_description,
        cannot_approve: refusal.map(|refusal| refusal.to_string()),
        n_clients: i64::try_from(n_clients).unwrap_or(i64::MAX),
        promotion,
        now: cx.now,
    })
}

async fn version(
    cx: &Cx,
    name: &PromptName,
    number: i32,
) -> Result<domain::prompt::FullVersion, UiError> {
    store::versions::find(&cx.store, &cx.actor, name, number)
        .await?
        .ok_or_else(|| UiError::NotFound("version".to_owned()))
}

/// What the change costs, by the formula of the cache's cost and the price of the day.
async fn cost(
    cx: &Cx,
    old: Option<&Content>,
    new: &Content,
    traffic: Traffic,
) -> Result<Cost, UiError> {
    let Some(old) = old else {
        return Ok(Cost::Free(
            "Nothing served here before, so nothing is cached.".to_owned(),
        ));
    };
    let Some(model) = &new.model else {
        return Ok(Cost::Unknown("The version names no model.".to_owned()));
    };
    let rows =
        store::prices::of_model(&cx.store, cx.actor.project, &model.provider, &model.name).await?;
    let Some(price) = domain::cost::price_at(&rows, cx.now) else {
        return Ok(Cost::Unknown(format!(
            "No price of {} at {} is known here.",
            model.name, model.provider
        )));
    };
    let difference = diff::diff(old, new);
    let change = difference.first_changed_block.as_ref();
    let total: usize = cache::blocks(new).iter().map(|block| block.chars).sum();
    let chars = change.map_or(0, |change| {
        change
            .chars_to_last_breakpoint
            .unwrap_or(total.saturating_sub(change.unchanged_chars))
    });
    let prefix = u32::try_from(total.div_ceil(CHARS_PER_TOKEN)).unwrap_or(u32::MAX);
    if let Some(free) = cost::free(change, f64::from(prefix), price.min_cacheable_tokens) {
        return Ok(Cost::Free(free.to_string()));
    }
    let tokens = u32::try_from(chars.div_ceil(CHARS_PER_TOKEN)).unwrap_or(u32::MAX);
    let estimate = cost::invalidation_cost(
        cost::Traffic {
            requests_per_hour: traffic.requests_per_hour,
            tokens: f64::from(tokens),
            distinct_keys: traffic.distinct_keys,
            ttft_ms: TTFT_MS,
        },
        cost::Prices::from(price),
    );
    Ok(estimate.map_or_else(
        || Cost::Unknown("The traffic given makes no sense.".to_owned()),
        |estimate| Cost::Usd {
            upper_bound: estimate.upper_bound_usd,
            expected: estimate.expected_usd,
            tokens,
            traffic,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_as_utc() {
        let at = moment("2026-03-14T09:00").ok().flatten();
        assert_eq!(
            at.map(|at| at.to_rfc3339()).as_deref(),
            Some("2026-03-14T09:00:00+00:00")
        );
        assert!(moment("").is_ok_and(|at| at.is_none()));
        assert!(moment("tomorrow").is_err());
    }
}
