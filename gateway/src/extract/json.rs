//! JSON bodies, read strictly: one object, every field known, named when it breaks a rule.

use std::{fmt, marker::PhantomData};

use kit::FieldProblem;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Value, error::Category};

use super::malformed;
use crate::problem::Problem;

/// An object and nothing else. serde's structs would also read a list of their values, in an order
/// that no caller means; so every struct inside a body stands in one of these.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_map(OnlyAMap(PhantomData)).map(Self)
    }
}

struct OnlyAMap<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyAMap<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// A field of a change: left out it stays as it is, null takes its value away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Given<T> {
    #[default]
    Absent,
    Null,
    Value(T),
}

impl<T> Given<T> {
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }
}

/// With `#[serde(default)]`, which makes it absent.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let value = Option::deserialize(input)?;
        Ok(value.map_or(Self::Null, Self::Value))
    }
}

pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Whether it is JSON at all comes before what is in it.
    serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| not_json(&error))?;
    refuse_nul(bytes)?;
    let json = &mut serde_json::Deserializer::from_slice(bytes);
    let Object(value) = serde_path_to_error::deserialize(json).map_err(|error| {
        let text = error.inner().to_string();
        let rule = text.split(" at line ").next().unwrap_or_default();
        kit::fields(vec![field_problem(&error.path().to_string(), rule)])
    })?;
    Ok(value)
}

fn not_json(error: &serde_json::Error) -> Problem {
    if error.classify() == Category::Eof {
        return malformed("The JSON ends early.");
    }
    let (line, column) = (error.line(), error.column());
    malformed(&format!(
        "This is not JSON, at line {line} column {column}."
    ))
}

/// serde says what it met and what it expected; people need the rule and the field's name.
pub fn field_problem(path: &str, message: &str) -> FieldProblem {
    let parent = if path == "." { "" } else { path };
    let quoted = message.split('`').nth(1).unwrap_or_default();
    let child = |name: &str| match parent {
        "" => name.to_owned(),
        parent if parent == name || parent.ends_with(&format!(".{name}")) => parent.to_owned(),
        parent => format!("{parent}.{name}"),
    };
    if message.starts_with("missing field") {
        return FieldProblem::new(child(quoted), "is missing");
    }
    if message.starts_with("unknown field") {
        return FieldProblem::new(child(quoted), "is not a field of this request");
    }
    if message.starts_with("duplicate field") {
        return FieldProblem::new(child(quoted), "is there twice");
    }
    let field = if parent.is_empty() { "body" } else { parent };
    let rule = match message
        .rsplit_once("expected ")
        .map(|(_, expected)| expected)
    {
        Some("u32") => "must be a whole number of 0 or more".to_owned(),
        Some("i64") => "must be a whole number".to_owned(),
        Some("a sequence") => "must be a list".to_owned(),
        Some(expected) => format!("must be {expected}"),
        None if message.starts_with("must ") => message.to_owned(),
        None => format!("is not valid: {message}"),
    };
    FieldProblem::new(field, rule)
}

/// No text anywhere may hold U+0000: no database column can store it.
fn refuse_nul(bytes: &[u8]) -> Result<(), Problem> {
    const ESCAPE: &[u8] = b"\\u0000";
    if !bytes.windows(ESCAPE.len()).any(|window| window == ESCAPE) {
        return Ok(());
    }
    // The escape may itself be escaped, so what counts is the parsed text.
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        return Ok(());
    };
    match find_nul(&value, String::new()) {
        Some(field) => Err(nul_in(field)),
        None => Ok(()),
    }
}

pub fn nul_in(field: impl Into<String>) -> Problem {
    kit::fields(vec![FieldProblem::new(
        field,
        "must not contain the character U+0000",
    )])
    .into()
}

fn find_nul(value: &Value, path: String) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then_some(path),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| find_nul(item, format!("{path}[{index}]"))),
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            if name.contains('\0') {
                return Some(path.clone());
            }
            let dot = if path.is_empty() { "" } else { "." };
            find_nul(value, format!("{path}{dot}{name}"))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use kit::ErrorReason;

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Order {
        email: String,
        lines: Vec<Object<Line>>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Line {
        quantity: u32,
    }

    fn refused(json: &str) -> (ErrorReason, String) {
        let Err(problem) = parse::<Order>(json.as_bytes()) else {
            panic!("{json} was accepted")
        };
        (problem.reason(), problem.0.detail.clone())
    }

    #[test]
    fn the_field_is_named() {
        for (json, said) in [
            (r#"{"lines":[]}"#, "email is missing"),
            (
                r#"{"email":"","lines":[],"x":1}"#,
                "x is not a field of this request",
            ),
            (r#"{"email":7,"lines":[]}"#, "email must be a string"),
            (
                r#"{"email":"","lines":[{"quantity":-1}]}"#,
                "lines[0].quantity must be a whole number of 0 or more",
            ),
            (
                r#"{"email":"","lines":[{"quantity":99999999999}]}"#,
                "lines[0].quantity must be a whole number of 0 or more",
            ),
            (
                r#"{"email":"","lines":[{}]}"#,
                "lines[0].quantity is missing",
            ),
            (r#"{"email":"","lines":{}}"#, "lines must be a list"),
            (
                r#"{"email":"a\u0000","lines":[]}"#,
                "email must not contain the character U+0000",
            ),
            ("7", "body must be an object"),
            (r#"["", []]"#, "body must be an object"),
            (
                r#"{"email":"","lines":[[1]]}"#,
                "lines[0] must be an object",
            ),
            (
                r#"{"email":"","lines":[{"quantity":1,"quantity":2}]}"#,
                "lines[0].quantity is there twice",
            ),
        ] {
            assert_eq!(
                refused(json),
                (ErrorReason::InvalidRequest, said.to_owned()),
                "{json}"
            );
        }
    }

    #[test]
    fn left_out_is_not_null() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Change {
            #[serde(default)]
            stock: Given<i64>,
        }
        for (json, expected) in [
            ("{}", Given::Absent),
            (r#"{"stock":null}"#, Given::Null),
            (r#"{"stock":7}"#, Given::Value(7)),
        ] {
            let change: Change = parse(json.as_bytes()).unwrap();
            assert_eq!(change.stock, expected, "{json}");
        }
        let refused = parse::<Change>(br#"{"stock":"7"}"#).unwrap_err();
        assert_eq!(refused.0.detail, "stock must be a whole number");
    }

    #[test]
    fn what_is_not_json_is_malformed() {
        for json in [
            "",
            "{",
            "{]",
            "nope",
            r#"{"email":"","lines":[]}{}"#,
            "\u{0}",
        ] {
            assert_eq!(refused(json).0, ErrorReason::MalformedBody, "{json}");
        }
        let escaped_backslash = r#"{"email":"a\\u0000","lines":[]}"#;
        assert!(parse::<Order>(escaped_backslash.as_bytes()).is_ok());
    }
}
