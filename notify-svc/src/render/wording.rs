//! The words of a kind of message: a template that a person can edit.
//!
//! ```text
//! Subject: Cancelled: {{ title }} ({{ number }})
//! Headline: This event was cancelled
//! Button: Show my order
//!
//! {% if name %}
//! Hello {{ name }},
//! {% endif %}
//!
//! {{ title }} does not take place.
//! ```
//!
//! A template yields plain text: the layout places it and escapes all of it, so no template and no
//! fact can become markup. What a template may do is little enough to be bounded: it shows facts and
//! chooses between words. It cannot build values, call anything or name another template.

use std::{fmt, io, sync::LazyLock};

use minijinja::{Environment, UndefinedBehavior, Value, syntax::SyntaxConfig};

use super::bidi;

/// Of a whole template.
pub const SOURCE_MAX_BYTES: usize = 16 * 1024;
/// Of what one of its parts may become.
const OUTPUT_MAX_BYTES: usize = 32 * 1024;
/// Steps of the engine; the longest template in the repository takes some hundred.
const FUEL: u64 = 20_000;
/// What a template may say in `{% … %}`.
const STATEMENTS: [&str; 5] = ["if", "elif", "else", "endif", "for"];
const END_FOR: &str = "endfor";

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(engine);

/// A template that was read: its head has all its lines. That it can be filled shows when it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording {
    subject: String,
    headline: String,
    button: String,
    body: String,
}

/// The words of one mail. All plain text, each on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    pub subject: String,
    pub headline: String,
    pub button: String,
    pub paragraphs: Vec<String>,
}

/// Why a template is none, for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordingError(String);

impl fmt::Display for WordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WordingError {}

impl Wording {
    pub fn read(source: &str) -> Result<Self, WordingError> {
        if source.len() > SOURCE_MAX_BYTES {
            return Err(refused(format!("has more than {SOURCE_MAX_BYTES} bytes")));
        }
        let source = source.replace("\r\n", "\n");
        if source.chars().any(|c| c.is_control() && c != '\n') {
            return Err(refused("contains a control character"));
        }
        let (head, body) = source
            .split_once("\n\n")
            .ok_or_else(|| refused("has no empty line between its head and its text"))?;
        let mut lines = head.lines();
        let mut wording = Self {
            subject: head_line(&mut lines, "Subject")?,
            headline: head_line(&mut lines, "Headline")?,
            button: String::new(),
            body: body.to_owned(),
        };
        if head.lines().nth(2).is_some() {
            wording.button = head_line(&mut lines, "Button")?;
        }
        if let Some(line) = lines.next() {
            return Err(refused(format!("has a line too many in its head: {line}")));
        }
        for part in wording.parts() {
            check(part)?;
        }
        Ok(wording)
    }

    /// The words for these facts.
    pub fn fill(&self, facts: &Value) -> Result<Words, WordingError> {
        let [subject, headline, button, body] = self.parts().map(|part| render(part, facts));
        Ok(Words {
            subject: squeezed(&subject?),
            headline: squeezed(&headline?),
            button: squeezed(&button?),
            paragraphs: paragraphs(&body?),
        })
    }

    fn parts(&self) -> [&str; 4] {
        [&self.subject, &self.headline, &self.button, &self.body]
    }
}

impl Words {
    /// Nothing is missing that a mail needs; a button only where something leads somewhere. Asked when
    /// a template is tried out. When a mail goes out, a fact may be empty, and it goes all the same.
    pub fn complete(&self, has_link: bool) -> Result<(), WordingError> {
        for (name, missing) in [
            ("subject", self.subject.is_empty()),
            ("headline", self.headline.is_empty()),
            ("button", has_link && self.button.is_empty()),
            ("text", self.paragraphs.is_empty()),
        ] {
            if missing {
                return Err(refused(format!("leaves the {name} empty")));
            }
        }
        Ok(())
    }
}

fn refused(why: impl Into<String>) -> WordingError {
    WordingError(why.into())
}

fn head_line<'a>(
    lines: &mut impl Iterator<Item = &'a str>,
    name: &str,
) -> Result<String, WordingError> {
    let line = lines.next().unwrap_or_default();
    line.strip_prefix(name)
        .and_then(|rest| rest.strip_prefix(':'))
        .map(|text| text.trim().to_owned())
        .ok_or_else(|| refused(format!("must say `{name}: …` where it says `{line}`")))
}

