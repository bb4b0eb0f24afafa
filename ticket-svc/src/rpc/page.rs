//! Pages of a list that is sorted by date and id.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use time::OffsetDateTime;
use uuid::Uuid;

use super::fields::Fields;
use crate::domain::limits::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX};

/// Where a page begins and how long it may be.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    pub size: u32,
    /// Sort key of the last row of the page before.
    pub after: Option<Position>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub date_time: OffsetDateTime,
    pub id: Uuid,
}

impl Page {
    pub fn read(fields: &mut Fields, size: u32, token: &str) -> Self {
        let after = decode(token);
        if after.is_none() && !token.is_empty() {
            fields.refuse(
                "page_token",
                "must be the next_page_token of the page before",
            );
        }
        if size > PAGE_SIZE_MAX {
            fields.refuse(
                "page_size",
                format!("must be between 1 and {PAGE_SIZE_MAX}"),
            );
        }
        Self {
            size: if size == 0 { PAGE_SIZE_DEFAULT } else { size },
            after,
        }
    }

    /// How many rows to read: one more tells whether a page follows.
    pub fn rows(&self) -> i64 {
        i64::from(self.size) + 1
    }

    /// Cuts the extra row off; the token of the page that follows, empty on the last one. It leads on
    /// from the rows as they were found: what is read of them afterwards may have moved meanwhile.
    pub fn cut(&self, found: &mut Vec<Position>) -> String {
        let size = self.size as usize;
        if found.len() <= size {
            return String::new();
        }
        found.truncate(size);
        found.last().copied().map_or_else(String::new, encode)
    }
}

fn encode(position: Position) -> String {
    let mut bytes = Vec::with_capacity(32);
    bytes.extend(position.date_time.unix_timestamp_nanos().to_be_bytes());
    bytes.extend(position.id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(token: &str) -> Option<Position> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (nanos, id) = bytes.split_first_chunk::<16>()?;
    let nanos = i128::from_be_bytes(*nanos);
    let date_time = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?;
    // Postgres stores no year of the far past.
    (date_time.year() >= 1).then_some(Position {
        date_time,
        id: Uuid::from_slice(id).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_token_leads_back_to_its_row() {
        let id = Uuid::from_u128(7);
        let position = Position {
            date_time: datetime!(2026-06-12 18:00:00.000001 UTC),
            id,
        };
        assert_eq!(decode(&encode(position)), Some(position));
    }

    #[test]
    fn a_page_is_followed_from_its_last_row_as_it_was_found() {
        let rows = |count: u128| -> Vec<Position> {
            let rows = (0..count).map(|number| Position {
                date_time: datetime!(2026-06-12 18:00 UTC),
                id: Uuid::from_u128(number),
            });
            rows.collect()
        };
        let page = Page {
            size: 2,
            after: None,
        };
        let mut found = rows(3);
        let token = page.cut(&mut found);
        assert_eq!((decode(&token), found), (Some(rows(2)[1]), rows(2)));
        assert_eq!(page.cut(&mut rows(2)), "");
    }

    #[test]
    fn noise_is_a_problem_of_its_field() {
        for token in ["x", "AAAA", "%", &"A".repeat(43), &"_".repeat(43)] {
            let mut fields = Fields::default();
            let page = Page::read(&mut fields, 0, token);
            assert_eq!(page.size, PAGE_SIZE_DEFAULT);
            assert_eq!(fields.done().is_err(), page.after.is_none(), "{token}");
        }
        let mut fields = Fields::default();
        Page::read(&mut fields, 101, "");
        assert!(fields.done().is_err());
    }
}
