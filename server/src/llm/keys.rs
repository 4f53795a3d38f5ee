//! Providers' API keys: what holds them in memory, how they are sealed before they are stored, and
//! where those of the environment come from. Neither a log nor an error ever shows one.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use rand::{TryRngCore, rngs::OsRng};
pub use secrecy::{ExposeSecret, SecretString as Secret};
use secrecy::{SecretBox, zeroize::Zeroizing};

use super::settings::{BaseUrl, Kind};

/// How the bytes after this one are to be read; another way of sealing gets another number.
const FORM: u8 = 1;
const NONCE_BYTES: usize = 24;

/// What saved keys are sealed with: 32 random bytes of the operator's (`CUELINE_SECRET_KEY`).
/// `Debug` does not show it, and it is wiped when the last copy goes.
#[derive(Clone, Debug)]
pub struct MasterKey(Arc<SecretBox<[u8; 32]>>);

/// What was given is no master key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "CUELINE_SECRET_KEY must be 32 bytes, as 64 hexadecimal digits or in base64; \
     `openssl rand -hex 32` makes one"
)]
pub struct NotAMasterKey;

/// Why a key was not sealed or not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The operator gave no master key.
    #[error(
        "this server cannot keep API keys: set CUELINE_SECRET_KEY to 32 random bytes \
         (`openssl rand -hex 32`) and restart it, or put the key into the server's environment"
    )]
    NoMasterKey,
    /// Another master key, another owner, or bytes that were changed.
    #[error(
        "the saved API key cannot be opened: CUELINE_SECRET_KEY is not the one it was saved \
         with, or the stored bytes were changed; save the API key again"
    )]
    CannotOpen,
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes")]
    NoChance,
}

impl MasterKey {
    /// Reads 64 hexadecimal digits, or base64 of either alphabet, with or without padding.
    pub fn parse(text: &Secret) -> Result<Self, NotAMasterKey> {
        let text = text.expose_secret().trim();
        let bytes = Zeroizing::new(decode(text).ok_or(NotAMasterKey)?);
        let mut key = Box::new([0; 32]);
        if bytes.len() != key.len() {
            return Err(NotAMasterKey);
        }
        key.copy_from_slice(&bytes);
        Ok(Self(Arc::new(SecretBox::new(key))))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.0.expose_secret().into())
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    if text.len() == 64 {
        return hex::decode(text).ok();
    }
    let text = text.trim_end_matches('=');
    general_purpose::STANDARD_NO_PAD
        .decode(text)
        .or_else(|_| general_purpose::URL_SAFE_NO_PAD.decode(text))
        .ok()
}

/// Seals a key for storing. `owner` (the provider's id, say) is not stored but must be the same
/// when it is opened, so that a sealed key cannot be moved to another provider's row.
pub fn seal(
    master_key: Option<&MasterKey>,
    key: &Secret,
    owner: &[u8],
) -> Result<Vec<u8>, SealError> {
    let cipher = master_key.ok_or(SealError::NoMasterKey)?.cipher();
    let mut nonce = [0; NONCE_BYTES];
    OsRng
        .try_fill_bytes(&mut nonce)
        .map_err(|_| SealError::NoChance)?;
    let payload = Payload {
        msg: key.expose_secret().as_bytes(),
        aad: owner,
    };
    // Fails only for texts of many gigabytes.
    let sealed = cipher
        .encrypt(&nonce.into(), payload)
        .map_err(|_| SealError::CannotOpen)?;
    Ok([&[FORM], nonce.as_slice(), &sealed].concat())
}

/// Opens what [`seal`] made.
pub fn open(
    master_key: Option<&MasterKey>,
    sealed: &[u8],
    owner: &[u8],
) -> Result<Secret, SealError> {
    let cipher = master_key.ok_or(SealError::NoMasterKey)?.cipher();
    let Some((&FORM, rest)) = sealed.split_first() else {
        return Err(SealError::CannotOpen);
    };
    let Some((nonce, sealed)) = rest.split_first_chunk::<NONCE_BYTES>() else {
        return Err(SealError::CannotOpen);
    };
    let payload = Payload {
        msg: sealed,
        aad: owner,
    };
    let bytes = cipher
        .decrypt(&(*nonce).into(), payload)
        .map_err(|_| SealError::CannotOpen)?;
    // The bytes move into the secret: no copy stays behind.
    String::from_utf8(bytes)
        .map(Secret::from)
        .map_err(|_| SealError::CannotOpen)
}

/// The keys that stand in the server's environment, each with the address it is for.
#[derive(Clone, Debug, Default)]
pub struct EnvironmentKeys {
    /// `OPENAI_API_KEY` and `OPENAI_BASE_URL`.
    pub openai: EnvironmentKey,
    /// `ANTHROPIC_API_KEY` and `ANTHROPIC_BASE_URL`.
    pub anthropic: EnvironmentKey,
}

