//! Signing in and out: plain forms that work without script, sessions in Postgres, passwords as
//! Argon2id, throttling by account and by address, one-time links.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, LazyLock},
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use async_trait::async_trait;
use axum::{
    Form, Router,
    extract::{ConnectInfo, Path, State},
    http::HeaderMap,
    response::Redirect,
    routing::post,
};
use chrono::DateTime;
use domain::{
    id::PersonId,
    project::{check_password, parse_email},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{
    Store,
    people::{FirstAdmin, LinkFor, Person},
    secret,
};
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tower_sessions::{
    Expiry, Session, SessionManagerLayer, SessionStore,
    cookie::SameSite,
    session::{Id, Record},
    session_store,
};

use crate::{
    config::Config,
    password,
    state::{AppState, Clock},
};

/// How long a session lasts without being used, in days.
const SESSION_DAYS: i64 = 14;
/// The session's member that names the person.
const PERSON: &str = "person_id";
/// The session's member that names the day it was last used, so that a session in use is
/// written again once a day and not with every request.
const DAY: &str = "day";
/// Hashing is heavy by design; more at once would only slow all of them down.
static HASHING: Semaphore = Semaphore::const_new(2);

/// Who is signed in, if anybody. A request without a cookie asks nothing of the database.
pub async fn who(
    session: &Session,
    clock: &Clock,
) -> Result<Option<PersonId>, tower_sessions::session::Error> {
    let Some(person) = session.get::<PersonId>(PERSON).await? else {
        return Ok(None);
    };
    let today = clock.now().date_naive().to_string();
    if session.get::<String>(DAY).await?.as_deref() != Some(&today) {
        session.insert(DAY, today).await?;
    }
    Ok(Some(person))
}

/// The layer that reads and writes the session cookie.
pub fn sessions(store: Store, clock: Clock, config: &Config) -> SessionManagerLayer<Sessions> {
    SessionManagerLayer::new(Sessions { store, clock })
        .with_name("cueline_session")
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_secure(config.is_secure())
        .with_expiry(Expiry::OnInactivity(time::Duration::days(SESSION_DAYS)))
}

/// Sessions in Postgres.
#[derive(Clone)]
pub struct Sessions {
    store: Store,
    clock: Clock,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sessions")
    }
}

fn expiry(date: OffsetDateTime) -> DateTime<chrono::Utc> {
    DateTime::from_timestamp(date.unix_timestamp(), 0).unwrap_or(DateTime::UNIX_EPOCH)
}

fn backend(error: impl std::fmt::Display) -> session_store::Error {
    session_store::Error::Backend(error.to_string())
}

/// A session as it is kept. Its id is the row's: it has 128 bits, more than a number in JSON.
#[derive(Deserialize, Serialize)]
struct Kept {
    data: HashMap<String, Value>,
    /// Unix seconds.
    expires_at: i64,
}

fn encode(record: &Record) -> session_store::Result<(Value, Option<PersonId>)> {
    let kept = Kept {
        data: record.data.clone(),
        expires_at: record.expiry_date.unix_timestamp(),
    };
    let value = serde_json::to_value(kept)
        .map_err(|error| session_store::Error::Encode(error.to_string()))?;
    let person = record
        .data
        .get(PERSON)
        .and_then(|id| serde_json::from_value(id.clone()).ok());
    Ok((value, person))
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        loop {
            let (value, person) = encode(record)?;
            let expires_at = expiry(record.expiry_date);
            let is_new = store::sessions::create(
                &self.store,
                &record.id.to_string(),
                &value,
                person,
                expires_at,
            )
            .await
            .map_err(backend)?;
            if is_new {
                return Ok(());
            }
            record.id = Id::default();
        }
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        let (value, person) = encode(record)?;
        store::sessions::save(
            &self.store,
            &record.id.to_string(),
            &value,
            person,
            expiry(record.expiry_date),
        )
        .await
        .map_err(backend)
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let value = store::sessions::load(&self.store, &id.to_string(), self.clock.now())
            .await
            .map_err(backend)?;
        let Some(value) = value else {
            return Ok(None);
        };
        let decode = |error: String| session_store::Error::Decode(error);
        let kept: Kept =
            serde_json::from_value(value).map_err(|error| decode(error.to_string()))?;
        let expiry_date = OffsetDateTime::from_unix_timestamp(kept.expires_at)
            .map_err(|error| decode(error.to_string()))?;
        Ok(Some(Record {
            id: *id,
            data: kept.data,
            expiry_date,
        }))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        store::sessions::delete(&self.store, &id.to_string())
            .await
            .map_err(backend)
    }
}

