//! Values that can be found again, and the search for them.

use std::collections::{HashMap, HashSet};

use base64::{
    Engine as _, alphabet,
    engine::{GeneralPurpose, general_purpose::NO_PAD},
};

/// Nothing shorter is told from what stands in a log by chance.
const SHORTEST: usize = 8;
/// Of a long secret, each half is a leak too; of a very long one, so much of its beginning or end.
const HALVED_FROM: usize = 24;
const PART_CHARS: usize = 20;
const AROUND_CHARS: usize = 160;

/// What must not be found, each with a name.
#[derive(Default)]
pub struct Canaries {
    /// What each is called.
    seen: HashMap<Vec<u8>, String>,
    /// How each may look.
    looks: Vec<(String, String)>,
    /// Short ones, which count where they stand alone.
    codes: Vec<(String, String)>,
}

/// A place that was written to, and all that stands there.
pub struct Written {
    pub place: String,
    pub text: String,
}

impl Canaries {
    pub fn add(&mut self, what: &str, value: &str) {
        assert!(
            value.len() >= SHORTEST,
            "{what} is too short to be found: {value:?}"
        );
        if self.is_new(what, value.as_bytes()) {
            let looks = looks(value).into_iter();
            self.looks.extend(looks.map(|look| (what.to_owned(), look)));
        }
    }

    pub fn add_all(&mut self, values: Vec<(String, String)>) {
        for (what, value) in values {
            self.add(&what, &value);
        }
    }

    /// A secret that is no text.
    pub fn add_bytes(&mut self, what: &str, value: &[u8]) {
        if self.is_new(what, value) {
            let looks = looks_of_bytes(value).into_iter();
            self.looks.extend(looks.map(|look| (what.to_owned(), look)));
        }
    }

    /// A few digits that somebody types in.
    pub fn add_code(&mut self, what: &str, code: &str) {
        if self.is_new(what, code.as_bytes()) {
            self.codes.push((what.to_owned(), code.to_owned()));
        }
    }

    fn is_new(&mut self, what: &str, value: &[u8]) -> bool {
        let before = self.seen.insert(value.to_vec(), what.to_owned());
        before.is_none()
    }

    /// How many there are that are called otherwise.
    pub fn count_but(&self, name: &str) -> usize {
        self.seen.values().filter(|what| *what != name).count()
    }

    /// A sentence for each that was found.
    pub fn search(&self, written: &[Written]) -> Vec<String> {
        let heads = Heads::of(&self.looks);
        let mut found = Vec::new();
        for Written { place, text } in written {
            assert!(!text.is_empty(), "nothing was written to {place}");
            let mut told = HashSet::new();
            let mut tell = |what: &str, at: usize| {
                if told.insert(what.to_owned()) {
                    found.push(format!("{what} is in {place}: {}", around(text, at)));
                }
            };
            let bytes = text.as_bytes();
            for (at, head) in bytes.windows(SHORTEST).enumerate() {
                for (what, look) in heads.like(head) {
                    if bytes[at..].starts_with(look.as_bytes()) {
                        tell(what, at);
                    }
                }
            }
            for (what, code) in &self.codes {
                for (at, _) in text.match_indices(code.as_str()) {
                    if stands_alone(bytes, at, code.len()) && !is_of_windows(text, at) {
                        tell(what, at);
                    }
                }
            }
        }
        found
    }
}

/// All looks by how they begin, because logs are long and looks are many.
struct Heads<'l> {
    looks: HashMap<&'l [u8], Vec<&'l (String, String)>>,
    /// Whether there is one at all, by the first three bytes.
    begins: Vec<bool>,
}

impl<'l> Heads<'l> {
    fn of(all: &'l [(String, String)]) -> Self {
        let mut heads = Self {
            looks: HashMap::new(),
            begins: vec![false; 1 << 24],
        };
        for look in all {
            let head = &look.1.as_bytes()[..SHORTEST];
            heads.looks.entry(head).or_default().push(look);
            heads.begins[beginning(head)] = true;
        }
        heads
    }

    fn like(&self, head: &[u8]) -> &[&'l (String, String)] {
        let looks = self.begins[beginning(head)].then(|| self.looks.get(head));
        looks.flatten().map_or(&[], Vec::as_slice)
    }
}

fn beginning(head: &[u8]) -> usize {
    usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])
}

