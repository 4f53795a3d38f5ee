//! How a receiver knows who sends: HMAC-SHA256 over the time and the body, as `t=<unix>,v1=<hex>`.
//! The time is signed too, so that what was heard once cannot be said again later.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Why a signature is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// It is not `t=<unix>,v1=<hex>`.
    #[error("the signature is not of the form t=<unix>,v1=<hex>")]
    Malformed,
    /// It was made too long ago, or is from the future.
    #[error("the signature's time is too far from now")]
    Stale,
    /// Another secret, or another body.
    #[error("the signature does not fit the body")]
    Wrong,
}

/// Signs a body that is sent at that time, in seconds since 1970.
#[must_use]
pub fn sign(secret: &str, unix: i64, body: &str) -> String {
    let bytes = code(secret, unix, body).finalize().into_bytes();
    let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("t={unix},v1={hex}")
}

/// Checks a signature as receivers should: the time first, then the code, in constant time.
/// `tolerance` and `now` are in seconds. Unknown parts are skipped, for schemes to come.
pub fn verify(
    secret: &str,
    header: &str,
    body: &str,
    now: i64,
    tolerance: i64,
) -> Result<(), BadSignature> {
    let parts: Vec<(&str, &str)> = header
        .split(',')
        .filter_map(|part| part.trim().split_once('='))
        .collect();
    let of = |name: &'static str| {
        parts
            .iter()
            .filter(move |(found, _)| *found == name)
            .map(|(_, value)| *value)
    };
    let unix: i64 = of("t")
        .next()
        .and_then(|text| text.parse().ok())
        .ok_or(BadSignature::Malformed)?;
    let mut codes = of("v1").peekable();
    if codes.peek().is_none() {
        return Err(BadSignature::Malformed);
    }
    if now.abs_diff(unix) > tolerance.unsigned_abs() {
        return Err(BadSignature::Stale);
    }
    let is_signed = codes
        .filter_map(bytes)
        .any(|given| code(secret, unix, body).verify_slice(&given).is_ok());
    if is_signed {
        Ok(())
    } else {
        Err(BadSignature::Wrong)
    }
}

fn code(secret: &str, unix: i64, body: &str) -> Hmac<Sha256> {
    let mut code = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    code.update(unix.to_string().as_bytes());
    code.update(b".");
    code.update(body.as_bytes());
    code
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) || !hex.is_ascii() {
        return None;
    }
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_anybody_computes() {
        // printf '1800000000.{"a":1}' | openssl dgst -sha256 -hmac whsec_test
        assert_eq!(
            sign("whsec_test", 1_800_000_000, "{\"a\":1}"),
            "t=1800000000,v1=7de5e6bbc99c65ef0ddccacd4308ba03a5a12eb8859a0db070c5ca731c4fdc19"
        );
    }

    #[test]
    fn what_was_signed_verifies_and_nothing_else() {
        let header = sign("secret", 1_000, "body");
        let verify = |secret, header: &str, body, now| verify(secret, header, body, now, 300);
        assert_eq!(verify("secret", &header, "body", 1_300), Ok(()));
        assert_eq!(verify("secret", &header, "body", 700), Ok(()));
        assert_eq!(
            verify("secret", &header, "body", 1_301),
            Err(BadSignature::Stale)
        );
        assert_eq!(
            verify("other", &header, "body", 1_000),
            Err(BadSignature::Wrong)
        );
        assert_eq!(
            verify("secret", &header, "Body", 1_000),
            Err(BadSignature::Wrong)
        );
        let later = header.replace("t=1000", "t=1001");
        assert_eq!(
            verify("secret", &later, "body", 1_000),
            Err(BadSignature::Wrong)
        );
        // While a secret is changed, there may be two.
        let two = format!("{header},v1=00,v2=x");
        assert_eq!(verify("secret", &two, "body", 1_000), Ok(()));
        for malformed in ["", "t=x,v1=00", "t=1000", "v1=00", "1000"] {
            assert_eq!(
                verify("secret", malformed, "body", 1_000),
                Err(BadSignature::Malformed),
                "{malformed}"
            );
        }
        assert_eq!(
            verify("secret", "t=1000,v1=é0", "body", 1_000),
            Err(BadSignature::Wrong)
        );
    }
}
