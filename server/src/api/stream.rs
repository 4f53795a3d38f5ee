//! The stream that applications hold open, and their confirmations. Deployments are pushed the
//! moment they are committed; nothing here asks the database, but about a deployment that is
//! confirmed when it does not serve any more.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use domain::{
    actor::{Permission, Who},
    field::{FieldError, Fields},
    id::{DeploymentId, EnvironmentId, KeyId, ProjectId},
    prompt::PRODUCTION,
};
use futures::Stream;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::consumers::{Applied, Sighting};
use tokio::sync::broadcast::error::RecvError;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    auth::KeyCaller,
    body::{Body, Submitted, built, checked, id},
    error::{ApiError, Result},
    params::Query,
};
use crate::{
    live::{ChangeMessage, Following, Message},
    queue::Full,
    snapshot::{Missing, Project},
    state::AppState,
};

/// Well under the 15 seconds that clients may count on.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How soon a client should come back when the server stops.
const COME_BACK: Duration = Duration::from_millis(500);
/// The longest name a client may give itself, in characters.
const MAX_CONSUMER: usize = 200;

/// What to follow.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StreamQuery {
    /// The environment; production when left out.
    environment: Option<String>,
    /// The client's own name, for the propagation panel.
    consumer: Option<String>,
    /// `content` puts whole prompts into the messages: those that serve, and those of experiments' arms.
    include: Option<String>,
}

impl From<Full> for ApiError {
    fn from(full: Full) -> Self {
        Self::later(
            StatusCode::SERVICE_UNAVAILABLE,
            "overloaded",
            &full.to_string(),
            1,
        )
    }
}

fn check_consumer(name: &str) -> Result<(), &'static str> {
    if name.trim().is_empty() {
        return Err("must not be empty");
    }
    if name.chars().count() > MAX_CONSUMER {
        return Err("must be at most 200 characters");
    }
    if name.chars().any(char::is_control) {
        return Err("must not hold control characters");
    }
    Ok(())
}

/// Follows an environment: first a snapshot, then every deployment.
#[utoipa::path(
    get,
    path = "/api/v1/stream",
    tag = "data plane",
    params(
        StreamQuery,
        ("last-event-id" = Option<String>, Header, description = "the last event heard: what came after it is sent again"),
    ),
    responses((status = 200, description = "server-sent events: `snapshot`, `deployment`, `experiment`, a comment at least every 15 s", body = String, content_type = "text/event-stream")),
)]
pub async fn stream(
    State(state): State<AppState>,
    KeyCaller(actor): KeyCaller,
    Query(query): Query<StreamQuery>,
    headers: HeaderMap,
) -> Result<Response> {
    let environment = query.environment.unwrap_or_else(|| PRODUCTION.to_owned());
    actor.may_in(Permission::Read, &environment)?;
    let with_content = match query.include.as_deref() {
        None | Some("") => false,
        Some("content") => true,
        Some(_) => {
            return Err(ApiError::invalid_field(
                "include",
                "must be `content`, or be left out",
            ));
        }
    };
    if let Some(name) = &query.consumer {
        check_consumer(name).map_err(|message| ApiError::invalid_field("consumer", message))?;
    }
    // An id of another kind is as good as none: the snapshot that follows says everything.
    let after: Option<i64> = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok());
    // First follow, then look: what happens in between is heard, and dropped if the snapshot has it.
    let following = state.live.follow(actor.project, after);
    let project = state
        .serving
        .project(actor.project)
        .ok_or(Missing::Environment)?;
    let (environment_id, _) = project
        .environment(&environment)
        .ok_or(Missing::Environment)?;
    let seen = query
        .consumer
        .map(|name| Presence::open(&state, actor.project, environment_id, name))
        .transpose()?;
    let key = match &actor.who {
        Who::Key { id, .. } => Some(*id),
        Who::Person { .. } | Who::System { .. } => None,
    };
    let follower = Follower {
        state,
        key,
        project: actor.project,
        environment,
        with_content,
        _seen: seen,
    };
    let events = follower.events(after.unwrap_or_default(), following, project);
    let mut response = Sse::new(events)
        .keep_alive(KeepAlive::new().interval(HEARTBEAT).text(""))
        .into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that buffer would hold back exactly what must not wait.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// Notes that the client is there; dropping it notes that it left, however the stream ended.
