//! Changing one's own password. Choosing the first one is a matter of one-time links, in `sign_in`.

use std::net::SocketAddr;

use axum::{
    Form,
    extract::{ConnectInfo, State},
    http::HeaderMap,
    response::Redirect,
};
use domain::project::{MAX_PASSWORD, check_password};
use serde::Deserialize;
use tower_sessions::Session;

use crate::{
    sign_in::{back, client_address, enter, hash_password, local, verify, who},
    state::AppState,
};

#[derive(Deserialize)]
pub struct PasswordForm {
    #[serde(default)]
    current: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    back: String,
}

/// Chooses a new password: the old one is asked for again, and every other session ends.
pub async fn change(
    State(state): State<AppState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    session: Session,
    Form(form): Form<PasswordForm>,
) -> Redirect {
    let address = client_address(&state.config, &headers, peer);
    let page = local(&form.back).split('?').next().unwrap_or("/");
    match replace_password(&state, &session, &form, &address).await {
        Ok(()) => back(page, &[("password", "changed")]),
        Err(refusal) => back(page, &[("error", &refusal)]),
    }
}

async fn replace_password(
    state: &AppState,
    session: &Session,
    form: &PasswordForm,
    address: &str,
) -> Result<(), String> {
    let internal = |error: anyhow::Error| {
        tracing::error!(error = format!("{error:#}"), "changing a password failed");
        "something went wrong here; it was logged".to_owned()
    };
    let now = state.clock.now();
    let person = who(session, &state.clock)
        .await
        .map_err(|error| internal(error.into()))?
        .ok_or("you are not signed in any more")?;
    let person = store::people::by_id(&state.store, person)
        .await
        .map_err(|error| internal(error.into()))?
        .ok_or("you are not signed in any more")?;
    check_password(&form.password)
        .map_err(|error| format!("the new password {}", error.message))?;
    // A session somebody left open must not be a way to guess the password.
    let wait = store::people::must_wait(&state.store, &person.email, address, now)
        .await
        .map_err(|error| internal(error.into()))?;
    if wait.is_some() {
        return Err("too many tries; wait a while and try again".to_owned());
    }
    let fits = form.current.len() <= 4 * MAX_PASSWORD
        && verify(Some(&person), form.current.clone())
            .await
            .map_err(internal)?;
    if !fits {
        store::people::failed(&state.store, &person.email, address, now)
            .await
            .map_err(|error| internal(error.into()))?;
        return Err("the current password is not right".to_owned());
    }
    let password_hash = hash_password(form.password.clone())
        .await
        .map_err(internal)?;
    store::people::set_password(&state.store, person.id, &password_hash)
        .await
        .map_err(|error| internal(error.into()))?;
    // This session ended with the others; a new one begins.
    enter(session, person.id).await.map_err(internal)
}
