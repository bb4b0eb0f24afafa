//! Times in requests.

use kit::{Failure, FieldProblem};
use serde::{Deserialize, Deserializer, de::Error};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Said of a text that is no time.
pub const RULE: &str = "must be a time as in RFC 3339, such as 2027-06-12T18:00:00Z";

pub fn parse(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

/// As it stands in answers.
pub fn text(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}

/// For `deserialize_with`: the rule instead of the parser's own words.
pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<OffsetDateTime, D::Error> {
    let text = String::deserialize(input)?;
    parse(&text).ok_or_else(|| D::Error::custom(RULE))
}

/// The same where it may be left out or null.
pub fn option<'de, D: Deserializer<'de>>(input: D) -> Result<Option<OffsetDateTime>, D::Error> {
    let text = Option::<String>::deserialize(input)?;
    let parsed = |text: String| parse(&text).ok_or_else(|| D::Error::custom(RULE));
    text.map(parsed).transpose()
}

/// A time where a type of its own is needed.
#[derive(Clone, Copy, Debug)]
pub struct Moment(pub OffsetDateTime);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        deserialize(input).map(Self)
    }
}

/// A time in a query; none where it is left out.
pub fn query(field: &str, text: Option<&str>) -> Result<Option<prost_types::Timestamp>, Failure> {
    let Some(text) = text else {
        return Ok(None);
    };
    let refused = || kit::fields(vec![FieldProblem::new(field, RULE)]);
    parse(text)
        .map(proto::timestamp)
        .map(Some)
        .ok_or_else(refused)
}
