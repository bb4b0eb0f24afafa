//! Pages of a list that is sorted by creation and id, the newest first.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kit::FieldProblem;
use time::OffsetDateTime;
use uuid::Uuid;

const SIZE_DEFAULT: u32 = 20;
const SIZE_MAX: u32 = 100;

/// Where a page begins and how long it may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    size: u32,
    /// The last row of the page before.
    pub after: Option<Position>,
}

/// The sort key of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub created_at: OffsetDateTime,
    pub id: Uuid,
}

impl Page {
    pub fn read(problems: &mut Vec<FieldProblem>, size: u32, token: &str) -> Self {
        let after = decode(token);
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

    /// How many rows to read: one more tells whether a page follows.
    pub fn rows(&self) -> i64 {
        i64::from(self.size) + 1
    }

    /// Cuts the extra row off; the token of the page that follows, empty on the last one.
    pub fn cut<T>(&self, rows: &mut Vec<T>, position: impl Fn(&T) -> Position) -> String {
        let size = self.size as usize;
        if rows.len() <= size {
            return String::new();
        }
        rows.truncate(size);
        rows.last()
            .map_or_else(String::new, |last| encode(position(last)))
    }
}

fn encode(position: Position) -> String {
    let mut bytes = Vec::with_capacity(32);
    bytes.extend(position.created_at.unix_timestamp_nanos().to_be_bytes());
    bytes.extend(position.id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(token: &str) -> Option<Position> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (nanos, id) = bytes.split_first_chunk::<16>()?;
    let nanos = i128::from_be_bytes(*nanos);
    let created_at = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?;
    // Postgres stores no year of the far past.
    (created_at.year() >= 1).then_some(Position {
        created_at,
        id: Uuid::from_slice(id).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_token_leads_back_to_its_row() {
        let position = Position {
            created_at: datetime!(2026-06-12 18:00:00.000001 UTC),
            id: Uuid::from_u128(7),
        };
        assert_eq!(decode(&encode(position)), Some(position));
    }

    #[test]
    fn noise_is_a_problem_of_its_field() {
        for token in ["x", "AAAA", "%", &"A".repeat(43), &"_".repeat(43)] {
            let mut problems = Vec::new();
            let page = Page::read(&mut problems, 0, token);
            assert_eq!(page.rows(), 21);
            assert_eq!(problems.is_empty(), page.after.is_some(), "{token}");
        }
        let mut problems = Vec::new();
        Page::read(&mut problems, 101, "");
        assert_eq!(problems[0].field, "page_size");
    }

    #[test]
    fn the_extra_row_is_cut_off() {
        let at = |n: u32| Position {
            created_at: OffsetDateTime::UNIX_EPOCH,
            id: Uuid::from_u128(n.into()),
        };
        let page = Page::read(&mut Vec::new(), 2, "");
        let mut rows = vec![3, 2, 1];
        let token = page.cut(&mut rows, |n| at(*n));
        assert_eq!((rows, decode(&token)), (vec![3, 2], Some(at(2))));
        assert_eq!(page.cut(&mut vec![3, 2], |n| at(*n)), "");
    }
}
