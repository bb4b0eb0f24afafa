//! The readable part of an event's address.

const MAX_CHARS: usize = 60;

/// Lower-case ASCII words joined by dashes, at most 60 characters; `event` where nothing is left of the title.
pub fn slug(title: &str) -> String {
    let mut out = String::new();
    for c in title.chars().flat_map(char::to_lowercase) {
        match plain(c) {
            Some(letters) => out.push_str(letters),
            None if c.is_ascii_alphanumeric() => out.push(c),
            // "don't" is one word; everything else separates.
            None if c == '\'' || c == '’' => {}
            None if !out.is_empty() && !out.ends_with('-') => out.push('-'),
            None => {}
        }
    }
    // Every character is ASCII by now, so a cut never splits one.
    out.truncate(MAX_CHARS);
    match out.trim_end_matches('-') {
        "" => "event".to_owned(),
        slug => slug.to_owned(),
    }
}

/// Latin letters with marks, as their readers would spell them without.
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        'ä' | 'æ' => "ae",
        'ö' | 'œ' => "oe",
        'ü' => "ue",
        'ß' => "ss",
        'à' | 'á' | 'â' | 'ã' | 'å' | 'ā' | 'ă' | 'ą' => "a",
        'ç' | 'ć' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ė' | 'ę' | 'ě' => "e",
        'ğ' => "g",
        'ì' | 'í' | 'î' | 'ï' | 'ī' | 'ı' => "i",
        'ł' => "l",
        'ñ' | 'ń' | 'ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ø' | 'ō' | 'ő' => "o",
        'ř' => "r",
        'ś' | 'š' | 'ş' | 'ș' => "s",
        'ť' | 'ț' => "t",
        'þ' => "th",
        'ù' | 'ú' | 'û' | 'ū' | 'ů' | 'ű' => "u",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn titles() {
        assert_eq!(
            slug("  Jazz & Blues: Don't Stop!  "),
            "jazz-blues-dont-stop"
        );
        assert_eq!(slug("Mötley Größe — Live"), "moetley-groesse-live");
        assert_eq!(slug("Björk 2026"), "bjoerk-2026");
        assert_eq!(slug("東京"), "event");
        assert_eq!(slug(""), "event");
        assert_eq!(slug(&"ab ".repeat(40)).len(), 59);
    }

    proptest! {
        #[test]
        fn every_title_has_a_clean_slug(title in "\\PC{0,100}") {
            let slug = slug(&title);
            prop_assert!((1..=60).contains(&slug.len()));
            prop_assert!(slug.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
            prop_assert!(!slug.starts_with('-') && !slug.ends_with('-') && !slug.contains("--"));
        }
    }
}
