//! Stock, views and holds: of the events that are named, or of every event that the caller may see. What a
//! job has not folded yet is added in the statement that reads, so that no moment shows less than there was.

use base::EventId;
use pages::Page;
use proto::ticket::{
    EventTraffic, InsightBucket, ReadTrafficRequest, ReadTrafficResponse, TrafficBucket, TypeStock,
};
use sqlx::PgConnection;
use time::{Date, OffsetDateTime};
use tonic::Request;
use uuid::Uuid;

use super::{actor, list_own_events};
use crate::{
    app::App,
    domain::{
        limits::INSIGHT_EVENTS_MAX,
        period::{self, Bound, Period, Piece},
    },
    error::Error,
    rpc::{fields::Fields, view},
    store::{
        catalog::{self, Event, TicketType},
        changes::Actor,
    },
};

pub async fn read_traffic(
    app: &App,
    request: Request<ReadTrafficRequest>,
) -> Result<ReadTrafficResponse, Error> {
    let actor = actor(app, &request)?;
    let wish = Wish::read(request.into_inner())?;
    let read = app.db.read((actor, wish), |conn, (actor, wish)| {
        Box::pin(answer(conn, actor, wish))
    });
    read.await
}

/// What is asked for.
#[derive(Debug)]
struct Wish {
    events: Vec<EventId>,
    page: Page,
    ends: (Option<Bound>, Option<Bound>),
    piece: Option<Piece>,
}

impl Wish {
    fn read(request: ReadTrafficRequest) -> Result<Self, Error> {
        let mut fields = Fields::default();
        let size = match request.page_size {
            0 => INSIGHT_EVENTS_MAX,
            size => size,
        };
        let rule = format!("must be at most {INSIGHT_EVENTS_MAX}");
        if size > INSIGHT_EVENTS_MAX {
            fields.refuse("page_size", &rule);
        }
        if request.event_ids.len() > INSIGHT_EVENTS_MAX as usize {
            fields.refuse("event_id", rule);
        }
        let page = fields.page(size.min(INSIGHT_EVENTS_MAX), &request.page_token);
        let mut end = |field, text: &str| {
            let bound = Bound::read(text);
            if bound.is_none() && !text.is_empty() {
                fields.refuse(
                    field,
                    "must be a day such as 2027-03-28, or a time by RFC 3339",
                );
            }
            bound
        };
        let ends = (end("from", &request.from), end("to", &request.to));
        let piece = match InsightBucket::try_from(request.bucket) {
            Ok(bucket) => piece(bucket),
            Err(_) => {
                fields.refuse("bucket", "must be hour, day, week or month");
                None
            }
        };
        fields.done()?;
        let ids = request.event_ids.iter().map(|id| id.parse());
        let events: Result<Vec<EventId>, _> = ids.collect();
        Ok(Self {
            events: events.map_err(|_| Error::NotFound("event"))?,
            page,
            ends,
            piece,
        })
    }
}

fn piece(bucket: InsightBucket) -> Option<Piece> {
    match bucket {
        InsightBucket::Unspecified => None,
        InsightBucket::Hour => Some(Piece::Hour),
        InsightBucket::Day => Some(Piece::Day),
        InsightBucket::Week => Some(Piece::Week),
        InsightBucket::Month => Some(Piece::Month),
    }
}

async fn answer(
    conn: &mut PgConnection,
    actor: &Actor,
    wish: &Wish,
) -> Result<ReadTrafficResponse, Error> {
    let (events, next_page_token) = if wish.events.is_empty() {
        let wanted = list_own_events::Wanted {
            actor: actor.clone(),
            archived: false,
            words: Vec::new(),
            page: wish.page,
        };
        list_own_events::page(conn, &wanted).await?
    } else {
        (named(conn, actor, &wish.events).await?, String::new())
    };
    // A list shows what each event came to.
    let piece = wish.piece.filter(|_| !wish.events.is_empty());
    let mut asked = Vec::with_capacity(events.len());
    for event in events {
        let period = Period::of(wish.ends, piece, &event.zone(), event.now);
        let period = period.map_err(|period::Wrong(field, rule)| {
            let mut fields = Fields::default();
            fields.refuse(field, rule);
            fields.into_error()
        })?;
        asked.push((event, period));
    }
    let ids: Vec<Uuid> = asked.iter().map(|(event, _)| event.id).collect();
    let types = catalog::ticket_types(conn, &ids).await?;
    let rows = match piece {
        Some(Piece::Hour) => of_hours(conn, &asked).await?,
        piece => of_days(conn, &asked, piece.unwrap_or(Piece::Month)).await?,
    };
    let events = asked.iter().map(|(event, period)| {
        let of_it = rows.iter().filter(|row| row.event_id == event.id);
        let types = types.iter().filter(|kind| kind.event_id == event.id);
        wire((event, period), types, of_it, piece.is_some())
    });
    Ok(ReadTrafficResponse {
        events: events.collect(),
        next_page_token,
    })
}

