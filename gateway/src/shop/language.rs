//! The language that a browser asks for first: that of the mails about what is ordered with it.

use http::{HeaderMap, header};

const DEFAULT: &str = "en";
/// The longest tag that BCP 47 recommends room for.
const TAG_MAX_CHARS: usize = 35;

/// A BCP 47 tag. What services make of one they do not know is their matter.
pub fn of(headers: &HeaderMap) -> &str {
    let asked = headers.get(header::ACCEPT_LANGUAGE);
    let asked = asked.and_then(|value| value.to_str().ok());
    let first = asked.and_then(|list| list.split([',', ';']).next());
    first.map(str::trim).filter(is_tag).unwrap_or(DEFAULT)
}

fn is_tag(text: &&str) -> bool {
    let part = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    text.len() <= TAG_MAX_CHARS && text.split('-').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_one_counts() {
        for (asked, expected) in [
            ("de-AT,de;q=0.9,en;q=0.8", "de-AT"),
            ("fr", "fr"),
            ("fr;q=0.5", "fr"),
            ("*", "en"),
            ("", "en"),
            ("nonsense tag", "en"),
            ("x--y", "en"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, asked.parse().unwrap());
            assert_eq!(of(&headers), expected, "{asked}");
        }
        assert_eq!(of(&HeaderMap::new()), "en");
    }
}
