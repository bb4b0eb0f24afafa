//! Which tokens are believed. Each bad one differs from a good one in a single point.

use auth::{AUDIENCE, Claims, ISSUER, KEY_AUDIENCE, MAX_TOKEN_BYTES, Role};
use aws_lc_rs::{hmac, signature::KeyPair};
use kit::{Code, ErrorReason, VerifyToken};
use proto::Scopes;
use serde_json::{Value, json};

use crate::forge::{Bench, SUBJECT, Signer, encode, part, payload};

#[tokio::test]
async fn good_tokens_pass() {
    let bench = Bench::new();
    let now = bench.now;
    let claims = bench.verifier.claims(&bench.good()).await.unwrap();
    let expected = Claims {
        sub: SUBJECT.parse().unwrap(),
        role: Role::Admin,
        iat: now,
        exp: now + 600,
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sid: SUBJECT.parse().unwrap(),
        r#gen: 0,
        scope: None,
    };
    assert_eq!(claims, expected);
    for good in [
        bench.with_claim("later_claim", json!("of a newer version")),
        bench.with_claim("nbf", json!(now)),
        bench.with_claim("iat", json!(now + 4)),
        bench.with_claim("exp", json!(now + 1)),
        bench.with_header("typ", Value::Null),
    ] {
        bench.verifier.claims(&good).await.unwrap();
    }
    let admin = bench.verifier.verify(&bench.good()).await.unwrap();
    assert_eq!(
        (admin.id.to_string().as_str(), admin.superadmin),
        (SUBJECT, false)
    );
    let token = bench.with_claim("role", json!("superadmin"));
    assert!(bench.verifier.verify(&token).await.unwrap().superadmin);
}

#[tokio::test]
async fn bad_tokens_fail_with_one_answer() {
    let bench = Bench::new();
    let mut table = bad_claims(&bench);
    table.extend(bad_headers(&bench));
    table.extend(bad_signatures(&bench));
    table.extend(bad_shapes(&bench));
    assert!(table.len() >= 40, "{}", table.len());
    let mut details = Vec::new();
    for (what, token) in table {
        let Err(failure) = bench.verifier.claims(&token).await else {
            panic!("{what} was believed: {token}");
        };
        assert_eq!(failure.code, Code::Unauthenticated, "{what}");
        assert_eq!(failure.reason, ErrorReason::Unauthenticated, "{what}");
        details.push(failure.detail);
    }
    details.dedup();
    assert_eq!(details.len(), 1);
    // The bench itself is in order.
    bench.verifier.claims(&bench.good()).await.unwrap();
}

#[tokio::test]
async fn a_token_ends_with_its_time() {
    let bench = Bench::new();
    let token = bench.good();
    bench.clock.advance(time::Duration::seconds(604));
    bench.verifier.claims(&token).await.unwrap();
    bench.clock.advance(time::Duration::seconds(1));
    bench.verifier.claims(&token).await.unwrap_err();
}

