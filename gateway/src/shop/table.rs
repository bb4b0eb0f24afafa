//! What the pages say, in one table per language: `shop/words/<language>.txt`. Templates ask for a
//! sentence by its key, as `t` does, code by [`Says`]. Whatever stands in a sentence is escaped with it.

use std::{collections::HashMap, fmt::Display, sync::LazyLock};

use base::Language;
use minijinja::{Error, ErrorKind, State, Value, value::Kwargs};

type Table = HashMap<&'static str, &'static str>;

const SOURCES: [(Language, &str); 3] = [
    (Language::En, include_str!("../../shop/words/en.txt")),
    (Language::De, include_str!("../../shop/words/de.txt")),
    (Language::Fr, include_str!("../../shop/words/fr.txt")),
];

static TABLES: LazyLock<HashMap<Language, Table>> = LazyLock::new(|| {
    let table = |(language, source)| (language, read(source).collect());
    SOURCES.map(table).into()
});

/// The keys of what services say in English, by the sentence.
static SAID_BY_SERVICES: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let services = ["rule.", "provider.", "timeline."];
    let of_services = |key: &str| services.iter().any(|start| key.starts_with(start));
    let sentences = read(SOURCES[0].1).filter(|(key, _)| of_services(key));
    sentences.map(|(key, sentence)| (sentence, key)).collect()
});

/// `key = sentence`, one a line; `#` begins a comment.
fn read(source: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = source.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(" = "))
}

/// A language that has the table's words.
pub trait Says {
    /// None where the table does not have the key.
    fn find(self, key: &str) -> Option<&'static str>;
    /// The sentence of a key that the table has.
    fn say(self, key: &'static str) -> &'static str;
    /// The same with what stands for its `{names}`.
    fn fill(self, key: &'static str, values: &[(&str, &dyn Display)]) -> String;
    /// What a service says in English. None where the table does not know it.
    fn translate(self, english: &str) -> Option<&'static str>;
}

impl Says for Language {
    fn find(self, key: &str) -> Option<&'static str> {
        TABLES.get(&self)?.get(key).copied()
    }

    fn say(self, key: &'static str) -> &'static str {
        // A test looks for keys that are in no table.
        self.find(key).unwrap_or(key)
    }

    fn fill(self, key: &'static str, values: &[(&str, &dyn Display)]) -> String {
        filled(self.say(key), |name| {
            let value = values.iter().find(|(known, _)| *known == name);
            value.map(|(_, value)| value.to_string())
        })
    }

    fn translate(self, english: &str) -> Option<&'static str> {
        let key = SAID_BY_SERVICES.get(english)?;
        self.find(key)
    }
}

/// Puts in what the names stand for; what was put in is not looked at again.
fn filled(sentence: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut text = String::with_capacity(sentence.len() + 32);
    let mut rest = sentence;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        match value(name) {
            Some(value) => text.push_str(&value),
            None => text.extend(["{", name, "}"]),
        }
        rest = after;
    }
    text + rest
}

