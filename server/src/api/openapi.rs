//! The API's description, made of the routes themselves: paths, parameters and shapes come from
//! the handlers, and what holds for all of them is added here.

use std::sync::LazyLock;

use axum::{Router, http::header, response::IntoResponse, routing::get};
use serde_json::{Map, Value, json};
use utoipa::PartialSchema;

use super::{auth::PROJECT_HEADER, docs, error::Problem, idempotency};
use crate::state::AppState;

/// The description, for programs and for people.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/api/openapi.json", get(document))
        .route("/api/docs", get(docs::page))
}

/// Everything under `/api/v1`, in the words of `OpenAPI` 3.1.
pub fn description() -> &'static Value {
    static DESCRIPTION: LazyLock<Value> = LazyLock::new(describe);
    &DESCRIPTION
}

async fn document() -> impl IntoResponse {
    static TEXT: LazyLock<String> = LazyLock::new(|| description().to_string());
    (
        [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "no-cache"),
        ],
        TEXT.as_str(),
    )
}

fn describe() -> Value {
    let data_plane = json!(super::data_plane_routes().into_openapi());
    let control_plane = json!(super::control_plane_routes().into_openapi());
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for (plane, is_control) in [(data_plane, false), (control_plane, true)] {
        for (path, operations) in members(&plane["paths"]) {
            let mut operations = operations.clone();
            for (method, operation) in operations.as_object_mut().into_iter().flatten() {
                complete(operation, method, &path, is_control);
            }
            paths.insert(path, operations);
        }
        schemas.extend(members(&plane["components"]["schemas"]));
    }
    schemas.insert("Problem".to_owned(), json!(Problem::schema()));
    schemas.sort_keys();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Cueline",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Registry and release desk for LLM prompts. Lists are paged by `cursor`; times are \
                            RFC 3339 in UTC; a failure is `application/problem+json` with a stable `code`.",
        },
        "servers": [{ "url": "/" }],
        "security": [{ "key": [] }, { "session": [] }],
        "tags": [
            { "name": "data plane", "description": "What applications call: with a key, answered from memory, also while the database is away." },
            { "name": "prompts", "description": "Prompts, their folders and tags." },
            { "name": "versions", "description": "Versions never change once saved; their status does." },
            { "name": "releases", "description": "What serves where, and the way there and back." },
            { "name": "evals", "description": "Golden suites, runs and the gate: what a version is held against." },
            { "name": "drift", "description": "Whether what serves is still as good as when it was promoted, and whether its inputs are still those." },
            { "name": "experiments", "description": "Versions side by side: who gets which, what came of it, whether to trust it; and the calculators." },
            { "name": "costs", "description": "Prices, and what changes cost through the providers' caches." },
            { "name": "alerts", "description": "What people should look at, the rules that say so, and the webhooks that tell other systems." },
            { "name": "environments", "description": "Where versions serve, and what is asked before." },
            { "name": "people", "description": "Members and machines." },
            { "name": "audit", "description": "Who did what, when and why, chained by hashes." },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {
                "Problem": {
                    "description": "Anything else: 400 unreadable, 401 no or bad credential, 403 not allowed (says what is \
                                    missing), 404, 409 conflict, 413 too large, 422 not acceptable (every offending field), \
                                    429 and 503 with `Retry-After`.",
                    "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
                },
            },
            "securitySchemes": {
                "key": { "type": "http", "scheme": "bearer", "description": "An API key; its scopes say what it may do." },
                "session": { "type": "apiKey", "in": "cookie", "name": "cueline_session", "description": "A person signed in with a browser." },
            },
        },
    })
}

fn members(object: &Value) -> Map<String, Value> {
    object.as_object().cloned().unwrap_or_default()
}

