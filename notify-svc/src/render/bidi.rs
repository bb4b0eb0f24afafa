//! Words from right to left in letters from left to right (Unicode Standard Annex 9).

use minijinja::{Error, Output, State, Value, escape_formatter};

const ISOLATE: &str = "\u{2068}";
const END: &str = "\u{2069}";

/// Shows a value. What has words from right to left keeps to itself: they go on in their own direction, and neither
/// turn nor take along a number or a comma that follows.
pub(super) fn show(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    let turns = |text: &&str| !text.starts_with("http") && text.chars().any(is_right_to_left);
    if value.as_str().filter(turns).is_none() {
        return escape_formatter(out, state, value);
    }
    out.write_str(ISOLATE)?;
    escape_formatter(out, state, value)?;
    out.write_str(END)?;
    Ok(())
}

/// The blocks of such scripts, Hebrew and Arabic among them.
const fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// Directs what follows it: within one text, and as it may lack its end, in everything behind that, too.
pub(super) const fn is_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use minijinja::{Environment, context};

    use super::*;
    use crate::render::one_line;

    fn shown(text: &str) -> String {
        let mut layout = Environment::new();
        layout.set_formatter(show);
        layout
            .add_template("x.html", "<p>{{ text }}, 5 EUR</p>")
            .unwrap();
        let layout = layout.get_template("x.html").unwrap();
        layout.render(context! { text }).unwrap()
    }

    #[test]
    fn words_from_right_to_left_keep_to_themselves() {
        assert_eq!(
            shown("עמידה <1>"),
            "<p>\u{2068}עמידה &lt;1&gt;\u{2069}, 5 EUR</p>"
        );
        assert_eq!(shown("بيروت"), "<p>\u{2068}بيروت\u{2069}, 5 EUR</p>");
        assert_eq!(shown("Ελένη, Žižkov"), "<p>Ελένη, Žižkov, 5 EUR</p>");
    }

    #[test]
    fn no_name_turns_what_follows_it() {
        assert_eq!(one_line("a\u{202e}b\u{2066} c\u{2069}\u{2069}d"), "ab cd");
    }
}