/// `t(key, name=value)` of a template, in the language of its `lang`.
pub fn t(state: &State<'_, '_>, key: &str, values: Kwargs) -> Result<String, Error> {
    let lang = state.lookup("lang");
    let lang = lang.as_ref().and_then(Value::as_str).unwrap_or_default();
    let language = Language::from_tag(lang).unwrap_or_default();
    let unknown = || Error::new(ErrorKind::UndefinedError, format!("no words for {key}"));
    let sentence = language.find(key).ok_or_else(unknown)?;
    let text = filled(sentence, |name| {
        let value = values.get::<Option<Value>>(name).ok()?;
        value.map(|value| value.to_string())
    });
    values.assert_all_used()?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    fn names(sentence: &str) -> BTreeSet<&str> {
        let parts = sentence.split('{').skip(1);
        parts
            .filter_map(|part| Some(part.split_once('}')?.0))
            .collect()
    }

    fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let files = fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path());
        let files = files.filter(|file| file.extension().is_some_and(|found| found == ending));
        let read = |file: std::path::PathBuf| {
            let text = fs::read_to_string(&file).unwrap();
            (file.display().to_string(), text)
        };
        files.map(read).collect()
    }

    #[test]
    fn every_language_says_everything_with_the_same_names() {
        let english = &TABLES[&Language::En];
        for (language, source) in SOURCES {
            assert_eq!(read(source).count(), TABLES[&language].len(), "a key twice");
            let lines = source.lines();
            let odd = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
            for line in odd {
                let sentence = line.split_once(" = ").map(|(_, sentence)| sentence);
                assert!(sentence.is_some_and(|text| text == text.trim()), "{line}");
            }
            for (key, sentence) in english {
                let found = language.find(key);
                let found = found.unwrap_or_else(|| panic!("{} lacks {key}", language.tag()));
                assert_eq!(names(found), names(sentence), "{} {key}", language.tag());
            }
            assert_eq!(english.len(), TABLES[&language].len(), "{}", language.tag());
        }
    }

    #[test]
    fn nothing_was_left_in_english() {
        // Some words are the same.
        let same = [
            "checkout.name",
            "checkout.email",
            "find.code",
            "offer.days",
            "terms.version",
        ];
        for language in [Language::De, Language::Fr] {
            for (key, english) in &TABLES[&Language::En] {
                let words = english.split_whitespace().count();
                let is_same = language.say(key) == *english;
                assert!(
                    !is_same || words == 1 || same.contains(key),
                    "{} {key}",
                    language.tag()
                );
            }
        }
    }

    #[test]
    fn what_is_asked_for_is_there_and_all_of_it_is_asked_for() {
        let mut sources = files("shop", "html");
        sources.extend(files("src/shop", "rs"));
        let english = &TABLES[&Language::En];
        let all: String = sources.iter().map(|(_, text)| text.as_str()).collect();
        for (file, text) in &sources {
            for ask in ["t(\"", ".say(\"", ".fill(\"", "fill(\n            \""] {
                for part in text.split(ask).skip(1) {
                    let key = part.split('"').next().unwrap_or_default();
                    let looks_like_one = key.contains('.') && !key.contains(['/', ' ', '<', '{']);
                    assert!(
                        !looks_like_one || english.contains_key(key),
                        "{file}: {key}"
                    );
                }
            }
        }
        // These are found by a word of a contract.
        let by_word = ["problem.", "refusal.", "rule.", "provider.", "timeline."];
        for key in english.keys() {
            let found = by_word.iter().any(|start| key.starts_with(start));
            assert!(
                found || all.contains(&format!("\"{key}\"")),
                "nobody asks for {key}"
            );
        }
    }

    #[test]
    fn templates_have_no_words_of_their_own() {
        // What it says is in English, as the document that it is made from.
        let for_programs = |file: &str| file.ends_with("/docs.html");
        let templates = files("shop", "html");
        let templates = templates
            .into_iter()
            .filter(|(file, _)| !for_programs(file));
        for (file, text) in templates {
            let mut words = String::new();
            // Tags of the template, and those of HTML around them.
            let (mut braces, mut angles) = (0, 0);
            for letter in text.chars() {
                match letter {
                    '{' => braces += 1,
                    '}' => braces -= 1,
                    '<' if braces == 0 => angles += 1,
                    '>' if braces == 0 => angles -= 1,
                    _ if braces == 0 && angles == 0 => words.push(letter),
                    _ => {}
                }
            }
            assert_eq!((braces, angles), (0, 0), "{file}");
            let words = words.replace("Boxoffice", "");
            let left: Vec<&str> = words.split_whitespace().collect();
            let is_word = |part: &&str| part.chars().any(char::is_alphabetic);
            assert_eq!(left.into_iter().find(is_word), None, "{file}");
            for attribute in ["aria-label=\"", "placeholder=\"", "title=\"", "alt=\""] {
                for value in text.split(attribute).skip(1) {
                    assert!(
                        value.starts_with(['{', '#']),
                        "{file}: {attribute}{value:.20}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_put_in_is_not_read_again() {
        let values: &[(&str, &dyn Display)] = &[("min", &"{max}"), ("max", &7)];
        let text = Language::En.fill("refusal.per_order", values);
        assert_eq!(text, "An order takes {max} to 7 of these tickets.");
    }
}
