//! Limits for free text that people type.

/// What is wrong with one text field; the message is a sentence for the person who typed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct TextError {
    /// The field's name as the caller knows it.
    pub field: String,
    pub problem: TextProblem,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextProblem {
    #[error("is missing")]
    Missing,
    #[error("needs at least {min_chars} characters")]
    TooShort { min_chars: usize },
    #[error("has more than {max_chars} characters")]
    TooLong { max_chars: usize },
    #[error("contains a control character")]
    ControlCharacter,
}

/// One line of text: trimmed, without control characters (Postgres cannot store NUL, a header must not see CR or LF),
/// `min_chars` to `max_chars` characters long.
pub fn bounded(
    field: &str,
    value: &str,
    min_chars: usize,
    max_chars: usize,
) -> Result<String, TextError> {
    check(value, min_chars, max_chars, char::is_control).map_err(|problem| in_field(field, problem))
}

/// Like `bounded`, with line feeds and tabs allowed; CR LF becomes a plain line feed.
pub fn bounded_multiline(
    field: &str,
    value: &str,
    min_chars: usize,
    max_chars: usize,
) -> Result<String, TextError> {
    let forbidden = |c: char| c.is_control() && c != '\n' && c != '\t';
    check(
        &value.replace("\r\n", "\n"),
        min_chars,
        max_chars,
        forbidden,
    )
    .map_err(|problem| in_field(field, problem))
}

fn in_field(field: &str, problem: TextProblem) -> TextError {
    TextError {
        field: field.to_owned(),
        problem,
    }
}

fn check(
    value: &str,
    min_chars: usize,
    max_chars: usize,
    forbidden: impl Fn(char) -> bool,
) -> Result<String, TextProblem> {
    // First: some of them count as blanks, and a contract that allows them at the ends is hard to say.
    if value.contains(forbidden) {
        return Err(TextProblem::ControlCharacter);
    }
    let value = value.trim();
    match value.chars().count() {
        0 if min_chars > 0 => Err(TextProblem::Missing),
        chars if chars < min_chars => Err(TextProblem::TooShort { min_chars }),
        chars if chars > max_chars => Err(TextProblem::TooLong { max_chars }),
        _ => Ok(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(value: &str) -> TextProblem {
        bounded("title", value, 3, 5).unwrap_err().problem
    }

    #[test]
    fn limits_count_characters() {
        assert_eq!(bounded("title", "  Ölé ", 3, 5), Ok("Ölé".to_owned()));
        assert_eq!(bounded("note", " ", 0, 5), Ok(String::new()));
        assert_eq!(problem(""), TextProblem::Missing);
        assert_eq!(problem("ab"), TextProblem::TooShort { min_chars: 3 });
        assert_eq!(problem("äöüäöü"), TextProblem::TooLong { max_chars: 5 });
        let said = bounded("title", "", 3, 5).unwrap_err().to_string();
        assert_eq!(said, "title is missing");
    }

    #[test]
    fn control_characters() {
        for value in [
            "a\0bc",
            "a\nbc",
            "a\tbc",
            "a\u{85}bc",
            "a\r\nb",
            "abc\n",
            "\u{85}abc",
        ] {
            assert_eq!(problem(value), TextProblem::ControlCharacter, "{value:?}");
        }
        assert_eq!(
            bounded_multiline("d", "a\r\nb\tc", 1, 9),
            Ok("a\nb\tc".to_owned())
        );
        for value in ["a\0b", "a\rb", "a\u{1b}b"] {
            assert!(bounded_multiline("d", value, 1, 9).is_err(), "{value:?}");
        }
    }
}
