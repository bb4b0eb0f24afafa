//! What events sold, earned and gave back. The figures are read, not counted: a few hundred rows whatever
//! the number of orders (migration 0013). What a job has not folded yet is added in the same statement.

use std::sync::Arc;

use base::{EventId, Zone};
use futures::future::try_join_all;
use kit::FieldProblem;
use proto::payment::{
    EventSales, InsightBucket, ReadSalesRequest, ReadSalesResponse, SalesBucket, SalesFigures,
    SalesLine, SalesPeriod,
};
use sqlx::PgConnection;
use time::{Date, Duration, OffsetDateTime, PrimitiveDateTime, Time};
use tonic::Request;
use uuid::Uuid;

use super::sight::Caller;
use crate::{app::App, error::Error, view::minor};

const EVENTS_MAX: usize = 20;

pub(in crate::rpc) async fn read_sales(
    app: &Arc<App>,
    request: Request<ReadSalesRequest>,
) -> Result<ReadSalesResponse, Error> {
    let caller = Caller::of(&request)?;
    let (periods, bucket) = read(request.into_inner())?;
    let asked = periods.iter();
    let asked = asked.map(|period| caller.may_see_event(app, period.event));
    try_join_all(asked).await?;
    let read = app
        .db
        .read((periods.clone(), bucket), |conn, (periods, bucket)| {
            Box::pin(rows(conn, periods, *bucket))
        });
    let rows = read.await?;
    let events = periods.iter().map(|period| period.wire(&rows, bucket));
    Ok(ReadSalesResponse {
        events: events.collect(),
    })
}

/// A period of one event, in its zone.
#[derive(Clone, Debug)]
struct Period {
    event: EventId,
    zone: Zone,
    from: Option<OffsetDateTime>,
    to: Option<OffsetDateTime>,
}

fn read(request: ReadSalesRequest) -> Result<(Vec<Period>, InsightBucket), Error> {
    let mut problems = Vec::new();
    if !(1..=EVENTS_MAX).contains(&request.events.len()) {
        let rule = format!("must have 1 to {EVENTS_MAX} entries");
        problems.push(FieldProblem::new("events", rule));
    }
    let bucket = InsightBucket::try_from(request.bucket).unwrap_or_else(|_| {
        problems.push(FieldProblem::new("bucket", "must be a known one"));
        InsightBucket::Unspecified
    });
    let events = request.events.into_iter().take(EVENTS_MAX).enumerate();
    let periods: Vec<Option<Period>> = events
        .map(|(index, one)| Period::read(&mut problems, index, &one))
        .collect();
    let periods: Option<Vec<Period>> = periods.into_iter().collect();
    match periods {
        Some(periods) if problems.is_empty() => Ok((periods, bucket)),
        _ => Err(Error::Fields(problems)),
    }
}

impl Period {
    fn read(problems: &mut Vec<FieldProblem>, index: usize, one: &SalesPeriod) -> Option<Self> {
        let mut refuse = |field: &str, rule: String| {
            problems.push(FieldProblem::new(format!("events[{index}].{field}"), rule));
        };
        let event = one.event_id.parse::<EventId>();
        let event = event
            .map_err(|rule| refuse("event_id", rule.to_string()))
            .ok();
        let zone = one.timezone.parse::<Zone>();
        let zone = zone
            .map_err(|rule| refuse("timezone", rule.to_string()))
            .ok();
        let mut time = |field: &str, stamp: Option<&prost_types::Timestamp>| {
            let time = proto::timestamp_from(stamp?);
            time.map_err(|rule| refuse(field, rule.to_string())).ok()
        };
        let (from, to) = (time("from", one.from.as_ref()), time("to", one.to.as_ref()));
        if from.zip(to).is_some_and(|(from, to)| from >= to) {
            refuse("to", "must be after `from`".to_owned());
        }
        Some(Self {
            event: event?,
            zone: zone?,
            from,
            to,
        })
    }

