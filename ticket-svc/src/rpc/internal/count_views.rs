//! Adds what a gateway has counted. A flush is stored with its id, so that one whose answer was lost is
//! counted once however often it comes.

use base::EventId;
use proto::ticket::{CountViewsRequest, CountViewsResponse};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{app::App, domain::limits::VIEWS_MAX, error::Error, rpc::fields::Fields};

pub async fn count_views(
    app: &App,
    request: &CountViewsRequest,
) -> Result<CountViewsResponse, Error> {
    let flush = Flush::read(request)?;
    app.db
        .run(flush, |conn, flush| Box::pin(count(conn, flush)))
        .await?;
    Ok(CountViewsResponse {})
}

#[derive(Debug)]
struct Flush {
    id: Uuid,
    at: OffsetDateTime,
    events: Vec<Uuid>,
    counts: Vec<i64>,
}

impl Flush {
    fn read(request: &CountViewsRequest) -> Result<Self, Error> {
        let mut fields = Fields::default();
        let id: Option<Uuid> = fields.parse("flush_id", &request.flush_id);
        let at = fields.time("counted_at", request.counted_at.as_ref());
        if at.is_none() {
            fields.refuse("counted_at", "must be a time");
        }
        if !(1..=VIEWS_MAX).contains(&request.views.len()) {
            fields.refuse("views", format!("must have 1 to {VIEWS_MAX} entries"));
        }
        let (mut events, mut counts) = (Vec::new(), Vec::new());
        for (index, one) in request.views.iter().take(VIEWS_MAX).enumerate() {
            let event: Option<EventId> =
                fields.parse(&format!("views[{index}].event_id"), &one.event_id);
            if one.count == 0 {
                fields.refuse(&format!("views[{index}].count"), "must be at least 1");
            }
            events.extend(event.map(EventId::uuid));
            counts.push(i64::from(one.count));
        }
        let (Some(id), Some(at)) = (id, at) else {
            return Err(fields.into_error());
        };
        fields.done()?;
        Ok(Self {
            id,
            at,
            events,
            counts,
        })
    }
}

async fn count(conn: &mut PgConnection, flush: &Flush) -> Result<(), Error> {
    let new = sqlx::query!(
        "INSERT INTO view_flushes (id) VALUES ($1) ON CONFLICT DO NOTHING",
        flush.id
    );
    if new.execute(&mut *conn).await?.rows_affected() == 0 {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO traffic_deltas (event_id, at, views, holds)
         SELECT e.id, least(greatest($1, clock_timestamp() - interval '1 day'), clock_timestamp()), v.views, 0
         FROM UNNEST($2::uuid[], $3::bigint[]) AS v (event_id, views) JOIN events e ON e.id = v.event_id",
        flush.at,
        &flush.events,
        &flush.counts,
    )
    .execute(conn)
    .await?;
    Ok(())
}
