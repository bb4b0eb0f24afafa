//! The orders that fit, newest first, a page at a time.

use std::sync::Arc;

use base::{EventId, OrderId};
use kit::FieldProblem;
use pages::Page;
use proto::payment::{ListOrdersRequest, ListOrdersResponse, OrderStatus as WireStatus};
use sqlx::PgConnection;
use tonic::Request;
use uuid::Uuid;

use super::{sight::Caller, summary};
use crate::{app::App, domain::order_state::OrderStatus, error::Error};

const SEARCH_MAX_CHARS: usize = 320;
/// Fewer are at the end of too many numbers.
const PHONE_MIN_DIGITS: usize = 6;
/// A reference is one payment's; more are a coincidence between providers.
const REFERENCES_MAX: i64 = 20;
/// Every provider there ever was: their references are found by both names together.
const PROVIDERS: [&str; 3] = ["sandbox", "stripe", "manual"];

pub(in crate::rpc) async fn list_orders(
    app: &Arc<App>,
    request: Request<ListOrdersRequest>,
) -> Result<ListOrdersResponse, Error> {
    let caller = Caller::of(&request)?;
    let (mut filter, page) = Filter::read(request.into_inner())?;
    filter.limit_to(scope(app, caller, filter.event).await?);
    let read = app.db.run((filter, page), |tx, (filter, page)| {
        Box::pin(async move {
            let ids = find(tx, filter, page).await?;
            summary::summaries(tx, &ids).await
        })
    });
    let mut rows = read.await?;
    rows.reverse();
    let next_page_token = page.cut(&mut rows, summary::SummaryRow::position);
    let orders: Result<Vec<_>, Error> = rows.into_iter().map(summary::SummaryRow::wire).collect();
    Ok(ListOrdersResponse {
        orders: orders?,
        next_page_token,
    })
}

/// The events that the answer is limited to; None: no limit. NOT_FOUND for a foreign one.
pub(super) async fn scope(
    app: &App,
    caller: Caller,
    event: Option<EventId>,
) -> Result<Option<Vec<Uuid>>, Error> {
    match event {
        Some(event) => {
            caller.may_see_event(app, event).await?;
            Ok(Some(vec![event.uuid()]))
        }
        None => caller.events(app).await,
    }
}

pub(super) fn read_event(problems: &mut Vec<FieldProblem>, text: &str) -> Option<EventId> {
    let event = (!text.is_empty()).then(|| text.parse::<EventId>())?;
    event
        .map_err(|rule| problems.push(FieldProblem::new("event_id", rule)))
        .ok()
}

/// The word in the database; None means any.
pub(super) fn read_status(problems: &mut Vec<FieldProblem>, status: i32) -> Option<OrderStatus> {
    match WireStatus::try_from(status) {
        Ok(WireStatus::Unspecified) => None,
        Ok(wanted) => OrderStatus::ALL
            .into_iter()
            .find(|status| status.wire() == wanted),
        Err(_) => {
            problems.push(FieldProblem::new("status", "must be a known status"));
            None
        }
    }
}

/// What a listed order has; None and false ask nothing.
#[derive(Debug, Default)]
struct Filter {
    event: Option<EventId>,
    one_event: Option<Uuid>,
    events: Option<Vec<Uuid>>,
    status: Option<&'static str>,
    needs_attention: bool,
    email: Option<String>,
    search: Option<Search>,
}

/// Ways to read what was typed into the search field.
#[derive(Debug)]
struct Search {
    text: String,
    number: String,
    id: Option<Uuid>,
    /// For LIKE.
    beginning: String,
    /// For LIKE, backwards; None where it is no number that could be called.
    phone: Option<String>,
}

impl Filter {
    fn read(request: ListOrdersRequest) -> Result<(Self, Page), Error> {
        let mut problems = Vec::new();
        for (field, text) in [("email", &request.email), ("query", &request.query)] {
            if text.chars().count() > SEARCH_MAX_CHARS {
                let rule = format!("must have at most {SEARCH_MAX_CHARS} characters");
                problems.push(FieldProblem::new(field, rule));
            }
        }
        let page = Page::read(&mut problems, request.page_size, &request.page_token);
        let email = request.email.trim().to_lowercase();
        let filter = Self {
            event: read_event(&mut problems, &request.event_id),
            status: read_status(&mut problems, request.status).map(OrderStatus::word),
            needs_attention: request.needs_attention,
            email: (!email.is_empty()).then_some(email),
            search: Search::read(&request.query),
            ..Self::default()
        };
        if problems.is_empty() {
            Ok((filter, page))
        } else {
            Err(Error::Fields(problems))
        }
    }

