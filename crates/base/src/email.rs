//! E-mail addresses as guests type them.

use std::fmt;
use std::str::FromStr;

/// An address that can stand in a mail header: `local@domain`, the domain in lower case. `Debug` hides the local part,
/// because addresses of guests do not belong in logs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress(String);

/// Why a text is no e-mail address; the message is a sentence for the person who typed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    #[error("the e-mail address is missing")]
    Empty,
    #[error("the e-mail address is longer than 254 characters")]
    TooLong,
    #[error("the e-mail address contains a space or a character that is not allowed")]
    BadCharacter,
    #[error("an e-mail address has exactly one @")]
    NotOneAt,
    #[error("the part before the @ must have 1 to 64 characters")]
    BadLocalPart,
    #[error("the part after the @ is not a domain such as example.org")]
    BadDomain,
}

impl EmailAddress {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part after the @, in lower case.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl FromStr for EmailAddress {
    type Err = EmailError;
    fn from_str(text: &str) -> Result<Self, EmailError> {
        let text = text.trim_matches(' ');
        if text.is_empty() {
            return Err(EmailError::Empty);
        }
        if text.len() > 254 {
            return Err(EmailError::TooLong);
        }
        // Quoted local parts and comments are legal mail syntax that nobody has and header injection likes.
        let forbidden =
            |c: char| c.is_whitespace() || c.is_control() || "<>()[],;:\\\"".contains(c);
        if text.contains(forbidden) {
            return Err(EmailError::BadCharacter);
        }
        let (local, domain) = text.split_once('@').ok_or(EmailError::NotOneAt)?;
        if domain.contains('@') {
            return Err(EmailError::NotOneAt);
        }
        let dots_ok = !local.starts_with('.') && !local.ends_with('.') && !local.contains("..");
        if local.is_empty() || local.len() > 64 || !dots_ok {
            return Err(EmailError::BadLocalPart);
        }
        let domain = domain.to_lowercase();
        if !is_domain(&domain) {
            return Err(EmailError::BadDomain);
        }
        Ok(Self(format!("{local}@{domain}")))
    }
}

fn is_domain(domain: &str) -> bool {
    let label_ok = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain == "localhost" || (domain.contains('.') && domain.split('.').all(label_ok))
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "***@{}", self.domain())
    }
}

serde_as_text!(EmailAddress);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn good_ones() {
        for (text, expected) in [
            (
                " Ada.Lovelace+gig@Example.ORG ",
                "Ada.Lovelace+gig@example.org",
            ),
            ("a@localhost", "a@localhost"),
            ("o'neil@mail.co.uk", "o'neil@mail.co.uk"),
            ("jörg@münchen.de", "jörg@münchen.de"),
        ] {
            assert_eq!(text.parse::<EmailAddress>().unwrap().as_str(), expected);
        }
    }

    #[test]
    fn bad_ones() {
        let long_local = format!("{}@example.org", "a".repeat(65));
        let long = format!("a@{}.org", "b.".repeat(130));
        for (text, expected) in [
            ("  ", EmailError::Empty),
            ("ada", EmailError::NotOneAt),
            ("a@b@c.org", EmailError::NotOneAt),
            ("@example.org", EmailError::BadLocalPart),
            (".a@example.org", EmailError::BadLocalPart),
            (long_local.as_str(), EmailError::BadLocalPart),
            ("a@", EmailError::BadDomain),
            ("a@example", EmailError::BadDomain),
            ("a@.org", EmailError::BadDomain),
            ("a@example..org", EmailError::BadDomain),
            ("a@-x.org", EmailError::BadDomain),
            ("a b@example.org", EmailError::BadCharacter),
            ("a@example.org\r\nBcc: x@y.z", EmailError::BadCharacter),
            ("a@example.org\n", EmailError::BadCharacter),
            ("a\0@example.org", EmailError::BadCharacter),
            ("Ada <a@example.org>", EmailError::BadCharacter),
            (long.as_str(), EmailError::TooLong),
        ] {
            assert_eq!(text.parse::<EmailAddress>(), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn logs_do_not_show_the_guest() {
        let address: EmailAddress = "ada@example.org".parse().unwrap();
        assert_eq!(format!("{address:?}"), "***@example.org");
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_stable_and_safe(text in "\\PC{0,30}@\\PC{0,20}\\.[a-z]{2,3}") {
            if let Ok(address) = text.parse::<EmailAddress>() {
                prop_assert_eq!(address.as_str().parse::<EmailAddress>(), Ok(address.clone()));
                prop_assert_eq!(address.as_str().matches('@').count(), 1);
                prop_assert!(!address.as_str().contains(char::is_whitespace));
            }
        }
    }
}
