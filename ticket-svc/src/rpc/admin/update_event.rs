//! Changes the given fields of an event. A caller who names the version that the change is based on
//! hears VERSION_MISMATCH if somebody else was faster.

use base::{EventId, Zone};
use proto::ticket::{EventStatus as WireStatus, UpdateEventRequest, UpdateEventResponse};
use sqlx::PgConnection;
use time::OffsetDateTime;
use tonic::Request;

use super::{actor, terms::TermsEdit};
use crate::{
    app::App,
    domain::{
        event_status::EventStatus,
        limits::{DESCRIPTION_MAX_CHARS, IMAGE_ALT_MAX_CHARS, LOCATION_MAX_CHARS, TITLE_MAX_CHARS},
    },
    error::Error,
    rpc::{fields::Fields, view},
    store::{
        catalog::{self, Event},
        changes::{self, Actor, Change},
    },
};

/// None leaves a field as it is.
#[derive(Debug)]
struct Edit {
    id: EventId,
    actor: Actor,
    expected_version: i64,
    title: Option<String>,
    description: Option<String>,
    location: Option<String>,
    date_time: Option<OffsetDateTime>,
    zone: Option<Zone>,
    status: Option<EventStatus>,
    image_alt: Option<String>,
    terms: TermsEdit,
}

pub async fn update_event(
    app: &App,
    request: Request<UpdateEventRequest>,
) -> Result<UpdateEventResponse, Error> {
    let actor = actor(app, &request)?;
    let edit = read(actor, &request.into_inner())?;
    let (event, types) = app
        .db
        .run(edit, |conn, edit| {
            Box::pin(async move {
                let event = update(conn, edit).await?;
                let types = catalog::ticket_types(conn, &[event.id]).await?;
                Ok::<_, Error>((event, types))
            })
        })
        .await?;
    Ok(UpdateEventResponse {
        event: Some(view::event(&event, &types)),
    })
}

fn read(actor: Actor, request: &UpdateEventRequest) -> Result<Edit, Error> {
    let id = request
        .event_id
        .parse()
        .map_err(|_| Error::NotFound("event"))?;
    let mut fields = Fields::default();
    let title = request
        .title
        .as_ref()
        .and_then(|title| fields.text("title", base::bounded("title", title, 1, TITLE_MAX_CHARS)));
    let description = request.description.as_ref().and_then(|text| {
        let text = base::bounded_multiline("description", text, 0, DESCRIPTION_MAX_CHARS);
        fields.text("description", text)
    });
    let location = request.location.as_ref().and_then(|location| {
        fields.text(
            "location",
            base::bounded("location", location, 1, LOCATION_MAX_CHARS),
        )
    });
    let date_time = fields.time("date_time", request.date_time.as_ref());
    let zone = request
        .timezone
        .as_ref()
        .and_then(|zone| fields.parse("timezone", zone));
    let status = match request.status() {
        WireStatus::Unspecified => None,
        WireStatus::Inactive => Some(EventStatus::Inactive),
        WireStatus::Active => Some(EventStatus::Active),
        WireStatus::Cancelled => {
            fields.refuse("status", "must be INACTIVE or ACTIVE");
            None
        }
    };
    let image_alt = request.image_alt.as_ref().and_then(|alt| {
        let alt = base::bounded("image_alt", alt, 0, IMAGE_ALT_MAX_CHARS);
        fields.text("image_alt", alt)
    });
    let terms = TermsEdit::read(&mut fields, request);
    fields.done()?;
    let expected_version = request.expected_version;
    Ok(Edit {
        id,
        actor,
        expected_version,
        title,
        description,
        location,
        date_time,
        zone,
        status,
        image_alt,
        terms,
    })
}

async fn update(conn: &mut PgConnection, edit: &Edit) -> Result<Event, Error> {
    let before = catalog::lock_own_event(conn, edit.id, &edit.actor).await?;
    if changes::is_recorded(conn, &edit.actor).await? {
        return Ok(before);
    }
    before.must_be_at(edit.expected_version)?;
    before.must_not_be_archived()?;
    if before.status() == EventStatus::Cancelled && edit.status.is_some() {
        return Err(Error::EventNotActive);
    }
    if before.image_key.is_none() && edit.image_alt.is_some() {
        return Err(Error::field("image_alt", "needs an image"));
    }
    write(conn, edit).await?;
    let after = catalog::event(conn, edit.id).await?;
    let after = after.ok_or(Error::Fault("a locked event is gone"))?;
    let change = Change {
        action: "event.updated",
        event_id: edit.id,
        object_id: edit.id.uuid(),
        before: Some(&before),
        after: &after,
    };
    changes::record(conn, &edit.actor, &change).await?;
    Ok(after)
}

async fn write(conn: &mut PgConnection, edit: &Edit) -> Result<(), Error> {
    let (seller, fee) = (edit.terms.seller.as_ref(), edit.terms.fee);
    let rule = edit.terms.cancellation;
    sqlx::query!(
        r#"
        UPDATE events
        SET title = COALESCE($2, title), description = COALESCE($3, description),
            location = COALESCE($4, location), date_time = COALESCE($5, date_time),
            timezone = COALESCE($6, timezone), status = COALESCE($7, status),
            payment_providers = COALESCE($8, payment_providers),
            seller_name = COALESCE($9, seller_name),
            seller_address = COALESCE($10, seller_address),
            seller_tax_id = COALESCE($11, seller_tax_id),
            seller_contact = COALESCE($12, seller_contact),
            fee_mode = COALESCE($13, fee_mode),
            fee_fixed_minor = COALESCE($14, fee_fixed_minor),
            fee_rate_ppm = COALESCE($15, fee_rate_ppm),
            manual_payment_days = COALESCE($16, manual_payment_days),
            cancel_until_hours = CASE WHEN $17 THEN $18 ELSE cancel_until_hours END,
            cancel_fee_ppm = CASE WHEN $17 THEN $19 ELSE cancel_fee_ppm END,
            image_alt = COALESCE($20, image_alt),
            version = version + 1, updated_at = clock_timestamp()
        WHERE id = $1
        "#,
        edit.id.uuid(),
        edit.title,
        edit.description,
        edit.location,
        edit.date_time,
        edit.zone.as_ref().map(Zone::name),
        edit.status.map(EventStatus::word),
        edit.terms.payment_providers.as_deref(),
        seller.map(|seller| seller.name.as_str()),
        seller.map(|seller| seller.address.as_str()),
        seller.map(|seller| seller.tax_id.as_str()),
        seller.map(|seller| seller.contact.as_str()),
        fee.map(|fee| fee.mode.word()),
        fee.map(|fee| fee.fixed_minor),
        fee.map(|fee| fee.rate_ppm.cast_signed()),
        edit.terms.manual_payment_days,
        rule.is_some(),
        rule.and_then(|rule| rule.until_hours),
        rule.map_or(0, |rule| rule.fee_ppm),
        edit.image_alt,
    )
    .execute(conn)
    .await?;
    Ok(())
}
