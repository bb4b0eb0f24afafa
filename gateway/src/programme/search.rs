//! The words of a search, found as ticket-svc's database finds them: each somewhere in the text,
//! whatever its case.

/// As ticket-svc has it; a search beyond it is ticket-svc's to refuse.
const MAX_CHARS: usize = 200;
const MAX_WORDS: usize = 8;

/// Folded words, each of which must be in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(Vec<String>);

impl Words {
    /// None where ticket-svc would refuse the text.
    pub fn read(field: &str, text: &str) -> Option<Self> {
        let text = base::bounded(field, text, 0, MAX_CHARS).ok()?;
        let words = text.split_whitespace().take(MAX_WORDS).map(fold);
        Some(Self(words.collect()))
    }

    pub fn are_in(&self, folded: &str) -> bool {
        self.0.iter().all(|word| folded.contains(word.as_str()))
    }
}

/// Each character for itself, as the database's `lower` does it: a character stays one.
pub fn fold(text: &str) -> String {
    let lower = |letter: char| letter.to_lowercase().next().unwrap_or(letter);
    text.chars().map(lower).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_must_be_there_and_case_is_nothing() {
        let text = fold("Ärger im Žižkov 100% – Größe_1");
        let finds = |words: &str| Words::read("query", words).unwrap().are_in(&text);
        for found in ["", "  ", "ärger", "ÄRGER žižkov", "0%", "e_1", "rg"] {
            assert!(finds(found), "{found}");
        }
        for absent in ["ärger pilsen", "arger", "0_", "größe 2"] {
            assert!(!finds(absent), "{absent}");
        }
        assert_eq!(Words::read("query", "a\0b"), None);
        assert_eq!(Words::read("query", &"a".repeat(201)), None);
    }
}
