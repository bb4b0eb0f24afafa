//! Passwords that everybody tries, and what is made of them (NIST SP 800-63B-4 §3.1.1.2).

use std::{collections::HashSet, sync::LazyLock};

/// See `passwords/README.md` for where it comes from.
static COMMON: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("../../passwords/common.txt").lines().collect());

const KEYBOARD: [&str; 5] = [
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
];
const WORD_CHARS: std::ops::RangeInclusive<usize> = 4..=32;
/// A part that is said to be a run, or the same again.
const RUN_MIN_CHARS: usize = 4;
const REPEAT_MIN_CHARS: usize = 3;
const DISTINCT_MIN: usize = 5;
/// What a password has to be worth: a letter is worth one, however many letters a known word has it is
/// worth two, and a run, a repetition or a word about the owner one. So two known words are too little, and
/// three are not.
const WORTH_MIN: usize = 6;
const WORD_WORTH: usize = 2;
/// Words about the owner are tried first, with a year behind them.
const OWN_WORTH: usize = 1;
const RUN_WORTH: usize = 1;

/// Whether somebody who tries what others use would come upon it soon. `own` are words about its owner.
pub(super) fn is_easily_tried(password: &str, own: &[&str]) -> bool {
    let letters: Vec<char> = password.to_lowercase().chars().collect();
    let distinct: HashSet<&char> = letters.iter().collect();
    distinct.len() < DISTINCT_MIN || worth(&letters, own) < WORTH_MIN
}

/// The least that any reading of it as words, runs and letters is worth.
fn worth(letters: &[char], own: &[&str]) -> usize {
    let own: HashSet<String> = own.iter().map(|word| word.to_lowercase()).collect();
    let mut least: Vec<usize> = (0..=letters.len()).collect();
    for start in 0..letters.len() {
        let rest = &letters[start..];
        let mut reach = |chars: usize, worth: usize| {
            least[start + chars] = least[start + chars].min(least[start] + worth);
        };
        reach(1, 1);
        for chars in WORD_CHARS.take_while(|chars| *chars <= rest.len()) {
            let word: String = rest[..chars].iter().collect();
            if own.contains(&word) {
                reach(chars, OWN_WORTH);
            } else if COMMON.contains(word.as_str()) {
                reach(chars, WORD_WORTH);
            }
        }
        for chars in RUN_MIN_CHARS..=run(rest) {
            reach(chars, RUN_WORTH);
        }
        for chars in REPEAT_MIN_CHARS..=start.min(rest.len()) {
            if letters[start - chars..start] == rest[..chars] {
                reach(chars, RUN_WORTH);
            }
        }
    }
    least[letters.len()]
}

/// How many letters from the first on stand in a row on a keyboard, or are all the same.
fn run(letters: &[char]) -> usize {
    let as_long_as = |goes_on: &dyn Fn(char, char) -> bool| {
        let pairs = letters.windows(2);
        let steps = pairs.take_while(|pair| goes_on(pair[0], pair[1])).count();
        steps + 1
    };
    let follows = |row: &str, one: char, next: char| {
        let pair: String = [one, next].iter().collect();
        row.contains(&pair)
    };
    KEYBOARD
        .iter()
        .flat_map(|row| {
            [
                as_long_as(&|one, next| follows(row, one, next)),
                as_long_as(&|one, next| follows(row, next, one)),
            ]
        })
        .chain([as_long_as(&|one, next| one == next)])
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_as_it_is_said_to_be() {
        let lines: Vec<&str> = include_str!("../../passwords/common.txt").lines().collect();
        assert!(lines.len() > 20_000);
        assert!(lines.is_sorted() && lines.iter().all(|line| *line == line.to_lowercase()));
        assert!(lines.iter().all(|line| unicode_normalization::is_nfc(line)));
    }

    #[test]
    fn what_everybody_tries_is_refused() {
        let own = ["ada.lovelace@example.org", "ada.lovelace", "boxoffice"];
        for easy in [
            "passwordpassword",
            "PasswordPassword1",
            "baseballfootball",
            "123456789012345",
            "qwertyuiopasdfghjkl",
            "abcabcabcabcabc1",
            "aaaaaaaaaaaaaaa",
            "ababababababababa",
            "boxofficeboxoffice",
            "Boxoffice12345678",
            "ada.lovelace@example.org",
            "Ada.Lovelace2026",
            "polniypizdec110211",
        ] {
            assert!(is_easily_tried(easy, &own), "{easy}");
        }
        for good in [
            "correct horse battery",
            "a long enough password",
            "monkey dragon shadow",
            "jZ8#kfWq2!vvNp0",
            "wir warten auf den Bus",
            "пароль с пробелами и ёлкой",
        ] {
            assert!(!is_easily_tried(good, &own), "{good}");
        }
    }

    #[test]
    fn the_longest_password_is_judged_quickly() {
        let begun = std::time::Instant::now();
        // Letters enough to be looked at closely, and repetitions that are tried at every place.
        let long: String = "passwordB3$".chars().cycle().take(256).collect();
        let distinct: HashSet<char> = long.to_lowercase().chars().collect();
        assert!(distinct.len() >= DISTINCT_MIN);
        is_easily_tried(&long, &[]);
        assert!(begun.elapsed() < std::time::Duration::from_secs(5));
    }
}
