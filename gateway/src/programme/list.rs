//! The list: filters, pages and their tokens, the same as ticket-svc's, so that a page from memory
//! can follow one of ticket-svc and the other way round.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::{BufMut as _, Bytes, BytesMut};
use http::HeaderValue;
use kit::Failure;
use proto::ticket::ListEventsRequest;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Face, Row, answer::tag_of, search::Words};

/// As ticket-svc has them.
const PAGE_SIZE_DEFAULT: usize = 20;
const PAGE_SIZE_MAX: usize = 100;
const NANOS_PER_MICRO: i128 = 1_000;

/// Sort key: nanoseconds since 1970, then the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub i128, pub Uuid);

/// What is looked for.
#[derive(Debug)]
pub struct Search {
    anywhere: Words,
    in_location: Words,
    from: Option<i128>,
    to: Option<i128>,
    after: Option<Position>,
    size: usize,
}

impl Search {
    /// None where ticket-svc would refuse it: its words are the right ones then.
    pub fn read(request: &ListEventsRequest) -> Option<Self> {
        let size = request.page_size as usize;
        let after = match request.page_token.as_str() {
            "" => None,
            token => Some(decode(token)?),
        };
        (size <= PAGE_SIZE_MAX).then_some(())?;
        Some(Self {
            anywhere: Words::read("query", &request.query)?,
            in_location: Words::read("location", &request.location)?,
            from: moment(request.from.as_ref())?,
            to: moment(request.to.as_ref())?,
            after,
            size: if size == 0 { PAGE_SIZE_DEFAULT } else { size },
        })
    }

    fn fits(&self, row: &Row) -> bool {
        self.anywhere.are_in(&row.text) && self.in_location.are_in(&row.location)
    }
}

/// To the microsecond, as the database stores it. The outer none: not a time.
fn moment(time: Option<&prost_types::Timestamp>) -> Option<Option<i128>> {
    let Some(time) = time else { return Some(None) };
    let nanos = proto::timestamp_from(time).ok()?.unix_timestamp_nanos();
    Some(Some(nanos.div_euclid(NANOS_PER_MICRO) * NANOS_PER_MICRO))
}

/// A page of the list.
pub struct Found {
    pub events: Vec<Arc<Face>>,
    /// Empty on the last page.
    pub next_page_token: String,
}

/// Rows are sorted by position.
pub fn find(rows: &[Row], search: &Search) -> Found {
    let begins = |row: &Row| {
        search.from.is_some_and(|from| row.position.0 < from)
            || search.after.is_some_and(|after| row.position <= after)
    };
    let begin = rows.partition_point(begins);
    let in_time = |row: &&Row| search.to.is_none_or(|to| row.position.0 < to);
    let mut fitting = rows[begin..]
        .iter()
        .take_while(in_time)
        .filter(|row| search.fits(row));
    let page: Vec<&Row> = fitting.by_ref().take(search.size).collect();
    let last = page.last().filter(|_| fitting.next().is_some());
    Found {
        next_page_token: last.map_or_else(String::new, |row| encode(row.position)),
        events: page.iter().map(|row| row.cell.face()).collect(),
    }
}

impl Found {
    pub fn tag(&self) -> Result<HeaderValue, Failure> {
        let mut digests = Vec::with_capacity(self.events.len() * 32 + 64);
        for event in &self.events {
            digests.extend(event.row_digest);
        }
        digests.extend(self.next_page_token.as_bytes());
        tag_of(&base::digest(&digests))
    }

    /// `{"events": […], "next_page_token": "…"}`.
    pub fn body(&self) -> Bytes {
        const FRAME: usize = 64;
        let length = self.events.iter().map(|event| event.row.len() + 1);
        let length = length.sum::<usize>() + self.next_page_token.len() + FRAME;
        let mut body = BytesMut::with_capacity(length);
        body.put_slice(b"{\"events\":[");
        for (index, event) in self.events.iter().enumerate() {
            if index > 0 {
                body.put_u8(b',');
            }
            body.put_slice(&event.row);
        }
        body.put_slice(b"],\"next_page_token\":\"");
        // base64url: nothing in it has to be escaped.
        body.put_slice(self.next_page_token.as_bytes());
        body.put_slice(b"\"}");
        body.freeze()
    }
}

fn encode(Position(nanos, id): Position) -> String {
    let mut bytes = Vec::with_capacity(32);
    bytes.extend(nanos.to_be_bytes());
    bytes.extend(id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(token: &str) -> Option<Position> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (nanos, id) = bytes.split_first_chunk::<16>()?;
    let nanos = i128::from_be_bytes(*nanos);
    let date_time = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?;
    let id = Uuid::from_slice(id).ok()?;
    (date_time.year() >= 1).then_some(Position(nanos, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_back_to_its_row() {
        let position = Position(1_812_823_200_000_001_000, Uuid::from_u128(7));
        assert_eq!(decode(&encode(position)), Some(position));
        for noise in ["x", "AAAA", "%", &"_".repeat(43)] {
            assert_eq!(decode(noise), None, "{noise}");
        }
    }
}
