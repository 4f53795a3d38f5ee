//! Alerts and the rules that raise them. Everybody reads both; admins change the rules.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::IntoResponse,
};
use domain::{
    alert::{Alert, AlertEvent, Kind, NewRule, Rule},
    field::{FieldError, Fields},
    id::{AlertId, AlertRuleId},
    page::Listing,
};
use serde::{Deserialize, Serialize};
use store::alerts;
use utoipa::{IntoParams, ToSchema};

use super::{
    auth::Caller,
    body::{Body, MaybeBody, Submitted},
    error::{ApiError, Result},
    params::{FromPath, Part, Query, present},
    suites::read_prompt,
    versions::Paging,
};
use crate::state::AppState;

/// Which alerts.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Only those that are `firing` or `resolved`.
    state: Option<String>,
    /// Only of this kind.
    kind: Option<String>,
    /// Only this prompt's.
    prompt: Option<String>,
    /// Rows on a page, 1 to 200; 50 when left out.
    limit: Option<String>,
    /// Where the page starts: an earlier page's `next_cursor`.
    cursor: Option<String>,
}

/// The project's alerts, the one raised last first.
#[utoipa::path(get, path = "/alerts", tag = "alerts", params(Wanted),
    responses((status = 200, description = "a page", body = Listing<Alert>)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Listing<Alert>>> {
    let page = Paging::of(wanted.limit, wanted.cursor).read()?;
    let prompt = read_prompt(wanted.prompt.as_deref())?;
    let is_firing = match present(wanted.state.as_deref()) {
        None => None,
        Some("firing") => Some(true),
        Some("resolved") => Some(false),
        Some(_) => {
            let words = "must be `firing` or `resolved`";
            return Err(ApiError::invalid_field("state", words));
        }
    };
    let kind = present(wanted.kind.as_deref())
        .map(|word| {
            Kind::from_word(word).ok_or_else(|| {
                let words = format!("must be one of {}", Kind::ALL.map(Kind::word).join(", "));
                ApiError::invalid_field("kind", &words)
            })
        })
        .transpose()?;
    let filter = alerts::Filter {
        is_firing,
        kind,
        prompt: prompt.as_ref(),
    };
    Ok(Json(
        alerts::list(&state.store, &actor, &filter, &page).await?,
    ))
}

/// An alert with all that happened to it.
#[derive(Serialize, ToSchema)]
pub struct FullAlert {
    #[serde(flatten)]
    alert: Alert,
    /// Oldest first.
    history: Vec<AlertEvent>,
}

/// One alert with its history.
#[utoipa::path(get, path = "/alerts/{id}", tag = "alerts",
    params(("id" = String, Path, description = "the alert")),
    responses((status = 200, description = "the alert", body = FullAlert)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<AlertId>,
) -> Result<Json<FullAlert>> {
    let alert = alerts::find(&state.store, &actor, id)
        .await?
        .ok_or(store::Error::NotFound("alert"))?;
    let history = alerts::history(&state.store, &actor, id).await?;
    Ok(Json(FullAlert { alert, history }))
}

/// What to say of an alert.
#[derive(ToSchema)]
pub struct Note {
    /// For those who read it later.
    #[schema(required = false)]
    note: String,
}

impl Submitted for Note {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let note = fields.text("note").unwrap_or_default();
        fields.finish(|| Self { note })
    }
}

/// Takes care of an alert: it is not repeated any more. Whoever may roll back may.
#[utoipa::path(post, path = "/alerts/{id}/acknowledge", tag = "alerts", request_body = Note,
    params(("id" = String, Path, description = "the alert")),
    responses(
        (status = 200, description = "as it is now", body = Alert),
        (status = 409, description = "`alert_over`, `alert_acknowledged`"),
    ))]
pub async fn acknowledge(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<AlertId>,
    MaybeBody(note): MaybeBody<Note>,
) -> Result<Json<Alert>> {
    let now = state.clock.now();
    Ok(Json(
        alerts::acknowledge(&state.store, &actor, id, &note.note, now).await?,
    ))
}

impl Submitted for NewRule {
    fn parse(fields: Fields) -> Result<Self, Vec<FieldError>> {
        Self::parse(fields)
    }
}

/// The project's rules by name.
#[utoipa::path(get, path = "/alert-rules", tag = "alerts", params(Part),
    responses((status = 200, description = "all of them", body = Listing<Rule>)))]
pub async fn rules(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Query(part): Query<Part>,
) -> Result<Json<Listing<Rule>>> {
    let rules = alerts::rules(&state.store, &actor).await?;
    part.slice(rules, |one| one.id.to_string())
}

/// Adds a rule. Only `name` and `kind` are needed; the rest is as usual for the kind.
#[utoipa::path(post, path = "/alert-rules", tag = "alerts", request_body = NewRule,
    responses(
        (status = 201, description = "it is judged from now on", body = Rule),
        (status = 409, description = "`alert_rule_exists`, `too_many_alert_rules`"),
    ))]
pub async fn create_rule(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Body(rule): Body<NewRule>,
) -> Result<impl IntoResponse> {
    let now = state.clock.now();
    let rule = alerts::create(&state.store, &actor, &rule, now).await?;
    let location = format!("/api/v1/alert-rules/{}", rule.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(rule)))
}

/// Changes all that a rule says.
#[utoipa::path(put, path = "/alert-rules/{id}", tag = "alerts", request_body = NewRule,
    params(("id" = String, Path, description = "the rule")),
    responses(
        (status = 200, description = "as it is now", body = Rule),
        (status = 409, description = "`alert_rule_exists`"),
    ))]
pub async fn change_rule(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<AlertRuleId>,
    Body(rule): Body<NewRule>,
) -> Result<Json<Rule>> {
    let now = state.clock.now();
    Ok(Json(
        alerts::change(&state.store, &actor, id, &rule, now).await?,
    ))
}

/// Takes a rule away; its alerts are over.
#[utoipa::path(delete, path = "/alert-rules/{id}", tag = "alerts",
    params(("id" = String, Path, description = "the rule")),
    responses((status = 204, description = "it watches no more")))]
pub async fn remove_rule(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<AlertRuleId>,
) -> Result<StatusCode> {
    let now = state.clock.now();
    alerts::remove(&state.store, &actor, id, now).await?;
    Ok(StatusCode::NO_CONTENT)
}