fn engine() -> Environment<'static> {
    // Neither filters nor functions nor tests: what a template shows was made ready for it.
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_formatter(bidi::show);
    engine.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    engine.set_fuel(Some(FUEL));
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .expect("these are settings that the engine has");
    engine.set_syntax(syntax);
    engine
}

/// Only statements that choose and repeat, and expressions that cannot grow a value.
fn check(template: &str) -> Result<(), WordingError> {
    let mut rest = template;
    while let Some((at, opening)) = ["{{", "{%", "{#"]
        .iter()
        .filter_map(|opening| rest.find(opening).map(|at| (at, *opening)))
        .min()
    {
        let closing = match opening {
            "{{" => "}}",
            "{%" => "%}",
            _ => "#}",
        };
        let inside = &rest[at + 2..];
        let end = inside
            .find(closing)
            .ok_or_else(|| refused(format!("opens `{opening}` and never closes it")))?;
        match opening {
            "{{" => check_expression(&inside[..end])?,
            "{%" => check_statement(&inside[..end])?,
            _ => {}
        }
        rest = &inside[end + 2..];
    }
    Ok(())
}

fn check_statement(tag: &str) -> Result<(), WordingError> {
    let tag = tag.trim_matches(['-', '+']).trim();
    let word = tag.split_whitespace().next().unwrap_or_default();
    if !STATEMENTS.contains(&word) && word != END_FOR {
        return Err(refused(format!("cannot use `{{% {word} %}}`")));
    }
    if tag.split_whitespace().any(|word| word == "recursive") {
        return Err(refused("cannot repeat itself inside itself"));
    }
    check_expression(tag)
}

fn check_expression(expression: &str) -> Result<(), WordingError> {
    let mut quote = None;
    for c in expression.trim_matches(['-', '+']).chars() {
        match quote {
            Some(end) if c == end => quote = None,
            Some(_) if c == '\\' => return Err(refused("cannot use `\\` in a tag")),
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c.is_alphanumeric() || c.is_whitespace() || "_.=!<>".contains(c) => {}
            None => return Err(refused(format!("cannot use `{c}` in a tag"))),
        }
    }
    match quote {
        // The engine would read on to where the quote ends, past what is looked at here.
        Some(_) => Err(refused("opens a quote in a tag and never closes it")),
        None => Ok(()),
    }
}

fn render(template: &str, facts: &Value) -> Result<String, WordingError> {
    let mut out = Bounded(Vec::new());
    ENGINE
        .template_from_str(template)
        .and_then(|template| template.render_captured_to(facts, &mut out).map(drop))
        .map_err(|error| refused(reason(&error)))?;
    String::from_utf8(out.0).map_err(|_| refused("is not text"))
}

fn reason(error: &minijinja::Error) -> String {
    let what = error.detail().map(str::to_owned);
    let what = what.unwrap_or_else(|| error.kind().to_string());
    match error.line() {
        Some(line) => format!("line {line} of that part: {what}"),
        None => what,
    }
}

