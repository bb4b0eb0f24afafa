//! Pages of a list that is sorted by a time and an id. Who has a token of one replica may show it to another, and to the
//! edge's copy of a list.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kit::FieldProblem;
use time::OffsetDateTime;
use uuid::Uuid;

const SIZE_DEFAULT: u32 = 20;
pub const SIZE_MAX: u32 = 100;

/// Where a page begins and how long it may be.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    size: u32,
    /// The last row of the page before, as it was found.
    pub after: Option<Position>,
}

/// The sort key of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub at: OffsetDateTime,
    pub id: Uuid,
}

impl Page {
    /// Notes what is wrong with the fields `page_size` and `page_token`.
    pub fn read(problems: &mut Vec<FieldProblem>, size: u32, token: &str) -> Self {
        let after = Position::from_token(token);
        if after.is_none() && !token.is_empty() {
            let rule = "must be the next_page_token of the page before";
            problems.push(FieldProblem::new("page_token", rule));
        }
        if size > SIZE_MAX {
            let rule = format!("must be between 1 and {SIZE_MAX}");
            problems.push(FieldProblem::new("page_size", rule));
        }
        Self {
            size: if size == 0 { SIZE_DEFAULT } else { size },
            after,
        }
    }

    /// How many rows it has at most.
    pub const fn size(&self) -> usize {
        self.size as usize
    }

    /// How many rows to read: one more tells whether a page follows.
    pub fn rows(&self) -> i64 {
        i64::from(self.size) + 1
    }

    /// Cuts the extra row off; the token of the page that follows, empty on the last one. It leads on from the rows
    /// as they were found: what is read of them afterwards may have moved meanwhile.
    pub fn cut<T>(&self, rows: &mut Vec<T>, position: impl Fn(&T) -> Position) -> String {
        if rows.len() <= self.size() {
            return String::new();
        }
        rows.truncate(self.size());
        rows.last()
            .map_or_else(String::new, |last| position(last).token())
    }
}

impl Position {
    pub fn token(self) -> String {
        let mut bytes = Vec::with_capacity(32);
        bytes.extend(self.at.unix_timestamp_nanos().to_be_bytes());
        bytes.extend(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// None for what is no token.
    pub fn from_token(token: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (nanos, id) = bytes.split_first_chunk::<16>()?;
        let nanos = i128::from_be_bytes(*nanos);
        let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?;
        let id = Uuid::from_slice(id).ok()?;
        // Postgres stores no year of the far past.
        (at.year() >= 1).then_some(Self { at, id })
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const AT: OffsetDateTime = datetime!(2026-06-12 18:00:00.000001 UTC);

    #[test]
    fn a_token_leads_back_to_its_row() {
        let position = Position {
            at: AT,
            id: Uuid::from_u128(7),
        };
        assert_eq!(Position::from_token(&position.token()), Some(position));
    }

    #[test]
    fn noise_is_a_problem_of_its_field() {
        for token in ["x", "AAAA", "%", &"A".repeat(43), &"_".repeat(43)] {
            let mut problems = Vec::new();
            let page = Page::read(&mut problems, 0, token);
            assert_eq!((page.rows(), page.size()), (21, 20));
            assert_eq!(problems.is_empty(), page.after.is_some(), "{token}");
        }
        let mut problems = Vec::new();
        Page::read(&mut problems, SIZE_MAX + 1, "");
        assert_eq!(problems[0].field, "page_size");
    }

    #[test]
    fn a_page_is_followed_from_its_last_row() {
        let position = |n: u32| Position {
            at: AT,
            id: Uuid::from_u128(n.into()),
        };
        let page = Page::read(&mut Vec::new(), 2, "");
        let mut rows = vec![3, 2, 1];
        let token = page.cut(&mut rows, |n| position(*n));
        assert_eq!(rows, [3, 2]);
        assert_eq!(Position::from_token(&token), Some(position(2)));
        assert_eq!(page.cut(&mut vec![3, 2], |n| position(*n)), "");
    }
}
