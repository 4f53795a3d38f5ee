//! The pages: Leptos routes behind the sign-in, server functions, and the headers that keep
//! other people's scripts out.

use std::sync::Arc;

use app::{
    context,
    error::UiError,
    frame::{Appearance, Arrived, Density, Theme},
    shell,
};
use axum::{
    Form, Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use leptos::{
    nonce::use_nonce,
    prelude::{provide_context, use_context},
};
use leptos_axum::{LeptosRoutes, ResponseOptions, generate_route_list};
use serde::Deserialize;
use tower_sessions::{
    Session,
    cookie::{Cookie, SameSite},
};

use crate::{
    api::error::ApiError, assets, live_pages, sign_in, state::AppState, telemetry::RequestId,
};

/// Pages that one sees without being signed in.
const OPEN: [&str; 2] = ["/sign-in", "/set-up/"];

/// How long the choice of theme and density is remembered.
const PREFERENCE_DAYS: i64 = 400;

/// All pages and server functions.
pub fn router(state: &AppState) -> Router<AppState> {
    let routes = generate_route_list(app::App);
    let options = state.leptos.clone();
    Router::new()
        .route("/preferences", post(preferences))
        .route("/live", get(live_pages::follow))
        .leptos_routes_with_context(state, routes, provide, move || shell(options.clone()))
        .layer(middleware::from_fn_with_state(state.clone(), admit))
}

/// What no route answers: a page that says so, or a problem for programs.
pub fn fallback(state: &AppState) -> Router {
    let options = state.leptos.clone();
    let render =
        leptos_axum::render_app_async_with_context(provide, move || shell(options.clone()));
    Router::new()
        .fallback(move |request: Request| {
            let render = render.clone();
            async move {
                if is_for_programs(request.uri().path()) {
                    let detail = format!("there is nothing at {}", request.uri().path());
                    return ApiError::new(StatusCode::NOT_FOUND, "route_not_found", detail)
                        .into_response();
                }
                let mut response = render(request).await;
                *response.status_mut() = StatusCode::NOT_FOUND;
                response
            }
        })
        .layer(middleware::from_fn_with_state(state.clone(), admit))
        .layer(sign_in::sessions(
            state.store.clone(),
            state.clock.clone(),
            &state.config,
        ))
}

fn is_for_programs(path: &str) -> bool {
    ["/api/", "/rpc/", "/ofrep/", "/v1/", "/pkg/"]
        .iter()
        .any(|prefix| path.starts_with(prefix))
}

/// Puts into the reactive context what [`admit`] found out about the request, and sets the headers.
fn provide() {
    provide_context(assets::late_files());
    if let Some(parts) = use_context::<Parts>()
        && let Some(request) = parts.extensions.get::<context::Request>()
    {
        provide_context(request.clone());
        if let Some(arrived) = parts.extensions.get::<Arrived>() {
            provide_context(arrived.clone());
        }
    }
    if let Some(response) = use_context::<ResponseOptions>() {
        set_headers(&response);
    }
}

/// Only our own script, and WebAssembly: nothing that somebody smuggles into a page runs.
fn set_headers(response: &ResponseOptions) {
    let script = use_nonce().map_or_else(String::new, |nonce| format!(" 'nonce-{nonce}'"));
    let policy = format!(
        "default-src 'none'; script-src 'self'{script} 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'"
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::X_FRAME_OPTIONS, "DENY".to_owned()),
        (header::REFERRER_POLICY, "same-origin".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin".to_owned(),
        ),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), microphone=(), geolocation=()".to_owned(),
        ),
    ];
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.insert_header(name, value);
        }
    }
}

