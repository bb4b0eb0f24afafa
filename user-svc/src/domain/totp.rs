//! One-time codes from a shared secret and the time (RFC 6238: HMAC-SHA-1, 30 seconds, six digits, which is
//! what every authenticator can), and recovery codes.

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use base::{Secret, Sources};
use time::{Duration, OffsetDateTime};

/// A secret that nobody has confirmed for so long is no use any more: whoever saw it once must not come back.
pub(crate) const BEGUN_FOR: Duration = Duration::minutes(15);
const STEP_SECS: i64 = 30;
const DIGITS: usize = 6;
/// Clocks differ, and people type slowly.
const STEPS_AROUND: i64 = 1;
const SECRET_BYTES: usize = 20;
const RECOVERY_CODES: usize = 10;
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ISSUER: &str = "Boxoffice";

pub(crate) fn new_secret(sources: &Sources) -> [u8; SECRET_BYTES] {
    sources.bytes()
}

/// As authenticators take it.
pub(crate) fn to_base32(secret: &[u8]) -> Secret {
    Secret::new(base32(secret))
}

/// What a QR code for an authenticator says.
pub(crate) fn address(secret: &[u8], email: &str) -> Secret {
    let account: String = url::form_urlencoded::byte_serialize(email.as_bytes()).collect();
    let secret = base32(secret);
    Secret::new(format!(
        "otpauth://totp/{ISSUER}:{account}?secret={secret}&issuer={ISSUER}\
         &algorithm=SHA1&digits={DIGITS}&period={STEP_SECS}"
    ))
}

/// The time step that a code belongs to; none where it is wrong, or of `last_step` or before.
pub(crate) fn step_of(
    secret: &[u8],
    code: &str,
    (now, last_step): (OffsetDateTime, i64),
) -> Option<i64> {
    let current = now.unix_timestamp().div_euclid(STEP_SECS);
    let steps = (current - STEPS_AROUND)..=(current + STEPS_AROUND);
    steps.filter(|step| *step > last_step).find(|step| {
        verify_slices_are_equal(code_at(secret, *step).as_bytes(), code.as_bytes()).is_ok()
    })
}

/// Whether a text could be a code of an authenticator; other texts are recovery codes.
pub(crate) fn is_code(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn code_at(secret: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    // RFC 4226 §5.3: the last four bits say where to read 31 bits.
    let at = usize::from(tag[tag.len() - 1] & 0x0f);
    let word = u32::from_be_bytes([tag[at], tag[at + 1], tag[at + 2], tag[at + 3]]) & 0x7fff_ffff;
    format!("{:0DIGITS$}", word % 1_000_000)
}

/// Codes of 80 random bits, in groups that people can copy.
pub(crate) fn new_recovery_codes(sources: &Sources) -> Vec<Secret> {
    let code = || {
        let text = base32(&sources.bytes::<10>()).to_lowercase();
        let groups: Vec<&str> = (0..4)
            .map(|group| &text[group * 4..group * 4 + 4])
            .collect();
        Secret::new(groups.join("-"))
    };
    (0..RECOVERY_CODES).map(|_| code()).collect()
}

/// However it was typed.
pub(crate) fn recovery_code_hash(code: &str) -> [u8; 32] {
    let letters = code.chars().filter(|letter| letter.is_alphanumeric());
    let plain: String = letters.flat_map(char::to_lowercase).collect();
    base::digest(plain.as_bytes())
}

fn base32(bytes: &[u8]) -> String {
    let (mut text, mut bits, mut held) = (String::new(), 0u32, 0u32);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(BASE32[((held >> bits) & 31) as usize]));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(BASE32[((held << (5 - bits)) & 31) as usize]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = b"12345678901234567890";
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let now = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
            assert_eq!(
                step_of(secret, code, (now, 0)),
                Some(seconds / 30),
                "{seconds}"
            );
        }
    }

    #[test]
    fn a_code_works_for_a_minute_and_once() {
        let secret = b"12345678901234567890";
        let at = |seconds| OffsetDateTime::from_unix_timestamp(seconds).unwrap();
        let code = code_at(secret, 100);
        for (seconds, works) in [
            (2969, false),
            (2970, true),
            (3000, true),
            (3059, true),
            (3060, false),
        ] {
            assert_eq!(
                step_of(secret, &code, (at(seconds), 0)).is_some(),
                works,
                "{seconds}"
            );
        }
        assert_eq!(step_of(secret, &code, (at(3000), 100)), None);
        assert_eq!(step_of(secret, "", (at(3000), 0)), None);
    }

    /// RFC 4648, section 10, without padding.
    #[test]
    fn base32_is_that_of_the_standard() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn recovery_codes_are_read_however_they_are_typed() {
        let codes = new_recovery_codes(&Sources::system());
        assert_eq!(codes.len(), RECOVERY_CODES);
        let code = codes[0].expose();
        assert_eq!(code.len(), 19);
        assert!(!is_code(code));
        let typed = code.to_uppercase().replace('-', " ");
        assert_eq!(recovery_code_hash(code), recovery_code_hash(&typed));
    }
}
