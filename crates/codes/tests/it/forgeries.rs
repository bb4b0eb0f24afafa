//! Changed, spliced, shortened and foreign codes. A scanner takes none of them.

use std::{thread, time::Instant};

use base::{EventId, TicketId};
use codes::{Claims, Code, Door, PublicKey, SigningKey, Verdict};
use proptest::prelude::*;
use uuid::Uuid;

const ALPHABET: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
/// Of every test run. The million is a drill.
const FEW: u64 = 20_000;
const MILLION: u64 = 1_000_000;

fn event() -> EventId {
    Uuid::from_u128(0x0190_b6a2_7c1e_7000_8000_0123_4567_89ab).into()
}

/// With the same tag.
fn twin() -> EventId {
    Uuid::from_u128(0x0190_b6a2_7c1e_7000_8000_0124_4567_89ab).into()
}

fn key(byte: u8) -> SigningKey {
    SigningKey::from_seed(&[byte; 32])
}

fn claims(ticket: u128) -> Claims {
    Claims {
        key: 1,
        ticket: TicketId::from(Uuid::from_u128(ticket)),
        generation: 1,
        type_number: 3,
    }
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey::from_bytes(&key.public_key()).unwrap()
}

fn door() -> Door {
    let mut door = Door::new(event());
    door.learn_key(1, public(&key(1)), false);
    door.learn_key(2, public(&key(2)), false);
    door
}

/// Numbers that look random and are the same in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }
}

/// One way to forge a code out of two genuine ones.
fn mutate(dice: &mut Dice, code: &str, other: &str) -> String {
    let mut text = code.as_bytes().to_vec();
    let place = dice.below(text.len());
    match dice.below(8) {
        0..=2 => {
            // A letter, or some of them.
            for _ in 0..=dice.below(3) {
                let place = dice.below(text.len());
                text[place] = ALPHABET[dice.below(ALPHABET.len())];
            }
        }
        3 => {
            let with = dice.below(text.len());
            text.swap(place, with);
        }
        4 => {
            text.remove(place);
            let to = dice.below(text.len() + 1);
            text.insert(to, ALPHABET[dice.below(ALPHABET.len())]);
        }
        5 => text.truncate(place),
        6 => text.extend_from_slice(&ALPHABET[..dice.below(4)]),
        // The beginning of one ticket and the end of another.
        _ => text[place..].copy_from_slice(&other.as_bytes()[place..]),
    }
    String::from_utf8(text).unwrap()
}

/// How many of so many forgeries a door took; repeats of genuine codes are no forgeries.
fn taken(forgeries: u64, seed: u64) -> u64 {
    let (door, key, mut dice) = (door(), key(1), Dice(seed));
    let genuine: Vec<String> = (1..=64)
        .map(|ticket| key.sign(event(), &claims(ticket)))
        .collect();
    assert!(
        genuine
            .iter()
            .all(|code| door.judge(code).verdict == Verdict::Ok)
    );
    let (mut tried, mut taken) = (0, 0);
    while tried < forgeries {
        let (one, other) = (dice.below(genuine.len()), dice.below(genuine.len()));
        let forged = mutate(&mut dice, &genuine[one], &genuine[other]);
        if genuine.contains(&forged) {
            continue;
        }
        tried += 1;
        taken += u64::from(door.judge(&forged).verdict == Verdict::Ok);
    }
    taken
}

#[test]
fn no_changed_code_is_taken() {
    assert_eq!(taken(FEW, 6), 0);
}

#[test]
#[ignore = "takes a minute; `just drills` runs it"]
fn of_a_million_changed_codes_none_is_taken() {
    let workers: Vec<_> = (0..4)
        .map(|seed| thread::spawn(move || taken(MILLION / 4, 100 + seed)))
        .collect();
    let taken: u64 = workers
        .into_iter()
        .map(|worker| worker.join().unwrap())
        .sum();
    assert_eq!(taken, 0);
    println!("{MILLION} changed codes, {taken} taken");
}

#[test]
#[ignore = "its figures are for people; `just drills` prints them"]
fn what_a_code_costs() {
    let (door, key) = (door(), key(1));
    let begun = Instant::now();
    let codes: Vec<String> = (0..10_000).map(|n| key.sign(event(), &claims(n))).collect();
    let signed = begun.elapsed() / 10_000;
    let begun = Instant::now();
    assert!(
        codes
            .iter()
            .all(|code| door.judge(code).verdict == Verdict::Ok)
    );
    let judged = begun.elapsed() / 10_000;
    println!("a code is signed in {signed:?} and judged in {judged:?}");
}

#[test]
fn a_key_is_good_for_its_number_and_its_event_only() {
    let door = door();
    let second = Claims {
        key: 2,
        ..claims(7)
    };
    let verdict = |code: &str| door.judge(code).verdict;
    assert_eq!(verdict(&key(2).sign(event(), &second)), Verdict::Ok);
    // A stranger's key, and the other key of the event.
    assert_eq!(verdict(&key(9).sign(event(), &claims(7))), Verdict::Unknown);
    assert_eq!(verdict(&key(2).sign(event(), &claims(7))), Verdict::Unknown);
    assert_eq!(verdict(&key(1).sign(event(), &second)), Verdict::Unknown);
    // The tag is the same, the event is not.
    let twin = key(1).sign(twin(), &claims(7));
    assert!(Code::parse(&twin).unwrap().names(event()));
    assert_eq!(verdict(&twin), Verdict::Unknown);
}