/// Adds to one operation what the routes' layers bring.
fn complete(operation: &mut Value, method: &str, path: &str, is_control: bool) {
    let Some(operation) = operation.as_object_mut() else {
        return;
    };
    // Handlers are called by their verb, which is short of unique.
    operation.insert("operationId".to_owned(), json!(name(method, path)));
    if let Some(responses) = operation
        .get_mut("responses")
        .and_then(Value::as_object_mut)
    {
        responses.insert(
            "default".to_owned(),
            json!({ "$ref": "#/components/responses/Problem" }),
        );
    }
    if !is_control {
        operation.insert("security".to_owned(), json!([{ "key": [] }]));
        return;
    }
    let mut parameters = vec![header_parameter(
        PROJECT_HEADER,
        "the project's address, for a person who belongs to several",
    )];
    if method != "get" {
        parameters.push(header_parameter(
            idempotency::KEY.as_str(),
            "names the request: sent again within a day, it gets the same answer and has no second effect",
        ));
    }
    if let Some(listed) = operation
        .entry("parameters")
        .or_insert_with(|| json!([]))
        .as_array_mut()
    {
        listed.extend(parameters);
    }
}

fn header_parameter(name: &str, description: &str) -> Value {
    json!({ "name": name, "in": "header", "required": false, "description": description, "schema": { "type": "string" } })
}

/// Such as `post_prompts_name_versions`.
fn name(method: &str, path: &str) -> String {
    path.trim_start_matches("/api/v1/").split(['/', '-']).fold(
        method.to_owned(),
        |mut name, segment| {
            name.push('_');
            name.push_str(segment.trim_matches(['{', '}']));
            name
        },
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn operations() -> Vec<(String, String, Value)> {
        members(&description()["paths"])
            .into_iter()
            .flat_map(|(path, operations)| {
                members(&operations)
                    .into_iter()
                    .map(move |(method, operation)| (method, path.clone(), operation))
            })
            .collect()
    }

    #[test]
    fn every_operation_says_what_it_is_and_what_it_answers() {
        let mut names = HashSet::new();
        for (method, path, operation) in operations() {
            let place = format!("{method} {path}");
            assert!(operation["summary"].is_string(), "{place}: no summary");
            assert!(operation["tags"][0].is_string(), "{place}: no tag");
            assert!(
                names.insert(operation["operationId"].clone()),
                "{place}: not unique"
            );
            for (status, response) in members(&operation["responses"]) {
                let has_shape = response["content"].is_object() || response["$ref"].is_string();
                let is_bare =
                    matches!(status.as_str(), "202" | "204" | "304") || status.starts_with('4');
                assert!(has_shape || is_bare, "{place}: {status} has no shape");
            }
            // These say everything by their address.
            let has_no_body = [
                "/runs/{id}/cancel",
                "/set-up-link",
                "/redeliver",
                "/secret",
                "/test",
            ]
            .iter()
            .any(|end| path.ends_with(end));
            if ["post", "patch", "put"].contains(&method.as_str()) && !has_no_body {
                let body = &operation["requestBody"]["content"]["application/json"]["schema"];
                let has_shape = body["$ref"].is_string() || body["items"]["$ref"].is_string();
                assert!(has_shape, "{place}: the body has no shape");
            }
            for segment in path.split('/').filter_map(|part| part.strip_prefix('{')) {
                let wanted = segment.trim_end_matches('}');
                let is_described = operation["parameters"].as_array().is_some_and(|listed| {
                    listed
                        .iter()
                        .any(|parameter| parameter["name"] == wanted && parameter["in"] == "path")
                });
                assert!(is_described, "{place}: {wanted} is not described");
            }
        }
    }

    #[test]
    fn every_shape_that_is_named_is_there() {
        let mut wanted = Vec::new();
        collect(description(), &mut wanted);
        assert!(wanted.len() > 50);
        for reference in wanted {
            let pointer = reference.trim_start_matches('#');
            assert!(description().pointer(pointer).is_some(), "{reference}");
        }
    }

    fn collect(value: &Value, references: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
                    references.push(reference.to_owned());
                }
                object.values().for_each(|value| collect(value, references));
            }
            Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}
