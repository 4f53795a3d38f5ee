//! Who calls: a key in `Authorization: Bearer`, or a signed-in person's session.

use std::sync::{Arc, atomic::Ordering};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use domain::actor::Actor;
use tower_sessions::Session;

use super::error::{ApiError, Result};
use crate::{sign_in, snapshot::Snapshot, state::AppState};

/// The header in which a browser session names its project.
pub const PROJECT_HEADER: &str = "x-cueline-project";

/// Somebody with a key. For the data plane: no session, no database.
pub struct KeyCaller(pub Arc<Actor>);

/// Somebody with a key or a session. A layer that had to find out already leaves the [`Actor`] in
/// the request's extensions.
pub struct Caller(pub Actor);

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// Who holds the key, if it works. Looking a hash up leaks nothing about keys by its timing.
pub fn by_key(snapshot: &Snapshot, key: &str, now: i64) -> Result<Arc<Actor>> {
    let known = snapshot
        .key(&store::secret::hash(key))
        .ok_or_else(|| ApiError::unauthorized("this key is unknown or was revoked"))?;
    known.used_at.store(now, Ordering::Relaxed);
    Ok(Arc::clone(&known.actor))
}

impl FromRequestParts<AppState> for KeyCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let key = bearer(&parts.headers)
            .ok_or_else(|| ApiError::unauthorized("send a key as Authorization: Bearer <key>"))?;
        by_key(&state.serving.now(), key, state.clock.now().timestamp()).map(Self)
    }
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        if let Some(actor) = parts.extensions.get::<Actor>() {
            return Ok(Self(actor.clone()));
        }
        if parts.headers.contains_key(header::AUTHORIZATION) {
            return KeyCaller::from_request_parts(parts, state)
                .await
                .map(|KeyCaller(actor)| Self(Arc::unwrap_or_clone(actor)));
        }
        let session = parts.extensions.get::<Session>().cloned();
        let signed_in = match session {
            Some(session) => sign_in::who(&session, &state.clock)
                .await
                .map_err(|error| {
                    tracing::warn!(%error, "a session cannot be read");
                    ApiError::away()
                })?,
            None => None,
        };
        let Some(person) = signed_in else {
            return Err(ApiError::unauthorized(
                "sign in, or send a key as Authorization: Bearer <key>",
            ));
        };
        let store = &state.store;
        let wanted = parts
            .headers
            .get(PROJECT_HEADER)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
            .or_else(|| project_in_query(parts.uri.query()));
        let slug = match wanted {
            Some(slug) => slug,
            // Most people have one project; who has several says which.
            None => match store::projects::of_person(store, person).await?.as_slice() {
                [one] => one.slug.clone(),
                [] => return Err(ApiError::from(store::Error::NotFound("project"))),
                _ => {
                    return Err(ApiError::invalid_field(
                        PROJECT_HEADER,
                        "you belong to several projects: name one in this header or as ?project=",
                    ));
                }
            },
        };
        let (actor, _) = store::projects::actor(store, person, &slug)
            .await?
            .ok_or(store::Error::NotFound("project"))?;
        Ok(Self(actor))
    }
}

fn project_in_query(query: Option<&str>) -> Option<String> {
    query?
        .split('&')
        .find_map(|pair| pair.strip_prefix("project="))
        .map(str::to_owned)
}