/// Makes the hash that is kept of a password.
pub async fn hash_password(password: String) -> anyhow::Result<String> {
    let _turn = HASHING.acquire().await?;
    tokio::task::spawn_blocking(move || {
        Argon2::default()
            .hash_password(password.as_bytes())
            .map(|hash| hash.to_string())
            .map_err(|error| anyhow::anyhow!("the password cannot be hashed: {error}"))
    })
    .await?
}

/// Whether the password is the person's. Takes as long when there is no such person, so that
/// timing does not tell who has an account.
pub(crate) async fn verify(person: Option<&Person>, password: String) -> anyhow::Result<bool> {
    static NOBODY: LazyLock<String> = LazyLock::new(|| {
        Argon2::default()
            .hash_password(b"nobody")
            .map(|hash| hash.to_string())
            .unwrap_or_default()
    });
    let known = person.and_then(|person| person.password_hash.clone());
    let is_known = known.is_some();
    let _turn = HASHING.acquire().await?;
    let fits = tokio::task::spawn_blocking(move || {
        let kept = known.unwrap_or_else(|| NOBODY.clone());
        PasswordHash::new(&kept).is_ok_and(|hash| {
            Argon2::default()
                .verify_password(password.as_bytes(), &hash)
                .is_ok()
        })
    })
    .await?;
    Ok(is_known && fits)
}

/// The forms' targets. Their pages are Leptos pages at the same addresses.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/set-up/{token}", post(set_up))
        .route("/password", post(password::change))
}

/// Why a form is shown again; the page turns the word into a sentence.
pub(crate) fn back(path: &str, parameters: &[(&str, &str)]) -> Redirect {
    let query: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", percent_encoded(value)))
        .collect();
    Redirect::to(&format!("{path}?{}", query.join("&")))
}

/// Text as it may stand in a query.
pub(crate) fn percent_encoded(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~/@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[derive(Deserialize)]
struct SignInForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

async fn sign_in(
    State(state): State<AppState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    session: Session,
    Form(form): Form<SignInForm>,
) -> Redirect {
    let email = form.email.trim().to_lowercase();
    let address = client_address(&state.config, &headers, peer);
    match attempt(&state, &session, &email, form.password, &address).await {
        Ok(Attempt::In) => Redirect::to(local(&form.next)),
        Ok(Attempt::Wrong) => back(
            "/sign-in",
            &[
                ("error", "wrong"),
                ("email", &email),
                ("next", local(&form.next)),
            ],
        ),
        Ok(Attempt::Wait(seconds)) => back(
            "/sign-in",
            &[
                ("error", "wait"),
                ("seconds", &seconds.to_string()),
                ("email", &email),
                ("next", local(&form.next)),
            ],
        ),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "signing in failed");
            back(
                "/sign-in",
                &[
                    ("error", "away"),
                    ("email", &email),
                    ("next", local(&form.next)),
                ],
            )
        }
    }
}

/// Only addresses of this site: a link must not lead somebody who signs in elsewhere.
pub(crate) fn local(next: &str) -> &str {
    let is_local = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains(['\\', '\r', '\n'])
        && !next.starts_with("/sign-in");
    if is_local { next } else { "/" }
}

enum Attempt {
    In,
    Wrong,
    Wait(i64),
}

