use axum::{Json, extract::State};
use proto::ticket::ListEventsRequest;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::Shared,
    extract::Query,
    problem::Problem,
    rest::{
        problems::{BadQuery, Faults},
        types::{Event, moment},
    },
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub struct Search {
    /// Words to find in title, description or location.
    query: String,
    /// Concerts at or after this time (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<String>,
    /// Concerts before this time (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<String>,
    /// Words to find in the location.
    location: String,
    /// 1 to 100; 20 where it is left out.
    page_size: u32,
    /// `next_page_token` of the page before.
    page_token: String,
}

#[derive(Serialize, ToSchema)]
pub struct EventPage {
    events: Vec<Event>,
    /// Empty on the last page.
    next_page_token: String,
}

/// The programme: active concerts by date, soonest first.
#[utoipa::path(get, path = "/api/v1/events", tag = "guest", params(Search),
    responses((status = 200, body = EventPage), BadQuery, Faults))]
pub async fn list_events(
    State(app): State<Shared>,
    Query(search): Query<Search>,
) -> Result<Json<EventPage>, Problem> {
    let request = ListEventsRequest {
        query: search.query,
        from: moment::query("from", search.from.as_deref())?,
        to: moment::query("to", search.to.as_deref())?,
        location: search.location,
        page_size: search.page_size,
        page_token: search.page_token,
    };
    let page = app
        .upstreams
        .catalog()
        .list_events(request)
        .await?
        .into_inner();
    let events = page
        .events
        .into_iter()
        .map(Event::try_from)
        .collect::<Result<_, _>>()?;
    Ok(Json(EventPage {
        events,
        next_page_token: page.next_page_token,
    }))
}
