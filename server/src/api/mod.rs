//! `/api/v1`: what SDKs, scripts and the command line call. All routes are on this screen, and
//! the description at `/api/openapi.json` is generated from them.

mod alerts;
mod audit;
pub mod auth;
pub mod body;
mod cache_cost;
mod cases;
mod consumers;
mod docs;
mod drift;
mod environments;
pub mod error;
pub mod events;
mod experiments;
mod gate;
mod guard;
mod idempotency;
mod keys;
mod me;
mod members;
mod openapi;
mod params;
mod prices;
mod promotions;
mod prompts;
mod providers;
mod releases;
mod resolve;
mod runs;
mod stats;
mod stream;
mod suites;
mod versions;
mod webhooks;

use axum::{Router, middleware};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::state::AppState;

/// What applications call on every request: keys only, from memory, no layers in between.
pub fn data_plane() -> Router<AppState> {
    data_plane_routes()
        .split_for_parts()
        .0
        .method_not_allowed_fallback(error::method_not_allowed)
}

/// With their whole paths: a nested router reads and writes each request's address once more.
fn data_plane_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(resolve::resolve))
        .routes(routes!(resolve::render))
        .routes(routes!(stream::stream))
        .routes(routes!(stream::ack))
        .routes(routes!(events::report))
}

/// What people and scripts call: keys or sessions.
pub fn control_plane(state: &AppState) -> Router<AppState> {
    control_plane_routes()
        .split_for_parts()
        .0
        .layer(middleware::from_fn_with_state(
            state.clone(),
            idempotency::once,
        ))
        .merge(openapi::router())
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(middleware::from_fn(guard::set_headers))
}

fn control_plane_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().nest(
        "/api/v1",
        OpenApiRouter::new()
            .routes(routes!(prompts::list, prompts::create))
            .routes(routes!(prompts::show, prompts::describe))
            .routes(routes!(versions::list, versions::create))
            .routes(routes!(versions::show))
            .routes(routes!(versions::compare))
            .routes(routes!(versions::set_status))
            .routes(routes!(versions::uses))
            .routes(routes!(promotions::of_prompt, promotions::create))
            .routes(routes!(promotions::list))
            .routes(routes!(promotions::show))
            .routes(routes!(promotions::approve))
            .routes(routes!(promotions::reject))
            .routes(routes!(promotions::cancel))
            .routes(routes!(promotions::execute))
            .routes(routes!(promotions::comment))
            .routes(routes!(releases::of_prompt))
            .routes(routes!(releases::roll_back))
            .routes(routes!(releases::break_glass))
            .routes(routes!(releases::list))
            .routes(routes!(releases::show))
            .routes(routes!(consumers::list))
            .routes(routes!(environments::list, environments::create))
            .routes(routes!(environments::set_policy))
            .routes(routes!(providers::list, providers::save))
            .routes(routes!(suites::list, suites::create))
            .routes(routes!(suites::show, suites::change))
            .routes(routes!(suites::revisions))
            .routes(routes!(cases::list, cases::add))
            .routes(routes!(cases::change, cases::remove))
            .routes(routes!(cases::export))
            .routes(routes!(runs::list, runs::create))
            .routes(routes!(runs::show))
            .routes(routes!(runs::results))
            .routes(routes!(runs::compare))
            .routes(routes!(runs::cancel))
            .routes(routes!(gate::ask))
            .routes(routes!(gate::show))
            .routes(routes!(gate::rules))
            .routes(routes!(gate::set_rule))
            .routes(routes!(drift::list))
            .routes(routes!(drift::show))
            .routes(routes!(drift::set_schedule))
            .routes(routes!(drift::run_now))
            .routes(routes!(experiments::list, experiments::create))
            .routes(routes!(experiments::show, experiments::change))
            .routes(routes!(experiments::start))
            .routes(routes!(experiments::stop))
            .routes(routes!(experiments::conclude))
            .routes(routes!(experiments::raise_traffic))
            .routes(routes!(experiments::results))
            .routes(routes!(experiments::detail))
            .routes(routes!(alerts::list))
            .routes(routes!(alerts::show))
            .routes(routes!(alerts::acknowledge))
            .routes(routes!(alerts::rules, alerts::create_rule))
            .routes(routes!(alerts::change_rule, alerts::remove_rule))
            .routes(routes!(webhooks::list, webhooks::create))
            .routes(routes!(webhooks::change, webhooks::remove))
            .routes(routes!(webhooks::renew_secret))
            .routes(routes!(webhooks::test))
            .routes(routes!(webhooks::deliveries))
            .routes(routes!(webhooks::redeliver))
            .routes(routes!(stats::compute))
            .routes(routes!(prices::list, prices::add))
            .routes(routes!(cache_cost::estimate))
            .routes(routes!(cache_cost::budget, cache_cost::set_budget))
            .routes(routes!(members::list, members::create))
            .routes(routes!(members::set_role, members::remove))
            .routes(routes!(members::renew_link))
            .routes(routes!(keys::list, keys::create))
            .routes(routes!(keys::revoke))
            .routes(routes!(audit::list))
            .routes(routes!(audit::verify))
            .routes(routes!(me::show)),
    )
}