async fn attempt(
    state: &AppState,
    session: &Session,
    email: &str,
    password: String,
    address: &str,
) -> anyhow::Result<Attempt> {
    let now = state.clock.now();
    if let Some(seconds) = store::people::must_wait(&state.store, email, address, now).await? {
        tracing::info!(client.address = address, "sign-in throttled");
        return Ok(Attempt::Wait(seconds));
    }
    let person = match parse_email(email) {
        Ok(email) => store::people::by_email(&state.store, &email).await?,
        Err(_) => None,
    };
    let fits = password.len() <= 4 * domain::project::MAX_PASSWORD
        && verify(person.as_ref(), password).await?;
    match person {
        Some(person) if fits => {
            store::people::succeeded(&state.store, email).await?;
            enter(session, person.id).await?;
            Ok(Attempt::In)
        }
        _ => {
            store::people::failed(
                &state.store,
                &email.chars().take(254).collect::<String>(),
                address,
                now,
            )
            .await?;
            Ok(Attempt::Wrong)
        }
    }
}

/// A new session id at every sign-in, so that one planted before is worth nothing.
pub(crate) async fn enter(session: &Session, person: PersonId) -> anyhow::Result<()> {
    session.cycle_id().await?;
    session.insert(PERSON, person).await?;
    Ok(())
}

async fn sign_out(session: Session) -> Redirect {
    if let Err(error) = session.flush().await {
        tracing::error!(%error, "a session could not be ended");
    }
    Redirect::to("/sign-in")
}

#[derive(Deserialize)]
struct SetUpForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    project_name: String,
    #[serde(default)]
    project_slug: String,
}

async fn set_up(
    State(state): State<AppState>,
    session: Session,
    Path(token): Path<String>,
    Form(form): Form<SetUpForm>,
) -> Redirect {
    let page = format!("/set-up/{}", percent_encoded(&token));
    match use_link(&state, &session, &token, &form).await {
        Ok(()) => Redirect::to("/"),
        Err(refusal) => back(
            &page,
            &[
                ("error", &refusal),
                ("email", &form.email),
                ("name", &form.name),
                ("project_name", &form.project_name),
                ("project_slug", &form.project_slug),
            ],
        ),
    }
}

async fn use_link(
    state: &AppState,
    session: &Session,
    token: &str,
    form: &SetUpForm,
) -> Result<(), String> {
    let internal = |error: anyhow::Error| {
        tracing::error!(error = format!("{error:#}"), "setting up failed");
        "something went wrong here; it was logged".to_owned()
    };
    let now = state.clock.now();
    let token = secret::hash(token);
    let link = store::people::link(&state.store, &token, now)
        .await
        .map_err(|error| internal(error.into()))?
        .ok_or("this link was used already or has expired")?;
    check_password(&form.password).map_err(|error| error.to_string())?;
    let password_hash = hash_password(form.password.clone())
        .await
        .map_err(internal)?;
    let person = match link {
        LinkFor::Person(person) => {
            store::people::choose_password(&state.store, &token, person.id, &password_hash, now)
                .await
                .map_err(|error| internal(error.into()))?;
            person.id
        }
        LinkFor::FirstAdmin => {
            let email = parse_email(&form.email).map_err(|message| format!("e-mail: {message}"))?;
            let first = FirstAdmin {
                email: &email,
                name: &form.name,
                password_hash: &password_hash,
                project_slug: &form.project_slug,
                project_name: &form.project_name,
            };
            match store::people::create_first_admin(&state.store, &token, &first, now).await {
                Ok(person) => person,
                Err(store::Error::Database(error)) => return Err(internal(error.into())),
                Err(refusal) => return Err(refusal.to_string()),
            }
        }
    };
    enter(session, person).await.map_err(internal)
}

/// The address that throttling counts by.
pub(crate) fn client_address(
    config: &Arc<Config>,
    headers: &HeaderMap,
    peer: SocketAddr,
) -> String {
    config
        .client_address_header
        .as_deref()
        .and_then(|name| headers.get(name)?.to_str().ok())
        // The last entry is the one our own proxy wrote; the ones before it anybody can invent.
        .and_then(|value| value.rsplit(',').next())
        .map_or_else(
            || peer.ip().to_string(),
            |address| address.trim().to_owned(),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_never_leads_to_another_site() {
        assert_eq!(local("/p/demo/prompts?q=a"), "/p/demo/prompts?q=a");
        for foreign in [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/sign-in?next=/sign-in",
        ] {
            assert_eq!(local(foreign), "/", "{foreign}");
        }
    }
}