/// A key of the environment.
#[derive(Clone, Debug, Default)]
pub struct EnvironmentKey {
    /// The key.
    pub key: Option<Secret>,
    /// Whose key it is, where that is not the maker of the protocol: a gateway, say.
    pub base_url: Option<BaseUrl>,
}

impl EnvironmentKeys {
    /// The key for a provider that has none saved. It goes to the protocol's maker or to the host
    /// the operator named, and to nobody else: who may add a provider must not thereby be able to
    /// send the server's own key to a host of their choice.
    #[must_use]
    pub fn for_provider(&self, kind: Kind, base_url: &BaseUrl) -> Option<Secret> {
        let ours = match kind {
            Kind::OpenAi => &self.openai,
            Kind::Anthropic => &self.anthropic,
        };
        let is_meant = base_url.is_makers_own(kind)
            || ours
                .base_url
                .as_ref()
                .is_some_and(|named| named.has_same_origin(base_url));
        ours.key.clone().filter(|_| is_meant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "sk-live-0123456789abcdef";

    fn master(byte: u8) -> MasterKey {
        MasterKey::parse(&hex::encode([byte; 32]).into()).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_for_its_owner_alone() {
        let sealed = seal(Some(&master(1)), &KEY.into(), b"provider 1").unwrap();
        let opened = open(Some(&master(1)), &sealed, b"provider 1").unwrap();
        assert_eq!(opened.expose_secret(), KEY);
        let fails = |master_key, sealed: &[u8], owner: &[u8]| {
            let error = open(Some(&master_key), sealed, owner).unwrap_err();
            assert_eq!(error, SealError::CannotOpen);
        };
        fails(master(2), &sealed, b"provider 1");
        fails(master(1), &sealed, b"provider 2");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            fails(master(1), &changed, b"provider 1");
            fails(master(1), &sealed[..at], b"provider 1");
        }
    }

    #[test]
    fn sealing_the_same_key_twice_gives_different_bytes_that_do_not_hold_it() {
        let sealed = |_| seal(Some(&master(1)), &KEY.into(), b"").unwrap();
        let (first, second) = (sealed(1), sealed(2));
        assert_ne!(first, second);
        assert!(!first.windows(6).any(|part| part == &KEY.as_bytes()[..6]));
    }

    #[test]
    fn without_a_master_key_saving_is_refused_in_words_that_help() {
        let error = seal(None, &KEY.into(), b"").unwrap_err();
        assert!(error.to_string().contains("set CUELINE_SECRET_KEY"));
    }

    #[test]
    fn a_master_key_is_read_in_both_spellings() {
        let bytes = [251; 32];
        for text in [
            hex::encode(bytes),
            hex::encode_upper(bytes),
            general_purpose::STANDARD.encode(bytes),
            general_purpose::URL_SAFE.encode(bytes),
            format!(" {}\n", general_purpose::STANDARD_NO_PAD.encode(bytes)),
        ] {
            let key = MasterKey::parse(&text.into()).unwrap();
            assert_eq!(key.0.expose_secret(), &bytes);
        }
        for text in ["", "hunter2", &hex::encode([1; 31]), &"x".repeat(64)] {
            assert!(MasterKey::parse(&text.into()).is_err(), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let keys = EnvironmentKeys {
            openai: EnvironmentKey {
                key: Some(KEY.into()),
                base_url: None,
            },
            ..EnvironmentKeys::default()
        };
        let shown = format!("{keys:?} {:?}", master(7));
        assert!(
            !shown.contains("sk-live") && !shown.contains("7, 7"),
            "{shown}"
        );
    }

    #[test]
    fn a_key_of_the_environment_goes_to_hosts_the_operator_meant() {
        let mut keys = EnvironmentKeys {
            openai: EnvironmentKey {
                key: Some(KEY.into()),
                base_url: None,
            },
            ..EnvironmentKeys::default()
        };
        let goes_to = |keys: &EnvironmentKeys, kind, url| {
            keys.for_provider(kind, &BaseUrl::parse(url).unwrap())
                .is_some()
        };
        assert!(goes_to(&keys, Kind::OpenAi, "https://api.openai.com/v1"));
        assert!(!goes_to(&keys, Kind::OpenAi, "http://api.openai.com/v1"));
        assert!(!goes_to(
            &keys,
            Kind::OpenAi,
            "https://api.openai.com.evil.example"
        ));
        assert!(!goes_to(&keys, Kind::OpenAi, "http://127.0.0.1:11434/v1"));
        assert!(!goes_to(
            &keys,
            Kind::Anthropic,
            "https://api.anthropic.com"
        ));
        keys.openai.base_url = Some(BaseUrl::parse("http://gateway.internal:4000").unwrap());
        assert!(goes_to(
            &keys,
            Kind::OpenAi,
            "http://gateway.internal:4000/v1"
        ));
        assert!(!goes_to(
            &keys,
            Kind::OpenAi,
            "http://gateway.internal:4001/v1"
        ));
    }
}