/// In this order; each once.
async fn named(
    conn: &mut PgConnection,
    actor: &Actor,
    ids: &[EventId],
) -> Result<Vec<Event>, Error> {
    let mut events: Vec<Event> = Vec::with_capacity(ids.len());
    for id in ids {
        if !events.iter().any(|event| event.id() == *id) {
            events.push(catalog::own_event(conn, *id, actor).await?);
        }
    }
    Ok(events)
}

/// One piece of time of one event.
struct Row {
    event_id: Uuid,
    day: Option<Date>,
    hour: Option<OffsetDateTime>,
    views: i64,
    holds: i64,
}

async fn of_days(
    conn: &mut PgConnection,
    asked: &[(Event, Period)],
    piece: Piece,
) -> Result<Vec<Row>, Error> {
    let ids: Vec<Uuid> = asked.iter().map(|(event, _)| event.id).collect();
    let first: Vec<Option<Date>> = asked.iter().map(|(_, period)| period.first_day).collect();
    let end: Vec<Option<Date>> = asked.iter().map(|(_, period)| period.end_day).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT w.event_id AS "event_id!", date_trunc($4, f.day::timestamp)::date AS day,
               NULL::timestamptz AS hour, SUM(f.views)::bigint AS "views!", SUM(f.holds)::bigint AS "holds!"
        FROM UNNEST($1::uuid[], $2::date[], $3::date[]) AS w (event_id, first_day, end_day)
        CROSS JOIN LATERAL (
            SELECT d.day, d.views, d.holds FROM traffic_days d WHERE d.event_id = w.event_id
            UNION ALL
            SELECT local_day(t.at, e.timezone), t.views, t.holds
            FROM traffic_deltas t JOIN events e ON e.id = t.event_id WHERE t.event_id = w.event_id
        ) f
        WHERE f.day >= COALESCE(w.first_day, '-infinity') AND f.day < COALESCE(w.end_day, 'infinity')
        GROUP BY 1, 2 ORDER BY 1, 2
        "#,
        &ids,
        &first as &[Option<Date>],
        &end as &[Option<Date>],
        piece.word(),
    );
    Ok(rows.fetch_all(conn).await?)
}

async fn of_hours(conn: &mut PgConnection, asked: &[(Event, Period)]) -> Result<Vec<Row>, Error> {
    let ids: Vec<Uuid> = asked.iter().map(|(event, _)| event.id).collect();
    let from: Vec<Option<OffsetDateTime>> = asked.iter().map(|(_, period)| period.from).collect();
    let to: Vec<Option<OffsetDateTime>> = asked.iter().map(|(_, period)| period.to).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT w.event_id AS "event_id!", NULL::date AS day, f.hour, SUM(f.views)::bigint AS "views!",
               SUM(f.holds)::bigint AS "holds!"
        FROM UNNEST($1::uuid[], $2::timestamptz[], $3::timestamptz[]) AS w (event_id, first, until)
        CROSS JOIN LATERAL (
            SELECT h.hour, h.views, h.holds FROM traffic_hours h WHERE h.event_id = w.event_id
            UNION ALL
            SELECT local_hour(t.at, e.timezone), t.views, t.holds
            FROM traffic_deltas t JOIN events e ON e.id = t.event_id WHERE t.event_id = w.event_id
        ) f
        WHERE f.hour >= COALESCE(w.first, '-infinity') AND f.hour < COALESCE(w.until, 'infinity')
        GROUP BY w.event_id, f.hour ORDER BY w.event_id, f.hour
        "#,
        &ids,
        &from as &[Option<OffsetDateTime>],
        &to as &[Option<OffsetDateTime>],
    );
    Ok(rows.fetch_all(conn).await?)
}

fn wire<'a>(
    (event, period): (&Event, &Period),
    types: impl Iterator<Item = &'a TicketType>,
    rows: impl Iterator<Item = &'a Row> + Clone,
    in_pieces: bool,
) -> EventTraffic {
    let zone = event.zone();
    let bucket = |row: &Row| TrafficBucket {
        start: row
            .hour
            .or_else(|| row.day.map(|day| period::midnight(day, &zone)))
            .map(proto::timestamp),
        views: row.views,
        holds: row.holds,
    };
    EventTraffic {
        event_id: event.id().to_string(),
        title: event.title.clone(),
        status: view::event_status(event.status()).into(),
        date_time: Some(proto::timestamp(event.date_time)),
        timezone: event.timezone.clone(),
        currency: event.currency.clone(),
        types: types.map(stock).collect(),
        from: period.from.map(proto::timestamp),
        to: period.to.map(proto::timestamp),
        views: rows.clone().map(|row| row.views).sum(),
        holds: rows.clone().map(|row| row.holds).sum(),
        buckets: rows.filter(|_| in_pieces).map(bucket).collect(),
    }
}

fn stock(kind: &TicketType) -> TypeStock {
    TypeStock {
        ticket_type_id: kind.id().to_string(),
        category: kind.category.clone(),
        capacity: kind.total_stock,
        blocked: kind.blocked,
        held: kind.held,
        sold: kind.sold,
        free: kind.free,
    }
}
