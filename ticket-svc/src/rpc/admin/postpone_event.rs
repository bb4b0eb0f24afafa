//! Gives an event a new date. Its tickets stay valid and its stock stays as it is; a sales window
//! without an end follows the date. The date that the first tickets were sold for is kept.

use base::EventId;
use proto::ticket::{PostponeEventRequest, PostponeEventResponse};
use sqlx::PgConnection;
use time::OffsetDateTime;
use tonic::Request;

use super::actor;
use crate::{
    app::App,
    domain::{event_status::EventStatus, limits::POSTPONE_REASON_MAX_CHARS},
    error::Error,
    rpc::{fields::Fields, view},
    store::{
        catalog::{self, Event},
        changes::{self, Actor, Change},
    },
};

#[derive(Debug)]
struct Postpone {
    id: EventId,
    actor: Actor,
    expected_version: i64,
    date_time: OffsetDateTime,
    reason: String,
}

pub async fn postpone_event(
    app: &App,
    request: Request<PostponeEventRequest>,
) -> Result<PostponeEventResponse, Error> {
    let actor = actor(app, &request)?;
    let postpone = read(actor, &request.into_inner())?;
    let (event, types) = app
        .db
        .run(postpone, |conn, postpone| {
            Box::pin(async move {
                let event = find_or_postpone(conn, postpone).await?;
                let types = catalog::ticket_types(conn, &[event.id]).await?;
                Ok::<_, Error>((event, types))
            })
        })
        .await?;
    Ok(PostponeEventResponse {
        event: Some(view::event(&event, &types)),
    })
}

fn read(actor: Actor, request: &PostponeEventRequest) -> Result<Postpone, Error> {
    let id = request
        .event_id
        .parse()
        .map_err(|_| Error::NotFound("event"))?;
    let mut fields = Fields::default();
    let date_time = fields.time("date_time", request.date_time.as_ref());
    if request.date_time.is_none() {
        fields.refuse("date_time", "is missing");
    }
    let reason = base::bounded_multiline("reason", &request.reason, 0, POSTPONE_REASON_MAX_CHARS);
    let reason = fields.text("reason", reason).unwrap_or_default();
    let Some(date_time) = date_time else {
        return Err(fields.into_error());
    };
    fields.done()?;
    Ok(Postpone {
        id,
        actor,
        expected_version: request.expected_version,
        date_time,
        reason,
    })
}

async fn find_or_postpone(conn: &mut PgConnection, postpone: &Postpone) -> Result<Event, Error> {
    let before = catalog::lock_own_event(conn, postpone.id, &postpone.actor).await?;
    let is_there = before.date_time == postpone.date_time;
    // Before the version: whoever repeats it has the one of before.
    if is_there && before.previous_date_time.is_some() {
        return Ok(before);
    }
    before.must_be_at(postpone.expected_version)?;
    before.must_not_be_archived()?;
    if before.status() == EventStatus::Cancelled {
        return Err(Error::EventNotActive);
    }
    if is_there {
        return Err(Error::field("date_time", "must be another date than now"));
    }
    if postpone.date_time <= before.now {
        return Err(Error::field("date_time", "must not be past"));
    }
    sqlx::query!(
        r#"
        UPDATE events
        SET previous_date_time = COALESCE(previous_date_time, date_time), date_time = $2,
            postponed_at = clock_timestamp(), postpone_reason = $3,
            version = version + 1, updated_at = clock_timestamp()
        WHERE id = $1
        "#,
        postpone.id.uuid(),
        postpone.date_time,
        postpone.reason,
    )
    .execute(&mut *conn)
    .await?;
    let after = catalog::event(conn, postpone.id).await?;
    let after = after.ok_or(Error::Fault("a locked event is gone"))?;
    let change = Change {
        action: "event.postponed",
        event_id: postpone.id,
        object_id: postpone.id.uuid(),
        before: Some(&before),
        after: &after,
    };
    changes::record(conn, &postpone.actor, &change).await?;
    Ok(after)
}
