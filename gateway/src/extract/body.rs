//! Bodies: JSON for programs, forms for browsers, raw bytes for webhooks.

use std::collections::HashMap;

use axum::extract::{FromRequest, Request, rejection::BytesRejection};
use bytes::Bytes;
use http::{HeaderMap, header};
use kit::{ErrorReason, FieldProblem};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, error::Category};

use crate::{app::Shared, problem::Problem};

/// A JSON body, `Content-Type: application/json`.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Shared> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let RawBody(bytes) = RawBody::from_request(request, app).await?;
        Ok(Self(parse(&bytes)?))
    }
}

/// A JSON body that may be left out.
pub struct JsonOrEmpty<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<Shared> for JsonOrEmpty<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        let RawBody(bytes) = RawBody::from_request(request, app).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        require_json(&headers)?;
        Ok(Self(parse(&bytes)?))
    }
}

/// The fields of a posted form.
pub struct Form(HashMap<String, String>);

impl Form {
    /// The field's text without surrounding blanks; empty where it is absent.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| value.trim())
    }

    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl FromRequest<Shared> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        use axum::extract::rejection::FormRejection as R;
        match axum::Form::from_request(request, app).await {
            Ok(axum::Form(fields)) => Ok(Self(fields)),
            Err(R::InvalidFormContentType(_)) => Err(unsupported(
                "Send a form as application/x-www-form-urlencoded.",
            )),
            Err(R::BytesRejection(rejection)) => Err(unreadable(&rejection)),
            Err(_) => Err(malformed("The form is not readable.")),
        }
    }
}

/// The bytes as they came, at most as long as the route allows.
pub struct RawBody(pub Bytes);

impl FromRequest<Shared> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        Bytes::from_request(request, app)
            .await
            .map(Self)
            .map_err(|rejection| unreadable(&rejection))
    }
}

fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = content_type
        .and_then(|value| value.split(';').next())
        .map_or("", str::trim);
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(unsupported(
        "Send JSON with `Content-Type: application/json`.",
    ))
}

fn unsupported(detail: &str) -> Problem {
    Problem::refused(ErrorReason::UnsupportedMediaType, detail)
}

fn malformed(detail: &str) -> Problem {
    Problem::refused(ErrorReason::MalformedBody, detail)
}

fn unreadable(rejection: &BytesRejection) -> Problem {
    if rejection.status() == http::StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::refused(ErrorReason::BodyTooLarge, "The body is too large.");
    }
    malformed("The body ended early.")
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Whether it is JSON at all comes before what is in it.
    serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| refusal(".", &error))?;
    refuse_nul(bytes)?;
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        // serde would take a list of the values as well.
        return Err(kit::fields(vec![field_problem(".", "expected struct")]).into());
    }
    let json = &mut serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(json).map_err(|error| {
        let path = error.path().to_string();
        refusal(&path, error.inner())
    })
}

fn refusal(path: &str, error: &serde_json::Error) -> Problem {
    let place = format!("line {} column {}", error.line(), error.column());
    match error.classify() {
        Category::Data => {
            let text = error.to_string();
            let rule = text.split(" at line ").next().unwrap_or_default();
            kit::fields(vec![field_problem(path, rule)]).into()
        }
        Category::Eof => malformed("The JSON ends early."),
        Category::Syntax | Category::Io => malformed(&format!("This is not JSON, at {place}.")),
    }
}

/// serde says what it met and what it expected; people need the rule and the field's name.
fn field_problem(path: &str, message: &str) -> FieldProblem {
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
        Some(expected) if expected.starts_with("struct") => "must be an object".to_owned(),
        Some(expected) => format!("must be {expected}"),
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

pub(super) fn nul_in(field: impl Into<String>) -> Problem {
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
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Order {
        email: String,
        lines: Vec<Line>,
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
        ] {
            assert_eq!(
                refused(json),
                (ErrorReason::InvalidRequest, said.to_owned()),
                "{json}"
            );
        }
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
