//! Creates an event that its creator owns. With an idempotency key a repeat answers the same event.

use base::{Currency, EventId, Zone, body_hash, derived_id, slug};
use prost::Message as _;
use proto::ticket::{CreateEventRequest, CreateEventResponse, EventStatus as WireStatus};
use sqlx::PgConnection;
use time::OffsetDateTime;
use tonic::Request;

use super::{actor, terms::Terms};
use crate::{
    app::App,
    domain::{
        event_status::EventStatus,
        limits::{DESCRIPTION_MAX_CHARS, LOCATION_MAX_CHARS, TITLE_MAX_CHARS},
    },
    error::Error,
    rpc::{fields, fields::Fields, view},
    store::{
        catalog::{self, Event},
        changes::{self, Actor, Change},
    },
};

#[derive(Debug)]
pub(super) struct NewEvent {
    pub id: EventId,
    pub actor: Actor,
    pub title: String,
    pub description: String,
    pub location: String,
    pub date_time: OffsetDateTime,
    pub zone: Zone,
    pub currency: Currency,
    pub status: EventStatus,
    pub terms: Terms,
    /// Where a key was given.
    pub body_hash: Option<Vec<u8>>,
}

/// An event of that id.
#[derive(Debug)]
pub(super) enum Made {
    /// By an earlier copy of the call.
    Before(Event),
    /// Not on record yet.
    Now(Event),
}

pub async fn create_event(
    app: &App,
    request: Request<CreateEventRequest>,
) -> Result<CreateEventResponse, Error> {
    let actor = actor(app, &request)?;
    let new = read(app, actor, request.into_inner())?;
    let (event, types) = app
        .db
        .run(new, |conn, new| {
            Box::pin(async move {
                let event = find_or_create(conn, new).await?;
                let types = catalog::ticket_types(conn, &[event.id]).await?;
                Ok::<_, Error>((event, types))
            })
        })
        .await?;
    Ok(CreateEventResponse {
        event: Some(view::event(&event, &types)),
    })
}

fn read(app: &App, actor: Actor, mut request: CreateEventRequest) -> Result<NewEvent, Error> {
    let key = fields::optional_key(&std::mem::take(&mut request.idempotency_key))?;
    let mut fields = Fields::default();
    let title = base::bounded("title", &request.title, 1, TITLE_MAX_CHARS);
    let title = fields.text("title", title);
    let description = base::bounded_multiline(
        "description",
        &request.description,
        0,
        DESCRIPTION_MAX_CHARS,
    );
    let description = fields.text("description", description);
    let location = base::bounded("location", &request.location, 1, LOCATION_MAX_CHARS);
    let location = fields.text("location", location);
    let date_time = fields.time("date_time", request.date_time.as_ref());
    if request.date_time.is_none() {
        fields.refuse("date_time", "is missing");
    }
    let zone = fields.parse("timezone", &request.timezone);
    let currency = fields.parse("currency", &request.currency);
    let status = match request.status() {
        WireStatus::Unspecified | WireStatus::Inactive => EventStatus::Inactive,
        WireStatus::Active => EventStatus::Active,
        WireStatus::Cancelled => {
            fields.refuse("status", "must be INACTIVE or ACTIVE");
            EventStatus::Inactive
        }
    };
    let terms = Terms::read(&mut fields, &request);
    let (
        Some(title),
        Some(description),
        Some(location),
        Some(date_time),
        Some(zone),
        Some(currency),
    ) = (title, description, location, date_time, zone, currency)
    else {
        return Err(fields.into_error());
    };
    fields.done()?;
    // Keys of two admins never meet.
    let derived = key
        .as_ref()
        .map(|key| derived_id(&format!("events/{}", actor.user_id), key));
    Ok(NewEvent {
        id: derived.map_or_else(|| EventId::new(&app.sources), EventId::from),
        actor,
        title,
        description,
        location,
        date_time,
        zone,
        currency,
        status,
        terms,
        body_hash: key.map(|_| body_hash(&[&request.encode_to_vec()]).to_vec()),
    })
}

async fn find_or_create(conn: &mut PgConnection, new: &NewEvent) -> Result<Event, Error> {
    let event = match find_or_insert(conn, new).await? {
        Made::Before(event) => return Ok(event),
        Made::Now(event) => event,
    };
    let change = Change {
        action: "event.created",
        event_id: new.id,
        object_id: new.id.uuid(),
        before: None,
        after: &event,
    };
    changes::record(conn, &new.actor, &change).await?;
    Ok(event)
}

/// The event and its creator's right to it.
pub(super) async fn find_or_insert(conn: &mut PgConnection, new: &NewEvent) -> Result<Made, Error> {
    if let Some(event) = find(conn, new).await? {
        return Ok(Made::Before(event));
    }
    let title_slug = slug(&new.title);
    let own_slug = format!("{title_slug}-{}", &new.id.uuid().simple().to_string()[20..]);
    // A slug in the form of an id would never be found by it.
    let wanted = if title_slug.parse::<EventId>().is_ok() {
        &own_slug
    } else {
        &title_slug
    };
    if !insert(conn, new, wanted).await? {
        if let Some(event) = find(conn, new).await? {
            return Ok(Made::Before(event));
        }
        // The slug is taken by an event of the same title.
        if !insert(conn, new, &own_slug).await? {
            let event = find(conn, new).await?;
            let event = event.ok_or(Error::Fault("an event's slug is taken twice"))?;
            return Ok(Made::Before(event));
        }
    }
    grant(conn, new).await?;
    let event = catalog::event(conn, new.id).await?;
    event
        .map(Made::Now)
        .ok_or(Error::Fault("an event is gone that was just made"))
}

/// The event that an earlier copy of this call made.
async fn find(conn: &mut PgConnection, new: &NewEvent) -> Result<Option<Event>, Error> {
    let made = sqlx::query!("SELECT body_hash FROM events WHERE id = $1", new.id.uuid());
    match made.fetch_optional(&mut *conn).await? {
        None => Ok(None),
        Some(made) if made.body_hash != new.body_hash => Err(Error::IdempotencyKeyReused),
        Some(_) => catalog::event(conn, new.id).await,
    }
}

/// False if the id or the slug is taken.
async fn insert(conn: &mut PgConnection, new: &NewEvent, slug: &str) -> Result<bool, Error> {
    let Terms { seller, fee, .. } = &new.terms;
    let inserted = sqlx::query!(
        r#"
        INSERT INTO events (id, slug, title, description, location, date_time, timezone, currency,
                            status, created_by, body_hash, payment_providers, seller_name,
                            seller_address, seller_tax_id, seller_contact, fee_mode,
                            fee_fixed_minor, fee_rate_ppm, manual_payment_days,
                            cancel_until_hours, cancel_fee_ppm)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                $19, $20, $21, $22)
        ON CONFLICT DO NOTHING
        "#,
        new.id.uuid(),
        slug,
        new.title,
        new.description,
        new.location,
        new.date_time,
        new.zone.name(),
        new.currency.code(),
        new.status.word(),
        new.actor.user_id.uuid(),
        new.body_hash,
        &new.terms.payment_providers,
        seller.name,
        seller.address,
        seller.tax_id,
        seller.contact,
        fee.mode.word(),
        fee.fixed_minor,
        fee.rate_ppm.cast_signed(),
        new.terms.manual_payment_days,
        new.terms.cancellation.until_hours,
        new.terms.cancellation.fee_ppm,
    )
    .execute(conn)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

async fn grant(conn: &mut PgConnection, new: &NewEvent) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO event_grants (event_id, user_id) VALUES ($1, $2)",
        new.id.uuid(),
        new.actor.user_id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
