//! The demo's passwords and keys: those that were asked for, or random ones that stay the same as
//! long as the data directory does, so that bookmarks, sessions and scripts survive a restart.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::{Context, ensure};
use argon2::{
    Argon2,
    password_hash::{PasswordVerifier, phc::PasswordHash},
};
use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Scope},
    project::MAX_PASSWORD,
};
use serde::{Deserialize, Serialize};
use store::{
    Store,
    keys::{self, NewKey},
    people,
    secret::Secret,
};

use super::{CLIENTS, PEOPLE};
use crate::sign_in::hash_password;

/// The key that scripts drive the demo with.
pub(super) const API_KEY: &str = "demo key";
/// The key that the demo's clients follow with.
const CLIENTS_KEY: &str = "demo clients";
/// Letters and digits that nobody mistakes for each other.
const ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// What the one who starts the demo asks for.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Everybody's password.
    pub password: Option<String>,
    /// The key with every scope.
    pub api_key: Option<String>,
}

/// What works from now on.
#[derive(Clone, Serialize, Deserialize)]
pub struct Credentials {
    /// Everybody's password.
    pub password: String,
    /// The key with every scope.
    pub api_key: String,
    /// What the demo's own clients follow with.
    pub clients_key: String,
    /// What the webhooks' secrets are sealed with, unless the environment says something else.
    #[serde(default)]
    pub secret_key: String,
}

/// Makes passwords and keys what was asked for, or what the last start made up.
pub async fn install(
    store: &Store,
    operator: &Actor,
    wishes: &Wishes,
    data_dir: &Path,
    now: DateTime<Utc>,
) -> anyhow::Result<Credentials> {
    let kept = keep(&data_dir.join("demo-credentials.json"))?;
    let credentials = Credentials {
        password: wishes.password.clone().unwrap_or(kept.password),
        api_key: wishes.api_key.clone().unwrap_or(kept.api_key),
        clients_key: kept.clients_key,
        secret_key: kept.secret_key,
    };
    ensure!(
        (1..=MAX_PASSWORD).contains(&credentials.password.chars().count()),
        "the demo's password must have 1 to {MAX_PASSWORD} characters"
    );
    ensure!(
        credentials.api_key.chars().all(|c| c.is_ascii_graphic()),
        "the demo's key must be visible ASCII characters: it travels in a header"
    );
    for person in PEOPLE {
        set_password(store, person.email, &credentials.password).await?;
    }
    let new = NewKey {
        name: API_KEY.to_owned(),
        scopes: Scope::ALL.to_vec(),
        environments: None,
    };
    set_key(store, operator, new, &credentials.api_key, now).await?;
    let mut environments: Vec<String> = CLIENTS
        .iter()
        .map(|client| client.environment.to_owned())
        .collect();
    environments.dedup();
    let new = NewKey {
        name: CLIENTS_KEY.to_owned(),
        scopes: vec![Scope::PromptsRead],
        environments: Some(environments),
    };
    set_key(store, operator, new, &credentials.clients_key, now).await?;
    Ok(credentials)
}

/// What the last start made up, or something new that only this user may read.
fn keep(path: &Path) -> anyhow::Result<Credentials> {
    let said = || format!("{}", path.display());
    if let Ok(text) = fs::read_to_string(path) {
        let mut kept: Credentials = serde_json::from_str(&text).with_context(said)?;
        // Kept by a demo that had nothing to seal yet.
        if kept.secret_key.is_empty() {
            kept.secret_key = new_secret_key();
            fs::write(path, serde_json::to_string_pretty(&kept)?).with_context(said)?;
        }
        return Ok(kept);
    }
    let credentials = Credentials {
        password: new_password(),
        api_key: Secret::new_key()?.reveal().to_owned(),
        clients_key: Secret::new_key()?.reveal().to_owned(),
        secret_key: new_secret_key(),
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(said)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(said)?;
    file.write_all(serde_json::to_string_pretty(&credentials)?.as_bytes())
        .with_context(said)?;
    Ok(credentials)
}

/// 32 random bytes.
fn new_secret_key() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

/// Four groups of four: 79 random bits that can be read aloud.
fn new_password() -> String {
    let groups: Vec<String> = (0..4)
        .map(|_| {
            (0..4)
                .map(|_| char::from(ALPHABET[rand::random_range(0..ALPHABET.len())]))
                .collect()
        })
        .collect();
    groups.join("-")
}

/// A password that fits already stays as it is: setting it would end the person's sessions.
async fn set_password(store: &Store, email: &str, password: &str) -> anyhow::Result<()> {
    let Some(person) = people::by_email(store, email).await? else {
        return Ok(());
    };
    let fits = person.password_hash.as_deref().is_some_and(|kept| {
        PasswordHash::new(kept).is_ok_and(|hash| {
            Argon2::default()
                .verify_password(password.as_bytes(), &hash)
                .is_ok()
        })
    });
    if !fits {
        let hash = hash_password(password.to_owned()).await?;
        people::set_password(store, person.id, &hash).await?;
    }
    Ok(())
}

/// Of the keys with that name exactly this one works.
async fn set_key(
    store: &Store,
    operator: &Actor,
    new: NewKey,
    key: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let secret = Secret::given(key.to_owned());
    let hash = secret.hash();
    let live = keys::live(store).await?;
    let mut is_there = false;
    for key in live.iter().filter(|key| key.project == operator.project) {
        if key.key_hash == hash {
            is_there = true;
        } else if key.name == new.name {
            keys::revoke(store, operator, key.id, now).await?;
        }
    }
    if !is_there && !keys::reinstate(store, operator, &secret, now).await? {
        keys::create(store, operator, new, &secret, now).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_passwords_are_long_and_differ() {
        let (one, two) = (new_password(), new_password());
        assert_eq!(one.len(), 19);
        assert_ne!(one, two);
    }
}
