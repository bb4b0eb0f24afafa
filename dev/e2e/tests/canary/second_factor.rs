//! Codes of an authenticator, and those for whoever has lost it.

use aws_lc_rs::hmac;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::SystemTime;

use crate::{accounts::Account, visitor::Visitor};

const BEGIN: &str = "/api/v1/auth/second-factor";
const CONFIRM: &str = "/api/v1/auth/second-factor/confirm";
const REMOVE: &str = "/api/v1/auth/second-factor/remove";
const STEP_SECS: u64 = 30;

/// Has one for a while.
pub async fn is_used(visitor: &Visitor<'_>, account: &Account) {
    let token = account.token(visitor).await;
    let bearer = Some(token.as_str());
    let own = json!({"password": account.password});
    let wrong = json!({"password": visitor.secret("a wrong password")});
    visitor.mangles(BEGIN, bearer, &own).await;
    let (status, _) = visitor.post(BEGIN, bearer, &wrong).await;
    assert_eq!(status, 401);
    let begun = visitor.post(BEGIN, bearer, &own).await;
    let begun = visitor.must(200, begun).await;
    let authenticator = Authenticator::read(visitor, begun["secret"].as_str().unwrap());

    let (code, next) = authenticator.codes(visitor);
    let proof = json!({"code": code});
    visitor.mangles(CONFIRM, bearer, &proof).await;
    for wrong in [
        authenticator.wrong(visitor),
        format!("{code}\u{0}"),
        begun["secret"].to_string(),
    ] {
        let (status, _) = visitor.post(CONFIRM, bearer, &json!({"code": wrong})).await;
        assert!(status.is_client_error());
    }
    let confirmed = visitor.post(CONFIRM, bearer, &proof).await;
    let confirmed = visitor.must(200, confirmed).await;
    signs_in(visitor, account, (&authenticator, &next), &confirmed).await;

    visitor.mangles(REMOVE, bearer, &own).await;
    let (status, _) = visitor.post(REMOVE, bearer, &wrong).await;
    assert_eq!(status, 401);
    let removed = visitor.post(REMOVE, bearer, &own).await;
    visitor.must(204, removed).await;
}

async fn signs_in(
    visitor: &Visitor<'_>,
    account: &Account,
    (authenticator, next): (&Authenticator, &str),
    confirmed: &Value,
) {
    let codes = confirmed["recovery_codes"].as_array().unwrap();
    let (lost, other) = (codes[0].as_str().unwrap(), codes[1].as_str().unwrap());
    for code in codes {
        // However it is typed.
        let plain = code.as_str().unwrap().replace('-', "");
        visitor.note("a recovery code in one word", &plain);
        visitor.note("a recovery code in capitals", &plain.to_uppercase());
    }
    let changed = format!("{}{}", &lost[..10], &other[10..]);
    visitor.note("a wrong recovery code", &changed);
    let wrong = authenticator.wrong(visitor);
    for (code, expected) in [
        (None, 401),
        (Some(wrong.as_str()), 401),
        (Some(next), 200),
        (Some(next), 401),
        (Some(lost), 200),
        (Some(lost), 401),
        (Some(&changed), 401),
        (Some(&other.to_uppercase()), 200),
    ] {
        let (status, answer) = account.tries(visitor, code).await;
        assert_eq!(status, expected, "{answer}");
    }
    let login = json!({"email": account.email, "password": account.password, "code": lost});
    visitor.mangles(crate::accounts::LOGIN, None, &login).await;
    visitor.misplaces(lost).await;
    visitor.misplaces(next).await;
    // Nobody reads this one back.
    let request = visitor.request(Method::GET, BEGIN);
    let (status, _) = visitor.send(request, None).await;
    assert!(status.is_client_error());
}

/// One of its own making, as RFC 6238 has it.
struct Authenticator(Vec<u8>);

impl Authenticator {
    fn read(visitor: &Visitor<'_>, base32: &str) -> Self {
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let bits: String = base32
            .chars()
            .map(|letter| format!("{:05b}", alphabet.find(letter).unwrap()))
            .collect();
        let bytes = bits.as_bytes().chunks_exact(8);
        let byte = |bits: &[u8]| u8::from_str_radix(std::str::from_utf8(bits).unwrap(), 2).unwrap();
        let secret: Vec<u8> = bytes.map(byte).collect();
        visitor.note_bytes("the secret of an authenticator", &secret);
        Self(secret)
    }

    /// That of now and the next one.
    #[expect(
        clippy::disallowed_methods,
        reason = "the box office has a clock of its own"
    )]
    fn codes(&self, visitor: &Visitor<'_>) -> (String, String) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let step = now.unwrap().as_secs() / STEP_SECS;
        let codes = (self.code(step), self.code(step + 1));
        visitor.note_code("a code of an authenticator", &codes.0);
        visitor.note_code("the next code of an authenticator", &codes.1);
        codes
    }

    /// One of a time that is long over.
    fn wrong(&self, visitor: &Visitor<'_>) -> String {
        let wrong = self.code(7);
        visitor.note_code("a wrong code of an authenticator", &wrong);
        wrong
    }

    fn code(&self, step: u64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let at = usize::from(tag.as_ref()[19] & 15);
        let word: [u8; 4] = tag.as_ref()[at..at + 4].try_into().unwrap();
        let number = (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000;
        format!("{number:06}")
    }
}
