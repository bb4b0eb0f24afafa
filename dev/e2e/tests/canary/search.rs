//! Values that can be found again, and the search for them.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

/// Of a long secret, this much of its beginning or end is a leak too.
const PART_CHARS: usize = 20;
const AROUND_CHARS: usize = 160;

/// What must not be found, each with a name.
#[derive(Default)]
pub struct Canaries(Vec<(String, String)>);

/// A place that was written to, and all that stands there.
pub struct Written {
    pub place: String,
    pub text: String,
}

impl Canaries {
    pub fn add(&mut self, what: &str, value: &str) {
        assert!(
            value.len() >= 8,
            "{what} is too short to be found: {value:?}"
        );
        self.0.push((what.to_owned(), value.to_owned()));
    }

    pub fn add_all(&mut self, values: Vec<(String, String)>) {
        for (what, value) in values {
            self.add(&what, &value);
        }
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// A sentence for each that was found.
    pub fn search(&self, written: &[Written]) -> Vec<String> {
        let mut found = Vec::new();
        for Written { place, text } in written {
            assert!(!text.is_empty(), "nothing was written to {place}");
            for (what, value) in &self.0 {
                let looks = looks(value);
                let at = looks.iter().find_map(|look| text.find(look.as_str()));
                if let Some(at) = at {
                    found.push(format!("{what} is in {place}: {}", around(text, at)));
                }
            }
        }
        found
    }
}

/// How a value may look where somebody wrote it.
fn looks(value: &str) -> Vec<String> {
    let percent: String = value.bytes().map(percent).collect();
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    let list = format!("{:?}", value.as_bytes());
    let mut looks = vec![
        value.to_owned(),
        percent,
        hex,
        // As `Debug` shows bytes.
        list.trim_matches(['[', ']']).to_owned(),
        STANDARD_NO_PAD.encode(value),
        URL_SAFE_NO_PAD.encode(value),
    ];
    if value.len() >= 2 * PART_CHARS && value.is_ascii() {
        looks.push(value[..PART_CHARS].to_owned());
        looks.push(value[value.len() - PART_CHARS..].to_owned());
    }
    looks
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
    let seen = |text: &str| {
        let place = "a log".to_owned();
        let text = format!("… {text} …");
        canaries.search(&[Written { place, text }]).len()
    };
    for leak in [
        "to kanarek+1@example.org",
        "GET /?email=kanarek%2B1%40example.org",
        "[107, 97, 110, 97, 114, 101, 107, 43, 49, 64, 101, 120, 97, 109, 112, 108, 101, 46, 111, 114, 103]",
        "a2FuYXJlaysxQGV4YW1wbGUub3Jn",
        "/o/1/abcdefghijklmnopqrst…",
    ] {
        assert_eq!(seen(leak), 1, "{leak}");
    }
    assert_eq!(seen("kanarek@example.org"), 0);
}
