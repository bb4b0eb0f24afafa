//! Gives an event a picture, another one, or none. Its bytes are stored by the gateway before, under a
//! name that no other picture has; whoever has loaded the old one keeps it.

use base::EventId;
use proto::ticket::{EventImage, SetEventImageRequest, SetEventImageResponse};
use sqlx::PgConnection;
use tonic::Request;

use super::actor;
use crate::{
    app::App,
    domain::limits::{IMAGE_ALT_MAX_CHARS, IMAGE_SIDE_MAX_PX},
    error::Error,
    rpc::{fields::Fields, view},
    store::{
        catalog::{self, Event},
        changes::{self, Actor, Change},
    },
};

const KEY_CHARS: usize = 64;

#[derive(Debug)]
struct Wish {
    id: EventId,
    actor: Actor,
    expected_version: i64,
    /// None takes it away.
    image: Option<Image>,
    only_check: bool,
}

#[derive(Debug)]
struct Image {
    key: String,
    width: i32,
    height: i32,
    alt: String,
}

pub async fn set_event_image(
    app: &App,
    request: Request<SetEventImageRequest>,
) -> Result<SetEventImageResponse, Error> {
    let actor = actor(app, &request)?;
    let wish = read(actor, request.into_inner())?;
    let (event, types) = app
        .db
        .run(wish, |conn, wish| {
            Box::pin(async move {
                let event = set(conn, wish).await?;
                let types = catalog::ticket_types(conn, &[event.id]).await?;
                Ok::<_, Error>((event, types))
            })
        })
        .await?;
    Ok(SetEventImageResponse {
        event: Some(view::event(&event, &types)),
    })
}

fn read(actor: Actor, request: SetEventImageRequest) -> Result<Wish, Error> {
    let id = request
        .event_id
        .parse()
        .map_err(|_| Error::NotFound("event"))?;
    let mut fields = Fields::default();
    let image = request.image.and_then(|image| of(&mut fields, image));
    fields.done()?;
    Ok(Wish {
        id,
        actor,
        expected_version: request.expected_version,
        image,
        only_check: request.only_check,
    })
}

fn of(fields: &mut Fields, image: EventImage) -> Option<Image> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if image.key.len() != KEY_CHARS || !image.key.bytes().all(is_hex) {
        fields.refuse("image.key", "must be 64 characters of hex");
    }
    let sides = [("image.width", image.width), ("image.height", image.height)];
    for (field, side) in sides {
        if !(1..=IMAGE_SIDE_MAX_PX).contains(&side) {
            fields.refuse(field, format!("must be between 1 and {IMAGE_SIDE_MAX_PX}"));
        }
    }
    let alt = base::bounded("alt", &image.alt, 0, IMAGE_ALT_MAX_CHARS);
    Some(Image {
        alt: fields.text("alt", alt)?,
        key: image.key,
        width: image.width.cast_signed(),
        height: image.height.cast_signed(),
    })
}

async fn set(conn: &mut PgConnection, wish: &Wish) -> Result<Event, Error> {
    let before = catalog::lock_own_event(conn, wish.id, &wish.actor).await?;
    if changes::is_recorded(conn, &wish.actor).await? {
        return Ok(before);
    }
    before.must_be_at(wish.expected_version)?;
    before.must_not_be_archived()?;
    let nothing_to_take = wish.image.is_none() && before.image_key.is_none();
    if wish.only_check || nothing_to_take {
        return Ok(before);
    }
    write(conn, wish).await?;
    let after = catalog::event(conn, wish.id).await?;
    let after = after.ok_or(Error::Fault("a locked event is gone"))?;
    let change = Change {
        action: "event.image_set",
        event_id: wish.id,
        object_id: wish.id.uuid(),
        before: Some(&before),
        after: &after,
    };
    changes::record(conn, &wish.actor, &change).await?;
    Ok(after)
}

async fn write(conn: &mut PgConnection, wish: &Wish) -> Result<(), Error> {
    let image = wish.image.as_ref();
    sqlx::query!(
        r#"
        UPDATE events
        SET image_key = $2, image_width = $3, image_height = $4, image_alt = $5,
            version = version + 1, updated_at = clock_timestamp()
        WHERE id = $1
        "#,
        wish.id.uuid(),
        image.map(|image| image.key.as_str()),
        image.map(|image| image.width),
        image.map(|image| image.height),
        image.map_or("", |image| image.alt.as_str()),
    )
    .execute(conn)
    .await?;
    Ok(())
}
