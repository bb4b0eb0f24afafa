//! Parameters of path and query.

use std::str::FromStr;

use axum::extract::FromRequestParts;
use http::request::Parts;
use kit::{ErrorReason, Failure, FieldProblem};
use serde::de::DeserializeOwned;

use super::{
    json::{field_problem, nul_in},
    not_utf8,
};
use crate::{app::Shared, problem::Problem};

/// The parameters of the path. What does not parse names nothing: 404.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Shared> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        match axum::extract::Path::from_request_parts(parts, app).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(_) => Err(absent()),
        }
    }
}

/// The one id of the path. A text that is no id names nothing: 404.
pub struct Id<T>(pub T);

impl<T: FromStr> FromRequestParts<Shared> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, app).await?;
        text.parse().map(Self).map_err(|_| absent())
    }
}

fn absent() -> Problem {
    Failure::not_found("resource").into()
}

/// The parameters of the query.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Shared> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        type Pairs = Vec<(String, String)>;
        let unreadable =
            || Problem::refused(ErrorReason::InvalidRequest, "The query is not readable.");
        let pairs =
            axum::extract::Query::<Pairs>::try_from_uri(&parts.uri).map_err(|_| unreadable())?;
        if let Some((name, _)) = pairs.iter().find(|(_, value)| value.contains('\0')) {
            return Err(nul_in(name));
        }
        if let Some((name, _)) = pairs.iter().find(|(_, value)| not_utf8(value)) {
            return Err(kit::fields(vec![FieldProblem::new(name, "must be UTF-8")]).into());
        }
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|rejection| refusal(&rejection.body_text()))
    }
}

/// axum's text is `…query string: <field>: <what is wrong>`.
fn refusal(text: &str) -> Problem {
    let message = text
        .split_once("query string: ")
        .map_or(text, |(_, message)| message);
    let (field, message) = message.split_once(": ").unwrap_or(("query", message));
    // What the standard library says of a text that should be a number.
    let no_number = ["digit", "empty string", "number too"];
    let problem = if no_number.iter().any(|words| message.contains(words)) {
        FieldProblem::new(field, "must be a whole number of 0 or more")
    } else if message.contains("`true` or `false`") {
        FieldProblem::new(field, "must be `true` or `false`")
    } else {
        field_problem(field, message)
    };
    kit::fields(vec![problem]).into()
}