    /// One event alone has an index in the order of the list.
    fn limit_to(&mut self, events: Option<Vec<Uuid>>) {
        match events.as_deref() {
            Some([one]) => self.one_event = Some(*one),
            _ => self.events = events,
        }
    }
}

impl Search {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self {
            text: text.to_owned(),
            number: text.to_uppercase(),
            id: text.parse::<OrderId>().ok().map(OrderId::uuid),
            beginning: beginning(&text.to_lowercase()),
            phone: phone(text),
        })
    }
}

/// The end of a phone number, backwards: without what stands before it where one calls from elsewhere.
fn phone(text: &str) -> Option<String> {
    let is_phone = |c: char| c.is_ascii_digit() || "+ -()./".contains(c);
    if !text.chars().all(is_phone) {
        return None;
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let end = digits.trim_start_matches('0');
    (end.len() >= PHONE_MIN_DIGITS).then(|| end.chars().rev().chain(['%']).collect())
}

/// A pattern for LIKE that takes every character as it is.
fn beginning(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

async fn find(tx: &mut PgConnection, filter: &Filter, page: &Page) -> Result<Vec<Uuid>, Error> {
    let search = filter.search.as_ref();
    let named = match search {
        Some(search) => named(tx, search).await?,
        None => Vec::new(),
    };
    // Which index is right depends on which filters are given: the plan is made for these values.
    sqlx::raw_sql("SET LOCAL plan_cache_mode = force_custom_plan")
        .execute(&mut *tx)
        .await?;
    let ids = sqlx::query_scalar!(
        "SELECT id FROM orders
         WHERE ($1::uuid IS NULL OR event_id = $1)
           AND ($2::uuid[] IS NULL OR event_id = ANY($2))
           AND ($3::text IS NULL OR status = $3)
           AND (NOT $4::bool OR needs_attention IS NOT NULL)
           AND ($5::text IS NULL OR lower(email) = $5)
           AND ($6::text IS NULL OR number = $6 OR id = ANY($7) OR lower(email) LIKE $8
                OR lower(name) LIKE $8 OR reverse(phone_number) LIKE $12)
           AND ($9::timestamptz IS NULL OR (created_at, id) < ($9, $10::uuid))
         ORDER BY created_at DESC, id DESC LIMIT $11",
        filter.one_event,
        filter.events.as_deref(),
        filter.status,
        filter.needs_attention,
        filter.email.as_deref(),
        search.map(|search| search.number.as_str()),
        &named,
        search.map(|search| search.beginning.as_str()),
        page.after.map(|after| after.at),
        page.after.map(|after| after.id),
        page.rows(),
        search.and_then(|search| search.phone.as_deref()),
    );
    Ok(ids.fetch_all(tx).await?)
}

/// The orders that an id or a payment's reference names.
async fn named(tx: &mut PgConnection, search: &Search) -> Result<Vec<Uuid>, Error> {
    let providers = PROVIDERS.map(str::to_owned);
    let ids = sqlx::query_scalar!(
        "SELECT order_id FROM payment_attempts
         WHERE provider = ANY($1) AND (provider_ref = $2 OR capture_ref = $2)
         LIMIT $3",
        &providers,
        search.text,
        REFERENCES_MAX,
    );
    let mut ids = ids.fetch_all(tx).await?;
    ids.extend(search.id);
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_no_pattern() {
        assert_eq!(beginning(r"50%_\a"), r"50\%\_\\a%");
        assert!(Search::read("  ").is_none());
        assert_eq!(Search::read(" bx-7 ").unwrap().number, "BX-7");
    }

    #[test]
    fn a_phone_number_is_found_however_it_is_written() {
        for text in ["+49 30 1234567", "0049 (30) 123-45.67", "+49/30/1234567"] {
            assert_eq!(phone(text).as_deref(), Some("76543210394%"), "{text}");
        }
        assert_eq!(phone("030 1234567").as_deref(), Some("765432103%"));
        for text in ["12345", "000000", "BX-1234567", "grace", "+"] {
            assert_eq!(phone(text), None, "{text}");
        }
    }

    #[test]
    fn every_status_can_be_asked_for() {
        let mut problems = Vec::new();
        for status in OrderStatus::ALL {
            let read = read_status(&mut problems, status.wire().into());
            assert_eq!(read, Some(status));
        }
        assert_eq!(read_status(&mut problems, 0), None);
        assert!(problems.is_empty());
        read_status(&mut problems, 99);
        assert_eq!(problems[0].field, "status");
    }
}