/// The order of the curve's group, the low end first.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn decoded(code: &str) -> Vec<u8> {
    let digit = |letter: u8| ALPHABET.iter().position(|known| *known == letter).unwrap();
    let groups = code.as_bytes()[3..].chunks(3);
    groups
        .flat_map(|group| {
            let number = digit(group[0]) + 45 * digit(group[1]) + 45 * 45 * digit(group[2]);
            u16::try_from(number).unwrap().to_be_bytes()
        })
        .collect()
}

fn encoded(bytes: &[u8]) -> String {
    let pairs = bytes.chunks(2).flat_map(|pair| {
        let number = usize::from(pair[0]) * 256 + usize::from(pair[1]);
        [number % 45, number / 45 % 45, number / 45 / 45].map(|digit| char::from(ALPHABET[digit]))
    });
    "BX2".chars().chain(pairs).collect()
}

#[test]
fn a_signature_has_one_form() {
    let (door, key) = (door(), key(1));
    for ticket in 1..=50 {
        let code = key.sign(event(), &claims(ticket));
        let mut bytes = decoded(&code);
        assert_eq!(encoded(&bytes), code);
        // The same point of the curve under a number that is the group's order larger.
        let mut carry = 0;
        for (byte, order) in bytes[26 + 32..].iter_mut().zip(ORDER) {
            let sum = u16::from(*byte) + u16::from(order) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        let other = encoded(&bytes);
        assert_ne!(other, code);
        assert_eq!(door.judge(&other).verdict, Verdict::Unknown);
    }
}

#[test]
fn a_group_of_letters_has_one_meaning() {
    let (door, code) = (door(), key(1).sign(event(), &claims(7)));
    let digit = |letter: u8| ALPHABET.iter().position(|known| *known == letter).unwrap();
    let mut tried = 0;
    for at in (3..code.len()).step_by(3) {
        let letters = &code.as_bytes()[at..at + 3];
        let number = digit(letters[0]) + 45 * digit(letters[1]) + 45 * 45 * digit(letters[2]);
        // The same two bytes, where a reader forgets what is beyond them.
        let beyond = number + 65_536;
        if beyond >= 45 * 45 * 45 {
            continue;
        }
        let digits = [beyond % 45, beyond / 45 % 45, beyond / 45 / 45];
        let group = digits.map(|digit| char::from(ALPHABET[digit]));
        let mut other = code.clone();
        other.replace_range(at..at + 3, &group.iter().collect::<String>());
        assert_eq!(door.judge(&other).verdict, Verdict::Unknown);
        tried += 1;
    }
    assert!(tried > 5);
}

#[test]
fn another_spelling_is_not_a_code() {
    let (door, code) = (door(), key(1).sign(event(), &claims(7)));
    for spelled in [
        code.to_lowercase(),
        format!(" {code}"),
        format!("{code} "),
        format!("{code}\n"),
        code[3..].to_owned(),
        code.replacen("BX2", "BX3", 1),
        code.replacen("BX2", "bx2", 1),
        String::new(),
        "BX2".to_owned(),
    ] {
        assert!(Code::parse(&spelled).is_none(), "{spelled:?}");
        assert_eq!(door.judge(&spelled).verdict, Verdict::Unknown);
    }
}

proptest! {
    #[test]
    fn claims_come_back(event: u128, ticket: u128, key_number: u16, generation: u16, type_number: u16) {
        let event = EventId::from(Uuid::from_u128(event));
        let claims = Claims { key: key_number, generation, type_number, ..claims(ticket) };
        let code = key(1).sign(event, &claims);
        prop_assert_eq!(code.len(), 138);
        let read = Code::parse(&code).unwrap();
        prop_assert_eq!(read.claims(), claims);
        prop_assert!(read.names(event));
        prop_assert!(read.is_signed_by(event, &public(&key(1))));
        prop_assert!(!read.is_signed_by(event, &public(&key(2))));
    }

    #[test]
    fn a_flipped_bit_is_seen(ticket: u128, bit in 0usize..90 * 8) {
        let code = key(1).sign(event(), &claims(ticket));
        let mut bytes = decoded(&code);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert_ne!(door().judge(&encoded(&bytes)).verdict, Verdict::Ok);
    }

    #[test]
    fn noise_is_told_apart_from_codes(text in "\\PC{0,160}", tail in "[0-9A-Z $%*+./:-]{135}") {
        let door = door();
        prop_assert_eq!(door.judge(&text).verdict, Verdict::Unknown);
        prop_assert_ne!(door.judge(&format!("BX2{text}")).verdict, Verdict::Ok);
        prop_assert_ne!(door.judge(&format!("BX2{tail}")).verdict, Verdict::Ok);
    }
}
