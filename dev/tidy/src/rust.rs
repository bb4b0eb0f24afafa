//! Rust code, line by line.

/// A line of a Rust file.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// From 1.
    pub number: usize,
    pub text: &'a str,
    /// Stands in an item under `#[cfg(test)]`.
    pub is_test: bool,
}

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    /// Where `fn` stands.
    pub line: usize,
    /// From there to the closing brace, both counted.
    pub lines: usize,
    /// `self` is not counted.
    pub parameters: usize,
}

pub fn lines(text: &str) -> Vec<Line<'_>> {
    let mut lines: Vec<Line> = text
        .lines()
        .enumerate()
        .map(|(index, text)| Line {
            number: index + 1,
            text,
            is_test: false,
        })
        .collect();
    let mut at = 0;
    while at < lines.len() {
        if lines[at].text.trim_start().starts_with("#[cfg(test)]") {
            let end = end_of_item(&lines, at);
            lines[at..=end]
                .iter_mut()
                .for_each(|line| line.is_test = true);
            at = end;
        }
        at += 1;
    }
    lines
}

/// Lines with code: no blank ones, no comments, no tests.
pub fn code_lines(lines: &[Line]) -> usize {
    let is_code = |line: &&Line| {
        let text = line.text.trim_start();
        !line.is_test && !text.is_empty() && !text.starts_with("//")
    };
    lines.iter().filter(is_code).count()
}

pub fn functions(text: &str) -> Vec<Function> {
    let lines = lines(text);
    let starts = lines
        .iter()
        .enumerate()
        .filter_map(|(at, line)| Some((at, name(line.text)?)));
    starts
        .filter_map(|(at, name)| {
            let end = end_of_item(&lines, at);
            let text: Vec<&str> = lines[at..=end].iter().map(|line| line.text).collect();
            let has_body = text.last()?.trim_end().ends_with('}');
            has_body.then(|| Function {
                name: name.to_owned(),
                line: at + 1,
                lines: text.len(),
                parameters: parameters(&text.join("\n"), name),
            })
        })
        .collect()
}

/// The index of the item's last line: rustfmt puts it at the indentation of the first.
fn end_of_item(lines: &[Line], start: usize) -> usize {
    let indent = indent(lines[start].text);
    let ends = |line: &Line| {
        let text = line.text.trim();
        self::indent(line.text) == indent
            && (text.ends_with(';') || text.ends_with('}') || text.ends_with("});"))
            && !text.starts_with("//")
    };
    (start..lines.len())
        .find(|at| ends(&lines[*at]))
        .unwrap_or(lines.len() - 1)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The name, if a function begins on this line.
fn name(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    loop {
        match words.next()? {
            "fn" => break,
            "pub" | "const" | "async" | "unsafe" | "extern" | "\"C\"" => {}
            word if word.starts_with("pub(") => {}
            // `pub(in crate::a)` is not used here.
            _ => return None,
        }
    }
    let name = words.next()?;
    let end = name.find(['(', '<']).unwrap_or(name.len());
    Some(&name[..end])
}

fn parameters(function: &str, name: &str) -> usize {
    let after_name = function
        .split_once(&format!("fn {name}"))
        .map_or("", |(_, rest)| rest);
    let list = parameter_list(after_name);
    split_at_top(list)
        .iter()
        .filter(|parameter| !is_self(parameter))
        .count()
}

/// `self`, `&'a mut self`, `self: Arc<Self>`.
fn is_self(parameter: &str) -> bool {
    let words = parameter
        .split([' ', '&', ':', '\n'])
        .filter(|word| !word.is_empty());
    words
        .filter(|word| !word.starts_with('\''))
        .find(|word| *word != "mut")
        == Some("self")
}

/// What stands between the parentheses behind the name and its generics.
fn parameter_list(after_name: &str) -> &str {
    let mut angle = 0_i32;
    let mut round = 0_i32;
    let mut start = None;
    let mut before = ' ';
    for (at, letter) in after_name.char_indices() {
        match letter {
            '<' => angle += 1,
            '>' if before != '-' => angle -= 1,
            '(' => {
                if angle == 0 && start.is_none() {
                    start = Some(at + 1);
                    round = 0;
                }
                round += 1;
            }
            ')' => {
                round -= 1;
                if let Some(start) = start
                    && round == 0
                {
                    return &after_name[start..at];
                }
            }
            _ => {}
        }
        before = letter;
    }
    ""
}

/// Splits at commas that stand in no bracket.
fn split_at_top(list: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut from, mut before) = (0_i32, 0, ' ');
    for (at, letter) in list.char_indices() {
        match letter {
            '(' | '[' | '{' | '<' => depth += 1,
            '>' if before == '-' => {}
            ')' | ']' | '}' | '>' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&list[from..at]);
                from = at + 1;
            }
            _ => {}
        }
        before = letter;
    }
    parts.push(&list[from..]);
    parts
        .into_iter()
        .filter(|part| !part.trim().is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "\
//! Says what.

pub struct Plain;

impl Plain {
    pub(crate) async fn two<'a, F: Fn(u8) -> u8>(
        &'a self,
        first: (u8, u8),
        second: HashMap<u8, u8>,
    ) -> u8 {
        1
    }
}

#[cfg(test)]
use std::fmt;

trait Shape {
    fn declared(&self, a: u8);
}

fn none() {}

#[cfg(test)]
mod tests {
    fn inside() {
        let text = 1;
    }
}
";

    #[test]
    fn tests_are_told_from_the_rest() {
        let test_lines: Vec<usize> = lines(SAMPLE)
            .iter()
            .filter(|line| line.is_test)
            .map(|line| line.number)
            .collect();
        assert_eq!(test_lines, [15, 16, 24, 25, 26, 27, 28, 29]);
        assert_eq!(code_lines(&lines(SAMPLE)), 14);
    }

    #[test]
    fn functions_are_measured() {
        let found = functions(SAMPLE);
        let measures: Vec<(&str, usize, usize, usize)> = found
            .iter()
            .map(|f| (f.name.as_str(), f.line, f.lines, f.parameters))
            .collect();
        assert_eq!(
            measures,
            [("two", 6, 7, 2), ("none", 22, 1, 0), ("inside", 26, 3, 0)]
        );
    }
}