/// Finds out who asks. Pages send whoever is not signed in to the sign-in page and back;
/// server functions say so themselves.
async fn admit(
    State(state): State<AppState>,
    session: Session,
    mut request: Request,
    next: Next,
) -> Response {
    let person = match sign_in::who(&session, &state.clock).await {
        Ok(person) => person,
        Err(error) => {
            tracing::warn!(%error, "a session cannot be read");
            return ApiError::away().into_response();
        }
    };
    let path = request.uri().path();
    let is_open = is_for_programs(path)
        || matches!(path, "/preferences" | "/live")
        || OPEN.iter().any(|open| path.starts_with(open));
    if person.is_none() && !is_open {
        return Redirect::to(&sign_in_address(request.uri())).into_response();
    }
    let is_call = path.starts_with("/rpc/");
    let appearance = appearance(request.headers());
    let id = request
        .extensions()
        .get::<RequestId>()
        .map_or_else(|| Arc::from(""), |RequestId(id)| Arc::from(id.as_str()));
    let asked = context::Request {
        store: state.store.clone(),
        person,
        now: state.clock.now(),
        public_url: Arc::from(state.config.public_url.as_str()),
        appearance,
        id,
        models: state.doors.clone(),
    };
    if let Some(arrived) = Arrived::at(path, &asked).await {
        request.extensions_mut().insert(arrived);
    }
    request.extensions_mut().insert(asked);
    let response = next.run(request).await;
    if is_call && response.status() == StatusCode::INTERNAL_SERVER_ERROR {
        return with_own_status(response).await;
    }
    response
}

/// Leptos answers 500 for whatever a server function refuses; a refusal is no fault of the server,
/// and monitoring must be able to tell them apart.
async fn with_own_status(response: Response) -> Response {
    /// Larger than any refusal.
    const MOST: usize = 1024 * 1024;
    let (mut parts, body) = response.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MOST).await else {
        return ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the answer could not be read",
        )
        .into_response();
    };
    if let Ok(error) = serde_json::from_slice::<UiError>(&body)
        && let Ok(status) = StatusCode::from_u16(error.status())
    {
        parts.status = status;
    }
    Response::from_parts(parts, Body::from(body))
}

fn sign_in_address(uri: &Uri) -> String {
    match uri
        .path_and_query()
        .map(axum::http::uri::PathAndQuery::as_str)
    {
        None | Some("/") => "/sign-in".to_owned(),
        Some(next) => format!("/sign-in?next={}", sign_in::percent_encoded(next)),
    }
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = Cookie<'_>> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| Cookie::split_parse(value).filter_map(Result::ok))
}

fn appearance(headers: &HeaderMap) -> Appearance {
    let mut appearance = Appearance::default();
    for cookie in cookies(headers) {
        match cookie.name() {
            "theme" => appearance.theme = Theme::from_word(cookie.value()),
            "density" => appearance.density = Density::from_word(cookie.value()),
            _ => {}
        }
    }
    appearance
}

#[derive(Deserialize)]
struct Preferences {
    theme: Option<String>,
    density: Option<String>,
}

/// Remembers a theme or density in this browser and goes back to where one was.
async fn preferences(headers: HeaderMap, Form(form): Form<Preferences>) -> Response {
    let back = headers
        .get(header::REFERER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<Uri>().ok())
        .and_then(|uri| uri.path_and_query().map(|path| path.as_str().to_owned()))
        .unwrap_or_else(|| "/".to_owned());
    let mut response = Redirect::to(sign_in::local(&back)).into_response();
    let choices = [
        (
            "theme",
            form.theme
                .filter(|word| ["light", "dark", "system"].contains(&word.as_str())),
        ),
        (
            "density",
            form.density
                .filter(|word| ["compact", "roomy"].contains(&word.as_str())),
        ),
    ];
    for (name, choice) in choices {
        let Some(choice) = choice else { continue };
        let cookie = Cookie::build((name, choice))
            .path("/")
            .same_site(SameSite::Lax)
            .max_age(time::Duration::days(PREFERENCE_DAYS))
            .http_only(true)
            .build();
        if let Ok(value) = HeaderValue::try_from(cookie.to_string()) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}