    fn first_day(&self) -> Option<Date> {
        self.from.map(|at| self.zone.to_local(at).date())
    }

    /// The first day that has nothing of the period.
    fn end_day(&self) -> Option<Date> {
        let last = self.to? - Duration::NANOSECOND;
        self.zone.to_local(last).date().next_day()
    }

    fn wire(&self, rows: &[Row], bucket: InsightBucket) -> EventSales {
        let rows: Vec<&Row> = rows
            .iter()
            .filter(|row| row.event_id == self.event.uuid())
            .collect();
        let in_pieces = bucket != InsightBucket::Unspecified;
        let buckets = rows.chunk_by(|a, b| (a.day, a.hour) == (b.day, b.hour));
        let buckets = buckets.filter(|_| in_pieces).map(|rows| SalesBucket {
            start: rows
                .first()
                .and_then(|row| self.start(row))
                .map(proto::timestamp),
            figures: Some(figures(rows)),
        });
        EventSales {
            event_id: self.event.to_string(),
            total: Some(figures(&rows)),
            buckets: buckets.collect(),
        }
    }

    fn start(&self, row: &Row) -> Option<OffsetDateTime> {
        let midnight = |day| {
            self.zone
                .at_local(PrimitiveDateTime::new(day, Time::MIDNIGHT))
        };
        row.hour.or_else(|| row.day.map(midnight))
    }
}

/// Of one event, one piece of time, one ticket type (nil: none) and one currency.
#[derive(Clone, Debug)]
struct Row {
    event_id: Uuid,
    day: Option<Date>,
    hour: Option<OffsetDateTime>,
    ticket_type_id: Uuid,
    currency: String,
    placed: i64,
    paid: i64,
    sold: i64,
    revenue_minor: i64,
    returned: i64,
    refunded_minor: i64,
}

async fn rows(
    conn: &mut PgConnection,
    periods: &[Period],
    bucket: InsightBucket,
) -> Result<Vec<Row>, Error> {
    let word = match bucket {
        InsightBucket::Hour => return of_hours(conn, periods).await,
        InsightBucket::Day => "day",
        InsightBucket::Week => "week",
        InsightBucket::Month | InsightBucket::Unspecified => "month",
    };
    let events: Vec<Uuid> = periods.iter().map(|period| period.event.uuid()).collect();
    let first: Vec<Option<Date>> = periods.iter().map(Period::first_day).collect();
    let end: Vec<Option<Date>> = periods.iter().map(Period::end_day).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT w.event_id AS "event_id!", date_trunc($4, f.day::timestamp)::date AS day,
               NULL::timestamptz AS hour, f.ticket_type_id AS "ticket_type_id!",
               f.currency AS "currency!", sum(f.placed)::bigint AS "placed!",
               sum(f.paid)::bigint AS "paid!", sum(f.sold)::bigint AS "sold!",
               sum(f.revenue_minor)::bigint AS "revenue_minor!",
               sum(f.returned)::bigint AS "returned!", sum(f.refunded_minor)::bigint AS "refunded_minor!"
           FROM unnest($1::uuid[], $2::date[], $3::date[]) AS w (event_id, first_day, end_day)
           CROSS JOIN LATERAL (
               SELECT day, ticket_type_id, currency, placed, paid, sold, revenue_minor, returned,
                   refunded_minor
               FROM sale_days d
               WHERE d.event_id = w.event_id AND d.day >= coalesce(w.first_day, '-infinity')
                 AND d.day < coalesce(w.end_day, 'infinity')
               UNION ALL
               SELECT day, ticket_type_id, currency, placed, paid, sold, revenue_minor, returned,
                   refunded_minor
               FROM sale_deltas d
               WHERE d.event_id = w.event_id AND d.day >= coalesce(w.first_day, '-infinity')
                 AND d.day < coalesce(w.end_day, 'infinity')) f
           GROUP BY 1, 2, 4, 5 ORDER BY 1, 2, 4, 5"#,
        &events,
        &first as &[Option<Date>],
        &end as &[Option<Date>],
        word,
    );
    Ok(rows.fetch_all(conn).await?)
}

