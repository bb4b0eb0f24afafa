//! The list: filters, pages and their tokens, the same as ticket-svc's, so that a page from memory
//! can follow one of ticket-svc and the other way round.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::HeaderValue;
use kit::Failure;
use pages::Page;
use proto::ticket::ListEventsRequest;
use time::OffsetDateTime;

use super::{Face, Row, answer::tag_of, search::Words};

const NANOS_PER_MICRO: u32 = 1_000;

/// What is looked for.
#[derive(Debug)]
pub struct Search {
    anywhere: Words,
    in_location: Words,
    from: Option<OffsetDateTime>,
    to: Option<OffsetDateTime>,
    page: Page,
}

impl Search {
    /// None where ticket-svc would refuse it: its words are the right ones then.
    pub fn read(request: &ListEventsRequest) -> Option<Self> {
        let mut problems = Vec::new();
        let page = Page::read(&mut problems, request.page_size, &request.page_token);
        problems.is_empty().then_some(())?;
        Some(Self {
            anywhere: Words::read("query", &request.query)?,
            in_location: Words::read("location", &request.location)?,
            from: moment(request.from.as_ref())?,
            to: moment(request.to.as_ref())?,
            page,
        })
    }

    fn fits(&self, row: &Row) -> bool {
        self.anywhere.are_in(&row.text) && self.in_location.are_in(&row.location)
    }
}

/// To the microsecond, as the database stores it. The outer none: not a time.
fn moment(time: Option<&prost_types::Timestamp>) -> Option<Option<OffsetDateTime>> {
    let Some(time) = time else { return Some(None) };
    let time = proto::timestamp_from(time).ok()?;
    let nanos = time.nanosecond() / NANOS_PER_MICRO * NANOS_PER_MICRO;
    Some(Some(time.replace_nanosecond(nanos).ok()?))
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
        search.from.is_some_and(|from| row.position.at < from)
            || search.page.after.is_some_and(|after| row.position <= after)
    };
    let begin = rows.partition_point(begins);
    let in_time = |row: &&Row| search.to.is_none_or(|to| row.position.at < to);
    let mut fitting = rows[begin..]
        .iter()
        .take_while(in_time)
        .filter(|row| search.fits(row));
    let page: Vec<&Row> = fitting.by_ref().take(search.page.size()).collect();
    let last = page.last().filter(|_| fitting.next().is_some());
    Found {
        next_page_token: last.map_or_else(String::new, |row| row.position.token()),
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
