//! Secrets that are shown once and kept as hashes: API keys and one-time links. Like ids, they
//! are made by chance, so they are made here and not in the domain.

use sha2::{Digest, Sha256};

/// Characters of a key that may be shown again, to tell keys apart.
const PREFIX: usize = 11;

/// A secret, for the one who gets to see it. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// An API key: 256 random bits behind `clk_`, so that scanners for leaked secrets can tell it.
    pub fn new_key() -> Result<Self, getrandom::Error> {
        Ok(Self(format!("clk_{}", random_hex()?)))
    }

    /// What webhooks are signed with: 256 random bits behind `whsec_`.
    pub fn new_signing() -> Result<Self, getrandom::Error> {
        Ok(Self(format!("whsec_{}", random_hex()?)))
    }

    /// The token of a one-time link: 256 random bits.
    pub fn new_link() -> Result<Self, getrandom::Error> {
        random_hex().map(Self)
    }

    /// A secret that somebody else made.
    #[must_use]
    pub const fn given(text: String) -> Self {
        Self(text)
    }

    /// The secret itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The characters that may be shown again.
    #[must_use]
    pub fn prefix(&self) -> String {
        self.0.chars().take(PREFIX).collect()
    }

    /// What is kept.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        hash(&self.0)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The hash under which a secret is kept.
#[must_use]
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

fn random_hex() -> Result<String, getrandom::Error> {
    use std::fmt::Write;
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_do_not_show() {
        let (one, two) = (Secret::new_key().unwrap(), Secret::new_key().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.reveal().len(), 68);
        assert_eq!(format!("{one:?}"), "Secret(…)");
        assert_eq!(one.hash(), hash(one.reveal()));
    }
}
