//! Times in requests.

use serde::{Deserialize, Deserializer, de::Error};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Said of a text that is no time.
pub const RULE: &str = "must be a time as in RFC 3339, such as 2027-06-12T18:00:00Z";

pub fn parse(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
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
