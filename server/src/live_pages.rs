//! What happens in a project, for the pages that are open: every change by its kind, and a word
//! when clients came, went or confirmed. Pages then ask for what they show.

use std::{convert::Infallible, time::Duration};

use app::context;
use axum::{
    Extension,
    extract::{Query, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use domain::id::{PersonId, ProjectId};
use futures::Stream;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{
    api::error::{ApiError, Result},
    live::Message,
    state::AppState,
};

/// Proxies close what is silent for long; browsers learn of a lost connection by it.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How soon a page should come back when the server stops.
const COME_BACK: Duration = Duration::from_millis(500);

#[derive(Deserialize)]
pub struct Which {
    project: String,
}

/// Follows a project that the signed-in person belongs to.
pub async fn follow(
    State(state): State<AppState>,
    Extension(request): Extension<context::Request>,
    Query(which): Query<Which>,
) -> Result<Response> {
    let Some(person) = request.person else {
        let detail = "sign in to follow a project";
        return Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "signed_out",
            detail,
        ));
    };
    let Some((_, project)) = store::projects::actor(&state.store, person, &which.project).await?
    else {
        let detail = "there is no such project";
        return Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "project_not_found",
            detail,
        ));
    };
    let receiver = state.live.follow(project.id, None).receiver;
    let events = events(state, person, project.id, which.project, receiver);
    let headers = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Proxies that buffer would hold back exactly what must not wait.
        (
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ),
    ];
    let stream = Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT).text(""));
    Ok((headers, stream).into_response())
}

fn events(
    state: AppState,
    person: PersonId,
    project: ProjectId,
    slug: String,
    mut receiver: Receiver<std::sync::Arc<Message>>,
) -> impl Stream<Item = Result<Event, Infallible>> {
    async_stream::stream! {
        // The first bytes tell the browser that it is connected.
        yield Ok(Event::default().retry(COME_BACK).comment(""));
        loop {
            let received = tokio::select! {
                () = state.stopping.cancelled() => {
                    yield Ok(Event::default().event("goodbye").retry(COME_BACK).data("{}"));
                    return;
                }
                received = receiver.recv() => received,
            };
            match received {
                Err(RecvError::Closed) => return,
                // Too far behind to tell what was missed.
                Err(RecvError::Lagged(_)) => yield Ok(reset()),
                Ok(message) => match &*message {
                    Message::Reset => yield Ok(reset()),
                    Message::Clients => yield Ok(change(&json!({ "kind": "clients", "payload": {} }))),
                    Message::Runs => yield Ok(change(&json!({ "kind": "run", "payload": {} }))),
                    Message::Results => {
                        yield Ok(change(&json!({ "kind": "experiment", "payload": {} })));
                    }
                    Message::Change(message) => {
                        let kind = &message.change.kind;
                        // Whoever was taken out of the project hears no more of it.
                        if kind == "member" && !belongs(&state, person, project, &slug).await {
                            return;
                        }
                        yield Ok(change(&json!({ "kind": kind, "payload": message.change.payload })));
                    }
                },
            }
        }
    }
}

fn reset() -> Event {
    Event::default().event("reset").data("{}")
}

fn change(message: &serde_json::Value) -> Event {
    Event::default().event("change").data(message.to_string())
}

/// Whether the person still belongs to the project; if that cannot be told, they do not.
async fn belongs(state: &AppState, person: PersonId, project: ProjectId, slug: &str) -> bool {
    store::projects::actor(&state.store, person, slug)
        .await
        .is_ok_and(|found| found.is_some_and(|(_, found)| found.id == project))
}
