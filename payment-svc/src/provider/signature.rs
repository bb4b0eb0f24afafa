//! Signed webhooks: `t=<unix seconds>,v1=<hex HMAC-SHA-256 of "t.body">`, Stripe's scheme. The sandbox
//! signs the same way under a header of its own.

use std::{fmt, str::FromStr};

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use time::OffsetDateTime;

/// An older or newer signature is a replay.
const TOLERANCE_SECS: i64 = 300;
const SECRET_MIN_CHARS: usize = 16;

/// The secrets of the webhooks: the first signs, all verify, so that they can be rotated.
#[derive(Clone)]
pub struct WebhookSecrets(Vec<hmac::Key>);

impl fmt::Debug for WebhookSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecrets(***)")
    }
}

#[derive(Debug, thiserror::Error)]
#[error("each secret must have {SECRET_MIN_CHARS} characters or more")]
pub struct SecretTooShort;

impl FromStr for WebhookSecrets {
    type Err = SecretTooShort;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let key = |secret: &str| {
            let secret = secret.trim();
            let long_enough = secret.len() >= SECRET_MIN_CHARS;
            let key = long_enough.then(|| hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()));
            key.ok_or(SecretTooShort)
        };
        text.split(',').map(key).collect::<Result<_, _>>().map(Self)
    }
}

impl WebhookSecrets {
    /// The header's value.
    pub(super) fn sign(&self, body: &[u8], now: OffsetDateTime) -> String {
        let t = now.unix_timestamp().to_string();
        format!("t={t},v1={}", mac(&self.0[0], &t, body))
    }

    pub(super) fn verify(&self, header: &str, body: &[u8], now: OffsetDateTime) -> bool {
        let parts = || {
            header
                .split(',')
                .filter_map(|part| part.trim().split_once('='))
        };
        let Some((_, t)) = parts().find(|(name, _)| *name == "t") else {
            return false;
        };
        let age = t.parse::<i64>().map(|t| t.abs_diff(now.unix_timestamp()));
        if !age.is_ok_and(|secs| secs <= TOLERANCE_SECS.unsigned_abs()) {
            return false;
        }
        let right: Vec<String> = self.0.iter().map(|key| mac(key, t, body)).collect();
        parts()
            .filter(|(name, _)| *name == "v1")
            .any(|(_, presented)| {
                right.iter().any(|mac| {
                    verify_slices_are_equal(mac.as_bytes(), presented.as_bytes()).is_ok()
                })
            })
    }
}

fn mac(key: &hmac::Key, t: &str, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(t.as_bytes());
    context.update(b".");
    context.update(body);
    base::hex(context.sign().as_ref())
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;

    #[test]
    fn a_signature_fits_its_body_and_its_time() {
        let now = datetime!(2026-06-12 18:00 UTC);
        let old: WebhookSecrets = "0123456789abcdef".parse().unwrap();
        let rotated: WebhookSecrets = "fedcba9876543210,0123456789abcdef".parse().unwrap();
        let header = old.sign(b"body", now);
        assert!(old.verify(&header, b"body", now));
        assert!(rotated.verify(&header, b"body", now + Duration::seconds(300)));
        assert!(!old.verify(&rotated.sign(b"body", now), b"body", now));
        assert!(!old.verify(&header, b"body ", now));
        assert!(!old.verify(&header, b"body", now + Duration::seconds(301)));
        assert!(!old.verify(&header, b"body", now - Duration::seconds(301)));
        for bad in [
            "",
            "t=1",
            "v1=00",
            "t=x,v1=00",
            "t=1781287200",
            "t=1781287200,v1=",
        ] {
            assert!(!old.verify(bad, b"body", now), "{bad}");
        }
        assert!("0123456789abcdef,short".parse::<WebhookSecrets>().is_err());
    }
}
