//! The examples in docs/ticket-codes.json, which scanners in other languages are tested with: they must
//! be what this crate makes and judges, letter by letter.

use base::{EventId, TicketId};
use codes::{Claims, Code, Door, PublicKey, SigningKey, Verdict, digest};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    base45: Vec<Base45>,
    keys: Vec<Key>,
    codes: Vec<Signed>,
    dead: Vec<Dead>,
    door: DoorCase,
}

#[derive(Deserialize)]
struct Base45 {
    hex: String,
    text: String,
}

#[derive(Deserialize)]
struct Key {
    event: EventId,
    number: u16,
    seed: String,
    public_key: String,
}

#[derive(Deserialize)]
struct Signed {
    event: EventId,
    key: u16,
    ticket: TicketId,
    generation: u16,
    #[serde(rename = "type")]
    type_number: u16,
    payload: String,
    message: String,
    signature: String,
    code: String,
}

#[derive(Deserialize)]
struct Dead {
    event: EventId,
    ticket: TicketId,
    generation: u16,
    digest: String,
}

#[derive(Deserialize)]
struct DoorCase {
    event: EventId,
    keys: Vec<DoorKey>,
    dead: Vec<DoorDead>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct DoorKey {
    number: u16,
    revoked: bool,
}

#[derive(Deserialize)]
struct DoorDead {
    digest: String,
    verdict: String,
}

#[derive(Deserialize)]
struct Case {
    why: String,
    code: String,
    verdict: String,
    ask: bool,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../../../docs/ticket-codes.json")).unwrap()
}

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let all: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
    all.try_into().unwrap()
}

fn verdict(word: &str) -> Verdict {
    match word {
        "OK" => Verdict::Ok,
        "VOID" => Verdict::Void,
        "WRONG_EVENT" => Verdict::WrongEvent,
        "REVOKED" => Verdict::Revoked,
        "UNKNOWN" => Verdict::Unknown,
        word => panic!("{word} is no verdict"),
    }
}

impl Vectors {
    fn key(&self, event: EventId, number: u16) -> SigningKey {
        let mut keys = self.keys.iter();
        let key = keys.find(|key| (key.event, key.number) == (event, number));
        SigningKey::from_seed(&bytes(&key.unwrap().seed))
    }
}

#[test]
fn the_alphabet_is_that_of_the_rfc() {
    // The crate's own codes are the only other way in; here a code's text is taken apart.
    let vectors = vectors();
    for code in &vectors.codes {
        let whole = format!("{}{}", code.payload, code.signature);
        let text = code.code.strip_prefix("BX2").unwrap();
        let pair = vectors
            .base45
            .iter()
            .find(|pair| pair.hex == whole)
            .unwrap();
        assert_eq!(pair.text, text);
    }
}

#[test]
fn a_seed_is_a_key_and_claims_are_a_code() {
    let vectors = vectors();
    for key in &vectors.keys {
        let made = SigningKey::from_seed(&bytes(&key.seed));
        assert_eq!(base::hex(&made.public_key()), key.public_key);
    }
    for signed in &vectors.codes {
        let claims = Claims {
            key: signed.key,
            ticket: signed.ticket,
            generation: signed.generation,
            type_number: signed.type_number,
        };
        let key = vectors.key(signed.event, signed.key);
        assert_eq!(key.sign(signed.event, &claims), signed.code);
        assert_eq!(signed.code.len(), 138);
        assert!(signed.message.ends_with(&signed.payload));

        let code = Code::parse(&signed.code).unwrap();
        assert_eq!(code.claims(), claims);
        assert!(code.names(signed.event));
        let public_key = PublicKey::from_bytes(&key.public_key()).unwrap();
        assert!(code.is_signed_by(signed.event, &public_key));
    }
    assert!(vectors.codes.len() >= 4);
}

#[test]
fn a_dead_code_has_its_name() {
    for dead in vectors().dead {
        let name = digest(dead.event, dead.ticket, dead.generation);
        assert_eq!(base::hex(&name), dead.digest);
    }
}

#[test]
fn a_door_says_what_is_published() {
    let vectors = vectors();
    let mut door = Door::new(vectors.door.event);
    for key in &vectors.door.keys {
        let public_key = vectors.key(vectors.door.event, key.number).public_key();
        let public_key = PublicKey::from_bytes(&public_key).unwrap();
        door.learn_key(key.number, public_key, key.revoked);
    }
    for dead in &vectors.door.dead {
        door.learn_dead(bytes(&dead.digest), verdict(&dead.verdict));
    }
    for case in &vectors.door.cases {
        let judged = door.judge(&case.code);
        assert_eq!(judged.verdict, verdict(&case.verdict), "{}", case.why);
        assert_eq!(judged.ask, case.ask, "{}", case.why);
    }
    assert!(vectors.door.cases.len() >= 12);
}
