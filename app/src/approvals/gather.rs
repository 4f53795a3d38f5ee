//! Putting together what a review shows; on the server only.

use chrono::{DateTime, NaiveDateTime, Utc};
use domain::{field::FieldError, id::PromotionId, prompt::PromptName};
use store::promotions::At;

use super::calls::Review;
use crate::{
    context::{self, Cx},
    costs::{self, Asked},
    error::UiError,
};

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

/// When to execute, as a form gives it: empty for once, `quietest`, or a moment.
pub fn when(text: &str) -> Result<At, UiError> {
    if text == "quietest" {
        return Ok(At::Quietest);
    }
    Ok(moment(text)?.map_or(At::Once, At::Moment))
}

/// Everything a lead decides on.
pub async fn review(project: &str, id: &str, asked: Asked) -> Result<Review, UiError> {
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
    let (from, to) = (promotion.evidence.serves, promotion.promotion.version);
    let cost = costs::gather::change(&cx, name, environment, (from, to), asked).await?;
    let is_open = promotion.promotion.status.is_open();
    let (objection, quietest) = if is_open {
        let objection = store::promotions::objection(&cx.store, &cx.actor, id, cx.now).await?;
        let quietest = store::promotions::quietest(&cx.store, &cx.actor, id, cx.now).await;
        let quietest = match quietest {
            Ok(window) => Ok(window.to_string()),
            Err(store::Error::Conflict { message, .. }) => Err(message),
            Err(error) => return Err(error.into()),
        };
        (objection, quietest)
    } else {
        (None, Err(String::new()))
    };
    Ok(Review {
        objection,
        quietest,
        cost,
        comparison: old
            .as_ref()
            .map(|old| crate::prompts::compare(old, &new.content)),
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
