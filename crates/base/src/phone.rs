//! Phone numbers, as far as they can be checked without calling.

use std::fmt;
use std::str::FromStr;

/// Digits with an optional leading `+`. `Debug` shows the last two digits only.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PhoneNumber(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    #[error(
        "a phone number has digits, spaces, dashes, dots and parentheses only, and may start with +"
    )]
    BadCharacter,
    #[error("a phone number has 6 to 20 digits")]
    BadLength,
}

impl PhoneNumber {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PhoneNumber {
    type Err = PhoneError;
    fn from_str(text: &str) -> Result<Self, PhoneError> {
        let text = text.trim_matches(' ');
        let (plus, rest) = match text.strip_prefix('+') {
            Some(rest) => ("+", rest),
            None => ("", text),
        };
        let digits: String = rest.chars().filter(|c| !" -().".contains(*c)).collect();
        if digits.chars().any(|c| !c.is_ascii_digit()) {
            return Err(PhoneError::BadCharacter);
        }
        if !(6..=20).contains(&digits.len()) {
            return Err(PhoneError::BadLength);
        }
        Ok(Self(format!("{plus}{digits}")))
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "***{}", &self.0[self.0.len() - 2..])
    }
}

serde_as_text!(PhoneNumber);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_for_all_spellings() {
        for text in ["+49 (30) 901-820", "+4930901820", " +49.30.901.820 "] {
            assert_eq!(text.parse::<PhoneNumber>().unwrap().as_str(), "+4930901820");
        }
        assert_eq!(
            "030 901820".parse::<PhoneNumber>().unwrap().to_string(),
            "030901820"
        );
    }

    #[test]
    fn bad_ones() {
        for text in ["12345", "", "+", "123456789012345678901"] {
            assert_eq!(
                text.parse::<PhoneNumber>(),
                Err(PhoneError::BadLength),
                "{text:?}"
            );
        }
        for text in ["12345a", "++123456", "123456\0", "123456\n", "٣٣٣٣٣٣٣"] {
            assert_eq!(
                text.parse::<PhoneNumber>(),
                Err(PhoneError::BadCharacter),
                "{text:?}"
            );
        }
    }

    #[test]
    fn logs_show_two_digits() {
        let phone: PhoneNumber = "+4930901820".parse().unwrap();
        assert_eq!(format!("{phone:?}"), "***20");
    }
}