struct Presence {
    state: AppState,
    connection: Uuid,
}

impl Presence {
    fn open(
        state: &AppState,
        project: ProjectId,
        environment: EnvironmentId,
        consumer: String,
    ) -> Result<Self> {
        let connection = Uuid::new_v4();
        let at = state.clock.now();
        state.queues.opened(Sighting {
            project,
            environment,
            consumer,
            connection,
            at,
            open: true,
        })?;
        Ok(Self {
            state: state.clone(),
            connection,
        })
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.state.queues.closed(self.connection, &self.state.clock);
    }
}

struct Follower {
    state: AppState,
    key: Option<KeyId>,
    project: ProjectId,
    environment: String,
    with_content: bool,
    _seen: Option<Presence>,
}

impl Follower {
    fn events(
        self,
        after: i64,
        following: Following,
        project: Arc<Project>,
    ) -> impl Stream<Item = Result<Event, Infallible>> {
        async_stream::stream! {
            let Following { missed, mut receiver } = following;
            // What the client has; the snapshot may be ahead of what was announced already.
            let mut last = after;
            if missed.is_none() {
                last = project.sequence;
                yield Ok(self.snapshot(&project));
            }
            for message in missed.into_iter().flatten() {
                if let Message::Change(message) = &*message {
                    last = message.change.sequence;
                    if let Some(event) = self.event(message) {
                        yield Ok(event);
                    }
                }
            }
            drop(project);
            loop {
                let received = tokio::select! {
                    () = self.state.stopping.cancelled() => {
                        yield Ok(Event::default().event("goodbye").retry(COME_BACK).data("{}"));
                        return;
                    }
                    received = receiver.recv() => received,
                };
                match received {
                    Ok(message) => match &*message {
                        Message::Change(message) if message.change.sequence <= last => {}
                        Message::Change(message) => {
                            last = message.change.sequence;
                            if message.change.kind == "key" && !self.is_welcome() {
                                return;
                            }
                            if let Some(event) = self.event(message) {
                                yield Ok(event);
                            }
                        }
                        Message::Reset => {
                            if !self.is_welcome() {
                                return;
                            }
                            if let Some(project) = self.state.serving.project(self.project) {
                                last = project.sequence;
                                yield Ok(self.snapshot(&project));
                            }
                        }
                        Message::Clients | Message::Runs | Message::Results => {}
                    },
                    // Too far behind: the snapshot says in one message what the missed ones said.
                    Err(RecvError::Lagged(_)) => {
                        if let Some(project) = self.state.serving.project(self.project) {
                            last = project.sequence;
                            yield Ok(self.snapshot(&project));
                        }
                    }
                    Err(RecvError::Closed) => return,
                }
            }
        }
    }

    /// Whether the key still works. A revoked one hears nothing more; coming back it gets a 401.
    fn is_welcome(&self) -> bool {
        self.key
            .is_none_or(|id| self.state.serving.now().keys().any(|key| key.id == id))
    }

    /// Everything that serves the environment, as name → version.
    fn snapshot(&self, project: &Project) -> Event {
        let mut versions = Map::new();
        let mut contents = Map::new();
        if let Some((_, served)) = project.environment(&self.environment) {
            for (name, prompt) in served.iter() {
                versions.insert(name.to_string(), json!(prompt.version));
                if self.with_content
                    && let Ok(body) = serde_json::from_slice::<Value>(&prompt.body)
                {
                    contents.insert(name.to_string(), body);
                }
            }
        }
        let mut data = json!({ "environment": self.environment, "prompts": versions });
        let running = project.experiments.in_environment(&self.environment);
        let experiments: Vec<Value> = running
            .map(|running| {
                let mut rules = json!(running.rules);
                if self.with_content {
                    running.put_contents(&mut rules);
                }
                rules
            })
            .collect();
        if !experiments.is_empty() {
            data["experiments"] = json!(experiments);
        }
        if self.with_content {
            data["contents"] = Value::Object(contents);
        }
        Event::default()
            .event("snapshot")
            .id(project.sequence.to_string())
            .data(data.to_string())
    }

