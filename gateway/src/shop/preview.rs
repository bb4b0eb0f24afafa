use axum::{extract::State, response::Response};
use base::EventId;
use http::HeaderValue;
use minijinja::context;
use proto::ticket::GetOwnEventRequest;
use time::OffsetDateTime;

use super::{event, reader::Reader, table::Says as _};
use crate::{
    app::Shared,
    extract::{AdminToken, Id},
    problem::Problem,
    programme::Age,
    rest::types::{Availability, EventDetail, EventStatus, all, broken},
};

/// `GET /admin/events/{id}/preview`: the page of a concert as its guests see it or will, for admins who
/// were granted it. Kept nowhere, and nothing is sold on it.
pub async fn preview(
    State(app): State<Shared>,
    Id(id): Id<EventId>,
    Reader { language, .. }: Reader,
    token: AdminToken,
) -> Result<Response, Problem> {
    let request = token.request(GetOwnEventRequest {
        event_id: id.to_string(),
    });
    let found = app.upstreams.catalog_admin().get_own_event(request).await?;
    let found = found.into_inner();
    let mut detail = EventDetail {
        event: found.event.ok_or_else(|| broken("event"))?.try_into()?,
        ticket_types: all(found.ticket_types)?,
        payment_providers: Vec::new(),
    };
    as_published(&mut detail, app.sources.now());
    let about = match detail.event.status {
        EventStatus::Inactive => "preview.not_seen",
        EventStatus::Active => "preview.seen",
        EventStatus::Cancelled => "preview.cancelled",
    };
    let values = context! {
        preview => language.say(about),
        ..event::view(&app, language, (&detail, Age(None)), ("", None))
    };
    let mut response = app.pages.render(language, "event.html", values)?;
    let robots = HeaderValue::from_static("noindex, nofollow");
    response.headers_mut().insert("x-robots-tag", robots);
    Ok(response)
}

/// Nothing of a concert that is not published is on sale: here it is shown as if it were.
fn as_published(detail: &mut EventDetail, now: OffsetDateTime) {
    if detail.event.status != EventStatus::Inactive {
        return;
    }
    for kind in &mut detail.ticket_types {
        let opened = kind.sales_start.is_none_or(|start| start <= now);
        if kind.availability == Availability::NotYet && opened {
            let least = i64::from(kind.min_per_order.max(1));
            let enough = kind.remaining.is_none_or(|left| left >= least);
            kind.availability = if enough {
                Availability::OnSale
            } else {
                Availability::SoldOut
            };
        }
    }
}