type Row = (&'static str, String);

fn bad_claims(bench: &Bench) -> Vec<Row> {
    let now = bench.now;
    let cases = [
        ("expired", "exp", json!(now - 6)),
        ("exp before iat", "exp", json!(now - 1)),
        ("exp as text", "exp", json!((now + 600).to_string())),
        ("exp as fraction", "exp", json!(1.0e12)),
        ("exp negative", "exp", json!(-1)),
        ("exp beyond 64 bits", "exp", json!(1e300)),
        ("no exp", "exp", Value::Null),
        ("iat in the future", "iat", json!(now + 60)),
        ("iat as text", "iat", json!("now")),
        ("no iat", "iat", Value::Null),
        ("nbf in the future", "nbf", json!(now + 60)),
        ("nbf as text", "nbf", json!("now")),
        ("wrong iss", "iss", json!("someone")),
        ("iss as list", "iss", json!(["boxoffice"])),
        ("no iss", "iss", Value::Null),
        ("wrong aud", "aud", json!("boxoffice-guest")),
        ("aud as list", "aud", json!(["boxoffice-admin", "else"])),
        ("aud with a space", "aud", json!("boxoffice-admin ")),
        ("no aud", "aud", Value::Null),
        ("no sub", "sub", Value::Null),
        ("sub is no id", "sub", json!("root")),
        ("sub as number", "sub", json!(1)),
        ("no role", "role", Value::Null),
        ("unknown role", "role", json!("owner")),
        ("role in capitals", "role", json!("SUPERADMIN")),
        ("no sid", "sid", Value::Null),
    ];
    cases
        .map(|(what, name, value)| (what, bench.with_claim(name, value)))
        .into()
}

fn bad_headers(bench: &Bench) -> Vec<Row> {
    let cases = [
        ("alg none", "alg", json!("none")),
        ("alg None", "alg", json!("None")),
        ("alg empty", "alg", json!("")),
        ("alg RS256", "alg", json!("RS256")),
        ("alg ES256", "alg", json!("ES256")),
        ("alg HS256", "alg", json!("HS256")),
        ("alg in small letters", "alg", json!("eddsa")),
        ("no alg", "alg", Value::Null),
        ("unknown kid", "kid", json!("key-2")),
        ("kid empty", "kid", json!("")),
        ("kid as path", "kid", json!("../../dev/null")),
        ("kid as number", "kid", json!(1)),
        ("kid too long", "kid", json!("k".repeat(65))),
        ("no kid", "kid", Value::Null),
        ("crit", "crit", json!(["exp"])),
    ];
    cases
        .map(|(what, name, value)| (what, bench.with_header(name, value)))
        .into()
}

fn bad_signatures(bench: &Bench) -> Vec<Row> {
    let (signer, now) = (&bench.signer, bench.now);
    let good = bench.good();
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, body) = message.split_once('.').unwrap();
    let stranger = Signer::new(&signer.key_id);
    let mut raised = payload(now);
    raised["role"] = json!("superadmin");
    let hmac_header = part(&json!({"typ": "JWT", "alg": "HS256", "kid": signer.key_id}));
    let hmac_message = format!("{hmac_header}.{body}");
    let public = hmac::Key::new(hmac::HMAC_SHA256, signer.pair.public_key().as_ref());
    let hmac_tag = encode(hmac::sign(&public, hmac_message.as_bytes()));
    let none_header = part(&json!({"typ": "JWT", "alg": "none", "kid": signer.key_id}));
    vec![
        (
            "another key under our kid",
            stranger.token(&signer.header(), &payload(now)),
        ),
        (
            "payload swapped",
            format!("{header}.{}.{signature}", part(&raised)),
        ),
        (
            "HS256 with the public key",
            format!("{hmac_message}.{hmac_tag}"),
        ),
        ("alg none, no signature", format!("{none_header}.{body}.")),
        ("signature empty", format!("{message}.")),
        (
            "signature of zeros",
            format!("{message}.{}", encode([0; 64])),
        ),
        (
            "signature cut",
            format!("{message}.{}", &signature[..signature.len() - 4]),
        ),
        ("signature with padding", format!("{good}==")),
        ("signature of another token", {
            let other = bench.with_claim("iat", json!(now - 1));
            format!("{message}.{}", other.rsplit_once('.').unwrap().1)
        }),
    ]
}

fn bad_shapes(bench: &Bench) -> Vec<Row> {
    let good = bench.good();
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, body) = message.split_once('.').unwrap();
    let padding = "x".repeat(MAX_TOKEN_BYTES);
    vec![
        ("nothing", String::new()),
        ("dots", "..".to_owned()),
        ("one part", header.to_owned()),
        ("two parts", message.to_owned()),
        ("four parts", format!("{good}.{signature}")),
        ("an empty first part", format!(".{good}")),
        ("truncated", good[..good.len() / 2].to_owned()),
        ("a space in front", format!(" {good}")),
        ("a line feed behind", format!("{good}\n")),
        ("the scheme left in", format!("Bearer {good}")),
        ("unicode", "ä.é.🎫".to_owned()),
        (
            "unicode in the signature",
            format!("{message}.{signature}ß"),
        ),
        ("NUL", format!("{header}.{body}\0.{signature}")),
        (
            "oversized, properly signed",
            bench.with_claim("padding", json!(padding)),
        ),
        (
            "payload no JSON",
            bench.signer.sign(header, &encode("hello")),
        ),
        ("payload null", bench.signer.sign(header, &encode("null"))),
        ("payload a list", bench.signer.sign(header, &encode("[]"))),
        (
            "payload in plain text",
            bench.signer.sign(header, &payload(bench.now).to_string()),
        ),
        ("header no JSON", bench.signer.sign(&encode("hello"), body)),
        ("role twice", {
            let twice = payload(bench.now)
                .to_string()
                .replace('}', r#","role":"superadmin"}"#);
            bench.signer.sign(header, &encode(twice))
        }),
    ]
}

#[tokio::test]
async fn a_scope_needs_its_audience_and_an_audience_its_scope() {
    let bench = Bench::new();
    let token = |audience: &str, scope: Value| {
        let mut claims = payload(bench.now);
        claims["aud"] = json!(audience);
        if !scope.is_null() {
            claims["scope"] = scope;
        }
        bench.signer.token(&bench.signer.header(), &claims)
    };
    let key = bench
        .verifier
        .verify(&token(KEY_AUDIENCE, json!("orders:read")))
        .await
        .unwrap();
    assert_eq!(key.scopes, Scopes::of_words("orders:read"));
    let session = bench.verifier.verify(&bench.good()).await.unwrap();
    assert_eq!(session.scopes, Scopes::ALL);
    for bad in [
        token(KEY_AUDIENCE, Value::Null),
        token(AUDIENCE, json!("orders:read")),
        token(KEY_AUDIENCE, json!(["orders:read"])),
    ] {
        let failure = bench.verifier.verify(&bad).await.unwrap_err();
        assert_eq!(failure.reason, ErrorReason::Unauthenticated);
    }
}