/// Refuses to grow without end.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > OUTPUT_MAX_BYTES {
            return Err(io::Error::other("the text is too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Paragraphs stand between empty lines; a line break inside one is a space.
fn paragraphs(body: &str) -> Vec<String> {
    let mut paragraphs = vec![String::new()];
    for line in body.lines() {
        match (line.trim(), paragraphs.last_mut()) {
            ("", _) => paragraphs.push(String::new()),
            (line, Some(paragraph)) => {
                paragraph.push(' ');
                paragraph.push_str(line);
            }
            (_, None) => {}
        }
    }
    let paragraphs = paragraphs.iter().map(|paragraph| squeezed(paragraph));
    paragraphs.filter(|text| !text.is_empty()).collect()
}

/// One line. Spaces that do not break stay what they are.
fn squeezed(text: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, ' ' | '\u{2028}' | '\u{2029}');
    let words = text.split(breaks).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use super::*;

    fn source(body: &str) -> String {
        format!("Subject: s {{{{ name }}}}\nHeadline: h\nButton: b\n\n{body}")
    }

    fn fill(body: &str) -> Result<Words, WordingError> {
        let facts = context! { name => "Zofia", count => 2, none => (), list => vec!["a", "b"] };
        let words = Wording::read(&source(body))?.fill(&facts)?;
        words.complete(true).map(|()| words)
    }

    #[test]
    fn words_are_lines_and_paragraphs() {
        let words = fill(
            "{% if count == 1 %}\none\n{% elif name %}\nTwo lines\nof {{ name }}.\n{% endif %}\n\n\
             {% if none %}\nnever\n{% endif %}\n\n{% for x in list %}{{ x }} {% endfor %}\u{a0}!\n",
        )
        .unwrap();
        assert_eq!(words.subject, "s Zofia");
        assert_eq!(words.paragraphs, ["Two lines of Zofia.", "a b \u{a0}!"]);
    }

    #[test]
    fn what_could_grow_or_reach_out_is_refused_when_it_is_read() {
        for tag in [
            "{% set x = name %}",
            "{% macro m() %}x{% endmacro %}",
            "{% include 'x' %}",
            "{% extends 'x' %}",
            "{% autoescape false %}",
            "{% for x in list recursive %}x{% endfor %}",
            "{{ name * 1000000 }}",
            "{{ name ~ name }}",
            "{{ name + name }}",
            "{{ [name, name] }}",
            "{{ {'a': name} }}",
            "{{ name|upper }}",
            "{{ range(9) }}",
            "{{ '\\x00' }}",
            "{{ '}}' ~ name }}",
            "{{ name",
            "{% if name",
        ] {
            let refused = Wording::read(&source(tag));
            assert!(refused.is_err(), "{tag}: {refused:?}");
        }
    }

    #[test]
    fn what_a_template_lacks_is_said() {
        for (whole, why) in [
            (String::new(), "empty line"),
            ("Subject: s\n\ntext".to_owned(), "`Headline: …`"),
            (
                "Subject: s\nHeadline: h\nBcc: x\n\ntext".to_owned(),
                "Bcc: x",
            ),
            (
                "Subject: s\nHeadline: h\nButton: b\nBcc: x\n\ntext".to_owned(),
                "Bcc: x",
            ),
            (source("\0"), "control"),
            (source(&"x".repeat(SOURCE_MAX_BYTES)), "bytes"),
        ] {
            let refused = Wording::read(&whole).unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
        }
        for (body, why) in [
            ("{{ nmae }}", "nmae"),
            ("{% if nmae %}x{% endif %}", "nmae"),
            ("{% for x in list %}", "line"),
            ("{% if count %}{% endif %}", "empty"),
            ("{% endif %}", "line"),
        ] {
            let refused = fill(body).unwrap_err().to_string();
            assert!(refused.contains(why), "{body}: {refused}");
        }
    }

    #[test]
    fn a_button_may_be_missing_where_nothing_leads_anywhere() {
        let wording = Wording::read("Subject: s\nHeadline: h\n\ntext").unwrap();
        let words = wording.fill(&context! {}).unwrap();
        assert_eq!((words.button.as_str(), words.complete(false)), ("", Ok(())));
        let refused = words.complete(true).unwrap_err().to_string();
        assert!(refused.contains("button"), "{refused}");
    }

    #[test]
    fn work_and_size_are_bounded() {
        let nested = "{% for a in list %}".repeat(14) + "x" + &"{% endfor %}".repeat(14);
        let refused = fill(&nested).unwrap_err().to_string();
        assert!(refused.contains("fuel"), "{refused}");

        let long = "y".repeat(OUTPUT_MAX_BYTES / 2);
        let facts = context! { name => long };
        let wording = Wording::read(&source("{{ name }}{{ name }}{{ name }}")).unwrap();
        assert!(wording.fill(&facts).is_err());
    }

    #[test]
    fn a_fact_is_never_read_as_a_template() {
        let wording = Wording::read(&source("{{ name }}")).unwrap();
        let facts = context! { name => "{{ 7 }}{% if x %}\nBcc: x" };
        let words = wording.fill(&facts).unwrap();
        assert_eq!(words.subject, "s {{ 7 }}{% if x %} Bcc: x");
    }
}
