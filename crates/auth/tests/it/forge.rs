//! Makes tokens, good ones and bad ones, without the library that verifies them.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use auth::{KeySource, KeysUnavailable, RulesStream, TokenRules, VerificationKey, Verifier};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base::{ManualClock, Sources};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::{StreamExt as _, future::BoxFuture, stream};
use serde_json::{Value, json};

pub const SUBJECT: &str = "0190b6a2-7c1e-7000-8000-0123456789ab";

pub struct Signer {
    pub key_id: String,
    pub pair: Ed25519KeyPair,
}

impl Signer {
    pub fn new(key_id: &str) -> Self {
        Self {
            key_id: key_id.to_owned(),
            pair: Ed25519KeyPair::generate().unwrap(),
        }
    }

    pub fn public(&self) -> VerificationKey {
        let public_key = self.pair.public_key().as_ref().try_into().unwrap();
        VerificationKey {
            key_id: self.key_id.clone(),
            public_key,
        }
    }

    pub fn header(&self) -> Value {
        json!({"typ": "JWT", "alg": "EdDSA", "kid": self.key_id})
    }

    /// A token with exactly this header and payload, properly signed.
    pub fn token(&self, header: &Value, payload: &Value) -> String {
        self.sign(&part(header), &part(payload))
    }

    pub fn sign(&self, header: &str, payload: &str) -> String {
        let message = format!("{header}.{payload}");
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

pub fn part(json: &Value) -> String {
    encode(json.to_string())
}

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The payload of a good token.
pub fn payload(now: i64) -> Value {
    json!({
        "sub": SUBJECT, "role": "admin", "iat": now, "exp": now + 600,
        "iss": "boxoffice", "aud": "boxoffice-admin", "sid": SUBJECT,
    })
}

/// Rules that can be changed, taken away, and count how often they were asked for.
#[derive(Clone, Default)]
pub struct FakeKeys {
    pub rules: Arc<Mutex<TokenRules>>,
    /// Those that are told, one after the other; then silence.
    pub told: Arc<Mutex<Vec<TokenRules>>>,
    pub down: Arc<Mutex<bool>>,
    pub fetches: Arc<AtomicUsize>,
}

impl FakeKeys {
    pub fn with(key: VerificationKey) -> Self {
        let keys = Self::default();
        keys.rules.lock().unwrap().keys.push(key);
        keys
    }

    pub fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    pub fn set_down(&self, down: bool) {
        *self.down.lock().unwrap() = down;
    }
}

impl KeySource for FakeKeys {
    fn fetch(&self) -> BoxFuture<'_, Result<TokenRules, KeysUnavailable>> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let down = *self.down.lock().unwrap();
        let rules = self.rules.lock().unwrap().clone();
        Box::pin(async move {
            if down {
                Err(KeysUnavailable("down".into()))
            } else {
                Ok(rules)
            }
        })
    }

    fn watch(&self) -> RulesStream {
        let told: Vec<_> = self.told.lock().unwrap().drain(..).map(Ok).collect();
        stream::iter(told).chain(stream::pending()).boxed()
    }
}

pub struct Bench {
    pub signer: Signer,
    pub keys: FakeKeys,
    pub verifier: Verifier,
    pub clock: ManualClock,
    pub now: i64,
}

impl Bench {
    pub fn new() -> Self {
        let signer = Signer::new("key-1");
        let keys = FakeKeys::with(signer.public());
        let (sources, clock) = Sources::for_tests(1);
        let now = sources.now().unix_timestamp();
        let verifier = Verifier::new(Arc::new(keys.clone()), sources);
        Self {
            signer,
            keys,
            verifier,
            clock,
            now,
        }
    }

    pub fn good(&self) -> String {
        self.signer.token(&self.signer.header(), &payload(self.now))
    }

    /// A good token but for one claim; null takes it out.
    pub fn with_claim(&self, name: &str, value: Value) -> String {
        self.signer.token(
            &self.signer.header(),
            &changed(payload(self.now), name, value),
        )
    }

    /// A good token but for one field of the header; null takes it out.
    pub fn with_header(&self, name: &str, value: Value) -> String {
        self.signer.token(
            &changed(self.signer.header(), name, value),
            &payload(self.now),
        )
    }
}

fn changed(mut json: Value, name: &str, value: Value) -> Value {
    let object = json.as_object_mut().unwrap();
    if value.is_null() {
        object.remove(name);
    } else {
        object.insert(name.to_owned(), value);
    }
    json
}
