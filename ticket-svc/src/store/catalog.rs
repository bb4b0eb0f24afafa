use base::{Currency, EventId, PoolId, TicketTypeId, Zone};
use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{changes::Actor, grants, known};
use crate::{
    domain::{
        cancellation::Cancellation,
        event_status::EventStatus,
        fee::{Fee, FeeMode},
        provider::Provider,
        sales::{StockLevel, Window},
    },
    error::Error,
};

/// An event. What serializes goes into the audit log.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    pub id: Uuid,
    pub slug: String,
    pub title: String,
    pub description: String,
    pub location: String,
    #[serde(with = "time::serde::rfc3339")]
    pub date_time: OffsetDateTime,
    pub timezone: String,
    pub currency: String,
    pub status: String,
    /// The preferred one first; empty means every enabled one.
    pub payment_providers: Vec<String>,
    /// Empty means that the installation sells.
    pub seller_name: String,
    pub seller_address: String,
    pub seller_tax_id: String,
    pub seller_contact: String,
    pub fee_mode: String,
    pub fee_fixed_minor: i64,
    pub fee_rate_ppm: i32,
    /// 0 means the installation's default.
    pub manual_payment_days: i32,
    /// Until so many hours before it begins guests may cancel what they have paid; none: they may not.
    pub cancel_until_hours: Option<i32>,
    /// What is kept of their money, in parts per million.
    pub cancel_fee_ppm: i32,
    pub cancel_reason: String,
    #[serde(with = "time::serde::rfc3339::option")]
    pub archived_at: Option<OffsetDateTime>,
    /// The date that the first tickets of a postponed event were sold for.
    #[serde(with = "time::serde::rfc3339::option")]
    pub previous_date_time: Option<OffsetDateTime>,
    /// What was said of the date that it was postponed to.
    pub postpone_reason: String,
    /// The gateway's name of its picture, of which the rest says what pages need to know.
    pub image_key: Option<String>,
    pub image_width: Option<i32>,
    pub image_height: Option<i32>,
    pub image_alt: String,
    pub version: i64,
    /// The database's clock when it was read.
    #[serde(skip)]
    pub now: OffsetDateTime,
}

impl Event {
    pub fn id(&self) -> EventId {
        self.id.into()
    }

    pub fn status(&self) -> EventStatus {
        known(EventStatus::from_word(&self.status))
    }

    pub fn currency(&self) -> Currency {
        known(self.currency.parse().ok())
    }

    pub fn cancellation(&self) -> Cancellation {
        Cancellation {
            until_hours: self.cancel_until_hours,
            fee_ppm: self.cancel_fee_ppm,
        }
    }

    pub fn fee(&self) -> Fee {
        Fee {
            mode: known(FeeMode::from_word(&self.fee_mode)),
            fixed_minor: self.fee_fixed_minor,
            rate_ppm: self.fee_rate_ppm.cast_unsigned(),
        }
    }

    pub fn payment_providers(&self) -> Vec<Provider> {
        let words = self.payment_providers.iter();
        words.map(|word| known(Provider::from_word(word))).collect()
    }

    pub fn zone(&self) -> Zone {
        known(self.timezone.parse().ok())
    }

    /// Refuses a change that is based on another version; 0 means whatever it is now.
    pub fn must_be_at(&self, expected_version: i64) -> Result<(), Error> {
        must_be_at(self.version, expected_version)
    }

    /// Nothing of an archived event is changed.
    pub fn must_not_be_archived(&self) -> Result<(), Error> {
        match self.archived_at {
            Some(_) => Err(Error::EventArchived),
            None => Ok(()),
        }
    }
}

/// A ticket type with what is left of it.
#[derive(Clone, Debug, Serialize)]
pub struct TicketType {
    pub id: Uuid,
    pub event_id: Uuid,
    pub category: String,
    pub price_minor: i64,
    pub currency: String,
    #[serde(skip)]
    pub pool_id: Uuid,
    pub total_stock: Option<i64>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub sales_start: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub sales_end: Option<OffsetDateTime>,
    pub min_per_order: i32,
    pub max_per_order: i32,
    /// Over all orders of a guest. None means no limit.
    pub max_per_guest: Option<i32>,
    pub tax_rate_ppm: i32,
    /// Shared pools that it draws from besides its own.
    pub pool_ids: Vec<Uuid>,
    /// Of its own pool.
    pub blocked: i64,
    #[serde(skip)]
    pub held: i64,
    #[serde(skip)]
    pub sold: i64,
    pub version: i64,
    #[serde(skip)]
    pub free: Option<i64>,
    #[serde(skip)]
    pub returnable: Option<i64>,
    /// Whether a pool that it draws from is halted.
    #[serde(skip)]
    pub halted: bool,
}

impl TicketType {
    pub fn id(&self) -> TicketTypeId {
        self.id.into()
    }

    pub fn pool_id(&self) -> PoolId {
        self.pool_id.into()
    }

    pub fn window(&self, event: &Event) -> Window {
        Window {
            opens_at: self.sales_start,
            closes_at: self.sales_end,
            event_begins_at: event.date_time,
        }
    }

    pub fn stock(&self) -> StockLevel {
        StockLevel {
            free: self.free,
            returnable: self.returnable,
            halted: self.halted,
        }
    }
}

pub fn must_be_at(version: i64, expected_version: i64) -> Result<(), Error> {
    if [0, version].contains(&expected_version) {
        Ok(())
    } else {
        Err(Error::VersionMismatch { current: version })
    }
}

pub async fn event(conn: &mut PgConnection, id: EventId) -> Result<Option<Event>, Error> {
    Ok(events(conn, &[id.uuid()]).await?.pop())
}

