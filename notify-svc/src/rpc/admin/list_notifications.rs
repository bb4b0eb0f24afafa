//! The notifications that fit, newest first, a page at a time.

use base::{EventId, OrderId};
use kit::FieldProblem;
use pages::{Page, Position};
use proto::notify::{ListNotificationsRequest, ListNotificationsResponse, NotificationState};
use sqlx::PgConnection;
use tonic::Request;
use uuid::Uuid;

use super::sight::Caller;
use crate::{
    app::App,
    error::Error,
    kinds::Kind,
    store::{Row, STATES},
};

const RECIPIENT_MAX_CHARS: usize = 320;

pub(in crate::rpc) async fn list_notifications(
    app: &App,
    request: Request<ListNotificationsRequest>,
) -> Result<ListNotificationsResponse, Error> {
    let caller = Caller::of(&request)?;
    let (mut filter, page) = Filter::read(request.get_ref())?;
    filter.events = caller.events(app, filter.event).await?;
    let read = app.db.read((filter, page), |conn, (filter, page)| {
        Box::pin(find(conn, filter, page))
    });
    let mut rows = read.await?;
    let next_page_token = page.cut(&mut rows, |row| Position {
        at: row.created_at,
        id: row.id,
    });
    let notifications: Result<Vec<_>, Error> = rows.into_iter().map(Row::wire).collect();
    Ok(ListNotificationsResponse {
        notifications: notifications?,
        next_page_token,
    })
}

/// What a listed notification has; None and false ask nothing.
#[derive(Debug, Default)]
struct Filter {
    event: Option<EventId>,
    events: Option<Vec<Uuid>>,
    order: Option<OrderId>,
    kind: Option<String>,
    status: Option<&'static str>,
    needs_attention: bool,
    recipient: Option<String>,
    domain: Option<String>,
}

impl Filter {
    fn read(request: &ListNotificationsRequest) -> Result<(Self, Page), Error> {
        let mut problems = Vec::new();
        let page = Page::read(&mut problems, request.page_size, &request.page_token);
        let recipient = request.recipient.trim().to_lowercase();
        if recipient.chars().count() > RECIPIENT_MAX_CHARS {
            problems.push(FieldProblem::new("recipient", "is too long"));
        }
        let domain = recipient.strip_prefix('@').map(ToOwned::to_owned);
        let filter = Self {
            event: read_id(&mut problems, "event_id", &request.event_id),
            events: None,
            order: read_id(&mut problems, "order_id", &request.order_id),
            kind: read_kind(&mut problems, &request.kind),
            status: read_state(&mut problems, request.state),
            needs_attention: request.needs_attention,
            recipient: (domain.is_none() && !recipient.is_empty()).then_some(recipient),
            domain,
        };
        if problems.is_empty() {
            Ok((filter, page))
        } else {
            Err(Error::Fields(problems))
        }
    }
}

fn read_id<T: std::str::FromStr<Err: std::fmt::Display>>(
    problems: &mut Vec<FieldProblem>,
    field: &str,
    text: &str,
) -> Option<T> {
    let id = (!text.is_empty()).then(|| text.parse::<T>())?;
    id.map_err(|rule| problems.push(FieldProblem::new(field, rule.to_string())))
        .ok()
}

fn read_kind(problems: &mut Vec<FieldProblem>, word: &str) -> Option<String> {
    if !word.is_empty() && Kind::from_word(word).is_none() {
        problems.push(FieldProblem::new("kind", "must be a known kind"));
    }
    (!word.is_empty()).then(|| word.to_owned())
}

fn read_state(problems: &mut Vec<FieldProblem>, state: i32) -> Option<&'static str> {
    let wanted = NotificationState::try_from(state).ok();
    if wanted == Some(NotificationState::Unspecified) {
        return None;
    }
    let known = STATES.into_iter().find(|(_, state)| Some(*state) == wanted);
    if known.is_none() {
        problems.push(FieldProblem::new("state", "must be a known state"));
    }
    known.map(|(status, _)| status)
}

async fn find(conn: &mut PgConnection, filter: &Filter, page: &Page) -> Result<Vec<Row>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, kind, order_id, event_id, recipient, revision, copy, status, attempts, created_at,
             sent_at, next_attempt_at, last_error, error_class, reply_code, mail_id, dismissed_at
         FROM notifications
         WHERE ($1::uuid[] IS NULL OR event_id = ANY($1))
           AND ($2::uuid IS NULL OR order_id = $2)
           AND ($3::text IS NULL OR kind = $3)
           AND ($4::text IS NULL OR status = $4)
           AND (NOT $5 OR (status IN ('failed', 'bounced') AND dismissed_at IS NULL))
           AND ($6::text IS NULL OR (lower(recipient) = $6 AND status <> 'erased'))
           AND ($7::text IS NULL OR (recipient_domain = $7 AND status <> 'erased'))
           AND ($8::timestamptz IS NULL OR (created_at, id) < ($8, $9))
         ORDER BY created_at DESC, id DESC LIMIT $10",
        filter.events.as_deref(),
        filter.order.map(OrderId::uuid),
        filter.kind,
        filter.status,
        filter.needs_attention,
        filter.recipient,
        filter.domain,
        page.after.map(|after| after.at),
        page.after.map(|after| after.id),
        page.rows(),
    );
    Ok(rows.fetch_all(conn).await?)
}