    fn event(&self, message: &ChangeMessage) -> Option<Event> {
        if message.text("environment") != Some(&self.environment) {
            return None;
        }
        let name = match message.change.kind.as_str() {
            "deployment" => "deployment",
            // Only what changes who gets what: `rules` is there, and null when assignment ends.
            "experiment" if message.change.payload.get("rules").is_some() => "experiment",
            _ => return None,
        };
        let data = if self.with_content {
            self.with_content(message)
        } else {
            &message.payload
        };
        Some(
            Event::default()
                .event(name)
                .id(message.change.sequence.to_string())
                .data(data),
        )
    }

    /// The payload with the prompts in it, made once for all who want it: what is deployed, or what
    /// each arm of an experiment serves. What was overtaken already goes without: what overtook it
    /// is on its way.
    fn with_content<'m>(&self, message: &'m ChangeMessage) -> &'m str {
        message.with_content.get_or_init(|| {
            let mut payload = message.change.payload.clone();
            let prompt = message.text("prompt").unwrap_or_default();
            let project = self.state.serving.project(self.project);
            if let Some(rules) = payload.get_mut("rules") {
                let running = project
                    .as_ref()
                    .and_then(|project| project.experiments.of(&self.environment, prompt));
                if let Some(running) = running
                    && message.text("experiment") == Some(&running.rules.id.to_string())
                {
                    running.put_contents(rules);
                }
            } else if let Some(project) = project
                && let Ok(served) = project.resolve(&self.environment, prompt)
                && message.text("deployment_id") == Some(&served.deployment_id.to_string())
                && let Ok(content) = serde_json::from_slice(&served.body)
            {
                payload["content"] = content;
            }
            payload.to_string()
        })
    }
}

/// A client's word that it applied a deployment.
#[derive(ToSchema)]
pub struct Ack {
    /// The name it gave itself when it opened the stream.
    consumer: String,
    /// The deployment.
    deployment_id: DeploymentId,
}

impl Submitted for Ack {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        fields.require("consumer");
        let consumer = fields.text("consumer");
        let consumer = consumer.and_then(|name| {
            let legal = check_consumer(&name).map(|()| name);
            checked(&mut fields, "consumer", legal)
        });
        fields.require("deployment_id");
        let deployment_id = id(&mut fields, "deployment_id");
        built(fields, || {
            Some(Self {
                consumer: consumer?,
                deployment_id: deployment_id?,
            })
        })
    }
}

/// A client says that it applied a deployment.
#[utoipa::path(
    post,
    path = "/api/v1/stream/ack",
    tag = "data plane",
    request_body = Ack,
    responses(
        (status = 202, description = "noted"),
        (status = 403, description = "the key belongs to another environment"),
        (status = 404, description = "`deployment_not_found`"),
        (status = 422, description = "every offending field"),
    ),
)]
pub async fn ack(
    State(state): State<AppState>,
    KeyCaller(actor): KeyCaller,
    Body(ack): Body<Ack>,
) -> Result<StatusCode> {
    actor.may(Permission::Read)?;
    if let Some(environment) = place_of(&state, actor.project, ack.deployment_id).await? {
        actor.may_in(Permission::Read, &environment)?;
    }
    state.queues.applied(Applied {
        project: actor.project,
        deployment: ack.deployment_id,
        consumer: ack.consumer,
        at: state.clock.now(),
    })?;
    Ok(StatusCode::ACCEPTED)
}

/// The environment of a deployment. What serves is in memory, and nearly every word is about that;
/// the database is asked about what is not. None while it cannot be told: such words are taken, and
/// those about nothing are dropped when they are written down.
async fn place_of(
    state: &AppState,
    project: ProjectId,
    deployment: DeploymentId,
) -> Result<Option<String>> {
    let known = state.serving.project(project);
    if let Some(environment) = known.as_ref().and_then(|known| known.place_of(deployment)) {
        return Ok(Some(environment.to_owned()));
    }
    if state.serving.is_stale() {
        return Ok(None);
    }
    match store::consumers::place_of(&state.store, project, deployment).await {
        Ok(Some(environment)) => Ok(Some(environment)),
        Ok(None) => Err(store::Error::NotFound("deployment").into()),
        Err(store::Error::Unavailable(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