/// The event, kept from being cancelled with an answer before this transaction has ended. It is the
/// lock that the foreign keys of this transaction take anyway, only earlier: readers who share it do
/// not wait for one another.
pub async fn event_to_the_end(
    conn: &mut PgConnection,
    id: EventId,
) -> Result<Option<Event>, Error> {
    sqlx::query!(
        "SELECT id FROM events WHERE id = $1 FOR KEY SHARE",
        id.uuid()
    )
    .fetch_optional(&mut *conn)
    .await?;
    // A statement of its own: it sees what was committed before the lock was there.
    event(conn, id).await
}

/// The same of several, which are in the order of their ids, but for those that somebody is about to cancel.
pub async fn idle_events_to_the_end(
    conn: &mut PgConnection,
    ids: &[Uuid],
) -> Result<Vec<Event>, Error> {
    let locked = sqlx::query_scalar!(
        "SELECT id FROM events WHERE id = ANY($1) ORDER BY id FOR KEY SHARE SKIP LOCKED",
        ids,
    );
    let locked = locked.fetch_all(&mut *conn).await?;
    events(conn, &locked).await
}

/// In the order of their ids as given; absent ones are left out.
pub async fn events(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Event>, Error> {
    let events = sqlx::query_as!(
        Event,
        r#"
        SELECT id, slug, title, description, location, date_time, timezone, currency, status,
               payment_providers, seller_name, seller_address, seller_tax_id, seller_contact,
               fee_mode, fee_fixed_minor, fee_rate_ppm, manual_payment_days,
               cancel_until_hours, cancel_fee_ppm, cancel_reason, archived_at,
               previous_date_time, postpone_reason, image_key, image_width, image_height, image_alt,
               version, clock_timestamp() AS "now!"
        FROM events WHERE id = ANY($1)
        ORDER BY array_position($1, id)
        "#,
        ids,
    );
    Ok(events.fetch_all(conn).await?)
}

/// An event of the actor, whose grant on it is enough for what they do; foreign ones do not exist for them.
pub async fn own_event(
    conn: &mut PgConnection,
    id: EventId,
    actor: &Actor,
) -> Result<Event, Error> {
    grants::must_suffice(conn, id, actor).await?;
    event(conn, id).await?.ok_or(Error::NotFound("event"))
}

/// An event and one of its ticket types that the actor may edit, the event locked.
pub async fn lock_own_type(
    conn: &mut PgConnection,
    id: TicketTypeId,
    actor: &Actor,
) -> Result<(Event, TicketType), Error> {
    // A foreign event's ticket type is as absent as the event.
    let absent = || Error::NotFound("ticket type");
    let event_id =
        sqlx::query_scalar!("SELECT event_id FROM ticket_types WHERE id = $1", id.uuid());
    let event_id = event_id.fetch_optional(&mut *conn).await?;
    let event_id = event_id.map(EventId::from).ok_or_else(absent)?;
    let event = lock_own_event(conn, event_id, actor).await;
    let event = event.map_err(|error| match error {
        Error::NotFound(_) => absent(),
        error => error,
    })?;
    let found = ticket_type(conn, event_id, id).await?;
    Ok((event, found.ok_or_else(absent)?))
}

/// Like `own_event`, with the event locked, so that changes of one event follow one another.
pub async fn lock_own_event(
    conn: &mut PgConnection,
    id: EventId,
    actor: &Actor,
) -> Result<Event, Error> {
    sqlx::query!(
        "SELECT id FROM events WHERE id = $1 FOR NO KEY UPDATE",
        id.uuid()
    )
    .fetch_optional(&mut *conn)
    .await?;
    own_event(conn, id, actor).await
}

/// The ticket types of these events, in the order that their admins see.
pub async fn ticket_types(
    conn: &mut PgConnection,
    events: &[Uuid],
) -> Result<Vec<TicketType>, Error> {
    let types = sqlx::query_as!(
        TicketType,
        r#"
        SELECT t.id, t.event_id, t.category, t.price_minor, t.currency, t.pool_id,
               own.capacity AS total_stock, t.sales_start, t.sales_end, t.min_per_order,
               t.max_per_order, t.max_per_guest, t.tax_rate_ppm, own.blocked, own.held, own.sold,
               ARRAY (SELECT s.pool_id FROM ticket_type_pools s WHERE s.ticket_type_id = t.id
                      ORDER BY s.pool_id) AS "pool_ids!",
               t.version, level.free AS "free?", level.returnable AS "returnable?",
               level.halted AS "halted!"
        FROM ticket_types t
        JOIN pools own ON own.id = t.pool_id
        CROSS JOIN LATERAL (
            SELECT MIN(p.capacity - p.held - p.sold - p.blocked) AS free,
                   MIN(p.capacity - p.sold - p.blocked) AS returnable,
                   COALESCE(BOOL_OR(p.halted_at IS NOT NULL), false) AS halted
            FROM ticket_type_draws d JOIN pools p ON p.id = d.pool_id
            WHERE d.ticket_type_id = t.id
        ) level
        WHERE t.event_id = ANY($1)
        ORDER BY t.event_id, t.position
        "#,
        events,
    );
    Ok(types.fetch_all(conn).await?)
}

/// One of those.
pub async fn ticket_type(
    conn: &mut PgConnection,
    event_id: EventId,
    id: TicketTypeId,
) -> Result<Option<TicketType>, Error> {
    let types = ticket_types(conn, &[event_id.uuid()]).await?;
    Ok(types.into_iter().find(|ticket_type| ticket_type.id() == id))
}