/// Digits within a number, an id or a time are no code, and a number that is the value of a field is a measure: codes
/// are texts.
fn stands_alone(text: &[u8], at: usize, len: usize) -> bool {
    let is_of_word = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let before = at.checked_sub(1).map_or(b' ', |at| text[at]);
    let after = text.get(at + len).copied().unwrap_or(b' ');
    !is_of_word(before) && !is_of_word(after) && before != b':'
}

/// HTTP/2 counts the bytes that it may send, and logs each count.
fn is_of_windows(text: &str, at: usize) -> bool {
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    line.contains(r#""target":"h2::"#)
}

/// How a value may look where somebody wrote it.
fn looks(value: &str) -> Vec<String> {
    let percent: String = value.bytes().map(percent).collect();
    let form = percent.replace("%20", "+");
    let mut looks = vec![value.to_owned(), percent.to_lowercase(), percent, form];
    looks.extend(looks_of_bytes(value.as_bytes()));
    let half = (value.len() / 2).min(PART_CHARS);
    if value.len() >= HALVED_FROM && value.is_ascii() {
        looks.push(value[..half].to_owned());
        looks.push(value[value.len() - half..].to_owned());
    }
    // Whose address it is, without where.
    let local = value.split_once('@').map(|(local, _)| local);
    looks.extend(
        local
            .filter(|local| local.len() >= SHORTEST)
            .map(str::to_owned),
    );
    looks
}

fn looks_of_bytes(value: &[u8]) -> Vec<String> {
    let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
    // As `Debug` shows bytes.
    let list = format!("{value:?}");
    let mut looks = vec![
        hex.to_uppercase(),
        hex,
        list.trim_matches(['[', ']']).to_owned(),
    ];
    for alphabet in [alphabet::STANDARD, alphabet::URL_SAFE] {
        let engine = GeneralPurpose::new(&alphabet, NO_PAD);
        looks.extend((0..3).map(|before| within_base64(&engine, before, value)));
    }
    looks
}

/// What is the same of a value in base64 whatever stands around it, after so many bytes.
fn within_base64(engine: &GeneralPurpose, before: usize, value: &[u8]) -> String {
    let text = engine.encode([&vec![0; before], value].concat());
    let (first, end) = ((before * 8).div_ceil(6), (before + value.len()) * 8 / 6);
    text[first..end].to_owned()
}

fn percent(byte: u8) -> String {
    let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if plain {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

fn around(text: &str, at: usize) -> &str {
    let start = text.floor_char_boundary(at.saturating_sub(AROUND_CHARS));
    let end = text.floor_char_boundary((at + AROUND_CHARS).min(text.len()));
    &text[start..end]
}

#[test]
fn a_canary_is_found_however_it_is_written() {
    let mut canaries = Canaries::default();
    canaries.add("an address", "kanarek+1@example.org");
    canaries.add("a secret", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGH");
    canaries.add("a short secret", "zyxwvutsrqponmlkjihgfedc");
    canaries.add_bytes("a key", &[0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 255]);
    canaries.add_code("a code", "287082");
    let seen = |text: &str| {
        let place = "a log".to_owned();
        let text = format!("… {text} …");
        canaries.search(&[Written { place, text }]).len()
    };
    for leak in [
        "to kanarek+1@example.org",
        "to kanarek+1 at that place",
        "GET /?email=kanarek%2B1%40example.org",
        "GET /?email=kanarek%2b1%40example.org",
        "[107, 97, 110, 97, 114, 101, 107, 43, 49, 64, 101, 120, 97, 109, 112, 108, 101, 46, 111, 114, 103]",
        "a2FuYXJlaysxQGV4YW1wbGUub3Jn",
        // `user:kanarek+1@example.org` and `:kanarek+1@example.org`.
        "dXNlcjprYW5hcmVrKzFAZXhhbXBsZS5vcmc=",
        "OmthbmFyZWsrMUBleGFtcGxlLm9yZw==",
        "/o/1/abcdefghijklmnopqrst…",
        "…uvwxyz0123456789ABCDEFGH",
        "zyxwvutsrqpo…",
        "…nmlkjihgfedc",
        "222, 173, 190, 239, 1, 2, 3, 255",
        "DEADBEEF010203FF",
        "the code 287082",
        r#"{"code":"287082"}"#,
    ] {
        assert_eq!(seen(leak), 1, "{leak}");
    }
    for other in [
        "kanarka@example.org",
        r#"{"bytes":287082,"at":"12:00:00.287082Z","id":"a287082"}"#,
        r#"{"target":"h2::proto::streams","message":"window=287082"}"#,
    ] {
        assert_eq!(seen(other), 0, "{other}");
    }
}