async fn of_hours(conn: &mut PgConnection, periods: &[Period]) -> Result<Vec<Row>, Error> {
    let events: Vec<Uuid> = periods.iter().map(|period| period.event.uuid()).collect();
    let from: Vec<Option<OffsetDateTime>> = periods.iter().map(|period| period.from).collect();
    let to: Vec<Option<OffsetDateTime>> = periods.iter().map(|period| period.to).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT w.event_id AS "event_id!", NULL::date AS day, f.hour,
               f.ticket_type_id AS "ticket_type_id!", f.currency AS "currency!",
               sum(f.placed)::bigint AS "placed!", sum(f.paid)::bigint AS "paid!",
               sum(f.sold)::bigint AS "sold!", sum(f.revenue_minor)::bigint AS "revenue_minor!",
               sum(f.returned)::bigint AS "returned!", sum(f.refunded_minor)::bigint AS "refunded_minor!"
           FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) AS w (event_id, first, until)
           CROSS JOIN LATERAL (
               SELECT hour, ticket_type_id, currency, placed, paid, sold, revenue_minor, returned,
                   refunded_minor
               FROM sale_hours h
               -- An hour that has begun before the period is part of it.
               WHERE h.event_id = w.event_id
                 AND h.hour > coalesce(w.first - interval '1 hour', '-infinity')
                 AND h.hour < coalesce(w.until, 'infinity')
               UNION ALL
               SELECT hour, ticket_type_id, currency, placed, paid, sold, revenue_minor, returned,
                   refunded_minor
               FROM sale_deltas d
               WHERE d.event_id = w.event_id
                 AND d.hour > coalesce(w.first - interval '1 hour', '-infinity')
                 AND d.hour < coalesce(w.until, 'infinity')) f
           GROUP BY w.event_id, f.hour, f.ticket_type_id, f.currency
           ORDER BY w.event_id, f.hour, f.ticket_type_id, f.currency"#,
        &events,
        &from as &[Option<OffsetDateTime>],
        &to as &[Option<OffsetDateTime>],
    );
    Ok(rows.fetch_all(conn).await?)
}

/// The rows of any pieces of time, by type and currency, and the orders of all of them.
fn figures(rows: &[&Row]) -> SalesFigures {
    let mut lines: Vec<SalesLine> = Vec::new();
    let mut sums: Vec<Row> = Vec::new();
    for row in rows {
        let same = |sum: &&mut Row| {
            (sum.ticket_type_id, &sum.currency) == (row.ticket_type_id, &row.currency)
        };
        match sums.iter_mut().find(same) {
            Some(sum) => {
                sum.sold += row.sold;
                sum.revenue_minor += row.revenue_minor;
                sum.returned += row.returned;
                sum.refunded_minor += row.refunded_minor;
            }
            None => sums.push((*row).clone()),
        }
    }
    for sum in sums {
        let nothing = (
            sum.sold,
            sum.revenue_minor,
            sum.returned,
            sum.refunded_minor,
        ) == (0, 0, 0, 0);
        if nothing {
            continue;
        }
        let ticket_type_id = if sum.ticket_type_id.is_nil() {
            String::new()
        } else {
            sum.ticket_type_id.to_string()
        };
        lines.push(SalesLine {
            ticket_type_id,
            sold: sum.sold,
            refunded: sum.returned,
            revenue: minor(sum.revenue_minor, &sum.currency),
            refunds: minor(sum.refunded_minor, &sum.currency),
        });
    }
    SalesFigures {
        orders: rows.iter().map(|row| row.placed).sum(),
        paid_orders: rows.iter().map(|row| row.paid).sum(),
        lines,
    }
}
